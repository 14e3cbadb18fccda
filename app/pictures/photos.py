"""A user's own photograph: opened, labelled, mapped, and written out. Nothing of it is kept on disk."""

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from PIL import Image

from amn_core.constants import VOC_PALETTE
from amn_core.data import DataError, load_dataset, load_image
from amn_core.data.photos import describe_licence
from amn_core.formats.runs import Run
from app.charts.styles import build_class_colours

MAX_BYTES = 20 * 1024 * 1024
LONGEST = 1024
SHORTEST = 32
SAMPLES = "photos"
LEAST_SURE = 0.5
METHODS = ("cam", "amn-without-lcm", "amn")


@dataclass(frozen=True)
class Photo:
    """An opened photograph: its hash, pixels (H, W, 3) uint8, the size (width, height) that it came in.

    Attributes:
        sample: its id, if it is one of the photographs that come with other packages.
    """

    digest: str
    image: np.ndarray
    original: tuple[int, int]
    sample: str = ""


def open_photo(content: bytes, name: str, longest: int = LONGEST) -> Photo:
    """Open an uploaded file: turned upright, RGB, at most so many pixels a side.

    Args:
        name: what the file was called, for messages; no path is made of it.

    Raises:
        DataError: too many bytes, not an image, broken, too large or too small; one sentence with the remedy.
    """
    if len(content) > MAX_BYTES:
        raise DataError(f"{name}: {len(content) / 2**20:.0f} MB is more than {MAX_BYTES // 2**20} MB; make it smaller")
    image = load_image(content, name)
    height, width = image.shape[:2]
    if min(height, width) < SHORTEST:
        raise DataError(f"{name}: {width}×{height} is too small to find anything in; use at least {SHORTEST} pixels")
    scale = longest / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    if min(image.shape[:2]) < SHORTEST:
        raise DataError(f"{name}: {width}×{height} is too narrow; cut a part of it out")
    return Photo(sha256(content).hexdigest(), image, (width, height))


def list_samples(names: Sequence[str]) -> list[str]:
    """List the photographs that come with other packages and hold a class of these names; all if none does."""
    try:
        dataset = load_dataset(SAMPLES, "all")
    except DataError:  # a package without its photographs
        return []
    fitting = [i for i in dataset.ids if any(dataset.class_names[c] in names for c in dataset.class_ids(i))]
    return fitting or list(dataset.ids)


def open_sample(image_id: str) -> tuple[Photo, str]:
    """Open one of those photographs; also says where it comes from and what rights there are."""
    image = load_dataset(SAMPLES, "all").image(image_id)
    photo = Photo(sha256(image.tobytes()).hexdigest(), image, image.shape[1::-1], image_id)
    return photo, describe_licence(image_id)


def find_models(runs: dict[str, Run]) -> dict[str, dict[str, Run]]:
    """Find the bundles of checkpoints that can look at a photograph, by folder and method.

    A bundle is a folder whose runs bring their checkpoints, with a CAM among them: it proposes the labels. Those for
    photographs come first.
    """
    bundles: dict[str, dict[str, Run]] = {}
    for run in runs.values():
        if run.checkpoint_path is not None and run.method in METHODS:
            bundles.setdefault(run.path.parent.name, {}).setdefault(run.method, run)
    ordered = {name: {m: found[m] for m in METHODS if m in found} for name, found in bundles.items() if "cam" in found}
    return dict(sorted(ordered.items(), key=lambda item: is_drawn(item[1]["cam"])))


def is_drawn(run: Run) -> bool:
    """Tell whether a run is about drawn scenes: its models come behind those for photographs."""
    return run.meta["data"].partition(":")[0] == "scenes"


def propose_classes(probabilities: np.ndarray) -> list[int]:
    """Propose the classes above one half, the most likely one if none is; 1-based, increasing."""
    sure = np.flatnonzero(probabilities > LEAST_SURE) + 1
    return [int(class_id) for class_id in sure] or [int(probabilities.argmax()) + 1]


def decide(cam: np.ndarray, class_ids: np.ndarray, threshold: float) -> np.ndarray:
    """Decide the class of each pixel, (H, W) uint8: background wins ties, then the first class."""
    if not len(class_ids):
        return np.zeros(cam.shape[1:], np.uint8)
    is_foreground = cam.max(axis=0) > cam.dtype.type(threshold)
    return np.where(is_foreground, np.asarray(class_ids)[cam.argmax(axis=0)], 0).astype(np.uint8)


def build_npz(cam: np.ndarray, class_ids: np.ndarray, class_names: Sequence[str]) -> bytes:
    """Build an ``.npz`` with `cam` (K, H, W) float32, `class_ids` (K,) and `class_names` (K,)."""
    names = np.array([class_names[class_id] for class_id in class_ids])
    np.savez_compressed(buffer := io.BytesIO(), cam=cam, class_ids=np.asarray(class_ids), class_names=names)
    return buffer.getvalue()


def build_map_images(cam: np.ndarray, class_ids: np.ndarray, class_names: Sequence[str]) -> bytes:
    """Build a ``.zip`` with a 16-bit greyscale PNG for each class: activation × 65535."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for plane, class_id in zip(cam, class_ids, strict=True):
            grey = Image.fromarray(np.rint(plane * 65535).astype(np.uint16))
            archive.writestr(f"{name_file(class_names[class_id])}.png", encode_png(grey))
    return buffer.getvalue()


def name_file(name: str) -> str:
    """Name a file after a class, whose name may be anything."""
    return re.sub(r"[^\w-]+", "-", name)[:100].strip("-") or "class"


def build_mask_image(labels: np.ndarray) -> bytes:
    """Build a PNG of class indices with VOC's palette."""
    mask = Image.fromarray(labels)
    mask.putpalette(VOC_PALETTE.tobytes())
    return encode_png(mask)


def build_overlay(image: np.ndarray, labels: np.ndarray, n_classes: int, opacity: float) -> bytes:
    """Build a PNG of the photograph with the mask laid over it in the colours of the screen."""
    colours = np.array(build_class_colours(n_classes), np.float32)[labels]
    mixed = image * (1 - opacity) + colours * opacity
    return encode_png(Image.fromarray(np.where(labels[..., None] > 0, mixed, image).astype(np.uint8)))


def encode_png(image: Image.Image) -> bytes:
    """Encode an image as PNG."""
    image.save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()
