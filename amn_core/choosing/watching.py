"""Selectors that look at maps, photographs or models: what the counts do not hold.

None of them sees ground truth. They look at a sample of the images, spread evenly over the list, at a quarter
or half of their size, and choose one threshold for the data set.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from amn_core.choosing.agreement import (
    count_agreement,
    count_components,
    find_strongest,
    score_agreement,
    score_kappa,
    sum_edges,
)
from amn_core.choosing.histograms import find_best, find_reach, find_steadiest
from amn_core.choosing.selection import PAIR, Choice, choose_unseen
from amn_core.data import Dataset
from amn_core.formats.maps import LEVELS, load_stored_map
from amn_core.formats.runs import Run
from amn_core.sweep.confusion import divide
from amn_core.sweep.counts import Counts
from amn_core.sweep.curves import find_threshold
from amn_core.sweep.seeds import build_labels

COARSE = np.arange(1, 20) / 20
# Of `choose_edges`; tried on the even half of 437 images of VOC's training set, see there.
PULL, EDGE_REACH, EDGE_RANGE = 0.2, 0.15, (0.1, 0.9)


@dataclass(frozen=True)
class Watcher:
    """What selectors on maps have at hand.

    Attributes:
        run: with maps. ids: the sample. thresholds: (T,) that may be chosen.
        dataset: the images, None where they are not here.
    """

    run: Run
    ids: tuple[str, ...]
    thresholds: np.ndarray
    dataset: Dataset | None = None


def take_sample(ids: Sequence[str], size: int) -> tuple[str, ...]:
    """Take a sample of some ids, spread evenly over them.

    >>> take_sample(["a", "b", "c", "d"], 2)
    ('b', 'd')
    """
    if size >= len(ids):
        return tuple(ids)
    return tuple(ids[int(i)] for i in (np.arange(size) + 0.5) * len(ids) / size)


def load_quarter(run: Run, image_id: str) -> tuple[np.ndarray, np.ndarray]:
    """Load maps at a quarter of the image's size, as they are stored."""
    cam, class_ids, _ = load_stored_map(run.map_path(image_id))
    return cam.astype(np.float32) / np.float32(LEVELS), class_ids


def build_choice(name: str, title: str, source: str, index: int | np.ndarray) -> Choice:
    """Build the choice of a selector that looked at maps."""
    return Choice(name, title, "none", source, "data set", np.asarray(index))


def choose_components(watcher: Watcher) -> Choice:
    """Choose the threshold around which the number of pieces of all masks changes least, as a share of it."""
    n = len(watcher.thresholds)
    pieces = sum(
        count_components(find_strongest(*load_quarter(watcher.run, i), watcher.thresholds)[0], n) for i in watcher.ids)
    return build_choice("stable-pieces", "Most stable number of pieces", "criterion of Matas et al. 2002",
                        find_steadiest(pieces.astype(np.float64), watcher.thresholds))


def choose_edges(watcher: Watcher, counts: Counts) -> Choice:
    """Choose Otsu's threshold of each class, pulled in each image to where its masks have the sharpest edges (ours).

    Sharp: the mean change of colour along the edge of the mask, over thresholds within EDGE_REACH. The pull is a
    fifth of the way; that and the reach were chosen once, on half of a data set.

    Args:
        counts: of all images to choose for, of which only histograms are looked at; an image without a map is
            not pulled.
    """
    base = choose_unseen(counts, "otsu", "class").index
    index, known = np.tile(base, (len(counts.image_ids), 1)), set(watcher.run.map_ids)
    for i, image_id in enumerate(counts.image_ids):
        sharpest = find_sharpest(watcher, image_id) if image_id in known else None
        if sharpest is not None:
            index[i] = np.rint((1 - PULL) * base + PULL * sharpest)
    return Choice("otsu-edges", "Otsu, pulled to edges", "none", "ours", PAIR, index)


def find_sharpest(watcher: Watcher, image_id: str) -> int | None:
    """Find the index of the threshold around which an image's mask has the sharpest edges; None without an edge."""
    grid = watcher.thresholds
    bins, _ = find_strongest(*load_quarter(watcher.run, image_id), grid)
    photograph = Image.fromarray(watcher.dataset.image(image_id)).resize(bins.shape[::-1], Image.Resampling.BOX)
    running = np.pad(sum_edges(bins, np.asarray(photograph), len(grid)).cumsum(axis=1), ((0, 0), (1, 0)))
    low, high = find_reach(grid, EDGE_REACH)
    change, length = running[:, high + 1] - running[:, low]
    is_inside = (grid >= EDGE_RANGE[0]) & (grid <= EDGE_RANGE[1])
    sharpness = np.where(is_inside, divide(change, length), np.nan)
    return None if np.isnan(sharpness).all() else int(find_best(sharpness))


