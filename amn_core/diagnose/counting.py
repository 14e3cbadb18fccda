"""Pixels to counts, shared by all readings that do not differ in pixels; 255 is a ground truth of its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from amn_core.constants import DEFAULT_THRESHOLDS, IGNORE_INDEX
from amn_core.data import DataError
from amn_core.diagnose.readings import EXPONENTS, PixelReading
from amn_core.diagnose.sources import Assigned, Source, assign_planes
from amn_core.formats.recognise import Recognised, normalise_maps
from amn_core.formats.resizing import resize_maps
from amn_core.sweep import Counts, count_image
from amn_core.sweep.backgrounds import build_exponent_thresholds

NO_CUT = np.array([0.5])
EXPONENT_THRESHOLDS = build_exponent_thresholds(EXPONENTS)
# Thresholds by the family of a `PixelReading`; where nothing is cut, one stands for all.
THRESHOLDS = {"constant": DEFAULT_THRESHOLDS, "argmax": NO_CUT, "exponent": EXPONENT_THRESHOLDS, "masks": NO_CUT}
EPSILON = 1e-5
NO_CLASS = -1000


@dataclass(frozen=True)
class Counting:
    """The pixels of some images under one reading of pixels.

    Attributes:
        ids: (N,) images that were counted. image: (R,) index into them.
        gt: (R,) ground truth; the number of classes stands for 255.
        value: (R,) what the strongest plane is called in the file, or the label of a mask; `NO_CLASS` where
            there is no class.
        bins: (R, T+1) pixels by the number of thresholds below the strongest value.
    """

    ids: tuple[str, ...]
    image: np.ndarray
    gt: np.ndarray
    value: np.ndarray
    bins: np.ndarray

    def select(self, ids: Iterable[str]) -> "Counting":
        """Keep the rows of some images."""
        wanted = set(ids)
        is_kept = np.array([image_id in wanted for image_id in self.ids], dtype=bool)
        rows = is_kept[self.image] if len(self.ids) else np.zeros(0, dtype=bool)
        places = np.cumsum(is_kept) - 1
        kept = tuple(image_id for image_id in self.ids if image_id in wanted)
        return Counting(kept, places[self.image[rows]], self.gt[rows], self.value[rows], self.bins[rows])


def merge(parts: Sequence[Counting]) -> Counting:
    """Merge countings of different images into one."""
    offsets = np.cumsum([0, *(len(part.ids) for part in parts)])
    return Counting(
        tuple(image_id for part in parts for image_id in part.ids),
        np.concatenate([part.image + offset for part, offset in zip(parts, offsets[:-1], strict=True)]),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("gt", "value", "bins")))


def convert_counts(counts: Counts, is_masks: bool) -> Counting:
    """Take the counts of a run as a counting; classes are numbered as they are, and 255 is left out of them."""
    value = np.where(counts.decision_class == 0, NO_CLASS, counts.decision_class.astype(np.int64))
    bins = counts.decision_bins
    if is_masks:  # above every threshold, or above none
        bins = np.stack([bins[:, :-1].sum(axis=1), bins[:, -1]], axis=1)
    return Counting(counts.image_ids, counts.decision_image.astype(np.int64), counts.decision_gt.astype(np.int64),
                    np.where(value == NO_CLASS, 0, value) if is_masks else value, bins)


def count_some(
    source: Source, known: Recognised | None, readings: Sequence[PixelReading], ids: Sequence[str]
) -> dict[PixelReading, Counting]:
    """Count some images under several readings of their pixels; each file is read once.

    Images that cannot be read are left out of all of them.
    """
    rows: dict[PixelReading, list] = {reading: [] for reading in readings}
    done: list[str] = []
    for image_id in ids:
        try:
            found = count_one(source, known, readings, image_id)
        except DataError:  # FormatError is one; said by the findings
            continue
        for reading, counted in found.items():
            rows[reading].append(counted)
        done.append(image_id)
    return {reading: build_counting(tuple(done), parts, reading) for reading, parts in rows.items()}


Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def build_counting(ids: tuple[str, ...], parts: Sequence[Rows], reading: PixelReading) -> Counting:
    """Build a counting from the rows of each of its images: ground truth, value and bins."""
    width = len(THRESHOLDS["masks" if reading.numbering else reading.family]) + 1
    empty = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, width), np.uint32))
    image = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    return Counting(ids, image, *(np.concatenate([one, *(part[i] for part in parts)]) for i, one in enumerate(empty)))


def count_one(
    source: Source, known: Recognised | None, readings: Sequence[PixelReading], image_id: str
) -> dict[PixelReading, Rows]:
    """Count one image under several readings of its pixels."""
    names = {reading.ground_truth for reading in readings}
    gts = {name: take_truth(source, image_id, name) for name in names}
    if source.is_masks:
        return count_masks(source, readings, image_id, gts)
    raw, labels, found = source.read(image_id), source.labels(image_id), {}
    n_classes = len(source.class_names)
    for (plane, normalisation), some in group(readings, lambda one: (one.plane, one.normalisation)).items():
        assigned = assign_planes(raw, plane, known, labels, n_classes)
        if assigned is None:
            raise DataError(f"{image_id}: its planes do not fit this reading")
        shown = normalise(assigned, normalisation)
        for (size, name), fitting in group(some, lambda one: (one.size, one.ground_truth)).items():
            cam, ground, gt = fit(shown, size, gts[name])
            for reading in fitting:
                found[reading] = count_planes(cam, shown.keys, ground, gt, reading.family, n_classes)
    return found


def take_truth(source: Source, image_id: str, name: str) -> np.ndarray:
    """Take the ground truth of an image with the number of classes for 255."""
    gt = source.gt(image_id, name)
    if gt is None:
        raise DataError(f"{image_id}: no ground truth in {name}")
    return np.where(gt == IGNORE_INDEX, len(source.class_names), gt).astype(np.uint8)


def group(readings: Iterable[PixelReading], key) -> dict:
    """Group readings by a key, in order."""
    groups: dict = {}
    for reading in readings:
        groups.setdefault(key(reading), []).append(reading)
    return groups


def normalise(assigned: Assigned, normalisation: str) -> Assigned:
    """Normalise the planes of an image, (K, h, w); the plane of background takes part in a softmax alone."""
    planes, ground = assigned.planes, assigned.ground
    if normalisation == "stored" or not len(planes):
        return assigned
    if normalisation == "softmax":
        every = planes if ground is None else np.concatenate([ground[None], planes])
        every = softmax(every.astype(np.float32))
        return Assigned(every[ground is not None:], assigned.keys, None if ground is None else every[0])
    if normalisation in ("max", "range"):
        return Assigned(normalise_maps(planes, {"range": "minmax"}.get(normalisation, "max")), assigned.keys, ground)
    planes = planes.astype(np.float32)
    if normalisation == "image max":
        planes = np.maximum(planes, 0)
        return Assigned(planes / (planes.max() + np.float32(EPSILON)), assigned.keys, ground)
    low, span = planes.min(), planes.max() - planes.min()
    return Assigned((planes - low) / (span or np.float32(1)), assigned.keys, ground)


def softmax(planes: np.ndarray) -> np.ndarray:
    """Take the softmax over planes (P, h, w) float32."""
    raised = np.exp(planes - planes.max(axis=0))
    return raised / raised.sum(axis=0)


def fit(shown: Assigned, size: str, gt: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Bring maps and ground truth to one size: cam (K, H, W), the plane of background, and ground truth (H, W)."""
    planes, ground = shown.planes, shown.ground
    if planes.shape[1:] == gt.shape:
        return planes, ground, gt
    if size == "reduced":
        return planes, ground, pick_nearest(gt[None], planes.shape[1:])[0]
    stacked = planes if ground is None else np.concatenate([planes, ground[None].astype(planes.dtype)])
    if not stacked.size:
        stacked = np.zeros((len(stacked), *gt.shape), np.float32)
    elif size == "nearest":
        stacked = pick_nearest(stacked, gt.shape)
    else:
        stacked = resize_maps(np.ascontiguousarray(stacked, dtype=np.float32), *gt.shape)
    return (stacked, None, gt) if ground is None else (stacked[:-1], stacked[-1], gt)


