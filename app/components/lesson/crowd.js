// One threshold for many images: a line dragged through a crowd, each image with its own best place for it.

FIGURES.crowd = {
  draw(pen, lesson) {
    const { content, values } = lesson;
    const run = content.runs[values.method];
    const columns = 4;
    const rows = Math.ceil(content.images.length / columns);
    const width = Math.min(pen.width * 0.58, columns * (pen.height / rows - 22));
    const side = Math.min(width / columns, pen.height / rows - 22);
    content.images.forEach((image, i) => {
      const box = { x: (i % columns) * side, y: Math.floor(i / columns) * (side + 22), width: side - 6, height: side - 6 };
      this.drawImage(pen, lesson, run, i, box);
    });
    this.drawCurves(pen, lesson, run, { x: columns * side + 10, y: 0, width: pen.width - columns * side - 10, height: pen.height });
  },

  // A picture, what the threshold calls object lit, and how far this is below the image's own best.
  drawImage(pen, lesson, run, i, box) {
    const map = lesson.cache[`${lesson.values.method}:${i}`] ??= lesson.array(run.maps[i]);
    const level = lesson.values.t * 255;
    pen.picture(lesson.pictures[i], box.x, box.y, box.width, box.height);
    pen.grid(lesson.content.side, lesson.content.side, (k) => (map[k] > level ? [255, 196, 0, 90] : [10, 12, 30, 165]), box);
    const here = this.score(lesson, run, i, lesson.values.t);
    const lost = run.best[i].miou - here;
    const word = lost < 1 ? "at its best" : `−${lost.toFixed(0)} points`;
    pen.text(word, box.x + box.width / 2, box.y + box.height + 14, { align: "center", bold: lost < 1, colour: lost < 1 ? "#009E73" : pen.ink });
  },

  score(lesson, run, i, threshold) {
    const curve = lesson.cache[`curve:${lesson.values.method}:${i}`] ??= lesson.array(run.curves[i]);
    return curve[Math.round(threshold * (curve.length - 1))];
  },

  drawCurves(pen, lesson, run, box) {
    const axes = new Axes(pen, box, { xTitle: "the one threshold — drag the line", yTitle: "mIoU of each image (thin) and their mean", y: [0, 100] });
    lesson.axes = axes;
    const steps = Array.from({ length: run.mean.length }, (_, k) => k / (run.mean.length - 1));
    run.curves.forEach((_, i) => {
      this.score(lesson, run, i, 0);
      axes.curve(steps, lesson.cache[`curve:${lesson.values.method}:${i}`], pen.ink, { width: 1, alpha: 0.28 });
    });
    axes.curve(steps, run.mean, run.colour, { width: 3 });
    for (const best of run.best) axes.mark(best.threshold, best.miou, run.colour, 4);
    if (lesson.isOpen) {
      axes.level(run.oracle, run.colour, { dash: [5, 4], width: 1.5, label: `each its own: ${run.oracle.toFixed(1)}` });
      axes.mark(run.shared.threshold, run.shared.miou, "#D55E00", 6);
    }
    axes.rule(lesson.values.t, pen.ink, { width: 2.5, label: lesson.values.t.toFixed(3) });
  },

  drag(lesson, x, y, isDone) {
    if (!lesson.axes || x < lesson.axes.inner.left - 12) return;
    const t = Math.round(Math.max(0, Math.min(1, lesson.axes.fromX(x))) * 100) / 100;
    lesson.values.t = t;
    const range = lesson.side.querySelector(".controls input");
    if (range) {
      range.value = t;
      range.dispatchEvent(new Event(isDone ? "change" : "input"));
    }
  },

  say(lesson) {
    const { content, values } = lesson;
    const run = content.runs[values.method];
    const lost = content.images.map((_, i) => run.best[i].miou - this.score(lesson, run, i, values.t));
    const mean = lost.reduce((a, b) => a + b, 0) / lost.length;
    const served = lost.filter((one) => one < 1).length;
    const start = `At ${values.t.toFixed(2)} the ${content.images.length} images lose ${mean.toFixed(1)} points on average; ${served} of them are at their best. `;
    return start + (lesson.isOpen
      ? `The best shared line for ${run.label}, ${run.shared.threshold.toFixed(2)}, costs the crowd ${(run.oracle - run.shared.miou).toFixed(1)} points.`
      : "Guess what the best shared line costs, and the answer is drawn.");
  },
};
