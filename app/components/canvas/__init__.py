"""The live canvas: methods side by side, layers, and a threshold that moves in the browser.

The threshold is an index into the default thresholds while it is in the browser, and a number in the state of the
app. Nothing is sent while something is dragged; on release the whole view arrives at once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from amn_core.presets import TWO_CUTS
from app import state
from app.charts.colour_maps import COLOUR_MAPS
from app.components.live import read_scripts

HERE = Path(__file__).parent
SCRIPTS = ("model.js", "paint.js", "refined_layer.js", "stage.js", "instrument.js", "readout.js", "two_cuts.js",
           "controls.js", "main.js")
STEPS = 200
VIEW = ("layer", "colours", "opacity", "contour", "truth", "class", "swipe", "anchor", "contrast", "palette")
CHOICES = {
    "layer": ("heat", "mask", "errors", "seed", "crf", "pamr", "photo"), "colours": COLOUR_MAPS,
    "palette": ("bright", "voc"),
}
NUMBERS = {"opacity": (0.1, 1.0), "contrast": (0.4, 2.5)}
START = "canvas-start"

_mount = st.components.v2.component(
    "amn_canvas",
    html=(HERE / "canvas.html").read_text(encoding="utf-8"),
    css="\n".join([read_scripts("bar.css"), (HERE / "canvas.css").read_text(encoding="utf-8")]),
    js="\n".join(
        [read_scripts("elements.js", "bench.js", "bar.js"),
         *((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)]),
)


def render_canvas(
    meta: dict[str, Any], blob: np.ndarray, revision: str, key: str = "canvas", reserve: int = 0,
    on_release: Callable[[], None] | None = None,
) -> None:
    """Put the canvas on the screen; the shared state follows it.

    To be called in a fragment: then the release of the threshold reruns nothing else.

    Args:
        meta, blob: of `pack_image`; `meta` may bring ``scored`` (ids of the classes that are averaged),
            ``averaging``, ``peaks`` and ``plateaus`` (`app.components.live.describe_peaks`), ``missing``, and
            ``canRefine`` where `app.components.refined` brings the layers after CRF and PAMR.
        revision: changes whenever they do. reserve: pixels of the window to leave free below.
        on_release: called after the view was stored.
    """
    described = {**meta, "reserve": reserve, "revision": revision, "start": get_start(key), "cuts": describe_cuts()}

    def take_view() -> None:
        store_view(st.session_state[key].view)
        state.publish()  # in a fragment nobody else does
        if on_release:
            on_release()

    _mount(key=key, data={"meta": described, "blob": blob}, height="content", on_view_change=take_view)


def describe_cuts() -> list[dict[str, Any]]:
    """Describe the pairs of cuts in use, both as thresholds by index."""
    return [{"label": one.label, "source": one.source, "high": round(one.high * STEPS), "low": round(one.low * STEPS)}
            for one in TWO_CUTS.values()]


def get_start(key: str) -> dict[str, Any]:
    """Get the view that the canvas opens with, fixed for a visit of the page: it is the browser's afterwards.

    A part of the data that changed with every release would send the pictures again each time.
    """
    visit = state.get_visit()
    if st.session_state.get(START, {}).get("key") != (key, visit):
        st.session_state[START] = {"key": (key, visit), "view": collect_view(visit)}
    for name in (*VIEW, "t", "low", "hidden"):
        state.get(name)  # the URL names them
    return st.session_state[START]["view"]


def collect_view(visit: int) -> dict[str, Any]:
    """Collect the view from the shared state."""
    threshold = round(state.get("t") * STEPS)
    view = {name: state.fit(state.get(name), state.PARAMS[name].default, CHOICES.get(name)) for name in VIEW}
    view |= {name: min(high, max(low, view[name])) for name, (low, high) in NUMBERS.items()}
    low = min(threshold, round(state.get("low") * STEPS))
    return {**view, "hidden": list(state.get("hidden")), "t": threshold, "low": low, "visit": visit}


def store_view(view: dict[str, Any] | None) -> None:
    """Store what the browser sent in the shared state; values that are none of ours are left out."""
    if not isinstance(view, dict):
        return
    for name in ("t", "low"):
        state.put(name, min(STEPS, max(0, int(view.get(name, 0)))) / STEPS)
    state.put("hidden", tuple(str(key) for key in view.get("hidden", ())))
    for name in VIEW:
        value = view.get(name)
        if name in NUMBERS:
            low, high = NUMBERS[name]
            state.put(name, min(high, max(low, float(value))) if isinstance(value, (int, float)) else high)
        elif type(value) is type(state.PARAMS[name].default):
            state.put(name, value)
