"""Scores of single images: mIoU at every threshold, best threshold, regret, and the oracle that knows them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.constants import BACKGROUND
from amn_core.sweep.confusion import average_iou, check_averaging, divide, find_classes, sum_above
from amn_core.sweep.counts import Counts, select_images
from amn_core.sweep.curves import find_peak, find_threshold, take_at
from amn_core.sweep.separation import Pairs, average_rows, score_pairs

BLOCK = 1024


@dataclass(frozen=True)
class Overlaps:
    """The areas behind each IoU of each image: one row for a pair of image and class that has a pixel.

    Attributes:
        n_images, n_classes: N, C. image, label: (M,) int64, sorted; background has a row in every scored image.
        hit, predicted: (M, T) pixels; int32 where no image has too many for it, else int64. truth: (M,), likewise.
    """

    n_images: int
    n_classes: int
    image: np.ndarray
    label: np.ndarray
    hit: np.ndarray
    predicted: np.ndarray
    truth: np.ndarray

    def keep(self, rows: np.ndarray) -> "Overlaps":
        """Keep some rows, by index or mask (M,)."""
        columns = (self.image, self.label, self.hit, self.predicted, self.truth)
        return Overlaps(self.n_images, self.n_classes, *(column[rows] for column in columns))


def find_overlaps(counts: Counts) -> Overlaps:
    """Find intersection, prediction and ground truth of every image and class at every threshold.

    >>> overlaps = find_overlaps(counts)
    >>> overlaps.label.tolist(), overlaps.truth.tolist(), overlaps.hit[:, 1].tolist()
    ([0, 1, 0, 1], [2, 2, 3, 1], [2, 2, 3, 1])
    """
    image, gt, label = (
        column.astype(np.int64) for column in (counts.decision_image, counts.decision_gt, counts.decision_class)
    )
    total = counts.decision_bins.sum(axis=1, dtype=np.int64)
    dtype = choose_dtype(np.bincount(image, weights=total, minlength=1).max(initial=0))
    above = sum_above(counts.decision_bins, dtype)
    n = counts.n_classes
    keys, places = np.unique(
        np.concatenate([image * n + gt, image * n + label, image * n + BACKGROUND]), return_inverse=True
    )
    of_gt, of_label, of_background = np.split(places, 3)
    n_rows, is_own = len(keys), (gt == label) & (label != BACKGROUND)
    truth = np.bincount(of_gt, weights=total, minlength=n_rows).astype(dtype)
    hit, predicted = np.zeros((n_rows, above.shape[1]), dtype), sum_groups(above, of_label, n_rows)
    hit[of_label[is_own]] = above[is_own]  # an image has one row of its own pixels for each class
    is_ground = gt == BACKGROUND
    rows, of_image = np.unique(of_background, return_inverse=True)
    hit[rows] = truth[rows, None] - sum_groups(above[is_ground], of_image[is_ground], len(rows))
    scored = np.bincount(of_image, weights=total, minlength=len(rows)).astype(dtype)
    predicted[rows] = scored[:, None] - sum_groups(above, of_image, len(rows))
    return Overlaps(len(counts.image_ids), n, keys // n, keys % n, hit, predicted, truth)


def choose_dtype(most: float) -> type[np.signedinteger]:
    """Choose the narrowest integers that hold twice the pixels of the largest image."""
    return np.int32 if most < 1 << 30 else np.int64


def sum_groups(values: np.ndarray, groups: np.ndarray, n: int) -> np.ndarray:
    """Sum rows (R, T) by group (R,): (n, T) of the same dtype.

    First the first row of every group, then the second of those that have one, and so on: a group has few rows.
    """
    summed = np.zeros((n, *values.shape[1:]), dtype=values.dtype)
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    _, starts, sizes = np.unique(ordered, return_index=True, return_counts=True)
    for turn in range(sizes.max(initial=0)):
        rows = starts[sizes > turn] + turn
        summed[ordered[rows]] += values[order[rows]]
    return summed


def average_by_image(overlaps: Overlaps, averaging: str) -> np.ndarray:
    """Average the IoU of each image's classes: (N, T), NaN where an image has none at a threshold."""
    iou = divide(overlaps.hit, overlaps.truth[:, None] + overlaps.predicted - overlaps.hit)
    if averaging == "present":
        iou[overlaps.truth == 0] = np.nan
    return average_groups(iou, overlaps.image, overlaps.n_images)


