"""Photographs of every mode become RGB; what cannot be read is refused in one sentence."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amn_core.data import DataError, load_image, load_label_image
from amn_core.formats import masks as masks_module


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16", "CMYK"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    grey = Image.fromarray(np.full((4, 6), 200, np.uint8))
    if mode == "I;16":
        image = Image.fromarray(np.full((4, 6), 200 * 257, np.uint16))
    elif mode == "1":
        image = grey.point(lambda value: 255).convert("1")
    else:
        image = grey.convert(mode)
    pixels = load_image(encode(image, "TIFF" if mode == "CMYK" else "PNG"))
    assert pixels.shape == (4, 6, 3) and pixels.dtype == np.uint8
    assert (abs(pixels.astype(int) - (255 if mode == "1" else 200)) <= 1).all()


def test_transparent_pixels_are_laid_on_white() -> None:
    assert (load_image(encode(Image.new("RGBA", (3, 2), (10, 20, 30, 0)))) == 255).all()


def test_exif_orientation_turns_the_image_unless_told_not_to() -> None:
    image = Image.fromarray(np.zeros((4, 6, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    content = encode(image, "JPEG", exif=exif)
    assert load_image(content).shape == (6, 4, 3)
    assert load_image(content, upright=False).shape == (4, 6, 3)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", encode(Image.new("RGB", (4, 4)), "EPS"), encode(Image.new("RGB", (4, 4)), "GIF"),
                 b"\x89PNG\r\n\x1a\n", b"<svg/>", encode(Image.new("RGB", (64, 64)))[:60]])
def test_broken_files_are_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^photo: (not an image|broken image)"):
        load_image(content, name="photo")


def test_too_many_pixels_are_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks_module, "MAX_PIXELS", 50)
    with pytest.raises(DataError, match="10×10"):
        load_image(encode(Image.new("RGB", (10, 10))))


def test_masks_must_be_indices_of_known_classes(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(np.array([[0, 3, 255]], np.uint8)).save(path)
    assert load_label_image(path, 4).tolist() == [[0, 3, 255]]
    with pytest.raises(DataError, match="label 3 is outside 0–2"):
        load_label_image(path, 3)
    Image.new("RGB", (3, 1), (1, 2, 3)).save(path)
    with pytest.raises(DataError, match=r"mask\.png: the colour \[1, 2, 3\] is no class"):
        load_label_image(path, 4)
    with pytest.raises(DataError, match="no such mask"):
        load_label_image(tmp_path / "none.png", 4)
