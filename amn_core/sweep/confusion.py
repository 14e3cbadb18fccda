"""Counts to scores: confusion, IoU, mIoU and what else follows from true and false positives.

Everything here is a few sums over a small table, for any subset of images, classes and thresholds.
"""

from dataclasses import dataclass

import numpy as np

from amn_core.constants import BACKGROUND, IGNORE_INDEX
from amn_core.sweep.bins import Bins, split_rows
from amn_core.sweep.counts import Counts, find_images
from amn_core.sweep.pixels import check_labels

AVERAGINGS = ("union", "all", "present")


def divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide where the whole is not zero, NaN elsewhere: an undefined score is no score.

    >>> divide([1, 1], [2, 0]).tolist()
    [0.5, nan]
    """
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64))
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)


def nanmean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Average what is not NaN, NaN where nothing is left, without numpy's warning.

    >>> round(float(nanmean(np.array([0.2, np.nan, 0.4]))), 3)
    0.3
    """
    is_defined = ~np.isnan(values)
    return divide(np.where(is_defined, values, 0).sum(axis=axis), is_defined.sum(axis=axis))


def sum_above(bins: np.ndarray, dtype=np.int64) -> np.ndarray:
    """Sum the bins (..., T+1) above each threshold: (..., T), the pixels strictly above it.

    >>> sum_above(np.array([4, 2, 1])).tolist()
    [3, 1]
    """
    reverse = np.cumsum(bins[..., :0:-1], axis=-1, dtype=dtype)
    return reverse[..., ::-1]


def sum_by_key(bins: np.ndarray | Bins, keys: np.ndarray, n: int, rows: np.ndarray | None = None) -> np.ndarray:
    """Sum rows (R, ..., B), all by default, by key (R,) from 0 to n - 1: (n, ..., B) int64.

    >>> sum_by_key(np.array([[1, 2], [3, 4], [5, 6]]), np.array([1, 0, 1]), 3).tolist()
    [[3, 4], [6, 8], [0, 0]]
    """
    rows = np.arange(len(keys)) if rows is None else rows
    rows = rows[np.argsort(keys[rows], kind="stable")]
    summed = np.zeros((n, *bins.shape[1:]), dtype=np.int64)
    for block, some in split_rows(bins, rows):
        own = keys[block]
        starts = np.flatnonzero(np.diff(own, prepend=-1))
        summed[own[starts]] += np.add.reduceat(some, starts, axis=0, dtype=np.int64)
    return summed


def pool_decisions(counts: Counts, images=None) -> np.ndarray:
    """Sum the decisions of some images, all by default: (C, C, T+1) int64 by ground truth, class and bin."""
    n_classes, rows = counts.n_classes, None
    if images is not None:
        is_chosen = np.zeros(len(counts.image_ids), dtype=bool)
        is_chosen[find_images(counts, images)] = True
        rows = np.flatnonzero(is_chosen[counts.decision_image])
    keys = counts.decision_gt.astype(np.int64) * n_classes + counts.decision_class
    pooled = sum_by_key(counts.decision_bins, keys, n_classes * n_classes, rows)
    return pooled.reshape(n_classes, n_classes, -1)


def score_confusion(counts: Counts, images=None) -> np.ndarray:
    """Score the confusion matrix of every threshold.

    Args:
        counts: of the run. images: indices, ids or boolean mask of the images to use; all by default.

    Returns:
        (T, C, C) int64, pixels by threshold, ground truth and prediction; ground truth 255 is left out.

    >>> score_confusion(counts)[1].tolist()  # at 0.5
    [[5, 0], [0, 3]]
    """
    pooled = pool_decisions(counts, images)
    above = sum_above(pooled)
    above[:, BACKGROUND] = 0
    above[:, BACKGROUND] = pooled.sum(axis=(1, 2))[:, None] - above.sum(axis=1)
    return np.ascontiguousarray(above.transpose(2, 0, 1))


