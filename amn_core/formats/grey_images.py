"""Grey pictures as activation maps: 8 or 16 bits, with a grey palette, or grey in three channels."""

from pathlib import Path

import numpy as np
from PIL import Image

from amn_core.formats.errors import FormatError

GREY_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
GREY_FORMATS = ("PNG", "JPEG", "BMP", "TIFF")
MAX_PIXELS = 50_000_000
TINGE = 8  # how far the channels of a grey JPEG may lie apart
WIDE_MODES = ("I;16", "I;16B", "I;16L", "I")


def read_grey_image(path: Path) -> np.ndarray:
    """Read a grey picture, (h, w) uint8 or uint16.

    Raises:
        FormatError: no such file, broken, too large, or in colours; names the file.
    """
    try:
        with Image.open(path, formats=GREY_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise FormatError(f"{path}: {image.width}×{image.height} is more than {MAX_PIXELS:,} pixels")
            return convert_grey(image, path)
    except FormatError:
        raise
    except Exception as error:  # decoders raise many kinds; all of them mean a broken file
        raise FormatError(f"{path}: broken image ({error})") from None


def convert_grey(image: Image.Image, path: Path) -> np.ndarray:
    """Convert an open picture to its grey values; see `read_grey_image`."""
    if image.mode in WIDE_MODES:
        values = np.asarray(image)
        if values.size and not 0 <= values.min() <= values.max() <= 65535:
            raise FormatError(f"{path}: its values leave 0–65535; save the map with 8 or 16 bits")
        return values.astype(np.uint16)
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"))
    if image.mode == "LA":
        return np.asarray(image)[..., 0].copy()
    pixels = np.asarray(image.convert("RGB"))
    spread = int((pixels.max(axis=2) - pixels.min(axis=2)).max(initial=0))
    if spread > (TINGE if image.format == "JPEG" else 0):
        raise FormatError(f"{path}: an activation map must be grey, and this is in colours, as a heat map is; save the "
                          "numbers themselves")
    return pixels[..., 0].copy() if image.format != "JPEG" else np.asarray(image.convert("L"))
