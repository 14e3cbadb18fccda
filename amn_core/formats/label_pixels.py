"""The pixels of a label image, of whatever mode, to labels: indices, palettes and colours.

Image tools save palettes again: they drop entries, or put them in another order. So where the colours that an image
uses are those of VOC, the colour is the class; where they are not, the index is (ours).

================= ============================================================================================
pixels            read as
================= ============================================================================================
palette           by VOC's colours if all that are used are VOC's (white is 255 too) and differ, else by index
grey, 8 bits      the value; so is black and white of one bit (0 and 1)
grey, 16 bits     the value, or value / 257 where all are multiples of 257 and some exceed 255
RGB               by VOC's colours, or the value where all pixels are grey
alpha             left out: the colour decides
================= ============================================================================================
"""

import numpy as np
from PIL import Image

from amn_core.constants import COCO_CLASSES, IGNORE_INDEX, VOC_CLASSES, VOC_PALETTE
from amn_core.formats.errors import FormatError

WHITE = 0xFFFFFF
SPREAD = 257  # 8 bits in 16: 255 becomes 65535
# Lists of classes whose masks are known to be painted in VOC's colours; 256 stands for any label.
PAINTED = (len(VOC_CLASSES), len(COCO_CLASSES), 256)
WIDE_MODES = ("I;16", "I;16B", "I;16L", "I")


def pack_colours(colours: np.ndarray) -> np.ndarray:
    """Pack colours (…, 3) uint8 into one number each, (…) int32."""
    red, green, blue = np.moveaxis(colours.astype(np.int32), -1, 0)
    return (red << 16) | (green << 8) | blue


LABEL_OF_COLOUR = {int(code): label for label, code in enumerate(pack_colours(VOC_PALETTE))} | {WHITE: IGNORE_INDEX}


def decode_labels(image: Image.Image, n_classes: int = 256) -> np.ndarray:
    """Decode an open label image of any mode.

    Args:
        image: an image of Pillow, not yet loaded (its depth is looked up where the data start).
        n_classes: number of classes with background; a colour of a later class is not taken for VOC's.

    Returns:
        (H, W) uint8: 0 background, class, 255 ignored. Values of `n_classes` or more are left to the caller.

    Raises:
        FormatError: colours that are no classes, values above 255, or grey of 2 or 4 bits, in which a class
            cannot be told from a brightness.
    """
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        return decode_palette(np.asarray(image), palette, n_classes)
    if image.mode in ("L", "1"):
        refuse_few_bits(image)
        return np.array(image, dtype=np.uint8)
    if image.mode in WIDE_MODES:
        return narrow_labels(np.asarray(image))
    if image.mode == "LA":
        return np.asarray(image)[..., 0].copy()
    if image.mode in ("RGB", "RGBA"):
        return decode_colours(np.asarray(image)[..., :3], n_classes)
    raise FormatError(f"a mask must be a palette, grey or RGB image, not {image.mode}; save class indices as 8-bit PNG")


def decode_swapped(image: Image.Image, n_classes: int = 256) -> np.ndarray:
    """Decode an open label image whose colours have red and blue exchanged; see `decode_labels`.

    Raises:
        FormatError: no image in colours, or colours that are no classes.
    """
    if image.mode not in ("P", "RGB", "RGBA"):
        raise FormatError(f"a {image.mode} image has no colours to exchange")
    return decode_colours(np.asarray(image.convert("RGB"))[..., ::-1], n_classes)


def decode_palette(indices: np.ndarray, palette: np.ndarray, n_classes: int) -> np.ndarray:
    """Read an image with a palette by VOC's colours where they are, else by index.

    Args:
        indices: (H, W) uint8. palette: (n, 3) uint8.

    Raises:
        FormatError: colours and indices name different classes of a list that nobody need paint in VOC's colours.
    """
    used = np.flatnonzero(np.bincount(indices.ravel(), minlength=256))
    if used.size and used[-1] >= len(palette):
        return indices.copy()
    labels = np.array([LABEL_OF_COLOUR.get(int(code), -1) for code in pack_colours(palette[used])], dtype=np.int64)
    is_voc = (labels >= 0).all() and len(set(labels.tolist())) == len(labels) and are_classes(labels, n_classes)
    if not is_voc or np.array_equal(labels, used):
        return indices.copy()
    if n_classes not in PAINTED and are_classes(used, n_classes):
        raise FormatError(
            f"its palette's colours are VOC's of the classes {labels.tolist()}, but its indices are {used.tolist()}; "
            "save the class indices as a greyscale PNG")
    table = np.zeros(256, dtype=np.uint8)
    table[used] = labels
    return table[indices]


def are_classes(labels: np.ndarray, n_classes: int) -> bool:
    """Whether all labels are classes below `n_classes`, or 255."""
    return bool(((labels < n_classes) | (labels == IGNORE_INDEX)).all())


def decode_colours(pixels: np.ndarray, n_classes: int = 256) -> np.ndarray:
    """Read an RGB image (H, W, 3) uint8 by VOC's colours, or as the value where every pixel is grey.

    Raises:
        FormatError: a colour that is no class of VOC; names it.
    """
    colours, place = np.unique(pack_colours(pixels), return_inverse=True)
    labels = np.array([LABEL_OF_COLOUR.get(int(code), -1) for code in colours], dtype=np.int64)
    if (labels >= 0).all() and are_classes(labels, n_classes):
        return labels.astype(np.uint8)[place.reshape(pixels.shape[:2])]
    if (pixels == pixels[..., :1]).all():
        return pixels[..., 0].copy()
    is_wrong = (labels < 0) | ((labels >= n_classes) & (labels != IGNORE_INDEX))
    wrong = int(colours[is_wrong][0])
    raise FormatError(
        f"the colour {[wrong >> 16, wrong >> 8 & 255, wrong & 255]} is no class of VOC; save class indices instead of "
        "colours")


def narrow_labels(values: np.ndarray) -> np.ndarray:
    """Narrow labels of 16 bits or more to 8, (H, W) uint8.

    Raises:
        FormatError: values that are neither 0–255 nor multiples of 257.
    """
    values = values.astype(np.int64)
    if values.size and values.max() > IGNORE_INDEX and not (values % SPREAD).any():
        values = values // SPREAD
    if values.size and (values.min() < 0 or values.max() > IGNORE_INDEX):
        raise FormatError(f"it holds the value {int(values.max())}, and labels are 0–255; save class indices")
    return values.astype(np.uint8)


def refuse_few_bits(image: Image.Image) -> None:
    """Refuse grey of 2 or 4 bits, which a PNG stretches to 0–255: 15 may be a class, or white."""
    raw = image.tile[0][3] if image.tile else ""
    if raw in ("L;2", "L;4"):
        raise FormatError(f"grey of {raw[-1]} bits, in which a class cannot be told from a brightness; save it with 8")
