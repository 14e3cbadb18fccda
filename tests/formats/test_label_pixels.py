"""Label images of every mode are read as their writer meant them, each held to a naive reading pixel by pixel."""

import io

import numpy as np
import pytest
from PIL import Image

from amn_core.constants import VOC_PALETTE
from amn_core.formats.errors import FormatError
from amn_core.formats.label_pixels import decode_labels


def draw_labels(classes: tuple[int, ...] = (0, 15, 12, 255), seed: int = 0) -> np.ndarray:
    """Draw labels (9, 14) in which every class has a pixel."""
    labels = np.random.default_rng(seed).choice(classes, (9, 14)).astype(np.uint8)
    labels.flat[:len(classes)] = classes
    return labels


def paint(labels: np.ndarray) -> Image.Image:
    """Paint labels with VOC's palette."""
    image = Image.fromarray(labels)
    image.putpalette(VOC_PALETTE.tobytes())
    return image


def reopen(image: Image.Image, n_classes: int = 21, **options: object) -> np.ndarray:
    """Save an image as PNG and decode what is read back."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    with Image.open(buffer) as opened:
        return decode_labels(opened, n_classes)


def find_naively(image: Image.Image) -> np.ndarray:
    """Compare each pixel's colour with VOC's colours one by one."""
    pixels = np.asarray(image.convert("RGB"))
    labels = np.zeros(pixels.shape[:2], np.uint8)
    for place in np.ndindex(labels.shape):
        labels[place] = next(i for i, colour in enumerate(VOC_PALETTE) if (colour == pixels[place]).all())
    return labels


def keep_used(image: Image.Image) -> Image.Image:
    """Drop unused entries of the palette, as optimisers do."""
    pixels = np.asarray(image)
    used = np.unique(pixels)
    small = Image.fromarray(np.searchsorted(used, pixels).astype(np.uint8))
    small.putpalette(VOC_PALETTE[used].tobytes())
    return small


def turn_round(image: Image.Image) -> Image.Image:
    """Put the entries of the palette in the opposite order."""
    turned = Image.fromarray(255 - np.asarray(image))
    turned.putpalette(VOC_PALETTE[::-1].tobytes())
    return turned


RESAVED = {
    "as written": lambda image: image, "unused dropped": keep_used, "reordered": turn_round,
    "median cut": lambda image: image.convert("RGB").quantize(16, method=0),
    "octree": lambda image: image.convert("RGB").quantize(256, method=2),
    "adaptive": lambda image: image.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE),
    "rgb": lambda image: image.convert("RGB"), "rgba": lambda image: image.convert("RGBA"),
}


@pytest.mark.parametrize("how", RESAVED)
@pytest.mark.parametrize("classes", [(0, 15, 12, 255), (15,), (0, 20), (0, 1, 2, 3), (7, 255)])
def test_colours_of_voc_are_the_classes_however_the_palette_was_saved(how, classes):
    labels = draw_labels(classes)
    image = RESAVED[how](paint(labels))
    np.testing.assert_array_equal(reopen(image), labels)
    np.testing.assert_array_equal(find_naively(image), labels)


def test_white_stands_for_ignored_beside_colours_of_voc():
    labels = draw_labels((0, 1, 2))
    image = Image.fromarray(labels)
    image.putpalette(bytes([0, 0, 0, *VOC_PALETTE[15].tolist(), 255, 255, 255]))
    np.testing.assert_array_equal(reopen(image), np.array([0, 15, 255], np.uint8)[labels])


@pytest.mark.parametrize("colours", [
    [(0, 0, 0), (255, 0, 0), (0, 255, 0), (9, 9, 9), (0, 0, 255)],  # not VOC's: as in real folders with 1, 2 and 4
    [(0, 0, 0)] * 5,  # a palette that was lost
    [(0, 0, 0), (128, 0, 0), (255, 0, 0), (9, 9, 9), (0, 0, 255)],  # one of VOC's by chance
    [(i, i, i) for i in range(5)],
])
def test_palette_that_is_not_vocs_stays_indices(colours):
    labels = draw_labels((0, 1, 2, 4))
    image = Image.fromarray(labels)
    image.putpalette(bytes(np.array(colours, np.uint8).ravel()))
    np.testing.assert_array_equal(reopen(image), labels)


def test_vocs_palette_without_a_colour_for_ignored_stays_indices():
    labels = draw_labels((0, 3, 255))
    image = Image.fromarray(labels)
    palette = VOC_PALETTE.copy()
    palette[21:] = 0
    image.putpalette(palette.tobytes())
    np.testing.assert_array_equal(reopen(image), labels)


def test_colours_beyond_the_class_list_stay_indices_and_a_conflict_is_refused():
    image = Image.fromarray(draw_labels((0, 1)))
    image.putpalette(bytes([0, 0, 0, *VOC_PALETTE[2].tolist()]))
    np.testing.assert_array_equal(reopen(image, n_classes=2), draw_labels((0, 1)))
    with pytest.raises(FormatError, match=r"classes \[0, 2\], but its indices are \[0, 1\]"):
        reopen(image, n_classes=3)
    np.testing.assert_array_equal(reopen(image, n_classes=21), draw_labels((0, 2)))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "I;16 spread", "1"])
def test_grey_of_every_mode_is_the_value(mode):
    labels = draw_labels((0, 1) if mode == "1" else (0, 15, 12, 255))
    grey = Image.fromarray(labels)
    if mode.startswith("I;16"):
        image = Image.fromarray(labels.astype(np.uint16) * (257 if "spread" in mode else 1))
    elif mode == "1":
        image = Image.fromarray(labels.astype(bool))
    else:
        image = grey.convert(mode)
    np.testing.assert_array_equal(reopen(image), labels)


def test_palette_of_few_bits_is_read_and_grey_of_few_bits_is_refused():
    np.testing.assert_array_equal(reopen(paint(draw_labels((0, 15, 12))), bits=4), draw_labels((0, 15, 12)))
    content = build_png_of_four_bits()
    with Image.open(io.BytesIO(content)) as image, pytest.raises(FormatError, match="grey of 4 bits"):
        decode_labels(image, 21)


def build_png_of_four_bits() -> bytes:
    """Build a greyscale PNG of 2×1 pixels with 4 bits each, the values 0 and 15."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\x00\x0f"))
            + chunk(b"IEND", b""))


def test_what_is_no_label_is_named():
    with pytest.raises(FormatError, match=r"\[7, 8, 9\] is no class of VOC"):
        reopen(Image.new("RGB", (2, 2), (7, 8, 9)))
    with pytest.raises(FormatError, match="the value 300, and labels are 0–255"):
        reopen(Image.fromarray(np.full((2, 2), 300, np.uint16)))
