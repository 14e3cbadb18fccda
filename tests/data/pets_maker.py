"""A small Oxford-IIIT Pet root in its own layout, drawn by the tests."""

from pathlib import Path

import numpy as np
from PIL import Image

# id -> class, species, breed within the species
PETS = {"Abyssinian_1": (1, 1, 1), "beagle_12": (5, 2, 4), "Egyptian_Mau_7": (12, 1, 6), "pug_3": (26, 2, 18)}
TRAINVAL = ("Abyssinian_1", "beagle_12", "pug_3")


def make_pets(root: Path, size: int = 40) -> Path:
    """Make a root of four pets, three of them in ``trainval``: discs of one colour on noise, with a border."""
    for folder in ("images", "annotations/trimaps"):
        (root / folder).mkdir(parents=True)
    draw = np.random.default_rng(0)
    for number, image_id in enumerate(PETS):
        shape = (size + number, size + 10)
        trimap = draw_trimap(shape, number)
        pixels = draw.integers(0, 90, (*shape, 3), dtype=np.uint8)
        pixels[trimap == 1] = (200, 60 * number, 80) if PETS[image_id][1] == 1 else (40, 60 * number, 220)
        Image.fromarray(pixels).save(root / "images" / f"{image_id}.jpg", quality=95)
        Image.fromarray(trimap).save(root / "annotations" / "trimaps" / f"{image_id}.png")
    write_list(root, "list", tuple(PETS), "#Image CLASS-ID SPECIES BREED ID\n#ID: 1:37 Class ids\n")
    write_list(root, "trainval", TRAINVAL)
    write_list(root, "test", tuple(i for i in PETS if i not in TRAINVAL))
    return root


def draw_trimap(shape: tuple[int, int], number: int) -> np.ndarray:
    """Draw a disc (1) on the ground (2) with a border (3)."""
    y, x = np.indices(shape)
    distance = np.hypot(y - shape[0] / 2, x - shape[1] / 2 + number)
    return np.where(distance < 10, 1, np.where(distance < 12, 3, 2)).astype(np.uint8)


def write_list(root: Path, name: str, ids: tuple[str, ...], head: str = "") -> None:
    """Write a list as the data set does: the id, its class, its species and its breed."""
    lines = "".join(f"{i} {' '.join(map(str, PETS[i]))}\n" for i in ids)
    (root / "annotations" / f"{name}.txt").write_text(head + lines)
