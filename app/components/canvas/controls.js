// The bar above the pictures, and the keyboard.

const LAYERS = { heat: "Heat map", mask: "Mask", errors: "Errors", seed: "Seed", crf: "After CRF", pamr: "After PAMR", photo: "Photo" };
const LAYER_HELP = {
  heat: "Activation of the strongest class, or of one class",
  mask: "What is called foreground at the threshold",
  errors: "Right and wrong pixels at the threshold",
  seed: "Two cuts: foreground above the high one, background up to the low one, unsure (255) in the band between",
  crf: "The mask at the threshold, refined by a dense CRF; the nearest of 51 thresholds while dragging",
  pamr: "The mask at the threshold, refined by PAMR; the nearest of 51 thresholds while dragging",
  photo: "Nothing over the photograph",
};

const TOGGLES = ["contour", "truth", "swipe", "anchor"];

function buildControls(app) {
  const layers = app.find(".layers");
  layers.replaceChildren(...Object.entries(LAYERS).map(([name, text]) => buildLayerButton(app, name, text)));
  app.find(".colours").replaceChildren(...Object.keys(app.model.tables).map((name) => new Option(name, name)));
  app.find(".opacity").oninput = (event) => app.change({ opacity: Number(event.target.value) }, false);
  app.find(".opacity").onchange = () => app.send();
  app.find(".colours").onchange = (event) => app.change({ colours: event.target.value });
  app.find(".contrast").oninput = (event) => app.change({ contrast: Number(event.target.value) }, false);
  app.find(".contrast").onchange = () => app.send();
  app.find(".palette").onchange = (event) => app.change({ palette: event.target.value });
  app.find(".class").onchange = (event) => app.change({ class: event.target.value });
  buildPairs(app);
  for (const name of TOGGLES) app.find(`button.${name}`).onclick = () => app.change({ [name]: !app.view[name] });
  for (const button of app.root.querySelectorAll("[data-step]")) button.onclick = () => app.step(Number(button.dataset.step));
  for (const button of app.root.querySelectorAll("[data-zoom]")) button.onclick = () => app.zoomBy(button.dataset.zoom);
}

function buildLayerButton(app, name, text) {
  const button = make("button", "", text);
  button.type = "button";
  button.dataset.layer = name;
  button.title = LAYER_HELP[name];
  button.setAttribute("role", "radio");
  button.onclick = () => app.change({ layer: name });
  return button;
}

function updateControls(app) {
  const { view, model } = app;
  for (const button of app.root.querySelectorAll("[data-layer]")) {
    button.setAttribute("aria-checked", String(button.dataset.layer === view.layer));
    button.disabled = button.dataset.layer === "errors" && !model.hasTruth;
    button.hidden = button.dataset.layer in REFINED && !model.meta.canRefine;
  }
  for (const name of TOGGLES) app.find(`button.${name}`).setAttribute("aria-pressed", String(view[name]));
  app.find("button.truth").disabled = !model.hasTruth;
  app.find("button.swipe").disabled = model.methods.length - view.hidden.length < 2;
  app.find(".of-seed").classList.toggle("unused", view.layer !== "seed");
  for (const part of app.root.querySelectorAll(".of-heat")) part.classList.toggle("unused", view.layer !== "heat");
  app.find(".opacity").value = view.opacity;
  app.find(".contrast").value = view.contrast;
  app.find(".palette").value = view.palette;
  app.find(".colours").value = view.colours;
  updateClassChoice(app);
  updatePlace(app);
}

function updateClassChoice(app) {
  const select = app.find(".class");
  const names = ["all", ...listTruthAndMaps(app).map((c) => app.className(c))];
  select.replaceChildren(...names.map((name) => new Option(name === "all" ? "All classes" : name, name)));
  select.value = names.includes(app.view.class) ? app.view.class : "all";
}

function updatePlace(app) {
  const { image } = app.model.meta;
  const list = app.bench.list;
  app.find(".image-id").textContent = image;
  app.find(".image-id").title = image;
  app.find(".position").textContent = list ? `${list.find(image) + 1} of ${list.length}` : "";
  app.find(".steps").classList.toggle("lonely", !list);
}

// What keys do; a text makes a line of the list that a question mark opens.
function listKeys(app) {
  const nudge = (event) => { if (event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End") app.nudge(event); };
  return [
    { keys: ["ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp"], text: "Threshold by 0.005, with Shift by 0.050", run: nudge },
    { keys: ["Home", "End"], run: nudge },
    { keys: ["p"], text: "To the next peak of a run", run: () => { stepToPeak(app.bench, app.bar.peaks); app.send(); } },
    { keys: ["PageUp", "["], text: "Image before, in the order of the list", run: () => app.step(-1) },
    { keys: ["PageDown", "]"], text: "Next image, in the order of the list", run: () => app.step(1) },
    { keys: ["1", "2", "3", "4", "5", "6"], text: "Method 1 to 6 on or off", run: (event) => app.toggleMethod(Number(event.key) - 1) },
    { keys: ["l"], text: "Next layer", run: () => app.nextLayer() },
    { keys: ["c"], text: "Outline of what is called foreground", run: () => app.change({ contour: !app.view.contour }) },
    { keys: ["g"], text: "Outline of the ground truth", run: () => app.model.hasTruth && app.change({ truth: !app.view.truth }) },
    { keys: ["s"], text: "Two methods in one picture", run: () => app.change({ swipe: !app.view.swipe }) },
    { keys: ["a"], text: "Colours of the heat map from the threshold on", run: () => app.change({ anchor: !app.view.anchor }) },
    { keys: ["+"], text: "Zoom in; also Ctrl and wheel", run: () => app.zoomBy("in") },
    { keys: ["-"], text: "Zoom out", run: () => app.zoomBy("out") },
    { keys: ["0"], text: "Fit the picture to its panel", run: () => app.zoomBy("fit") },
  ];
}
