"""How many answers would do: thresholds chosen from n simulated answers on some images, scored on others (ours)."""

from collections.abc import Sequence

import numpy as np

from amn_core.choosing.budget import Budget
from amn_core.choosing.points import PointPrior
from amn_core.choosing.population import build_population, build_truth, draw_truth
from amn_core.choosing.priors import DEFAULT
from amn_core.choosing.selection import score_curves
from amn_core.choosing.trials import simulate_regret
from amn_core.sweep import Counts
from amn_core.sweep.confusion import find_classes
from amn_core.sweep.counts import find_images
from amn_core.sweep.curves import find_peak, take_at
from amn_core.sweep.uncertainty import draw_weights, find_interval

SIZES = (50, 100, 200)


def score_point_budget(
    counts: Counts, folds: Sequence[tuple], sizes: Sequence[int] = SIZES, averaging: str = "union", classes=None,
    people: int = 100, seed: int = 0, level: float = 0.95, prior: PointPrior = DEFAULT,
) -> Budget:
    """Score the thresholds that n answers give, by simulating people again and again.

    Args:
        folds: pairs (pool, scored) of images: questions are about the pool. sizes: multiples of ten. people: in all,
            shared out among the folds; their answers are right.

    >>> budget = score_point_budget(counts, [([0], [1]), ([1], [0])], sizes=(10, 20), people=4)
    >>> budget.sizes.tolist(), round(budget.peak_miou, 3)
    ([10, 20], 1.0)
    """
    share = max(2, people // len(folds))
    parts = [
        score_fold(counts.select(find_images(counts, pool)), counts.select(find_images(counts, scored)), sizes,
                   averaging, classes, share, seed + i, prior)
        for i, (pool, scored) in enumerate(folds)
    ]
    plain, peaks, index, miou, regret = (np.concatenate(columns, axis=-1) for columns in zip(*parts, strict=True))
    return Budget(
        np.array(sizes), counts.thresholds[index], plain.mean(axis=1), *find_interval(miou.T, level),
        (peaks - plain).mean(axis=1), *find_interval(regret.T, level), float(peaks.mean()))


def score_fold(
    pool: Counts, scored: Counts, sizes: Sequence[int], averaging: str, classes, people: int, seed: int,
    prior: PointPrior,
) -> tuple[np.ndarray, ...]:
    """Score so many people on a fold; what is returned is that of `amn_core.choosing.budget.score_fold`."""
    n_scored, kept = len(scored.image_ids), find_classes(scored.class_names, classes)
    population = build_population(pool, averaging, classes)
    drawn = draw_truth(population, build_truth(pool, population), np.ones((people, len(pool.image_ids))))
    curve = score_curves(scored, np.ones((1, n_scored)), averaging, kept)[0]
    index, _ = simulate_regret(*drawn, curve, prior, sizes, np.random.default_rng(seed))
    curves = score_curves(scored, draw_weights(n_scored, people, seed), averaging, kept)
    miou = np.take_along_axis(curves, index.T, axis=1).T
    return curve[index], np.full(people, curve.max()), index, miou, take_at(curves, find_peak(curves)) - miou
