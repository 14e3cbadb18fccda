"""Six photographs that come with scikit-image and matplotlib, with outlines of our own: real images at the first start.

The photographs stay in their packages; here are only the outlines (photos.json), drawn for this project. They are for
looking at: so few say nothing about a method.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from amn_core.constants import IGNORE_INDEX, VOC_CLASSES
from amn_core.data.images import load_image
from amn_core.data.lists import read_id_list
from amn_core.formats.errors import DataError

OUTLINES = Path(__file__).with_name("photos.json")
UNSURE = "unsure"
BORDER = 5  # pixels around each object that are not scored, as in VOC
# Where each photograph lies below its package, and the function of scikit-image whose description names its licence.
SOURCES = {
    "cat": ("skimage", "data/chelsea.png", "chelsea"),
    "astronaut": ("skimage", "data/astronaut.png", "astronaut"),
    "cameraman": ("skimage", "data/camera.png", "camera"),
    "motorcycle-left": ("skimage", "data/motorcycle_left.png", "stereo_motorcycle"),
    "motorcycle-right": ("skimage", "data/motorcycle_right.png", "stereo_motorcycle"),
    "grace-hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", ""),
}
PACKAGES = {"skimage": "scikit-image", "matplotlib": "matplotlib"}


@dataclass(frozen=True)
class PhotosDataset:
    """The photographs as a data set with VOC's classes; image labels are those of the outlines."""

    split: str
    ids: tuple[str, ...]
    spec: str = "photos"
    class_names: tuple[str, ...] = VOC_CLASSES
    label_source: str = "outlines of this project"
    ground_truth: str = "photos.json"

    def image(self, image_id: str) -> np.ndarray:
        """Load one photograph, (H, W, 3) uint8."""
        return load_image(find_photo(image_id))

    def gt(self, image_id: str) -> np.ndarray:
        """Draw the ground truth of one photograph, (H, W) uint8; 255 around each object and where we are unsure."""
        return draw_outlines(load_outlines()[image_id])

    def class_ids(self, image_id: str) -> np.ndarray:
        """Look up the classes of one photograph, (K,) int64, increasing, 1-based."""
        names = {outline["class"] for outline in load_outlines()[image_id]["outlines"]} - {UNSURE}
        return np.array(sorted(VOC_CLASSES.index(name) for name in names), dtype=np.int64)


def open_photos(split: str) -> PhotosDataset:
    """Open the photographs.

    Args:
        split: ``all`` or ``train``, which are the same here, or the path of a list.

    Raises:
        DataError: an unknown split or id, or a package that lacks its photographs.
    """
    ids = tuple(SOURCES)
    if split not in ("all", "train"):
        if not Path(split).is_file():
            raise DataError(f"split {split!r}: photos has the split all; or give the path of a list of ids")
        ids = read_id_list(Path(split))
    unknown = [image_id for image_id in ids if image_id not in SOURCES]
    if unknown:
        raise DataError(f"{split}: {unknown[0]!r} is none of the photographs {', '.join(SOURCES)}")
    for image_id in ids:
        find_photo(image_id)
    return PhotosDataset(split, ids)


def find_photo(image_id: str) -> Path:
    """Find the file of a photograph in its package, which is not imported for it.

    Raises:
        DataError: the package is not installed, or comes without the photograph.
    """
    package, below, _ = SOURCES[image_id]
    spec = find_spec(package)
    path = Path(spec.origin).parent / below if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DataError(f"photograph {image_id}: not found; it comes with {PACKAGES[package]}: pip install "
                        f"--force-reinstall {PACKAGES[package]}")
    return path


@lru_cache(maxsize=1)
def load_outlines() -> dict[str, Any]:
    """Load the outlines by id: ``width``, ``height`` and ``outlines``, each a class and its points (x, y) in pixels."""
    return json.loads(OUTLINES.read_text(encoding="utf-8"))


def draw_outlines(entry: dict[str, Any]) -> np.ndarray:
    """Draw outlines as a label image, (H, W) uint8: objects filled, a border of 255 on them, then what is unsure."""
    mask = Image.new("L", (entry["width"], entry["height"]), 0)
    draw = ImageDraw.Draw(mask)
    outlines = [(one["class"], [tuple(point) for point in one["points"]]) for one in entry["outlines"]]
    for name, points in outlines:
        if name != UNSURE:
            draw.polygon(points, fill=VOC_CLASSES.index(name))
    for name, points in outlines:
        if name == UNSURE:
            draw.polygon(points, fill=IGNORE_INDEX)
        draw.line([*points, points[0]], fill=IGNORE_INDEX, width=BORDER, joint="curve")
    return np.asarray(mask)


def describe_licence(image_id: str) -> str:
    """Describe where a photograph comes from, with the sentence on its rights that its package gives, if any."""
    package, _, function = SOURCES[image_id]
    origin = f"comes with {PACKAGES[package]}"
    if not function:
        return f"{origin} as sample data"
    from skimage import data  # heavy, and needed for this alone

    text = " ".join((getattr(data, function).__doc__ or "").split())
    rights = re.search(r"No (?:known )?copyright restrictions[^.]*\.(?: CC0[^.]*\.)?", text)
    return f"{origin}; {rights[0].rstrip('.')}" if rights else f"{origin}; part of the {find_benchmark(text)}"


def find_benchmark(text: str) -> str:
    """Find the benchmark that a description says a picture is part of."""
    found = re.search(r"part of the ([^.]*benchmark)", text)
    return found[1] if found else "package's sample data"
