"""Masks of COCO: drawn from the annotations when asked for, or read from a folder that another project made.

Drawn masks follow one order: crowds at the bottom, then the objects from the largest area to the smallest, so that
a smaller one lies on top; of two with the same area the one listed first. Crowds are labelled with their class, as
in the masks that the field scores against (WeakTr's script; there the annotation listed first lies on top instead).
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.data.coco_index import CocoIndex
from amn_core.data.images import DataError, load_label_image
from amn_core.formats.coco_labels import TABLES, WRITTEN_AS, decode_labels, find_writings

SAMPLED = 2000
NOTE = "mask_values.txt"


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


def read_mask(path: Path, written_as: str) -> np.ndarray:
    """Read a ready-made mask, (H, W) uint8: 0–80, 255 ignore."""
    try:
        return decode_labels(load_label_image(path, 256), written_as, str(path))
    except DataError:
        raise
    except ValueError as error:
        raise DataError(str(error)) from None


def find_writing(
    paths: Iterable[Path], folder: Path, labels: dict[Path, np.ndarray] | None = None, skip_broken: bool = False
) -> str:
    """Find how the masks of a folder are written (see formats/coco_labels), from no more masks than it takes.

    Args:
        paths: masks to look at, spread over the folder; at most `SAMPLED` are read.
        folder: where the note ``mask_values.txt`` may say it (80, 91 or 80+91), which ends all doubt.
        labels: image labels by path, where annotations tell them: masks read as 80 or 91 must agree with them.
        skip_broken: pass over masks that cannot be read, which somebody else reports.

    Raises:
        DataError: values that fit nothing, or fit two writings that differ on them.
    """
    note = folder / NOTE
    if note.is_file():
        return read_note(note)
    seen: set[int] = set()
    votes = dict.fromkeys(WRITTEN_AS, 0)
    for path in list(paths)[:SAMPLED]:
        try:
            values = [int(value) for value in np.unique(load_label_image(path, 256))]
        except DataError:
            if skip_broken:
                continue
            raise
        seen.update(values)
        fitting = find_writings(seen)
        if not fitting:
            raise DataError(f"{path}: its values go up to {max(values)}; with the masks before it they fit neither "
                            "0–80, nor COCO's ids 1–90, nor 0–80 raised by 91. The folder mixes kinds, or is not COCO")
        if len(fitting) == 1 and max(seen - {255}, default=0) > 11:
            return fitting[0]
        for name in vote(values, fitting, labels, path):
            votes[name] += 1
    return settle(seen, votes, folder)


def vote(values: list[int], fitting: list[str], labels: dict[Path, np.ndarray] | None, path: Path) -> list[str]:
    """Find the writings under which a mask shows only classes that its image has."""
    if labels is None or path not in labels:
        return []
    allowed = {0, 255, *labels[path].tolist()}
    agreeing = [name for name in fitting if {int(v) for v in TABLES[name][values]} <= allowed]
    return agreeing if len(agreeing) < len(fitting) else []


def settle(seen: set[int], votes: dict[str, int], folder: Path) -> str:
    """Settle how a folder is written after all masks: nothing that differs, or the labels of the images agree."""
    fitting = find_writings(seen)
    if len(fitting) == 1:
        return fitting[0]
    best = sorted(votes, key=votes.get, reverse=True)
    if votes[best[0]] > 0 and votes[best[1]] == 0:
        return best[0]
    raise DataError(
        f"{folder}: its values ({', '.join(map(str, sorted(seen)[:12]))}) may be classes 0–80 or COCO's ids 1–90, "
        f"which name different classes. Write 80 or 91 into {folder / NOTE}")


def read_note(note: Path) -> str:
    """Read the note that says how masks are written."""
    text = note.read_text(encoding="utf-8").strip()
    if text not in WRITTEN_AS:
        raise DataError(f"{note}: is {text[:20]!r}; write one of {', '.join(WRITTEN_AS)}")
    return text


