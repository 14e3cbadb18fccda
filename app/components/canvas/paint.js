// From codes to colours: a table for each state of the controls, then one look-up for each pixel.

const HIT = [0, 158, 115];
const FALSE_POSITIVE = [230, 159, 0];
const FALSE_NEGATIVE = [86, 140, 255];
const CONFUSED = [204, 60, 150];
const UNSURE = [150, 150, 150];
const CERTAIN_BACKGROUND = [20, 24, 30];
const INNER_LINE = pack([255, 255, 255], 1);
const OUTER_LINE = pack([10, 10, 10], 0.85);
const HATCH = 7;

function pack(colour, alpha) {
  return ((Math.round(alpha * 255) << 24) | (colour[2] << 16) | (colour[1] << 8) | colour[0]) >>> 0;
}

function buildHeatTable(table, { opacity, contrast, anchor, t }, last) {
  const lut = new Uint32Array(LEVELS);
  for (let bin = 0; bin < LEVELS; bin++) {
    const level = Math.min(255, Math.round(shadeBin(Math.min(bin, last), last, contrast, anchor ? t : null) * 255)) * 3;
    lut[bin] = pack(table.subarray(level, level + 3), opacity);
  }
  return lut;
}

// Where a bin stands in the colour map, 0 to 1. Anchored, what is called background fills the lower half.
function shadeBin(bin, last, contrast, anchor) {
  if (anchor === null) return (bin / last) ** contrast;
  if (bin <= anchor) return 0.46 * (anchor ? (bin / anchor) ** contrast : 0);
  return 0.54 + 0.46 * ((bin - anchor) / Math.max(1, last - anchor)) ** contrast;
}

// Two tables, one for each stripe of the hatching; equal where a state is plain.
function buildTables(method, model, view) {
  const size = model.gtValues.length * method.rows * LEVELS;
  const tables = { even: new Uint32Array(size), odd: new Uint32Array(size), labels: new Uint8Array(size), isHatched: false };
  const low = view.layer === "seed" ? view.low : view.t;
  model.gtValues.forEach((truth, g) => {
    for (let s = 0; s < method.rows; s++) {
      const base = (g * method.rows + s) * LEVELS;
      const classId = method.classIds[s] || 0;
      const shown = !view.classId || view.classId === classId ? classId : 0;
      fillState(tables, base, 0, low, chooseColour(view, truth, 0, "below", model), 0);
      fillState(tables, base, low + 1, view.t, chooseColour(view, truth, shown, "between", model), 0);
      fillState(tables, base, view.t + 1, LEVELS - 1, chooseColour(view, truth, shown, "above", model), shown);
    }
  });
  return tables;
}

function fillState(tables, base, from, to, colour, label) {
  if (to < from) return;
  tables.even.fill(colour.even, base + from, base + to + 1);
  tables.odd.fill(colour.odd, base + from, base + to + 1);
  tables.labels.fill(label, base + from, base + to + 1);
  tables.isHatched ||= colour.even !== colour.odd;
}

const CLEAR = { even: 0, odd: 0 };

function plain(colour, alpha) {
  const packed = pack(colour, alpha);
  return { even: packed, odd: packed };
}

function striped(colour, alpha) {
  return { even: pack(colour, alpha), odd: pack(colour, alpha * 0.3) };
}

function colourOf(model, view, id) {
  return (view.palette === "voc" ? vocColour(id) : model.meta.colours[id]) || [150, 150, 150];
}

// The palette of PASCAL VOC: the bits of the index spread over the three colours, the highest first.
function vocColour(id) {
  const colour = [0, 0, 0];
  for (let bit = 7, rest = id; bit >= 0; bit--, rest >>= 3) {
    for (let c = 0; c < 3; c++) colour[c] |= ((rest >> c) & 1) << bit;
  }
  return colour;
}

function chooseColour(view, truth, label, state, model) {
  const a = view.opacity;
  if (view.layer === "errors") return state === "above" || state === "below" ? chooseError(view, truth, label, a) : CLEAR;
  if (view.layer === "mask" || isRefined(view)) return label && state === "above" ? plain(colourOf(model, view, label), a) : CLEAR;
  if (view.layer !== "seed") return CLEAR;
  if (state === "below") return plain(CERTAIN_BACKGROUND, a);
  if (state === "above") return label ? plain(colourOf(model, view, label), a) : plain(CERTAIN_BACKGROUND, a);
  return striped(UNSURE, a);
}

