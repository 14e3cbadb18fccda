// The curve of the mIoU with its band: where it stands, moved there smoothly, so that one sees it shrink.

const MARGIN = { left: 38, right: 12, top: 14, bottom: 30 };
const MOVE = 180;

class Curve {
  constructor(canvas) {
    this.canvas = canvas;
    this.shown = null;
  }

  load(standing) {
    this.from = this.shown || standing;
    this.to = standing;
    this.start = performance.now();
    this.canvas.setAttribute("aria-label", standing.sentence);
    this.step();
  }

  step() {
    cancelAnimationFrame(this.frame);
    const part = Math.min(1, (performance.now() - this.start) / MOVE);
    this.shown = part < 1 ? mix(this.from, this.to, part) : this.to;
    this.draw(this.shown);
    if (part < 1) this.frame = requestAnimationFrame(() => this.step());
  }

  draw(shown) {
    const { context, width, height } = fitCanvas(this.canvas);
    const style = getComputedStyle(this.canvas);
    const ink = style.getPropertyValue("--st-text-color") || "#222";
    const main = style.getPropertyValue("--st-primary-color") || "#0B5FA5";
    const x = (t) => MARGIN.left + t * (width - MARGIN.left - MARGIN.right);
    const y = (v) => height - MARGIN.bottom - Math.max(0, Math.min(1, v)) * (height - MARGIN.top - MARGIN.bottom);
    context.font = `12px ${style.fontFamily}`;
    drawAxes(context, x, y, ink, width, height);
    context.fillStyle = main;
    context.globalAlpha = 0.12;
    context.fillRect(x(shown.first), MARGIN.top, Math.max(2, x(shown.last) - x(shown.first)), y(0) - MARGIN.top);
    context.globalAlpha = 0.22;
    trace(context, shown.thresholds, shown.high, x, y, false);
    trace(context, [...shown.thresholds].reverse(), [...shown.low].reverse(), x, y, true);
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = main;
    context.lineWidth = 2;
    trace(context, shown.thresholds, shown.miou, x, y, false);
    context.stroke();
    context.beginPath();
    context.moveTo(x(shown.threshold), y(0));
    context.lineTo(x(shown.threshold), MARGIN.top);
    context.stroke();
  }
}

function mix(a, b, part) {
  const blend = (p, q) => p + (q - p) * part;
  if (a.thresholds.length !== b.thresholds.length) return b;
  const lists = Object.fromEntries(["miou", "low", "high"].map((k) => [k, b[k].map((v, i) => blend(a[k][i], v))]));
  const numbers = Object.fromEntries(["first", "last", "threshold"].map((k) => [k, blend(a[k], b[k])]));
  return { ...b, ...lists, ...numbers };
}

function trace(context, xs, ys, x, y, goesOn) {
  if (!goesOn) context.beginPath();
  xs.forEach((t, i) => (i || goesOn ? context.lineTo(x(t), y(ys[i])) : context.moveTo(x(t), y(ys[i]))));
}

function drawAxes(context, x, y, ink, width, height) {
  context.strokeStyle = context.fillStyle = ink;
  context.lineWidth = 1;
  for (const value of [0, 0.25, 0.5, 0.75, 1]) {
    context.globalAlpha = 0.14;
    context.beginPath();
    context.moveTo(x(0), y(value));
    context.lineTo(x(1), y(value));
    context.stroke();
    context.globalAlpha = 0.75;
    context.textAlign = "right";
    context.fillText(String(value * 100), x(0) - 6, y(value) + 4);
    context.textAlign = "center";
    context.fillText(value.toFixed(2), x(value), y(0) + 14);
  }
  context.fillText("threshold", width / 2, height - 3);
  context.textAlign = "left";
  context.fillText("mIoU %, estimated", x(0) + 4, MARGIN.top - 3);
  context.globalAlpha = 1;
}

function fitCanvas(canvas) {
  const ratio = globalThis.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return { context, width, height };
}
