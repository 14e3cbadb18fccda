"""The gate of refinement: images, labels and probabilities are checked here and trusted afterwards."""

import numpy as np


def check_image(image: np.ndarray) -> np.ndarray:
    """Return the image if it is (H, W, 3) uint8 with pixels in it.

    Raises:
        ValueError: if it is not.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"image is {image.dtype} {image.shape} but must be uint8 (H, W, 3): convert it to RGB")
    return image


def check_labels(labels: np.ndarray, n_labels: int, shape: tuple[int, int]) -> np.ndarray:
    """Return labels (H, W), or label sets (S, H, W), as (S, H, W).

    Raises:
        ValueError: if they are not integers 0 … n_labels − 1 of the image's ``shape``.
    """
    labels = np.asarray(labels)
    if labels.ndim not in (2, 3) or labels.shape[-2:] != tuple(shape) or labels.size == 0:
        raise ValueError(f"labels is {labels.shape} but the image is {tuple(shape)}: check height and width")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels is {labels.dtype} but must hold integers")
    if labels.min() < 0 or labels.max() >= n_labels:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()} but n_labels is {n_labels}: "
            "number the labels 0 … n_labels − 1, without 255"
        )
    return labels.reshape(-1, *shape)


def check_probabilities(probs: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return probabilities (L, H, W) as float32.

    Raises:
        ValueError: if they are not finite numbers of the image's ``shape``.
    """
    probs = np.asarray(probs, np.float32)
    if probs.ndim != 3 or probs.shape[1:] != tuple(shape) or probs.size == 0:
        raise ValueError(f"probs is {probs.shape} but the image is {tuple(shape)}: pass (L, H, W) of that size")
    if not np.isfinite(probs).all():
        raise ValueError("probs holds values that are not finite: check the map they come from")
    return probs


def check_gt_prob(gt_prob: float) -> float:
    """Return the trust in a label if it lies strictly between 0 and 1.

    Raises:
        ValueError: if it does not.
    """
    if not 0 < gt_prob < 1:
        raise ValueError(f"gt_prob is {gt_prob} but must lie between 0 and 1, both excluded")
    return gt_prob
