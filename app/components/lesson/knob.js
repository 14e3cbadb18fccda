// Turn the knob of the drawn world: the same scenes, and what was measured after training at each setting.

FIGURES.knob = {
  draw(pen, lesson) {
    const { content, values } = lesson;
    const nearest = content.drawn.reduce((best, value, i) => (Math.abs(value - values.knob) < Math.abs(content.drawn[best] - values.knob) ? i : best), 0);
    const side = Math.min(pen.width / content.shown - 8, pen.height * (content.measures.length ? 0.44 : 1));
    for (let i = 0; i < content.shown; i += 1) {
      pen.picture(lesson.pictures[nearest * content.shown + i], i * (side + 8), 0, side, side);
    }
    if (!content.measures.length) return;
    drawLegend(pen, content.measures[0].series, 40, side + 20);
    const width = pen.width / content.measures.length;
    content.measures.forEach((measure, i) => {
      const axes = new Axes(pen, { x: i * width, y: side + 24, width: width - 10, height: pen.height - side - 24 }, {
        title: measure.title, x: [0, 1], xTicks: 4, y: measure.range, xTitle: "the knob" });
      for (const { colour, dash, means, low, high } of lesson.isOpen || i ? measure.series : []) {
        content.values.forEach((value, k) => pen.line([[axes.toX(value), axes.toY(low[k])], [axes.toX(value), axes.toY(high[k])]], colour, { width: 1.5 }));
        axes.curve(content.values, means, colour, { width: 2.5, dash });
        means.forEach((mean, k) => axes.mark(content.values[k], mean, colour, 4));
      }
      if (!lesson.isOpen && !i) pen.text("guess first", (axes.inner.left + axes.inner.right) / 2, (axes.inner.top + axes.inner.bottom) / 2, { align: "center", alpha: 0.6, size: 14 });
      axes.rule(values.knob, pen.ink, { width: 1.5, alpha: 0.7 });
    });
  },

  say({ content, values }) {
    const told = values.knob === 0 ? "every coat and build is that of its class, and tells as much as the small part"
      : values.knob === 1 ? "coats and builds are dealt out at random within a family: only the small part tells the class"
        : `${(values.knob * 100).toFixed(0)} % of the coats and builds are dealt out at random: they narrow the class down without naming it`;
    return `At ${values.knob.toFixed(2)}, ${told}.${content.measures.length ? "" : " Nothing was measured yet."}`;
  },
};