def pick_nearest(planes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize planes (K, h, w) to (K, H, W), each pixel the one whose cell holds its centre."""
    rows, columns = (np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1)
                     for new, old in zip(size, planes.shape[1:], strict=True))
    return planes[:, rows[:, None], columns]


def count_planes(
    cam: np.ndarray, keys: np.ndarray, ground: np.ndarray | None, gt: np.ndarray, family: str, n_classes: int
) -> Rows:
    """Count maps of one size with the ground truth, in the family of a `PixelReading`."""
    thresholds = THRESHOLDS[family]
    if family == "argmax" and len(cam):  # the strongest class is left where it beats the background, and above 0.5
        cam = np.where(cam > ground, 1 + cam - cam.min(), 0)
    if family != "constant":
        cam = cam.astype(np.float32)
    counted = count_image(
        cam, np.arange(1, len(cam) + 1), gt, thresholds, n_classes=max(n_classes + 1, len(cam) + 1))
    names = np.concatenate([[NO_CLASS], keys]).astype(np.int64)
    return (counted.decision_gt.astype(np.int64), names[counted.decision_class],
            counted.decision_bins.astype(np.uint32))


def count_masks(
    source: Source, readings: Sequence[PixelReading], image_id: str, gts: dict[str, np.ndarray]
) -> dict[PixelReading, Rows]:
    """Count a finished mask with the ground truth under several readings."""
    labels = {number: source.read_mask(image_id, number) for number in {one.numbering for one in readings}}
    return {one: count_labels(*fit_labels(labels[one.numbering], gts[one.ground_truth], one.size)) for one in readings}


def fit_labels(labels: np.ndarray, gt: np.ndarray, size: str) -> tuple[np.ndarray, np.ndarray]:
    """Bring a mask and its ground truth to one size; ``bilinear`` mixes labels as a careless resize does."""
    if labels.shape == gt.shape:
        return labels, gt
    if size == "reduced":
        return labels, pick_nearest(gt[None], labels.shape)[0]
    if size == "nearest":
        return pick_nearest(labels[None], gt.shape)[0], gt
    image = Image.fromarray(labels).resize(gt.shape[::-1], Image.Resampling.BILINEAR)
    return np.asarray(image), gt


def count_labels(labels: np.ndarray, gt: np.ndarray) -> Rows:
    """Count a mask of the size of its ground truth; every pixel lies above the one threshold."""
    pixels = np.bincount((gt.astype(np.int64) * 256 + labels).ravel(), minlength=256 * 256)
    keys = np.flatnonzero(pixels)
    bins = np.zeros((len(keys), 2), np.uint32)
    bins[:, 1] = pixels[keys]
    return keys // 256, keys % 256, bins
