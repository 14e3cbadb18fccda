"""The ways of reading a file's planes and keys: which number is which class, and where the background is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.constants import COCO_CATEGORY_IDS, COCO_CLASSES
from amn_core.formats.foreign import RawMap

CATEGORIES = "categories"
CLASS_OF_CATEGORY = np.full(COCO_CATEGORY_IDS[-1] + 1, -1)
CLASS_OF_CATEGORY[list(COCO_CATEGORY_IDS)] = np.arange(1, len(COCO_CLASSES))


@dataclass(frozen=True)
class Reading:
    """One way of reading keys and planes.

    Attributes:
        key_base: number of the first foreground class, 0 or 1, or "categories" for COCO's own ids 1–90.
        background: "none", "plane" (the first), "last" (the last plane), "key 0" or "padded keys".
        is_full: whether there is a plane for every class of the list, present or not.
        is_last: whether the planes are the last axis.
    """

    key_base: int | str
    background: str
    is_full: bool = False
    is_last: bool = False


def list_readings(n_classes: int) -> list[Reading]:
    """List the readings that a list of classes allows, the more usual first."""
    bases = (0, 1, CATEGORIES) if n_classes == len(COCO_CLASSES) else (0, 1)
    listed = [Reading(base, background) for background in ("none", "plane") for base in bases]
    listed += [Reading(base, background) for background in ("key 0", "padded keys") for base in bases[1:]]
    listed += [Reading(base, "last") for base in bases]
    full = [Reading(base, background, True) for background in ("none", "plane", "last") for base in bases]
    return [Reading(r.key_base, r.background, r.is_full, is_last) for is_last in (False, True) for r in listed + full]


def count_planes(raw: RawMap, reading: Reading) -> int:
    """Count the planes of a file under a reading."""
    return raw.planes.shape[2 if reading.is_last else 0]


def find_size(raw: RawMap, reading: Reading) -> tuple[int, int]:
    """Find height and width of a file's maps under a reading."""
    return raw.planes.shape[:2] if reading.is_last else raw.planes.shape[1:]


def number_classes(keys: np.ndarray, key_base: int | str) -> np.ndarray | None:
    """Turn keys as written into classes, 1-based; None if a key is no class."""
    if key_base != CATEGORIES:
        return keys + (1 - key_base)
    if (keys < 0).any() or (keys >= len(CLASS_OF_CATEGORY)).any():
        return None
    return CLASS_OF_CATEGORY[keys]


def plan_planes(
    raw: RawMap, reading: Reading, labels: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Plan which planes of a file are which classes under a reading.

    Args:
        labels: (L,) classes of the image, increasing; they name the planes where the file does not.

    Returns:
        places (K,) of the planes and class_ids (K,), both int64, in increasing order of the classes; None if
        shapes or keys do not allow this reading.
    """
    count, none = count_planes(raw, reading), np.zeros(0, dtype=np.int64)
    if raw.keys is not None and not raw.keys.size:
        return none, none
    planned = plan_full(raw.keys, count, reading, labels, n_classes) if reading.is_full else plan_listed(
        raw.keys, count, reading, labels)
    if planned is None or (planned[1] < 1).any():
        return None
    order = np.argsort(planned[1], kind="stable")
    return planned[0][order], planned[1][order]


def plan_listed(
    keys: np.ndarray | None, count: int, reading: Reading, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Plan planes that come one for each key, with or without a background; see `plan_planes`."""
    places = np.arange(reading.background in ("plane", "key 0"), count - (reading.background == "last"))
    if keys is None:
        class_ids = labels if reading.background in ("none", "plane", "last") else None
    elif reading.background in ("key 0", "padded keys"):
        is_padded = keys[0] == 0 and (keys[1:] > 0).all()
        class_ids = number_classes(keys[1:], reading.key_base) if is_padded else None
        places = places[:0] if is_padded and len(keys) == 1 and count <= 1 else places
    else:
        class_ids = number_classes(keys, reading.key_base)
    return None if class_ids is None or len(class_ids) != len(places) else (places, class_ids)


def plan_full(
    keys: np.ndarray | None, count: int, reading: Reading, labels: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Plan planes that come one for every class of the list; see `plan_planes`.

    Keys choose among them; where there are none, or they list all classes, the labels of the image do.
    """
    numbers = len(CLASS_OF_CATEGORY) if reading.key_base == CATEGORIES else n_classes
    if count != numbers - (reading.background == "none"):
        return None
    names_all = keys is None or len(keys) >= n_classes - 1
    class_ids = labels if names_all else number_classes(keys, reading.key_base)
    if class_ids is None or (class_ids >= n_classes).any():
        return None
    places = np.array(COCO_CATEGORY_IDS)[class_ids - 1] if reading.key_base == CATEGORIES else class_ids
    return places - (reading.background != "plane"), class_ids


def take_planes(raw: RawMap, reading: Reading, places: np.ndarray) -> np.ndarray:
    """Take some planes of a file, (K, h, w), without a copy where they follow each other."""
    planes = np.moveaxis(raw.planes, 2, 0) if reading.is_last else raw.planes
    if len(places) and (np.diff(places) == 1).all():
        return planes[places[0]:places[-1] + 1]
    return planes[places]


def rate_reading(raws: Sequence[RawMap], labels: Sequence[np.ndarray], reading: Reading, n_classes: int) -> float:
    """Rate a reading by the image labels: mean over files of 1 (same classes), ½ (some of them), 0, or -1.

    A file that cannot be read so, or that would name a class that does not exist, counts -1.
    """
    points = [rate_file(raw, present, reading, n_classes) for raw, present in zip(raws, labels, strict=True)]
    return float(np.mean(points))


def rate_file(raw: RawMap, present: np.ndarray, reading: Reading, n_classes: int) -> float:
    """Rate a reading of one file by the labels of its image; see `rate_reading`."""
    read = plan_planes(raw, reading, present, n_classes)
    if read is None or (read[1] >= n_classes).any():
        return -1.0
    if np.array_equal(read[1], present):
        return 1.0
    return 0.5 if np.isin(read[1], present).all() else 0.0


def rate_shape(
    raws: Sequence[RawMap], sizes: Sequence[tuple[int, int] | None], reading: Reading
) -> float:
    """Rate how far the shape of the maps is from that of the images: mean of |log of the ratio of aspects|."""
    pairs = [(find_size(raw, reading), size) for raw, size in zip(raws, sizes, strict=True) if size is not None]
    apart = [abs(np.log((h * size[1]) / (max(w, 1) * size[0]))) for (h, w), size in pairs if h]
    return float(np.mean(apart)) if apart else 0.0


def rate_background(raws: Sequence[RawMap], reading: Reading) -> float:
    """Rate how far a plane behaves as background: minus its correlation with the largest of the others, -1 to 1."""
    rates = []
    for raw in raws:
        planes = np.moveaxis(raw.planes, 2, 0) if reading.is_last else raw.planes
        if len(planes) < 2:
            continue
        ground, rest = (planes[-1], planes[:-1]) if reading.background == "last" else (planes[0], planes[1:])
        pair = np.stack([ground.ravel(), rest.max(axis=0).ravel()]).astype(np.float64)
        rates.append(-np.corrcoef(pair)[0, 1] if (pair.std(axis=1) > 0).all() else 0.0)
    return float(np.mean(rates)) if rates else 0.0
