"""A model of many images under one threshold (ours): what the two conditions of the paper do to a data set.

Each image has activations spread normally around a middle on its object and another on its background. Images are
brighter or fainter as a whole, and all get the same threshold. `conditions.js` computes the same in the browser.
"""

from dataclasses import dataclass
from math import erf, sqrt
from statistics import NormalDist

import numpy as np

THRESHOLDS = np.arange(101) / 100
IMAGES = 15
SHARE = 0.25  # of the pixels that is object
NOISE = 0.12  # standard deviation of the activation on background
LEVEL = 60.0  # percent: a threshold that gives less is no good one
SHIFTS = tuple(NormalDist().inv_cdf((i + 0.5) / IMAGES) for i in range(IMAGES))


@dataclass(frozen=True)
class Crowd:
    """What a model's images score in percent.

    curves: (images, T) of each at each threshold. mean: (T,) of all. peak: the highest mean. oracle: the mean where
    each image has its own best threshold. reach: the share of the thresholds whose mean is `LEVEL` or more.
    """

    curves: np.ndarray
    mean: np.ndarray
    peak: float
    oracle: float
    reach: float


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


def find_below(middle: float, spread: float) -> np.ndarray:
    """Find the share of a normal distribution below each threshold, (T,)."""
    return np.array([(1 + erf((t - middle) / spread / sqrt(2))) / 2 for t in THRESHOLDS])


def model_crowd(imbalance: float, gap: float, between: float) -> Crowd:
    """Score the model.

    Args:
        imbalance: standard deviation of the activation within an object. gap: distance between the middles of object
            and background. between: standard deviation of the brightness of whole images.
    """
    curves = 100 * np.array([
        score_model_iou(SHARE, find_below(0.5 + gap / 2 + between * shift, imbalance),
                        find_below(0.5 - gap / 2 + between * shift, NOISE))
        for shift in SHIFTS])
    mean = curves.mean(axis=0)
    return Crowd(curves, mean, float(mean.max()), float(curves.max(axis=1).mean()), float((mean >= LEVEL).mean()))
