"""Masks of class indices as PNG: grayscale as IRN's code writes them, or with the palette of VOC to look at."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from amn_core.constants import IGNORE_INDEX, VOC_PALETTE
from amn_core.formats.errors import DataError, FormatError
from amn_core.formats.files import write_bytes

MAX_PIXELS = 50_000_000

MAX_PIXELS = 50_000_000


def save_mask(path: str | Path, labels: np.ndarray, palette: bool = True) -> None:
    """Save a mask as PNG.

    Args:
        labels: (H, W) integers 0–255: 0 background, class, 255 unsure or ignored.
        palette: with the colour table of VOC (the indices are the same), or plain grayscale, which looks
            black but is what some code insists on.

    Raises:
        FormatError: another number of dimensions, or values outside 0–255.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or not labels.size or labels.dtype.kind not in "iu":
        raise FormatError(f"{path}: a mask must be (H, W) integers, not {labels.dtype} of shape {labels.shape}")
    if labels.min() < 0 or labels.max() > 255:
        raise FormatError(f"{path}: labels {labels.min()}–{labels.max()} are outside 0–255")
    image = Image.fromarray(np.ascontiguousarray(labels, dtype=np.uint8))
    if palette:
        image.putpalette(VOC_PALETTE.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    write_bytes(Path(path), buffer.getvalue())


def load_mask(path: str | Path) -> np.ndarray:
    """Load a mask of class indices: grayscale, with a palette, or painted in the colours of VOC.

    Returns:
        (H, W) uint8.

    Raises:
        FormatError: no such file, not a PNG, broken, too large, or a colour that is no class of VOC.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise FormatError(f"{path}: {image.width}×{image.height} is more than {MAX_PIXELS:,} pixels")
            if image.mode in ("P", "L", "1"):
                return np.array(image, dtype=np.uint8)
            if image.mode == "RGB":
                return find_colours(np.asarray(image), path)
            raise FormatError(f"{path}: a mask must be a palette, grayscale or RGB image, not {image.mode}")
    except FormatError:
        raise
    except FileNotFoundError:
        raise FormatError(f"{path}: no such mask") from None
    except Exception as error:  # decoders raise many kinds; all of them mean a broken file
        raise FormatError(f"{path}: broken mask ({error})") from None


def find_colours(image: np.ndarray, path: str | Path) -> np.ndarray:
    """Turn the colours of VOC's palette, (H, W, 3) uint8, into class indices (H, W) uint8."""
    shifts = np.array([16, 8, 0])
    colours = (VOC_PALETTE.astype(np.int64) << shifts).sum(axis=1)
    order = np.argsort(colours, kind="stable")
    wanted = (image.astype(np.int64) << shifts).sum(axis=2)
    labels = order[np.minimum(np.searchsorted(colours[order], wanted), 255)]
    if (colours[labels] != wanted).any():
        wrong = image[colours[labels] != wanted][0].tolist()
        raise FormatError(f"{path}: the colour {wrong} is no class of VOC; save class indices instead of colours")
    return labels.astype(np.uint8)


def split_mask(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a finished mask into maps that are 0 or 255, so that any threshold gives the mask again.

    Args:
        labels: (H, W) uint8; 255 (unsure) counts as background, as in IRN's evaluation.

    Returns:
        levels (K, H, W) uint8 and class_ids (K,) int64, the classes that occur, increasing.
    """
    class_ids = np.unique(labels).astype(np.int64)
    class_ids = class_ids[(class_ids > 0) & (class_ids < 255)]
    return ((labels[None] == class_ids[:, None, None]) * np.uint8(255)).astype(np.uint8), class_ids


def check_pixels(image: Image.Image, name: str) -> None:
    """Refuse an image before it is decoded if its header announces more than `MAX_PIXELS` pixels."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{name}: {width}×{height} is more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller first"
        )


def load_label_image(path: Path, n_classes: int) -> np.ndarray:
    """Load a mask of class indices, stored as palette or greyscale PNG.

    Returns:
        (H, W) uint8: 0 background, class, 255 ignore.

    Raises:
        DataError: missing, broken, in colour without a palette, or an index of `n_classes` or more.
    """
    try:
        with Image.open(path) as image:
            check_pixels(image, str(path))
            if image.mode not in ("P", "L", "1"):
                raise DataError(f"{path}: a mask must be a palette or greyscale image, not {image.mode}")
            labels = np.array(image, dtype=np.uint8)
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such mask") from None
    except Exception as error:
        raise DataError(f"{path}: broken mask ({error})") from None
    check_labels(labels, n_classes, str(path))
    return labels


def check_labels(labels: np.ndarray, n_classes: int, name: str) -> None:
    """Refuse label values that are neither a class below `n_classes` nor 255."""
    wrong = (labels >= n_classes) & (labels != IGNORE_INDEX)
    if wrong.any():
        raise DataError(
            f"{name}: label {int(labels[wrong][0])} is outside 0–{n_classes - 1} (255 = ignore); "
            "check the class list of the data set"
        )
