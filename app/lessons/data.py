"""What the lessons are about: the bundled runs on drawn scenes and on photographs, and one map at a time."""

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from amn_core.formats.files import read_json
from amn_core.formats.runs import Run
from app import controls, roots
from app.cache import runs as cached
from app.charts.styles import RunStyle, build_styles
from app.lessons.manipulation import Manipulation, manipulate

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
    """Find runs on a kind of data (``scenes`` or ``voc``), bundled ones first; others if there are none of it.

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
        not all(bundled in run.path.parents for run in groups[name].values()), -len(groups[name])))
    if not order:
        return None
    runs: dict[str, Run] = {}
    for run in groups[order[0]].values():
        runs.setdefault(run.method, run)
    return Material(order[0], runs)


def render_missing() -> None:
    """Say what to do where no run is there to learn from."""
    st.info(controls.EMPTY, icon=":material/folder_open:")


@dataclass(frozen=True)
class Sample:
    """One image with the maps of one run: image (H, W, 3), gt (H, W) or None, cam (K, H, W), class_ids (K,)."""

    image: np.ndarray
    gt: np.ndarray | None
    cam: np.ndarray
    class_ids: np.ndarray


def load_sample(run: Run, image_id: str) -> Sample:
    """Load an image and its maps.

    Raises:
        ValueError: there is neither a map nor a checkpoint.
    """
    image, gt = cached.read_picture(run.meta["data"], run.meta.get("data_root", ""), run.meta["split"], image_id)
    cam, class_ids = cached.load_map(run, image_id, image.shape[:2])
    return Sample(image, gt, cam, class_ids)


def load_parts(run: Run, image_id: str) -> np.ndarray | None:
    """Load where the small parts are that name the classes, (H, W); None for photographs."""
    dataset = cached.get_dataset(run)
    return dataset.parts(image_id) if hasattr(dataset, "parts") else None


@st.cache_resource(max_entries=64, show_spinner=False)
def infer_with_labels(path: str, modified: int, image_id: str, class_ids: tuple[int, ...], _run: Run) -> np.ndarray:
    """Infer the maps of an image for any labels, right or wrong: (K, H, W); once for each question."""
    image, _ = cached.read_picture(_run.meta["data"], _run.meta.get("data_root", ""), _run.meta["split"], image_id)
    cam, _ = cached.infer_map(_run, image, np.asarray(class_ids), _run.is_registered)
    cam.setflags(write=False)
    return cam


def ask_map(run: Run, image_id: str, class_ids: tuple[int, ...]) -> np.ndarray:
    """Ask for the maps of an image under some labels, increasing class ids; (K, H, W)."""
    return infer_with_labels(str(run.path), run.checkpoint_path.stat().st_mtime_ns, image_id, class_ids, run)


@st.cache_resource(max_entries=4, show_spinner=False)
def read_all_maps(path: str, modified: int, _run: Run) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Read all maps of a run at their stored size, with the ground truth at the same pixels, once."""
    from amn_core.formats.maps import LEVELS, load_stored_map

    found = []
    for image_id in _run.map_ids:
        stored, class_ids, _ = load_stored_map(_run.map_path(image_id))
        _, gt = cached.read_picture(
            _run.meta["data"], _run.meta.get("data_root", ""), _run.meta["split"], image_id)
        found.append((image_id, stored.astype(np.float32) / LEVELS, class_ids, shrink_labels(gt, stored.shape[1:])))
    return found


def shrink_labels(gt: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Take the label at the centre of each pixel of a smaller grid."""
    rows, columns = (((np.arange(n) + 0.5) * full / n).astype(int) for n, full in zip(size, gt.shape, strict=True))
    return gt[np.ix_(rows, columns)]


@st.cache_resource(max_entries=48, show_spinner="Counting every map again…")
def count_manipulated(path: str, modified: int, manipulation: Manipulation, _run: Run):
    """Count all maps of a run after a manipulation, at a quarter of the size: a summary."""
    from amn_core.scoring import score_run
    from amn_core.sweep.counts import CountsBuilder

    builder = CountsBuilder(_run.class_names)
    for image_id, cam, class_ids, gt in read_all_maps(path, modified, _run):
        builder.add(image_id, manipulate(cam, manipulation, gt), class_ids, gt)
    return score_run(_run, counts=builder.build())


def ask_summary(run: Run, manipulation: Manipulation):
    """Ask for the summary of a run after a manipulation; what has no effect is asked for once."""
    if not manipulation.sharpness:
        manipulation = replace(manipulation, level=Manipulation.level)
    return count_manipulated(*cached.mark_version(run), manipulation, run)


def load_knob() -> dict | None:
    """Load what was measured over the range of the knob, None if nothing was."""
    try:
        return read_json(roots.REPOSITORY / "checkpoints" / "scenes" / "knob.json")
    except ValueError:
        return None
