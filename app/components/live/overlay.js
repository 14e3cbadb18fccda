// The threshold on the charts of the page: a line, a ring on each curve and what is above it, drawn over Plotly's own.

const SVG_NAME = "http://www.w3.org/2000/svg";

function listCharts() {
  return [...document.querySelectorAll(".js-plotly-plot")].filter((chart) => chart._fullLayout?.meta?.axis);
}

function paintCharts(index, last) {
  for (const chart of listCharts()) paintChart(chart, index, last);
}

function paintChart(chart, index, last) {
  const host = chart.querySelector(".svg-container");
  if (!host) return;
  const layout = chart._fullLayout;
  const shapes = [];
  for (const plot of Object.values(layout._plots)) shapes.push(...markPanel(chart, plot, layout.meta, index, last));
  fillOverlay(findOverlay(host, layout), shapes);
}

function findOverlay(host, layout) {
  let overlay = host.querySelector(":scope > .amn-overlay");
  if (!overlay) {
    overlay = document.createElementNS(SVG_NAME, "svg");
    overlay.setAttribute("class", "amn-overlay");
    overlay.setAttribute("aria-hidden", "true");
    overlay.style.cssText = "position:absolute;inset:0;pointer-events:none;overflow:visible";
    host.append(overlay);
  }
  overlay.setAttribute("width", layout.width);
  overlay.setAttribute("height", layout.height);
  return overlay;
}

// Elements are kept and only moved, so that a frame makes none.
function fillOverlay(overlay, shapes) {
  while (overlay.childElementCount > shapes.length) overlay.lastElementChild.remove();
  shapes.forEach(({ tag, text, ...attributes }, i) => {
    let element = overlay.children[i];
    if (!element || element.tagName !== tag) {
      const made = document.createElementNS(SVG_NAME, tag);
      if (element) element.replaceWith(made);
      else overlay.append(made);
      element = made;
    }
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined && element.textContent !== text) element.textContent = text;
  });
}

function markPanel(chart, { xaxis, yaxis }, meta, index, last) {
  const shapes = [];
  const top = yaxis._offset;
  const bottom = top + yaxis._length;
  const colour = getComputedStyle(chart).color;
  const at = xaxis._offset + xaxis.l2p(index / last);
  const isInside = at >= xaxis._offset - 1 && at <= xaxis._offset + xaxis._length + 1;
  if (meta.axis === "threshold" && isInside) {
    shapes.push({ tag: "line", x1: at, x2: at, y1: top, y2: bottom, stroke: colour, "stroke-width": 1.5, "stroke-dasharray": "5 4" });
  }
  for (const trace of chart._fullData) {
    if (trace.meta?.curve && trace.visible === true && trace.xaxis === xaxis._id && trace.yaxis === yaxis._id) {
      shapes.push(...markCurve(trace, xaxis, yaxis, index, last));
    }
  }
  const split = (meta.splits || {})[xaxis._id];
  if (split) shapes.push(...writeSplit(split, xaxis, top, index, colour));
  return shapes;
}

function markCurve(trace, xaxis, yaxis, index, last) {
  const place = trace.x.length === last + 1 ? index : findNearest(trace.customdata, index / last);
  const [x, y] = [xaxis.l2p(trace.x[place]), yaxis.l2p(trace.y[place])];
  if (!Number.isFinite(y) || x < -1 || x > xaxis._length + 1 || y < -1 || y > yaxis._length + 1) return [];
  return [{ tag: "circle", cx: xaxis._offset + x, cy: yaxis._offset + y, r: 4.5, fill: "#fff", stroke: trace.line.color, "stroke-width": 2.5 }];
}

function findNearest(thresholds, value) {
  let best = 0;
  for (let i = 1; i < thresholds.length; i++) {
    if (Math.abs(thresholds[i] - value) < Math.abs(thresholds[best] - value)) best = i;
  }
  return best;
}

// The shares of each kind of pixel that lie above the threshold.
function writeSplit(split, xaxis, top, index, colour) {
  const right = xaxis._offset + xaxis._length - 4;
  return split.map(({ name, above }, i) => ({
    tag: "text", x: right, y: top + 14 + i * 15, "text-anchor": "end", fill: colour, "font-size": 12,
    text: `${name}: ${(above[index] * 100).toFixed(0)} % called foreground`,
  }));
}

// Charts come, are zoomed and change their size; each time the marks are drawn anew.
function watchCharts(paint) {
  let frame = 0;
  const later = () => { frame ||= requestAnimationFrame(() => { frame = 0; paint(); }); };
  const isOurs = ({ target }) => target.closest?.(".amn-overlay");
  const observer = new MutationObserver((changes) => { if (!changes.every(isOurs)) later(); });
  observer.observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["width", "height", "d"] });
  return () => { observer.disconnect(); cancelAnimationFrame(frame); };
}
