"""How far foreground and background activation lie apart: gap, AUC, imbalance, from histograms alone.

Over the pixels of an image that are not ignored, for a class that is present: F is the class's own map where
the ground truth is that class, B where it is background, O where it is another class. The definitions are ours.
"""

from dataclasses import dataclass

import numpy as np

from amn_core.sweep.bins import Bins, split_rows
from amn_core.sweep.confusion import divide, nanmean, sum_above
from amn_core.sweep.counts import Counts

OWN, BACKGROUND_REGION, OTHER = 0, 1, 2


@dataclass(frozen=True)
class Separation:
    """Separation of any number of histograms; each attribute has their leading shape.

    Attributes:
        gap: mean of F less mean of B; changes when a map is rescaled.
        auc: chance that a pixel of F is above one of B, ties half; unchanged by any increasing change of the
            map. Values within one bin count as tied: with 200 bins the error is below one in a thousand
            unless the map is nearly flat.
        imbalance: coefficient of variation of F, unchanged by a pure scaling.
        gini: Gini coefficient of F, likewise; from bin centres, so to within about the bin width.
        auc_other: as auc, F against O.

    NaN where an area is empty, or where F is 0 throughout (for imbalance and gini).
    """

    gap: np.ndarray
    auc: np.ndarray
    imbalance: np.ndarray
    gini: np.ndarray
    auc_other: np.ndarray


def score_separation(bins: np.ndarray, moments: np.ndarray, thresholds: np.ndarray) -> Separation:
    """Score the separation of histograms.

    Args:
        bins: (..., 3, T+1) pixels on own class, background, other classes. moments: (..., 3, 2) sum and sum of
            squares. thresholds: (T,).

    Returns:
        Separation of shape (...). Histograms add up: sum rows first for a class, or for a data set.
    """
    own = bins[..., OWN, :]
    area = bins[..., :2, :].sum(axis=-1, dtype=np.int64)
    mean = divide(moments[..., :2, 0], area)
    return Separation(
        gap=mean[..., 0] - mean[..., 1], auc=score_auc(own, bins[..., BACKGROUND_REGION, :]),
        imbalance=score_variation(area[..., 0], moments[..., OWN, 0], moments[..., OWN, 1]),
        gini=score_gini(own, thresholds), auc_other=score_auc(own, bins[..., OTHER, :]),
    )


def score_rows(bins: np.ndarray | Bins, moments: np.ndarray, thresholds: np.ndarray) -> Separation:
    """Score the separation of each of many histograms (S, 3, T+1), a block at a time, as `score_separation` does."""
    parts = [score_separation(some, moments[block], thresholds) for block, some in split_rows(bins)]
    parts = parts or [score_separation(bins[:], moments, thresholds)]
    return Separation(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def score_auc(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Score the area under the ROC curve of two histograms (..., B), values in one bin tied: (...) in [0, 1]."""
    positive, negative = positive.astype(np.float64), negative.astype(np.float64)
    below = np.cumsum(negative, axis=-1) - negative / 2
    return divide((positive * below).sum(axis=-1), positive.sum(axis=-1) * negative.sum(axis=-1))


def score_variation(area: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Score the coefficient of variation from pixels, sum and sum of squares: (...) from 0 up."""
    mean = divide(total, area)
    variance = np.maximum(divide(squares, area) - mean * mean, 0)
    return divide(np.sqrt(variance), mean)


def score_gini(bins: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Score the Gini coefficient of a histogram (..., T+1): 0 if all are alike, towards 1 if few have it all.

    G = Σ_b n_b v_b (2 N_{<b} + n_b − N) / (N Σ_b n_b v_b), with the centre v_b of each bin.
    """
    centres = find_centres(thresholds)
    pixels = bins.astype(np.float64)
    before, total = np.cumsum(pixels, axis=-1) - pixels, pixels.sum(axis=-1, keepdims=True)
    mass = pixels * centres
    rank = 2 * before + pixels - total
    return divide((mass * rank).sum(axis=-1), total[..., 0] * mass.sum(axis=-1))


def find_centres(thresholds: np.ndarray) -> np.ndarray:
    """Find the value that stands for each bin (T+1,): the middle, and the outer thresholds for the open bins."""
    middle = (thresholds[1:] + thresholds[:-1]) / 2
    return np.concatenate([thresholds[:1], middle, thresholds[-1:]])


def score_share_below(bins: np.ndarray) -> np.ndarray:
    """Score the share of pixels at or below each threshold: (..., T) from histograms (..., T+1).

    Of the foreground, this is what a threshold loses at once.
    """
    return 1 - divide(sum_above(bins), bins.sum(axis=-1, dtype=np.int64)[..., None])


def score_class_separation(counts: Counts) -> Separation:
    """Score the separation of each class, all images pooled: (C,), NaN for background and absent classes."""
    bins, moments = pool_separation(counts)
    return score_separation(bins, moments, counts.thresholds)


def pool_separation(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    """Sum the histograms and moments of all images by class: (C, 3, T+1) int64, (C, 3, 2) float64."""
    bins = np.zeros((counts.n_classes, *counts.separation_bins.shape[1:]), dtype=np.int64)
    moments = np.zeros((counts.n_classes, 3, 2))
    for block, some in split_rows(counts.separation_bins):
        for class_id in np.unique(counts.separation_class[block]):
            rows = counts.separation_class[block] == class_id
            bins[class_id] += some[rows].sum(axis=0, dtype=np.int64)
            moments[class_id] += counts.separation_moments[block][rows].sum(axis=0)
    return bins, moments


def score_pxap(counts: Counts) -> np.ndarray:
    """Score the pixel average precision of each class's own map, over the images that have the class.

    The area under precision over recall with a step at each threshold, as in the MaskEvaluator of
    wsolevaluation, but with the highest step counted too. Every pixel that is not of the class is a negative.

    Returns:
        (C,) in [0, 1], NaN for background and classes without a pixel.
    """
    bins, _ = pool_separation(counts)
    return score_average_precision(bins[:, OWN], bins[:, BACKGROUND_REGION] + bins[:, OTHER])


def score_average_precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Score the average precision of two histograms (..., B), values in one bin taken together: (...)."""
    hits = np.cumsum(positive[..., ::-1], axis=-1)
    called = hits + np.cumsum(negative[..., ::-1], axis=-1)
    steps = np.where(called > 0, divide(hits, called), 0) * positive[..., ::-1]
    return divide(steps.sum(axis=-1), hits[..., -1])


def average_rows(values: np.ndarray, groups: np.ndarray, n: int) -> np.ndarray:
    """Average rows (S,) that are not NaN by group (S,): (n,), NaN where a group has none."""
    is_defined = ~np.isnan(values)
    total = np.bincount(groups[is_defined], weights=values[is_defined], minlength=n)
    return divide(total, np.bincount(groups[is_defined], minlength=n))


def average_pairs(separation: Separation) -> dict[str, float]:
    """Average each measure over the pairs of image and class for which it is defined, every pair alike."""
    return {name: float(nanmean(values)) for name, values in vars(separation).items()}
