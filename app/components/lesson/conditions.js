// The two conditions, as a model of many images: `app.lessons.model` is the same in Python, and a test holds them together.

const NORMAL = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];

// The normal distribution's share below z (Abramowitz and Stegun 7.1.26, within 1.5e-7).
function below(z) {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const tail = NORMAL.reduceRight((sum, c) => (sum + c) * t, 0) * Math.exp(-x * x);
  return z > 0 ? 1 - tail / 2 : tail / 2;
}

// IoU in percent of one image, (images, thresholds), their mean, the mean of their best, and the peak.
function modelCrowd({ shifts, thresholds, share, noise }, { imbalance, gap, between }) {
  const curves = shifts.map((shift) => {
    const object = 0.5 + gap / 2 + between * shift;
    const rest = 0.5 - gap / 2 + between * shift;
    return thresholds.map((t) => {
      const kept = share * (1 - below((t - object) / imbalance));
      return (100 * kept) / (share + (1 - share) * (1 - below((t - rest) / noise)));
    });
  });
  const mean = thresholds.map((_, k) => curves.reduce((sum, curve) => sum + curve[k], 0) / curves.length);
  const best = curves.map((curve) => curve.indexOf(Math.max(...curve)));
  const oracle = best.reduce((sum, k, i) => sum + curves[i][k], 0) / curves.length;
  const peak = mean.indexOf(Math.max(...mean));
  return { curves, mean, best, oracle, peak };
}

FIGURES.conditions = {
  draw(pen, lesson) {
    const { content, values } = lesson;
    const crowd = modelCrowd(content, values);
    const half = pen.width * 0.46;
    this.drawImages(pen, lesson, crowd, { x: 0, y: 0, width: half, height: pen.height });
    const axes = new Axes(pen, { x: half + 12, y: 0, width: pen.width - half - 12, height: pen.height }, {
      title: "what every threshold gives", xTitle: "threshold, the same for all images", yTitle: "IoU %" });
    for (const curve of crowd.curves) axes.curve(content.thresholds, curve, pen.ink, { width: 1, alpha: 0.16 });
    const reached = content.thresholds.filter((_, k) => crowd.mean[k] >= content.level);
    if (reached.length) axes.band(reached[0], reached.at(-1), "#009E73", 0.2);
    axes.level(content.level, "#009E73", { dash: [2, 3], width: 1.5 });
    axes.curve(content.thresholds, crowd.mean, "#009E73", { width: 3.5 });
    axes.level(crowd.oracle, pen.ink, { dash: [6, 4], width: 1.5, label: `each image its own threshold: ${crowd.oracle.toFixed(1)}` });
    axes.mark(content.thresholds[crowd.peak], crowd.mean[crowd.peak], "#D55E00", 6);
    if (lesson.guess !== null && lesson.guess !== undefined) axes.level(lesson.guess, "#0072B2", { dash: [4, 4], width: 2, label: `your guess ${lesson.guess.toFixed(0)}` });
    if (lesson.isOpen) axes.level(lesson.meta.guess.truth, "#D55E00", { dash: [4, 4], width: 2, label: `with half the imbalance: ${lesson.meta.guess.truth.toFixed(0)}` });
  },

  // Each image as two bars, where most of its background and most of its object lie, with its own best threshold.
  drawImages(pen, { content, values }, crowd, box) {
    const axes = new Axes(pen, box, { y: [0, crowd.curves.length], yTicks: 0, write: () => "", title: "the images, one a row", xTitle: "activation: grey background, blue object" });
    const high = (axes.inner.bottom - axes.inner.top) / crowd.curves.length;
    const clip = (value) => axes.toX(Math.max(0, Math.min(1, value)));
    content.shifts.forEach((shift, i) => {
      const y = axes.inner.top + i * high;
      const bars = [[0.5 - values.gap / 2, content.noise, "#808495"], [0.5 + values.gap / 2, values.imbalance, "#0072B2"]];
      for (const [middle, spread, colour] of bars) {
        const at = middle + values.between * shift;
        const [left, right] = [clip(at - 1.28 * spread), clip(at + 1.28 * spread)];
        pen.rect(left, y + high * 0.15, Math.max(1, right - left), high * 0.7, colour, 0.55);
      }
      const best = content.thresholds[crowd.best[i]];
      pen.line([[axes.toX(best), y], [axes.toX(best), y + high]], pen.ink, { width: 2.5 });
    });
    axes.rule(content.thresholds[crowd.peak], "#D55E00", { width: 2, label: "the best for all" });
  },

  say({ content, values }) {
    const crowd = modelCrowd(content, values);
    const peak = crowd.mean[crowd.peak];
    const reached = crowd.mean.filter((one) => one >= content.level).length * (content.thresholds[1] - content.thresholds[0]);
    return `One threshold for all gives ${peak.toFixed(1)} at best, ${(crowd.oracle - peak).toFixed(1)} points less than each image its own. `
      + (reached ? `${(reached * 100).toFixed(0)} % of the thresholds give ${content.level} or more.` : `No threshold gives ${content.level}.`);
  },
};