def score_iou(confusion: np.ndarray) -> np.ndarray:
    """Score the intersection over union of each class from confusion[gt, pred].

    Args:
        confusion: (..., C, C) pixels.

    Returns:
        (..., C) in [0, 1], NaN where neither ground truth nor prediction has a pixel.

    >>> score_iou(np.array([[3, 1], [0, 4]])).tolist()
    [0.75, 0.8]
    """
    hit = np.diagonal(confusion, axis1=-2, axis2=-1)
    return divide(hit, confusion.sum(axis=-1) + confusion.sum(axis=-2) - hit)


def find_classes(class_names: tuple[str, ...] | int, classes=None) -> np.ndarray:
    """Turn class indices or names into indices (n,), all by default.

    Raises:
        ValueError: if a class is unknown or there is none.

    >>> find_classes(("background", "cat", "dog"), ["dog", 0]).tolist()
    [0, 2]
    """
    names = class_names if isinstance(class_names, tuple) else tuple(map(str, range(class_names)))
    if classes is None:
        return np.arange(len(names))
    found = [names.index(c) if isinstance(c, str) and c in names else c for c in classes]
    wrong = [c for c in found if isinstance(c, str) or not 0 <= c < len(names)]
    if wrong or not found:
        raise ValueError(f"classes {wrong} are not among the {len(names)} classes: give names or 0..{len(names) - 1}")
    return np.array(sorted(set(map(int, found))))


def score_miou(confusion: np.ndarray, averaging: str = "union", classes=None) -> np.ndarray:
    """Score the mean IoU over classes, under one of the averaging rules of the field.

    Args:
        confusion: (..., C, C) pixels, confusion[gt, pred].
        averaging: ``union``: over the classes with a pixel in ground truth or prediction (IRN, WeakTr);
            ``all``: over all classes, an absent one as 0, as their code has it (SEAM, MCTformer);
            ``present``: over the classes in the ground truth (ToCo, CLIP-ES).
        classes: indices of the classes to average, background included if 0 is among them; all by default.

    Returns:
        (...) in [0, 1], NaN where no class is left.

    >>> round(float(score_miou(np.array([[3, 1], [0, 4]]))), 3)
    0.775
    """
    check_averaging(averaging)
    chosen = find_classes(confusion.shape[-1], classes)
    return average_iou(score_iou(confusion)[..., chosen], confusion.sum(axis=-1)[..., chosen] > 0, averaging)


def check_averaging(averaging: str) -> None:
    """Raise ValueError if there is no such averaging rule."""
    if averaging not in AVERAGINGS:
        raise ValueError(f"averaging is {averaging!r}: choose one of {', '.join(AVERAGINGS)}")


def average_iou(iou: np.ndarray, is_present: np.ndarray, averaging: str, axis: int = -1) -> np.ndarray:
    """Average IoU over the axis of classes; ``is_present`` tells which are in the ground truth.

    >>> iou, is_present = np.array([0.8, np.nan, 0.1]), np.array([True, False, False])
    >>> [round(float(average_iou(iou, is_present, name)), 2) for name in AVERAGINGS]
    [0.45, 0.3, 0.8]
    """
    if averaging == "all":
        return np.nan_to_num(iou, nan=0.0).mean(axis=axis)
    return nanmean(np.where(is_present, iou, np.nan) if averaging == "present" else iou, axis=axis)


