"""Pairs of thresholds for seeds: confident foreground above one, confident background below the other, unsure between.

From counts alone, so without the CRF that the paper applies to both label images before.
"""

from dataclasses import dataclass

import numpy as np

from amn_core.constants import BACKGROUND
from amn_core.sweep.confusion import divide, pool_decisions, sum_above
from amn_core.sweep.counts import Counts
from amn_core.sweep.curves import find_threshold


@dataclass(frozen=True)
class Confident:
    """Precision and coverage of confident areas; fractions of 1, NaN where an area is empty.

    Attributes:
        thresholds: (T,). foreground_precision, foreground_coverage, foreground_recall: (T,) of the pixels above
            a threshold: share that is of the class it is called, share of all pixels, and share of the object
            pixels that are found so. background_precision, background_coverage: (T,) of those not above it.
        precision, coverage: (T, T), row: background threshold, column: foreground threshold, of both areas
            together; NaN where the foreground threshold is the lower one.
    """

    thresholds: np.ndarray
    foreground_precision: np.ndarray
    foreground_coverage: np.ndarray
    foreground_recall: np.ndarray
    background_precision: np.ndarray
    background_coverage: np.ndarray
    precision: np.ndarray
    coverage: np.ndarray

    def at(self, foreground: float, background: float) -> dict[str, float]:
        """Look up a pair of thresholds: both, and precision and coverage of each area and of both.

        Raises:
            ValueError: if a threshold is outside the grid, or the foreground's is the lower one.
        """
        if foreground < background:
            raise ValueError(f"foreground threshold {foreground} is below the background's, {background}: swap them")
        f, b = find_threshold(self.thresholds, foreground), find_threshold(self.thresholds, background)
        names = ("precision", "coverage")
        return {
            "foreground": float(self.thresholds[f]), "background": float(self.thresholds[b]),
            **{name: float(getattr(self, name)[b, f]) for name in names},
            **{f"foreground_{name}": float(getattr(self, f"foreground_{name}")[f]) for name in (*names, "recall")},
            **{f"background_{name}": float(getattr(self, f"background_{name}")[b]) for name in names},
        }


def score_confident(counts: Counts, images=None) -> Confident:
    """Score every pair of thresholds for confident foreground and background (ours, after IRN's seeds).

    Args:
        counts: of a run. images: indices, ids or mask; all by default. Ground truth 255 is left out.

    >>> score_confident(counts).foreground_precision.round(2).tolist()
    [0.6, 1.0, 1.0]
    """
    pooled = pool_decisions(counts, images)
    above, total = sum_above(pooled), pooled.sum(dtype=np.int64)
    right = np.einsum("cct->t", above[1:, 1:])
    called = above.sum(axis=(0, 1))
    quiet = total - called
    quiet_right = pooled[BACKGROUND].sum(dtype=np.int64) - above[BACKGROUND].sum(axis=0)
    objects = pooled[BACKGROUND + 1:].sum(dtype=np.int64)
    grid = counts.thresholds
    is_ordered = grid[None, :] >= grid[:, None]
    both, both_right = quiet[:, None] + called, quiet_right[:, None] + right
    return Confident(
        grid, divide(right, called), divide(called, total), divide(right, objects), divide(quiet_right, quiet),
        divide(quiet, total), np.where(is_ordered, divide(both_right, both), np.nan),
        np.where(is_ordered, divide(both, total), np.nan),
    )


def find_widest(confident: Confident, precision: float) -> tuple[float, float] | None:
    """Find the pair with the highest coverage whose two areas each reach a precision; needs ground truth.

    Returns:
        Foreground and background threshold, the lowest foreground and highest background one; None if no
        pair does.

    >>> find_widest(score_confident(counts), precision=0.9)
    (0.5, 0.5)
    """
    is_fine = (confident.foreground_precision >= precision) & (confident.background_precision >= precision)[:, None]
    coverage = np.where(is_fine & ~np.isnan(confident.coverage), confident.coverage, -np.inf)
    if not np.isfinite(coverage).any():
        return None
    row, column = np.unravel_index(np.argmax(coverage), coverage.shape)
    return float(confident.thresholds[column]), float(confident.thresholds[row])
