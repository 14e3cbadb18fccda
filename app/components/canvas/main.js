// One instance for each place on the page: it keeps the view, repaints, and tells the server on release.

const SENT = ["t", "low", "layer", "colours", "opacity", "contour", "truth", "class", "swipe", "hidden", "anchor", "contrast", "palette"];
const KEPT_TIMES = 120;
const INSTANCES = new WeakMap();

class Canvas {
  constructor(root) {
    this.root = root;
    this.divide = 0.5;
    this.times = [];
    this.panels = [];
    this.lastSent = "";
    this.bench = getBench();
    this.bar = new ThresholdBar(root.querySelector(".place"), this.bench, () => this.send(), (low) => this.moveThreshold("low", low));
    this.follow = (event) => this.takeMove(event.detail);
    this.released = (event) => { if (STEPS_OF_KEYS[event.detail]) this.send(); };
    this.placed = () => { if (this.model) updatePlace(this); };
    this.bench.addEventListener("move", this.follow);
    this.bench.addEventListener("key-up", this.released);
    this.bench.addEventListener("list", this.placed);
    this.refined = () => { if (this.model && isRefined(this.view)) this.schedule("paint"); };
    this.bench.addEventListener("refined", this.refined);
    this.observer = new ResizeObserver(() => this.schedule("layout"));
    this.observer.observe(root);
    this.onResize = () => this.schedule("layout");
    window.addEventListener("resize", this.onResize);
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  threshold(index) {
    return (index / this.model.last).toFixed(3);
  }

  className(id) {
    return id === IGNORE ? "not scored" : this.model.meta.classNames[id] || `class ${id}`;
  }

  // New data: keep what the user set, unless the server opened the page anew.
  async load(data, send) {
    this.sendView = send;
    if (this.data === data.meta.revision) return;
    this.data = data.meta.revision;
    this.model = readModel(data);
    if (!this.view || this.visit !== data.meta.start.visit) this.openView(data.meta.start);
    this.bar.load({ peaks: data.meta.peaks || [], plateaus: data.meta.plateaus || [] });
    this.bench.setKeys("canvas", listKeys(this));
    const keys = new Set(this.model.methods.map((method) => method.key));
    this.view.hidden = this.view.hidden.filter((key) => keys.has(key));
    this.prepare();
    this.bench.dispatchEvent(new CustomEvent("image", { detail: this.model.meta.image }));
    await this.loadPhoto();
  }

  openView(start) {
    this.visit = start.visit;
    this.view = { ...start };
    this.bench.index = null; // also the same place is shown
    this.bench.move(start.t);
    this.lastSent = this.describeView();
  }

  prepare() {
    const { width, height } = this.model.meta;
    for (const method of this.model.methods) Object.assign(method, buildSurface(width, height));
    this.truthSurface = buildSurface(width, height);
    const size = `${width}×${height}`;
    if (this.size !== size) resetZoom(this);
    this.size = size;
    this.times = [];
    this.pointed = null;
    if (!this.isListening) {
      buildControls(this);
      listenToInstrument(this);
      this.isListening = true;
    }
    this.rebuild();
  }

  async loadPhoto() {
    const model = this.model;
    const bitmap = await createImageBitmap(model.photo);
    if (model !== this.model) return;
    this.bitmap = bitmap;
    this.redraw();
    this.root.dataset.ready = model.meta.image;
  }

  // What depends on the choice of methods and class, not on the threshold.
  rebuild() {
    const id = Number(Object.keys(this.model.meta.classNames).find((key) => this.model.meta.classNames[key] === this.view.class) || 0);
    this.view.classId = listTruthAndMaps(this).includes(id) ? id : 0;
    if (this.view.layer === "errors" && !this.model.hasTruth) this.view.layer = "mask";
    if (isRefined(this.view) && !this.model.meta.canRefine) this.view.layer = "mask";
    if (!this.model.tables[this.view.colours]) this.view.colours = Object.keys(this.model.tables)[0];
    updateControls(this);
    buildReadout(this);
    updateLegend(this);
    buildStage(this);
  }

  schedule(what) {
    this.wanted = this.wanted === "layout" ? "layout" : what;
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      const wanted = this.wanted;
      this.wanted = null;
      if (!this.model) return;
      if (wanted === "layout") layOut(this);
      else this.repaint();
    });
  }

  repaint() {
    const begun = performance.now();
    const { view, model } = this;
    view.isThick = this.panels[0].canvas.width * this.zoom.scale < model.meta.width * 0.8;
    view.heatTable = buildHeatTable(model.tables[view.colours], view, model.last);
    const shown = new Set(this.panels.flatMap((panel) => [panel.method, panel.other]).filter((i) => i !== undefined));
    for (const i of shown) paintMethod(model.methods[i], model, view);
    paintLabels(this.truthSurface.out, model, view);
    this.truthSurface.context.putImageData(this.truthSurface.imageData, 0, 0);
    updateScores(this);
    updateValues(this);
    moveHandles(this);
    this.redraw();
    this.keepTime(performance.now() - begun);
  }

  redraw() {
    for (const panel of this.panels) drawPanel(this, panel);
    moveCrosses(this, this.pointed);
  }

  // For tests and for whoever wonders: how long repaints took, in milliseconds.
  keepTime(time) {
    this.times.push(time);
    if (this.times.length > KEPT_TIMES) this.times.shift();
    const sorted = [...this.times].sort((a, b) => a - b);
    this.root.dataset.repaint = time.toFixed(2);
    this.root.dataset.repaintMedian = sorted[Math.floor(sorted.length / 2)].toFixed(2);
    this.root.dataset.repaintWorst = sorted[sorted.length - 1].toFixed(2);
    this.root.dataset.repaints = String(this.times.length);
    this.root.dataset.threshold = this.threshold(this.view.t);
  }

  moveThreshold(name, index) {
    const { view, model } = this;
    const bound = Math.min(model.last, Math.max(0, index));
    if (view[name] === bound) return;
    view[name] = bound;
    if (name === "t") view.low = Math.min(view.low, view.t);
    else view.t = Math.max(view.low, view.t);
    this.bench.move(view.t);
    if (name === "low") this.schedule("paint");
  }

  // All parts of the page move in one frame, whichever of them is in the hand.
  takeMove(index) {
    if (!this.model) return;
    this.view.t = index;
    this.view.low = Math.min(this.view.low, index);
    if (this.chart) this.repaint();
  }

  nudge(event) {
    const isLow = event.composedPath()[0] === this.find(".handle.low");
    const name = isLow ? "low" : "t";
    this.moveThreshold(name, this.view[name] + STEPS_OF_KEYS[event.key] * (event.shiftKey ? 10 : 1));
  }

  change(changes, isFinal = true) {
    Object.assign(this.view, changes);
    if (isFinal) this.rebuild();
    else this.schedule("paint");
    if (isFinal) this.send();
  }

  nextLayer() {
    const { hasTruth, meta } = this.model;
    const names = Object.keys(LAYERS).filter((name) => (name !== "errors" || hasTruth) && (!(name in REFINED) || meta.canRefine));
    this.change({ layer: names[(names.indexOf(this.view.layer) + 1) % names.length] });
  }

  toggleMethod(i) {
    const { key } = this.model.methods[i];
    const hidden = this.view.hidden.includes(key) ? this.view.hidden.filter((k) => k !== key) : [...this.view.hidden, key];
    if (hidden.length < this.model.methods.length) this.change({ hidden });
  }

  zoomBy(name) {
    if (name === "fit") resetZoom(this);
    zoomAt(this, { in: 1.5, out: 1 / 1.5, fit: 1 }[name], null);
  }

  point(point) {
    this.pointed = point;
    updateValues(this);
    moveCrosses(this, point);
  }

  step(direction) {
    this.bench.list?.step(direction);
  }

  describeView() {
    return JSON.stringify(Object.fromEntries(SENT.map((name) => [name, this.view[name]])));
  }

  send() {
    const now = this.describeView();
    if (now === this.lastSent) return;
    this.lastSent = now;
    this.bench.dispatchEvent(new CustomEvent("release"));
    this.sendView(JSON.parse(now));
    this.find(".spoken").textContent = `Threshold ${this.threshold(this.view.t)}`;
  }

  stop() {
    this.bench.removeEventListener("move", this.follow);
    this.bench.removeEventListener("key-up", this.released);
    this.bench.removeEventListener("list", this.placed);
    this.bench.removeEventListener("refined", this.refined);
    this.bench.dropKeys("canvas");
    this.bar.stop();
    this.observer.disconnect();
    window.removeEventListener("resize", this.onResize);
    cancelAnimationFrame(this.frame);
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".amn");
  if (!INSTANCES.has(root)) INSTANCES.set(root, new Canvas(root));
  const canvas = INSTANCES.get(root);
  canvas.load(data, (view) => setStateValue("view", view));
  return () => {
    canvas.stop();
    INSTANCES.delete(root);
  };
}
