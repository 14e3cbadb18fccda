// What the server sent, made ready: one code for each pixel and method, and every score at every threshold.

const LEVELS = 256; // room for the bins 0..201 of the default thresholds
const IGNORE = 255;

function readModel(data) {
  const bytes = data.blob.getChildAt(0).toArray();
  const meta = data.meta;
  const take = (span) => bytes.subarray(span[0], span[0] + span[1]);
  const gt = meta.gt ? take(meta.gt) : new Uint8Array(meta.width * meta.height).fill(IGNORE);
  const gtValues = listValues(gt);
  const model = { meta, gt, gtValues, hasTruth: Boolean(meta.gt), last: meta.thresholds - 1, tables: {} };
  for (const [name, span] of Object.entries(meta.tables)) model.tables[name] = take(span);
  model.missing = meta.missing || [];
  model.methods = meta.methods.map((method) => buildMethod(method, model, take));
  model.truthPath = model.hasTruth ? buildEdgePath(gt, meta.width, meta.height) : new Path2D();
  model.photo = new Blob([take(meta.photo)], { type: "image/jpeg" });
  return model;
}

function listValues(labels) {
  const seen = new Uint8Array(256);
  for (let p = 0; p < labels.length; p++) seen[labels[p]] = 1;
  return [...seen.keys()].filter((value) => seen[value]);
}

function buildMethod(sent, model, take) {
  const pixels = model.meta.width * model.meta.height;
  const rows = Math.max(1, sent.classIds.length);
  const method = { ...sent, rows, bins: take(sent.bins), strongest: take(sent.strongest), scores: {}, shapes: {} };
  method.top = new Uint8Array(pixels);
  method.codes = encodePixels(method, model, pixels);
  method.cells = new Uint32Array(model.gtValues.length * rows * LEVELS);
  for (let p = 0; p < pixels; p++) method.cells[method.codes[p]]++;
  return method;
}

// code = (index of the ground truth · rows + strongest row) · 256 + bin of the strongest map
function encodePixels(method, model, pixels) {
  const { rows, bins, strongest, top } = method;
  const index = new Uint16Array(256);
  model.gtValues.forEach((value, i) => { index[value] = i * rows; });
  const size = model.gtValues.length * rows * LEVELS;
  const codes = size <= 65536 ? new Uint16Array(pixels) : new Uint32Array(pixels);
  const hasMaps = method.classIds.length > 0;
  for (let p = 0; p < pixels; p++) {
    const row = strongest[p];
    top[p] = hasMaps ? bins[row * pixels + p] : 0;
    codes[p] = (index[model.gt[p]] + row) * LEVELS + top[p];
  }
  return codes;
}

function getPlane(method, classId, pixels) {
  const row = method.classIds.indexOf(classId);
  return classId && row >= 0 ? method.bins.subarray(row * pixels, (row + 1) * pixels) : method.top;
}

// IoU of one class, or their mean (classId 0), at every threshold. A union without a pixel has no IoU.
function getScore(method, model, classId) {
  if (!model.hasTruth) return null;
  if (!method.scores[classId]) method.scores[classId] = scoreMethod(method, model, classId);
  return method.scores[classId];
}

function scoreMethod(method, model, classId) {
  const counted = sumAbove(method, model);
  const scored = listScored(method, model, counted.totals);
  const curve = new Float64Array(model.last + 1).fill(NaN);
  for (let j = 0; j <= model.last; j++) {
    const values = (classId ? [classId] : scored).map((c) => scoreClass(counted, j, c));
    const known = values.filter((value) => !Number.isNaN(value));
    if (known.length) curve[j] = known.reduce((a, b) => a + b, 0) / known.length;
  }
  let best = -1;
  curve.forEach((value, j) => { if (!Number.isNaN(value) && (best < 0 || value > curve[best])) best = j; });
  return { curve, best };
}

// The classes of the image that its mean is over: those of the run's protocol, under the averaging of the list beside.
function listScored(method, model, totals) {
  const present = [...new Set([0, ...method.classIds, ...model.gtValues.filter((value) => value !== IGNORE)])];
  const chosen = present.filter((c) => !method.scored || method.scored.includes(c));
  return model.meta.averaging === "present" ? chosen.filter((c) => totals.get(c)) : chosen;
}

// Pixels above each threshold, by ground truth and row, from the histogram of the codes.
function sumAbove(method, model) {
  const { rows, cells } = method;
  const above = model.gtValues.map(() => []);
  const totals = new Map();
  model.gtValues.forEach((value, g) => {
    let all = 0;
    for (let s = 0; s < rows; s++) {
      const sums = new Float64Array(LEVELS);
      const base = (g * rows + s) * LEVELS;
      for (let b = LEVELS - 2; b >= 0; b--) sums[b] = sums[b + 1] + cells[base + b + 1];
      all += sums[0] + cells[base];
      above[g].push(sums);
    }
    totals.set(value, all);
  });
  return { above, totals, gtValues: model.gtValues, classIds: method.classIds };
}

function scoreClass({ above, totals, gtValues, classIds }, j, classId) {
  let predicted = 0;
  let hit = 0;
  gtValues.forEach((value, g) => {
    if (value === IGNORE) return;
    let inRow = 0;
    if (classId === 0) inRow = totals.get(value) - classIds.reduce((sum, _, s) => sum + above[g][s][j], 0);
    else if (classIds.includes(classId)) inRow = above[g][classIds.indexOf(classId)][j];
    predicted += inRow;
    if (value === classId) hit = inRow;
  });
  const union = (totals.get(classId) || 0) + predicted - hit;
  return union ? hit / union : NaN;
}

// Pixels by bin: on the object, on background, and all of them where there is no ground truth.
function getShape(method, model, classId) {
  if (method.shapes[classId]) return method.shapes[classId];
  const pixels = model.meta.width * model.meta.height;
  const plane = getPlane(method, classId, pixels);
  const shape = { object: new Float64Array(LEVELS), background: new Float64Array(LEVELS), all: new Float64Array(LEVELS) };
  for (let p = 0; p < pixels; p++) {
    const value = model.gt[p];
    shape.all[plane[p]]++;
    if (value === 0) shape.background[plane[p]]++;
    else if (value !== IGNORE && (!classId || value === classId)) shape.object[plane[p]]++;
  }
  method.shapes[classId] = shape;
  return shape;
}

// The border of every object as a path along the sides of the pixels, straight runs in one piece.
function buildEdgePath(labels, width, height) {
  const path = new Path2D();
  const isObject = (p) => labels[p] !== 0 && labels[p] !== IGNORE;
  const differs = (p, q) => labels[p] !== labels[q] && (isObject(p) || isObject(q));
  addRuns(height - 1, width, (y, x) => differs(y * width + x, (y + 1) * width + x), (y, from, to) => {
    path.moveTo(from, y + 1);
    path.lineTo(to, y + 1);
  });
  addRuns(width - 1, height, (x, y) => differs(y * width + x, y * width + x + 1), (x, from, to) => {
    path.moveTo(x + 1, from);
    path.lineTo(x + 1, to);
  });
  return path;
}

function addRuns(lines, length, isEdge, add) {
  for (let line = 0; line < lines; line++) {
    let from = -1;
    for (let i = 0; i <= length; i++) {
      const here = i < length && isEdge(line, i);
      if (here && from < 0) from = i;
      if (!here && from >= 0) add(line, from, i);
      if (!here) from = -1;
    }
  }
}
