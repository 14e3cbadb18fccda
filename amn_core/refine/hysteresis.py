"""Hysteresis as a way to cut: a piece of a mask stays where somewhere in it the activation is clearly higher."""

import numpy as np

TOP = 255


def keep_risen(levels: np.ndarray, rise: int) -> np.ndarray:
    """Turn maps into those whose cut at any threshold is the hysteresis cut of the given ones.

    Cut at a threshold, a class keeps the pieces of its map that hold a pixel more than `rise` above it; cells are
    joined along edges and corners. A piece that stays at a threshold lies within one that stays at every lower one, so
    that one map says it for all thresholds.

    Args:
        levels: (K, h, w) uint8, activation × 255. rise: 0 to 255, in levels; 0 changes nothing.

    Returns:
        (K, h, w) uint8, nowhere above the given ones.

    Source: two thresholds, the upper one for the seeds of a piece, as in Canny 1986 and HALCON; the map is ours.
    """
    from scipy import ndimage  # half a second to load

    kept = np.zeros_like(levels)
    around = np.ones((3, 3), dtype=bool)
    for plane, out in zip(levels, kept, strict=True):
        for low in np.unique(plane)[::-1].astype(int):  # between two levels nothing changes but what has risen enough
            mask = plane >= low
            pieces, n = ndimage.label(mask, structure=around)
            if not n:
                continue
            tops = np.concatenate([[0], ndimage.maximum(plane, pieces, np.arange(1, n + 1))]).astype(int)
            reached = np.where(tops > 0, np.minimum(low, np.maximum(tops - rise, 0)), 0)
            np.maximum(out, np.where(mask, reached[pieces], 0).astype(np.uint8), out=out)
    return kept
