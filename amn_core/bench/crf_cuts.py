"""Many cuts of one map through our dense CRF at once, beside one call of pydensecrf for each: part of ``bench crf``.

A curve after the CRF needs the refined mask of every threshold. The maps are made from the ground truth, moved and
blurred, of one class and of two, on images of 375×500, the size of VOC's photographs.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from amn_core.constants import BACKGROUND, IGNORE_INDEX
from amn_core.data import Dataset
from amn_core.sweep.seeds import build_label_sets

SIZE = (375, 500)
BLUR = 12
# Separate calls are timed at every tenth cut: each takes as long as any other.
SAMPLED = 10
MIN_EQUAL = 0.999


def bench_cuts(
    dataset: Dataset, ids: list[str], cuts: int, device: Any, clock: Callable[[], float],
    refine_reference: Callable[..., np.ndarray] | None,
) -> dict[str, Any]:
    """Refine many cuts of each image at once, and some of them one by one, for one class and for two.

    Args:
        dataset: images with ground truth. ids: those to take. cuts: thresholds from 0 to 1.
        refine_reference: (image, labels, n_labels) to refined labels (H, W), or None without pydensecrf.

    Returns:
        For ``one_class`` and for ``two_classes`` a dict: ``seconds`` for all cuts of an image, building the
        kernels included, and ``seconds_of_one`` for a call of ours with one cut; ``reference_seconds``, as many calls
        of pydensecrf; ``share`` = seconds / reference_seconds and ``share_of_one``, the same for one call;
        ``equal_pixels`` to separate calls of ours, ``reference_equal_pixels`` to pydensecrf; ``agree``: both at least
        99.9 %. What needs pydensecrf is None without it.
    """
    return {name: summarise_cuts(cuts, [
        time_image(dataset, image_id, n, cuts, device, clock, refine_reference) for image_id in ids])
        for name, n in (("one_class", 1), ("two_classes", 2))}


def time_image(
    dataset: Dataset, image_id: str, n_classes: int, cuts: int, device, clock, refine_reference
) -> list[float]:
    """Refine the cuts of one image: seconds of all, of one, of one of pydensecrf; equal shares to both."""
    image, sets = make_cuts(dataset, image_id, n_classes, cuts)
    together, found = take_time(clock, lambda: refine_sets(image, sets, n_classes, device))
    chosen = sets[SAMPLED // 2::SAMPLED]
    alone, apart = take_time(clock, lambda: np.stack(
        [refine_sets(image, one[None], n_classes, device)[0] for one in chosen]))
    compared = found[SAMPLED // 2::SAMPLED]
    values = [together, alone / len(chosen), float((compared == apart).mean())]
    if refine_reference is None:
        return [*values, np.nan, np.nan]
    seconds, expected = take_time(clock, lambda: np.stack(
        [refine_reference(image, one, n_classes + 1) for one in chosen]))
    return [*values, seconds / len(chosen), float((compared == expected).mean())]


def choose_clock(device: Any, threads: int) -> Callable[[], float]:
    """Choose what tells the time: the processor's on one core, which other work on the machine does not add to."""
    return time.process_time if device.type == "cpu" and threads == 1 else time.perf_counter


def take_time(clock: Callable[[], float], work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Return the seconds that some work takes, and its result."""
    start = clock()
    result = work()
    return clock() - start, result


def refine_sets(image: np.ndarray, sets: np.ndarray, n_classes: int, device) -> np.ndarray:
    """Refine label sets (S, H, W) of an image with our CRF, kernels and all."""
    from amn_core.refine import CRFFilters

    return CRFFilters(image, device=device).refine_labels(sets, n_classes + 1)


def make_cuts(dataset: Dataset, image_id: str, n_classes: int, cuts: int) -> tuple[np.ndarray, np.ndarray]:
    """Make an image of `SIZE` and the cuts (T, H, W) of maps that are wrong in the way of activation maps."""
    height, width = SIZE
    image = np.asarray(Image.fromarray(dataset.image(image_id)).resize((width, height), Image.Resampling.BICUBIC))
    gt = np.asarray(Image.fromarray(dataset.gt(image_id)).resize((width, height), Image.Resampling.NEAREST))
    is_object = (gt != BACKGROUND) & (gt != IGNORE_INDEX)
    shifts = [np.array([15, -10]), np.array([-height // 3, width // 3])][:n_classes]
    cam = np.stack([blur_mask(is_object, shift) for shift in shifts]).astype(np.float32)
    return image, build_label_sets(cam, np.linspace(0, 1, cuts))


def blur_mask(mask: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Move a mask, blur it and divide it by its maximum, (H, W) in [0, 1]."""
    moved = Image.fromarray(np.roll(mask, shift, axis=(0, 1)).astype(np.uint8) * 255)
    blurred = np.asarray(moved.filter(ImageFilter.GaussianBlur(BLUR)), np.float64)
    return blurred / max(blurred.max(), 1.0)


def summarise_cuts(cuts: int, rows: list[list[float]]) -> dict[str, Any]:
    """Word what was timed on some images as a dict: see `bench_cuts`."""
    together, alone, equal, reference, reference_equal = np.mean(rows, 0).tolist()
    result = {"seconds": together, "seconds_of_one": alone, "equal_pixels": equal}
    if np.isnan(reference):
        names = ("reference_seconds", "share", "share_of_one", "reference_equal_pixels")
        return result | dict.fromkeys(names) | {"agree": equal >= MIN_EQUAL}
    return result | {
        "reference_seconds": reference * cuts, "share": together / (reference * cuts),
        "share_of_one": alone / reference, "reference_equal_pixels": reference_equal,
        "agree": min(equal, reference_equal) >= MIN_EQUAL}
