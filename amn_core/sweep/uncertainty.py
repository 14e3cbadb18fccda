"""How sure a score is: a bootstrap over images, paired between runs.

The images of a data set are drawn again with replacement, as many as there are, and everything is scored anew
from counts. All runs see the same draws, so that what they share cancels in a difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.constants import BACKGROUND
from amn_core.sweep.confusion import average_iou, divide, find_classes
from amn_core.sweep.counts import Counts
from amn_core.sweep.curves import find_peak, score_mean, score_width, take_at
from amn_core.sweep.images import BLOCK, ImageScores, Overlaps, find_overlaps, score_images, split_blocks
from amn_core.sweep.protocols import Protocol, find_protocol
from amn_core.sweep.separation import Pairs, score_pairs

SEPARATION_MEASURES = ("gap", "auc", "imbalance", "gini")
MEASURES = (
    "peak_miou", "peak_threshold", "plateau", "plateau_share", "mean_miou", "oracle_miou", "oracle_gain",
    "mean_regret", *SEPARATION_MEASURES,
)


@dataclass(frozen=True)
class Bootstrap:
    """Scores of one run over R resamples of its images.

    Attributes:
        draw: what identifies the resamples: ids of the images, number of resamples, seed.
        thresholds: (T,). level: of the intervals, 0.95 for 95 %.
        estimates: score of the images as they are, by measure; samples: (R,) of each resample, by measure.
            The measures are those of MEASURES, named as in `Summary` (``oracle_gain`` is oracle less peak),
            and ``miou``, the whole curve: (T,) and (R, T).
    """

    draw: tuple[tuple[str, ...], int, int]
    thresholds: np.ndarray
    level: float
    estimates: dict[str, np.ndarray]
    samples: dict[str, np.ndarray]

    def interval(self, measure: str) -> tuple[np.ndarray, np.ndarray]:
        """Find the percentile interval of a measure: low and high, numbers, or (T,) for ``miou``."""
        return find_interval(self.samples[find_measure(measure, self.samples)], self.level)


@dataclass(frozen=True)
class Difference:
    """The paired difference of a measure between two runs, first less second.

    Attributes:
        measure: its name. estimate: on the images as they are. low, high: the percentile interval.
        share_above: share of the resamples in which the first is higher, ties half.
    """

    measure: str
    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    share_above: np.ndarray


def find_measure(measure: str, samples: dict) -> str:
    """Check that a measure was resampled, and return its name."""
    if measure not in samples:
        raise ValueError(f"measure is {measure!r}: choose one of {', '.join(samples)}")
    return measure


def find_interval(samples: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the central interval of samples (R, ...) that holds ``level`` of them, NaN left out.

    >>> [round(float(end), 3) for end in find_interval(np.arange(101.0), 0.9)]
    [5.0, 95.0]
    """
    tail = (1 - level) / 2
    is_defined = ~np.isnan(samples).all(axis=0)
    safe = np.where(is_defined, samples, 0)
    low, high = np.nanquantile(safe, [tail, 1 - tail], axis=0)
    return np.where(is_defined, low, np.nan)[()], np.where(is_defined, high, np.nan)[()]


def draw_weights(n_images: int, resamples: int, seed: int = 0) -> np.ndarray:
    """Draw how often each image occurs in each resample: (R, N) float64, each row sums to N.

    >>> draw_weights(4, 2, seed=0).sum(axis=1).tolist()
    [4.0, 4.0]
    """
    draws = np.random.default_rng(seed).integers(0, n_images, size=(resamples, n_images))
    flat = (draws + np.arange(resamples)[:, None] * n_images).ravel()
    return np.bincount(flat, minlength=resamples * n_images).reshape(resamples, n_images).astype(np.float64)


def bootstrap_runs(
    runs: Sequence[Counts], protocol: str | Protocol = "irn", classes=None, resamples: int = 1000,
    seed: int = 0, level: float = 0.95,
) -> list[Bootstrap]:
    """Resample the images of several runs, the same draws for all.

    Args:
        runs: counts over the same images, in any order. protocol, classes: as in `summarise`.
        resamples: R, at least 2. seed: of the draws. level: of the intervals, in (0, 1).

    Returns:
        One Bootstrap for each run. Intervals are percentiles; a peak is the best of many thresholds, so that of
        a resample lies a little above, and its interval leans upward: for a fixed threshold read ``miou``.

    Raises:
        ValueError: if there is no image, the images of the runs differ, or an argument is out of range.
    """
    check_draw(runs, resamples, level)
    image_ids, averaging = runs[0].image_ids, find_protocol(protocol).averaging
    weights = np.concatenate([np.ones((1, len(image_ids))), draw_weights(len(image_ids), resamples, seed)])
    results = []
    for counts in runs:
        aligned = counts if counts.image_ids == image_ids else counts.select(image_ids)
        scores = resample_scores(aligned, weights, averaging, classes)
        results.append(
            Bootstrap(
                (image_ids, resamples, seed), counts.thresholds, level,
                {name: values[0] for name, values in scores.items()},
                {name: values[1:] for name, values in scores.items()},
            )
        )
    return results


def check_draw(runs: Sequence[Counts], resamples: int, level: float) -> None:
    """Check what is to be resampled; raise ValueError with what is wrong."""
    if not runs or not runs[0].image_ids:
        raise ValueError("runs has no image to draw from: count one first")
    if resamples < 2 or not 0 < level < 1:
        raise ValueError(f"resamples is {resamples} and level is {level}: give at least 2, and a share below 1")
    first = set(runs[0].image_ids)
    for i, counts in enumerate(runs[1:], start=2):
        if differing := first.symmetric_difference(counts.image_ids):
            raise ValueError(
                f"run {i} and run 1 differ in {len(differing)} images, such as {min(differing)!r}: "
                "select the images they share, then compare"
            )