@dataclass(frozen=True)
class ImageScores:
    """Scores of each of N images at each of T thresholds.

    Attributes:
        image_ids: (N,) ids. thresholds: (T,).
        miou: (N, T), the mean over the image's classes that have a pixel in its ground truth or prediction at
            that threshold (``averaging`` "union", also under "all": absent classes would drown an image), or
            in its ground truth ("present"). NaN where there is none.
        best_threshold, best_miou: (N,) the lowest threshold with the image's highest mIoU, and that mIoU.
        gap, auc, imbalance, gini: (N,) the mean over the image's classes, see `Separation`.
        oracle_areas: (3, C) hit, predicted and true pixels of each class, each image at its best threshold.
        is_degenerate: (N,) whether the ground truth lacks background or objects, see `find_degenerate`.
    """

    image_ids: tuple[str, ...]
    thresholds: np.ndarray
    miou: np.ndarray
    best_threshold: np.ndarray
    best_miou: np.ndarray
    gap: np.ndarray
    auc: np.ndarray
    imbalance: np.ndarray
    gini: np.ndarray
    oracle_areas: np.ndarray
    is_degenerate: np.ndarray

    def regret(self, threshold: float) -> np.ndarray:
        """Score what a global threshold costs each image: (N,) best mIoU less mIoU at it, at least 0."""
        return self.best_miou - self.miou[:, find_threshold(self.thresholds, threshold)]

    def best_index(self) -> np.ndarray:
        """Find the index of each image's best threshold: (N,); 0 where an image has no score."""
        return find_peak(self.miou)


def score_images(
    counts: Counts, averaging: str = "union", classes=None, pairs: Pairs | None = None
) -> ImageScores:
    """Score every image at every threshold, with its best threshold and its separation.

    Args:
        counts: of a run. averaging: see `ImageScores`. classes: names or indices to average; all by default.
        pairs: `score_pairs` of these counts, if they are at hand.

    >>> scores = score_images(counts)
    >>> scores.best_threshold.tolist(), scores.miou[:, 0].round(3).tolist()
    ([0.25, 0.5], [1.0, 0.333])
    """
    check_averaging(averaging)
    chosen = find_classes(counts.class_names, classes)
    areas, n = np.zeros((3, counts.n_classes)), len(counts.image_ids)
    miou, index = np.empty((n, len(counts.thresholds))), np.zeros(n, dtype=np.int64)
    is_degenerate = np.ones(n, dtype=bool)
    for start, block in zip(range(0, max(n, 1), BLOCK), split_blocks(counts), strict=True):
        overlaps, part = find_overlaps(block), slice(start, start + BLOCK)
        miou[part] = average_by_image(overlaps.keep(np.isin(overlaps.label, chosen)), averaging)
        index[part] = find_peak(miou[part])
        areas += sum_areas(overlaps, index[part])
        is_degenerate[part] = mark_degenerate(overlaps)
    best = take_at(miou, index)
    pairs = score_pairs(counts) if pairs is None else pairs
    rows = np.isin(counts.separation_class, chosen)
    means = {
        name: average_rows(getattr(pairs.separation, name)[rows], counts.separation_image[rows], n)
        for name in ("gap", "auc", "imbalance", "gini")
    }
    threshold = np.where(np.isnan(best), np.nan, counts.thresholds[index])
    return ImageScores(counts.image_ids, counts.thresholds, miou, threshold, best, **means, oracle_areas=areas,
                       is_degenerate=is_degenerate)


def mark_degenerate(overlaps: Overlaps) -> np.ndarray:
    """Mark the images without scored background or without scored object, as `find_degenerate` does: (N,) bool."""
    has_background, has_object = (
        np.bincount(overlaps.image, weights=overlaps.truth * is_region, minlength=overlaps.n_images) > 0
        for is_region in (overlaps.label == BACKGROUND, overlaps.label != BACKGROUND)
    )
    return ~(has_background & has_object)


