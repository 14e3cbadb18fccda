"""The counts of a run after its maps were bent; `sandbox.js` computes the same in the browser.

Bending moves values, and all pixels of a cell move together; so the counts can be moved in place of the maps.
"""

import numpy as np

from app.lessons.manipulation import Manipulation, manipulate

CELLS = 101


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


def find_tops(counts) -> np.ndarray:
    """Find the largest value of each image, to a cell, (N,) in [0, 1]."""
    cells = shrink_bins(counts)
    highest = np.where(cells > 0, np.arange(CELLS), 0).max(axis=1) / (CELLS - 1)
    tops = np.zeros(len(counts.image_ids))
    np.maximum.at(tops, counts.decision_image, highest)
    return tops


def bend_cells(top: float, manipulation: Manipulation, is_background: bool) -> np.ndarray:
    """Find the cell that each cell of an image moves to, (CELLS,) integers."""
    values = (np.arange(CELLS) / (CELLS - 1)).astype(np.float32)
    stretched = values * np.float32(1 + manipulation.rescale * (1 / max(top, 1e-6) - 1))
    same = Manipulation(0.0, *(getattr(manipulation, name) for name in ("gamma", "clip", "sharpness", "level")))
    bent = manipulate(stretched[None, None], same)[0, 0]
    bent = bent * (1 - manipulation.suppression) if is_background else bent
    return np.floor(np.clip(bent, 0, 1) * (CELLS - 1) + 0.5).astype(int)


def count_bent(counts, manipulation: Manipulation) -> np.ndarray:
    """Count a run again after bending its maps: mIoU in percent at `CELLS` thresholds, absent classes left out.

    A pixel is foreground strictly above a threshold.
    """
    cells, tops, n = shrink_bins(counts), find_tops(counts), counts.n_classes
    hit, called, truth = np.zeros((n, CELLS)), np.zeros((n, CELLS)), np.zeros(n)
    for row, image in enumerate(counts.decision_image):
        gt, label = int(counts.decision_gt[row]), int(counts.decision_class[row])
        moved = np.bincount(bend_cells(tops[image], manipulation, gt == 0), weights=cells[row], minlength=CELLS)
        above = moved.sum() - moved.cumsum()
        truth[gt] += moved.sum()
        called[label] += above
        called[0] += moved.sum() - above
        hit[label] += above if gt == label else 0
        hit[0] += moved.sum() - above if gt == 0 else 0
    union = called + truth[:, None] - hit
    with np.errstate(invalid="ignore"):
        return 100 * np.nanmean(np.where(union > 0, hit / union, np.nan), axis=0)


def measure_plateau(curve: np.ndarray) -> float:
    """Measure the width of the thresholds around the peak that are within one point of it."""
    peak = int(curve.argmax())
    is_far = np.flatnonzero(curve < curve[peak] - 1)
    low, high = is_far[is_far < peak], is_far[is_far > peak]
    first, last = (low[-1] + 1 if len(low) else 0), (high[0] - 1 if len(high) else CELLS - 1)
    return float(last - first) / (CELLS - 1)
