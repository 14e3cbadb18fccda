"""How many labelled images would do: thresholds chosen on n of them, scored on others.

From counts alone: n images are drawn from a pool, the threshold with their highest mIoU is taken, and scored on
images that are not in the pool. Drawn again and again, that gives the expected cost of n labels and its spread.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.choosing.selection import score_curves
from amn_core.sweep.confusion import check_averaging, find_classes
from amn_core.sweep.counts import Counts, find_images
from amn_core.sweep.curves import find_peak, take_at
from amn_core.sweep.uncertainty import draw_weights, find_interval

SIZES = (1, 2, 5, 10, 20, 50, 100, 200)


@dataclass(frozen=True)
class Budget:
    """What thresholds chosen on n labelled images give on others; fractions of 1.

    Attributes:
        sizes: (S,) n. thresholds: (S, D) chosen in each draw.
        miou, regret: (S,) means over draws, on the images scored as they are.
        miou_low, miou_high, regret_low, regret_high: (S,) intervals over draws of labelled images and
            resamples of the images scored, paired.
        peak_miou: mean over the folds of the peak on the images scored.
    """

    sizes: np.ndarray
    thresholds: np.ndarray
    miou: np.ndarray
    miou_low: np.ndarray
    miou_high: np.ndarray
    regret: np.ndarray
    regret_low: np.ndarray
    regret_high: np.ndarray
    peak_miou: float


def split_halves(n_images: int) -> tuple[np.ndarray, np.ndarray]:
    """Split images into those with even and those with odd index, in the order of the counts."""
    return np.arange(0, n_images, 2), np.arange(1, n_images, 2)


def build_folds(n_images: int, part: str = "all") -> list[tuple[np.ndarray, np.ndarray]]:
    """Build pairs of pool and images to score: the other half and this one, or both ways round for all.

    Raises:
        ValueError: if the part is not all, even or odd.

    >>> [(pool.tolist(), scored.tolist()) for pool, scored in build_folds(4)]
    [([0, 2], [1, 3]), ([1, 3], [0, 2])]
    """
    even, odd = split_halves(n_images)
    folds = {"all": [(even, odd), (odd, even)], "even": [(odd, even)], "odd": [(even, odd)]}
    if part not in folds:
        raise ValueError(f"part is {part!r}: choose all, even or odd")
    return folds[part]


def score_budget(
    counts: Counts, folds: Sequence[tuple], sizes: Sequence[int] = SIZES, averaging: str = "union", classes=None,
    draws: int = 400, seed: int = 0, level: float = 0.95,
) -> Budget:
    """Score the thresholds that n labelled images give, by drawing them again and again.

    Args:
        counts: of a run. folds: pairs (pool, scored) of images, by index, id or mask; draws are shared out.
        sizes: n, each at most the smallest pool; larger ones are left out. draws: for each n. seed: of them.

    Raises:
        ValueError: if pool and scored images overlap, or one is empty.

    >>> budget = score_budget(counts, build_folds(2), draws=10)
    >>> budget.sizes.tolist(), round(budget.peak_miou, 3), round(float(budget.regret[0]), 3)
    ([1], 1.0, 0.333)
    """
    check_averaging(averaging)
    kept = find_classes(counts.class_names, classes)
    pairs = [(find_images(counts, pool), find_images(counts, scored)) for pool, scored in folds]
    for pool, scored in pairs:
        if not len(pool) or not len(scored) or np.intersect1d(pool, scored).size:
            raise ValueError("images to choose on and to score on overlap, or there are none: give two parts")
    sizes = np.array([n for n in sizes if n <= min(len(pool) for pool, _ in pairs)], dtype=np.int64)
    share = max(2, draws // len(pairs))
    parts = [
        score_fold(counts.select(pool), counts.select(scored), sizes, averaging, kept, share, seed + i)
        for i, (pool, scored) in enumerate(pairs)
    ]
    plain, peaks, index, miou, regret = (np.concatenate(columns, axis=-1) for columns in zip(*parts, strict=True))
    return Budget(
        sizes, counts.thresholds[index], plain.mean(axis=1), *find_interval(miou.T, level),
        (peaks - plain).mean(axis=1), *find_interval(regret.T, level), float(peaks.mean()),
    )


def score_fold(
    pool: Counts, scored: Counts, sizes: np.ndarray, averaging: str, kept: np.ndarray, draws: int, seed: int
) -> tuple[np.ndarray, ...]:
    """Score D draws of each size: mIoU on the images as they are (S, D), their peak (D,), the indices chosen
    (S, D), and mIoU and regret on resamples of the images (S, D)."""
    index = np.stack([
        find_peak(score_curves(pool, draw_subsets(len(pool.image_ids), n, draws, seed), averaging, kept)) for n in sizes
    ]) if len(sizes) else np.zeros((0, draws), dtype=np.int64)
    n_scored = len(scored.image_ids)
    curve = score_curves(scored, np.ones((1, n_scored)), averaging, kept)[0]
    curves = score_curves(scored, draw_weights(n_scored, draws, seed), averaging, kept)
    miou = np.take_along_axis(curves, index.T, axis=1).T
    peak = np.full(draws, curve[find_peak(curve)])
    return curve[index], peak, index, miou, take_at(curves, find_peak(curves)) - miou


def draw_subsets(n_images: int, size: int, draws: int, seed: int) -> np.ndarray:
    """Draw subsets of so many images without replacement: (draws, n_images) float64 of 0 and 1."""
    order = np.random.default_rng([seed, size]).random((draws, n_images)).argsort(axis=1)
    weights = np.zeros((draws, n_images))
    np.put_along_axis(weights, order[:, :size], 1.0, axis=1)
    return weights


def find_needed(budget: Budget, tolerance: float = 0.005, is_sure: bool = False) -> int | None:
    """Find how many labels suffice to lose no more than the tolerance: the smallest n from which on all do.

    Args:
        tolerance: fraction of 1, 0.005 for half a point. is_sure: judge by the upper end of the interval
            instead of the mean.

    Returns:
        One of the sizes, None if even the largest does not suffice.

    >>> budget = score_budget(counts, build_folds(2), draws=10)
    >>> find_needed(budget, tolerance=1.0), find_needed(budget, tolerance=-1.0)
    (1, None)
    """
    cost = budget.regret_high if is_sure else budget.regret
    is_good = np.logical_and.accumulate((cost <= tolerance)[::-1])[::-1]
    return int(budget.sizes[np.argmax(is_good)]) if is_good.any() else None
