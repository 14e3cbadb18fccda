"""The planes of both cuts that were computed, kept by run, classes, averaging and images."""

import streamlit as st

from amn_core.formats.runs import Run
from app.cache import runs as cached


def load_plane(run: Run, averaging: str, classes: tuple[str, ...] = (), images: tuple[str, ...] = ()):
    """Score every pair of cuts of a run (`amn_core.scoring.score_run_cuts`); do not write to it.

    Raises:
        ValueError: the run's counts do not say what two cuts label.
    """
    return read_plane(*cached.mark_version(run), averaging, classes, images, run)


@st.cache_resource(max_entries=24, show_spinner=False)
def read_plane(path: str, modified: int, averaging: str, classes: tuple, images: tuple, _run: Run):
    """Score the plane, once for each version of the counts and each question."""
    from amn_core.scoring import score_run_cuts

    counts = cached.select_counts(_run, images)
    return score_run_cuts(_run, classes=classes, averaging=averaging, counts=counts)
