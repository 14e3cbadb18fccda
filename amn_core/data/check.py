"""What is wrong with a data set, or odd about it: the thing to run before anything else."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np

from amn_core.compute.parallel import run_chunks
from amn_core.constants import IGNORE_INDEX
from amn_core.data.agreement import describe_note, diagnose_ground_truth, is_wrong
from amn_core.data.base import Dataset, name_ground_truth
from amn_core.formats.errors import DataError

CHUNK = 64
FEW_IMAGES = 1500
SHOWN = 5
SAMPLED = 48
SMALLEST = 16  # pixels on a side
# What is found in single images: whether it is an error, the heading, and the remedy.
KINDS = {
    "file": (True, "listed without a file", "get the files, or take them off the list"),
    "image": (True, "images that cannot be read", "replace them, or pass --skip-broken"),
    "label": (True, "images whose labels cannot be read", "mend the annotation or the table"),
    "mask": (True, "masks that cannot be read", "save them as 8-bit PNG of class indices"),
    "size": (True, "masks of another size than their image", "check the order of width and height"),
    "ids": (True, "names that differ in nothing but upper and lower case", "rename one of each pair"),
    "twice": (False, "images with the same pixels as another", "leave one of each in the list, or expect it twice"),
    "no mask": (False, "images without a mask, which are not scored", "add the masks if there are any"),
    "stray": (False, "masks with a class that the image labels lack", "check the labels of these images"),
    "absent": (False, "labels of a class that has no pixel in the mask", "check the labels of these images"),
    "no label": (False, "images without a label, which are background throughout", "fine if it is so"),
    "no class": (False, "masks without a pixel of a class", "fine if the image is background"),
    "no ground": (False, "masks without background, which any method gets right at threshold 0",
                  "leave them out of rankings of images"),
    "ignored": (False, "masks that are ignored throughout", "they count nothing; leave them out"),
    "small": (False, f"images of fewer than {SMALLEST} pixels on a side", "check whether they are thumbnails"),
    "flat": (False, "images of a single colour", "check whether they are placeholders"),
}


@dataclass(frozen=True)
class Finding:
    """One kind of fault or oddity.

    Attributes:
        kind: key of `KINDS`, or "numbering", "ground truth" or "split".
        is_error: whether the data cannot be used so.
        text: what it is. count: images concerned. examples: a few of them, in words. remedy: what to do.
    """

    kind: str
    is_error: bool
    text: str
    count: int
    examples: tuple[str, ...]
    remedy: str


@dataclass
class Facts:
    """What was seen in some images: for each kind the images and what they show, and the classes of the masks."""

    notes: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    digests: list[tuple[str, str]] = field(default_factory=list)
    with_class: int = 0
    masks: int = 0

    def note(self, kind: str, image_id: str, text: str = "") -> None:
        """Note something about an image."""
        self.notes.setdefault(kind, []).append((image_id, text))


def check_dataset(spec: str, split: str, workers: int = 0) -> dict[str, Any]:
    """Check a data set: files, images, masks, sizes, labels against masks, ids, numbering, duplicates, odd images.

    Returns:
        ``data``, ``split``, ``images``, ``classes`` (names), ``label_source``, ``ground_truth``, ``masks`` (number),
        ``findings`` (each ``kind``, ``is_error``, ``text``, ``count``, ``examples``, ``remedy``; errors first), and
        ``errors``, how many of them there are.

    Raises:
        DataError: the data set cannot be opened at all.
    """
    open_again.cache_clear()  # files may have changed since this process looked
    dataset, findings = open_leniently(spec, split)
    workers = workers or (1 if len(dataset.ids) < FEW_IMAGES else 0)
    facts = merge(run_chunks(partial(inspect_some, spec, split), dataset.ids, "check", workers, CHUNK))
    find_twins(dataset.ids, facts)
    findings += build_findings(facts) + check_numbers(dataset, facts)
    findings.sort(key=lambda finding: (not finding.is_error, -finding.count))
    return {
        "data": dataset.spec, "split": split, "images": len(dataset.ids), "classes": list(dataset.class_names[1:]),
        "label_source": dataset.label_source, "masks": facts.masks,
        "ground_truth": name_ground_truth(dataset) if facts.masks else "none",
        "findings": [vars(finding) | {"examples": list(finding.examples)} for finding in findings],
        "errors": sum(finding.is_error for finding in findings),
    }


def open_leniently(spec: str, split: str) -> tuple[Dataset, list[Finding]]:
    """Open a data set, leaving out what is listed without a file, and say so."""
    from amn_core.data import load_dataset

    try:
        return load_dataset(spec, split), []
    except DataError as error:
        dataset = open_again(spec, split)
        return dataset, [Finding("file", True, "the list does not fit the files", 1, (str(error),), KINDS["file"][2])]


@lru_cache(maxsize=2)
def open_again(spec: str, split: str) -> Dataset:
    """Open a data set once in each process, without what has no file."""
    from amn_core.data import load_dataset

    return load_dataset(spec, split, skip_broken=True)


def inspect_some(spec: str, split: str, ids: Sequence[str]) -> Facts:
    """Inspect some images of a data set."""
    dataset, facts = open_again(spec, split), Facts()
    for image_id in ids:
        inspect_image(dataset, image_id, facts)
    return facts


def inspect_image(dataset: Dataset, image_id: str, facts: Facts) -> None:
    """Inspect an image, its labels and its mask."""
    image = labels = None
    try:
        image = dataset.image(image_id)
    except DataError as error:
        facts.note("image", image_id, str(error))
    else:
        inspect_pixels(image, image_id, facts)
    try:
        labels = dataset.class_ids(image_id)
    except DataError as error:
        facts.note("label", image_id, str(error))
    try:
        gt = dataset.gt(image_id)
    except DataError as error:
        facts.note("mask", image_id, str(error))
        return
    if gt is None:
        facts.note("no mask", image_id)
        return
    facts.masks += 1
    if image is not None and gt.shape != image.shape[:2]:
        facts.note("size", image_id, f"{image_id}: image is {image.shape[1]}×{image.shape[0]} but mask is "
                                     f"{gt.shape[1]}×{gt.shape[0]}")
    inspect_mask(gt, labels, dataset, image_id, facts)


def inspect_pixels(image: np.ndarray, image_id: str, facts: Facts) -> None:
    """Note an image that is tiny or of one colour, and what tells it from others."""
    facts.digests.append((hashlib.sha256(image.tobytes() + str(image.shape).encode()).hexdigest(), image_id))
    if min(image.shape[:2]) < SMALLEST:
        facts.note("small", image_id, f"{image_id} ({image.shape[1]}×{image.shape[0]})")
    if (image == image[0, 0]).all():
        facts.note("flat", image_id)


def inspect_mask(gt: np.ndarray, labels: np.ndarray | None, dataset: Dataset, image_id: str, facts: Facts) -> None:
    """Note what a mask shows that its labels lack, the reverse, and what makes it degenerate."""
    counts = np.bincount(gt.ravel(), minlength=256)
    found = np.flatnonzero(counts[1:IGNORE_INDEX]) + 1
    facts.with_class += bool(found.size)
    if labels is not None:
        for kind, classes in (("stray", np.setdiff1d(found, labels)), ("absent", np.setdiff1d(labels, found))):
            if classes.size:
                names = ", ".join(dataset.class_names[c] for c in classes[:4].tolist())
                facts.note(kind, image_id, f"{image_id} ({names})")
        if not labels.size:
            facts.note("no label", image_id)
    if counts[IGNORE_INDEX] == gt.size:
        facts.note("ignored", image_id)
    elif not found.size and (labels is None or labels.size):
        facts.note("no class", image_id)
    elif found.size and not counts[0]:
        facts.note("no ground", image_id)


def merge(parts: Iterable[Facts]) -> Facts:
    """Merge what was seen in several parts, in their order."""
    whole = Facts()
    for part in parts:
        for kind, notes in part.notes.items():
            whole.notes.setdefault(kind, []).extend(notes)
        whole.digests += part.digests
        whole.with_class += part.with_class
        whole.masks += part.masks
    return whole


def find_twins(ids: Sequence[str], facts: Facts) -> None:
    """Note images with the same pixels, and ids that only differ in upper and lower case."""
    for kind, pairs in (("twice", facts.digests), ("ids", [(image_id.casefold(), image_id) for image_id in ids])):
        first: dict[str, str] = {}
        for key, image_id in pairs:
            if first.setdefault(key, image_id) != image_id:
                facts.note(kind, image_id, f"{image_id} and {first[key]}")


def build_findings(facts: Facts) -> list[Finding]:
    """Build a finding for each kind of thing that was noted."""
    findings = []
    for kind, (is_error, text, remedy) in KINDS.items():
        notes = facts.notes.get(kind, [])
        if notes and not (kind == "no mask" and not facts.masks):
            examples = tuple(shown or image_id for image_id, shown in notes[:SHOWN])
            findings.append(Finding(kind, is_error, text, len(notes), examples, remedy))
    return findings


def check_numbers(dataset: Dataset, facts: Facts) -> list[Finding]:
    """Check whether there is ground truth, whether it shows classes at all, and the right ones."""
    findings = []
    if not facts.masks:
        findings.append(Finding("ground truth", False, "images, none with ground truth, so nothing can be scored",
                                len(dataset.ids), (), "add masks to measure anything"))
    elif not facts.with_class:
        findings.append(Finding("ground truth", True, "masks, none of which has a pixel of a class", facts.masks, (),
                                "write 1 and up for the classes; 255 is left out of every score"))
    places = np.unique(np.linspace(0, len(dataset.ids) - 1, min(SAMPLED, len(dataset.ids))).astype(int))
    try:
        found = diagnose_ground_truth(dataset, [dataset.ids[place] for place in places])
    except DataError:
        return findings  # labels that cannot be read are a finding of their own
    if is_wrong(dataset, found):
        findings.append(Finding("numbering", True, found.describe("masks of a sample"), found.strays + found.unread, (),
                                describe_note(dataset, found)))
    return findings


def format_check(report: dict[str, Any]) -> str:
    """Format a report as a table: what was found, in how many images, some of them, and what to do."""
    lines = [
        f"{report['data']}, {report['split']}: {report['images']} images, {len(report['classes'])} classes, labels "
        f"from {report['label_source']}, {report['masks']} masks ({report['ground_truth']})"]
    for finding in report["findings"]:
        share = f"{finding['count']:>6}  {'ERROR' if finding['is_error'] else 'note '}  {finding['text']}"
        more = " …" if finding["count"] > len(finding["examples"]) else ""
        examples = f": {'; '.join(finding['examples'])}{more}" if finding["examples"] else ""
        lines.append(f"{share}{examples}. {finding['remedy'][:1].upper()}{finding['remedy'][1:]}.")
    if not report["findings"]:
        lines.append("nothing is wrong or odd")
    return "\n".join(lines)
