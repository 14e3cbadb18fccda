"""What the lessons are about: the bundled runs on drawn scenes and on photographs, and their images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import streamlit as st

from amn_core.formats.files import read_json
from amn_core.formats.runs import Run
from app import controls, roots
from app.cache import runs as cached
from app.charts.styles import RunStyle, build_styles

T = TypeVar("T")
KINDS = {"scenes": "drawn scenes", "voc": "photographs"}


@dataclass(frozen=True)
class Material:
    """The runs of one data set by method, and how each looks."""

    group: str
    runs: dict[str, Run]

    @property
    def styles(self) -> dict[str, RunStyle]:
        """The style of every run, by method."""
        labels = [run.method_label for run in self.runs.values()]
        return dict(zip(self.runs, build_styles(list(self.runs), labels), strict=True))

    @property
    def title(self) -> str:
        """What the runs were measured on, in words."""
        kind = KINDS.get(self.group.partition(":")[0], "images")
        images = len(cached.load_counts(next(iter(self.runs.values()))).image_ids)
        return f"{images} {kind}"


def find_material(kind: str, has_images: bool = False) -> Material | None:
    """Find runs of one network on a kind of data (``scenes`` or ``voc``); runs on other data if there are none of it.

    Bundled runs come first, and among them those with the most classes.

    Args:
        has_images: only runs whose images are on this machine.

    Returns:
        None if there is no run at all.
    """
    groups = controls.find_groups()
    if has_images:
        groups = {name: runs for name, runs in groups.items() if cached.get_dataset(next(iter(runs.values())))}
    bundled = roots.REPOSITORY / "checkpoints"
    order = sorted(groups, key=lambda name: (
        not name.startswith(f"{kind}:") and name.partition("/")[0] != kind,
        not all(bundled in run.path.parents for run in groups[name].values()),
        -len(find_scored_classes(next(iter(groups[name].values())))), -len(groups[name])))
    if not order:
        return None
    return Material(order[0], pick_network(list(groups[order[0]].values())))


def find_scored_classes(run: Run) -> tuple[str, ...]:
    """Find the classes that a run is scored over."""
    return tuple(run.scored_classes or run.class_names)


def pick_network(runs: list[Run]) -> dict[str, Run]:
    """Pick the runs of the backbone of the first one, one a method."""
    backbone = runs[0].meta.get("model", {}).get("backbone")
    picked: dict[str, Run] = {}
    for run in runs:
        if run.meta.get("model", {}).get("backbone") == backbone:
            picked.setdefault(run.method, run)
    return picked


def render_missing() -> None:
    """Say what to do where no run is there to learn from."""
    st.info(controls.EMPTY, icon=":material/folder_open:")


@dataclass(frozen=True)
class Sample:
    """One image with the maps of one run at a quarter of its size.

    image: (H, W, 3). gt, parts: (h, w), parts being the class where a small part names it, else 0. top: (h, w) uint8,
    the strongest activation in 255ths. label: (h, w) uint8, the class of it.
    """

    image_id: str
    image: np.ndarray
    gt: np.ndarray
    parts: np.ndarray
    top: np.ndarray
    label: np.ndarray
    class_ids: np.ndarray


def load_sample(run: Run, image_id: str) -> Sample:
    """Load an image and the strongest of its stored maps."""
    from amn_core.formats.maps import load_stored_map

    stored, class_ids, _ = load_stored_map(run.map_path(image_id))
    image, gt = cached.read_picture(run.meta["data"], run.meta.get("data_root", ""), run.meta["split"], image_id)
    dataset = cached.get_dataset(run)
    parts = dataset.parts(image_id) if hasattr(dataset, "parts") else np.zeros_like(gt)
    size = stored.shape[1:]
    label = class_ids[stored.argmax(axis=0)].astype(np.uint8)
    return Sample(image_id, image, shrink_labels(gt, size), shrink_labels(parts, size),
                  stored.max(axis=0).astype(np.uint8), label, class_ids)


@st.cache_resource(max_entries=6, show_spinner="Reading the maps…")
def load_samples(path: str, modified: int, _run: Run) -> list[Sample]:
    """Load all samples of a run, once."""
    return [load_sample(_run, image_id) for image_id in _run.map_ids]


def ask_samples(run: Run) -> list[Sample]:
    """Ask for all samples of a run."""
    return load_samples(*cached.mark_version(run), run)


def shrink_labels(gt: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Take the label at the centre of each pixel of a smaller grid."""
    rows, columns = (((np.arange(n) + 0.5) * full / n).astype(int) for n, full in zip(size, gt.shape, strict=True))
    return gt[np.ix_(rows, columns)]


def load_knob() -> dict | None:
    """Load what was measured over the range of the knob, None if nothing was."""
    try:
        return read_json(roots.REPOSITORY / "checkpoints" / "scenes" / "knob.json")
    except ValueError:
        return None


def remember(name: str, material: Material, make: Callable[[], T]) -> T:
    """Make something of a lesson's runs once, and again only when one of them changes."""
    marks = tuple(cached.mark_version(run) for run in material.runs.values())
    return keep(name, marks, make)


@st.cache_resource(max_entries=40, show_spinner="Reading the runs…")
def keep(name: str, marks: tuple, _make: Callable[[], T]) -> T:
    """Keep what was made by its name and the runs that it was made of."""
    return _make()
