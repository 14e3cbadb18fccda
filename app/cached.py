"""Every cache of the app. Keys are ids, paths and modification times, never pixels."""

import numpy as np
import streamlit as st

from amn_core.data import DataError, Dataset, load_dataset
from amn_core.formats.runs import Run
from app import roots


@st.cache_resource(ttl="5s", show_spinner=False)
def find_runs() -> dict[str, Run]:
    """Find every run by its key; looked up on disk again after five seconds."""
    return roots.find_runs()


def clear_runs() -> None:
    """Look for runs and data sets anew, after something was added."""
    find_runs.clear()
    find_dataset.clear()


def group_runs() -> dict[str, dict[str, Run]]:
    """Group the runs by data set and split, ``voc:VOC2012/train``: only these are compared with one another."""
    groups: dict[str, dict[str, Run]] = {}
    for key, run in find_runs().items():
        groups.setdefault(f"{run.meta['data']}/{run.meta['split']}", {})[key] = run
    return groups


def mark_version(run: Run) -> tuple[str, int]:
    """Mark the counts of a run for a cache: their folder and time of modification."""
    return str(run.path), run.counts_path.stat().st_mtime_ns


def load_counts(run: Run):
    """Load the counts of a run; the object is shared between sessions, do not write to it."""
    return read_counts(*mark_version(run), run)


@st.cache_resource(max_entries=24, show_spinner=False)
def read_counts(path: str, modified: int, _run: Run):
    """Read counts, once for each path and time of modification."""
    return _run.counts()


def load_image_scores(run: Run, averaging: str = "union", classes: tuple[str, ...] = ()):
    """Score every image of a run at every threshold (`amn_core.sweep.scores.score_images`), all classes by default."""
    return read_image_scores(*mark_version(run), averaging, classes, run)


@st.cache_resource(max_entries=48, show_spinner="Scoring every image at every threshold…")
def read_image_scores(path: str, modified: int, averaging: str, classes: tuple, _run: Run):
    """Score the images, once for each version of the counts and each choice of classes."""
    from amn_core.sweep.scores import score_images

    return score_images(load_counts(_run), averaging, list(classes) or None)


@st.cache_resource(ttl="60s", max_entries=16, show_spinner=False)
def find_dataset(data: str, data_root: str, split: str) -> Dataset | None:
    """Open the data set that a run was made on, if its images are on this machine.

    Drawn data sets always are. For files, the folder that the run remembers is tried first, then every data
    set of the same kind and folder name that the user told of. None if there is none.
    """
    for spec in list_candidates(data, data_root):
        try:
            return load_dataset(spec, split)
        except (DataError, ImportError):
            continue
    return None


def list_candidates(data: str, data_root: str) -> list[str]:
    """List the specs under which the images of a run may be found, most likely first."""
    kind, _, name = data.partition(":")
    if kind not in ("voc", "folder", "coco"):
        return [data]
    told = [spec for spec in roots.list_data_specs() if spec.startswith(f"{kind}:")]
    told.sort(key=lambda spec: not spec.rstrip("/").endswith(f"/{name}"))
    return [f"{kind}:{data_root}"] * bool(data_root) + told


def get_dataset(run: Run) -> Dataset | None:
    """Open the data set of a run, None if its images are not on this machine."""
    return find_dataset(run.meta["data"], run.meta.get("data_root", ""), run.meta["split"])


@st.cache_resource(max_entries=64, show_spinner=False)
def read_picture(data: str, data_root: str, split: str, image_id: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Load a photograph, (H, W, 3) uint8, and its ground truth, (H, W) uint8 or None; both read-only."""
    dataset = find_dataset(data, data_root, split)
    image, gt = dataset.image(image_id), dataset.gt(image_id)
    image.setflags(write=False)
    if gt is not None:
        gt.setflags(write=False)
    return image, gt


def load_summary(run: Run, averaging: str, classes: tuple[str, ...] = (), images: tuple[str, ...] = (),
                 threshold: float | None = None):
    """Summarise a run (`amn_core.sweep.summarise`) over some classes and images, all if none are named."""
    return read_summary(*mark_version(run), averaging, classes, images, threshold, run)


@st.cache_resource(max_entries=256, show_spinner=False)
def read_summary(path: str, modified: int, averaging: str, classes: tuple, images: tuple, threshold, _run: Run):
    """Summarise a run, once for each version of its counts and each question."""
    from amn_core.sweep.protocols import Protocol
    from amn_core.sweep.scores import summarise

    return summarise(
        select_counts(_run, images), Protocol(averaging, averaging), list(classes) or None, threshold=threshold,
    )


def select_counts(run: Run, images: tuple[str, ...] = ()):
    """Load the counts of those images that the run has, of all if none are named."""
    counts = load_counts(run)
    return counts.select([i for i in counts.image_ids if i in set(images)]) if images else counts


def load_confusion(run: Run, images: tuple[str, ...] = ()) -> np.ndarray:
    """Load the confusion matrices of a run over some images: (T, C, C) int64, read-only."""
    return read_confusion(*mark_version(run), images, run)


@st.cache_resource(max_entries=48, show_spinner=False)
def read_confusion(path: str, modified: int, images: tuple, _run: Run) -> np.ndarray:
    """Score the confusion matrices, once for each version of the counts and each choice of images."""
    from amn_core.sweep.scores import score_confusion

    confusion = score_confusion(select_counts(_run, images))
    confusion.setflags(write=False)
    return confusion


def load_class_separation(run: Run, images: tuple[str, ...] = ()):
    """Load what separation a run has by class, images pooled: `Separation` of (C,), histograms (C, 3, T+1)."""
    return read_class_separation(*mark_version(run), images, run)


@st.cache_resource(max_entries=48, show_spinner=False)
def read_class_separation(path: str, modified: int, images: tuple, _run: Run):
    """Pool and score the histograms, once for each version of the counts and each choice of images."""
    from amn_core.sweep.separation import pool_separation, score_separation

    counts = select_counts(_run, images)
    bins, moments = pool_separation(counts)
    return score_separation(bins, moments, counts.thresholds), bins
