"""The list of images beside the canvas: a name and one figure each, any length, kept in step in the browser."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from app import state

HERE = Path(__file__).parent
START = "image-list-start"

_mount = st.components.v2.component(
    "amn_image_list",
    html=(HERE / "list.html").read_text(encoding="utf-8"),
    css=(HERE / "list.css").read_text(encoding="utf-8"),
    js=(HERE / "list.js").read_text(encoding="utf-8"),
)


def render_image_list(
    names: Sequence[str], figures: Sequence[str], label: str, selected: str | None, on_pick: Callable[[str], None],
    key: str = "images",
) -> None:
    """Put the list on the screen.

    Args:
        names: image ids in the order to show. figures: a text for each. label: what the figures are.
        selected: the image on the canvas. on_pick: called with a name of the list.
    """
    known = frozenset(names)

    def take_pick() -> None:
        picked = st.session_state[key].pick
        if picked in known:
            on_pick(picked)

    content = {"names": "\n".join(names), "figures": "\n".join(figures), "label": label}
    revision = f"{hash((content['names'], content['figures'], label))}/{state.get_visit()}"
    if st.session_state.get(START, {}).get("revision") != revision:
        # the canvas tells the list of later steps; the data stay as they are, so that nothing is sent again
        st.session_state[START] = {"revision": revision, "selected": selected}
    _mount(key=key, data={**content, **st.session_state[START]}, height="content", on_pick_change=take_pick)
