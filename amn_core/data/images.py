"""Reading photographs and label images: every mode becomes RGB, every failure names its file."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from amn_core.constants import IGNORE_INDEX

MAX_PIXELS = 50_000_000
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class DataError(ValueError):
    """Something is wrong with the data; the message names the file and the remedy."""


def load_image(source: str | Path | bytes, name: str | None = None, upright: bool = True) -> np.ndarray:
    """Load a photograph as RGB.

    Args:
        source: a path, or the bytes of an image file.
        name: what an error calls it; the path by default.
        upright: turn the image as its EXIF orientation says. VOC's masks lie on the stored pixels, so
            its reader passes False.

    Returns:
        (H, W, 3) uint8. Transparent parts are laid on white, 16-bit grey is scaled to 8 bits.

    Raises:
        DataError: no such file, not an image, cut short, or more than `MAX_PIXELS` pixels.
    """
    name = name or (str(source) if not isinstance(source, bytes) else "the image")
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            check_pixels(image, name)
            image.load()
            return np.asarray(convert_to_rgb(ImageOps.exif_transpose(image) if upright else image))
    except DataError:
        raise
    except Image.DecompressionBombError:  # Pillow's own limit, met before `check_pixels` can look
        raise DataError(f"{name}: more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller first") from None
    except FileNotFoundError:
        raise DataError(f"{name}: no such image; check the data root and the list of the split") from None
    except UnidentifiedImageError:
        raise DataError(f"{name}: not an image that can be read; use JPEG, PNG, WebP, BMP or TIFF") from None
    except Exception as error:  # decoders raise many kinds; all of them mean a broken file
        raise DataError(f"{name}: broken image ({error}); replace it or leave it out") from None


def check_pixels(image: Image.Image, name: str) -> None:
    """Refuse an image before it is decoded if its header announces more than `MAX_PIXELS` pixels."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{name}: {width}×{height} is more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller first"
        )


def convert_to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode of Pillow to RGB: alpha over white, palettes resolved, 16-bit and float grey scaled."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        grey = np.asarray(image, dtype=np.float64)
        top = 65535.0 if grey.max(initial=0) > 255 else 255.0
        image = Image.fromarray(np.clip(grey * (255.0 / top), 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


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
