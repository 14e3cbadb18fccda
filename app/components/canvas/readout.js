// The numbers: each method's score at the threshold and at its best, and what lies under the pointer.

const DASH = "–";
const COMBINED = "~combined"; // made while it is looked at: nobody refines it

function percent(value) {
  return value === undefined || Number.isNaN(value) ? DASH : (value * 100).toFixed(1);
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function fillRow(row, cells) {
  row.replaceChildren(...cells.map(([text, className, tag]) => make(tag || "td", className, text)));
  return row;
}

function buildReadout(app) {
  buildScores(app);
  buildValues(app);
}

function buildScores(app) {
  if (isTwoCuts(app)) return buildPairScores(app);
  const table = app.find(".scores");
  const truth = app.model.hasTruth;
  table.caption.textContent = truth ? scoreTitle(app) : "Share of the image called foreground, %";
  const heads = truth ? ["Method", "At", "Best", "At", "Regret"] : ["Method", "At"];
  table.tHead.replaceChildren(fillRow(make("tr"), heads.map((head, i) => [head, i ? "number" : "", "th"])));
  app.scoreRows = app.model.methods.map((method, i) => buildScoreRow(app, method, i));
  table.tBodies[0].replaceChildren(...app.scoreRows.map((row) => row.row));
  app.scoreHead = table.tHead.rows[0].cells[1];
}

function buildScoreRow(app, method, i) {
  const row = make("tr");
  const name = make("th");
  name.scope = "row";
  name.append(buildToggle(app, method, i));
  const score = getScore(method, app.model, app.view.classId);
  const cells = (score ? ["now", "best", "best-at", "lost"] : ["now"]).map((kind) => make("td", `number ${kind}`));
  row.append(name, ...cells);
  if (score) {
    cells[1].textContent = score.best < 0 ? DASH : percent(score.curve[score.best]);
    cells[2].textContent = score.best < 0 || method.isMasks ? DASH : app.threshold(score.best);
  }
  row.classList.toggle("off", app.view.hidden.includes(method.key));
  return { row, cells, score };
}

function buildToggle(app, method, i) {
  const toggle = make("button", "toggle");
  toggle.type = "button";
  toggle.title = `Show or hide ${method.label} (${i + 1})`;
  toggle.setAttribute("aria-pressed", String(!app.view.hidden.includes(method.key)));
  toggle.onclick = () => app.toggleMethod(i);
  toggle.append(buildBadge(app, i), make("span", "label", method.label));
  return toggle;
}

function updateScores(app) {
  updatePairs(app);
  if (isTwoCuts(app)) return updatePairScores(app);
  app.scoreHead.textContent = isRefined(app.view) ? `After ${REFINED[app.view.layer]}` : `At ${app.threshold(app.view.t)}`;
  app.scoreRows.forEach((row, i) => updateScoreRow(app, row, app.model.methods[i]));
  for (const panel of app.panels) updateCaption(app, panel);
}

function updateScoreRow(app, { cells, score }, method) {
  if (isRefined(app.view) && !method.isMasks) return updateRefinedRow(app, cells, score, method);
  const now = score ? score.curve[app.view.t] : getForegroundShare(app, method);
  cells[0].textContent = percent(now);
  delete cells[0].dataset.at;
  if (score) cells[3].textContent = score.best < 0 ? DASH : percent(score.curve[score.best] - now);
}

// The threshold of the mask that is shown stands over it: while dragging it is the nearest one that is there.
function updateRefinedRow(app, cells, score, method) {
  const found = findRefined(method, app.model, app.view);
  const value = found && score ? percent(scoreRefined(found, method, app.model, app.view.classId)) : "";
  cells[0].textContent = found ? value || DASH : method.key === COMBINED ? DASH : "…";
  cells[0].dataset.at = found ? ` at ${app.threshold(found.step)}` : "";
  if (score) cells[3].textContent = DASH;
}

function updateCaption(app, panel) {
  if (panel.method === undefined) return;
  const text = (i) => app.scoreRows[i].cells[0].textContent + (app.scoreRows[i].cells[0].dataset.at || "");
  panel.score.textContent = panel.kind === "swipe" ? `${text(panel.method)} | ${text(panel.other)}` : text(panel.method);
}

// Without ground truth there is no IoU; the share of foreground tells how much a threshold takes.
function getForegroundShare(app, method) {
  method.cumulated ??= {};
  const key = app.view.classId;
  if (!method.cumulated[key]) {
    const bins = getShape(method, app.model, key).all;
    const above = new Float64Array(LEVELS);
    for (let b = LEVELS - 2; b >= 0; b--) above[b] = above[b + 1] + bins[b + 1];
    method.cumulated[key] = { above, total: above[0] + bins[0] };
  }
  const { above, total } = method.cumulated[key];
  return above[app.view.t] / total;
}

function listClasses(app) {
  return [...new Set(app.model.methods.flatMap((method) => method.classIds))].sort((a, b) => a - b);
}

function buildValues(app) {
  const table = app.find(".values");
  app.shownClasses = listClasses(app).slice(0, 5);
  const heads = ["Method", ...app.shownClasses.map((c) => app.className(c)), "Decision"];
  table.tHead.replaceChildren(fillRow(make("tr"), heads.map((head, i) => [head, i && i < heads.length - 1 ? "number" : "", "th"])));
  [...table.tHead.rows[0].cells].forEach((cell, i) => { cell.title = heads[i]; });
  app.valueRows = app.model.methods.map((method) => fillRow(make("tr"), [
    [method.label, "", "th"], ...app.shownClasses.map(() => [DASH, "number"]), [DASH, "decision"],
  ]));
  table.tBodies[0].replaceChildren(...app.valueRows);
  updateValues(app);
}

function updateValues(app) {
  const { width, height } = app.model.meta;
  const at = app.pointed && { x: Math.floor(app.pointed.x), y: Math.floor(app.pointed.y) };
  const isInside = at && at.x >= 0 && at.y >= 0 && at.x < width && at.y < height;
  const p = isInside ? at.y * width + at.x : -1;
  app.find(".values").caption.textContent = isInside ? describePixel(app, at, p) : "Under the pointer";
  app.model.methods.forEach((method, i) => updateValueRow(app, method, app.valueRows[i].cells, p));
}

function describePixel(app, at, p) {
  const truth = app.model.hasTruth ? ` · ground truth: ${app.className(app.model.gt[p])}` : "";
  return `Under the pointer: ${at.x}, ${at.y}${truth}`;
}

function updateValueRow(app, method, cells, p) {
  const pixels = app.model.gt.length;
  app.shownClasses.forEach((classId, k) => {
    const row = method.classIds.indexOf(classId);
    cells[k + 1].textContent = p < 0 || row < 0 ? DASH : app.threshold(Math.min(app.model.last, method.bins[row * pixels + p]));
  });
  const winner = method.classIds[method.strongest[p]] || 0;
  const refined = isRefined(app.view) && !method.isMasks ? findRefined(method, app.model, app.view) : null;
  const decided = p < 0 ? 0 : refined ? refined.labels[p] : method.top[p] > app.view.t ? winner : 0;
  cells[app.shownClasses.length + 1].textContent = p < 0 ? DASH : app.className(decided);
}

const LEGENDS = {
  errors: [["hit", "Right"], ["fp", "False positive"], ["fn", "False negative (striped)"], ["confused", "Other class"]],
  seed: [["fg", "Foreground, sure"], ["bg", "Background, sure"], ["unsure", "Unsure: ignored, 255 (striped)"]],
};

function updateLegend(app) {
  const legend = app.find(".legend");
  const entries = LEGENDS[app.view.layer];
  const items = entries ? entries.map(([kind, text]) => entry(kind, text)) : listShownClasses(app);
  legend.replaceChildren(...items);
}

function listShownClasses(app) {
  return listTruthAndMaps(app).map((c) => entry("", app.className(c), colourOf(app.model, app.view, c)));
}

function listTruthAndMaps(app) {
  const found = new Set([...listClasses(app), ...app.model.gtValues.filter((value) => value && value !== IGNORE)]);
  return [...found].sort((a, b) => a - b);
}

function entry(kind, text, colour) {
  const item = make("span", "entry");
  const swatch = make("i", `swatch ${kind}`);
  if (colour) swatch.style.background = `rgb(${colour.join(" ")})`;
  item.append(swatch, make("span", "", text));
  return item;
}
