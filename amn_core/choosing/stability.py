"""The cut of an image between which and higher ones its number of pieces stays the same longest, as in MEBin."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from amn_core.choosing.selection import Choice
from amn_core.choosing.watching import Watcher, load_quarter

EVERY = 3  # thresholds of the default grid; MEBin's code takes every fourth of 255 levels
SHORTEST = 4  # thresholds in a row that make a number stable
ERODED = 2  # width in cells of a quarter of the size; 6 pixels in MEBin's code
AROUND = np.ones((3, 3), dtype=bool)


def choose_mebin(watcher: Watcher, image_ids: Sequence[str]) -> Choice:
    """Choose for each image the lowest cut of the longest stretch in which its number of pieces is the same.

    Maps are looked at as they are stored, in their own range from 0 to 1: MEBin's code takes the range from the least
    to the largest maximum of all images, which is none where each map is divided by its maximum.

    Args:
        image_ids: of the counts to choose for; one without a map takes the median of the others.

    Source: MEBin of AnomalyNCD (CVPR 2025), as in anomalib.
    """
    known = set(watcher.run.map_ids)
    index = np.full(len(image_ids), np.nan)
    for place, image_id in enumerate(image_ids):
        if image_id in known:
            cam, _ = load_quarter(watcher.run, image_id)
            index[place] = find_stable_cut(cam, watcher.thresholds)
    index = np.where(np.isnan(index), np.nanmedian(index), index).astype(np.int64)
    return Choice("mebin", "Longest stable number of pieces", "none", "MEBin, AnomalyNCD 2025", "image", index)


def find_stable_cut(cam: np.ndarray, thresholds: np.ndarray) -> int:
    """Find the index of an image's cut: the last of the grid where no number of pieces is stable, as without a map.

    Args:
        cam: (K, h, w) float in [0, 1]. thresholds: (T,), looked at from the highest down, every third.

    >>> import numpy as np
    >>> cam, grid = np.zeros((1, 9, 9), np.float32), np.linspace(0, 1, 21)
    >>> cam[0, 1:4, 1:4], cam[0, 5:8, 5:8] = 0.9, 0.2
    >>> find_stable_cut(cam, grid)
    5
    """
    looked = np.arange(len(thresholds) - 1, -1, -EVERY)
    strongest = cam.max(axis=0, initial=0)
    numbers = [count_eroded(strongest > threshold.astype(cam.dtype)) for threshold in thresholds[looked]]
    stretch = find_longest(numbers)
    return int(looked[0] if stretch is None else looked[stretch[1]])


def count_eroded(mask: np.ndarray) -> int:
    """Count the pieces of a mask (h, w) after erosion, cells joined along edges and corners.

    >>> import numpy as np
    >>> count_eroded(np.array([[True, True, False], [True, True, False], [False, False, True]]))
    1
    """
    from scipy import ndimage  # half a second to load

    whole = ndimage.minimum_filter(mask, size=ERODED, mode="constant", cval=True)
    return int(ndimage.label(whole, structure=AROUND)[1])


def find_longest(numbers: Sequence[int]) -> tuple[int, int] | None:
    """Find the longest stretch of one number above 0, first and last index; None below the shortest length.

    Of equal stretches that of the number that was stable first wins, and of this number the last.

    >>> find_longest([0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3]), find_longest([1, 2, 3])
    ((5, 8), None)
    """
    changes = [0, *(i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1]), len(numbers)]
    stretches = [(a, b - 1) for a, b in pairwise(changes)
                 if numbers[a:b] and numbers[a] > 0 and b - a >= SHORTEST]
    if not stretches:
        return None
    longest = max(b - a for a, b in stretches)
    first = next(numbers[a] for a, b in stretches if b - a == longest)
    return [(a, b) for a, b in stretches if b - a == longest and numbers[a] == first][-1]
