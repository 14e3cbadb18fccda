"""The chance of an object given the activation: monotone curves, one a class, learnt from few answers.

A class's curve is a straight line between knots in the rank of the activation, on the scale of log odds. It is what
all classes share plus what is the class's own, both Gaussian beforehand with moments that other data sets taught, so a
class nobody asked about takes the common curve and a class with many answers its own. The posterior is Gaussian around
its peak (Laplace). All arrays may have leading axes, so that a thousand simulations are one call.
"""

from dataclasses import dataclass

import numpy as np

KNOTS = np.array([0.0, 0.25, 0.45, 0.60, 0.72, 0.84, 0.94, 1.0])
STEPS = 12
LARGEST = 12.0


@dataclass(frozen=True)
class CurvePrior:
    """What is believed of the curves before any answer.

    mean: (K,) log odds at the knots. common, own: (K, K) covariance of what all classes share and of what is each
    class's own.
    """

    mean: np.ndarray
    common: np.ndarray
    own: np.ndarray


@dataclass(frozen=True)
class Curves:
    """Gaussian beliefs about S curves after some answers, with any leading axes.

    shared: (..., K) offset of all classes. own: (..., S, K) offset of each. spread: (..., K, K) covariance of the
    shared one. pull: (..., S, K, K), by which a class's own offset answers to the shared one. rest: (..., S, K, K)
    covariance of a class's own where the shared one is known.
    """

    prior: CurvePrior
    shared: np.ndarray
    own: np.ndarray
    spread: np.ndarray
    pull: np.ndarray
    rest: np.ndarray

    def __getitem__(self, trials) -> "Curves":
        """Take some of the trials that the first axis holds."""
        parts = (self.shared, self.own, self.spread, self.pull, self.rest)
        return Curves(self.prior, *(part[trials] for part in parts))

    @property
    def knots(self) -> np.ndarray:
        """Log odds at the knots where belief is highest, monotone: (..., S, K)."""
        return make_monotone(self.prior.mean + self.shared[..., None, :] + self.own)

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of each curve at the knots: (..., S, K, K)."""
        own = np.eye(self.pull.shape[-1]) - self.pull
        return self.rest + own @ self.spread[..., None, :, :] @ np.swapaxes(own, -1, -2)

    def chances(self, basis: np.ndarray) -> np.ndarray:
        """Chances (..., S, G) where belief is highest, at ranks by their basis (G, K)."""
        return squash(self.knots @ basis.T)


def build_basis(ranks: np.ndarray) -> np.ndarray:
    """Build the weights (G, K) by which values at the knots give values at ranks (G,) in [0, 1]."""
    return np.stack([np.interp(ranks, KNOTS, row) for row in np.eye(len(KNOTS))], axis=-1)


def squash(odds: np.ndarray) -> np.ndarray:
    """Turn log odds into chances, far from 0 and 1 by at least 1e-5.

    >>> squash(np.zeros(1)).tolist()
    [0.5]
    """
    chance = np.clip(odds, -LARGEST, LARGEST)
    np.exp(np.negative(chance, out=chance), out=chance)
    return np.reciprocal(np.add(chance, 1, out=chance), out=chance)


def fit_curves(asked: np.ndarray, found: np.ndarray, basis: np.ndarray, prior: CurvePrior,
               start: Curves | None = None, steps: int = STEPS) -> Curves:
    """Fit the curves of S classes to answers.

    Args:
        asked: (..., S, G) answers by class and group of ranks, whole or weighted. found: how many were yes.
        basis: (G, K) of the groups' ranks. start: to go on from; fewer steps do then. steps: of Newton's method.
    """
    lead, n_knots = asked.shape[:-2], basis.shape[1]
    inverse_common, inverse_own = np.linalg.inv(prior.common), np.linalg.inv(prior.own)
    outer = (basis[:, :, None] * basis[:, None, :]).reshape(len(basis), -1)
    shared = np.zeros((*lead, n_knots)) if start is None else start.shared
    own = np.zeros((*asked.shape[:-1], n_knots)) if start is None else start.own
    for _ in range(steps):
        chance = squash((prior.mean + shared[..., None, :] + own) @ basis.T)
        weight = ((asked * chance * (1 - chance)) @ outer).reshape(*own.shape, n_knots)
        slope = (found - asked * chance) @ basis
        rest = np.linalg.inv(weight + inverse_own)
        pull = rest @ weight
        precision = inverse_common + (weight - weight @ pull).sum(axis=-3)
        slope_own = slope - own @ inverse_own
        slope_shared = slope.sum(axis=-2) - shared @ inverse_common
        gain = slope_shared - np.einsum("...skl,...sl->...k", np.swapaxes(pull, -1, -2), slope_own)
        spread = np.linalg.inv(precision)
        step = np.einsum("...kl,...l->...k", spread, gain)
        step_own = np.einsum("...skl,...sl->...sk", rest, slope_own) - np.einsum("...skl,...l->...sk", pull, step)
        size = np.maximum(1, np.abs(np.concatenate([step[..., None, :], step_own], axis=-2)).max(axis=(-1, -2)) / 3)
        shared, own = shared + step / size[..., None], own + step_own / size[..., None, None]
    return Curves(prior, shared, own, spread, pull, rest)


def draw_curves(curves: Curves, n: int, rng: np.random.Generator, width: float = 1.0) -> np.ndarray:
    """Draw curves from the beliefs: (n, ..., S, K) log odds at the knots, monotone.

    In single precision: draws are many, and blurred by more than that.

    Args:
        width: factor on the standard deviations.
    """
    shared, own = (
        (np.linalg.cholesky(spread) * width).astype(np.float32) @ rng.standard_normal((n, *at.shape, 1), np.float32)
        for spread, at in ((curves.spread, curves.shared), (curves.rest, curves.own)))
    own = own[..., 0] - np.einsum("...skl,n...l->n...sk", curves.pull.astype(np.float32), shared[..., 0])
    middle = (curves.prior.mean + curves.shared[..., None, :] + curves.own).astype(np.float32)
    return make_monotone(middle + shared[..., None, :, 0] + own)


def make_monotone(values: np.ndarray) -> np.ndarray:
    """Find the increasing values (..., K) nearest to some in squares: the largest of the smallest averages."""
    falls = (values[..., 1:] < values[..., :-1]).any(axis=-1)
    if not falls.any():
        return values
    monotone = values.copy()
    monotone[falls] = find_increasing(values[falls])
    return monotone


def find_increasing(values: np.ndarray) -> np.ndarray:
    """Find the increasing values nearest to each row of values (M, K)."""
    n = values.shape[-1]
    sums = np.pad(np.cumsum(values, axis=-1), ((0, 0), (1, 0)))
    low = np.full_like(values, -np.inf)
    for first in range(n):
        means = (sums[:, first + 1:] - sums[:, first:first + 1]) / np.arange(1, n - first + 1, dtype=values.dtype)
        smallest = np.minimum.accumulate(means[:, ::-1], axis=-1)[:, ::-1]
        low[:, first:] = np.maximum(low[:, first:], smallest)
    return low
