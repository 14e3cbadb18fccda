"""Reading photographs and label images: every mode becomes RGB, every failure names its file."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from amn_core.formats.errors import DataError
from amn_core.formats.masks import MAX_PIXELS, check_pixels

# Named, so that Pillow does not try its other formats: an EPS would start Ghostscript.
IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def load_image(
    source: str | Path | bytes, name: str | None = None, upright: bool = True, formats: tuple[str, ...] = IMAGE_FORMATS,
) -> np.ndarray:
    """Load a photograph as RGB.

    Args:
        source: a path, or the bytes of an image file.
        name: what an error calls it; the path by default.
        upright: turn the image as its EXIF orientation says. VOC's masks lie on the stored pixels, so
            its reader passes False.
        formats: those of Pillow that may be read; of moving pictures the first frame is taken.

    Returns:
        (H, W, 3) uint8. Transparent parts are laid on white, 16-bit grey is scaled to 8 bits.

    Raises:
        DataError: no such file, not an image, cut short, or more than `MAX_PIXELS` pixels.
    """
    name = name or (str(source) if not isinstance(source, bytes) else "the image")
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=formats) as image:
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


