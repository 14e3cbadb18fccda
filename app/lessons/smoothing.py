"""The target of the per-pixel classification loss as numbers, free of torch, for what explains it."""

import numpy as np

from amn_core.constants import BACKGROUND


def build_target(seed_class: int, n_classes: int, epsilon: float) -> np.ndarray:
    """Build the target of one pixel: 1 − ε for the class of its seed, ε / (C − 1) for each other; (C,).

    Source: Lee, Kim and Shim (2022); the same numbers as `amn_core.train.losses.build_pixel_targets`.
    """
    target = np.full(n_classes, epsilon / (n_classes - 1))
    target[seed_class] = 1 - epsilon
    return target


def score_pixel_loss(probability: np.ndarray, n_classes: int, epsilon: float) -> np.ndarray:
    """Score the loss of a pixel that gives its seed's class a probability in (0, 1), the rest shared evenly.

    The cross entropy with the smoothed target is least at 1 − ε, not at 1: what is hotter is pushed down.
    """
    rest = (1 - probability) / (n_classes - 1)
    return -(1 - epsilon) * np.log(probability) - epsilon * np.log(rest)


def find_levels(n_present: int, n_classes: int, epsilon: float) -> tuple[float, float]:
    """Find the two levels of activation of a network that reached its targets.

    The probabilities are normalised over background and the classes present, as AMN's maps are by default.

    Args:
        n_present: number of object classes in the image, from 1.

    Returns:
        The activation of a class on its own seed, and on background.
    """
    on = build_target(1, n_classes, epsilon)[: n_present + 1]
    off = build_target(BACKGROUND, n_classes, epsilon)[: n_present + 1]
    return float(on[1] / on.sum()), float(off[1] / off.sum())
