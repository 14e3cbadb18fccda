"""Small pictures for a contact sheet: a photograph with the truth, a map, a mask or the errors over it."""

import io

import numpy as np
from PIL import Image

from amn_core.constants import IGNORE_INDEX
from app.charts.colour_maps import build_colour_table
from app.charts.styles import build_class_colours
from app.pictures.photos import decide

WIDTH = 260
OPACITY = 0.6
HIT, FALSE_POSITIVE, FALSE_NEGATIVE, CONFUSED = (0, 158, 115), (230, 159, 0), (86, 140, 255), (204, 60, 150)


def choose_size(height: int, width: int) -> tuple[int, int]:
    """Choose the size of a tile (height, width): `WIDTH` across."""
    return max(1, round(height * WIDTH / width)), WIDTH


def shrink(image: np.ndarray, gt: np.ndarray | None, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
    """Shrink a photograph (H, W, 3), and its ground truth (H, W) without mixing classes."""
    shape = size[::-1]
    small = np.asarray(Image.fromarray(image).resize(shape, Image.Resampling.BILINEAR))
    labels = None if gt is None else np.asarray(Image.fromarray(gt).resize(shape, Image.Resampling.NEAREST))
    return small, labels


def paint_truth(image: np.ndarray, gt: np.ndarray, n_classes: int) -> np.ndarray:
    """Paint the ground truth over a photograph; 255 becomes white."""
    colours = np.full((256, 3), 255, np.float32)
    colours[:n_classes] = build_class_colours(n_classes)
    return mix(image, colours[gt], gt > 0)


def paint_map(image: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """Paint the strongest activation (K, H, W) over a photograph."""
    strongest = cam.max(axis=0) if len(cam) else np.zeros(image.shape[:2], np.float32)
    table = build_colour_table("viridis").astype(np.float32).reshape(-1, 3)
    return mix(image, table[np.rint(strongest * 255).astype(np.uint8)], np.ones(strongest.shape, bool))


def paint_mask(image: np.ndarray, cam: np.ndarray, class_ids: np.ndarray, threshold: float, n_classes: int):
    """Paint what is called foreground at a threshold, in the colours of the classes."""
    labels = decide(cam, class_ids, threshold)
    return mix(image, np.array(build_class_colours(n_classes), np.float32)[labels], labels > 0)


def paint_errors(
    image: np.ndarray, cam: np.ndarray, class_ids: np.ndarray, threshold: float, gt: np.ndarray
) -> np.ndarray:
    """Paint what is right and wrong at a threshold, in the colours of the canvas; 255 stays bare."""
    labels = decide(cam, class_ids, threshold)
    is_scored = gt != IGNORE_INDEX
    colours = np.zeros((*gt.shape, 3), np.float32)
    colours[(labels > 0) & (labels == gt)] = HIT
    colours[(labels > 0) & (gt == 0)] = FALSE_POSITIVE
    colours[(labels == 0) & (gt > 0)] = FALSE_NEGATIVE
    colours[(labels > 0) & (gt > 0) & (labels != gt)] = CONFUSED
    return mix(image, colours, is_scored & ((labels > 0) | (gt > 0)))


def mix(image: np.ndarray, colours: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Lay colours (H, W, 3) over a photograph where they count (H, W)."""
    mixed = image * (1 - OPACITY) + colours * OPACITY
    return np.where(where[..., None], mixed, image).astype(np.uint8)


def encode_tile(tile: np.ndarray) -> bytes:
    """Encode a tile for the page."""
    Image.fromarray(tile).save(buffer := io.BytesIO(), "WEBP", quality=82)
    return buffer.getvalue()
