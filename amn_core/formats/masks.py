"""Masks of class indices as PNG: grayscale as IRN's code writes them, or with the palette of VOC to look at."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from amn_core.constants import IGNORE_INDEX, VOC_PALETTE
from amn_core.formats.errors import DataError, FormatError
from amn_core.formats.files import write_bytes
from amn_core.formats.label_pixels import decode_labels, decode_swapped
from amn_core.formats.strangers import describe_stranger, take_first_line

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


def load_swapped_mask(path: str | Path, n_classes: int = 256) -> np.ndarray:
    """Load a mask whose colours have red and blue exchanged; see `load_mask`."""
    return load_mask(path, n_classes, decode_swapped)


def load_mask(
    path: str | Path, n_classes: int = 256, decode: Callable[[Image.Image, int], np.ndarray] = decode_labels
) -> np.ndarray:
    """Load a mask of labels as a PNG of any mode holds them; see `amn_core.formats.label_pixels`.

    Args:
        n_classes: number of classes with background, so that colours of later classes are not taken for VOC's.
        decode: what turns the open image into labels.

    Returns:
        (H, W) uint8; values of `n_classes` and more are left to the caller.

    Raises:
        FormatError: no such file, not a PNG, broken, too large, or pixels that are no labels.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            check_pixels(image, str(path))
            return decode(image, n_classes)
    except FormatError as error:
        raise FormatError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    except FileNotFoundError:
        raise FormatError(f"{path}: no such mask") from None
    except Image.DecompressionBombError:  # Pillow's own limit, met before `check_pixels` can look
        raise FormatError(f"{path}: more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller first") from None
    except UnidentifiedImageError:
        raise FormatError(f"{path}: broken mask ({describe_start(path)}); save it as PNG") from None
    except Exception as error:  # decoders raise many kinds; all of them mean a broken file
        raise FormatError(f"{path}: broken mask ({take_first_line(error)})") from None


def describe_start(path: str | Path) -> str:
    """Describe what a file is that is no PNG, by its first bytes."""
    with Path(path).open("rb") as file:
        start = file.read(64)
    if start.startswith(b"\xff\xd8\xff"):
        return "a JPEG, whose compression changes labels"
    return describe_stranger(start).removeprefix("is ") or "not a PNG"


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
        raise FormatError(
            f"{name}: {width}×{height} is more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller first"
        )


def load_label_image(path: Path, n_classes: int) -> np.ndarray:
    """Load a mask of class indices, as a PNG of any mode holds them.

    Returns:
        (H, W) uint8: 0 background, class, 255 ignore.

    Raises:
        DataError: what `load_mask` finds, or an index of `n_classes` or more.
    """
    labels = load_mask(path, n_classes)
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
