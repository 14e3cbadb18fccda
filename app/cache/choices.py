"""The caches of *Choose a threshold*; keys are those of `app.cache.runs`: paths, modification times and questions."""

import streamlit as st

from amn_core.formats.runs import Run
from app.cache import runs as cached

PARTS = {"all": "all images", "even": "even half", "odd": "odd half"}


def select_part(run: Run, images: tuple[str, ...], part: str):
    """Load the counts of all chosen images, and of the part of them that is scored."""
    from amn_core.commands.select import select_part as select

    counts = cached.select_counts(run, images)
    return counts, select(counts, part)


def load_choices(run: Run, averaging: str, classes: tuple[str, ...], images: tuple[str, ...], part: str) -> list[dict]:
    """Score every selector on a run (`amn_core.commands.select.score_selectors`), those with labels too, best first."""
    from amn_core.commands.select import describe_budget

    cam = find_cam(run)
    marks = cached.mark_version(run) + (cached.mark_version(cam) if cam else ())
    rows = read_choices(marks, averaging, classes, images, part, run, cam)
    labelled = describe_budget(load_budget(run, averaging, classes, images, part))
    return sorted([*rows, *labelled], key=lambda row: row["regret"])


def find_cam(run: Run) -> Run | None:
    """Find a CAM on the same data that lends the area of its mask: the run itself, or one of its backbone first."""
    from amn_core.commands.select import order_cams

    group = next(runs for runs in cached.group_runs().values() if run.path in {one.path for one in runs.values()})
    cams = [one for one in group.values() if one.method == "cam" and one.has_counts]
    return run if run.method == "cam" else next(iter(order_cams(run, cams)), None)


@st.cache_resource(max_entries=48, show_spinner="Choosing thresholds in every way…")
def read_choices(marks: tuple, averaging: str, classes: tuple, images: tuple, part: str, _run: Run, _cam: Run | None):
    """Score every selector, once for each version of the counts and each question."""
    from amn_core.commands.select import match_images, score_selectors

    _, scored = select_part(_run, images, part)
    cam = match_images(cached.load_counts(_cam), scored) if _cam else None
    return score_selectors(scored, _run.method, averaging, list(classes) or None, cached.RESAMPLES, cam=cam)


def load_budget(run: Run, averaging: str, classes: tuple[str, ...], images: tuple[str, ...], part: str):
    """Score thresholds chosen on labelled images (`amn_core.choosing.budget.score_budget`)."""
    return read_budget(*cached.mark_version(run), averaging, classes, images, part, run)


@st.cache_resource(max_entries=48, show_spinner="Drawing labelled images…")
def read_budget(path: str, modified: int, averaging: str, classes: tuple, images: tuple, part: str, _run: Run):
    """Draw labelled images again and again, once for each version of the counts and each question."""
    from amn_core.choosing.budget import build_folds, score_budget

    counts, _ = select_part(_run, images, part)
    folds = build_folds(len(counts.image_ids), part)
    return score_budget(counts, folds, averaging=averaging, classes=list(classes) or None, draws=cached.RESAMPLES)


def load_confident(run: Run, images: tuple[str, ...], part: str):
    """Score every pair of confident thresholds (`amn_core.choosing.confident.score_confident`)."""
    return read_confident(*cached.mark_version(run), images, part, run)


@st.cache_resource(max_entries=48, show_spinner=False)
def read_confident(path: str, modified: int, images: tuple, part: str, _run: Run):
    """Score the pairs, once for each version of the counts and each part of the images."""
    from amn_core.choosing.confident import score_confident

    return score_confident(select_part(_run, images, part)[1])
