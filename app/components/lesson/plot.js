// Drawing for the figures of the lessons: a canvas that fits its place, axes, lines, and pictures under an activation map.

let HEAT = [[0, 0, 0], [255, 255, 255]]; // the colours of the heat scale, from cold to hot; a lesson brings them

// A canvas of the size of its place; colours are those of the theme.
class Pen {
  constructor(canvas) {
    this.canvas = canvas;
  }

  begin() {
    const ratio = globalThis.devicePixelRatio || 1;
    const { width, height } = this.canvas.getBoundingClientRect();
    Object.assign(this, { width, height });
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.context = this.canvas.getContext("2d");
    this.context.scale(ratio, ratio);
    const style = getComputedStyle(this.canvas);
    this.font = style.fontFamily;
    this.ink = style.getPropertyValue("--st-text-color") || "#222";
    this.paper = style.getPropertyValue("--st-background-color") || "#fff";
  }

  text(text, x, y, { size = 12, align = "left", colour = this.ink, bold = false, alpha = 1, halo = false } = {}) {
    const { context } = this;
    context.font = `${bold ? "600 " : ""}${size}px ${this.font}`;
    context.textAlign = align;
    context.globalAlpha = alpha;
    if (halo) {
      context.strokeStyle = this.paper;
      context.lineWidth = 4;
      context.strokeText(text, x, y);
    }
    context.fillStyle = colour;
    context.fillText(text, x, y);
    context.globalAlpha = 1;
  }

  rect(x, y, width, height, colour, alpha = 1) {
    this.context.globalAlpha = alpha;
    this.context.fillStyle = colour;
    this.context.fillRect(x, y, width, height);
    this.context.globalAlpha = 1;
  }

