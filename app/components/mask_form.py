"""Painting on *Label*: one image after another by a brush, each kept as a label PNG and as answers."""

import numpy as np
import streamlit as st

from amn_core.formats.runs import Run
from app import brushing, state
from app.cache import answers as cached_answers
from app.components.brusher import render_brusher
from app.words.answers import write_details, write_verdict
from app.words.text import escape

SHEET, LAST, FAULT = "mask-sheet", "mask-last", "mask-fault"


def render_painting(run: Run, key: str, who: str, standing: cached_answers.Standing) -> None:
    """Draw the brush, what was kept last, and where the threshold stands."""
    place = (key, state.get_visit())
    if st.session_state.get(SHEET, (None,))[0] != place:
        st.session_state[SHEET] = (place, brushing.draw_sheet(run, np.random.default_rng()))
    sheet = st.session_state[SHEET][1]
    render_brusher(sheet.describe(), sheet.jpeg, lambda sent, lengths: keep(run, place, sent, lengths, who),
                   key=f"brusher:{key}:{state.get_visit()}")
    if fault := st.session_state.pop(FAULT, None):
        st.error(escape(fault))
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if painted := st.session_state.get(LAST):
            st.caption(f"Kept as {escape(painted.path.name)}, {len(painted.entries)} of its pixels as answers.")
            st.button("Take it back", icon=":material/undo:", on_click=take_back)
        st.button("Another image", icon=":material/skip_next:", on_click=st.session_state.pop, args=(SHEET, None))
    n, bounds = round(standing.placed.answers.counts.sum()), standing.bounds  # pixels of one image count as few
    st.markdown(f"**{write_verdict(standing.threshold, bounds, n)}**")
    st.caption(write_details(standing.at(int(bounds.first)), standing.at(int(bounds.last)), bounds, n))


def keep(run: Run, place: tuple, sent: str, lengths: list, who: str) -> None:
    """Keep what was painted, once, and draw the next image; a viewer of a classroom writes nothing."""
    held, sheet = st.session_state.get(SHEET, (None, None))
    if held != place or sheet.id != sent or state.is_classroom():
        return
    try:
        st.session_state[LAST] = brushing.keep_mask(run, sheet, lengths, who)
    except (ValueError, OSError) as error:
        st.session_state[FAULT] = str(error)
        return
    st.session_state[SHEET] = (place, brushing.draw_sheet(run, np.random.default_rng()))


def take_back() -> None:
    """Take the last mask back."""
    if state.is_classroom():
        return
    brushing.take_back(st.session_state.pop(LAST))