def resample_scores(counts: Counts, weights: np.ndarray, averaging: str, classes=None) -> dict[str, np.ndarray]:
    """Score resamples of the images, given how often each occurs in each, weights (R, N)."""
    pairs = score_pairs(counts)
    images = score_images(counts, averaging, classes, pairs)
    kept = find_classes(counts.class_names, classes)
    curves, share = resample_curves(counts, images.best_index(), weights, averaging, kept)
    miou, oracle = curves[:, :-1], curves[:, -1]
    peak = find_peak(miou)
    peak_miou = take_at(miou, peak)
    return {
        "miou": miou, "peak_miou": peak_miou, "peak_threshold": counts.thresholds[peak],
        "plateau": score_width(miou, counts.thresholds), "plateau_share": score_width(miou, share),
        "mean_miou": score_mean(miou, counts.thresholds), "oracle_miou": oracle,
        "oracle_gain": oracle - peak_miou, "mean_regret": resample_regret(images, peak, weights),
        **resample_separation(counts, pairs, kept, weights),
    }


def resample_curves(
    counts: Counts, best: np.ndarray, weights: np.ndarray, averaging: str, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Score the mIoU of resamples at each threshold, and the share of foreground.

    A block of images at a time, so that a large data set needs no more memory than its curves: areas are whole
    numbers and so add up without error, in whatever order.

    Returns:
        (R, T + 1) mIoU, the last that of the oracle; (R, T) share of the pixels called foreground.
    """
    shape = (counts.n_classes, len(weights), len(counts.thresholds) + 1)
    hit, predicted, truth = np.zeros(shape), np.zeros(shape), np.zeros(shape[:2])
    for start, block in zip(range(0, len(best), BLOCK), split_blocks(counts), strict=True):
        part = slice(start, start + BLOCK)
        draw_areas(find_overlaps(block), best[part], weights[:, part], hit, predicted, truth)
    share = 1 - divide(predicted[BACKGROUND, :, :-1], truth.sum(axis=0)[:, None])
    iou = divide(hit, truth[..., None] + predicted - hit)
    return average_iou(iou[kept], truth[kept, :, None] > 0, averaging, axis=0), share


def draw_areas(
    overlaps: Overlaps, best: np.ndarray, weights: np.ndarray, hit: np.ndarray, predicted: np.ndarray,
    truth: np.ndarray,
) -> None:
    """Add the areas of resamples of some images to `hit` and `predicted` (C, R, T + 1) and `truth` (C, R)."""
    for label in np.unique(overlaps.label):
        rows = overlaps.label == label
        image = overlaps.image[rows]
        drawn = weights[:, image]
        truth[label] += drawn @ overlaps.truth[rows].astype(np.float64)
        for summed, areas in ((hit, overlaps.hit[rows]), (predicted, overlaps.predicted[rows])):
            whole = np.concatenate([areas, take_at(areas, best[image])[:, None]], axis=1)
            summed[label] += drawn @ whole.astype(np.float64)


def resample_regret(images: ImageScores, peak: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Score the mean regret of resamples (R,), each at its own best global threshold."""
    regret = images.best_miou[:, None] - images.miou
    is_defined = ~np.isnan(regret)
    at_peak = take_at(weights @ np.where(is_defined, regret, 0), peak)
    return divide(at_peak, take_at(weights @ is_defined.astype(np.float64), peak))


def resample_separation(
    counts: Counts, pairs: Pairs, kept: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Score the mean separation of resamples over pairs of image and class that have both areas."""
    means = {}
    rows = np.flatnonzero(pairs.has_both & np.isin(counts.separation_class, kept))
    image, n = counts.separation_image[rows], weights.shape[1]
    for name in SEPARATION_MEASURES:
        values = getattr(pairs.separation, name)[rows]
        is_defined = ~np.isnan(values)
        by_image = [np.bincount(image, part, n) for part in (np.where(is_defined, values, 0), is_defined)]
        means[name] = divide(weights @ by_image[0], weights @ by_image[1])
    return means


def compare_bootstraps(first: Bootstrap, second: Bootstrap, measure: str = "peak_miou") -> Difference:
    """Compare two runs that were resampled together: the difference of a measure, and its interval.

    Args:
        measure: one of MEASURES, or ``miou`` for the whole curve, which needs the same thresholds.

    Raises:
        ValueError: if the runs were not resampled together, or the measure is unknown.

    >>> first, second = bootstrap_runs([counts, counts], resamples=20)
    >>> pair = compare_bootstraps(first, second)
    >>> float(pair.estimate), float(pair.low), float(pair.high)
    (0.0, 0.0, 0.0)
    """
    if first.draw != second.draw or first.level != second.level:
        raise ValueError("the runs were resampled apart: give both to one call of bootstrap_runs")
    if measure == "miou" and not np.array_equal(first.thresholds, second.thresholds):
        raise ValueError("the runs have different thresholds: count them alike to compare curves")
    name = find_measure(measure, first.samples)
    samples = first.samples[name] - second.samples[name]
    low, high = find_interval(samples, first.level)
    above = nan_share(samples)
    return Difference(measure, first.estimates[name] - second.estimates[name], low, high, above)


def nan_share(samples: np.ndarray) -> np.ndarray:
    """Score the share of samples (R, ...) above 0, those at 0 half, NaN left out."""
    is_defined = ~np.isnan(samples)
    wins = (samples > 0).sum(axis=0) + (samples == 0).sum(axis=0) / 2
    return divide(wins, is_defined.sum(axis=0))[()]
