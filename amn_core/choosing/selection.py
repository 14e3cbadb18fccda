"""Choosing one threshold, with and without ground truth, and what each choice costs.

A `Selector` looks at the activations alone, at a constant, or at the ground truth; what it used is always said:

- ``none``      the activations of the images; `CHOOSERS` lists them
- ``fixed``     a constant that was published, see `FIXED`
- ``share``     one number: the share of pixels that show an object, see `amn_core.choosing.shares`
- ``points:N``  N answers at single pixels, see `amn_core.choosing.points`
- ``labels:N``  the ground truth of N other images, see `amn_core.choosing.budget`
- ``oracle``    the ground truth of the very images it is scored on

and at three scopes: one threshold for the ``data set``, one for each ``class``, or one for each ``image``.
`score_choices` scores any number of choices on the same resamples of images.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.choosing.histograms import (
    find_beta_mixture,
    find_expected_iou,
    find_gaussian_mixture,
    find_maximum_entropy,
    find_minimum_error,
    find_otsu,
    find_stable,
    find_triangle,
)
from amn_core.constants import BACKGROUND
from amn_core.presets import FIXED
from amn_core.sweep.confusion import (
    average_iou,
    check_averaging,
    divide,
    find_classes,
    score_confusion,
    score_iou,
    sum_above,
)
from amn_core.sweep.counts import Counts
from amn_core.sweep.curves import find_peak, find_threshold, take_at
from amn_core.sweep.images import score_images
from amn_core.sweep.uncertainty import draw_weights, find_interval, resample_curves

SCOPES = ("data set", "class", "image")
PAIR = "image and class"
ROWS = 8192


@dataclass(frozen=True)
class Chooser:
    """A way to read a threshold off histograms: its title, where it comes from, and the function that does it."""

    title: str
    source: str
    find: Callable[[np.ndarray, np.ndarray], np.ndarray]


CHOOSERS = {
    "otsu": Chooser("Otsu", "Otsu 1979", find_otsu),
    "minimum-error": Chooser("Minimum error", "Kittler and Illingworth 1986", find_minimum_error),
    "maximum-entropy": Chooser("Maximum entropy", "Kapur, Sahoo and Wong 1985", find_maximum_entropy),
    "gaussian-mixture": Chooser("Mixture of two Gaussians", "Dempster, Laird and Rubin 1977", find_gaussian_mixture),
    "beta-mixture": Chooser("Mixture of two Betas", "moments: Schröder and Rahmann 2017", find_beta_mixture),
    "triangle": Chooser("Triangle", "Zack, Rogers and Latt 1977", find_triangle),
    "stable-area": Chooser("Most stable area", "criterion of Matas et al. 2002", find_stable),
    "expected-iou": Chooser("Expected IoU", "ours", find_expected_iou),
}


@dataclass(frozen=True)
class Choice:
    """Thresholds that a selector chose.

    Attributes:
        selector: short name. title: for people. uses: none, fixed, share, points:N, labels:N or oracle. source:
            paper or 'ours'.
        scope: one of SCOPES, or PAIR. index: into the thresholds: () for the data set, (C,) by class, (N,) by
            image, (N, C) for pairs.
    """

    selector: str
    title: str
    uses: str
    source: str
    scope: str
    index: np.ndarray


@dataclass(frozen=True)
class ChoiceScore:
    """What a choice gives and costs; fractions of 1, each with the ends of its interval.

    Attributes:
        miou: of the data set. regret: peak of one global threshold on the same images less miou; negative
            where thresholds by class or image beat every single one.
    """

    miou: float
    miou_low: float
    miou_high: float
    regret: float
    regret_low: float
    regret_high: float


def sum_histograms(counts: Counts, scope: str) -> np.ndarray:
    """Sum the pixels by bin of the strongest activation: (T+1,), (C, T+1) by that class, or (N, T+1) by image.

    All ground truth is added up, so none of it is left in the result, but for one thing: pixels whose ground
    truth is 255 were never counted. To be free of that too, count the maps against an all-background mask.

    Raises:
        ValueError: if the scope is unknown.
    """
    check_scope(scope)
    if scope == "data set":
        return counts.decision_bins.sum(axis=0, dtype=np.int64)
    groups = counts.decision_class if scope == "class" else counts.decision_image
    n_groups = counts.n_classes if scope == "class" else len(counts.image_ids)
    summed = np.zeros((n_groups, len(counts.thresholds) + 1), dtype=np.int64)
    np.add.at(summed, groups, counts.decision_bins)
    return summed


def check_scope(scope: str) -> None:
    """Raise ValueError if there is no such scope."""
    if scope not in SCOPES:
        raise ValueError(f"scope is {scope!r}: choose one of {', '.join(SCOPES)}")


def choose_unseen(counts: Counts, name: str, scope: str = "data set") -> Choice:
    """Choose thresholds without ground truth, by one of CHOOSERS on histograms.

    Args:
        counts: of the images to look at. scope: see `Choice`. A class or an image without a pixel takes the
            threshold of the data set.

    Raises:
        ValueError: if the name or the scope is unknown.

    >>> float(counts.thresholds[choose_unseen(counts, "otsu").index])
    0.5
    """
    if name not in CHOOSERS:
        raise ValueError(f"selector is {name!r}: choose one of {', '.join(CHOOSERS)}")
    chooser, bins = CHOOSERS[name], sum_histograms(counts, scope)
    index = np.asarray(chooser.find(bins, counts.thresholds))
    if scope != "data set":
        whole = chooser.find(sum_histograms(counts, "data set"), counts.thresholds)
        index = np.where(bins.sum(axis=-1) > 0, index, whole)
    return Choice(name, chooser.title, "none", chooser.source, scope, index)


def choose_area(counts: Counts, cam: Counts) -> Choice:
    """Choose the threshold at which a method calls as many pixels foreground as a CAM does at maximum entropy (ours).

    Both look at the same objects, so their masks should be as large; a network that was trained with balanced
    classes, as AMN is, spreads its activation and moves the thresholds of histograms, while those of the CAM
    stay put. For the CAM itself it is the threshold of maximum entropy.

    Args:
        counts, cam: of the same images, to compare like with like.

    >>> int(choose_area(counts, counts).index) == int(choose_unseen(counts, "maximum-entropy").index)
    True
    """
    size = share_above(cam)[int(choose_unseen(cam, "maximum-entropy").index)]
    index = np.argmin(np.abs(share_above(counts) - size))
    return Choice("cam-area", "Area of the CAM's mask", "none", "ours", "data set", np.asarray(index))


def share_above(counts: Counts) -> np.ndarray:
    """Find the share of pixels above each threshold: (T,).

    >>> bool((np.diff(share_above(counts)) <= 0).all())
    True
    """
    bins = sum_histograms(counts, "data set")
    return divide(sum_above(bins), bins.sum())


def choose_fixed(thresholds: np.ndarray, method: str) -> list[Choice]:
    """Choose the published constants of a method, none for a method without one.

    >>> [(one.title, float(counts.thresholds[one.index])) for one in choose_fixed(counts.thresholds, "amn")]
    [("The paper's constant", 0.25), ("AMN's confident foreground", 0.5)]
    """
    return [
        Choice(name, title, "fixed", source, "data set", np.asarray(find_threshold(thresholds, by_method[method])))
        for name, (title, source, by_method) in FIXED.items() if method in by_method
    ]


def choose_oracle(counts: Counts, averaging: str = "union", classes=None) -> list[Choice]:
    """Choose on the ground truth of the same images: the peak, each class's own best, each image's own best.

    >>> [(one.scope, counts.thresholds[one.index].tolist()) for one in choose_oracle(counts)]
    [('data set', 0.5), ('class', [0.5, 0.5]), ('image', [0.25, 0.5])]
    """
    confusion = score_confusion(counts)
    iou = score_iou(confusion)
    kept = find_classes(counts.class_names, classes)
    curve = average_iou(iou[:, kept], confusion.sum(axis=-1)[:, kept] > 0, averaging)
    peak = find_peak(curve)
    found = {
        "data set": peak, "class": np.where((iou > 0).any(axis=0), find_peak(iou.T), peak),
        "image": score_images(counts, averaging, classes).best_index(),
    }
    titles = {"data set": "Peak", "class": "Best of each class", "image": "Best of each image"}
    return [
        Choice("peak", titles[scope], "oracle", "ours", scope, np.asarray(index)) for scope, index in found.items()
    ]


def spread_choice(choice: Choice, counts: Counts) -> np.ndarray:
    """Spread the thresholds of a choice over the rows of the decisions: (R,) indices."""
    n_images, n_classes = len(counts.image_ids), counts.n_classes
    shapes = {"data set": (), "class": (n_classes,), "image": (n_images,), PAIR: (n_images, n_classes)}
    if choice.index.shape != shapes.get(choice.scope):
        raise ValueError(f"index of {choice.selector} is {choice.index.shape}, which does not fit {choice.scope!r} of "
                         f"{n_images} images and {n_classes} classes")
    places = {"class": counts.decision_class, "image": counts.decision_image,
              PAIR: (counts.decision_image, counts.decision_class)}
    if choice.scope == "data set":
        return np.full(len(counts.decision_bins), int(choice.index))
    return choice.index[places[choice.scope]]


def sum_choice_areas(choice: Choice, counts: Counts) -> np.ndarray:
    """Sum hit, predicted and true pixels of each image and class under a choice: (3, N, C) float64."""
    index = spread_choice(choice, counts)
    total = counts.decision_bins.sum(axis=1, dtype=np.int64)
    above = np.concatenate([np.zeros(0, np.int64), *(
        np.where(np.arange(len(counts.thresholds) + 1) > index[i:i + ROWS, None], counts.decision_bins[i:i + ROWS], 0)
        .sum(axis=1, dtype=np.int64) for i in range(0, len(index), ROWS)
    )])
    image, gt, label = counts.decision_image, counts.decision_gt, counts.decision_class
    areas = np.zeros((3, len(counts.image_ids), counts.n_classes))
    hit, predicted, truth = areas
    is_own, is_ground = (gt == label) & (label != BACKGROUND), gt == BACKGROUND
    np.add.at(hit, (image[is_own], gt[is_own]), above[is_own])
    np.add.at(hit, (image[is_ground], BACKGROUND), (total - above)[is_ground])
    np.add.at(predicted, (image, label), above)
    np.add.at(predicted, (image, BACKGROUND), total - above)
    np.add.at(truth, (image, gt), total)
    return areas


def average_areas(areas: np.ndarray, averaging: str = "union", kept: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Average the IoU of hit, predicted and true pixels (3, ..., C) over classes: (...)."""
    check_averaging(averaging)
    hit, predicted, truth = areas[..., kept]
    return average_iou(divide(hit, truth + predicted - hit), truth > 0, averaging)


