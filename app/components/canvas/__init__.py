"""The live canvas: methods side by side, layers, and a threshold that moves in the browser.

The threshold is an index into the default thresholds while it is in the browser, and a number in the state of the
app. Nothing is sent while something is dragged; on release the whole view arrives at once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app import state
from app.charts.colour_maps import COLOUR_MAPS

HERE = Path(__file__).parent
SCRIPTS = ("model.js", "paint.js", "stage.js", "instrument.js", "readout.js", "controls.js", "main.js")
STEPS = 200
VIEW = ("layer", "colours", "opacity", "contour", "truth", "class", "swipe")
CHOICES = {"layer": ("heat", "mask", "errors", "seed", "photo"), "colours": COLOUR_MAPS}
START = "canvas-start"
STEPPED = "canvas-stepped"

_mount = st.components.v2.component(
    "amn_canvas",
    html=(HERE / "canvas.html").read_text(encoding="utf-8"),
    css=(HERE / "canvas.css").read_text(encoding="utf-8"),
    js="\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS),
)


def render_canvas(
    meta: dict[str, Any], blob: np.ndarray, revision: str, key: str = "canvas", place: tuple[int, int] = (0, 0),
    reserve: int = 0, on_step: Callable[[int], None] | None = None,
) -> None:
    """Put the canvas on the screen; the shared state follows it.

    To be called in a fragment: then the release of the threshold reruns nothing else.

    Args:
        meta, blob: of `pack_image`. revision: changes whenever they do.
        place: position of the image in its list, from 1, and the length of the list; (0, 0) for a single image.
        reserve: pixels of the window to leave free below. on_step: called with -1 or 1 for the image before or after.
    """
    described = {
        **meta, "position": place[0], "total": place[1], "reserve": reserve, "revision": f"{revision}/{place}",
        "start": get_start(key),
    }

    def take_view() -> None:
        store_view(st.session_state[key].view)
        state.publish()  # in a fragment nobody else does

    def take_step() -> None:
        if on_step and st.session_state[key].step:
            on_step(int(st.session_state[key].step))
            st.session_state[STEPPED] = True

    _mount(
        key=key, data={"meta": described, "blob": blob}, height="content", on_view_change=take_view,
        on_step_change=take_step,
    )
    if st.session_state.pop(STEPPED, False):
        st.rerun()  # another image is another matter for the whole page


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
        if type(view.get(name)) is type(state.PARAMS[name].default) or name == "opacity":
            state.put(name, view[name])