def choose_agreeing(first: Watcher, second: Watcher) -> tuple[Choice, Choice]:
    """Choose the pair of thresholds at which two methods agree best (ours), one for each.

    Raises:
        ValueError: if the two are to be cut at different thresholds.
    """
    if not np.array_equal(first.thresholds, second.thresholds):
        raise ValueError("the two runs were counted at different thresholds: count one of them anew")
    shared = tuple(i for i in first.ids if i in set(second.run.map_ids))
    joint = sum(
        count_agreement(*(find_strongest(*load_quarter(w.run, i), w.thresholds) for w in (first, second)),
                        len(first.thresholds)) for i in shared)
    best = np.unravel_index(find_best(score_agreement(joint).ravel()), (len(first.thresholds),) * 2)
    return tuple(
        build_choice(f"agrees-with-{other.run.method}", f"Agreement with {other.run.name}", "ours", i)
        for w, other, i in ((first, second, best[0]), (second, first, best[1]))
    )


def choose_scales(watcher: Watcher, infer: Callable, infer_other: Callable) -> Choice:
    """Choose the threshold at which the maps of two scales agree best (ours).

    Args:
        infer, infer_other: take an image (H, W, 3) uint8 and class ids, give maps (K, h, w) of one size.
    """
    joint = 0
    for image_id in watcher.ids:
        image, class_ids = watcher.dataset.image(image_id), watcher.dataset.class_ids(image_id)
        if len(class_ids):
            pair = (find_strongest(f(image, class_ids), class_ids, watcher.thresholds) for f in (infer, infer_other))
            joint = joint + count_agreement(*pair, len(watcher.thresholds))
    index = find_best(np.diagonal(score_agreement(joint)))
    return build_choice("scales-agree", "Agreement of two scales", "ours", index)


def choose_refined(watcher: Watcher) -> Choice:
    """Choose the threshold at which masks agree best with what a dense CRF makes of them (ours)."""
    from amn_core.refine.dense_crf import CRFFilters  # torch is needed for the CRF alone

    sums = np.zeros((4, len(COARSE)))
    for image_id in watcher.ids:
        image = shrink(watcher.dataset.image(image_id))
        cam, _ = watcher.run.map(image_id, image.shape[:2])
        if len(cam):
            labels = np.stack([build_labels(cam, threshold) for threshold in COARSE])
            refined = np.asarray(CRFFilters(image).refine_labels(labels, len(cam) + 1))
            sums += [(a.reshape(len(COARSE), -1)).sum(axis=1) for a in (
                labels == refined, labels > 0, refined > 0, np.ones_like(labels))]
    index = find_best(score_kappa(*(divide(part, sums[3]) for part in sums[:3])))
    return build_choice("crf-agrees", "Agreement with its CRF", "ours",
                        find_threshold(watcher.thresholds, COARSE[index]))


def choose_kept(watcher: Watcher, predict: Callable[[np.ndarray], np.ndarray]) -> Choice:
    """Choose the threshold whose masks keep the class and leave nothing of it outside, for their size (ours).

    For each image and class: its probability with only the mask left, less that with only the rest left, less
    the share of the image that the mask takes, without which the whole image would be the best mask. What is
    taken out becomes the mean colour of the image.

    Args:
        predict: takes an image (H, W, 3) uint8 and gives the probabilities (C−1,) of the object classes.
    """
    scores = np.zeros(len(COARSE))
    for image_id in watcher.ids:
        image = shrink(watcher.dataset.image(image_id))
        cam, class_ids = watcher.run.map(image_id, image.shape[:2])
        grey = image.mean(axis=(0, 1))
        for j, threshold in enumerate(COARSE if len(cam) else ()):
            labels = build_labels(cam, threshold)
            kept, rest = (predict(np.where(is_shown[..., None], image, grey).astype(np.uint8))
                          for is_shown in (labels > 0, labels == 0))
            chosen = np.asarray(class_ids) - 1
            scores[j] += (kept[chosen] - rest[chosen]).mean() - (labels > 0).mean()
    return build_choice("classifier-keeps", "Consistency with the classifier", "ours",
                        find_threshold(watcher.thresholds, COARSE[find_best(scores)]))


def shrink(image: np.ndarray) -> np.ndarray:
    """Shrink an image (H, W, 3) uint8 to half its size, rounded up, to spare time."""
    height, width = image.shape[:2]
    return np.asarray(Image.fromarray(image).resize((-(-width // 2), -(-height // 2)), Image.Resampling.BILINEAR))

