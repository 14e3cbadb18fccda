// What a CAM is: feature maps, each with the weight that the class gives it, added one after another.

FIGURES.cam = {
  draw(pen, lesson) {
    const { content, values } = lesson;
    const scene = content.scenes[values.scene];
    const step = scene.steps[values.added];
    const size = Math.min((pen.width - 40) / 3, pen.height - 150);
    const side = Math.min(size, 250);
    pen.text(`the image: ${scene.names}`, 0, 13, { bold: true });
    pen.picture(lesson.pictures[values.scene], 0, 20, side, side);
    const x = side + 20;
    pen.text(`${step.added} of ${scene.channels} features added: “${scene.focus}”`, x, 13, { bold: true });
    const box = pen.picture(lesson.pictures[values.scene], x, 20, side, side);
    const map = lesson.cache[`${values.scene}:${values.added}`] ??= lesson.array(step.map);
    if (box) pen.grid(content.side, content.side, (i) => heat(map[i] / 255, 60 + 0.75 * map[i]), box, true);
    this.drawBars(pen, step, { x: 2 * side + 40, y: 0, width: pen.width - 2 * side - 40, height: side + 40 });
    this.drawFeatures(pen, lesson, scene, side + 52);
  },

  // How hot the map is on the small part, on the rest of the object, and on background.
  drawBars(pen, step, box) {
    const axes = new Axes(pen, box, { x: [0, 3], xTicks: 0, y: [0, 100], title: "how hot, % of the hottest place" });
    [["small part", step.part, "#D55E00"], ["rest of object", step.body, "#56B4E9"], ["background", step.background, "#808495"]]
      .forEach(([name, value, colour], i) => {
        const left = axes.toX(i + 0.18);
        pen.rect(left, axes.toY(value), axes.toX(i + 0.82) - left, axes.toY(0) - axes.toY(value), colour, 0.85);
        pen.text(value.toFixed(0), axes.toX(i + 0.5), axes.toY(value) - 5, { align: "center", bold: true });
        pen.text(name, axes.toX(i + 0.5), axes.inner.bottom + 16, { align: "center" });
      });
  },

  // The strongest features with their weights.
  drawFeatures(pen, lesson, scene, y) {
    const side = Math.min(84, pen.height - y - 40);
    pen.text("the strongest features of this image, each a map, and the weight that the class gives it:", 0, y);
    scene.features.forEach((feature, i) => {
      const x = i * (side + 14);
      if (x + side > pen.width) return;
      const map = lesson.cache[`${lesson.values.scene}:feature:${i}`] ??= lesson.array(feature.map);
      const isAdded = i < scene.steps[lesson.values.added].added;
      pen.grid(content16(lesson), content16(lesson), (k) => [...heat(map[k] / 255).slice(0, 3), isAdded ? 255 : 90], { x, y: y + 8, width: side, height: side }, true);
      pen.text(`× ${feature.weight.toFixed(2)}`, x + side / 2, y + side + 24, { align: "center", bold: isAdded });
    });
  },

  say({ content, values }) {
    const scene = content.scenes[values.scene];
    const { added, part, body, background } = scene.steps[values.added];
    return `With ${added} of ${scene.channels} features added, the map of “${scene.focus}” is ${part.toFixed(0)} on the small part that `
      + `names it, ${body.toFixed(0)} on the rest of the object and ${background.toFixed(0)} on background.`;
  },
};

function content16(lesson) { return lesson.content.cells; }
