"""Augmentation of one image (and its seed): resize, flip, crop. Every draw comes from the generator given."""

import numpy as np
from PIL import Image

from amn_core.constants import IGNORE_INDEX

# What padding shows: the mean of ImageNet, nearly zero after any backbone's normalisation.
PADDING_COLOUR = (124, 116, 104)


def resize_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize (H, W, 3) uint8 with a bicubic filter."""
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def resize_labels(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize (H, W) uint8 labels to the nearest."""
    return np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST))


def compute_long_side_size(height: int, width: int, long_side: int) -> tuple[int, int]:
    """Compute the size whose longer side is `long_side`, in the same proportion."""
    factor = long_side / max(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def draw_size(
    rng: np.random.Generator, height: int, width: int, long_sides: tuple[int, int] | None,
    scales: tuple[float, float] | None,
) -> tuple[int, int]:
    """Draw the size of the resized image: a long side from a range, or a scale from a range."""
    if long_sides is not None:
        return compute_long_side_size(height, width, int(rng.integers(long_sides[0], long_sides[1] + 1)))
    factor = rng.uniform(*scales) if scales is not None else 1.0
    return max(1, round(height * factor)), max(1, round(width * factor))


def draw_crop(rng: np.random.Generator, height: int, width: int, crop: int) -> tuple[slice, slice, slice, slice]:
    """Draw where a crop is taken from and where it lands in a square of `crop` (smaller images are padded).

    Returns:
        Rows and columns in the image, rows and columns in the crop.
    """
    rows = draw_window(rng, height, crop)
    columns = draw_window(rng, width, crop)
    return rows[0], columns[0], rows[1], columns[1]


def draw_window(rng: np.random.Generator, size: int, crop: int) -> tuple[slice, slice]:
    """Draw one axis of a crop: the part of the image, and where it lies in the crop."""
    taken = min(size, crop)
    start = int(rng.integers(0, size - taken + 1))
    place = int(rng.integers(0, crop - taken + 1))
    return slice(start, start + taken), slice(place, place + taken)


def augment(
    rng: np.random.Generator, image: np.ndarray, seed: np.ndarray | None, crop: int,
    long_sides: tuple[int, int] | None = None, scales: tuple[float, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Resize, flip and crop an image together with its seed.

    Args:
        image: (H, W, 3) uint8.
        seed: (H, W) uint8 labels, or None.
        long_sides, scales: range of the resized long side in pixels, or of the scale.

    Returns:
        (crop, crop, 3) uint8, and (crop, crop) uint8 labels, 255 where the image does not reach.
    """
    height, width = draw_size(rng, *image.shape[:2], long_sides, scales)
    image = resize_image(image, height, width)
    seed = np.zeros((height, width), np.uint8) if seed is None else resize_labels(seed, height, width)
    if rng.random() < 0.5:
        image, seed = image[:, ::-1], seed[:, ::-1]
    rows, columns, to_rows, to_columns = draw_crop(rng, height, width, crop)
    cropped = np.full((crop, crop, 3), PADDING_COLOUR, dtype=np.uint8)
    labels = np.full((crop, crop), IGNORE_INDEX, dtype=np.uint8)
    cropped[to_rows, to_columns] = image[rows, columns]
    labels[to_rows, to_columns] = seed[rows, columns]
    return cropped, labels
