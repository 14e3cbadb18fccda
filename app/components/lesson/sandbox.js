// The sandbox: bend all maps of a run, and count every pixel again while the slider moves.

const CELLS = 101;
const LEVEL = 0.4; // where the step lies that sharpens into two levels

// As `app.lessons.manipulation` bends a value; top is the largest value of its image.
function bend(value, top, values, isBackground) {
  let v = value * (1 + values.rescale * (1 / Math.max(top, 1e-6) - 1));
  v = Math.min(v ** values.gamma, values.clip) / values.clip;
  if (values.sharpness) {
    const step = (x) => 1 / (1 + Math.exp(-values.sharpness * (x - LEVEL)));
    v = (step(v) - step(0)) / (step(1) - step(0));
  }
  if (isBackground) v *= 1 - values.suppression;
  return Math.max(0, Math.min(1, v));
}

// Counts of each image, moved to the cells that the bent values fall into: IoU in percent at every threshold.
function countAgain(content, tables, values) {
  const n = content.classes;
  const hit = Array.from({ length: n }, () => new Float64Array(CELLS));
  const called = Array.from({ length: n }, () => new Float64Array(CELLS));
  const truth = new Float64Array(n);
  const background = new Float64Array(CELLS);
  const best = [];
  const moved = new Float64Array(CELLS);
  content.images.forEach(({ top, rows }) => {
    const image = new Map();
    for (const [gt, label, table] of rows) {
      const counts = tables[table];
      moved.fill(0);
      let all = 0;
      for (let cell = 0; cell < CELLS; cell += 1) {
        if (!counts[cell]) continue;
        moved[Math.round(bend(cell / (CELLS - 1), top, values, gt === 0) * (CELLS - 1))] += counts[cell];
        all += counts[cell];
      }
      truth[gt] += all;
      const entry = (c) => image.get(c) || image.set(c, { hit: new Float64Array(CELLS), called: new Float64Array(CELLS), truth: 0 }).get(c);
      entry(gt).truth += all;
      let above = 0;
      for (let cell = CELLS - 1; cell >= 0; cell -= 1) { // above a threshold: strictly
        called[label][cell] += above;
        entry(label).called[cell] += above;
        if (gt === label) { hit[label][cell] += above; entry(label).hit[cell] += above; }
        if (gt === 0) { background[cell] += all - above; entry(0).hit[cell] += all - above; }
        called[0][cell] += all - above;
        entry(0).called[cell] += all - above;
        above += moved[cell];
      }
    }
    best.push(findBest(image));
  });
  hit[0] = background;
  const curve = Array.from({ length: CELLS }, (_, t) => meanIoU(hit.map((one, c) => [one[t], called[c][t], truth[c]])));
  return { curve, best, oracle: scoreOracle(best, n) };
}

function meanIoU(classes) {
  const found = classes.filter(([, called, truth]) => called + truth > 0).map(([hit, called, truth]) => hit / (called + truth - hit));
  return (100 * found.reduce((a, b) => a + b, 0)) / found.length;
}

// What an image counts at its own best threshold.
function findBest(image) {
  const entries = [...image.entries()];
  let [top, at] = [-1, 0];
  for (let t = 0; t < CELLS; t += 1) {
    const score = meanIoU(entries.map(([, one]) => [one.hit[t], one.called[t], one.truth]));
    if (score > top) [top, at] = [score, t];
  }
  return entries.map(([c, one]) => [c, one.hit[at], one.called[at], one.truth]);
}

function scoreOracle(best, n) {
  const sums = Array.from({ length: n }, () => [0, 0, 0]);
  for (const image of best) for (const [c, ...counts] of image) counts.forEach((value, i) => { sums[c][i] += value; });
  return meanIoU(sums);
}

FIGURES.sandbox = {
  result(lesson) {
    const key = JSON.stringify(lesson.values);
    if (lesson.cache.key !== key) {
      const tables = lesson.cache.tables ??= lesson.content.tables.map((span) => lesson.array(span));
      const plain = { gamma: 1, clip: 1, sharpness: 0, rescale: 0, suppression: 0 };
      lesson.cache.before ??= countAgain(lesson.content, tables, plain);
      Object.assign(lesson.cache, { key, after: countAgain(lesson.content, tables, lesson.values) });
    }
    return lesson.cache;
  },

  draw(pen, lesson) {
    const { content, values } = lesson;
    const { before, after } = this.result(lesson);
    const side = Math.min(170, (pen.height - 80) / 2);
    const map = lesson.cache.map ??= lesson.array(content.map);
    ["as it came", "bent"].forEach((name, i) => {
      const box = { x: 0, y: 18 + i * (side + 28), width: side, height: side };
      pen.text(name, 0, box.y - 5, { bold: true });
      pen.picture(lesson.pictures[0], box.x, box.y, side, side);
      pen.grid(content.side, content.side, (k) => {
        const v = i ? bend(map[k] / 255, content.mapTop, values, content.isBackground[k]) : map[k] / 255;
        return heat(v, 50 + 200 * v);
      }, box, true);
    });
    const axes = new Axes(pen, { x: side + 20, y: 20, width: pen.width - side - 20, height: pen.height - 66 }, { xTitle: "threshold", yTitle: "mIoU %, all images counted again", y: [0, 100] });
    const steps = Array.from({ length: CELLS }, (_, i) => i / (CELLS - 1));
    drawLegend(pen, [{ label: "as it came from the network", colour: "#808495", dash: [6, 4] }, { label: "bent", colour: "#0072B2" }], side + 60, 14);
    for (const [result, colour, dash] of [[before, "#808495", [6, 4]], [after, "#0072B2", []]]) {
      axes.level(result.oracle, colour, { dash: [2, 3], width: 1.5 });
      axes.curve(steps, result.curve, colour, { width: 3, dash });
      const { peak, low, high } = findPlateau(result.curve, 1);
      axes.mark(steps[peak], result.curve[peak], colour, 5);
      axes.band(steps[low], steps[high], colour, 0.13);
    }
    this.drawNumbers(pen, before, after, { x: side + 20, y: pen.height - 34, width: pen.width - side - 20 });
  },

  drawNumbers(pen, before, after, box) {
    const names = [["peak", (r) => Math.max(...r.curve)], ["oracle − peak", (r) => r.oracle - Math.max(...r.curve)], ["plateau, in thresholds", (r) => {
      const { low, high } = findPlateau(r.curve, 1);
      return (high - low) / (CELLS - 1);
    }]];
    names.forEach(([name, read], i) => {
      const x = box.x + 40 + (i * (box.width - 40)) / 3;
      const digits = i === 2 ? 2 : 1;
      pen.text(name, x, box.y + 4, { alpha: 0.8 });
      pen.text(`${read(before).toFixed(digits)} → ${read(after).toFixed(digits)}`, x, box.y + 24, { size: 16, bold: true });
    });
  },

  say(lesson) {
    const { before, after } = this.result(lesson);
    const [was, is] = [before, after].map((r) => Math.max(...r.curve));
    const moved = Math.abs(is - was) < 0.35 ? "the peak stays" : `the peak goes from ${was.toFixed(1)} to ${is.toFixed(1)}`;
    const { low, high } = findPlateau(after.curve, 1);
    const wide = findPlateau(before.curve, 1);
    return `The plateau was ${((wide.high - wide.low) / 100).toFixed(2)} wide in thresholds and is ${((high - low) / 100).toFixed(2)}; ${moved}.`;
  },
};
