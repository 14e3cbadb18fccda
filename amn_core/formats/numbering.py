"""How masks number their classes, found by trying: each way is held against the labels of the images.

=============== =======================================================================================
``stored``      as written: 0 background, class, 255 ignored
``luminance``   VOC's colours turned to grey: boat is 15, which another would read as person
``bgr``         VOC's colours with red and blue exchanged, as OpenCV writes what it takes for RGB
``minus-one``   classes one too low, background 0 (the first class is lost)
``reduced``     all one too low: background 255, ignored 254 (``reduce_zero_label``)
``plus-one``    classes one too high, background 0
``raised``      all one too high: background 1, ignored 0
``categories``  COCO's original ids, 1–90
``raised-91``   COCO's 80 classes and the background raised by 91
``edges``       interpolated when resized: between 0 and 15 lie 1 to 14. What the image lacks counts as unsure
=============== =======================================================================================
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from amn_core.constants import COCO_CLASSES, IGNORE_INDEX, VOC_PALETTE
from amn_core.formats.coco_labels import INVALID, NOTE, TABLES
from amn_core.formats.errors import FormatError
from amn_core.formats.masks import load_mask, load_swapped_mask

NUMBERINGS = (
    "stored", "luminance", "bgr", "minus-one", "reduced", "plus-one", "raised", "categories", "raised-91", "edges")
WORDS = {
    "stored": "as written", "luminance": "as the luminance of VOC's colours", "bgr": "with red and blue exchanged",
    "minus-one": "as one too low", "reduced": "as one too low, background and all", "plus-one": "as one too high",
    "raised": "as one too high, background and all", "categories": "as COCO's category ids",
    "raised-91": "as raised by 91", "edges": "as edges that were interpolated",
}
COCO_ONLY = ("categories", "raised-91")
OLD_NAMES = {"80": "stored", "91": "categories", "80+91": "raised-91"}
FLAT = 0.2  # up to this share of the strange pixels may lie among others of the same value, if they are edges
LUMINANCE = np.asarray(Image.fromarray(VOC_PALETTE[None]).convert("L"))[0]


def shift(background: int, ignored: int, by: int) -> np.ndarray:
    """Build the table from stored value to label of masks whose classes are moved by some, (256,) int16."""
    table = np.full(256, INVALID, dtype=np.int16)
    labels = np.arange(1, 254)
    values = (labels + by) % 256
    table[values] = labels
    table[ignored], table[background] = IGNORE_INDEX, 0
    return table


SHIFTS = {
    "minus-one": shift(0, 255, -1), "reduced": shift(255, 254, -1), "plus-one": shift(0, 255, 1),
    "raised": shift(1, 0, 1),
    "categories": TABLES["91"], "raised-91": TABLES["80+91"],
}


def renumber(labels: np.ndarray, numbering: str, n_classes: int, present: np.ndarray) -> np.ndarray | None:
    """Turn stored values into labels under one numbering.

    Args:
        labels: (H, W) uint8 as stored.
        present: (K,) classes of the image, which tell two colours of the same luminance apart.

    Returns:
        (H, W) uint8; None if a value has no place in this numbering.
    """
    if numbering in ("stored", "bgr"):
        return labels
    if numbering == "edges":
        return ignore_edges(labels, present)
    table = build_luminance_table(n_classes, present) if numbering == "luminance" else SHIFTS[numbering]
    found = table[labels]
    return None if (found == INVALID).any() else found.astype(np.uint8)


def build_luminance_table(n_classes: int, present: np.ndarray) -> np.ndarray:
    """Build the table from the luminance of a colour of VOC to its label, (256,) int16; -1 for no colour."""
    table = np.full(256, INVALID, dtype=np.int16)
    for label in (*range(n_classes - 1, 0, -1), *np.asarray(present).tolist(), IGNORE_INDEX, 0):
        table[LUMINANCE[label]] = label
    return table


def ignore_edges(labels: np.ndarray, present: np.ndarray) -> np.ndarray | None:
    """Let values that the image lacks count as unsure, if they look interpolated.

    Returns:
        (H, W) uint8; None if more than a fifth of them lie in areas of one value, as wrong classes do.
    """
    strange = ~np.isin(labels, [0, *np.asarray(present).tolist(), IGNORE_INDEX])
    inner = strange[1:-1, 1:-1].copy()
    middle = labels[1:-1, 1:-1]
    for beside in (labels[:-2, 1:-1], labels[2:, 1:-1], labels[1:-1, :-2], labels[1:-1, 2:]):
        inner &= beside == middle
    if strange.any() and inner.sum() > FLAT * strange.sum():
        return None
    return np.where(strange, IGNORE_INDEX, labels).astype(np.uint8)


def load_numbered(path: Path, n_classes: int, numbering: str = "stored", present: Sequence[int] = ()) -> np.ndarray:
    """Load a mask that numbers its classes in some way.

    Args:
        numbering: one of `NUMBERINGS`. present: classes of the image; see `renumber`.

    Returns:
        (H, W) uint8: 0 background, class, 255 ignored; classes of `n_classes` and more are left to the caller.

    Raises:
        FormatError: no mask, or values that have no place in this numbering; names the file.
    """
    load = load_swapped_mask if numbering == "bgr" else load_mask
    stored = load(path, 256 if numbering in COCO_ONLY else n_classes)
    labels = renumber(stored, numbering, n_classes, np.asarray(present, dtype=np.int64))
    if labels is None:
        raise FormatError(f"{path}: its values are no labels read {WORDS[numbering]}; check how the masks are numbered")
    return labels


def read_note(folder: Path) -> str:
    """Read how the masks of a folder are numbered from its note ``mask_values.txt``; "stored" without one.

    Raises:
        FormatError: the note names no numbering.
    """
    note = folder / NOTE
    if not note.is_file():
        return "stored"
    text = note.read_text(encoding="utf-8", errors="replace").strip().removeprefix("\ufeff")
    text = OLD_NAMES.get(text, text)
    if text not in NUMBERINGS:
        raise FormatError(f"{note}: names no numbering of masks; write one of {', '.join(NUMBERINGS)}")
    return text


@dataclass(frozen=True)
class Sample:
    """A mask of the sample: how to load it under a numbering, and the classes of its image."""

    name: str
    load: Callable[[str], np.ndarray]
    present: np.ndarray


@dataclass(frozen=True)
class Diagnosis:
    """How some masks agree with the labels of their images.

    Attributes:
        files: number of masks that were looked at. strays: those that show a class their image lacks.
        unread: those that cannot be read as labels at all. example: name of the first of either.
        cause: the numbering under which most of them agree, if that explains them; else "".
        explained: masks that agree under it.
    """

    files: int
    strays: int
    unread: int = 0
    example: str = ""
    cause: str = ""
    explained: int = 0

    @property
    def share(self) -> float:
        """Share of the masks that do not agree, or cannot be read."""
        return (self.strays + self.unread) / max(self.files, 1)

    def describe(self, what: str = "masks") -> str:
        """Describe it in a sentence."""
        strange = f"classes that the image labels do not hold are in {self.strays} of {self.files} {what}"
        unread = f"{self.unread} of {self.files} {what} cannot be read as labels"
        parts = [text for text, count in ((strange, self.strays), (unread, self.unread)) if count]
        text = f"{', and '.join(parts)} ({self.share:.0%}), such as {self.example}"
        if not self.cause:
            return text
        return f"{text}; read {WORDS[self.cause]}, {self.explained} of {self.files} agree"


def diagnose(samples: Sequence[Sample], n_classes: int, stored: str = "stored") -> Diagnosis:
    """Hold masks against the labels of their images, and find the likeliest cause where they do not agree.

    Args:
        stored: the numbering that is taken for granted.
    """
    points = [rate_mask(one, stored, n_classes) for one in samples]
    wrong = [one for one, (point, _) in zip(samples, points, strict=True) if point <= 0]
    strays = sum(point == 0 for point, _ in points)
    if not wrong:
        return Diagnosis(len(samples), 0)
    is_coco = n_classes == len(COCO_CLASSES)
    others = [n for n in NUMBERINGS if n != stored and (is_coco or n not in COCO_ONLY)]
    tried = {name: [rate_mask(one, name, n_classes) for one in samples] for name in others}
    ranked = sorted(others, key=lambda name: (-sum_points(tried[name]), sum(unsure for _, unsure in tried[name])))
    best = ranked[0]
    agreeing = sum(point > 0 for point, _ in tried[best])
    explains = agreeing >= 0.9 * len(samples) and sum_points(tried[best]) > sum_points(points) + 0.2 * len(wrong)
    return Diagnosis(
        len(samples), strays, len(wrong) - strays, wrong[0].name, best if explains else "", agreeing)


def sum_points(points: Sequence[tuple[float, float]]) -> float:
    """Sum the points of several masks."""
    return sum(point for point, _ in points)


def rate_mask(sample: Sample, numbering: str, n_classes: int) -> tuple[float, float]:
    """Rate a mask read in one way by the labels of its image.

    Returns:
        1 for the same classes, ½ for some of them, 0 for others, -1 if it cannot be read so; and the share of its
        pixels that are then unsure.
    """
    try:
        labels = sample.load(numbering)
    except FormatError:
        return -1.0, 1.0
    counts = np.bincount(labels.ravel(), minlength=256)
    found = np.flatnonzero(counts[:IGNORE_INDEX])
    found = found[found > 0]
    unsure = float(counts[IGNORE_INDEX] / labels.size)
    if (found >= n_classes).any():
        return -1.0, unsure
    if np.array_equal(found, sample.present):
        return 1.0, unsure
    return (0.5 if np.isin(found, sample.present).all() else 0.0), unsure
