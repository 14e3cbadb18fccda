"""How far foreground and background activation lie apart: gap, AUC, imbalance, from histograms alone.

Over the pixels of an image that are not ignored, for a class that is present: F is the class's own map where
the ground truth is that class, B where it is background, O where it is another class. The definitions are ours.
"""

from dataclasses import dataclass

import numpy as np

from amn_core.sweep.bins import split_rows
from amn_core.sweep.confusion import divide, sum_above, sum_by_key
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

    >>> pairs = counts.separation_bins, counts.separation_moments
    >>> separation = score_separation(*pairs, counts.thresholds)
    >>> separation.gap.round(2).tolist(), separation.auc.tolist()
    ([0.6, 0.53], [1.0, 1.0])
    """
    own, background, other = (bins[..., region, :].astype(np.float64) for region in (OWN, BACKGROUND_REGION, OTHER))
    area = bins[..., :2, :].sum(axis=-1, dtype=np.int64)
    mean = divide(moments[..., :2, 0], area)
    return Separation(
        gap=mean[..., 0] - mean[..., 1], auc=score_auc(own, background),
        imbalance=score_variation(area[..., 0], moments[..., OWN, 0], moments[..., OWN, 1]),
        gini=score_gini(own, thresholds), auc_other=score_auc(own, other),
    )


@dataclass(frozen=True)
class Pairs:
    """What the histograms of all pairs of image and class say, read once.

    Attributes:
        separation: of each pair, (S,). has_both: (S,) whether it has pixels of its class and of background.
        bins, moments: (2, C, 3, T+1) int64, (2, C, 3, 2): sums by class over the pairs without both, then with both.
    """

    separation: Separation
    has_both: np.ndarray
    bins: np.ndarray
    moments: np.ndarray


def score_pairs(counts: Counts) -> Pairs:
    """Score every pair of image and class, and sum the histograms by class, a block at a time."""
    n = counts.n_classes
    blocks = [score_block(counts, block, some) for block, some in split_rows(counts.separation_bins)]
    blocks = blocks or [score_block(counts, np.zeros(0, dtype=np.int64), counts.separation_bins[:])]
    parts, both, bins, moments = zip(*blocks, strict=True)
    separation = Separation(**{
        name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})
    shape = counts.separation_bins.shape[1:]
    return Pairs(separation, np.concatenate(both), sum(bins).reshape(2, n, *shape), sum(moments).reshape(2, n, 3, 2))


def score_block(
    counts: Counts, block: np.ndarray, bins: np.ndarray
) -> tuple[Separation, np.ndarray, np.ndarray, np.ndarray]:
    """Score some pairs: their separation, whether they have both areas, and sums by that and class (2·C, ...)."""
    moments, n = counts.separation_moments[block], 2 * counts.n_classes
    has_both = (bins[:, :2].sum(axis=2, dtype=np.int64) > 0).all(axis=1)
    keys = has_both * counts.n_classes + counts.separation_class[block]
    summed = np.zeros((n, 3, 2))
    np.add.at(summed, keys, moments)
    return score_separation(bins, moments, counts.thresholds), has_both, sum_by_key(bins, keys, n), summed


def score_auc(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Score the area under the ROC curve of two histograms (..., B), values in one bin tied: (...) in [0, 1]."""
    positive, negative = positive.astype(np.float64, copy=False), negative.astype(np.float64, copy=False)
    area = np.einsum("...b,...b->...", positive, rank_middle(negative))
    return divide(area, positive.sum(axis=-1) * negative.sum(axis=-1))


def rank_middle(pixels: np.ndarray) -> np.ndarray:
    """Rank the middle of each bin of a histogram (..., B): the pixels in the bins before, and half of its own."""
    ranks = np.cumsum(pixels, axis=-1)
    ranks -= pixels / 2
    return ranks


def score_variation(area: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Score the coefficient of variation from pixels, sum and sum of squares: (...) from 0 up."""
    mean = divide(total, area)
    variance = np.maximum(divide(squares, area) - mean * mean, 0)
    return divide(np.sqrt(variance), mean)


def score_gini(bins: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Score the Gini coefficient of a histogram (..., T+1): 0 if all are alike, towards 1 if few have it all.

    G = Σ_b n_b v_b (2 N_{<b} + n_b − N) / (N Σ_b n_b v_b), with the centre v_b of each bin.
    """
    pixels = bins.astype(np.float64, copy=False)
    mass, total = pixels * find_centres(thresholds), pixels.sum(axis=-1)
    whole = mass.sum(axis=-1)
    return divide(2 * np.einsum("...b,...b->...", mass, rank_middle(pixels)) - total * whole, total * whole)


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
    """Score the separation of each class, all images pooled: (C,), NaN for background and absent classes.

    >>> score_class_separation(counts).auc.tolist()
    [nan, 1.0]
    """
    bins, moments = pool_separation(counts)
    return score_separation(bins, moments, counts.thresholds)


def pool_separation(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    """Sum the histograms and moments of all images by class: (C, 3, T+1) int64, (C, 3, 2) float64.

    >>> bins, moments = pool_separation(counts)
    >>> bins[1, 0].tolist(), moments[1, 0].round(2).tolist()
    ([0, 0, 1, 2], [2.3, 1.81])
    """
    moments = np.zeros((counts.n_classes, 3, 2))
    np.add.at(moments, counts.separation_class, counts.separation_moments)
    return sum_by_key(counts.separation_bins, counts.separation_class.astype(np.int64), counts.n_classes), moments


def score_pxap(counts: Counts) -> np.ndarray:
    """Score the pixel average precision of each class's own map, over the images that have the class.

    The area under precision over recall with a step at each threshold, as in the MaskEvaluator of
    wsolevaluation, but with the highest step counted too. Every pixel that is not of the class is a negative.

    Returns:
        (C,) in [0, 1], NaN for background and classes without a pixel.
    """
    return score_pooled_pxap(pool_separation(counts)[0])


def score_pooled_pxap(bins: np.ndarray) -> np.ndarray:
    """Score the pixel average precision of each class from its summed histograms (C, 3, T+1): (C,)."""
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
