"""One curve of scores over thresholds, or many at once, to a few numbers: peak, plateau, mean, slope.

Each has a twin on the axis of the share of pixels called foreground, which an increasing change of the maps
leaves alone: thresholds move with the scale of the maps, quantiles do not.
"""

import numpy as np

from amn_core.sweep.confusion import divide

PLATEAU_TOLERANCE = 0.01


def find_peak(curves: np.ndarray) -> np.ndarray:
    """Find the index of the highest score of each curve (..., T): (...) int64.

    The lowest threshold wins ties. A curve without a score gives 0.

    >>> find_peak(np.array([0.2, 0.5, 0.5, np.nan])).tolist()
    1
    """
    return np.argmax(np.where(np.isnan(curves), -np.inf, curves), axis=-1)


def take_at(curves: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Take from each curve (..., T) the score at its index (...)."""
    return np.take_along_axis(curves, np.expand_dims(np.asarray(index), -1), axis=-1)[..., 0]


def find_plateau(curves: np.ndarray, tolerance: float = PLATEAU_TOLERANCE) -> tuple[np.ndarray, np.ndarray]:
    """Find the plateau of each curve: the unbroken run of thresholds around the peak within the tolerance.

    A second hill beyond a dip is not part of it. The ends are points of the grid, both inside the plateau;
    nothing is interpolated, so the width can be read off the printed curve (ours).

    Args:
        curves: (..., T) in [0, 1]. tolerance: how far below the peak a score may lie, 0.01 for one point.

    Returns:
        First and last index, (...) int64 each.

    >>> first, last = find_plateau(np.array([0.2, 0.495, 0.5, 0.491, 0.4, 0.5]))
    >>> first.tolist(), last.tolist()
    (1, 3)
    """
    index, n = np.arange(curves.shape[-1]), curves.shape[-1]
    peak = find_peak(curves)[..., None]
    is_low = ~(curves >= np.take_along_axis(curves, peak, axis=-1) - tolerance)
    first = np.where(is_low & (index < peak), index + 1, 0).max(axis=-1)
    last = np.where(is_low & (index > peak), index - 1, n - 1).min(axis=-1)
    return first, last


def score_width(curves: np.ndarray, positions: np.ndarray, tolerance: float = PLATEAU_TOLERANCE) -> np.ndarray:
    """Score the width of the plateau, from one end to the other, on any axis.

    Args:
        curves: (..., T). positions: (T,) or (..., T): thresholds, or shares of foreground.

    Returns:
        (...) the distance between the ends: 0 for a plateau of one threshold.
    """
    first, last = find_plateau(curves, tolerance)
    positions = np.broadcast_to(positions, curves.shape)
    return np.abs(take_at(positions, last) - take_at(positions, first))


def score_mean(
    curves: np.ndarray, positions: np.ndarray, low: float | None = None, high: float | None = None
) -> np.ndarray:
    """Score the mean of each curve over a range of positions: its area by trapezoids, divided by the range.

    Args:
        curves: (..., T). positions: (T,) or (..., T), all rising or all falling.
        low, high: keep the points within; all by default.

    Returns:
        (...) NaN where the range has no extent or a score is missing.
    """
    positions = np.broadcast_to(np.asarray(positions, dtype=np.float64), curves.shape)
    steps, middle = np.diff(positions, axis=-1), (curves[..., 1:] + curves[..., :-1]) / 2
    lower, upper = np.minimum(positions[..., 1:], positions[..., :-1]), np.maximum(
        positions[..., 1:], positions[..., :-1]
    )
    is_inside = (lower >= (-np.inf if low is None else low)) & (upper <= (np.inf if high is None else high))
    steps = np.abs(np.where(is_inside, steps, 0))
    return divide((np.where(steps > 0, middle, 0) * steps).sum(axis=-1), steps.sum(axis=-1))


def score_slope(curve: np.ndarray, positions: np.ndarray, index: int) -> float:
    """Score how fast a curve (T,) changes at an index, per unit of the positions (T,).

    The difference of the two neighbours, one-sided at the ends. NaN where the positions do not differ.
    """
    left, right = max(index - 1, 0), min(index + 1, len(curve) - 1)
    return float(divide(curve[right] - curve[left], positions[right] - positions[left]))


def score_sensitivity(curve: np.ndarray, positions: np.ndarray, index: int, reach: float = 0.05) -> float:
    """Score what a small error of the threshold can cost: the largest loss within ``reach`` of an index.

    Args:
        curve: (T,) scores. positions: (T,) thresholds, or shares of foreground. reach: in their unit.

    Returns:
        curve[index] less the lowest score within reach, at least 0 (ours).
    """
    is_near = np.abs(np.asarray(positions) - positions[index]) <= reach * (1 + 1e-9)
    return float(curve[index] - np.min(curve[is_near]))


def find_threshold(thresholds: np.ndarray, threshold: float) -> int:
    """Find the index of the threshold of the grid that is nearest; the lower wins ties.

    Raises:
        ValueError: if it lies outside the grid.

    >>> find_threshold(np.array([0.0, 0.5, 1.0]), 0.7)
    1
    """
    if not thresholds[0] - 1e-9 <= threshold <= thresholds[-1] + 1e-9:
        raise ValueError(f"threshold is {threshold}, outside {thresholds[0]:g} to {thresholds[-1]:g} as counted")
    return int(np.argmin(np.abs(thresholds - threshold)))
