"""What one may do to an activation map, to see what gap, imbalance and curve make of it (ours)."""

from dataclasses import dataclass

import numpy as np

from amn_core.constants import BACKGROUND


@dataclass(frozen=True)
class Manipulation:
    """Changes of a map, made in the order of the fields.

    Attributes:
        rescale: how far each map of an image is stretched to reach 1 at its maximum, 0 to 1.
        gamma: exponent, above 0; below 1 lifts the weak parts.
        clip: what lies above becomes this, then all is divided by it; in (0, 1].
        sharpness: of a step at `level` that makes two levels; 0 for none, 40 is nearly a mask.
        level: where the step is.
        suppression: share taken off the pixels of the true background, 0 to 1. Needs the ground truth.
    """

    rescale: float = 0.0
    gamma: float = 1.0
    clip: float = 1.0
    sharpness: float = 0.0
    level: float = 0.4
    suppression: float = 0.0

    def __post_init__(self) -> None:
        if not (self.gamma > 0 and 0 < self.clip <= 1):
            raise ValueError(f"gamma is {self.gamma} and clip {self.clip}: gamma must be above 0, clip in (0, 1]")

    @property
    def keeps_order(self) -> bool:
        """Whether no two values change places, in an image or between images: then neither AUC nor peak can gain."""
        return self.rescale == 0 and self.suppression == 0


def manipulate(cam: np.ndarray, manipulation: Manipulation, gt: np.ndarray | None = None) -> np.ndarray:
    """Manipulate the maps of an image.

    Args:
        cam: (K, H, W) float32 in [0, 1]. gt: (H, W) ground truth, for the suppression alone.

    Returns:
        (K, H, W) float32 in [0, 1].

    Raises:
        ValueError: a suppression without ground truth.
    """
    cam = cam.astype(np.float32)
    if manipulation.rescale and cam.size:
        top = np.maximum(cam.max(axis=(1, 2), keepdims=True), np.float32(1e-6))
        cam = cam * (1 + manipulation.rescale * (1 / top - 1))
    cam = np.minimum(cam ** np.float32(manipulation.gamma), np.float32(manipulation.clip)) / manipulation.clip
    if manipulation.sharpness:
        cam = sharpen(cam, manipulation.sharpness, manipulation.level)
    if manipulation.suppression:
        if gt is None:
            raise ValueError("suppression needs the ground truth: pass gt, or set it to 0")
        cam = cam * np.where(gt == BACKGROUND, 1 - manipulation.suppression, 1)
    return np.clip(cam, 0, 1).astype(np.float32)


def sharpen(values: np.ndarray, sharpness: float, level: float) -> np.ndarray:
    """Push values away from a level with a logistic step that keeps 0 at 0 and 1 at 1."""
    def step(x: np.ndarray | float) -> np.ndarray:
        return 1 / (1 + np.exp(-sharpness * (np.asarray(x, np.float64) - level)))

    return (step(values) - step(0)) / (step(1) - step(0))
