"""The list of images beside the canvas: a name and one figure each, any length, kept in step in the browser."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from app import state
from app.components.live import read_scripts

HERE = Path(__file__).parent
START = "image-list-start"

_mount = st.components.v2.component(
    "amn_image_list",
    html=(HERE / "list.html").read_text(encoding="utf-8"),
    css=(HERE / "list.css").read_text(encoding="utf-8"),
    js="\n".join([read_scripts("bench.js"), (HERE / "list.js").read_text(encoding="utf-8")]),
)
UNDEFINED = 65535


def render_image_list(
    names: Sequence[str], figures: Sequence[str], label: str, selected: str | None,
    on_pick: Callable[[str, list[str]], None], live: np.ndarray | None = None, is_ascending: bool = False,
    of: str = "", key: str = "images",
) -> None:
    """Put the list on the screen.

    Args:
        names: image ids in the order to show. figures: a text for each. label: what the figures are.
        selected: the image on the canvas.
        on_pick: called with a name of the list and the names around it, the likeliest next first.
        live: (N, 201) the figures at each step of the threshold, fractions of 1, NaN where undefined. With them the
            list follows the threshold and sorts itself when the hand lets go; `figures` stand where one is undefined.
        is_ascending: the order of a live list. of: whose figures they are.
    """
    known = frozenset(names)

    def take_pick() -> None:
        picked = st.session_state[key].pick
        if isinstance(picked, dict) and picked.get("name") in known:
            on_pick(picked["name"], [name for name in picked.get("next", []) if name in known])

    content = {"names": "\n".join(names), "figures": "\n".join(figures), "label": label, "of": of,
               "isAscending": is_ascending}
    if live is not None:
        content["live"] = np.where(np.isnan(live), UNDEFINED, np.rint(live * 10_000)).astype(np.uint16).ravel()
    digest = "" if live is None else hash(content["live"].tobytes())
    revision = f"{hash((*names, *figures, label, of, is_ascending, digest))}/{state.get_visit()}"
    if st.session_state.get(START, {}).get("revision") != revision:
        # the canvas tells the list of later steps; the data stay as they are, so that nothing is sent again
        start = {"revision": revision, "selected": selected, "index": round(state.get("t") * 200)}
        st.session_state[START] = start
    start = st.session_state[START]
    data = {"list": {**{k: v for k, v in content.items() if k != "live"}, **start}}
    _mount(key=key, data=data | ({"live": content["live"]} if live is not None else {}), height="content",
           on_pick_change=take_pick)
