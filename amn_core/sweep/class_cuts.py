"""Scores of all classes without image labels: a second cut, on the class, decides which classes an image has.

A class is in an image where its presence, a number from 0 to 1, is strictly above the class cut; the map's threshold
then cuts the classes that are left, as anywhere. The classes of an image are ordered by presence, so that a class cut
keeps the first k: pixels are counted for each k that occurs on a grid of class cuts, every threshold at once, in one
pass over the planes. What is kept of a data set grows with class cuts × thresholds × classes, not with images.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.constants import BACKGROUND, IGNORE_INDEX
from amn_core.sweep.binning import check_thresholds
from amn_core.sweep.confusion import average_iou, divide


@dataclass(frozen=True)
class CutSums:
    """Pixels of a data set by class under each class cut and threshold.

    Attributes:
        hit, predicted: (M, C, T) int64: pixels rightly called a class, and all that are called it, background too.
        truth: (C,) int64.
    """

    hit: np.ndarray
    predicted: np.ndarray
    truth: np.ndarray

    def add(self, other: "CutSums") -> "CutSums":
        """Add the pixels of other images."""
        return CutSums(self.hit + other.hit, self.predicted + other.predicted, self.truth + other.truth)

    def score_iou(self) -> np.ndarray:
        """Score the IoU of each class, (M, C, T); NaN where it is undefined."""
        return divide(self.hit, self.truth[:, None] + self.predicted - self.hit)

    def score_miou(self, averaging: str = "union") -> np.ndarray:
        """Score mIoU over all classes under each class cut and threshold, (M, T)."""
        is_present = np.broadcast_to(self.truth[:, None] > 0, self.hit.shape)
        return average_iou(self.score_iou(), is_present, averaging, axis=1)


def count_class_cuts(
    cam: np.ndarray, presence: np.ndarray, gt: np.ndarray, thresholds: np.ndarray, class_cuts: np.ndarray
) -> CutSums:
    """Count the pixels of one image under each class cut and threshold.

    Background wins ties of a map with the threshold, the class that comes first ties of two maps, and a class whose
    presence is the class cut is out.

    Args:
        cam: (K, H, W) float32 of all classes but background. presence: (K,) of each, from 0 to 1.
        gt: (H, W) 0 to K, 255 left out. thresholds: (T,) increasing. class_cuts: (M,).

    >>> import numpy as np
    >>> cam, gt = np.array([[[0.9, 0.2]], [[0.1, 0.6]]], np.float32), np.array([[1, 2]])
    >>> sums = count_class_cuts(cam, np.array([0.9, 0.6]), gt, np.array([0.0, 0.5]), np.array([0.0, 0.7]))
    >>> sums.score_miou("present").tolist()
    [[1.0, 1.0], [0.25, 0.5]]
    """
    order = np.argsort(-np.asarray(presence), kind="stable")
    kept = (np.asarray(presence)[order][None] > np.asarray(class_cuts)[:, None]).sum(axis=1)
    return count_first(cam, order, kept, gt, check_thresholds(thresholds))


def count_given(
    cam: np.ndarray, class_ids: Sequence[int], gt: np.ndarray, thresholds: np.ndarray
) -> CutSums:
    """Count the pixels of one image whose classes are told, at each threshold: as one class cut.

    >>> import numpy as np
    >>> cam, gt = np.array([[[0.9, 0.2]], [[0.1, 0.6]]], np.float32), np.array([[1, 2]])
    >>> count_given(cam, [1, 2], gt, np.array([0.5])).score_miou("present").tolist()
    [[1.0]]
    """
    order = np.asarray(class_ids, dtype=np.int64) - 1
    return count_first(cam, order, np.array([len(order)]), gt, check_thresholds(thresholds))


def count_first(
    cam: np.ndarray, order: np.ndarray, kept: np.ndarray, gt: np.ndarray, thresholds: np.ndarray
) -> CutSums:
    """Count the pixels with the first k classes of an order, for each k in `kept` (M,)."""
    n_classes, n_bins = len(cam) + 1, len(thresholds) + 1
    is_scored = gt != IGNORE_INDEX
    labels = gt[is_scored].astype(np.int64)
    planes, grid = cam[:, is_scored], thresholds.astype(cam.dtype)
    best = np.full(labels.size, -np.inf, dtype=cam.dtype)
    winner = np.zeros(labels.size, dtype=np.int64)
    truth = np.bincount(labels, minlength=n_classes)
    hit, predicted = (np.zeros((len(kept), n_classes, len(thresholds)), dtype=np.int64) for _ in range(2))
    for k in range(int(kept.max(initial=0)) + 1):
        if k:
            take_class(planes[order[k - 1]], int(order[k - 1]) + 1, best, winner)
        if not (kept == k).any():
            continue
        bins = np.searchsorted(grid, best) if k else np.zeros(labels.size, dtype=np.int64)
        own, called = tabulate(winner, bins, labels, n_classes, n_bins)
        hit[kept == k], predicted[kept == k] = own, called
    return CutSums(hit, predicted, truth)


def take_class(plane: np.ndarray, class_id: int, best: np.ndarray, winner: np.ndarray) -> None:
    """Let a class win the pixels (P,) where it is stronger than those before it, or as strong and of a lower number."""
    is_won = (plane > best) | ((plane == best) & (class_id < winner))
    best[is_won], winner[is_won] = plane[is_won], class_id


def tabulate(
    winner: np.ndarray, bins: np.ndarray, labels: np.ndarray, n_classes: int, n_bins: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tabulate pixels (P,) by class at each threshold: rightly called and called, (C, T) each."""
    def sum_above(chosen: np.ndarray) -> np.ndarray:
        table = np.bincount(winner[chosen] * n_bins + bins[chosen], minlength=n_classes * n_bins)
        above = table.reshape(n_classes, n_bins)[:, ::-1].cumsum(axis=1)[:, ::-1]
        return above[:, 1:]

    called, own = sum_above(np.ones(len(labels), dtype=bool)), sum_above(winner == labels)
    ground = labels == BACKGROUND
    own[BACKGROUND] = ground.sum() - sum_above(ground).sum(axis=0)
    called[BACKGROUND] = len(labels) - called[1:].sum(axis=0)
    return own, called


def split_loss(told: np.ndarray, scored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split what is lost against told classes at their best threshold: to wrong classes and to a wrong cut.

    Args:
        told: (T,) mIoU with the image's true classes. scored: (M, T) under each class cut.

    Returns:
        wrong class (M, T): points below the told classes at the same threshold; wrong cut (T,): what these are there
        below their best. Both add up to the loss; the first may be below 0, where a class that is there but badly
        drawn is better left out.

    >>> import numpy as np
    >>> wrong_class, wrong_cut = split_loss(np.array([0.5, 0.75]), np.array([[0.25, 0.5]]))
    >>> wrong_class.tolist(), wrong_cut.tolist()
    ([[0.25, 0.25]], [0.25, 0.0])
    """
    return told[None] - scored, np.nanmax(told) - told
