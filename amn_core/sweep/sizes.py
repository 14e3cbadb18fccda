"""Scores by the size of the object: what small objects cost, and what a mean over all hides (ours).

A pair is a class and an image whose ground truth has it; its size is the share of the image's scored pixels that are of
that class. Pairs of one size are pooled class by class, so that each class counts alike in the mean. What is
called a class in images that do not have it belongs to no size, and is left out here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from amn_core.constants import BACKGROUND
from amn_core.sweep.confusion import divide, find_classes, nanmean
from amn_core.sweep.counts import Counts
from amn_core.sweep.images import Overlaps, find_overlaps, split_blocks

SIZE_CUTS = (0.02, 0.10, 0.35)


@dataclass(frozen=True)
class SizeScores:
    """Scores of B sizes at T thresholds, means over the classes that have an object of that size; NaN without one.

    Attributes:
        thresholds: (T,). cuts: the B − 1 shares of the image that part the sizes, increasing.
        pairs, classes: (B,) pairs of image and class of each size, and how many classes they are of.
        iou, precision, recall: (B, T) in [0, 1], within the images that have the class.
        false_positive_rate: (B, T) pixels called the class and not of it, as a share of those that are not.
    """

    thresholds: np.ndarray
    cuts: tuple[float, ...]
    pairs: np.ndarray
    classes: np.ndarray
    iou: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    false_positive_rate: np.ndarray

    @property
    def false_negative_rate(self) -> np.ndarray:
        """Pixels of the class that are not called so, as a share of those that are: (B, T)."""
        return 1 - self.recall

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sizes, with their cuts."""
        return name_sizes(self.cuts)


def name_sizes(cuts: Sequence[float]) -> tuple[str, ...]:
    """Name the sizes between cuts, in percent of the image.

    >>> name_sizes((0.02, 0.1))
    ('under 2 %', '2 to 10 %', '10 % and more')
    """
    texts = [f"{100 * cut:g}" for cut in cuts]
    if not texts:
        return ("all sizes",)
    between = [f"{low} to {high} %" for low, high in pairwise(texts)]
    return (f"under {texts[0]} %", *between, f"{texts[-1]} % and more")


def check_cuts(cuts: Sequence[float]) -> tuple[float, ...]:
    """Check the cuts between sizes: increasing, each above 0 and below 1.

    Raises:
        ValueError: they are not.

    >>> check_cuts([0.02, 0.1])
    (0.02, 0.1)
    """
    cuts = tuple(map(float, cuts))
    if not all(0 < cut < 1 for cut in cuts) or any(np.diff(cuts) <= 0):
        named = ", ".join(f"{cut:g}" for cut in cuts)
        raise ValueError(f"sizes are cut at {named}: give shares of the image between 0 and 1, from the smallest up")
    return cuts


def score_sizes(counts: Counts, cuts: Sequence[float] = SIZE_CUTS, classes=None) -> SizeScores:
    """Score objects by their size at every threshold.

    Args:
        counts: of a run. cuts: shares of the image that part the sizes; a pair at a cut is of the larger size.
        classes: names or indices of the classes that count; background has no size and is left out.

    Raises:
        ValueError: the cuts do not rise, or a class is unknown.

    >>> from amn_core.sweep.counts import CountsBuilder
    >>> builder = CountsBuilder(("background", "cat"), [0.5])
    >>> for name, share in (("near", 8), ("far", 1)):
    ...     gt = np.zeros((1, 10), np.uint8); gt[0, :share] = 1
    ...     _ = builder.add(name, np.linspace(1, 0.1, 10, dtype=np.float32).reshape(1, 1, 10), [1], gt)
    >>> scores = score_sizes(builder.build(), (0.35,))
    >>> scores.names, scores.pairs.tolist(), scores.precision.round(3).tolist()
    (('under 35 %', '35 % and more'), [1, 1], [[0.2], [1.0]])
    """
    cuts, n = check_cuts(cuts), counts.n_classes
    kept = np.setdiff1d(find_classes(counts.class_names, classes), [BACKGROUND])
    shape = (len(cuts) + 1, n, len(counts.thresholds))
    hit, predicted = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    truth, scored, pairs = (np.zeros(shape[:2], np.int64) for _ in range(3))
    for block in split_blocks(counts):
        overlaps, size, area = find_pairs(find_overlaps(block), kept, cuts)
        keys = size * n + overlaps.label
        for key in np.unique(keys):
            rows, place = keys == key, divmod(int(key), n)
            hit[place] += overlaps.hit[rows].sum(axis=0)
            predicted[place] += overlaps.predicted[rows].sum(axis=0)
            truth[place] += overlaps.truth[rows].sum()
            scored[place] += area[rows].sum()
            pairs[place] += rows.sum()
    has_one = (pairs > 0)[..., None]
    return SizeScores(
        counts.thresholds, cuts, pairs.sum(axis=1), (pairs > 0).sum(axis=1),
        **average_classes(hit, predicted, truth[..., None], scored[..., None], has_one))


def find_pairs(overlaps: Overlaps, kept: np.ndarray, cuts: Sequence[float]) -> tuple[Overlaps, np.ndarray, np.ndarray]:
    """Find the pairs of image and class that are kept: their overlaps, sizes (M,) from 0, and images' areas (M,)."""
    area = np.bincount(overlaps.image, weights=overlaps.truth, minlength=overlaps.n_images).astype(np.int64)
    rows = np.flatnonzero((overlaps.truth > 0) & np.isin(overlaps.label, kept))
    overlaps = overlaps.keep(rows)
    of_image = area[overlaps.image]
    return overlaps, np.searchsorted(np.asarray(cuts), overlaps.truth / of_image, side="right"), of_image


def average_classes(
    hit: np.ndarray, predicted: np.ndarray, truth: np.ndarray, scored: np.ndarray, has_one: np.ndarray
) -> dict[str, np.ndarray]:
    """Average over classes (B, C, T) what follows from their pixels: four measures (B, T) by name."""
    measures = {
        "iou": divide(hit, truth + predicted - hit), "precision": divide(hit, predicted), "recall": divide(hit, truth),
        "false_positive_rate": divide(predicted - hit, scored - truth),
    }
    return {name: nanmean(np.where(has_one, values, np.nan), axis=1) for name, values in measures.items()}