def score_choices(
    counts: Counts, choices: Sequence[Choice], averaging: str = "union", classes=None, resamples: int = 400,
    seed: int = 0, level: float = 0.95,
) -> list[ChoiceScore]:
    """Score choices on the images of some counts, with paired bootstrap intervals over images.

    The thresholds stay as they were chosen; in each resample the regret is against the peak of that resample,
    which is the best of many thresholds, so the interval of a small regret leans upward.

    Args:
        counts: of the images to score on; choices by image must be in their order. averaging, classes: as in
            `score_miou`. resamples, seed, level: of the bootstrap; 0 resamples give no intervals (NaN).

    >>> scores = score_choices(counts, choose_oracle(counts), resamples=0)
    >>> [(round(score.miou, 3), round(score.regret, 3)) for score in scores]
    [(1.0, 0.0), (1.0, 0.0), (1.0, 0.0)]
    """
    n, kept = len(counts.image_ids), find_classes(counts.class_names, classes)
    weights = np.concatenate([np.ones((1, n)), draw_weights(n, resamples, seed)])
    peak = score_peaks(counts, weights, averaging, kept)
    scored = []
    for choice in choices:
        miou = average_areas(weights @ sum_choice_areas(choice, counts), averaging, kept)
        values = [end for samples in (miou, peak - miou) for end in (samples[0], *bound(samples[1:], level))]
        scored.append(ChoiceScore(*map(float, values)))
    return scored


def bound(samples: np.ndarray, level: float) -> tuple[float, float]:
    """Find the interval of samples (R,); NaN without a sample."""
    return find_interval(samples, level) if len(samples) else (np.nan, np.nan)


def score_curves(counts: Counts, weights: np.ndarray, averaging: str, kept: np.ndarray) -> np.ndarray:
    """Score mIoU at every threshold for images drawn so often, weights (R, N): (R, T)."""
    nothing = np.zeros(len(counts.image_ids), dtype=np.int64)
    return resample_curves(counts, nothing, weights, averaging, kept)[0][:, :-1]


def score_peaks(counts: Counts, weights: np.ndarray, averaging: str, kept: np.ndarray) -> np.ndarray:
    """Score the peak of one global threshold for images drawn so often, weights (R, N): (R,)."""
    curves = score_curves(counts, weights, averaging, kept)
    return take_at(curves, find_peak(curves))
