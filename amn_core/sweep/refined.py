"""Masks refined anew at each threshold to counts, and counts on fewer thresholds.

A map cut at a higher threshold gives a smaller mask; refined masks need not lie within each other. Their counts are a
confusion for each image and threshold. They are kept as `Counts` whose bins are the steps from one threshold to the
next, below 0 where a class grows again: what lies above each threshold, and so every curve, peak, oracle and interval,
follows as for maps. A refined mask has no activation, so that there is nothing to separate: gap, AUC and imbalance are
not defined, and the counts hold no such rows.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from amn_core.constants import BACKGROUND, DEFAULT_THRESHOLDS, IGNORE_INDEX
from amn_core.sweep.bins import split_rows
from amn_core.sweep.counts import Counts
from amn_core.sweep.pixels import ImageCounts

SAME = 1e-9  # thresholds closer than this are one


def count_refined(
    labels: np.ndarray, class_ids: np.ndarray, gt: np.ndarray, thresholds: np.ndarray, n_classes: int
) -> ImageCounts:
    """Count the refined masks of one image against the ground truth.

    Args:
        labels: (T, H, W) integers, the mask at each threshold: 0 background, k for the k-th class.
        class_ids: (K,) 1-based. gt: (H, W) uint8, 255 left out. thresholds: (T,) increasing.

    Raises:
        ValueError: sizes differ.

    >>> masks = np.array([[[1, 1]], [[0, 1]], [[1, 0]]])
    >>> counts = count_refined(masks, np.array([4]), np.array([[0, 4]]), np.array([0.1, 0.5, 0.9]), 5)
    >>> counts.decision_gt.tolist(), counts.decision_class.tolist(), counts.decision_bins.tolist()
    ([0, 4], [4, 4], [[0, 1, -1, 1], [0, 0, 1, 0]])
    """
    if labels.shape != (len(thresholds), *gt.shape):
        raise ValueError(f"labels is {labels.shape} but must be {(len(thresholds), *gt.shape)}: a mask a threshold")
    is_scored = gt != IGNORE_INDEX
    truth, width = gt[is_scored].astype(np.int64), len(class_ids) + 1
    present, truth = np.unique(truth, return_inverse=True)
    tables = [np.bincount(truth * width + one[is_scored], minlength=len(present) * width) for one in labels]
    pixels = np.reshape(tables, (len(labels), len(present), width)).transpose(1, 2, 0)
    return build_image_counts(pixels, present, np.concatenate([[BACKGROUND], class_ids]), thresholds)


def build_image_counts(
    pixels: np.ndarray, truths: np.ndarray, classes: np.ndarray, thresholds: np.ndarray
) -> ImageCounts:
    """Build counts of pixels (G, K + 1, T) by ground truth, predicted class, background first, and threshold."""
    # The steps of a row sum to what it holds at the first threshold: its background is on a row of its own.
    above = np.concatenate([pixels[..., :1], pixels, np.zeros_like(pixels[..., :1])], axis=-1)
    above[:, 0, 1:] = 0
    steps = above[..., :-1] - above[..., 1:]
    rows = np.nonzero(steps.any(axis=-1))
    n_bins = len(thresholds) + 1
    return ImageCounts(
        np.asarray(thresholds), truths[rows[0]].astype(np.uint8), classes[rows[1]].astype(np.uint8),
        steps[rows].astype(np.int64), np.zeros(0, np.uint8), np.zeros((0, 3, n_bins), np.int64), np.zeros((0, 3, 2)))


def thin_counts(counts: Counts, thresholds: np.ndarray) -> Counts:
    """Read counts on fewer of their thresholds: curves are those of the kept ones, to the pixel (ours).

    Gap and imbalance stay; AUC, which is read off the bins, becomes as coarse as they are.

    Raises:
        ValueError: a threshold that was not counted.

    >>> from amn_core.sweep.count import count_image
    >>> from amn_core.sweep.counts import CountsBuilder
    >>> builder = CountsBuilder(("background", "cat"), [0.2, 0.4, 0.6])
    >>> _ = builder.add("a", np.array([[[0.3, 0.5, 0.9]]]), [1], np.array([[0, 1, 1]]))
    >>> thin_counts(builder.build(), np.array([0.4])).decision_bins.tolist()
    [[1, 0], [0, 2]]
    """
    if np.array_equal(counts.thresholds, thresholds):
        return counts
    index = np.searchsorted(counts.thresholds, thresholds - SAME)
    is_there = index < len(counts.thresholds)
    if not is_there.all() or (np.abs(counts.thresholds[index] - thresholds) > SAME).any():
        raise ValueError(f"the counts have {len(counts.thresholds)} thresholds, not all of those asked for")
    starts = np.concatenate([[0], index + 1])
    thinned = {name: sum_bins(getattr(counts, name), starts) for name in ("decision_bins", "separation_bins")}
    return replace(counts, thresholds=np.asarray(thresholds), **thinned)


def sum_bins(bins: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sum neighbouring bins (R, ..., T+1) from each start to before the next: (R, ..., len(starts)) int64."""
    parts = [np.add.reduceat(block, starts, axis=-1, dtype=np.int64) for _, block in split_rows(bins)]
    return np.concatenate(parts) if parts else np.zeros((*bins.shape[:-1], len(starts)), np.int64)


def choose_grid(number: int) -> np.ndarray:
    """Choose thresholds from 0 to 1 that unrefined runs are counted at too, so that both can be compared.

    Raises:
        ValueError: they would not be among those of `count`.

    >>> choose_grid(51)[:3].tolist()
    [0.0, 0.02, 0.04]
    """
    steps = len(DEFAULT_THRESHOLDS) - 1
    if number < 3 or steps % (number - 1):
        known = [n + 1 for n in range(2, steps + 1) if steps % n == 0]
        raise ValueError(f"thresholds is {number}; choose one of {', '.join(map(str, known))}, whose thresholds are "
                         "among those of count")
    return DEFAULT_THRESHOLDS[:: steps // (number - 1)]


def find_common_thresholds(grids: Sequence[np.ndarray]) -> np.ndarray:
    """Find the thresholds that all grids have, (T,) of the first.

    >>> find_common_thresholds([np.array([0.0, 0.1, 0.2]), np.array([0.0, 0.2, 0.4])]).tolist()
    [0.0, 0.2]
    """
    first = grids[0]
    is_common = [np.abs(first[:, None] - grid).min(axis=1) <= SAME for grid in grids]
    return first[np.all(is_common, axis=0)]
