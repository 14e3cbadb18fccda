"""What other data sets teach about curves of chance: the prior of a threshold from points (ours).

`learn_prior` takes runs with ground truth, data sets weighing the same, and finds the mean curve and the spread of its
level, steepness and shape, for what all classes of a run share and for each class's own. `DEFAULT` is learnt from the
bundled runs; the benchmark learns it anew without the data set that it reports on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.choosing.chance import KNOTS, CurvePrior, build_basis, fit_curves
from amn_core.choosing.points import PointPrior
from amn_core.choosing.population import Population, Truth

FLOORS = np.array([0.5, 0.15, 0.4])
ANSWERS = 300
LIMIT = 6.0
RARE = 0.01
KINSHIP = np.exp(-((np.arange(len(KNOTS))[:, None] - np.arange(len(KNOTS))) / 1.5) ** 2 / 2) + 0.01 * np.eye(len(KNOTS))


@dataclass(frozen=True)
class Lesson:
    """A run with ground truth to learn from: the data set's name, its population, and its ground truth by image."""

    data: str
    population: Population
    truth: Truth


def build_prior(mean: Sequence[float], common: Sequence[float], own: Sequence[float]) -> CurvePrior:
    """Build a prior from the mean log odds at the knots (K,), and deviations of level, steepness and shape.

    Args:
        common, own: (3,) standard deviations, of what all classes share and of each class's own.
    """
    mean = np.asarray(mean, dtype=np.float64)
    steep = (mean - mean.mean()) / mean.std()
    common, own = (a**2 + b**2 * np.outer(steep, steep) + c**2 * 1.3 * KINSHIP for a, b, c in (common, own))
    return CurvePrior(mean, common, own)


def learn_prior(lessons: Sequence[Lesson]) -> PointPrior:
    """Learn both priors from runs with ground truth.

    Raises:
        ValueError: if there is no run to learn from.

    >>> from amn_core.choosing.population import build_population, build_truth
    >>> from amn_core.formats.runs import load_run
    >>> counts = load_run("checkpoints/scenes/cam").counts()
    >>> population = build_population(counts)
    >>> prior = learn_prior([Lesson("scenes", population, build_truth(counts, population))])
    >>> bool(prior.own.mean[0] < prior.own.mean[-1])
    True
    """
    if not lessons:
        raise ValueError("no run to learn a prior from: give one with ground truth on another data set")
    return PointPrior(*(build_prior(*learn_moments(lessons, kind)) for kind in ("own", "other")))


def learn_moments(lessons: Sequence[Lesson], kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Learn the mean curve (K,) and the deviations, shared and own (3,), of one kind: `own` or `other`."""
    curves = [read_curves(lesson, kind) for lesson in lessons]
    means, names = np.stack([curve.mean(axis=0) for curve in curves]), np.array([one.data for one in lessons])
    mean = np.mean([means[names == name].mean(axis=0) for name in np.unique(names)], axis=0)
    steep = (mean - mean.mean()) / mean.std()
    common = measure_deviations(means - mean, steep)
    own = measure_deviations(np.concatenate([curve - curve.mean(axis=0) for curve in curves]), steep)
    return mean, np.maximum(common, FLOORS), np.maximum(own, FLOORS / np.sqrt(2))


def read_curves(lesson: Lesson, kind: str) -> np.ndarray:
    """Read the curves (M, K) of the classes that are averaged and not rare off ground truth."""
    pixels = lesson.truth.kinds.sum(axis=0)[lesson.population.is_kept]
    size = pixels.sum(axis=(1, 2))
    pixels = pixels[size > RARE * size.sum()]
    asked, found = (pixels.sum(axis=-1), pixels[..., 0]) if kind == "own" else (
        pixels[..., 1:].sum(axis=-1), pixels[..., 2])
    scale, wide = ANSWERS * len(pixels) / pixels.sum(), 16 * np.eye(len(KNOTS))
    flat = CurvePrior(np.zeros(len(KNOTS)), wide, wide)
    fitted = fit_curves(asked * scale, found * scale, build_basis(lesson.population.ranks), flat, steps=40)
    return np.clip(fitted.shared + fitted.own, -LIMIT, LIMIT)


def measure_deviations(deviations: np.ndarray, steep: np.ndarray) -> np.ndarray:
    """Measure how far curves (M, K) lie from their mean, in level, steepness and shape: (3,) root mean squares."""
    level, slope = deviations.mean(axis=1), (deviations * steep).mean(axis=1)
    rest = deviations - level[:, None] - slope[:, None] * steep
    return np.sqrt([(level**2).mean(), (slope**2).mean(), (rest**2).mean()])


DEFAULT = PointPrior(
    own=build_prior(
        (-4.54, -4.05, -2.85, -1.50, -0.39, 0.83, 2.06, 3.28), (0.50, 0.67, 0.46), (0.61, 0.43, 0.47)),
    other=build_prior(
        (-5.54, -5.32, -4.56, -3.62, -2.39, -1.98, -2.46, -2.20), (0.50, 0.37, 0.55), (0.51, 0.28, 0.55)),
)