  line(points, colour, { width = 2, dash = [], alpha = 1 } = {}) {
    const { context } = this;
    context.globalAlpha = alpha;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(dash);
    context.beginPath();
    points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  area(points, colour, alpha = 0.3) {
    const { context } = this;
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.beginPath();
    points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.fill();
    context.globalAlpha = 1;
  }

  dot(x, y, radius, colour, { alpha = 1, edge = null } = {}) {
    const { context } = this;
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
    if (edge) {
      context.strokeStyle = edge;
      context.lineWidth = 1.5;
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  // A picture into a box, keeping its shape; returns where it lies.
  picture(picture, x, y, width, height) {
    if (!picture || !picture.width) return null;
    const scale = Math.min(width / picture.width, height / picture.height);
    const box = { x: x + (width - picture.width * scale) / 2, y, width: picture.width * scale, height: picture.height * scale };
    this.context.drawImage(picture, box.x, box.y, box.width, box.height);
    return box;
  }

  // Pixels of a small grid over a box: colour(i) gives [r, g, b, a] of pixel i.
  grid(columns, rows, colour, box, smooth = false) {
    const layer = new OffscreenCanvas(columns, rows);
    const context = layer.getContext("2d");
    const pixels = context.createImageData(columns, rows);
    for (let i = 0; i < columns * rows; i += 1) pixels.data.set(colour(i), i * 4);
    context.putImageData(pixels, 0, 0);
    this.context.imageSmoothingEnabled = smooth;
    this.context.drawImage(layer, box.x, box.y, box.width, box.height);
    this.context.imageSmoothingEnabled = true;
  }
}

// A colour of the heat scale for a value in [0, 1].
function heat(value, alpha = 255) {
  const at = Math.max(0, Math.min(1, value)) * (HEAT.length - 1);
  const low = Math.min(HEAT.length - 2, Math.floor(at));
  return [...HEAT[low].map((c, i) => c + (HEAT[low + 1][i] - c) * (at - low)), alpha];
}

// Axes in a part of the canvas, with what is drawn in their units.
class Axes {
  constructor(pen, box, { x = [0, 1], y = [0, 100], xTitle = "", yTitle = "", title = "", xTicks = 5, yTicks = 4, write = null } = {}) {
    Object.assign(this, { pen, x, y });
    this.inner = { left: box.x + 40, right: box.x + box.width - 16, top: box.y + (title ? 24 : 10), bottom: box.y + box.height - 34 };
    const { left, right, top, bottom } = this.inner;
    if (title) pen.text(title, left, box.y + 13, { bold: true });
    for (let i = 0; i <= yTicks; i += 1) {
      const value = y[0] + ((y[1] - y[0]) * i) / yTicks;
      pen.line([[left, this.toY(value)], [right, this.toY(value)]], pen.ink, { width: 1, alpha: i ? 0.12 : 0.5 });
      pen.text(write ? write(value) : writeTick(value, y), left - 6, this.toY(value) + 4, { align: "right", alpha: 0.75 });
    }
    for (let i = 0; i <= xTicks; i += 1) {
      const value = x[0] + ((x[1] - x[0]) * i) / xTicks;
      pen.text(writeTick(value, x), this.toX(value), bottom + 15, { align: "center", alpha: 0.75 });
    }
    pen.text(xTitle, (left + right) / 2, bottom + 30, { align: "center" });
    if (yTitle) pen.text(yTitle, left + 4, top + 2, { alpha: 0.75, size: 11.5, halo: true });
  }

  toX(value) { return this.inner.left + ((value - this.x[0]) / (this.x[1] - this.x[0])) * (this.inner.right - this.inner.left); }

  toY(value) { return this.inner.bottom - ((value - this.y[0]) / (this.y[1] - this.y[0])) * (this.inner.bottom - this.inner.top); }

  fromX(pixel) { return this.x[0] + ((pixel - this.inner.left) / (this.inner.right - this.inner.left)) * (this.x[1] - this.x[0]); }

  points(xs, ys) {
    return Array.from(xs, (value, i) => [this.toX(value), this.toY(Math.max(this.y[0], Math.min(this.y[1], ys[i])))]);
  }

  curve(xs, ys, colour, options) { this.pen.line(this.points(xs, ys), colour, options); }

  hill(xs, ys, colour, alpha = 0.3) {
    const points = this.points(xs, ys);
    this.pen.area([[points[0][0], this.toY(this.y[0])], ...points, [points.at(-1)[0], this.toY(this.y[0])]], colour, alpha);
  }

  rule(value, colour, options = {}) {
    const { label, ...line } = options;
    this.pen.line([[this.toX(value), this.inner.bottom], [this.toX(value), this.inner.top]], colour, line);
    if (label) this.pen.text(label, this.toX(value) + 5, this.inner.top + 12, { colour, bold: true, halo: true });
  }

  level(value, colour, options = {}) {
    const { label, ...line } = options;
    this.pen.line([[this.inner.left, this.toY(value)], [this.inner.right, this.toY(value)]], colour, line);
    if (label) this.pen.text(label, this.inner.right - 4, this.toY(value) - 5, { colour, bold: true, align: "right", halo: true });
  }

  band(from, to, colour, alpha = 0.16) {
    const { top, bottom } = this.inner;
    this.pen.rect(this.toX(from), top, Math.max(2, this.toX(to) - this.toX(from)), bottom - top, colour, alpha);
  }

  mark(x, y, colour, radius = 5) { this.pen.dot(this.toX(x), this.toY(y), radius, colour, { edge: this.pen.paper }); }
}

function writeTick(value, [low, high]) {
  const span = Math.abs(high - low);
  return value.toFixed(span > 8 ? 0 : span > 1.5 ? 1 : 2);
}

// The list of a figure's names with their colours, in a row.
function drawLegend(pen, entries, x, y) {
  let left = x;
  for (const { label, colour, dash = [] } of entries) {
    pen.line([[left, y - 4], [left + 22, y - 4]], colour, { width: 3, dash });
    pen.text(label, left + 28, y);
    left += 28 + pen.context.measureText(label).width + 18;
  }
}