def find_degenerate(counts: Counts) -> np.ndarray:
    """Find the images whose ground truth has no scored background or no scored object: (N,) bool (ours).

    There a threshold separates nothing: an image without background is perfect at 0, one without an object at 1.
    They count in a data set's score, but have no place in a ranking of images.

    >>> find_degenerate(counts).tolist()
    [False, False]
    """
    pixels = counts.decision_bins.sum(axis=1, dtype=np.int64)
    has_background, has_object = (
        np.bincount(counts.decision_image, weights=pixels * is_region, minlength=len(counts.image_ids)) > 0
        for is_region in (counts.decision_gt == BACKGROUND, counts.decision_gt != BACKGROUND)
    )
    return ~(has_background & has_object)


def split_blocks(counts: Counts) -> Iterator[Counts]:
    """Split counts into blocks of images, one at a time, so that a large data set needs no more memory than a block."""
    n = len(counts.image_ids)
    if n <= BLOCK:
        yield counts
        return
    for start in range(0, n, BLOCK):
        yield select_images(counts, np.arange(start, min(start + BLOCK, n)))


@dataclass(frozen=True)
class Oracle:
    """A data set's score when each image uses a threshold of its own.

    Attributes:
        miou: the data set's mean IoU. iou: (C,) by class, NaN where undefined. thresholds: (N,) used.
    """

    miou: float
    iou: np.ndarray
    thresholds: np.ndarray


def score_oracle(counts: Counts, averaging: str = "union", classes=None, images=None) -> Oracle:
    """Score the oracle: the data set's mIoU when each image uses its own best threshold (ours).

    The best threshold of an image is that of its own mIoU. The data set's mIoU pools pixels over images, so in
    odd cases this can lie below the peak of one global threshold.
    """
    if images is not None:
        counts = counts.select(images)
    scores = score_images(counts, averaging, classes)
    return score_areas(scores.oracle_areas, counts, averaging, classes, scores.best_threshold)


def score_chosen(counts: Counts, index: np.ndarray, averaging: str = "union", classes=None) -> Oracle:
    """Score the data set when image i uses ``thresholds[index[i]]``, chosen by whatever means.

    Args:
        index: (N,) integers in 0..T-1, in the order of ``counts.image_ids``.
    """
    index, n = np.asarray(index), len(counts.image_ids)
    if index.shape != (n,):
        raise ValueError(f"index is of shape {index.shape}, but there are {n} images")
    areas = sum(
        sum_areas(find_overlaps(block), index[i * BLOCK : (i + 1) * BLOCK])
        for i, block in enumerate(split_blocks(counts))
    )
    return score_areas(areas, counts, averaging, classes, counts.thresholds[index])


def sum_areas(overlaps: Overlaps, index: np.ndarray) -> np.ndarray:
    """Sum hit, predicted and true pixels by class, image i at threshold index[i]: (3, C) float64."""
    chosen = index[overlaps.image]
    areas = take_at(overlaps.hit, chosen), take_at(overlaps.predicted, chosen), overlaps.truth
    return np.stack([np.bincount(overlaps.label, weights=a, minlength=overlaps.n_classes) for a in areas])


def score_areas(areas: np.ndarray, counts: Counts, averaging: str, classes, thresholds: np.ndarray) -> Oracle:
    """Score hit, predicted and true pixels by class (3, C), got with these thresholds (N,)."""
    check_averaging(averaging)
    hit, predicted, truth = areas
    iou, kept = divide(hit, truth + predicted - hit), find_classes(counts.class_names, classes)
    return Oracle(float(average_iou(iou[kept], truth[kept] > 0, averaging)), iou, thresholds)


def count_best_thresholds(scores: ImageScores) -> np.ndarray:
    """Count the images whose best threshold is each of the grid: (T,) int64; images without a score are left out."""
    is_scored = ~np.isnan(scores.best_miou)
    return np.bincount(scores.best_index()[is_scored], minlength=len(scores.thresholds))


