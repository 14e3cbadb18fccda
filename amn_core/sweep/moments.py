"""Sums of maps and of their squares over own class, background and other classes, in double precision."""

import numpy as np

from amn_core.constants import BACKGROUND, IGNORE_INDEX
from amn_core.sweep.cells import split_pixels
from amn_core.sweep.scratch import scratch

N_LABELS = 256


def sum_moments(own: np.ndarray, labels: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Sum each map (K, P) and its square over its own class, background and other classes: (K, 3, 2) float64.

    Labels come in runs, row after row: each run is added up as a whole, and then the runs by label.
    """
    sums, rows = np.zeros((2, len(own) * N_LABELS)), np.arange(len(own))[:, None]
    for part in split_pixels(labels.size, len(own)):
        some, wide = labels[part], scratch.take("wide", np.float64, len(own), part.stop - part.start)
        runs = np.concatenate([[0], np.flatnonzero(some[1:] != some[:-1]) + 1])
        starts, cells = (runs + rows * some.size).ravel(), (some[runs] + rows * N_LABELS).ravel()
        np.copyto(wide, own[:, part])
        sums[0] += np.bincount(cells, np.add.reduceat(wide.reshape(-1), starts), sums.shape[1])
        np.multiply(wide, wide, out=wide)
        sums[1] += np.bincount(cells, np.add.reduceat(wide.reshape(-1), starts), sums.shape[1])
    sums = sums.reshape(2, len(own), N_LABELS).swapaxes(0, 1)
    return gather_moments(sums, class_ids)


def gather_moments(sums: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Gather sums by label (K, 2, 256) into own class, background and other classes: (K, 3, 2)."""
    rows = np.arange(len(class_ids))
    own, background = sums[rows, :, class_ids], sums[:, :, BACKGROUND].copy()
    # Left out before the rest is summed, never subtracted: a difference would lose digits.
    sums[rows, :, class_ids] = 0
    sums[:, :, (BACKGROUND, IGNORE_INDEX)] = 0
    return np.stack([own, background, sums.sum(axis=2)], axis=1)


def sum_levels(separation: np.ndarray) -> np.ndarray:
    """Sum 8-bit maps from their pixels by region and level (K, 3, 256): as `sum_moments`, to the last digit."""
    values = np.arange(256) / 255
    return np.stack([separation @ values, separation @ (values * values)], axis=-1)
