"""Masks of COCO: drawn from the annotations when asked for, or read from a folder that another project made.

Drawn masks follow one order: crowds at the bottom, then the objects from the largest area to the smallest, so that
a smaller one lies on top; of two with the same area the one listed first. Crowds are labelled with their class, as
in the masks that the field scores against (WeakTr's script; there the annotation listed first lies on top instead).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.data.coco.index import CocoIndex
from amn_core.formats.errors import DataError


def draw_mask(index: CocoIndex, number: int) -> np.ndarray:
    """Draw the mask of an image, (H, W) uint8 0–80; an image without objects is background throughout.

    Raises:
        DataError: an object that cannot be drawn; names the file and the annotation.
    """
    row, objects = index.row[number], index.objects(number)
    size = int(index.heights[row]), int(index.widths[row])
    mask = np.zeros(size, dtype=np.uint8)
    places = np.arange(objects.start, objects.stop)
    order = np.lexsort((-places, -index.areas[objects], ~index.is_crowd[objects]))
    texts = read_objects(index, places[order], number) if len(places) else []
    for place, item in zip(places[order], texts, strict=True):
        mask[draw_object(item, size, index.path)] = index.classes[place]
    return mask


def read_objects(index: CocoIndex, places: Sequence[int], number: int) -> list[dict[str, Any]]:
    """Read some objects of an image from where they are written."""
    items = []
    try:
        with index.path.open("rb") as file:
            for place in places:
                file.seek(int(index.starts[place]))
                items.append(json.loads(file.read(int(index.ends[place] - index.starts[place]))))
        if all(item["image_id"] == number for item in items):
            return items
    except (OSError, ValueError, TypeError, KeyError):
        pass
    raise DataError(f"{index.path}: changed or vanished while it was read; start again")


def draw_object(item: dict[str, Any], size: tuple[int, int], path: Path) -> np.ndarray:
    """Draw one object, (H, W) bool: polygons joined, or a run-length encoding, plain or compressed."""
    try:
        from pycocotools import mask as coco_mask
    except ImportError:
        raise DataError("COCO's annotations need pycocotools: pip install pycocotools") from None
    shape = item["segmentation"]
    try:
        if isinstance(shape, dict):
            check_size(shape, size)
            is_plain = isinstance(shape["counts"], list)
            return coco_mask.decode(coco_mask.frPyObjects(shape, *size) if is_plain else shape).astype(bool)
        polygons = [check_polygon(polygon) for polygon in shape if len(polygon) >= 6]  # two points enclose nothing
        if not polygons:
            return np.zeros(size, dtype=bool)
        return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, *size))).astype(bool)
    except Exception as error:  # the decoder of pycocotools raises many kinds; all of them mean a broken outline
        raise DataError(f"{path}: annotation {item.get('id')} cannot be drawn ({error}); restore the file") from None


def check_size(shape: dict[str, Any], size: tuple[int, int]) -> None:
    """Refuse a run-length encoding of another size than its image."""
    if tuple(shape["size"]) != size:
        raise ValueError(f"its mask is {shape['size']} but the image {list(size)}")
    if isinstance(shape["counts"], list) and sum(shape["counts"]) != size[0] * size[1]:
        raise ValueError("its runs do not cover the image")


def check_polygon(polygon: list[float]) -> list[float]:
    """Refuse a polygon whose last point has no second coordinate."""
    if len(polygon) % 2:
        raise ValueError("a polygon has an odd number of coordinates")
    return polygon


