// The pictures: one panel for the photograph with its ground truth, one for each method, zoomed together.

const GAP = 10;
const CAPTION = 26;
const SIDE = 392;
const SMALLEST = 160;
const DEEPEST = 24;
const NOTCH = 1.2;
const BAR = 74;

function listPanels(app) {
  const shown = app.model.methods.map((_, i) => i).filter((i) => !app.view.hidden.includes(app.model.methods[i].key));
  if (app.view.swipe && shown.length > 1) return [{ kind: "truth" }, { kind: "swipe", method: shown[0], other: shown[1] }];
  const missing = app.model.missing.map((lack) => ({ kind: "missing", lack }));
  return [{ kind: "truth" }, ...shown.map((i) => ({ kind: "method", method: i })), ...missing];
}

function buildStage(app) {
  const stage = app.find(".stage");
  app.panels = listPanels(app).map((panel) => buildPanel(app, panel));
  stage.replaceChildren(...app.panels.map((panel) => panel.figure));
  layOut(app);
}

function buildPanel(app, panel) {
  const figure = make("figure", `panel ${panel.kind}`);
  const caption = make("figcaption");
  const name = make("span", "name");
  const score = make("span", "score number");
  caption.append(...(panel.method === undefined ? [] : [buildBadge(app, panel.method)]), name, score);
  const frame = make("div", "frame");
  const canvas = make("canvas");
  canvas.setAttribute("role", "img");
  const cross = make("div", "cross");
  frame.append(canvas, cross);
  if (panel.kind === "swipe") frame.append(buildDivider(app));
  if (panel.kind === "missing") frame.append(make("p", "lack", panel.lack.reason));
  figure.append(caption, frame);
  const built = { ...panel, figure, name, score, frame, canvas, cross, context: canvas.getContext("2d") };
  namePanel(app, built);
  listenToPanel(app, built);
  return built;
}

function namePanel(app, panel) {
  const label = (i) => app.model.methods[i].label;
  const texts = {
    truth: () => (app.model.hasTruth ? "Ground truth" : "Photograph"),
    method: () => label(panel.method),
    missing: () => panel.lack.label,
    swipe: () => `${label(panel.method)}  |  ${label(panel.other)}`,
  };
  panel.name.textContent = texts[panel.kind]();
  panel.name.title = panel.name.textContent;
  panel.canvas.setAttribute("aria-label", `${panel.name.textContent} of ${app.model.meta.image}`);
}

function buildBadge(app, i) {
  const badge = make("span", "badge number");
  badge.textContent = String(i + 1);
  badge.style.setProperty("--method", app.model.methods[i].colour);
  return badge;
}

function buildDivider(app) {
  const divider = make("div", "divider");
  divider.tabIndex = 0;
  divider.setAttribute("role", "slider");
  divider.setAttribute("aria-label", "Divider between the two methods");
  divider.setAttribute("aria-valuemin", "0");
  divider.setAttribute("aria-valuemax", "100");
  const move = (share) => {
    app.divide = Math.min(1, Math.max(0, share));
    divider.style.left = `${app.divide * 100}%`;
    divider.setAttribute("aria-valuenow", String(Math.round(app.divide * 100)));
    app.redraw();
  };
  divider.onpointerdown = (event) => { divider.setPointerCapture(event.pointerId); event.stopPropagation(); };
  divider.onpointermove = (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const box = divider.parentElement.getBoundingClientRect();
    move((event.clientX - box.left) / box.width);
  };
  divider.onkeydown = (event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    move(app.divide + step);
  };
  divider.style.left = `${app.divide * 100}%`;
  divider.setAttribute("aria-valuenow", String(Math.round(app.divide * 100)));
  return divider;
}

// The largest panels for which everything fits in the window, with the numbers beside or below them.
function layOut(app) {
  const width = app.root.clientWidth;
  if (!width) return;
  const top = app.root.getBoundingClientRect().top + window.scrollY;
  const height = Math.max(430, window.innerHeight - Math.min(top, 260) - app.find(".bar").offsetHeight - 28 - BAR - app.model.meta.reserve);
  const below = { place: "below", ...fitPanels(app, width, height - app.find(".instrument").offsetHeight - 16) };
  const beside = { place: "side", ...fitPanels(app, width - SIDE - 20, height) };
  const chosen = width > 780 && beside.size * 1.15 >= below.size ? beside : below;
  app.root.dataset.place = chosen.place;
  app.root.style.setProperty("--columns", chosen.columns);
  app.root.style.setProperty("--panel", `${chosen.size}px`);
  const ratio = window.devicePixelRatio || 1;
  for (const panel of app.panels) {
    panel.canvas.width = Math.round(chosen.size * ratio);
    panel.canvas.height = Math.round(chosen.size * aspect(app) * ratio);
  }
  drawInstrument(app);
  app.repaint();
}

function aspect(app) {
  return app.model.meta.height / app.model.meta.width;
}

function fitPanels(app, width, height) {
  let best = { size: 0, columns: 1 };
  const count = app.panels.length;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const wide = (width - GAP * (columns - 1)) / columns;
    const tall = ((height - GAP * (rows - 1)) / rows - CAPTION) / aspect(app);
    const size = Math.floor(Math.min(wide, Math.max(tall, Math.min(wide, SMALLEST))));
    if (size >= best.size) best = { size, columns };
  }
  return best;
}