function chooseError(view, truth, label, alpha) {
  if (truth === IGNORE) return CLEAR;
  const wanted = !view.classId || truth === view.classId ? truth : 0;
  if (!wanted && !label) return CLEAR;
  if (wanted === label) return plain(HIT, alpha);
  if (!wanted) return plain(FALSE_POSITIVE, alpha);
  return label ? plain(CONFUSED, alpha) : striped(FALSE_NEGATIVE, alpha);
}

function paintMethod(method, model, view) {
  const { width, height } = model.meta;
  const out = method.out;
  if (isRefined(view) && !method.isMasks) {
    paintRefined(method, model, view);
    method.context.putImageData(method.imageData, 0, 0);
    return;
  }
  const tables = buildTables(method, model, view);
  if (view.layer === "heat") {
    paintPlain(out, getPlane(method, view.classId, width * height), view.heatTable);
  } else if (tables.isHatched) {
    paintHatched(out, method.codes, tables, width, height);
  } else {
    paintPlain(out, method.codes, tables.even);
  }
  if (view.contour && view.layer !== "photo") paintContour(out, method, tables.labels, width, height, view.isThick);
  method.context.putImageData(method.imageData, 0, 0);
}

function paintPlain(out, codes, table) {
  for (let p = 0; p < out.length; p++) out[p] = table[codes[p]];
}

function paintHatched(out, codes, tables, width, height) {
  for (let y = 0, p = 0; y < height; y++) {
    for (let x = 0; x < width; x++, p++) {
      out[p] = (x + y) % HATCH < 3 ? tables.even[codes[p]] : tables.odd[codes[p]];
    }
  }
}

// A white line on the inside and a black one on the outside: seen on any picture.
// Twice as wide where the panel is smaller than the picture.
function paintContour(out, method, table, width, height, isThick) {
  const { codes, labels, words, stride } = method;
  for (let y = 0, p = 0; y < height; y++) {
    const row = y * stride;
    for (let x = 0; x < width; x++, p++) labels[row + x] = table[codes[p]];
    labels.fill(labels[row + width - 1], row + width, row + stride);
  }
  const across = stride >> 2;
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < across; i++) {
      if (hasEdge(words, y * across + i, i + 1 < across, y + 1 < height ? across : 0)) {
        markPixels(out, method, i * 4, y, width, height, isThick);
      }
    }
  }
}

// Four pixels at once: nearly all of them have the label of their neighbours.
function hasEdge(words, at, hasNext, below) {
  const word = words[at];
  const first = word & 255;
  if (word !== Math.imul(first, 0x01010101) >>> 0 || word !== words[at + below]) return true;
  return hasNext && (words[at + 1] & 255) !== first;
}

function markPixels(out, { labels, stride }, from, y, width, height, isThick) {
  for (let x = from; x < Math.min(from + 4, width); x++) {
    const here = labels[y * stride + x];
    if (x + 1 < width && labels[y * stride + x + 1] !== here) markEdge(out, y * width + x, 1, here, labels[y * stride + x + 1], isThick);
    if (y + 1 < height && labels[(y + 1) * stride + x] !== here) markEdge(out, y * width + x, width, here, labels[(y + 1) * stride + x], isThick);
  }
}

function markEdge(out, p, step, here, there, isThick) {
  const [one, other] = [here ? INNER_LINE : OUTER_LINE, there ? INNER_LINE : OUTER_LINE];
  out[p] = one;
  out[p + step] = other;
  if (isThick && p >= step) out[p - step] = one;
  if (isThick && p + 2 * step < out.length) out[p + 2 * step] = other;
}

function paintLabels(out, model, view) {
  const table = new Uint32Array(256);
  model.gtValues.forEach((value) => {
    const isShown = value && value !== IGNORE && (!view.classId || value === view.classId);
    table[value] = isShown ? pack(colourOf(model, view, value), view.opacity) : 0;
  });
  table[IGNORE] = model.hasTruth ? pack([255, 255, 255], 0.55) : 0;
  paintPlain(out, model.gt, table);
}

function buildSurface(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const imageData = context.createImageData(width, height);
  const stride = (width + 3) & ~3; // rows of labels begin on whole words
  const labels = new Uint8Array(stride * height);
  const out = new Uint32Array(imageData.data.buffer);
  return { canvas, context, imageData, out, labels, words: new Uint32Array(labels.buffer), stride };
}
