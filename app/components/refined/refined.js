// Masks as the server sends them, unpacked and handed to the canvas: bench.refined, and the event "refined".

const SHELVES = new WeakMap();

async function unpack(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// masks: by run, a Map from the step of the bar to the labels of all pixels.
function findShelf(bench, meta) {
  const known = bench.refined;
  if (known && known.image === meta.image && known.layer === meta.layer) return known;
  return { image: meta.image, layer: meta.layer, masks: {} };
}

async function receive(root, bench, data) {
  const { meta } = data;
  root.textContent = meta.status;
  const bytes = data.blob.getChildAt(0).toArray();
  const shelf = findShelf(bench, meta);
  bench.refined = shelf;
  for (const [key, spans] of Object.entries(meta.runs)) {
    shelf.masks[key] ??= new Map();
    for (const [step, offset, length] of spans) {
      if (!shelf.masks[key].has(step)) shelf.masks[key].set(step, await unpack(bytes.slice(offset, offset + length)));
    }
  }
  if (bench.refined === shelf) bench.dispatchEvent(new CustomEvent("refined"));
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".refined");
  if (SHELVES.get(root) !== data) receive(root, getBench(), data);
  SHELVES.set(root, data);
}
