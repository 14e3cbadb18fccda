"""What maps alone say of a data set, and what ground truth or answers add: small tables by class and level.

A level is a range of activations that holds about the same number of pixels as any other; between two levels lies a
threshold that can be chosen. All tables may have leading axes, such as draws of images.
"""

from dataclasses import dataclass, replace

import numpy as np

from amn_core.constants import BACKGROUND
from amn_core.sweep import Counts
from amn_core.sweep.bins import Bins, split_rows
from amn_core.sweep.confusion import check_averaging, find_classes

LEVELS = 64
OUTSIDE = 0.25


@dataclass(frozen=True)
class Population:
    """The pixels of a data set by strongest class and level of its activation; no ground truth in it.

    Attributes:
        thresholds: (T,) of the run. ends: (G,) index of the threshold at the upper end of each level: at it, that
            level and those below are background. ranks: (G,) share of the pixels below the middle of each level.
        classes: (S,) ids of the classes that are strongest somewhere. pixels: (..., S, G).
        bare: (...) pixels of images without any map, all called background.
        neighbours: (S, C) chance of each class where a pixel shows an object of another class than its own, as images
            that have both suggest; it adds up to less than 1, the rest is for objects of no class.
        kept: (M,) ids of the classes averaged over. averaging: rule of averaging.
        level_of_bin: (T+1,) level of each bin of the counts.
    """

    thresholds: np.ndarray
    ends: np.ndarray
    ranks: np.ndarray
    classes: np.ndarray
    pixels: np.ndarray
    bare: np.ndarray
    neighbours: np.ndarray
    kept: np.ndarray
    averaging: str
    level_of_bin: np.ndarray

    def __getitem__(self, trials) -> "Population":
        """Take some of the draws that the first axis holds."""
        return replace(self, pixels=self.pixels[trials], bare=self.bare[trials])

    @property
    def is_kept(self) -> np.ndarray:
        """Whether each strongest class is averaged over: (S,)."""
        return np.isin(self.classes, self.kept)


@dataclass(frozen=True)
class Truth:
    """What ground truth says of the same pixels, by image; for simulations and for learning a prior.

    Attributes:
        kinds: (N, S, G, 3) pixels of the strongest class itself, of background, and of anything else.
        named: (N, S, C) of anything else, by class. bare: (N, C) ground truth of images without a map.
    """

    kinds: np.ndarray
    named: np.ndarray
    bare: np.ndarray

    def __getitem__(self, trials) -> "Truth":
        """Take some of the images, or draws of them, that the first axis holds."""
        return Truth(self.kinds[trials], self.named[trials], self.bare[trials])


def build_population(counts: Counts, averaging: str = "union", classes=None, levels: int = LEVELS) -> Population:
    """Build the table of a run from its counts; what ground truth they hold is added up and gone.

    Args:
        averaging, classes: as in `score_miou`. levels: about how many.

    Raises:
        ValueError: an unknown class or rule, or no pixel with an activation.

    >>> build_population(counts).pixels.sum()
    np.float64(8.0)
    """
    check_averaging(averaging)
    level_of_bin, ranks, ends = find_levels(counts, levels)
    classes_here = np.array([c for c in np.unique(counts.decision_class) if c != BACKGROUND], dtype=np.int64)
    if not len(classes_here):
        raise ValueError("no image has an activation map: there is no threshold to choose")
    rows = collapse_bins(counts.decision_bins, level_of_bin)
    pixels = np.stack([rows[counts.decision_class == c].sum(axis=0) for c in classes_here])
    bare = rows[counts.decision_class == BACKGROUND].sum()
    return Population(counts.thresholds, ends, ranks, classes_here, pixels, np.asarray(bare),
                      find_neighbours(counts, classes_here), find_classes(counts.class_names, classes), averaging,
                      level_of_bin)


