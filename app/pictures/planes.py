"""What the canvas needs of one image, packed for the browser: bins, strongest rows, ground truth, photograph.

The browser gets no activation but its bin among the thresholds, by the rule of `amn_core.sweep`, so that what it
paints and counts is what the counts of a run say, to the pixel.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from amn_core.constants import DEFAULT_THRESHOLDS, METHOD_LABELS
from amn_core.sweep.scores import MASK_LEVEL
from app.charts.colour_maps import COLOUR_MAPS, build_colour_table
from app.charts.styles import build_class_colours, build_styles

JPEG_QUALITY = 90


@dataclass(frozen=True)
class MethodMap:
    """The maps of one method on one image, and how the method looks.

    key: what URLs call it. cam: (K, H, W) float32 in [0, 1]. class_ids: (K,) 1-based.
    scored: ids of the classes that its score averages over, None for all. is_masks: no threshold changes it.
    """

    key: str
    label: str
    colour: str
    dash: str
    cam: np.ndarray
    class_ids: np.ndarray
    scored: tuple[int, ...] | None = None
    is_masks: bool = False


class Packer:
    """Puts arrays one after another into one array of bytes and remembers where each lies."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []
        self.size = 0

    def add(self, values: np.ndarray | bytes) -> list[int]:
        """Add uint8 values; returns their offset and length."""
        flat = np.frombuffer(values, np.uint8) if isinstance(values, bytes) else np.ravel(values)
        span = [self.size, flat.size]
        self.parts.append(flat)
        self.size += flat.size
        return span

    def build(self) -> np.ndarray:
        """Build the array of all bytes, read-only."""
        blob = np.concatenate(self.parts)
        blob.setflags(write=False)
        return blob


def pack_image(
    image_id: str, image: np.ndarray, gt: np.ndarray | None, methods: Sequence[MethodMap], class_names: Sequence[str],
    averaging: str = "union",
) -> tuple[dict[str, Any], np.ndarray]:
    """Pack one image for the canvas.

    Args:
        image: (H, W, 3) uint8. gt: (H, W) uint8 or None. methods: one to six.
        class_names: background first. averaging: how the IoU of the classes are averaged, see `ImageScores`.

    Returns:
        A description for JSON, and (n,) uint8 bytes that it points into.

    Raises:
        ValueError: a map or the ground truth is not of the photograph's size.
    """
    height, width = image.shape[:2]
    check_sizes(image_id, (height, width), gt, methods)
    packer = Packer()
    meta = {
        "image": image_id, "width": width, "height": height, "thresholds": len(DEFAULT_THRESHOLDS),
        "averaging": averaging,
        "classNames": dict(enumerate(class_names)), "colours": build_class_colours(len(class_names)),
        "photo": packer.add(encode_jpeg(image)), "gt": None if gt is None else packer.add(gt),
        "methods": [pack_method(packer, method) for method in methods],
        "tables": {name: packer.add(build_colour_table(name)) for name in COLOUR_MAPS},
    }
    return meta, packer.build()


def pack_methods(
    image_id: str, image: np.ndarray, maps: dict[str, tuple[np.ndarray, np.ndarray]], class_names: Sequence[str],
) -> tuple[dict[str, Any], np.ndarray]:
    """Pack a photograph without ground truth and one map a method, `maps` by name of the method."""
    styles = build_styles(list(maps), [METHOD_LABELS[method] for method in maps])
    methods = [
        MethodMap(method, style.label, style.colour, style.svg_dash, *found)
        for (method, found), style in zip(maps.items(), styles, strict=True)
    ]
    return pack_image(image_id, image, None, methods, class_names)


def check_sizes(image_id: str, size: tuple[int, int], gt: np.ndarray | None, methods: Sequence[MethodMap]) -> None:
    """Refuse maps or ground truth that do not lie on the photograph."""
    for method in methods:
        check_map(image_id, size, method)
    if gt is not None:
        check_size(image_id, size, "the ground truth", gt.shape)


def check_map(image_id: str, size: tuple[int, int], method: MethodMap) -> None:
    """Refuse maps that do not lie on the photograph."""
    check_size(image_id, size, method.label, method.cam.shape[1:])


def check_size(image_id: str, size: tuple[int, int], name: str, other: tuple[int, ...]) -> None:
    """Refuse what is not of the photograph's size (height, width)."""
    if other != size:
        raise ValueError(
            f"{image_id}: {name} is {other[1]}×{other[0]} but the photograph is {size[1]}×{size[0]}; "
            "check that the run was made on this data set"
        )


def pack_method(packer: Packer, method: MethodMap) -> dict[str, Any]:
    """Pack the bins of every class and the strongest row of every pixel."""
    pixels = method.cam.shape[1] * method.cam.shape[2]
    planes = np.ascontiguousarray(method.cam).reshape(len(method.class_ids), pixels)
    # argmax takes the first of equals, as the counts do
    strongest = planes.argmax(axis=0) if len(planes) else np.zeros(pixels)
    bins = bin_masks(planes) if method.is_masks else bin_maps(planes)
    return {
        "key": method.key, "label": method.label, "colour": method.colour, "dash": method.dash,
        "classIds": [int(class_id) for class_id in method.class_ids],
        "scored": None if method.scored is None else list(method.scored), "isMasks": method.is_masks,
        "bins": packer.add(bins), "strongest": packer.add(strongest.astype(np.uint8)),
    }


def bin_maps(planes: np.ndarray) -> np.ndarray:
    """Bin maps (K, P) on the default thresholds, uint8: a pixel is above threshold j where its bin exceeds j."""
    # the thresholds are cast to the maps' dtype, as a constant plane in front of them would be
    return np.searchsorted(DEFAULT_THRESHOLDS.astype(planes.dtype), planes).astype(np.uint8)


def bin_masks(planes: np.ndarray) -> np.ndarray:
    """Bin finished masks (K, P) of 0 and 1 below or above all thresholds, as `settle_masks` does their counts."""
    return np.where(planes > MASK_LEVEL, len(DEFAULT_THRESHOLDS), 0).astype(np.uint8)


def encode_jpeg(image: np.ndarray) -> bytes:
    """Encode a photograph for the browser."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
