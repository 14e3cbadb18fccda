"""The canvas' own script, run in a browser on what the server sends it."""

import base64
from pathlib import Path

import numpy as np

MODEL = Path(__file__).resolve().parents[2] / "app" / "components" / "canvas" / "model.js"
RUN = """({ model, meta, bytes }) => {
  const { readModel, getScore } = new Function(`${model}; return { readModel, getScore };`)();
  const blob = { getChildAt: () => ({ toArray: () => Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)) }) };
  const read = readModel({ meta, blob });
  return read.methods.map((method) => Array.from(getScore(method, read, 0).curve, (v) => (Number.isNaN(v) ? null : v)));
}"""


def score_in_browser(browser, meta: dict, blob: np.ndarray) -> np.ndarray:
    """Score the methods of a packed image as the canvas does: (methods, T) mIoU, NaN where it has none."""
    page = browser.new_page()
    try:
        sent = {"model": MODEL.read_text(encoding="utf-8"), "meta": meta, "bytes": base64.b64encode(blob).decode()}
        return np.array(page.evaluate(RUN, sent), dtype=float)
    finally:
        page.close()
