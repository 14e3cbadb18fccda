"""What one may do to an activation map without making it better, and what cheating would do to it (ours)."""

from dataclasses import dataclass

import numpy as np

LEVEL = 0.4  # where the step lies that sharpens into two levels


@dataclass(frozen=True)
class Manipulation:
    """Changes of a map, made in the order of the fields.

    Attributes:
        gamma: exponent, above 0; below 1 lifts the weak parts.
        clip: what lies above becomes this, then all is divided by it; in (0, 1].
        sharpness: of a step at `LEVEL` that makes two levels; 0 for none, 40 is nearly a mask.
        suppression: share taken off the pixels of the true background, 0 to 1. Needs the ground truth.
    """

    gamma: float = 1.0
    clip: float = 1.0
    sharpness: float = 0.0
    suppression: float = 0.0

    def __post_init__(self) -> None:
        if not (self.gamma > 0 and 0 < self.clip <= 1):
            raise ValueError(f"gamma is {self.gamma} and clip {self.clip}: gamma must be above 0, clip in (0, 1]")


def bend(values: np.ndarray, manipulation: Manipulation, is_background: bool | np.ndarray = False) -> np.ndarray:
    """Bend values in [0, 1] of a map; those of true background are turned down by the suppression as well.

    But for the suppression no two values change places.
    """
    bent = np.minimum(np.asarray(values, np.float64) ** manipulation.gamma, manipulation.clip) / manipulation.clip
    if manipulation.sharpness:
        bent = sharpen(bent, manipulation.sharpness)
    return bent * np.where(is_background, 1 - manipulation.suppression, 1.0)


def sharpen(values: np.ndarray, sharpness: float) -> np.ndarray:
    """Push values away from `LEVEL` with a logistic step that keeps 0 at 0 and 1 at 1."""
    def step(x: np.ndarray | float) -> np.ndarray:
        return 1 / (1 + np.exp(-sharpness * (np.asarray(x, np.float64) - LEVEL)))

    return (step(values) - step(0)) / (step(1) - step(0))
