// The layers after CRF and after PAMR: masks that the server refines at the thresholds of a grid, the nearest one shown.

const REFINED = { crf: "CRF", pamr: "PAMR" };

function isRefined(view) {
  return view.layer in REFINED;
}

// The refined mask of a method that is nearest to the threshold among those that are there; null before the first.
function findRefined(method, model, view) {
  const shelf = getBench().refined;
  const isOurs = shelf && shelf.image === model.meta.image && shelf.layer === view.layer;
  const masks = isOurs && shelf.masks[method.key];
  if (!masks || !masks.size) return null;
  let nearest = -1;
  for (const step of masks.keys()) {
    if (nearest < 0 || Math.abs(step - view.t) < Math.abs(nearest - view.t)) nearest = step;
  }
  return { step: nearest, labels: masks.get(nearest) };
}

function paintRefined(method, model, view) {
  const { width, height } = model.meta;
  const found = findRefined(method, model, view);
  if (!found) return method.out.fill(0);
  const colours = new Uint32Array(256);
  const shown = new Uint8Array(256);
  for (const id of method.classIds) {
    if (view.classId && view.classId !== id) continue;
    colours[id] = pack(colourOf(model, view, id), view.opacity);
    shown[id] = id;
  }
  paintPlain(method.out, found.labels, colours);
  if (view.contour) paintContour(method.out, { ...method, codes: found.labels }, shown, width, height, view.isThick);
}

// mIoU of a refined mask, or the IoU of one class, by the rule of `scoreMethod`; kept for each mask.
function scoreRefined(found, method, model, classId) {
  method.refinedScores ??= new WeakMap();
  const kept = method.refinedScores.get(found.labels) || {};
  method.refinedScores.set(found.labels, kept);
  kept[classId] ??= countRefined(found.labels, method, model, classId);
  return kept[classId];
}

function countRefined(labels, method, model, classId) {
  const [truth, predicted, hit] = [new Float64Array(256), new Float64Array(256), new Float64Array(256)];
  for (let p = 0; p < labels.length; p++) {
    const value = model.gt[p];
    if (value === IGNORE) continue;
    truth[value]++;
    predicted[labels[p]]++;
    if (value === labels[p]) hit[value]++;
  }
  const totals = new Map(model.gtValues.map((value) => [value, truth[value]]));
  const scored = classId ? [classId] : listScored(method, model, totals);
  const values = scored.map((c) => hit[c] / (truth[c] + predicted[c] - hit[c])).filter((value) => !Number.isNaN(value));
  return values.length ? values.reduce((a, b) => a + b, 0) / values.length : NaN;
}
