// The bar above the pictures, and the keyboard.

const LAYERS = { heat: "Heat map", mask: "Mask", errors: "Errors", seed: "Seed", photo: "Photo" };
const LAYER_HELP = {
  heat: "Activation of the strongest class, or of one class",
  mask: "What is called foreground at the threshold",
  errors: "Right and wrong pixels at the threshold",
  seed: "Confident foreground, confident background and the unsure band between two thresholds",
  photo: "Nothing over the photograph",
};

function buildControls(app) {
  const layers = app.find(".layers");
  layers.replaceChildren(...Object.entries(LAYERS).map(([name, text]) => buildLayerButton(app, name, text)));
  app.find(".colours").replaceChildren(...Object.keys(app.model.tables).map((name) => new Option(name, name)));
  app.find(".opacity").oninput = (event) => app.change({ opacity: Number(event.target.value) }, false);
  app.find(".opacity").onchange = () => app.send();
  app.find(".colours").onchange = (event) => app.change({ colours: event.target.value });
  app.find(".class").onchange = (event) => app.change({ class: event.target.value });
  for (const name of ["contour", "truth", "swipe"]) app.find(`.${name}:not(.panel)`).onclick = () => app.change({ [name]: !app.view[name] });
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
  }
  for (const name of ["contour", "truth", "swipe"]) app.find(`.${name}:not(.panel)`).setAttribute("aria-pressed", String(view[name]));
  app.find("button.truth").disabled = !model.hasTruth;
  app.find("button.swipe").disabled = model.methods.length - view.hidden.length < 2;
  app.find(".colours-of-heat").classList.toggle("unused", view.layer !== "heat");
  app.find(".opacity").value = view.opacity;
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
  const { image, position, total } = app.model.meta;
  app.find(".image-id").textContent = image;
  app.find(".position").textContent = total ? `${position} of ${total}` : "";
  app.find(".steps").classList.toggle("lonely", !total);
}

const KEYS = {
  ArrowLeft: (app, event) => app.nudge(-1, event),
  ArrowRight: (app, event) => app.nudge(1, event),
  ArrowDown: (app, event) => app.nudge(-1, event),
  ArrowUp: (app, event) => app.nudge(1, event),
  Home: (app, event) => app.nudge(-1000, event),
  End: (app, event) => app.nudge(1000, event),
  PageUp: (app) => app.step(-1),
  PageDown: (app) => app.step(1),
  "[": (app) => app.step(-1),
  "]": (app) => app.step(1),
  "+": (app) => app.zoomBy("in"),
  "-": (app) => app.zoomBy("out"),
  0: (app) => app.zoomBy("fit"),
  c: (app) => app.change({ contour: !app.view.contour }),
  g: (app) => app.model.hasTruth && app.change({ truth: !app.view.truth }),
  s: (app) => app.change({ swipe: !app.view.swipe }),
  l: (app) => app.nextLayer(),
};

// Keys count while the focus is in the canvas or nowhere; never while somebody types elsewhere.
function listenToKeys(app) {
  const listener = (event) => {
    const path = event.composedPath();
    const isHere = path.includes(app.root);
    const isNowhere = path[0] === document.body || path[0] === document.documentElement;
    const isTyping = ["INPUT", "SELECT", "TEXTAREA"].includes(path[0].tagName);
    if (!(isHere || isNowhere) || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (handleKey(app, event)) event.preventDefault();
  };
  const release = (event) => { if (event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End") app.send(); };
  document.addEventListener("keydown", listener);
  document.addEventListener("keyup", release);
  return () => {
    document.removeEventListener("keydown", listener);
    document.removeEventListener("keyup", release);
  };
}

function handleKey(app, event) {
  const number = Number(event.key);
  if (number >= 1 && number <= app.model.methods.length) {
    app.toggleMethod(number - 1);
    return true;
  }
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (action) action(app, event);
  return Boolean(action);
}