def find_levels(counts: Counts, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the level of each bin (T+1,), and the rank and the threshold at the end of each level (G,)."""
    pixels = counts.decision_bins.sum(axis=0, dtype=np.float64)
    share = pixels / pixels.sum()
    middle = np.cumsum(share) - share / 2
    place = np.where(share > 0, np.minimum((middle * levels).astype(int), levels - 1), -1)
    place = np.maximum.accumulate(place)  # an empty bin goes with the one below it
    _, level_of_bin = np.unique(np.maximum(place, place[share > 0].min()), return_inverse=True)
    size = np.bincount(level_of_bin, share)
    last = np.searchsorted(level_of_bin, np.arange(len(size)), side="right") - 1
    return level_of_bin, np.cumsum(size) - size / 2, np.minimum(last, len(counts.thresholds) - 1)


def collapse_bins(bins: np.ndarray | Bins, level_of_bin: np.ndarray) -> np.ndarray:
    """Add up the bins (R, T+1) of each level, of a packed table in blocks: (R, G) float64."""
    starts = np.flatnonzero(np.diff(level_of_bin, prepend=-1))
    parts = [np.add.reduceat(block.astype(np.float64), starts, axis=1) for _, block in split_rows(bins)]
    return np.concatenate(parts) if parts else np.zeros((0, len(starts)))


def find_neighbours(counts: Counts, classes: np.ndarray) -> np.ndarray:
    """Find the chance of each other class where another object lies, from the classes that images have: (S, C)."""
    has = np.zeros((len(counts.image_ids), counts.n_classes), dtype=bool)
    has[counts.separation_image, counts.separation_class] = True
    has[:, BACKGROUND] = False
    area = np.zeros(has.shape)
    np.add.at(area, (counts.decision_image, counts.decision_class), counts.decision_bins.sum(axis=1, dtype=np.float64))
    chances = np.zeros((len(classes), counts.n_classes))
    for row, label in zip(chances, classes, strict=True):
        others = has & (np.arange(counts.n_classes) != label)
        row[:] = (area[:, label] / np.maximum(others.sum(axis=1), 1)) @ others
    return (1 - OUTSIDE) * chances / np.maximum(chances.sum(axis=1, keepdims=True), 1e-9)


def build_truth(counts: Counts, population: Population) -> Truth:
    """Sort the pixels of counts by what their ground truth says of the strongest class.

    >>> build_truth(counts, build_population(counts)).kinds.sum(axis=(0, 1, 2)).tolist()
    [3.0, 5.0, 0.0]
    """
    n_images, place = len(counts.image_ids), np.full(counts.n_classes, -1)
    place[population.classes] = np.arange(len(population.classes))
    rows = collapse_bins(counts.decision_bins, population.level_of_bin)
    image, gt, row = counts.decision_image, counts.decision_gt, place[counts.decision_class]
    kind = np.where(gt == counts.decision_class, 0, np.where(gt == BACKGROUND, 1, 2))
    kinds = np.zeros((n_images, len(population.classes), len(population.ranks), 3))
    named = np.zeros((n_images, len(population.classes), counts.n_classes))
    bare = np.zeros((n_images, counts.n_classes))
    has = row >= 0
    np.add.at(kinds.transpose(0, 1, 3, 2), (image[has], row[has], kind[has]), rows[has])
    is_other = has & (kind == 2)
    np.add.at(named, (image[is_other], row[is_other], gt[is_other]), rows[is_other].sum(axis=1))
    np.add.at(bare, (image[~has], gt[~has]), rows[~has].sum(axis=1))
    return Truth(kinds, named, bare)


def draw_truth(population: Population, truth: Truth, weights: np.ndarray) -> tuple[Population, Truth]:
    """Draw images so often, weights (R, N): the population and its ground truth, with a leading axis R.

    >>> population = build_population(counts)
    >>> drawn, truth = draw_truth(population, build_truth(counts, population), np.array([[2.0, 0.0]]))
    >>> truth.kinds.sum(axis=(1, 2)).tolist()
    [[4.0, 4.0, 0.0]]
    """
    drawn = Truth(*(np.tensordot(weights, part, axes=(1, 0)) for part in (truth.kinds, truth.named, truth.bare)))
    return replace(population, pixels=drawn.kinds.sum(axis=-1), bare=drawn.bare.sum(axis=-1)), drawn


def score_truth(population: Population, truth: Truth) -> np.ndarray:
    """Score the true mIoU at the end of every level, from ground truth summed over images: (..., G).

    >>> population = build_population(counts)
    >>> _, truth = draw_truth(population, build_truth(counts, population), np.ones((1, 2)))
    >>> score_truth(population, truth).round(2).tolist()
    [[0.6, 1.0, 0.75, 0.31]]
    """
    other = truth.kinds[..., 2]
    split = truth.named / np.maximum(other.sum(axis=-1)[..., None], 1e-9)
    return score_levels(population, truth.kinds[..., 0], other, split, truth.bare)


def score_levels(
    population: Population, own: np.ndarray, other: np.ndarray, split: np.ndarray, bare: np.ndarray | None = None
) -> np.ndarray:
    """Score the mIoU at the end of every level from (expected) pixels.

    Args:
        own, other: (..., S, G) pixels of the strongest class, and of other objects. split: (..., S, C) share of each
            class among those. bare: (..., C) ground truth of images without a map; all background by default.

    Returns:
        (..., G) in [0, 1].

    >>> population = build_population(counts)
    >>> own, other = population.pixels, np.zeros_like(population.pixels)
    >>> score_levels(population, own, other, population.neighbours).round(2).tolist()
    [0.31, 0.19, 0.12, 0.0]
    """
    pixels, ones = population.pixels.astype(own.dtype), np.ones(own.shape[-1], own.dtype)
    bare = np.eye(split.shape[-1])[BACKGROUND] * population.bare[..., None] if bare is None else bare
    truth = np.einsum("...s,...sc->...c", other @ ones, split) + bare
    below = np.cumsum(own, axis=-1)
    truth = (truth + below[..., -1] @ np.eye(split.shape[-1])[population.classes]).astype(own.dtype)
    hit, called = (part[..., -1:] - part for part in (below, np.cumsum(pixels, axis=-1)))
    union = truth[..., population.classes][..., None] + called - hit
    is_kept, is_there = population.is_kept, union[..., 0] > 0  # it only falls
    summed = np.einsum("...sg,...s->...g", hit / np.maximum(union, 1e-9), (is_kept & is_there).astype(own.dtype))
    n = len(population.kept) if population.averaging == "all" else (
        (is_kept & is_there).sum(axis=-1) + (BACKGROUND in population.kept))[..., None]
    if BACKGROUND in population.kept:
        summed = summed + score_background(pixels, own + other, bare.astype(own.dtype))
    return summed / np.maximum(n, 1)


def score_background(pixels: np.ndarray, objects: np.ndarray, bare: np.ndarray) -> np.ndarray:
    """Score the IoU of background at the end of every level: (..., G)."""
    ground = (pixels - objects).sum(axis=-2)
    hit = np.cumsum(ground, axis=-1) + bare[..., :1]
    called = np.cumsum(pixels.sum(axis=-2), axis=-1) + bare.sum(axis=-1)[..., None]
    return hit / np.maximum(ground.sum(axis=-1)[..., None] + bare[..., :1] + called - hit, 1e-9)
