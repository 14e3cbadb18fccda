// What the per-pixel loss does: pixels roll down to the lowest point of their loss, two levels are left.

function pixelLoss(p, { epsilon, classes }) {
  return -(1 - epsilon) * Math.log(p) - epsilon * Math.log((1 - p) / (classes - 1));
}

// Where a pixel is after some steps: each moves the score of its class towards the target.
function rollPixel(p, target, steps) {
  let z = Math.log(p / (1 - p));
  for (let i = 0; i < steps; i += 1) z += 0.4 * (target - 1 / (1 + Math.exp(-z)));
  return 1 / (1 + Math.exp(-z));
}

function rollAll({ pixels, classes }, { epsilon, steps }) {
  const on = 1 - epsilon;
  const off = epsilon / (classes - 1);
  return {
    object: pixels.object.map((p) => rollPixel(p, Math.min(on, 0.995), steps)),
    background: pixels.background.map((p) => rollPixel(p, Math.max(off, 0.005), steps)),
  };
}

function spread(list) {
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  return Math.sqrt(list.reduce((sum, one) => sum + (one - mean) ** 2, 0) / list.length) / mean;
}

FIGURES.loss = {
  draw(pen, lesson) {
    const { content, values } = lesson;
    const half = pen.width * 0.52;
    const axes = new Axes(pen, { x: 0, y: 0, width: half, height: pen.height }, {
      y: [0, 4], title: "pixels of the object on the curve of their loss", xTitle: "probability of the pixel's own class", yTitle: "loss" });
    const grid = Array.from({ length: 199 }, (_, i) => (i + 1) / 200);
    const settings = { epsilon: values.epsilon, classes: content.classes };
    axes.curve(grid, grid.map((p) => pixelLoss(p, settings)), "#009E73", { width: 3 });
    if (lesson.isOpen) axes.rule(1 - values.epsilon, "#D55E00", { dash: [5, 4], width: 1.5, label: `lowest at ${(1 - values.epsilon).toFixed(2)}` });
    if (lesson.guess !== null && lesson.guess !== undefined) axes.rule(lesson.guess, "#0072B2", { dash: [3, 3], width: 2 });
    const rolled = rollAll(content, values);
    rolled.object.forEach((p, i) => axes.mark(p, pixelLoss(p, settings), content.pixels.isPart[i] ? "#D55E00" : "#56B4E9", 5.5));
    this.drawLevels(pen, content, rolled, { x: half + 10, y: 0, width: pen.width - half - 10, height: pen.height });
  },

  // Where the pixels are: before, after the steps, on the object and on background.
  drawLevels(pen, content, rolled, box) {
    const axes = new Axes(pen, box, { x: [0, 2], xTicks: 0, y: [0, 1], yTicks: 5, title: "their activation", write: (v) => v.toFixed(1) });
    [["in the CAM", content.pixels], ["after the steps", rolled]].forEach(([name, pixels], i) => {
      pen.text(name, axes.toX(i + 0.5), axes.inner.bottom + 16, { align: "center" });
      pixels.background.forEach((p, k) => axes.mark(i + 0.6 + (0.3 * k) / pixels.background.length, p, "#808495", 4));
      pixels.object.forEach((p, k) => axes.mark(i + 0.12 + (0.36 * k) / pixels.object.length, p, content.pixels.isPart[k] ? "#D55E00" : "#56B4E9", 4));
    });
    pen.text("orange: small part · blue: rest of the object · grey: background", axes.inner.left, axes.inner.bottom + 31, { size: 12 });
  },

  say({ content, values }) {
    const rolled = rollAll(content, values);
    if (!values.steps) return `In the CAM the imbalance of the object's pixels (spread ÷ mean) is ${spread(content.pixels.object).toFixed(2)}. Move the steps.`;
    return `After ${values.steps} steps the imbalance of the object's pixels (spread ÷ mean) has gone from ${spread(content.pixels.object).toFixed(2)} to `
      + `${spread(rolled.object).toFixed(2)}: weak pixels were pulled up, and what is above ${(1 - values.epsilon).toFixed(2)} is pushed down.`;
  },
};
