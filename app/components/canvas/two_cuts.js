// Two cuts with unsure pixels between: what they give on this image, the pairs in use, and their band on the bar.

const isTwoCuts = (app) => app.view.layer === "seed";

// Above the high cut the strongest class, up to the low one background, unsure between: mIoU of what is labelled, mIoU
// with unsure pixels as errors, and the labelled share of the scored pixels. Without ground truth the share alone.
function scorePair(method, model, classId, high, low) {
  method.summed ??= sumAbove(method, model);
  const { above, totals, gtValues } = method.summed;
  const seen = model.hasTruth ? gtValues.map((_, g) => g).filter((g) => gtValues[g] !== IGNORE) : gtValues.map((_, g) => g);
  const called = (g, j) => above[g].reduce((sum, row) => sum + row[j], 0);
  const ground = new Map(seen.map((g) => [gtValues[g], totals.get(gtValues[g]) - called(g, low)]));
  const labelled = new Map(seen.map((g) => [gtValues[g], ground.get(gtValues[g]) + called(g, high)]));
  const sum = (values) => [...values].reduce((a, b) => a + b, 0);
  const coverage = sum(labelled.values()) / sum(seen.map((g) => totals.get(gtValues[g])));
  if (!model.hasTruth) return { coverage };
  const counted = { method, above, gtValues, seen, ground, high };
  const classes = classId ? [classId] : listScored(method, model, totals);
  const isPresent = model.meta.averaging === "present" && !classId;
  return {
    coverage,
    miou: averagePair(counted, classes.filter((c) => !isPresent || labelled.get(c)), labelled),
    wrong: averagePair(counted, classes, totals),
  };
}

function averagePair(counted, classes, truths) {
  const values = classes.map((c) => scorePairClass(counted, c, truths.get(c) || 0)).filter((value) => !Number.isNaN(value));
  return values.length ? values.reduce((a, b) => a + b, 0) / values.length : NaN;
}

function scorePairClass({ method, above, gtValues, seen, ground, high }, classId, truth) {
  const row = method.classIds.indexOf(classId);
  const find = (g) => (classId === 0 ? ground.get(gtValues[g]) : row < 0 ? 0 : above[g][row][high]);
  const predicted = seen.reduce((sum, g) => sum + find(g), 0);
  const own = seen.find((g) => gtValues[g] === classId);
  const hit = own === undefined ? 0 : find(own);
  const union = truth + predicted - hit;
  return union ? hit / union : NaN;
}

// The table of scores while two cuts are shown.
function buildPairScores(app) {
  const table = app.find(".scores");
  const truth = app.model.hasTruth;
  table.caption.textContent = truth ? `Of what is labelled: ${scoreTitle(app)}` : "Labelled share of the image, %";
  const heads = truth ? ["Method", "mIoU", "Labelled", "Unsure wrong"] : ["Method", "Labelled"];
  const helps = { Labelled: "Share of the scored pixels that are labelled", "Unsure wrong": "With unsure pixels as errors" };
  table.tHead.replaceChildren(fillRow(make("tr"), heads.map((head, i) => [head, i ? "number" : "", "th"])));
  [...table.tHead.rows[0].cells].forEach((cell, i) => { cell.title = helps[heads[i]] || ""; });
  app.scoreRows = app.model.methods.map((method, i) => buildPairRow(app, method, i, truth));
  table.tBodies[0].replaceChildren(...app.scoreRows.map((row) => row.row));
}

function buildPairRow(app, method, i, truth) {
  const row = make("tr");
  const name = make("th");
  name.scope = "row";
  name.append(buildToggle(app, method, i));
  const cells = (truth ? ["now", "coverage", "unsure-wrong"] : ["coverage"]).map((kind) => make("td", `number ${kind}`));
  row.append(name, ...cells);
  row.classList.toggle("off", app.view.hidden.includes(method.key));
  return { row, cells };
}

function updatePairScores(app) {
  const { view, model } = app;
  app.scoreRows.forEach(({ cells }, i) => {
    const score = scorePair(model.methods[i], model, view.classId, view.t, view.low);
    const texts = model.hasTruth ? [score.miou, score.coverage, score.wrong] : [score.coverage];
    texts.forEach((value, k) => { cells[k].textContent = percent(value); });
    cells[0].dataset.at = model.hasTruth ? ` of ${percent(score.coverage)} %` : " % labelled";
  });
  for (const panel of app.panels) updateCaption(app, panel);
}

// Pairs that are handed down from code to code, each with whose it is.
function buildPairs(app) {
  const select = app.find(".cuts");
  const pairs = app.model.meta.cuts || [];
  select.replaceChildren(new Option("Your own cuts", ""), ...pairs.map((pair, i) => {
    const option = new Option(`${pair.label} · ${app.threshold(pair.high)}, ${app.threshold(pair.low)}`, String(i));
    option.title = pair.source;
    return option;
  }));
  select.onchange = () => { if (select.value) takePair(app, pairs[Number(select.value)]); };
}

function takePair(app, { high, low }) {
  app.view.low = low;
  app.view.t = high;
  app.bench.move(high);
  app.schedule("paint");
  app.send();
}

function updatePairs(app) {
  const pairs = app.model.meta.cuts || [];
  const here = pairs.findIndex(({ high, low }) => high === app.view.t && low === app.view.low);
  app.find(".cuts").value = here < 0 ? "" : String(here);
  app.bar.showLow(isTwoCuts(app) ? app.view.low : null);
}
