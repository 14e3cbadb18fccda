"""The caches of runs, their figures and their maps. Keys are ids, paths and modification times, never pixels."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st

from amn_core.constants import METHODS
from amn_core.data import DataError, Dataset, load_dataset
from amn_core.formats import run_names
from amn_core.formats.runs import Run
from amn_core.formats.specs import place_root, split_spec
from app import getting, roots
from app.charts.styles import RunStyle, build_styles

RESAMPLES = 400


@st.cache_resource(ttl="5s", show_spinner=False)
def find_runs() -> dict[str, Run]:
    """Find every run by its key; looked up on disk again after five seconds."""
    return roots.find_runs()


def clear_runs() -> None:
    """Look for runs and data sets anew, after something was added."""
    find_runs.clear()
    find_dataset.clear()


def group_runs() -> dict[str, dict[str, Run]]:
    """Group the runs by data set and split, ``voc:VOC2012/train``: only these are compared.

    A checkpoint that lies by itself is on no data set, and in no group.
    In a group the runs are in the order of `METHODS`.
    """
    groups: dict[str, dict[str, Run]] = {}
    for key, run in sorted(find_runs().items(), key=lambda item: METHODS.index(item[1].method)):
        if not run.meta["data"]:
            continue
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
    """Score every image at every threshold (`amn_core.scoring.score_run_images`)."""
    return read_image_scores(*mark_version(run), averaging, classes, run)


@st.cache_resource(max_entries=48, show_spinner="Scoring every image at every threshold…")
def read_image_scores(path: str, modified: int, averaging: str, classes: tuple, _run: Run):
    """Score the images, once for each version of the counts and each choice of classes."""
    from amn_core.scoring import score_run_images

    return score_run_images(_run, classes=classes, averaging=averaging, counts=load_counts(_run))


@st.cache_resource(ttl="60s", max_entries=16, show_spinner=False)
def find_dataset(data: str, data_root: str, split: str) -> Dataset | None:
    """Open the data set that a run was made on, if its images are on this machine.

    Drawn data sets always are. For files, the folder that the run remembers is tried first, then those of
    other runs on the same data, then every data set of the same kind that the user told of. None if there is none.
    """
    for spec in list_candidates(data, data_root):
        try:
            return load_dataset(spec, split)
        except (DataError, ImportError, OSError, ValueError):
            continue
    return None


def list_candidates(data: str, data_root: str) -> list[str]:
    """List the specs under which the images of a run may be found, most likely first."""
    wanted = split_spec(data)
    if wanted is None:
        return [data]
    told = [spec.root for spec in map(split_spec, roots.list_data_specs()) if spec and spec.kind == wanted.kind]
    told.sort(key=lambda root: Path(root).name != wanted.root)
    remembered = [run.meta.get("data_root", "") for run in find_runs().values() if run.meta["data"] == data]
    found = getting.find_voc() if wanted.kind == "voc" else None
    places = dict.fromkeys(filter(None, [data_root, *remembered, *told, found and str(found)]))
    return [place_root(data, place) for place in places]


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


@st.cache_resource
def get_worker() -> ThreadPoolExecutor:
    """Get the one thread that computes what would hold up a screen."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="app-bootstrap")


def ask_bootstrap(run: Run, averaging: str, classes: tuple[str, ...] = (), images: tuple[str, ...] = ()) -> Future:
    """Ask for the bootstrap of a run over its images, sorted by id so that runs asked for apart are paired."""
    return start_bootstrap(*mark_version(run), averaging, classes, images, run)


@st.cache_resource(max_entries=64, show_spinner=False)
def start_bootstrap(path: str, modified: int, averaging: str, classes: tuple, images: tuple, _run: Run) -> Future:
    """Start to draw the images of a run with replacement, once for each version of its counts and each question."""
    return get_worker().submit(draw_bootstrap, _run, images, averaging, classes)


def draw_bootstrap(run: Run, images: tuple[str, ...], averaging: str, classes: tuple[str, ...]):
    """Draw the images of a run with replacement and score each draw."""
    from amn_core.scoring import choose_terms, draw_runs

    counts = select_counts(run, images)
    counts = counts.select(sorted(counts.image_ids))
    terms = choose_terms(run, counts, classes=classes, averaging=averaging)
    return draw_runs([run], [counts], [terms], resamples=RESAMPLES)[0]


def load_thumbnail(run: Run, image_id: str, width: int = 260) -> bytes:
    """Load a photograph as a small WebP.

    Raises:
        DataError: it cannot be read.
    """
    return read_thumbnail(run.meta["data"], run.meta.get("data_root", ""), run.meta["split"], image_id, width)


