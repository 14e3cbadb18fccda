"""The labeller: a photograph with a marked pixel, the pixel enlarged, keys, and the curve with its band beside it.

The browser holds the next questions, so that an answer paints the next one at once; what was answered is sent as a list
that grows until the server says that it is kept, so that nothing is lost between two fast keys.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st

HERE = Path(__file__).parent

_mount = st.components.v2.component(
    "amn_labeller",
    html=(HERE / "labeller.html").read_text(encoding="utf-8"),
    css=(HERE / "labeller.css").read_text(encoding="utf-8"),
    js="\n".join((HERE / name).read_text(encoding="utf-8") for name in ("curve.js", "labeller.js")),
)


def render_labeller(
    questions: list[dict], blob: np.ndarray, standing: dict, kept: int, on_answers: Callable[[list], None],
    key: str = "labeller",
) -> None:
    """Put the labeller on the screen; to be called in a fragment.

    Args:
        questions, blob: of `pack_questions`, the next ones first. standing: the curve, its band and the sentence.
        kept: number of the last answer that is kept. on_answers: called with dicts ``number, question, answer``
            (background, other, unsure, ``object:NAME``, or back), oldest first; some may be kept already.
    """
    def take() -> None:
        on_answers(list(st.session_state[key].answers or []))

    _mount(key=key, data={"meta": {"questions": questions, "standing": standing, "kept": kept}, "blob": blob},
           height="content", on_answers_change=take)