def find_best_spread(scores: ImageScores, low: float = 0.25, high: float = 0.75) -> tuple[float, float]:
    """Find two quantiles of the images' best thresholds, the quartiles by default; NaN without a score.

    >>> find_best_spread(score_images(counts))
    (0.3125, 0.4375)
    """
    best = scores.best_threshold[~np.isnan(scores.best_threshold)]
    if not len(best):
        return float("nan"), float("nan")
    return float(np.quantile(best, low)), float(np.quantile(best, high))


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def find_image_quantiles(values: np.ndarray, levels: Sequence[float] = QUANTILES) -> np.ndarray:
    """Find quantiles over images of one curve an image: what a curve of the whole data set hides (PIMO's view).

    Args:
        values: (N, T) scores, NaN where an image has none. levels: (L,) shares of the images below.

    Returns:
        (L, T), interpolated between images as numpy does; NaN where no image has a score.

    >>> find_image_quantiles(np.array([[0.2, np.nan], [0.4, np.nan], [0.9, 0.5]]), [0.5]).tolist()
    [[0.4, 0.5]]
    """
    found = np.full((len(levels), values.shape[1]), np.nan)
    has_one = ~np.isnan(values).all(axis=0)
    found[:, has_one] = np.nanquantile(values[:, has_one], levels, axis=0)
    return found


@dataclass(frozen=True)
class ImageRates:
    """Error rates of each of N images at each of T thresholds, means over the object classes of its ground truth.

    NaN where an image has no such class, or, for precision, where nothing is called any of them.
    """

    image_ids: tuple[str, ...]
    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    false_positive_rate: np.ndarray

    @property
    def false_negative_rate(self) -> np.ndarray:
        """Pixels of a class that are not called so, as a share of those that are: (N, T)."""
        return 1 - self.recall


def score_image_rates(counts: Counts, classes=None) -> ImageRates:
    """Score precision, recall and error rates of every image at every threshold.

    Args:
        counts: of a run. classes: names or indices that count; background is left out.

    >>> from amn_core.sweep.counts import CountsBuilder
    >>> builder = CountsBuilder(("background", "cat"), [0.5])
    >>> _ = builder.add("one", np.array([[[0.9, 0.8, 0.7, 0.1]]]), [1], np.array([[1, 1, 0, 1]], dtype=np.uint8))
    >>> rates = score_image_rates(builder.build())
    >>> rates.precision.round(3).tolist(), rates.recall.round(3).tolist(), rates.false_positive_rate.tolist()
    ([[0.667]], [[0.667]], [[1.0]])
    """
    kept = np.setdiff1d(find_classes(counts.class_names, classes), [BACKGROUND])
    parts: dict[str, list[np.ndarray]] = {"precision": [], "recall": [], "false_positive_rate": []}
    for block in split_blocks(counts):
        overlaps = find_overlaps(block)
        area = np.bincount(overlaps.image, weights=overlaps.truth, minlength=overlaps.n_images)
        pairs = overlaps.keep(np.flatnonzero((overlaps.truth > 0) & np.isin(overlaps.label, kept)))
        truth, outside = pairs.truth[:, None], (area[pairs.image] - pairs.truth)[:, None]
        for name, part, whole in (
            ("precision", pairs.hit, pairs.predicted), ("recall", pairs.hit, truth),
            ("false_positive_rate", pairs.predicted - pairs.hit, outside),
        ):
            parts[name].append(average_groups(divide(part, whole), pairs.image, pairs.n_images))
    return ImageRates(counts.image_ids, counts.thresholds, **{k: np.concatenate(v) for k, v in parts.items()})


def average_groups(values: np.ndarray, groups: np.ndarray, n: int) -> np.ndarray:
    """Average rows (M, T) by group (M,), NaN left out: (n, T), NaN where a group has none."""
    is_defined = ~np.isnan(values)
    total = sum_groups(np.where(is_defined, values, 0), groups, n)
    return divide(total, sum_groups(is_defined.astype(np.int32), groups, n))
