"""A small COCO root in COCO's own format, and a slow way to draw its masks."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from amn_core.constants import COCO_CATEGORY_IDS, COCO_CLASSES

SIZE = (24, 32)
CATEGORIES = [{"id": c, "name": COCO_CLASSES[i], "supercategory": "x"} for i, c in enumerate(COCO_CATEGORY_IDS, 1)]


def box(x0: int, y0: int, x1: int, y1: int) -> list[int]:
    """Outline the pixels x0…x1-1, y0…y1-1 as a polygon."""
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def runs(mask: np.ndarray) -> dict:
    """Encode a mask as plain runs, column by column, zeros first."""
    counts, value = [0], 0
    for pixel in mask.T.reshape(-1).tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return {"size": list(mask.shape), "counts": counts}


def fill(x0: int, y0: int, x1: int, y1: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Fill a rectangle, (H, W) of 0 and 1."""
    mask = np.zeros(size, np.uint8)
    mask[y0:y1, x0:x1] = 1
    return mask


def build_objects() -> list[dict]:
    """Describe the objects: image 9 has overlaps, 25 a crowd and runs, 30 only a crowd, 34 nothing."""
    crowd = fill(0, 0, 20, 20)
    described = [
        (9, 1, [box(2, 2, 12, 20)], 0, 180),  # a person
        (25, 90, [box(1, 1, 5, 5), box(20, 10, 30, 20)], 0, 116),  # a toothbrush in two parts
        (9, 18, [box(8, 4, 16, 10)], 0, 48),  # a dog before the person, smaller
        (9, 44, [box(10, 6, 18, 12)], 0, 48),  # a bottle as large as the dog, listed after it
        (25, 1, runs(crowd), 1, 400),
        (25, 13, runs(fill(4, 3, 9, 9)), 0, 30),  # a stop sign in runs
        (30, 62, runs(fill(3, 3, 8, 8)), 1, 25),
    ]
    return [{"id": 100 + i, "image_id": n, "category_id": c, "segmentation": s, "iscrowd": crowd, "area": area,
             "bbox": [0, 0, 1, 1]} for i, (n, c, s, crowd, area) in enumerate(described)]


NUMBERS = (9, 25, 30, 34)


def make_coco(root: Path, year: str = "train2014", place: str = "train2014", **changes) -> Path:
    """Make a COCO root; `changes` replace parts of the annotations."""
    folder = root / place
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for number in NUMBERS:
        name = f"COCO_{year}_{number:012d}.jpg"
        pixels = np.random.default_rng(number).integers(0, 255, (*SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
        entries.append({"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1], "license": 1})
    content = {"info": {"year": 2014, "url": "é"}, "images": entries, "licenses": [], "annotations": build_objects(),
               "categories": CATEGORIES} | changes
    path = root / "annotations" / f"instances_{year}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return root


def draw_slowly(objects: list[dict], number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Draw a mask pixel by pixel: of the objects that cover its centre, the smallest, no crowd if there is another."""
    mask = np.zeros(size, np.uint8)
    own = [(item["iscrowd"], item["area"], i, item) for i, item in enumerate(objects) if item["image_id"] == number]
    for y in range(size[0]):
        for x in range(size[1]):
            over = [key for key in own if covers(key[3]["segmentation"], x, y, size)]
            if over:
                mask[y, x] = COCO_CATEGORY_IDS.index(min(over, key=lambda key: key[:3])[3]["category_id"]) + 1
    return mask


def covers(shape, x: int, y: int, size: tuple[int, int]) -> bool:
    """Tell whether an outline covers the centre of a pixel."""
    if isinstance(shape, dict):
        at, value, passed = x * size[0] + y, 0, 0
        for count in shape["counts"]:
            passed += count
            if at < passed:
                return bool(value)
            value = 1 - value
        return False
    return any(is_inside(polygon, x + 0.5, y + 0.5) for polygon in shape)


def is_inside(polygon: list[float], x: float, y: float) -> bool:
    """Tell whether a point is inside a polygon, by the edges to its left."""
    points = list(zip(polygon[::2], polygon[1::2], strict=True))
    crossings = 0
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if (y0 > y) != (y1 > y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) < x:
            crossings += 1
    return crossings % 2 == 1
