"""The brush: a photograph to paint labels on, by pointer and keys; what is kept is sent as label, length, label, …"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st

HERE = Path(__file__).parent

_mount = st.components.v2.component(
    "amn_brusher",
    html=(HERE / "brusher.html").read_text(encoding="utf-8"),
    css=(HERE / "brusher.css").read_text(encoding="utf-8"),
    js=(HERE / "brusher.js").read_text(encoding="utf-8"),
)


def render_brusher(sheet: dict, jpeg: bytes, on_mask: Callable[[str, list], None], key: str = "brusher") -> None:
    """Put the brush on the screen.

    Args:
        sheet: ``id, image, width, height, labels`` (``value, name, key, colour``). on_mask: called with the id of the
            sheet and the mask as label, length, label, length …
    """
    def take() -> None:
        sent = st.session_state[key].mask
        if isinstance(sent, dict) and isinstance(sent.get("id"), str) and isinstance(sent.get("lengths"), list):
            on_mask(sent["id"], sent["lengths"])

    _mount(key=key, data={"sheet": sheet, "blob": np.frombuffer(jpeg, np.uint8)}, height="content",
           on_mask_change=take)
