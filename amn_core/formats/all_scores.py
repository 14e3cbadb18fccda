"""Scores of every class of a data set for an image, with or without background, as activation maps of all classes."""

import numpy as np

from amn_core.formats.errors import FormatError
from amn_core.formats.foreign import RawMap
from amn_core.formats.resizing import resize_maps

SCORES = ("auto", "probabilities", "logits")
BACKGROUNDS = ("first", "last", "none", "white")
WHITE = 240  # of 255, in all three channels


def build_all_maps(
    raw: RawMap, n_classes: int, size: tuple[int, int], background: str, scores: str, image: np.ndarray | None = None
) -> np.ndarray:
    """Build the maps of all classes but background, (K, *size) float32 in [0, 1].

    Logits become probabilities by a softmax over all planes, background with them, after they were brought to the size
    of the image. ``auto`` takes for logits what leaves [0, 1].

    Args:
        raw: one file. n_classes: with background. background: which plane it is; none, or ``white``: there is no
            plane, and white pixels of the image are background. image: (H, W, 3) uint8, for ``white``.

    Raises:
        FormatError: another number of planes; names the numbers.
    """
    planes = find_planes(raw.planes, n_classes, background)
    cam = resize_maps(np.ascontiguousarray(planes, dtype=np.float32), *size)
    if scores == "logits" or (scores == "auto" and is_logits(planes)):
        cam = np.exp(cam - cam.max(axis=0, keepdims=True))
        cam /= cam.sum(axis=0, keepdims=True)
    cam = {"first": cam[1:], "last": cam[:-1]}.get(background, cam)
    if background == "white" and image is not None:
        cam = blank_white(cam, image)
    return np.clip(cam, 0, 1).astype(np.float32)


def blank_white(cam: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Set maps to 0 where the image is white, at least 240 of 255 in all three channels.

    Args:
        cam: (K, H, W). image: (H, W, 3) uint8.

    Raises:
        FormatError: the image has another size.

    >>> blank_white(np.array([[[0.5, 0.7]]]), np.array([[[240, 255, 255], [239, 255, 255]]])).tolist()
    [[[0.0, 0.7]]]
    """
    if image.shape[:2] != cam.shape[1:]:
        raise FormatError(f"the image is {image.shape[0]}×{image.shape[1]} but its ground truth {cam.shape[1]}×"
                          f"{cam.shape[2]}: --background white needs both of one size")
    return np.where((image >= WHITE).all(axis=2), cam.dtype.type(0), cam)


def find_planes(planes: np.ndarray, n_classes: int, background: str) -> np.ndarray:
    """Find the planes of all classes, first or last among the axes, (P, h, w)."""
    expected = n_classes if background in ("first", "last") else n_classes - 1
    if planes.shape[0] == expected:
        return planes
    if planes.shape[2] == expected:
        return np.moveaxis(planes, 2, 0)
    raise FormatError(f"{planes.shape[0]} planes, but the data set has {n_classes - 1} classes and background is "
                      f"{background!r}, which makes {expected}: check --background and --data")


def is_logits(planes: np.ndarray) -> bool:
    """Whether numbers leave [0, 1], as probabilities never do but for rounding."""
    return bool(planes.size and (planes.min() < -1e-4 or planes.max() > 1 + 1e-4))
