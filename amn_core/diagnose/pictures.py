"""The images that changed most at each step of a path, and pictures of them before and after."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from amn_core.constants import IGNORE_INDEX, VOC_PALETTE
from amn_core.data import DataError
from amn_core.diagnose.counting import fit, fit_labels, normalise
from amn_core.diagnose.diagnosis import Diagnosis
from amn_core.diagnose.readings import Reading, spread
from amn_core.diagnose.scores import Board, number_values
from amn_core.diagnose.search import Step
from amn_core.diagnose.sources import Source, assign_planes
from amn_core.formats.recognise import Recognised

LOOKED_AT = 200  # images that are compared at each step
SHOWN = 3
WIDTH = 240  # pixels of a picture
MIXED = 0.6  # share of the mask in a picture


@dataclass(frozen=True)
class Changed:
    """An image that a step changed: its id, and the points of its own mIoU."""

    image_id: str
    points: float


def find_changed(found: Diagnosis, before: Reading, after: Reading) -> list[Changed]:
    """Find the images whose own mIoU a step changes most, of those on both lists; none where no pixel is changed."""
    board = found.board
    ids = [i for i in board.lists[after.images] if i in set(board.lists[before.images])]
    cut_before, cut_after = (resolve_cut(board, one) for one in (before, after))
    changed = []
    for image_id in spread(ids, LOOKED_AT):
        own = Board(board.countings, dict.fromkeys(board.lists, (image_id,)), board.n_classes, board.classes,
                    board.is_masks)
        if own.has(before) and own.has(after):
            points = own.score(cut_after)[0] - own.score(cut_before)[0]
            changed.append(Changed(image_id, float(100 * points)))
    changed = [one for one in changed if abs(one.points) > 0]
    return sorted(changed, key=lambda one: -abs(one.points))[:SHOWN]


def resolve_cut(board: Board, reading: Reading) -> Reading:
    """Give a reading the threshold at which the whole list is cut, in place of the peak."""
    if not reading.has_cut:
        return reading
    return reading.change("cut", float(board.thresholds(reading)[board.find_cut(reading)]))


def draw_labels(source: Source, known: Recognised | None, reading: Reading, image_id: str) -> np.ndarray:
    """Draw what a reading with a threshold calls each pixel, (H, W) uint8; 255 for what is no class."""
    gt, n_classes = source.gt(image_id, reading.ground_truth), len(source.class_names)
    if source.is_masks:
        labels = fit_labels(source.read_mask(image_id, reading.numbering), gt, reading.size)[0]
        return np.where(labels < n_classes, labels, IGNORE_INDEX).astype(np.uint8)
    assigned = assign_planes(source.read(image_id), reading.plane, known, source.labels(image_id), n_classes)
    if assigned is None:
        raise DataError(f"{image_id}: its planes do not fit this reading")
    shown = normalise(assigned, reading.normalisation)
    cam, ground, gt = fit(shown, reading.size, gt)
    if not len(cam):
        return np.zeros(gt.shape, np.uint8)
    columns = number_values(shown.keys, reading.numbering, n_classes, False)
    names = np.where(columns < n_classes, columns, IGNORE_INDEX)
    return np.where(find_foreground(cam, ground, reading), names[cam.argmax(axis=0)], 0).astype(np.uint8)


def find_foreground(cam: np.ndarray, ground: np.ndarray | None, reading: Reading) -> np.ndarray:
    """Find where the strongest of the maps (K, H, W) beats the background of a reading."""
    best = cam.max(axis=0)
    if reading.rule == "nothing":
        return np.ones(best.shape, bool)
    if reading.rule == "argmax":
        return best > ground
    if reading.rule == "constant":
        return best > np.asarray(reading.cut, cam.dtype)
    return best > np.power(1 - best, float(reading.rule.split()[1]))


def save_pictures(found: Diagnosis, folder: Path) -> list[list[dict[str, object]]]:
    """Save pictures of the images that changed most at each step of the path.

    Returns:
        For each step up to three of ``image``, ``points``, and the file names ``before``, ``after`` and ``truth``.
    """
    if found.path is None or found.source.counts is not None:
        return [[] for _ in found.path or []]
    folder.mkdir(parents=True, exist_ok=True)
    shown, before = [], found.base
    for i, step in enumerate(found.path):
        shown.append(save_step(found, folder, i, before, step))
        before = step.reading
    return shown


def save_step(found: Diagnosis, folder: Path, i: int, before: Reading, step: Step) -> list[dict[str, object]]:
    """Save the pictures of one step; images that cannot be drawn are left out."""
    rows = []
    for j, changed in enumerate(find_changed(found, before, step.reading)):
        readings = {"before": resolve_cut(found.board, before), "after": resolve_cut(found.board, step.reading)}
        try:
            masks = {name: draw_labels(found.source, found.allowed.known, reading, changed.image_id)
                     for name, reading in readings.items()}
            masks["truth"] = found.source.gt(changed.image_id, step.reading.ground_truth)
            image = found.source.home[changed.image_id].image(changed.image_id)
        except DataError:
            continue
        names = {name: f"{i}-{j}-{name}.png" for name in masks}
        for name, mask in masks.items():
            paint(image, mask).save(folder / names[name])
        rows.append({"image": changed.image_id, "points": changed.points, **names})
    return rows


def paint(image: np.ndarray, labels: np.ndarray) -> Image.Image:
    """Paint labels in VOC's colours over a photograph, small."""
    size = WIDTH, max(1, round(WIDTH * image.shape[0] / image.shape[1]))
    photo = np.asarray(Image.fromarray(image).resize(size), np.float32)
    mask = np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))
    share = np.where(mask == 0, 0, MIXED)[..., None]
    return Image.fromarray((photo * (1 - share) + VOC_PALETTE[mask] * share).astype(np.uint8))


def build_import(found: Diagnosis) -> dict[str, str] | str:
    """Build the options of `import` that read the files as the answer does; or say why there are none."""
    if found.path is None or found.source.folder is None:
        return "there is no answer to import by" if found.path is None else "a run is imported already"
    reading = found.found.answers[0].reading
    if found.board.is_masks:
        unsure = {"background": "background", "left out": "ignore"}.get(reading.unsure)
        if unsure is None:
            return "an import takes 255 in masks for background or leaves it out, not for an error"
        return {"kind": "masks", "numbering": reading.numbering, "unsure": unsure, "split": reading.images}
    normalisation = {"stored": "stored", "max": "max", "range": "minmax"}.get(reading.normalisation)
    if normalisation is None or reading.numbering == "-1" or reading.rule == "argmax" or reading.size != "bilinear":
        return "an import cannot read maps so; write them anew as the answer says"
    base = reading.numbering if reading.numbering in ("0", "1", "categories") else "auto"
    ends = {"plane": "first", "key 0": "first", "last": "last", "none": "none", "padded keys": "auto"}
    return {"kind": "maps", "key_base": base, "background": ends[reading.plane], "normalisation": normalisation,
            "split": reading.images}
