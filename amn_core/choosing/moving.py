"""Cuts that move while a network trains, read off finished maps: CoSA's mixture and DuPL's schedule.

Both make two labels and leave the rest unsure: what lies above the high cut is an object,
up to the low one background.
"""

from collections.abc import Sequence

import numpy as np

from amn_core.choosing.selection import Choice, sum_histograms
from amn_core.constants import BACKGROUND
from amn_core.presets import COSA, find_dupl_ends
from amn_core.sweep.counts import Counts
from amn_core.sweep.curves import find_threshold
from amn_core.sweep.separation import find_centres

EM_STEPS, TOLERANCE, RIDGE = 100, 1e-3, 1e-6  # those of scikit-learn, which CoSA's code fits with
SETTLED = 0.01  # what may be left of the first values
MOST_BATCHES = 500


def find_mixture_cuts(bins: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Find the two cuts of a mixture of three Gaussians: (..., 2), low and high.

    Low is where the part of the lowest Gaussian ends, high where that of the highest begins; pixels up to 0.05 are left
    out. Fitted by expectation maximisation from minimum, median and maximum with a variance of 1, to scikit-learn's
    tolerance.

    Args:
        bins: (..., T+1) pixels by bin of the strongest activation. thresholds: (T,).

    Returns:
        Values of the grid; NaN where nothing lies above 0.05, or no pixel is of the lowest or highest part.

    Source: CoSA (CVPR 2024), ``rungmm`` of its code.

    >>> import numpy as np
    >>> grid = np.array([0.0, 0.2, 0.4, 0.6, 0.8])
    >>> find_mixture_cuts(np.array([90, 40, 2, 30, 2, 40]), grid).tolist()
    [0.2, 0.6]
    """
    shape, values = bins.shape[:-1], find_centres(thresholds)
    rows = np.where(values > COSA.ignored, bins, 0).reshape(-1, len(values)).astype(np.float64)
    cuts, is_known = np.full((len(rows), 2), np.nan), rows.sum(axis=1) > 0
    parts = assign_parts(rows[is_known], values)
    filled = rows[is_known] > 0
    last, first = (parts == 0) & filled, (parts == 2) & filled
    low = len(values) - 1 - np.argmax(last[:, ::-1], axis=1)
    high = np.argmax(first, axis=1)
    found = np.stack([thresholds[np.minimum(low, len(thresholds) - 1)], thresholds[np.maximum(high - 1, 0)]], axis=1)
    cuts[is_known] = np.where(np.stack([last.any(axis=1), first.any(axis=1)], axis=1), found, np.nan)
    return cuts.reshape(*shape, 2)


def assign_parts(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Assign each bin to one of three Gaussians fitted to histograms (R, B): (R, B) int, 0 the lowest at the start."""
    total = rows.sum(axis=1)
    cumulated = rows.cumsum(axis=1)
    ends = [np.argmax(cumulated > share * total[:, None], axis=1) for share in (0, 0.5)]
    ends.append(len(values) - 1 - np.argmax(rows[:, ::-1] > 0, axis=1))
    means, variances = values[np.stack(ends, axis=1)], np.ones((len(rows), 3))
    weights, bound, active = np.full((len(rows), 3), 1 / 3), np.full(len(rows), -np.inf), np.arange(len(rows))
    for _ in range(EM_STEPS):
        shares, fit = weigh_parts(rows[active], values, weights[active], means[active], variances[active])
        mass = shares.sum(axis=2) + 10 * np.finfo(float).eps
        means[active] = (shares * values).sum(axis=2) / mass
        spread = (shares * (values - means[active][..., None]) ** 2).sum(axis=2) / mass
        variances[active], weights[active] = spread + RIDGE, mass / mass.sum(axis=1, keepdims=True)
        is_moving = np.abs(fit - bound[active]) >= TOLERANCE
        bound[active] = fit
        active = active[is_moving]
        if not len(active):
            break
    return log_parts(values, weights, means, variances).argmax(axis=1)


def log_parts(values: np.ndarray, weights: np.ndarray, means: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Evaluate the logarithm of weight × Gaussian density of each part at each value: (R, 3, B)."""
    square = (values - means[..., None]) ** 2 / variances[..., None]
    return np.log(weights)[..., None] - (square + np.log(2 * np.pi * variances)[..., None]) / 2


def weigh_parts(rows: np.ndarray, values: np.ndarray, *parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weigh the pixels of each bin by part, (R, 3, B), and the mean log likelihood of a pixel, (R,)."""
    logs = log_parts(values, *parameters)
    top = logs.max(axis=1, keepdims=True)
    density = np.exp(logs - top)
    whole = density.sum(axis=1, keepdims=True)
    fit = (rows * (np.log(whole) + top)[:, 0]).sum(axis=1) / rows.sum(axis=1)
    return density / whole * rows[:, None], fit


def find_smoothed_cuts(bins: np.ndarray, thresholds: np.ndarray) -> tuple[float, float]:
    """Find CoSA's two cuts, low and high, smoothed over batches of the images in their order.

    After each batch the mixture is fitted to the last hundred batches, and both cuts move a hundredth of the way to it,
    from 0.25 and 0.70. Batches are of two images, larger where there would be more than 500 of them. The list is gone
    through until less than a hundredth of the first values is left; the code's queue starts with random numbers, this
    one empty. An image without activation changes nothing.

    Args:
        bins: (N, T+1) pixels by bin of the strongest activation of each image. thresholds: (T,).

    >>> import numpy as np
    >>> grid = np.array([0.0, 0.2, 0.4, 0.6, 0.8])
    >>> [round(cut, 2) for cut in find_smoothed_cuts(np.array([[90, 40, 2, 30, 2, 40]] * 4), grid)]
    [0.2, 0.6]
    """
    size = max(COSA.batch, -(-len(bins) // MOST_BATCHES))
    batches = np.stack([part.sum(axis=0) for part in np.split(bins, range(size, len(bins), size))])
    n, needed = len(batches), int(np.ceil(np.log(SETTLED) / np.log(COSA.decay)))
    steps = -(-needed // n) * n
    running = np.concatenate([np.zeros((1, bins.shape[-1])), np.cumsum(np.tile(batches, (2, 1)), axis=0)])
    reach = np.minimum(np.arange(2 * n) + 1, min(COSA.queue, n))  # batches in the queue, each once
    queues = running[1:] - running[np.arange(2 * n) + 1 - reach]
    cuts = find_mixture_cuts(queues, thresholds)  # two rounds: the second is as all later ones
    smoothed = np.array([COSA.low, COSA.high])
    for step in range(steps):
        now = cuts[step if step < n else n + step % n]
        smoothed = np.where(np.isnan(now), smoothed, COSA.decay * smoothed + (1 - COSA.decay) * now)
    return float(smoothed[0]), float(smoothed[1])


def choose_cosa(counts: Counts) -> list[Choice]:
    """Choose CoSA's two cuts, each as a threshold of its own.

    >>> [(choice.selector, float(counts.thresholds[choice.index])) for choice in choose_cosa(counts)]
    [('cosa-low', 0.5), ('cosa-high', 0.5)]
    """
    titles = {"cosa-low": "CoSA's mixture, low cut", "cosa-high": "CoSA's mixture, high cut"}
    cuts = find_smoothed_cuts(sum_histograms(counts, "image"), counts.thresholds)
    return [
        Choice(name, title, "none", "CoSA 2024", "data set", np.asarray(find_threshold(counts.thresholds, cut)))
        for (name, title), cut in zip(titles.items(), np.clip(cuts, *counts.thresholds[[0, -1]]), strict=True)]


def schedule_cosine(start: float, end: np.ndarray | float, step: int, steps: int) -> np.ndarray:
    """Schedule a cut from its first to its last value by a cosine, as DuPL does its high one.

    Args:
        start, end: the first and last values, numbers or arrays. step: from 0, of `steps`; later ones are the last.

    Source: DuPL (CVPR 2024), ``cosine_descent`` of its code.

    >>> [round(float(schedule_cosine(0.7, 0.55, step, 5)), 3) for step in range(6)]
    [0.7, 0.678, 0.625, 0.572, 0.55, 0.55]
    """
    done = 1.0 if steps < 2 else min(1.0, max(0, step) / (steps - 1))
    return start + (np.asarray(end) - start) * (1 - np.cos(np.pi * done)) / 2


def choose_dupl(counts: Counts) -> list[Choice]:
    """Choose DuPL's high cut at the first step, half way and at the last; nothing for classes that it has no cut for.

    Half way and at the last step each class has a cut of its own. ``dupl-end`` by image is as the code reads them: an
    image takes the highest cut of its classes.

    >>> [choice.selector for choice in choose_dupl(counts)]
    ['dupl-start', 'dupl-half', 'dupl-end', 'dupl-end']
    """
    ends = find_dupl_ends(counts.class_names)
    if ends is None:
        return []
    start, end = ends
    half = schedule_cosine(start, end, 1, 3)
    found = (
        ("dupl-start", "DuPL's high cut, first step", "data set", start),
        ("dupl-half", "DuPL's high cut, half way", "class", half),
        ("dupl-end", "DuPL's high cut, last step", "class", end),
        ("dupl-end", "DuPL's high cut, last step", "image", take_highest(end, counts)))
    return [Choice(name, title, "fixed", "DuPL 2024", scope, place_cuts(cuts, counts.thresholds))
            for name, title, scope, cuts in found]


def take_highest(by_class: np.ndarray, counts: Counts) -> np.ndarray:
    """Take the highest cut of the classes of each image, (N,); of an image without a class that of the background.

    >>> import numpy as np
    >>> take_highest(np.array([0.5, 0.7, 0.6]), counts).tolist()
    [0.7, 0.7]
    """
    highest = np.full(len(counts.image_ids), -np.inf)
    np.maximum.at(highest, counts.separation_image, np.asarray(by_class)[counts.separation_class])
    return np.where(np.isfinite(highest), highest, by_class[BACKGROUND])


def place_cuts(cuts: np.ndarray | float, thresholds: np.ndarray) -> np.ndarray:
    """Place cuts of any shape on the grid: the index of the nearest threshold, the lower of two.

    >>> import numpy as np
    >>> place_cuts(np.array([0.7, 0.1]), np.array([0.0, 0.5, 1.0])).tolist()
    [1, 0]
    """
    return np.abs(np.asarray(cuts)[..., None] - thresholds).argmin(axis=-1)


def list_moving(counts: Counts) -> Sequence[Choice]:
    """List all choices of cuts that move.

    >>> len(list_moving(counts))
    6
    """
    return [*choose_cosa(counts), *choose_dupl(counts)]
