"""The simple way to a threshold from points, to measure ours against.

A pixel at random within each strongest class in turn; the answer is this class, or not; a logistic curve in the rank of
the activation with an intercept for each class, shrunk to the common one; everything else is background.
"""

import numpy as np

from amn_core.choosing.chance import squash
from amn_core.choosing.points import OWN, start_answers
from amn_core.choosing.population import Population, Truth, score_levels
from amn_core.choosing.trials import BATCH, add_answers

STEPS = 12
SPREAD = 1.0


def simulate_plain(
    population: Population, truth: Truth, curve: np.ndarray, sizes, rng: np.random.Generator
) -> np.ndarray:
    """Simulate thresholds chosen from so many answers: what they lose, (len(sizes), R), fractions of 1.

    Args:
        population, truth: of R draws of images. curve: (T,) mIoU by the run's thresholds. sizes: increasing.
    """
    worth = population.is_kept * (population.pixels.sum(axis=-1) > 0)
    chances = population.pixels / np.maximum(population.pixels.sum(axis=-1), 1e-9)[..., None] * worth[..., None]
    chances /= chances.sum(axis=(-1, -2), keepdims=True)
    given, lost = start_answers(population.pixels.shape[:-2]), []
    for n in range(BATCH, max(sizes) + 1, BATCH):
        given = add_answers(given, population, truth, chances, rng)
        if n in sizes:
            own = population.pixels * fit_logistic(given, population)
            miou = score_levels(population, own, np.zeros_like(own), np.zeros_like(truth.named))
            lost.append(curve.max() - curve[population.ends[miou.argmax(axis=-1)]])
    return np.stack(lost)


def fit_logistic(given, population: Population) -> np.ndarray:
    """Fit a slope, an intercept and one for each class by Newton's method: the chance of the class, (R, S, G)."""
    n_classes, n_levels = population.pixels.shape[-2:]
    trial = np.arange(len(given.rows))[:, None]
    asked, found = (np.zeros((len(given.rows), n_classes, n_levels)) for _ in range(2))
    np.add.at(asked, (trial, given.rows, given.levels), 1)
    np.add.at(found, (trial, given.rows, given.levels), given.kinds == OWN)
    design = np.zeros((n_classes, n_levels, 2 + n_classes))
    design[:, :, 0], design[:, :, 1] = 1, 4 * (population.ranks - 0.5)
    design[np.arange(n_classes), :, 2 + np.arange(n_classes)] = 1
    design, flat = design.reshape(-1, 2 + n_classes), asked.reshape(len(asked), -1)
    shrink, values = np.diag([0.01, 0.01] + [1 / SPREAD**2] * n_classes), np.zeros((len(asked), 2 + n_classes))
    for _ in range(STEPS):
        chance = squash(values @ design.T)
        slope = (found.reshape(flat.shape) - flat * chance) @ design - values @ shrink
        bend = np.einsum("rc,ck,cl->rkl", flat * chance * (1 - chance), design, design, optimize=True) + shrink
        step = np.linalg.solve(bend, slope[..., None])[..., 0]
        values = values + step / np.maximum(1, np.abs(step).max(axis=-1, keepdims=True) / 3)
    return squash(values @ design.T).reshape(asked.shape)
