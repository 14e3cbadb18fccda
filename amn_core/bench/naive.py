"""The plain way to each number, slow and short enough to be believed: what the fast way is held against."""

import numpy as np

from amn_core.constants import IGNORE_INDEX
from amn_core.sweep.counts import Counts


def sweep_naive(
    cam: np.ndarray, class_ids: np.ndarray, gt: np.ndarray, thresholds: np.ndarray, n_classes: int
) -> np.ndarray:
    """Evaluate every threshold by an argmax with a constant background plane: (T, C, C) int64 [gt, pred]."""
    labels = np.concatenate([[0], class_ids]).astype(np.int64)
    is_scored = gt != IGNORE_INDEX
    truth = gt[is_scored].astype(np.int64)
    confusion = np.empty((len(thresholds), n_classes, n_classes), dtype=np.int64)
    for j, threshold in enumerate(thresholds):
        planes = np.pad(cam, ((1, 0), (0, 0), (0, 0)), constant_values=cam.dtype.type(threshold))
        predicted = labels[np.argmax(planes, axis=0)][is_scored]
        cells = np.bincount(truth * n_classes + predicted, minlength=n_classes * n_classes)
        confusion[j] = cells.reshape(n_classes, n_classes)
    return confusion


def score_naive(counts: Counts, images: np.ndarray) -> np.ndarray:
    """Score the mIoU of some images at every threshold, adding up one image and threshold after another: (T,)."""
    miou = np.empty(len(counts.thresholds))
    rows = np.flatnonzero(np.isin(counts.decision_image, images))
    for j in range(len(miou)):
        confusion = np.zeros((counts.n_classes, counts.n_classes), dtype=np.int64)
        for row in rows:
            gt, label, bins = counts.decision_gt[row], counts.decision_class[row], counts.decision_bins[row]
            confusion[gt, label] += bins[j + 1 :].sum()
            confusion[gt, 0] += bins[: j + 1].sum()
        hit, union = np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1) - np.diag(confusion)
        miou[j] = (hit[union > 0] / union[union > 0]).mean()
    return miou
