// The same maps under several protocols: who chose the threshold, what an absent class counts, how many images.

FIGURES.protocols = {
  draw(pen, lesson) {
    const { content, values } = lesson;
    const at = Math.min(Math.round(values.sample), content.sizes.length - 1);
    const all = content.scores[at].flat(2);
    const low = Math.floor(Math.min(...all) / 5) * 5;
    const high = Math.ceil(Math.max(...all) / 5) * 5;
    const left = 250;
    const axes = new Axes(pen, { x: left - 40, y: 18, width: pen.width - left + 40, height: pen.height - 18 }, {
      x: [low, high], xTicks: Math.max(2, (high - low) / 5), y: [content.rows.length, 0], yTicks: 0, write: () => "",
      xTitle: `mIoU % on ${content.sizes[at]} images` });
    drawLegend(pen, content.runs, left, 12);
    content.rows.forEach((row, i) => {
      const y = axes.toY(i + 0.5);
      const isMarked = i === values.choice * content.rules.length + values.rule;
      if (isMarked) pen.rect(0, y - 15, pen.width, 30, pen.ink, 0.08);
      pen.line([[left, y], [pen.width - 8, y]], pen.ink, { width: 1, alpha: 0.12 });
      pen.text(row, left - 12, y + 4, { align: "right", bold: isMarked });
      if (isMarked || lesson.isOpen) content.runs.forEach((run, k) => axes.mark(content.scores[at][k][i], i + 0.5, run.colour, isMarked ? 9 : 6));
    });
  },

  say(lesson) {
    const { content, values } = lesson;
    const at = Math.min(Math.round(values.sample), content.sizes.length - 1);
    const marked = values.choice * content.rules.length + values.rule;
    return content.runs.map((run, k) => {
      const scores = content.scores[at][k];
      if (!lesson.isOpen) return `${run.label}: ${scores[marked].toFixed(1)} by the marked protocol`;
      return `${run.label}: ${scores[marked].toFixed(1)} here, from ${Math.min(...scores).toFixed(1)} to ${Math.max(...scores).toFixed(1)} over the protocols`;
    }).join("; ") + ".";
  },
};
