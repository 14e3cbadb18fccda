// The slider: IoU of the image against the threshold, its activation histograms, and the line that is dragged.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 34, right: 12, top: 20 };
const CURVES = 118;
const ROW = 48;
const AXIS = 34;
const MERGE = 3; // thresholds in one bar

function draw(name, attributes, parent, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function scaleX(app, index) {
  const width = app.chart.width - MARGIN.left - MARGIN.right;
  return MARGIN.left + (index / app.model.last) * width;
}

function drawInstrument(app) {
  const svg = app.find(".chart");
  const rows = app.model.methods.filter((method) => !app.view.hidden.includes(method.key));
  const curves = app.model.hasTruth ? CURVES : 0;
  const height = MARGIN.top + curves + rows.length * ROW + AXIS;
  app.chart = { width: Math.max(260, app.find(".instrument").clientWidth), height };
  svg.setAttribute("viewBox", `0 0 ${app.chart.width} ${height}`);
  svg.style.height = `${height}px`;
  svg.replaceChildren();
  app.band = draw("rect", { class: "band", y: MARGIN.top, height: curves + rows.length * ROW }, svg);
  if (curves) drawCurves(app, svg, rows, curves);
  rows.forEach((method, i) => drawHistogram(app, svg, method, MARGIN.top + curves + i * ROW));
  drawAxis(app, svg, height - AXIS);
  app.lines = ["low", "main"].map((name) => draw("line", { class: `line ${name}`, y1: MARGIN.top, y2: height - AXIS + 3 }, svg));
  app.handleTop = height - AXIS + 3;
  moveHandles(app);
}

function drawCurves(app, svg, rows, height) {
  const area = height - 14;
  const y = (value) => MARGIN.top + area * (1 - value);
  for (const level of [0, 0.5, 1]) {
    draw("line", { class: "grid", x1: MARGIN.left, x2: app.chart.width - MARGIN.right, y1: y(level), y2: y(level) }, svg);
    draw("text", { class: "tick", x: MARGIN.left - 6, y: y(level) + 4, "text-anchor": "end" }, svg, String(level * 100));
  }
  const hasWhole = !app.view.classId && rows.some((method) => method.whole);
  draw("text", { class: "title", x: MARGIN.left, y: 11 }, svg, `${scoreTitle(app)}${hasWhole ? " · broad: data set" : ""}`);
  for (const method of hasWhole ? rows : []) drawWhole(app, svg, method, y);
  for (const method of rows) drawCurve(app, svg, method, y);
}

function scoreTitle(app) {
  if (app.view.classId) return `IoU of ${app.className(app.view.classId)} of this image, %`;
  const isPart = app.model.methods.some((method) => method.scored);
  return `mIoU of this image${isPart ? " over the protocol's classes" : ""}, %`;
}

function drawWhole(app, svg, method, y) {
  if (!method.whole) return;
  const curve = method.whole.map((value) => (value === null ? NaN : value / 100));
  draw("path", { class: "whole", d: writePath(app, curve, y), stroke: method.colour }, svg);
}

function writePath(app, curve, y) {
  let path = "";
  let isOpen = false;
  curve.forEach((value, j) => {
    if (!Number.isNaN(value)) path += `${isOpen ? "L" : "M"}${scaleX(app, j).toFixed(1)} ${y(value).toFixed(1)}`;
    isOpen = !Number.isNaN(value);
  });
  return path;
}

function drawCurve(app, svg, method, y) {
  const { curve, best } = getScore(method, app.model, app.view.classId);
  draw("path", { class: "curve", d: writePath(app, curve, y), stroke: method.colour, "stroke-dasharray": method.dash }, svg);
  if (best < 0 || method.isMasks) return;
  const dot = draw("circle", { class: "best", cx: scaleX(app, best), cy: y(curve[best]), r: 4.5, fill: method.colour }, svg);
  draw("title", {}, dot, `${method.label}: best ${percent(curve[best])} at ${app.threshold(best)}`);
}

function drawHistogram(app, svg, method, top) {
  const shape = getShape(method, app.model, app.view.classId);
  const [base, tall] = [top + ROW - 6, ROW - 20];
  draw("line", { class: "grid", x1: MARGIN.left, x2: app.chart.width - MARGIN.right, y1: base, y2: base }, svg);
  const parts = app.model.hasTruth ? ["background", "object"] : ["all"];
  const bars = parts.map((part) => mergeBars(shape[part], app.model.last));
  const most = Math.max(...bars.flatMap((bar) => bar.slice(1)), 1e-9); // the spike at zero may be cut
  parts.forEach((part, i) => drawBars(app, svg, bars[i], part, method, { base, tall, most }));
  draw("text", { class: "title", x: MARGIN.left + 4, y: top + 9 }, svg, method.label);
}

// Shares of the pixels of each kind; the square root keeps the thin parts visible.
function mergeBars(bins, last) {
  const total = bins.reduce((a, b) => a + b, 0) || 1;
  const bars = new Array(Math.ceil((last + 1) / MERGE)).fill(0);
  for (let bin = 0; bin <= last + 1; bin++) bars[Math.floor(Math.max(0, bin - 1) / MERGE)] += bins[bin] / total;
  return bars.map(Math.sqrt);
}

function drawBars(app, svg, bars, part, method, { base, tall, most }) {
  const y = (bar) => (base - Math.min(1, bar / most) * tall).toFixed(1);
  const x = (i) => scaleX(app, Math.min(app.model.last, i * MERGE)).toFixed(1);
  let path = `M${x(0)} ${base}`;
  bars.forEach((bar, i) => { path += `V${y(bar)}H${x(i + 1)}`; });
  const attributes = part === "background" ? { class: "bars background" } : { class: "bars", fill: method.colour, stroke: method.colour };
  const names = { background: "background pixels", object: "object pixels", all: "all pixels" };
  const shape = draw("path", { ...attributes, d: `${path}V${base}Z` }, svg);
  draw("title", {}, shape, `${method.label}: activation of ${names[part]}, square root of their share`);
}

function drawAxis(app, svg, y) {
  for (let j = 0; j <= app.model.last; j += 40) {
    draw("line", { class: "tickmark", x1: scaleX(app, j), x2: scaleX(app, j), y1: y, y2: y + 4 }, svg);
    draw("text", { class: "tick", x: scaleX(app, j), y: y + 31, "text-anchor": "middle" }, svg, (j / app.model.last).toFixed(1));
  }
}

function moveHandles(app) {
  if (!app.lines) return;
  const { t, low, layer } = app.view;
  const isSeed = layer === "seed";
  const positions = { low: scaleX(app, low), main: scaleX(app, t) };
  ["low", "main"].forEach((name, i) => {
    const handle = app.find(`.handle.${name}`);
    app.lines[i].style.transform = `translateX(${positions[name]}px)`;
    handle.style.transform = `translate(${positions[name]}px, ${app.handleTop}px)`;
    describeHandle(app, handle, name === "low" ? low : t, name);
  });
  app.lines[0].style.display = app.band.style.display = isSeed ? "" : "none";
  app.find(".handle.low").hidden = !isSeed;
  app.band.setAttribute("x", positions.low);
  app.band.setAttribute("width", Math.max(0, positions.main - positions.low));
}

function describeHandle(app, handle, index, name) {
  const text = app.threshold(index);
  handle.textContent = text;
  handle.setAttribute("aria-valuemin", "0");
  handle.setAttribute("aria-valuemax", "1");
  handle.setAttribute("aria-valuenow", text);
  if (name === "main" && app.view.layer === "seed") handle.setAttribute("aria-label", "Threshold of confident foreground");
  else if (name === "main") handle.setAttribute("aria-label", "Threshold");
}

function listenToInstrument(app) {
  const area = app.find(".instrument");
  let dragged = null;
  const indexAt = (event) => {
    const box = area.getBoundingClientRect();
    const share = (event.clientX - box.left - MARGIN.left) / (app.chart.width - MARGIN.left - MARGIN.right);
    return Math.round(Math.min(1, Math.max(0, share)) * app.model.last);
  };
  area.onpointerdown = (event) => {
    const isLow = event.target === app.find(".handle.low");
    dragged = isLow ? "low" : "t";
    area.setPointerCapture(event.pointerId);
    app.find(isLow ? ".handle.low" : ".handle.main").focus({ preventScroll: true });
    event.preventDefault();
    app.moveThreshold(dragged, indexAt(event));
  };
  area.onpointermove = (event) => { if (dragged) app.moveThreshold(dragged, indexAt(event)); };
  area.onkeydown = (event) => {
    if (!STEPS_OF_KEYS[event.key]) return;
    app.nudge(event);
    event.preventDefault();
    event.stopPropagation();
  };
  area.onpointerup = area.onpointercancel = () => {
    if (dragged) app.send();
    dragged = null;
  };
}