@dataclass(frozen=True)
class Rates:
    """What else follows from a confusion matrix (..., C, C); each in [0, 1], NaN where undefined.

    Attributes:
        precision, recall, f1: (..., C) of the pixels predicted, of those in the ground truth, and their
            harmonic mean.
        over_activation, under_activation: (..., C) false positives and false negatives as a share of the
            union, as SEAM reports them: with the IoU they add up to 1.
        false_positive_rate, false_negative_rate: (..., C) false positives as a share of the pixels that are
            not of the class, false negatives of those that are.
        pixel_accuracy: (...) share of all pixels that are right.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    over_activation: np.ndarray
    under_activation: np.ndarray
    false_positive_rate: np.ndarray
    false_negative_rate: np.ndarray
    pixel_accuracy: np.ndarray


def score_rates(confusion: np.ndarray) -> Rates:
    """Score precision, recall, F1, error rates and pixel accuracy from confusion[gt, pred] (..., C, C).

    >>> score_rates(np.array([[3, 1], [0, 4]])).precision.tolist()
    [1.0, 0.8]
    """
    hit = np.diagonal(confusion, axis1=-2, axis2=-1)
    truth, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    total = truth.sum(axis=-1, keepdims=True)
    union, extra, missed = truth + predicted - hit, predicted - hit, truth - hit
    return Rates(
        precision=divide(hit, predicted), recall=divide(hit, truth), f1=divide(2 * hit, truth + predicted),
        over_activation=divide(extra, union), under_activation=divide(missed, union),
        false_positive_rate=divide(extra, total - truth), false_negative_rate=divide(missed, truth),
        pixel_accuracy=divide(hit.sum(axis=-1), total[..., 0]),
    )


def average_rates(rates: Rates, classes: np.ndarray) -> Rates:
    """Average rates (..., C) over some classes: each (...), NaN left out; pixel accuracy stays.

    A class that is called nowhere has no precision, and does not lower the mean: read precision beside recall.

    >>> rates = score_rates(np.array([[3, 1, 0], [0, 4, 0], [2, 0, 0]]))
    >>> mean = average_rates(rates, np.array([1, 2]))
    >>> float(mean.precision), float(mean.recall), round(float(mean.false_positive_rate), 3)
    (0.8, 0.5, 0.083)
    """
    means = {name: nanmean(values[..., classes]) for name, values in vars(rates).items() if name != "pixel_accuracy"}
    return Rates(**means, pixel_accuracy=rates.pixel_accuracy)


def score_foreground_share(confusion: np.ndarray) -> np.ndarray:
    """Score the share of the scored pixels that are called foreground: (...) from (..., C, C).

    Falls as the threshold rises, and is the same after any increasing change of the maps (ours).

    >>> float(score_foreground_share(np.array([[3, 1], [0, 4]])))
    0.625
    """
    return 1 - divide(confusion[..., BACKGROUND].sum(axis=-1), confusion.sum(axis=(-2, -1)))


def count_mask(prediction: np.ndarray, gt: np.ndarray, n_classes: int = 21, unsure: str = "error") -> np.ndarray:
    """Count the confusion of one label image, such as a seed or a pseudo mask.

    Args:
        prediction: (H, W) integers, 255 for unsure. gt: (H, W) integers, 255 left out.
        unsure: ``error`` counts an unsure pixel as a miss of its class, in the extra last column;
            ``ignore`` leaves it out. The two give very different scores: name the one you used.

    Returns:
        (n_classes, n_classes + 1) int64 with ``error``, (n_classes, n_classes) with ``ignore``.

    >>> count_mask(np.array([[0, 1, 255]]), np.array([[0, 0, 1]]), 2).tolist()
    [[1, 1, 0], [0, 0, 1]]
    >>> count_mask(np.array([[0, 1, 255]]), np.array([[0, 0, 1]]), 2, unsure="ignore").tolist()
    [[1, 1], [0, 0]]
    """
    if unsure not in ("error", "ignore"):
        raise ValueError(f"unsure is {unsure!r}: choose 'error' or 'ignore'")
    if prediction.shape != gt.shape:
        raise ValueError(f"prediction is {prediction.shape} but mask is {gt.shape}: resize one of them")
    truth = check_labels(gt.ravel(), n_classes)
    called = np.minimum(check_labels(prediction.ravel(), n_classes), n_classes)
    is_scored = truth != IGNORE_INDEX
    keys = truth[is_scored].astype(np.int64) * (n_classes + 1) + called[is_scored]
    counted = np.bincount(keys, minlength=n_classes * (n_classes + 1)).reshape(n_classes, n_classes + 1)
    return counted if unsure == "error" else counted[:, :-1]
