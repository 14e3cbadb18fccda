"""Small sets of images with maps and ground truth, drawn from a seed, written as VOC's or a folder's."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from amn_core.constants import COCO_CLASSES, IGNORE_INDEX, VOC_CLASSES
from amn_core.formats.numbering import LUMINANCE

N_TRAIN, N_MORE = 24, 10
RIM = 2  # width of the pixels that are left out around an object
DRAWN_CLASSES = 14  # fewer than there are, so that averaging rules differ


@dataclass
class Drawn:
    """One image: right maps (K, h, w) float32 in [0, 1] with a maximum of 1 each, classes, and ground truth."""

    cam: np.ndarray
    class_ids: np.ndarray
    gt: np.ndarray
    other_gt: np.ndarray
    ground: np.ndarray


@dataclass
class DrawnSet:
    """A set: images by id, and the ids of the two lists, of which the shorter is part of the longer."""

    images: dict[str, Drawn] = field(repr=False)
    lists: dict[str, tuple[str, ...]]
    class_names: tuple[str, ...]


def draw_set(
    rng: np.random.Generator, is_coco: bool = False, stride: int = 1, least: int = 1, is_grey: bool = False
) -> DrawnSet:
    """Draw a set.

    Args:
        is_coco: 80 classes in place of 20. stride: of the maps. least: fewest classes in an image.
        is_grey: classes whose colours differ in luminance, too.
    """
    names = COCO_CLASSES if is_coco else VOC_CLASSES
    allowed = np.arange(1, len(names))
    if is_grey:
        allowed = allowed[np.unique(LUMINANCE[allowed], return_index=True)[1]]
    classes = rng.choice(allowed, DRAWN_CLASSES, replace=False)
    ids = [f"2007_{i:06d}" for i in range(N_TRAIN + N_MORE)]
    hardness = rng.uniform(0.25, 0.55)
    images = {image_id: draw_image(rng, classes, stride, least, hardness) for image_id in ids}
    return DrawnSet(images, {"train": tuple(ids[:N_TRAIN]), "trainval": tuple(ids)}, names)


def draw_image(rng: np.random.Generator, classes: np.ndarray, stride: int, least: int, hardness: float) -> Drawn:
    """Draw one image of ellipses, whose maps are smooth, weaker at the objects' rims, and noisy."""
    size = int(rng.integers(8, 11)) * 4, int(rng.integers(11, 15)) * 4
    own = np.sort(rng.choice(classes, int(rng.integers(least, 4)), replace=False)).astype(np.int64)
    objects = [draw_object(rng, size, i, len(own)) for i in range(len(own))]
    shapes, field_of = zip(*objects, strict=True)
    labels = np.zeros(size, np.uint8)
    for class_id, shape in zip(own, shapes, strict=True):
        labels[shape] = class_id
    gt, other = leave_rims_out(labels, RIM), leave_rims_out(np.roll(labels, 1, axis=1), RIM + 1)
    maps = [draw_map(rng, distance, size, hardness) for distance in field_of]
    cam = np.stack([one[stride // 2 :: stride, stride // 2 :: stride] for one in maps]).astype(np.float32)
    cam /= cam.max(axis=(1, 2), keepdims=True)
    noise = smooth(rng, cam.shape[1:], 3)
    ground = np.clip(0.75 - cam.max(axis=0) + 0.15 * noise, 0, 1).astype(np.float32)
    return Drawn(cam, own, gt, other, ground)


def draw_object(rng: np.random.Generator, size: tuple[int, int], i: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw an ellipse in its share of the width: where it is, and each pixel's distance, 1 at its rim."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    centre = size[0] * rng.uniform(0.4, 0.6), size[1] * (i + rng.uniform(0.4, 0.6)) / n
    radii = size[0] * rng.uniform(0.18, 0.4), size[1] / n * rng.uniform(0.25, 0.48)
    distance = np.hypot((rows - centre[0]) / radii[0], (columns - centre[1]) / radii[1])
    return distance < 1, distance


def draw_map(rng: np.random.Generator, distance: np.ndarray, size: tuple[int, int], hardness: float) -> np.ndarray:
    """Draw a map that falls with the distance from an object's centre, with smooth noise, from 0."""
    fall = 1 / (1 + np.exp((distance - rng.uniform(0.6, 1.1)) * rng.uniform(3, 7)))
    cam = fall * (1 - hardness * smooth(rng, size, 6)) + hardness * 0.6 * smooth(rng, size, 8)
    return np.clip(cam - rng.uniform(0, 0.1), 0, None)


def smooth(rng: np.random.Generator, size: tuple[int, int], cells: int) -> np.ndarray:
    """Draw smooth noise in [0, 1] of a size, from a grid of so many cells."""
    coarse = Image.fromarray(rng.random((cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC)).clip(0, 1)


def leave_rims_out(labels: np.ndarray, rim: int) -> np.ndarray:
    """Set the pixels near a border between labels to 255."""
    is_rim = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        for shift in range(-rim // 2, rim // 2 + 1):
            is_rim |= np.roll(labels, shift, axis) != labels
    return np.where(is_rim, IGNORE_INDEX, labels).astype(np.uint8)


def write_set(drawn: DrawnSet, root: Path) -> str:
    """Write images, ground truth, lists and labels; returns the spec."""
    return write_folder(drawn, root) if drawn.class_names == COCO_CLASSES else write_voc(drawn, root)


def write_voc(drawn: DrawnSet, root: Path) -> str:
    """Write a set in VOC's layout, with both folders of ground truth."""
    for name in ("JPEGImages", "SegmentationClassAug", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for image_id, one in drawn.images.items():
        Image.new("RGB", one.gt.shape[::-1]).save(root / "JPEGImages" / f"{image_id}.jpg")
        Image.fromarray(one.gt).save(root / "SegmentationClassAug" / f"{image_id}.png")
        Image.fromarray(one.other_gt).save(root / "SegmentationClass" / f"{image_id}.png")
    for name, ids in drawn.lists.items():
        (root / "ImageSets" / "Segmentation" / f"{name}.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")
    n = len(drawn.class_names) - 1
    table = {i: np.isin(np.arange(1, n + 1), one.class_ids).astype(np.float32) for i, one in drawn.images.items()}
    np.save(root / "cls_labels.npy", table, allow_pickle=True)
    return f"voc:{root}"


def write_folder(drawn: DrawnSet, root: Path) -> str:
    """Write a set as a folder of one's own, with classes of its own names."""
    for name in ("images", "masks", "splits"):
        (root / name).mkdir(parents=True, exist_ok=True)
    lines = ["image,labels"]
    for image_id, one in drawn.images.items():
        Image.new("RGB", one.gt.shape[::-1]).save(root / "images" / f"{image_id}.png")
        Image.fromarray(one.gt).save(root / "masks" / f"{image_id}.png")
        lines.append(f"{image_id},{';'.join(drawn.class_names[c] for c in one.class_ids)}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (root / "classes.txt").write_text("\n".join(drawn.class_names[1:]) + "\n", encoding="utf-8")
    for name, ids in drawn.lists.items():
        (root / "splits" / f"{name}.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")
    return f"folder:{root}"
