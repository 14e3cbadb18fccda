// How wide a plateau is: in thresholds, which a bent scale stretches, and in shares of pixels, which it does not.

// First and last index around the peak whose score is near enough to it.
function findPlateau(curve, tolerance) {
  const peak = curve.indexOf(Math.max(...curve));
  const isNear = (value) => value >= curve[peak] - tolerance;
  let [low, high] = [peak, peak];
  while (low > 0 && isNear(curve[low - 1])) low -= 1;
  while (high < curve.length - 1 && isNear(curve[high + 1])) high += 1;
  return { peak, low, high };
}

function measureWidths(run, { bend, tolerance }) {
  const limit = (Math.max(...run.miou) * tolerance) / 100;
  const { peak, low, high } = findPlateau(run.miou, limit);
  const at = run.thresholds.map((t) => t ** bend);
  return { peak, low, high, at, inThresholds: at[high] - at[low], inShares: run.share[low] - run.share[high] };
}

FIGURES.width = {
  draw(pen, lesson) {
    const { content, values } = lesson;
    const half = (pen.width - 20) / 2;
    const charts = [
      new Axes(pen, { x: 0, y: 18, width: half, height: pen.height - 18 }, { title: "against the threshold", xTitle: "threshold, after bending", yTitle: "mIoU %", y: [0, 70], yTicks: 7 }),
      new Axes(pen, { x: half + 20, y: 18, width: half, height: pen.height - 18 }, { title: "against the share of pixels", xTitle: "share of pixels called object", yTitle: "mIoU %", y: [0, 70], yTicks: 7 }),
    ];
    drawLegend(pen, content.runs, 40, 12);
    for (const run of content.runs) {
      const width = measureWidths(run, values);
      const ends = [[width.at[width.low], width.at[width.high]], [run.share[width.high], run.share[width.low]]];
      [width.at, run.share].forEach((xs, i) => {
        charts[i].band(...ends[i], run.colour, 0.2);
        charts[i].curve(xs, run.miou, run.colour, { width: 3, dash: run.dash });
        charts[i].mark(xs[width.peak], run.miou[width.peak], run.colour, 5);
      });
    }
  },

  say({ content, values }) {
    return content.runs.map((run) => {
      const width = measureWidths(run, values);
      return `${run.label}: ${width.inThresholds.toFixed(3)} wide in thresholds, ${(width.inShares * 100).toFixed(1)} % of the pixels wide`;
    }).join("; ") + ". The peaks do not move up or down.";
  },
};