@st.cache_resource(max_entries=512, show_spinner=False)
def read_thumbnail(data: str, data_root: str, split: str, image_id: str, width: int) -> bytes:
    """Make a small picture of a photograph, once: 4:3, transparent where it is narrower."""
    from io import BytesIO

    from PIL import Image, ImageOps

    image = Image.fromarray(find_dataset(data, data_root, split).image(image_id)).convert("RGBA")
    tile = ImageOps.pad(image, (width, width * 3 // 4), color=(0, 0, 0, 0))
    tile.save(buffer := BytesIO(), "WEBP", quality=82)
    return buffer.getvalue()


def load_summary(run: Run, averaging: str, classes: tuple[str, ...] = (), images: tuple[str, ...] = (),
                 threshold: float | None = None):
    """Score a run (`amn_core.scoring.score_run`), by default over its protocol's classes and all images."""
    return read_summary(*mark_version(run), averaging, classes, images, threshold, run)


@st.cache_resource(max_entries=256, show_spinner=False)
def read_summary(path: str, modified: int, averaging: str, classes: tuple, images: tuple, threshold, _run: Run):
    """Summarise a run, once for each version of its counts and each question."""
    from amn_core.scoring import score_run

    counts = select_counts(_run, images)
    return score_run(_run, classes=classes, averaging=averaging, threshold=threshold, counts=counts)


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
    from amn_core.sweep.confusion import score_confusion

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


def describe_group(key: str) -> str:
    """Name a group of runs for people: data set and split."""
    data, _, split = key.rpartition("/")
    kind, _, rest = data.partition(":")
    if kind == "photos":
        return "Six photographs"
    name = f"Drawn scenes ({rest})" if kind == "scenes" and rest else "Drawn scenes" if kind == "scenes" else rest
    return f"{name} · {split}"


def name_runs(group: dict[str, Run]) -> dict[str, str]:
    """Give the runs of a group their short names (`amn_core.formats.run_names`), their keys as places."""
    return dict(zip(group, run_names.name_runs(list(group.values()), list(group)), strict=True))


def style_runs(group: dict[str, Run]) -> dict[str, RunStyle]:
    """Style the runs of a group, each with its one name."""
    methods = [run.method for run in group.values()]
    backbones = [run_names.name_backbone(run) for run in group.values()]
    return dict(zip(group, build_styles(methods, list(name_runs(group).values()), backbones), strict=True))


def load_contents(run: Run):
    """Load each image's classes and the share of it that is object (`app.words.tables.find_contents`)."""
    return read_contents(str(run.path), run.counts_path.stat().st_mtime_ns, run)


@st.cache_resource(max_entries=24, show_spinner=False)
def read_contents(path: str, modified: int, _run: Run):
    """Read the contents of the images, once for each path and time of modification."""
    from app.words.tables import find_contents

    return find_contents(load_counts(_run))


def load_map(run: Run, image_id: str, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Load the maps of an image, or infer them where the run has a checkpoint but no maps.

    Raises:
        ValueError: there is neither a map nor a checkpoint.
    """
    if run.map_path(image_id).is_file():
        return run.map(image_id, size)
    if run.checkpoint_path is None:
        raise ValueError(describe_missing(run))
    dataset = get_dataset(run)
    return infer_map(run, dataset.image(image_id), dataset.class_ids(image_id), run.is_registered)


def describe_missing(run: Run) -> str:
    """Describe why a run shows no map of an image, and what would bring it."""
    if run.is_masks:
        return "Finished masks: this run has no activation map to lay over the photograph."
    if not run.has_maps:
        return "Tables alone: neither its maps nor its checkpoint are on this machine. Extract it to see its maps."
    return f"No map of this image: the run has {len(run.map_ids)} maps. Extract it for the whole split to see all."


def infer_map(
    run: Run, image: np.ndarray, class_ids: np.ndarray, is_registered: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Infer the maps of an image with a run's checkpoint and protocol, rounded as they would be on disk.

    Args:
        is_registered: draw them where the model's scores lie; beside the run's own maps and counts, as those are.
    """
    from amn_core.formats.maps import LEVELS, resize_maps

    extractor, lock = load_extractor(run)
    with lock:
        small = replace(extractor, is_registered=is_registered).infer_map(image, class_ids)
    stored = np.rint(small * LEVELS).astype(np.uint8).astype(np.float32) / np.float32(LEVELS)
    return resize_maps(stored, *image.shape[:2]), np.asarray(class_ids, dtype=np.int64)


def predict_labels(run: Run, image: np.ndarray) -> np.ndarray:
    """Predict the classes of an image with a run's classifier: (C-1,) probabilities."""
    extractor, lock = load_extractor(run)
    with lock:
        return extractor.predict_labels(image)


def load_extractor(run: Run):
    """Load the model of a run, with the lock that lets one session at a time use it."""
    path = run.checkpoint_path
    protocol = run.meta["protocol"]
    return read_extractor(
        str(path), path.stat().st_mtime_ns, protocol.get("normalisation", "auto"),
        tuple(protocol.get("scales", (0.5, 1.0, 1.5))), bool(protocol.get("flip", True)),
    )


@st.cache_resource(max_entries=4, show_spinner="Loading the model…")
def read_extractor(path: str, modified: int, normalisation: str, scales: tuple[float, ...], flip: bool):
    """Read a checkpoint, once for each path and time of modification; torch is imported here and nowhere else."""
    from threading import Lock

    from amn_core.infer.extractor import load_extractor as load

    return load(path, scales=scales, flip=flip, normalisation=normalisation), Lock()


def find_runs_below(folder: Path) -> dict[str, Run]:
    """Find the runs with counts below a folder, by their keys."""
    return {key: run for key, run in find_runs().items() if run.has_counts and folder in run.path.parents}


def add_official(folder: Path) -> None:
    """Remember the CAM and the AMN of the official code in a folder, after reading each once.

    Raises:
        ValueError: a file cannot be read or has a wrong tensor; or there is no CAM among them, which is what
            proposes the classes of a photograph.
    """
    from amn_core.formats.checkpoints import read_checkpoint

    found: dict[str, tuple[Path, int]] = {}
    for path in sorted(folder.glob("*.pth")):
        content = read_checkpoint(path)
        if content.get("official") and content["model"]["name"] in ("cam", "amn"):
            found[content["model"]["name"]] = path.resolve(), content["model"]["n_classes"]
    if "cam" not in found:
        raise ValueError(f"{folder}: no checkpoint of an official CAM in it, which proposes the classes; put "
                         "res50_cam.pth there too")
    if len({n_classes for _, n_classes in found.values()}) > 1:
        raise ValueError(f"{folder}: CAM and AMN have different classes; keep VOC's and COCO's in folders of their own")
    roots.add_official(found)
