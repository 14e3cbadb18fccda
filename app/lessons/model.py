"""A model of one class: two distributions of activation, and the IoU that every threshold then gives (ours).

It shows why the two conditions of the paper matter: a foreground that is spread out loses pixels early, a
background that overlaps it lets wrong ones in, and both narrow the range of good thresholds.
"""

import numpy as np

from amn_core.sweep.confusion import divide, sum_above

CELLS = 20_000
WIDEST = 0.95


def score_model_iou(share: float, foreground_below: np.ndarray, background_below: np.ndarray) -> np.ndarray:
    """Score IoU(t) = π(1 − F(t)) / (π + (1 − π)(1 − B(t))).

    Args:
        share: π, of the pixels that belong to the class, in (0, 1].
        foreground_below, background_below: (T,) F and B, the share of the class's pixels and of all others
            whose activation is at most each threshold.

    Returns:
        (T,) in [0, 1].

    Raises:
        ValueError: a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}; give the class more than 0 and at most 1 of the pixels")
    hit = share * (1 - np.asarray(foreground_below))
    return hit / (share + (1 - share) * (1 - np.asarray(background_below)))


def find_beta(mean: float, deviation: float) -> tuple[float, float]:
    """Find the two parameters of the beta distribution with a mean in (0, 1) and a standard deviation.

    No distribution on [0, 1] is wider than √(m(1 − m)); a larger deviation is taken as 0.95 of that.
    """
    widest = WIDEST * np.sqrt(mean * (1 - mean))
    size = mean * (1 - mean) / min(deviation, widest) ** 2 - 1
    return mean * size, (1 - mean) * size


def build_below(mean: float, deviation: float, thresholds: np.ndarray) -> np.ndarray:
    """Build the share of a beta distribution at or below each threshold: (T,) rising from 0 to 1."""
    first, second = find_beta(mean, deviation)
    edges = np.linspace(0, 1, CELLS + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    logarithm = (first - 1) * np.log(middle) + (second - 1) * np.log1p(-middle)
    mass = np.exp(logarithm - logarithm.max())
    return np.interp(thresholds, edges, np.concatenate([[0], np.cumsum(mass)]) / mass.sum())


def measure_class(bins: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Measure π, F and B of a real class.

    Args:
        bins: (3, T+1) pixels by threshold bin of the class's own map: on the class, on background, on others.

    Returns:
        The share π of the class, and F and B (T,); B is of all pixels that are not the class's. With these
        `score_model_iou` is the IoU of the class cut from the rest by its own map.
    """
    foreground, rest = bins[0], bins[1] + bins[2]
    below = [1 - divide(sum_above(part), part.sum()) for part in (foreground, rest)]
    return float(divide(foreground.sum(), bins.sum())), below[0], below[1]
