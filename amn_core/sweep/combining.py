"""Two maps to one, and maps that follow the outlines of class-agnostic masks; arrays in, arrays out."""

from collections.abc import Iterable, Sequence
from math import ceil

import numpy as np

WAYS = {"or": "a + b − ab, over its maximum", "and": "ab, over its maximum", "mean": "mean", "max": "maximum"}
SLACK = 1e-9  # of a product of a share and a number of pixels


def combine_maps(first: np.ndarray, second: np.ndarray, by: str) -> np.ndarray:
    """Combine two maps of the same classes at each pixel.

    ``or`` is a + b − ab and ``and`` is ab, as if activations were chances of independent events; each plane is then
    divided by its maximum (a plane of zeros stays one). ``mean`` and ``max`` are left as they are.

    Args:
        first, second: (K, H, W) float32 in [0, 1]. by: one of `WAYS`.

    Returns:
        (K, H, W) float32 in [0, 1].

    Raises:
        ValueError: an unknown way, or maps of two shapes.

    Source: ORANDNet (arXiv 2406.19638) for ``or`` and ``and``.

    >>> import numpy as np
    >>> a, b = np.float32([[[0.5, 0.0]]]), np.float32([[[0.5, 0.5]]])
    >>> for by in WAYS: print(by, combine_maps(a, b, by).round(2))
    or [[[1.   0.67]]]
    and [[[1. 0.]]]
    mean [[[0.5  0.25]]]
    max [[[0.5 0.5]]]
    """
    if by not in WAYS:
        raise ValueError(f"by is {by!r}: choose one of {', '.join(WAYS)}")
    if first.shape != second.shape:
        raise ValueError(f"the maps are {first.shape} and {second.shape}: they must be of the same classes and size")
    if by == "max":
        return np.maximum(first, second)
    if by == "mean":
        return (first + second) / np.float32(2)
    return divide_by_maximum(first * second if by == "and" else first + second - first * second)


def divide_by_maximum(cam: np.ndarray) -> np.ndarray:
    """Divide each plane of maps (K, H, W) by its maximum; a plane without activation stays as it is."""
    top = cam.max(axis=(1, 2), keepdims=True, initial=0)
    return np.clip(cam / np.where(top > 0, top, 1), 0, 1).astype(np.float32)


def align_maps(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put the planes of two maps in one order, zeros where one lacks a class.

    Args:
        first, second: maps (K, H, W) with their class ids (K,), 1-based.

    Returns:
        Both maps (K, H, W), and the class ids (K,) int64, increasing.

    >>> import numpy as np
    >>> one, two = (np.float32([[[0.5]]]), np.array([7])), (np.float32([[[0.25]], [[1]]]), np.array([7, 3]))
    >>> [part.ravel().tolist() for part in align_maps(one, two)]
    [[0.0, 0.5], [1.0, 0.25], [3, 7]]
    """
    class_ids = np.union1d(first[1], second[1]).astype(np.int64)
    aligned = []
    for cam, own in (first, second):
        planes = np.zeros((len(class_ids), *cam.shape[1:]), dtype=np.float32)
        planes[np.searchsorted(class_ids, own)] = cam
        aligned.append(planes)
    return aligned[0], aligned[1], class_ids


def fill_regions(cam: np.ndarray, regions: Iterable[np.ndarray], overlap: float) -> np.ndarray:
    """Let maps follow the outlines of class-agnostic masks, those of SAM for one.

    Cut at a threshold, a mask is kept for a class, and filled with it, where at least a share ``overlap`` of its
    pixels is called that class; pixels in no mask keep their own activation. The share only falls as the threshold
    rises, so a mask is kept up to one threshold, and a map that holds it in the whole mask says the same at every
    threshold at once: where masks or classes compete, what is kept longest wins, of equals the first class.

    Args:
        cam: (K, H, W) float32 in [0, 1]. regions: masks (H, W) bool, which may lie over each other.
        overlap: in (0, 1].

    Returns:
        (K, H, W) float32 in [0, 1].

    Raises:
        ValueError: overlap is out of its range.

    Source: the overlap is that of SAM_WSSS; the map for all thresholds is ours.

    >>> import numpy as np
    >>> fill_regions(np.float32([[[1, 0.5, 0.125, 0.25]]]), [np.array([[True, True, True, False]])], 0.6).tolist()
    [[[0.5, 0.5, 0.5, 0.25]]]
    """
    check_overlap(overlap)
    filled, is_covered = np.zeros_like(cam), np.zeros(cam.shape[1:], dtype=bool)
    if not len(cam):
        return filled
    winner, strongest = cam.argmax(axis=0), cam.max(axis=0)
    for region in regions:
        is_covered |= region
        levels = find_kept_levels(winner[region], strongest[region], len(cam), overlap)
        for plane in np.flatnonzero(levels):
            filled[plane][region] = np.maximum(filled[plane][region], levels[plane])
    return np.where(is_covered, filled, cam)


def find_kept_levels(winner: np.ndarray, strongest: np.ndarray, n_planes: int, overlap: float) -> np.ndarray:
    """Find for each class below which threshold a mask is kept, given its pixels' strongest planes and values (n,).

    Returns:
        (K,) float32: the value of which so many pixels are strictly above every lower threshold; 0: never kept.
    """
    levels = np.zeros(n_planes, dtype=np.float32)
    needed = max(1, ceil(overlap * len(winner) - SLACK))
    for plane in np.unique(winner):
        own = strongest[winner == plane]
        if len(own) >= needed:
            levels[plane] = np.partition(own, len(own) - needed)[len(own) - needed]
    return levels


def check_overlap(overlap: float) -> None:
    """Refuse a share of a mask outside (0, 1].

    >>> check_overlap(0.5)
    """
    if not 0 < overlap <= 1:
        raise ValueError(f"overlap is {overlap:g}; it must be above 0 and at most 1")


def list_numbered(labels: np.ndarray) -> Sequence[np.ndarray]:
    """List the masks of a picture whose pixels hold the number of their mask, 0 for none: (H, W) bool each.

    >>> import numpy as np
    >>> [mask.tolist() for mask in list_numbered(np.array([[0, 2, 7]]))]
    [[[False, True, False]], [[False, False, True]]]
    """
    return [labels == number for number in np.unique(labels) if number > 0]
