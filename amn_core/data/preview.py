"""A contact sheet of any data set: images, their masks in colours beside them, and the names of their classes."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from amn_core.constants import VOC_PALETTE
from amn_core.data.base import Dataset
from amn_core.formats.errors import DataError

CELL = 160
GAP = 12
TEXT = 16
BACK, INK, BROKEN = "#FBFAF7", "#3A3640", "#B3261E"


def draw_contact_sheet(dataset: Dataset, n: int) -> Image.Image:
    """Show images spread over a data set, each with its mask beside it and the names of its classes below.

    A mask is in the colours of VOC's label images; without one its place stays empty. What cannot be read is said
    in its place.

    Raises:
        DataError: not one image asked for.
    """
    if hasattr(dataset, "scene"):
        from amn_core.data.scenes.dataset import build_contact_sheet

        return build_contact_sheet(dataset, n)
    if n < 1 or not dataset.ids:
        raise DataError(f"a contact sheet of {n} images: ask for at least one")
    places = np.unique(np.linspace(0, len(dataset.ids) - 1, min(n, len(dataset.ids))).astype(int))
    columns = max(1, min(4, round((len(places) / 2) ** 0.5)))
    width, height = 2 * CELL + 2 * GAP, CELL + TEXT + GAP
    sheet = Image.new("RGB", (columns * width + GAP, -(-len(places) // columns) * height + GAP), BACK)
    for k, place in enumerate(places.tolist()):
        x, y = GAP + k % columns * width, GAP + k // columns * height
        draw_pair(sheet, dataset, dataset.ids[place], x, y)
    return sheet


def draw_pair(sheet: Image.Image, dataset: Dataset, image_id: str, x: int, y: int) -> None:
    """Draw an image, its mask, and what they are called, at a place of the sheet."""
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    try:
        shown = [fit(dataset.image(image_id), Image.Resampling.BILINEAR)]
        gt = dataset.gt(image_id)
        if gt is not None:
            shown.append(fit(VOC_PALETTE[gt], Image.Resampling.NEAREST))
        for number, picture in enumerate(shown):  # at the bottom of their cells, above what they are called
            sheet.paste(picture, (x + number * (CELL + GAP // 2), y + CELL - picture.height))
        names = ", ".join(dataset.class_names[c] for c in dataset.class_ids(image_id))
        text, ink = f"{image_id[-16:]}  {names}", INK
    except DataError as error:
        text, ink = str(error).rpartition("/")[2], BROKEN
    while text and draw.textlength(text, font=font) > 2 * CELL + GAP // 2:
        text = f"{text[:-2]}…"
    draw.text((x, y + CELL + 2), text, fill=ink, font=font)


def fit(pixels: np.ndarray, how: Image.Resampling) -> Image.Image:
    """Fit an image (H, W, 3) uint8 into a cell."""
    scale = CELL / max(pixels.shape[:2])
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return Image.fromarray(pixels).resize(size, how)
