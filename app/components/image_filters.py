"""The filters of images that Explore and Images share, and what is said where no image fits them."""

import math

import pandas as pd
import streamlit as st

from app import state
from app.browser import NUMBERS, RANGES, SIZES, clear_filters, find_extent


def render_more_filters(table: pd.DataFrame) -> None:
    """Draw the filters by content and by figure, closed at first.

    Args:
        table: as `app.browser.build_table` builds it, before any filter; a figure that it lacks has no slider.
    """
    with st.popover("More filters", icon=":material/filter_alt:", width="content"):
        st.selectbox("Classes in the image", ["any", *NUMBERS], **state.bind("number"))
        st.selectbox("Size of the objects", ["any", *SIZES], **state.bind("size"))
        for name, figure in RANGES.items():
            if extent := find_extent(table, figure):
                st.slider(figure.title, *extent, step=figure.step, format=figure.form,
                          help="Narrowed, it leaves out the images where this is undefined.",
                          **bind_range(name, extent))


def bind_range(name: str, extent: tuple[float, float]) -> dict:
    """Tie a slider with two handles to a shared range; a handle at the end of the slider means no bound."""
    key = f"widget:{name}"
    bounds = state.get(name) or (-math.inf, math.inf)
    st.session_state[key] = tuple(min(max(bound, extent[0]), extent[1]) for bound in bounds)

    def store() -> None:
        low, high = (round(bound, 6) for bound in st.session_state[key])
        chosen = (low if low > extent[0] else -math.inf, high if high < extent[1] else math.inf)
        state.put(name, None if chosen == (-math.inf, math.inf) else chosen)

    return {"key": key, "on_change": store}


def render_no_fit() -> None:
    """Say that no image fits, and offer the way back."""
    st.info("No image fits. Widen the filters or clear them all.", icon=":material/filter_alt_off:")
    st.button("Clear name and filters", icon=":material/restart_alt:", on_click=clear_filters)
