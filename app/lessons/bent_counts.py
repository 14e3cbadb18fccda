"""The counts of a run after its maps were bent; `sandbox.js` computes the same in the browser.

Bending moves values and leaves pixels where they are, so the counts can be bent in place of the maps: what was counted
in a cell is above a threshold if the cell's bent value is.
"""

from dataclasses import dataclass

import numpy as np

from app.lessons.manipulation import Manipulation, bend

CELLS = 101


@dataclass(frozen=True)
class BentCurve:
    """The mIoU of bent maps, percent, (T,), at thresholds (T,): every value that a cell has after bending."""

    thresholds: np.ndarray
    miou: np.ndarray

    @property
    def peak(self) -> float:
        """The highest mIoU."""
        return float(self.miou.max())

    @property
    def plateau(self) -> float:
        """The width of the thresholds around the peak that are within one point of it."""
        peak = int(self.miou.argmax())
        far = np.flatnonzero(self.miou < self.miou[peak] - 1)
        low, high = far[far < peak], far[far > peak]
        first, last = (low[-1] + 1 if len(low) else 0), (high[0] - 1 if len(high) else len(self.miou) - 1)
        return float(self.thresholds[last] - self.thresholds[first])


def shrink_bins(counts) -> np.ndarray:
    """Shrink the bins of the decisions to `CELLS` cells of equal width, (R, CELLS) pixels.

    Cell k holds the values around k / (CELLS − 1).
    """
    bins = np.asarray(counts.decision_bins)
    middle = np.concatenate([[0.0], (counts.thresholds[1:] + counts.thresholds[:-1]) / 2, [1.0]])
    cell = np.rint(middle * (CELLS - 1)).astype(int)
    shrunk = np.zeros((len(bins), CELLS), np.int64)
    np.add.at(shrunk.T, cell, bins.T)
    return shrunk


def count_bent(counts, manipulation: Manipulation) -> BentCurve:
    """Count a run again after bending its maps; classes without a pixel anywhere are left out of the mean.

    A pixel is foreground strictly above a threshold.
    """
    cells, n = np.arange(CELLS) / (CELLS - 1), counts.n_classes
    bent = [bend(cells, manipulation, is_background) for is_background in (False, True)]
    thresholds = np.unique(np.concatenate(bent))
    first = [np.searchsorted(values, thresholds, side="right") for values in bent]
    table = shrink_bins(counts)
    rest = np.concatenate([table[:, ::-1].cumsum(axis=1)[:, ::-1], np.zeros((len(table), 1), np.int64)], axis=1)
    hit, called, truth = np.zeros((n, len(thresholds))), np.zeros((n, len(thresholds))), np.zeros(n)
    for gt in range(n):
        for label in range(n):
            row = rest[(counts.decision_gt == gt) & (counts.decision_class == label)].sum(axis=0)
            above = row[first[int(gt == 0)]]
            truth[gt] += row[0]
            called[label] += above
            called[0] += row[0] - above
            hit[label] += above if gt == label else 0
            hit[0] += row[0] - above if gt == 0 else 0
    union = called + truth[:, None] - hit
    with np.errstate(invalid="ignore"):
        return BentCurve(thresholds, 100 * np.nanmean(np.where(union > 0, hit / union, np.nan), axis=0))
