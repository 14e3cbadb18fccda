"""The place of the sentence at the top of a screen, and sentences that follow the threshold while it is dragged."""

from collections.abc import Sequence

import streamlit as st

from app import state
from app.components.live import STEPS, read_scripts

_mount = st.components.v2.component(
    "amn_live_text", html='<p class="sentence"></p>', css=read_scripts("text.css"),
    js=read_scripts("bench.js", "text.js"))


def render_claim(text: str) -> None:
    """Render the sentence that a screen opens with; names in it are shown as they are, never as Markdown."""
    with st.container(key="claim"):
        st.text(text)


def render_live_text(texts: Sequence[str], key: str, look: str = "") -> None:
    """Render a sentence that follows the bar.

    Args:
        texts: one for each step of the bar, 201. look: ``claim`` for the sentence that a screen opens with.
    """
    data = {"texts": "\n".join(" ".join(text.split()) for text in texts), "index": round(state.get("t") * STEPS),
            "look": look}
    _mount(key=key, data=data, height="content")
