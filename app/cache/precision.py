"""Scores by size and image by image that were computed, kept by run, classes and images."""

import numpy as np
import streamlit as st

from amn_core.formats.runs import Run
from app.cache import runs as cached


def load_sizes(run: Run, cuts: tuple[float, ...], classes: tuple[str, ...] = (), images: tuple[str, ...] = ()):
    """Score a run's objects by size (`amn_core.scoring.score_by_size`)."""
    return read_sizes(*cached.mark_version(run), cuts, classes, images, run)


@st.cache_resource(max_entries=48, show_spinner="Scoring objects by size…")
def read_sizes(path: str, modified: int, cuts: tuple, classes: tuple, images: tuple, _run: Run):
    """Score the objects, once for each version of the counts and each question."""
    from amn_core.scoring import score_by_size

    return score_by_size(_run, cuts, classes=classes, counts=cached.select_counts(_run, images))


def load_image_rates(run: Run, classes: tuple[str, ...] = ()):
    """Score precision, recall and error rates of every image (`amn_core.scoring.score_run_image_rates`)."""
    return read_image_rates(*cached.mark_version(run), classes, run)


@st.cache_resource(max_entries=24, show_spinner="Scoring every image at every threshold…")
def read_image_rates(path: str, modified: int, classes: tuple, _run: Run):
    """Score the images, once for each version of the counts and each choice of classes."""
    from amn_core.scoring import score_run_image_rates

    return score_run_image_rates(_run, classes=classes, counts=cached.load_counts(_run))


def load_image_curves(
    run: Run, averaging: str, classes: tuple[str, ...] = (), images: tuple[str, ...] = (),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Load the curves of the images that count: thresholds (T,), mIoU (N, T), and its quantiles (L, T)."""
    return read_image_curves(*cached.mark_version(run), averaging, classes, images, run)


@st.cache_resource(max_entries=24, show_spinner=False)
def read_image_curves(path: str, modified: int, averaging: str, classes: tuple, images: tuple, _run: Run):
    """Select the curves and find their quantiles, once for each question."""
    from amn_core.sweep.images import find_image_quantiles

    scores = cached.load_image_scores(_run, averaging, classes)
    miou = scores.miou[np.isin(scores.image_ids, images or scores.image_ids)]
    return scores.thresholds, miou, find_image_quantiles(miou)
