// The sandbox: bend all maps of a run, and count every pixel again while the slider moves.

const CELLS = 101;
const LEVEL = 0.4; // where the step lies that sharpens into two levels
const PLAIN = { gamma: 1, clip: 1, sharpness: 0, suppression: 0 };

// As `app.lessons.manipulation` bends a value.
function bend(value, values, isBackground) {
  let v = Math.min(value ** values.gamma, values.clip) / values.clip;
  if (values.sharpness) {
    const step = (x) => 1 / (1 + Math.exp(-values.sharpness * (x - LEVEL)));
    v = (step(v) - step(0)) / (step(1) - step(0));
  }
  return isBackground ? v * (1 - values.suppression) : v;
}

// The pixels of each cell and of all above it: what is above a threshold is looked up.
function sumAbove(counts) {
  const sums = new Float64Array(CELLS + 1);
  for (let cell = CELLS - 1; cell >= 0; cell -= 1) sums[cell] = sums[cell + 1] + counts[cell];
  return sums;
}

// IoU in percent at every value that a cell has after bending, of all images and of each at its own best threshold.
function countAgain(content, sums, values) {
  const bent = [false, true].map((isBackground) => Array.from({ length: CELLS }, (_, k) => bend(k / (CELLS - 1), values, isBackground)));
  const at = [...new Set(bent.flat())].sort((a, b) => a - b);
  const first = bent.map((list) => {
    let k = 0;
    return at.map((threshold) => {
      while (k < CELLS && list[k] <= threshold) k += 1;
      return k;
    });
  });
  const total = new Map();
  const best = content.images.map((rows) => {
    const image = new Map();
    for (const [gt, label, table] of rows) for (const areas of [image, total]) addRow(areas, gt, label, sums[table], first[gt === 0 ? 1 : 0]);
    return findBest(image, at.length);
  });
  const curve = at.map((_, t) => meanIoU([...total.values()].map((one) => [one.hit[t], one.called[t], one.truth])));
  return { at, curve, oracle: scoreOracle(best) };
}

// Add what one row of counts gives at every threshold to the areas of its classes.
function addRow(areas, gt, label, sums, first) {
  const n = first.length;
  const entry = (c) => areas.get(c) || areas.set(c, { hit: new Float64Array(n), called: new Float64Array(n), truth: 0 }).get(c);
  const [own, named, background] = [entry(gt), entry(label), entry(0)];
  own.truth += sums[0];
  for (let t = 0; t < n; t += 1) {
    const above = sums[first[t]];
    named.called[t] += above;
    background.called[t] += sums[0] - above;
    if (gt === label) named.hit[t] += above;
    if (gt === 0) background.hit[t] += sums[0] - above;
  }
}

function meanIoU(classes) {
  const found = classes.filter(([, called, truth]) => called + truth > 0).map(([hit, called, truth]) => hit / (called + truth - hit));
  return (100 * found.reduce((a, b) => a + b, 0)) / found.length;
}

// What an image counts at its own best threshold.
function findBest(image, n) {
  const entries = [...image.entries()];
  let [top, at] = [-1, 0];
  for (let t = 0; t < n; t += 1) {
    const score = meanIoU(entries.map(([, one]) => [one.hit[t], one.called[t], one.truth]));
    if (score > top) [top, at] = [score, t];
  }
  return entries.map(([c, one]) => [c, one.hit[at], one.called[at], one.truth]);
}

function scoreOracle(best) {
  const sums = new Map();
  for (const [c, ...counts] of best.flat()) {
    const sum = sums.get(c) || sums.set(c, [0, 0, 0]).get(c);
    counts.forEach((value, i) => { sum[i] += value; });
  }
  return meanIoU([...sums.values()]);
}

function plateauWidth({ at, curve }) {
  const { low, high } = findPlateau(curve, 1);
  return at[high] - at[low];
}

FIGURES.sandbox = {
  result(lesson) {
    const key = JSON.stringify(lesson.values);
    if (lesson.cache.key !== key) {
      const sums = lesson.cache.sums ??= lesson.content.tables.map((span) => sumAbove(lesson.array(span)));
      lesson.cache.before ??= countAgain(lesson.content, sums, PLAIN);
      Object.assign(lesson.cache, { key, after: countAgain(lesson.content, sums, lesson.values) });
    }
    return lesson.cache;
  },

  draw(pen, lesson) {
    const { content, values } = lesson;
    const { before, after } = this.result(lesson);
    const side = Math.min(190, (pen.height - 60) / 2);
    const map = lesson.cache.map ??= lesson.array(content.map);
    ["as it came", "bent"].forEach((name, i) => {
      const box = { x: 0, y: 18 + i * (side + 28), width: side, height: side };
      pen.text(name, 0, box.y - 5, { bold: true });
      pen.picture(lesson.pictures[0], box.x, box.y, side, side);
      pen.grid(content.side, content.side, (k) => {
        const v = i ? bend(map[k] / 255, values, content.isBackground[k]) : map[k] / 255;
        return heat(v, 50 + 200 * v);
      }, box, true);
    });
    const axes = new Axes(pen, { x: side + 20, y: 20, width: pen.width - side - 20, height: pen.height - 66 }, { xTitle: "threshold", yTitle: "mIoU %, all images counted again", y: [0, 100] });
    drawLegend(pen, [{ label: "as it came from the network", colour: "#808495", dash: [6, 4] }, { label: "bent", colour: "#0072B2" }], side + 60, 14);
    for (const [result, colour, dash] of [[before, "#808495", [6, 4]], [after, "#0072B2", []]]) {
      axes.level(result.oracle, colour, { dash: [2, 3], width: 1.5 });
      axes.curve(result.at, result.curve, colour, { width: 3, dash });
      const { peak, low, high } = findPlateau(result.curve, 1);
      axes.mark(result.at[peak], result.curve[peak], colour, 5);
      axes.band(result.at[low], result.at[high], colour, 0.13);
    }
    this.drawNumbers(pen, before, after, { x: side + 20, y: pen.height - 34, width: pen.width - side - 20 });
  },

  drawNumbers(pen, before, after, box) {
    const names = [["peak", (r) => Math.max(...r.curve).toFixed(1)], ["oracle − peak", (r) => (r.oracle - Math.max(...r.curve)).toFixed(1)],
      ["plateau, in thresholds", (r) => plateauWidth(r).toFixed(2)]];
    names.forEach(([name, read], i) => {
      const x = box.x + 40 + (i * (box.width - 40)) / 3;
      pen.text(name, x, box.y + 4, { alpha: 0.8 });
      pen.text(`${read(before)} → ${read(after)}`, x, box.y + 24, { size: 16, bold: true });
    });
  },

  say(lesson) {
    const { before, after } = this.result(lesson);
    const [was, is] = [before, after].map((r) => Math.max(...r.curve));
    const moved = Math.abs(is - was) < 0.05 ? "the peak stays" : `the peak goes from ${was.toFixed(1)} to ${is.toFixed(1)}`;
    return `The plateau was ${plateauWidth(before).toFixed(2)} wide in thresholds and is ${plateauWidth(after).toFixed(2)}; ${moved}.`;
  },
};
