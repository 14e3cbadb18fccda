"""The caches of *Choose a threshold*; keys are those of `app.cache.runs`: paths, modification times and questions."""

import numpy as np
import streamlit as st

from amn_core.formats.runs import Run
from app.cache import answers as cached_answers
from app.cache import runs as cached

PEOPLE = 60
PARTS = {"all": "all images", "even": "even half", "odd": "odd half"}


def select_part(run: Run, images: tuple[str, ...], part: str):
    """Load the counts of all chosen images, and of the part of them that is scored."""
    from amn_core.commands.select import select_part as select

    counts = cached.select_counts(run, images)
    return counts, select(counts, part)


def load_choices(run: Run, averaging: str, classes: tuple[str, ...], images: tuple[str, ...], part: str) -> list[dict]:
    """Score every selector on a run (`amn_core.commands.select.score_selectors`), those with labels too, best first."""
    from amn_core.commands.select import describe_budget, describe_points

    cam = find_cam(run)
    marks = cached.mark_version(run) + (cached.mark_version(cam) if cam else ())
    rows = read_choices(marks, averaging, classes, images, part, run, cam)
    labelled = describe_budget(load_budget(run, averaging, classes, images, part))
    pointed = describe_points(load_point_budget(run, averaging, classes, images, part))
    return sorted([*rows, *labelled, *pointed], key=lambda row: row["regret"])


def load_told(
    run: Run, averaging: str, classes: tuple[str, ...], images: tuple[str, ...], part: str, share: float | None
) -> list[dict]:
    """Score what the user told: a share of foreground, and the answers at pixels that are kept for the run."""
    from amn_core.choosing.selection import score_choices
    from amn_core.choosing.shares import choose_share
    from amn_core.commands.select import describe_choice

    _, scored = select_part(run, images, part)
    told = [choose_share(scored, share)] if share else []
    told += [answered] if (answered := choose_answered(run, scored.thresholds)) else []
    scores = score_choices(scored, told, averaging, list(classes) or None, cached.RESAMPLES)
    return [describe_choice(one, score, scored.thresholds) for one, score in zip(told, scores, strict=True)]


def choose_answered(run: Run, thresholds):
    """Choose by the answers that are kept; None where none is for the run, or it has no maps to place them on."""
    from amn_core.choosing.selection import Choice
    from amn_core.sweep.curves import find_threshold

    if not run.has_maps or not cached_answers.load_kept():
        return None
    standing = cached_answers.load_standing(run)
    n = len(standing.placed.entries)
    index = np.asarray(find_threshold(thresholds, standing.threshold))
    return Choice("answers", "Your answers at pixels", f"points:{n}", "ours", "data set", index) if n else None


def load_tolerance(
    run: Run, averaging: str, classes: tuple[str, ...], images: tuple[str, ...], part: str
) -> tuple[float, float]:
    """Find between which shares of foreground less than a point is lost."""
    from amn_core.choosing.shares import find_tolerance
    from amn_core.sweep import score_confusion, score_miou
    from amn_core.sweep.confusion import find_classes

    _, scored = select_part(run, images, part)
    kept = find_classes(scored.class_names, list(classes) or None)
    return find_tolerance(scored, score_miou(score_confusion(scored), averaging, kept))


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


def load_point_budget(run: Run, averaging: str, classes: tuple[str, ...], images: tuple[str, ...], part: str):
    """Score thresholds from simulated answers at pixels (`amn_core.choosing.point_budget.score_point_budget`)."""
    return read_point_budget(*cached.mark_version(run), averaging, classes, images, part, run)


@st.cache_resource(max_entries=48, show_spinner="Simulating answers at pixels…")
def read_point_budget(path: str, modified: int, averaging: str, classes: tuple, images: tuple, part: str, _run: Run):
    """Simulate people, once for each version of the counts and each question."""
    from amn_core.choosing.budget import build_folds
    from amn_core.choosing.point_budget import score_point_budget

    counts, _ = select_part(_run, images, part)
    folds = build_folds(len(counts.image_ids), part)
    return score_point_budget(counts, folds, averaging=averaging, classes=list(classes) or None, people=PEOPLE)


def load_confident(run: Run, images: tuple[str, ...], part: str):
    """Score every pair of confident thresholds (`amn_core.choosing.confident.score_confident`)."""
    return read_confident(*cached.mark_version(run), images, part, run)


@st.cache_resource(max_entries=48, show_spinner=False)
def read_confident(path: str, modified: int, images: tuple, part: str, _run: Run):
    """Score the pairs, once for each version of the counts and each part of the images."""
    from amn_core.choosing.confident import score_confident

    return score_confident(select_part(_run, images, part)[1])