function drawPanel(app, panel) {
  const { context, canvas } = panel;
  const { width, height } = app.model.meta;
  const zoom = (canvas.width / width) * app.zoom.scale;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(zoom, 0, 0, zoom, canvas.width / 2 - app.zoom.x * zoom, canvas.height / 2 - app.zoom.y * zoom);
  context.imageSmoothingEnabled = zoom < 3;
  if (panel.kind === "missing") context.globalAlpha = 0.25;
  if (app.bitmap) context.drawImage(app.bitmap, 0, 0, width, height);
  context.globalAlpha = 1;
  if (panel.kind === "truth") context.drawImage(app.truthSurface.canvas, 0, 0);
  if (panel.kind === "method") context.drawImage(app.model.methods[panel.method].canvas, 0, 0);
  if (panel.kind === "swipe") drawSwipe(app, panel, zoom);
  if (panel.kind !== "truth" && panel.kind !== "missing" && app.view.truth) drawTruth(app, context, zoom);
}

// Dashed, so that it is told from the prediction's line without colour; as wide at every zoom.
function drawTruth(app, context, zoom) {
  const wide = (window.devicePixelRatio || 1) / zoom;
  context.lineWidth = 2.6 * wide;
  context.setLineDash([]);
  context.strokeStyle = "rgb(0 0 0 / 55%)";
  context.stroke(app.model.truthPath);
  context.lineWidth = 1.4 * wide;
  context.setLineDash([6 * wide, 3 * wide]);
  context.strokeStyle = "rgb(255 214 0)";
  context.stroke(app.model.truthPath);
}

function drawSwipe(app, panel, zoom) {
  const { context, canvas } = panel;
  const { width, height } = app.model.meta;
  const left = app.zoom.x - canvas.width / 2 / zoom;
  const cut = left + (app.divide * canvas.width) / zoom;
  [[left, cut - left, panel.method], [cut, width * 2, panel.other]].forEach(([x, wide, i]) => {
    context.save();
    context.beginPath();
    context.rect(x, -height, wide, height * 3);
    context.clip();
    context.drawImage(app.model.methods[i].canvas, 0, 0);
    context.restore();
  });
}

function clampZoom(app) {
  const { width, height } = app.model.meta;
  const zoom = app.zoom;
  zoom.scale = Math.min(DEEPEST, Math.max(1, zoom.scale));
  const [halfWide, halfTall] = [width / 2 / zoom.scale, height / 2 / zoom.scale];
  zoom.x = Math.min(width - halfWide, Math.max(halfWide, zoom.x));
  zoom.y = Math.min(height - halfTall, Math.max(halfTall, zoom.y));
  app.find(".zoom").textContent = `${Math.round(zoom.scale * 100)}%`;
}

function resetZoom(app) {
  app.zoom = { scale: 1, x: app.model.meta.width / 2, y: app.model.meta.height / 2 };
  clampZoom(app);
}

// Zoom so that the point of the image under the pointer stays where it is.
function zoomAt(app, factor, point) {
  const zoom = app.zoom;
  const at = point || { x: zoom.x, y: zoom.y };
  const before = zoom.scale;
  zoom.scale = Math.min(DEEPEST, Math.max(1, before * factor));
  zoom.x = at.x + ((zoom.x - at.x) * before) / zoom.scale;
  zoom.y = at.y + ((zoom.y - at.y) * before) / zoom.scale;
  clampZoom(app);
  app.schedule("paint"); // outlines are thicker on small pictures
}

function findPoint(app, panel, event) {
  const box = panel.canvas.getBoundingClientRect();
  const zoom = (box.width / app.model.meta.width) * app.zoom.scale;
  return {
    x: app.zoom.x + (event.clientX - box.left - box.width / 2) / zoom,
    y: app.zoom.y + (event.clientY - box.top - box.height / 2) / zoom,
    zoom,
  };
}

function listenToPanel(app, panel) {
  let grabbed = null;
  panel.frame.onpointerdown = (event) => {
    app.isEntered = true;
    grabbed = findPoint(app, panel, event);
    panel.frame.setPointerCapture(event.pointerId);
  };
  panel.frame.onpointerup = () => { grabbed = null; };
  panel.frame.onpointermove = (event) => {
    const point = findPoint(app, panel, event);
    if (grabbed && app.zoom.scale > 1) {
      app.zoom.x += grabbed.x - point.x;
      app.zoom.y += grabbed.y - point.y;
      clampZoom(app);
      app.redraw();
    }
    app.point(findPoint(app, panel, event));
  };
  panel.frame.onpointerleave = () => app.point(null);
  panel.frame.ondblclick = (event) => zoomAt(app, app.zoom.scale > 1 ? 0 : 3, findPoint(app, panel, event));
  panel.frame.onwheel = (event) => {
    if (!event.ctrlKey && !event.metaKey && app.zoom.scale === 1) return; // the page scrolls
    event.preventDefault();
    const notch = Math.max(-1, Math.min(1, -event.deltaY / 100)); // a mouse's notch is 100 or 120, a touchpad's far less
    zoomAt(app, NOTCH ** notch, findPoint(app, panel, event));
  };
}

function moveCrosses(app, point) {
  for (const panel of app.panels) {
    panel.cross.hidden = !point;
    if (!point) continue;
    const wide = panel.canvas.clientWidth;
    const tall = panel.canvas.clientHeight;
    const zoom = (wide / app.model.meta.width) * app.zoom.scale;
    const x = wide / 2 + (point.x - app.zoom.x) * zoom;
    const y = tall / 2 + (point.y - app.zoom.y) * zoom;
    panel.cross.style.transform = `translate(${x}px, ${y}px)`;
  }
}
