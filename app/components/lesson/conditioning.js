// What label conditioning does: the same image with and without it, every pixel in the colour of its label.

FIGURES.conditioning = {
  draw(pen, lesson) {
    const { content, values } = lesson;
    const image = content.images[values.scene];
    const side = Math.min((pen.width - 30) / 3, pen.height - 96);
    const boxes = [0, 1, 2].map((i) => ({ x: i * (side + 15), y: 22, width: side, height: side }));
    pen.text("the image", 0, 14, { bold: true });
    pen.picture(lesson.pictures[values.scene], boxes[0].x, 22, side, side);
    content.runs.forEach((run, i) => {
      const box = boxes[i + 1];
      const labels = this.label(lesson, i, values.t);
      pen.text(run.label, box.x, 14, { bold: true, colour: run.colour });
      pen.picture(lesson.pictures[values.scene], box.x, 22, side, side);
      pen.grid(content.side, content.side, (k) => (labels[k] ? [...content.colours[labels[k]], 190] : [10, 12, 30, 130]), box);
      const { right, swapped } = this.measure(lesson, i, values.t);
      pen.text(`${right.toFixed(1)} % of the object pixels right`, box.x, 22 + side + 18);
      pen.text(`${swapped.toFixed(1)} % go to another class of the image`, box.x, 22 + side + 36, { bold: true });
    });
    let x = 0;
    for (const name of image.classes) {
      pen.rect(x, 22 + side + 52, 14, 14, `rgb(${content.colours[content.names.indexOf(name)].join(",")})`);
      pen.text(name, x + 19, 22 + side + 64);
      x += 19 + pen.context.measureText(name).width + 18;
    }
  },

  label(lesson, i, threshold) {
    const image = lesson.content.images[lesson.values.scene];
    const key = `${lesson.values.scene}:${i}`;
    const top = lesson.cache[`top:${key}`] ??= lesson.array(image.top[i]);
    const best = lesson.cache[`best:${key}`] ??= lesson.array(image.best[i]);
    return best.map((label, k) => (top[k] > threshold * 255 ? label : 0));
  },

  // Of the object's pixels in percent: those that are right, and those that another class of the image takes.
  measure(lesson, i, threshold) {
    const image = lesson.content.images[lesson.values.scene];
    const truth = lesson.cache[`gt:${lesson.values.scene}`] ??= lesson.array(image.gt);
    const labels = this.label(lesson, i, threshold);
    let [all, right, swapped] = [0, 0, 0];
    truth.forEach((label, k) => {
      if (!label) return;
      all += 1;
      if (labels[k] === label) right += 1;
      else if (labels[k]) swapped += 1;
    });
    return { right: (100 * right) / all, swapped: (100 * swapped) / all };
  },

  say(lesson) {
    const [without, within] = [0, 1].map((i) => this.measure(lesson, i, lesson.values.t).swapped);
    return `At ${lesson.values.t.toFixed(2)}, ${without.toFixed(1)} % of this image's object pixels go to the wrong one of its classes without label `
      + `conditioning, ${within.toFixed(1)} % with it.`;
  },
};
