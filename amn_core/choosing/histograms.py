"""Histograms to thresholds: where to part foreground from background by the shape of the activations alone.

Every function takes bins (..., T+1) as in `Counts`, pixels by bin of the strongest activation, and thresholds
(T,), and returns the index (...) of a threshold; no ground truth is looked at. Bins 0..j are background at
``thresholds[j]``, the rest foreground. The lowest threshold wins ties, and an empty histogram gives index 0.
"""

import numpy as np

from amn_core.sweep.confusion import divide
from amn_core.sweep.separation import find_centres

EM_STEPS = 100
REACH = 0.05
SMALL = 1e-12


def split_sums(bins: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum pixels × values of the bins below and above each threshold: two (..., T) float64."""
    weighted = bins.astype(np.float64) * values
    below = np.cumsum(weighted, axis=-1)[..., :-1]
    return below, weighted.sum(axis=-1, keepdims=True) - below


def find_best(score: np.ndarray) -> np.ndarray:
    """Find the index of the highest score (..., T), NaN passed over; 0 where there is none."""
    return np.argmax(np.where(np.isnan(score), -np.inf, score), axis=-1)


def find_otsu(bins: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Find Otsu's threshold: the largest variance between the two sides.

    The same threshold gives the mask with the highest correlation with the activation.
    Source: Otsu, "A threshold selection method from gray-level histograms", 1979, eq. 18.
    """
    values = find_centres(thresholds)
    (low, high), (low_sum, high_sum) = split_sums(bins, np.ones_like(values)), split_sums(bins, values)
    return find_best(low * high * (divide(low_sum, low) - divide(high_sum, high)) ** 2)


def find_minimum_error(bins: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Find the minimum error threshold: two Gaussians cut at the threshold fit best.

    Source: Kittler and Illingworth, "Minimum error thresholding", 1986, eq. 15. A side narrower than a bin is
    given the variance of a bin.
    """
    values = find_centres(thresholds)
    sides = zip(*(split_sums(bins, values**power) for power in range(3)), strict=True)
    total, score = bins.sum(axis=-1, dtype=np.float64)[..., None], 0.0
    for pixels, first, second in sides:
        variance = divide(second, pixels) - divide(first, pixels) ** 2
        variance = np.maximum(variance, find_bin_variance(thresholds))
        share = divide(pixels, total)
        score = score + share * np.log(variance) / 2 - share * np.log(np.maximum(share, SMALL))
    return find_best(-score)


def find_bin_variance(thresholds: np.ndarray) -> float:
    """Find the variance of values spread evenly over a bin of typical width."""
    return float(np.median(np.diff(thresholds)) ** 2 / 12) if len(thresholds) > 1 else SMALL


def find_maximum_entropy(bins: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Find the maximum entropy threshold: the two sides, each a distribution of its own, have the largest entropy.

    Source: Kapur, Sahoo and Wong, "A new method for gray-level picture thresholding using the entropy of the
    histogram", 1985, eq. 15. Depends on the grid, as entropies of histograms do.
    """
    share = divide(bins, bins.sum(axis=-1, keepdims=True, dtype=np.float64))
    sides = split_sums(share, np.ones(bins.shape[-1]))
    terms = split_sums(-share * np.log(np.maximum(share, SMALL)), np.ones(bins.shape[-1]))
    return find_best(sum(divide(term, part) + np.log(np.maximum(part, SMALL)) for term, part in zip(terms, sides)))


def find_triangle(bins: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Find the triangle threshold: the bin farthest below the line from the highest bin to the longer tail's end.

    Source: Zack, Rogers and Latt, "Automatic measurement of sister chromatid exchange frequency", 1977.
    """
    pixels, n = bins.astype(np.float64), bins.shape[-1]
    index, is_filled = np.arange(n), bins > 0
    first, last = np.argmax(is_filled, axis=-1), n - 1 - np.argmax(is_filled[..., ::-1], axis=-1)
    top = np.argmax(pixels, axis=-1)
    end = np.where(last - top >= top - first, last, first)[..., None]
    top = top[..., None]
    height = np.take_along_axis(pixels, top, axis=-1)
    line = height * (1 - divide(index - top, end - top))
    is_between = (index >= np.minimum(top, end)) & (index <= np.maximum(top, end))
    return find_best(np.where(is_between, line - pixels, np.nan)[..., :-1])


def find_stable(bins: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Find the threshold around which the area of the mask changes least, as a share of the area.

    Source: Matas et al., "Robust wide baseline stereo from maximally stable extremal regions", 2002, on the
    area of all masks instead of one region. A mask without any background does not count.
    """
    background, area = split_sums(bins, np.ones(bins.shape[-1]))
    return find_steadiest(np.where(background > 0, area, np.nan), thresholds)


def find_steadiest(values: np.ndarray, thresholds: np.ndarray, reach: float = REACH) -> np.ndarray:
    """Find the threshold around which a quantity (..., T) changes least, as a share of it: (...).

    Args:
        reach: how far below and above the two values are taken; where that leaves the grid does not count.
    """
    low, high = find_reach(thresholds, reach)
    change = divide(np.abs(values[..., low] - values[..., high]), values)
    is_whole = (thresholds - reach >= thresholds[0] - SMALL) & (thresholds + reach <= thresholds[-1] + SMALL)
    return find_best(np.where(is_whole, -change, np.nan))


def find_reach(thresholds: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Find for each threshold the indices (T,) of those `reach` below and above it, the ends at the ends."""
    low = np.searchsorted(thresholds, thresholds - reach - 1e-9)
    high = np.searchsorted(thresholds, thresholds + reach + 1e-9, side="right") - 1
    return low, high


def find_expected_iou(bins: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Find the threshold whose mask is expected to overlap best, if the activation were a probability (ours).

    With probabilities a, the expected intersection of the mask {a > t} is Σ_{a>t} a, its expected union
    |{a > t}| + Σ_{a≤t} a; the threshold with the highest quotient q is q / (1 + q), so never above one half.
    """
    values = find_centres(thresholds)
    (_, area), (missed, hit) = split_sums(bins, np.ones_like(values)), split_sums(bins, values)
    return find_best(divide(hit, area + missed))


def find_gaussian_mixture(bins: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Find where the upper of two Gaussians, fitted by expectation maximisation, becomes the likelier one.

    Starts from Otsu's split (Dempster, Laird and Rubin, 1977).
    """
    return find_mixture(bins, thresholds, log_gaussian)


def find_beta_mixture(bins: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Find where the upper of two Beta distributions becomes the likelier one, fitted as the Gaussians are.

    Activations lie in [0, 1], as Beta distributions do. Their parameters follow from mean and variance in each
    step, which is not quite the highest likelihood (Schröder and Rahmann, 2017).
    """
    return find_mixture(bins, thresholds, log_beta)


def find_mixture(bins: np.ndarray, thresholds: np.ndarray, log_density) -> np.ndarray:
    """Fit two components by expectation maximisation from Otsu's split, and find where the upper one takes over."""
    values = find_centres(thresholds)
    split = np.asarray(find_otsu(bins, thresholds))[..., None]
    upper = np.where(np.arange(bins.shape[-1]) > split, 0.99, 0.01)
    for _ in range(EM_STEPS):
        low, high = (fit_component(bins * part, values, thresholds) for part in (1 - upper, upper))
        odds = log_density(values, *high) - log_density(values, *low)
        upper = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
    is_between = (values >= low[1]) & (values <= high[1])
    is_lower = is_between & (odds <= 0)
    last = bins.shape[-1] - 1 - np.argmax(is_lower[..., ::-1], axis=-1)
    found = np.where(is_lower.any(axis=-1), last, np.argmax(is_between, axis=-1) - 1)
    return np.where(is_between.any(axis=-1), np.clip(found, 0, len(thresholds) - 1), split[..., 0])


def fit_component(weights: np.ndarray, values: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, ...]:
    """Fit a component to weighted values: its mass, mean and variance, each (..., 1)."""
    mass = np.maximum(weights.sum(axis=-1, keepdims=True), SMALL)
    mean = (weights * values).sum(axis=-1, keepdims=True) / mass
    variance = (weights * (values - mean) ** 2).sum(axis=-1, keepdims=True) / mass
    return mass, mean, np.maximum(variance, find_bin_variance(thresholds))


def log_gaussian(values: np.ndarray, mass: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Evaluate the logarithm of mass × Gaussian density, less a constant."""
    return np.log(mass) - np.log(variance) / 2 - (values - mean) ** 2 / (2 * variance)


def log_beta(values: np.ndarray, mass: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Evaluate the logarithm of mass × Beta density with that mean and variance."""
    inside, mean = np.clip(values, 1e-3, 1 - 1e-3), np.clip(mean, 1e-3, 1 - 1e-3)
    size = np.maximum(mean * (1 - mean) / variance - 1, 1e-2)
    a, b = mean * size, (1 - mean) * size
    norm = log_gamma(a) + log_gamma(b) - log_gamma(a + b)
    return np.log(mass) - norm + (a - 1) * np.log(inside) + (b - 1) * np.log(1 - inside)


def log_gamma(values: np.ndarray) -> np.ndarray:
    """Evaluate the logarithm of the gamma function above 0, to about 1e-10: Stirling's series beyond 8."""
    steps = values[..., None] + np.arange(8)
    far = values + 8
    series = 1 / (12 * far) - 1 / (360 * far**3) + 1 / (1260 * far**5) - 1 / (1680 * far**7)
    return (far - 0.5) * np.log(far) - far + np.log(2 * np.pi) / 2 + series - np.log(steps).sum(axis=-1)
