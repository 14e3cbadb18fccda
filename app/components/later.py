"""Parts of a screen that a large data set makes slow: the rest stands at once, and they come when they are ready."""

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future

import streamlit as st

from amn_core.formats.runs import Run
from app.cache import runs as cached

MANY = 10_000  # images of a run, above which what takes seconds is computed beside the screen


def is_large(runs: Sequence[Run]) -> bool:
    """Tell whether a run has so many images that its slow parts should not hold up the screen."""
    return any(len(cached.load_counts(run).image_ids) > MANY for run in runs)


def render_later(what: str, runs: Sequence[Run], question: Hashable, warm: Callable[[], None],
                 draw: Callable[[], None]) -> None:
    """Render a part of the screen, once what it needs is in the caches.

    Args:
        what: is computed, for the line that stands in its place. runs: whose images decide whether one waits.
        question: everything that the answer depends on besides the counts.
        warm: fills the caches; it runs in another thread, so it knows no session. draw: draws from them.

    Raises:
        Whatever `warm` raised.
    """
    if not is_large(runs):
        draw()
        return
    future = start(tuple(map(cached.mark_version, runs)), (what, question), warm)
    if not future.done():
        wait_for(what, future)
        return
    future.result()
    draw()


@st.cache_resource(max_entries=64, show_spinner=False)
def start(marks: tuple, question: Hashable, _warm: Callable[[], None]) -> Future:
    """Start to fill the caches, once for each version of the counts and each question."""
    return cached.get_worker().submit(_warm)  # one after another, so that their memory does not add up


@st.fragment(run_every=1.0)
def wait_for(what: str, future: Future) -> None:
    """Say what is on its way, and draw the page anew when it is there."""
    if future.done():
        st.rerun()
    st.caption(f":material/hourglass_top: {what}: being computed. Everything else works meanwhile, and you may leave.")
