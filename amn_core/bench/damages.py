"""Right maps and masks, damaged in every way that `diagnose` knows, with what undoes each damage.

A damage either spoils the files, or stands for a number that was made in another way than the plain one. The target
is the score of the undamaged set, found by an argmax that shares no code with `diagnose`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from amn_core.bench.damaged_sets import Drawn, DrawnSet, draw_set, write_set
from amn_core.bench.naive_scores import Protocol, score_slowly
from amn_core.constants import COCO_CATEGORY_IDS, VOC_PALETTE

CUTS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


@dataclass
class Case:
    """A set on its way to be damaged.

    Attributes:
        drawn: the right set. rng: what damages draw from. protocol: how the undamaged set is scored.
        files: by id, planes (P, h, w) and keys, or the mask, as they will be written.
        split, cut: what the user scored on and at. truth: the changes that undo the damage: name -> value.
        is_colour: whether masks are written in the colours of VOC's palette, and in which order.
    """

    drawn: DrawnSet
    rng: np.random.Generator
    protocol: Protocol
    is_masks: bool
    files: dict[str, list] = field(default_factory=dict, repr=False)
    split: str = "train"
    cut: float | None = None
    truth: dict[str, object] = field(default_factory=dict)
    is_swapped: bool = False

    def change_planes(self, change: Callable[[np.ndarray, np.ndarray, Drawn], tuple]) -> None:
        """Change planes and keys of every file."""
        for image_id, (planes, keys) in self.files.items():
            self.files[image_id] = list(change(planes, keys, self.drawn.images[image_id]))

    def change_labels(self, change: Callable[[np.ndarray, Drawn], np.ndarray]) -> None:
        """Change every mask."""
        for image_id, labels in self.files.items():
            self.files[image_id] = change(labels, self.drawn.images[image_id])


@dataclass(frozen=True)
class Damage:
    """A way of damaging: what choice of a reading it concerns, what it does, and what set it needs."""

    choice: str
    apply: Callable[[Case], None]
    needs: dict = field(default_factory=dict)


def set_right(**right: object) -> Callable[[Case], None]:
    """Damage by protocol: the number that is aimed at was made in another way."""
    def apply(case: Case) -> None:
        for name, value in right.items():
            setattr(case.protocol, name, value)
            case.truth[name] = value
    return apply


def shift_keys(by: int, base: str) -> Callable[[Case], None]:
    """Write keys that are higher by some."""
    def apply(case: Case) -> None:
        case.change_planes(lambda planes, keys, one: (planes, keys + by))
        case.truth["numbering"] = base
    return apply


def write_categories(case: Case) -> None:
    """Write COCO's category ids as keys."""
    case.change_planes(lambda planes, keys, one: (planes, np.array(COCO_CATEGORY_IDS)[keys]))
    case.truth["numbering"] = "categories"


def scale_maps(normalisation: str) -> Callable[[Case], None]:
    """Write maps that a normalisation brings back: times a factor, and for a range plus an offset."""
    by_image, has_offset = normalisation.startswith("image"), normalisation.endswith("range")

    def spoil(case: Case, planes: np.ndarray) -> np.ndarray:
        n = 1 if by_image else len(planes)
        factor = np.exp(case.rng.uniform(np.log(0.3), np.log(8), (n, 1, 1)))
        offset = case.rng.uniform(0.1, 0.6, (n, 1, 1)) if has_offset else 0
        return (planes * factor + offset * factor).astype(np.float32)

    def apply(case: Case) -> None:
        for one in case.drawn.images.values():
            one.cam = make_right(one.cam, by_image, has_offset)
        case.change_planes(lambda planes, keys, one: (spoil(case, one.cam), keys))
        case.truth["normalisation"] = normalisation
    return apply


def make_right(cam: np.ndarray, by_image: bool, has_offset: bool) -> np.ndarray:
    """Make right maps that their own normalisation leaves as they are."""
    weak = cam * np.linspace(1, 0.6, len(cam), dtype=np.float32)[:, None, None] if by_image else cam
    if not has_offset:
        return weak / weak.max() if by_image else weak / weak.max(axis=(1, 2), keepdims=True)
    axes = None if by_image else (1, 2)
    low = weak.min(axis=axes, keepdims=True)
    return (weak - low) / (weak.max(axis=axes, keepdims=True) - low)


def write_logits(case: Case) -> None:
    """Write logits whose softmax over the planes is right."""
    for one in case.drawn.images.values():
        raised = np.exp(2.5 * one.cam)
        one.cam = (raised / raised.sum(axis=0)).astype(np.float32)
    case.change_planes(lambda planes, keys, one: (np.log(one.cam) + case.rng.uniform(-1, 1), keys))
    case.truth["normalisation"] = "softmax"


def add_plane(at_end: bool, competes: bool) -> Callable[[Case], None]:
    """Write the background as another plane; the right number leaves it out, or lets it compete."""
    def add(planes: np.ndarray, keys: np.ndarray, one: Drawn) -> tuple:
        parts = [planes, one.ground[None]] if at_end else [one.ground[None], planes]
        return np.concatenate(parts), keys

    def apply(case: Case) -> None:
        case.change_planes(add)
        case.protocol.rule = "argmax" if competes else "constant"
        case.truth["background"] = f"{'last' if at_end else 'plane'}:{case.protocol.rule}"
    return apply


def set_rule(rule: str) -> Callable[[Case], None]:
    """Aim at a number made with another background."""
    def apply(case: Case) -> None:
        case.protocol.rule = rule
        case.truth["background"] = f"none:{rule}"
    return apply


def move_cut(case: Case) -> None:
    """Cut at another threshold than the right number."""
    right = case.protocol.cut
    near = [right + by for by in (-0.1, 0.1, -0.15, 0.15) if 0.04 < right + by < 0.96]
    case.cut = round(float(case.rng.choice([*near, 0.05, 0.7])), 3)
    case.truth["cut"] = right


def take_peak(case: Case) -> None:
    """Aim at the peak of the curve with a threshold away from it."""
    case.protocol.cut = None
    case.cut = float(case.rng.choice([0.1, 0.6]))
    case.truth["cut"] = None


def take_list(case: Case) -> None:
    """Score another list than that of the right number."""
    case.split, right = ("trainval", "train") if case.rng.random() < 0.5 else ("train", "trainval")
    case.protocol.images, case.truth["images"] = right, right


def renumber(name: str, table: Callable[[np.ndarray, Drawn], np.ndarray]) -> Callable[[Case], None]:
    """Write masks in another numbering."""
    def apply(case: Case) -> None:
        case.change_labels(table)
        case.truth["numbering"] = name
    return apply


def shift_labels(by: int, all_of_them: bool) -> Callable[[np.ndarray, Drawn], np.ndarray]:
    """Shift the classes of a mask, or all values, by some."""
    def shift(labels: np.ndarray, one: Drawn) -> np.ndarray:
        is_moved = np.full(labels.shape, True) if all_of_them else (labels > 0) & (labels < 255)
        return np.where(is_moved, labels.astype(np.int64) + by, labels).astype(np.uint8)
    return shift


def to_luminance(labels: np.ndarray, one: Drawn) -> np.ndarray:
    """Turn VOC's colours of a mask to grey."""
    return np.asarray(Image.fromarray(VOC_PALETTE[labels]).convert("L"))


def to_categories(labels: np.ndarray, one: Drawn) -> np.ndarray:
    """Turn classes of a mask into COCO's category ids; 255 stays."""
    table = np.full(256, 255, np.uint8)
    table[: len(COCO_CATEGORY_IDS) + 1] = (0, *COCO_CATEGORY_IDS)
    return table[labels]


def swap_colours(case: Case) -> None:
    """Write masks in VOC's colours with red and blue exchanged."""
    case.is_swapped = True
    case.truth["numbering"] = "bgr"


def leave_unsure(value: str) -> Callable[[Case], None]:
    """Write 255 at unsure pixels of masks; the right number treats them in another way than as background."""
    def apply(case: Case) -> None:
        case.change_labels(lambda labels, one: np.where(find_unsure(case, one), 255, labels).astype(np.uint8))
        case.protocol.unsure = value
        case.truth["unsure"] = value
    return apply


def find_unsure(case: Case, one: Drawn) -> np.ndarray:
    """Find the pixels of an image whose strongest map is near the cut."""
    return np.abs(one.cam.max(axis=0) - case.protocol.cut) < 0.06


MAP_DAMAGES: dict[str, Damage] = {
    "list": Damage("images", take_list),
    "ground truth": Damage("ground_truth", set_right(ground_truth="SegmentationClass")),
    "255 an error": Damage("ignored", set_right(ignored="error")),
    "255 background": Damage("ignored", set_right(ignored="background")),
    "keys from 1": Damage("numbering", shift_keys(1, "1")),
    "keys one too low": Damage("numbering", shift_keys(-1, "-1"), {"above": 1}),
    "category ids": Damage("numbering", write_categories, {"is_coco": True}),
    "first plane": Damage("background", add_plane(False, False)),
    "first plane competes": Damage("background", add_plane(False, True)),
    "last plane competes": Damage("background", add_plane(True, True)),
    "no background": Damage("background", set_rule("nothing")),
    "exponent": Damage("background", lambda case: set_rule(f"exponent {case.rng.choice([1, 2, 4, 8])}")(case)),
    "by class maximum": Damage("normalisation", scale_maps("max")),
    "by image maximum": Damage("normalisation", scale_maps("image max"), {"least": 2}),
    "by class range": Damage("normalisation", scale_maps("range")),
    "by image range": Damage("normalisation", scale_maps("image range"), {"least": 2}),
    "softmax": Damage("normalisation", write_logits, {"least": 2}),
    "nearest": Damage("size", set_right(size="nearest"), {"stride": 4}),
    "ground truth reduced": Damage("size", set_right(size="reduced"), {"stride": 4}),
    "seam": Damage("averaging", set_right(averaging="seam")),
    "toco": Damage("averaging", set_right(averaging="toco")),
    "cut": Damage("cut", move_cut),
    "peak": Damage("cut", take_peak),
}
MASK_DAMAGES: dict[str, Damage] = {
    "masks: luminance": Damage("numbering", renumber("luminance", to_luminance), {"is_grey": True}),
    "masks: blue and red": Damage("numbering", swap_colours),
    "masks: one too low": Damage("numbering", renumber("minus-one", shift_labels(-1, False)), {"above": 1}),
    "masks: one too high": Damage("numbering", renumber("plus-one", shift_labels(1, False))),
    "masks: raised by 91": Damage("numbering", renumber("raised-91", shift_labels(91, True)), {"is_coco": True}),
    "masks: category ids": Damage("numbering", renumber("categories", to_categories), {"is_coco": True}),
    "masks: 255 an error": Damage("unsure", leave_unsure("error")),
    "masks: 255 left out": Damage("unsure", leave_unsure("left out")),
    "masks: list": Damage("images", take_list),
    "masks: ground truth": Damage("ground_truth", set_right(ground_truth="SegmentationClass")),
    "masks: 255 of the truth": Damage("ignored", set_right(ignored="error")),
}
DAMAGES = MAP_DAMAGES | MASK_DAMAGES


def build_case(names: Sequence[str], seed: int) -> Case:
    """Draw a set and damage it in some ways; a number made in another way goes before spoilt files.

    Raises:
        ValueError: damages of maps and of masks together.
    """
    is_masks = {name in MASK_DAMAGES for name in names} == {True}
    if not is_masks and any(name in MASK_DAMAGES for name in names):
        raise ValueError(f"{', '.join(names)}: damages of maps and of masks do not go together")
    rng = np.random.default_rng([seed, sum(map(ord, "".join(names)))])
    damages = [DAMAGES[name] for name in names]
    needs = {key: value for damage in damages for key, value in damage.needs.items() if key != "above"}
    drawn = draw_set(rng, **needs)
    if any("above" in damage.needs for damage in damages):
        raise_classes(drawn)
    cut = choose_cut(drawn)
    case = Case(drawn, rng, Protocol(cut=cut), is_masks, cut=None if is_masks else cut)
    case.files = {i: cut_map(one, cut) if is_masks else [one.cam, one.class_ids - 1] for i, one in drawn.images.items()}
    order = {"normalisation": 1, "background": 2, "numbering": 3}
    for damage in sorted(damages, key=lambda damage: order.get(damage.choice, 0)):
        damage.apply(case)
    return case


def choose_cut(drawn: DrawnSet) -> float:
    """Choose the round threshold at which the right maps score best."""
    images = [drawn.images[i] for i in drawn.lists["train"][:10]]
    scores = [score_slowly(images, Protocol(cut=cut), len(drawn.class_names))[0] for cut in CUTS]
    return CUTS[int(np.argmax(scores))]


def raise_classes(drawn: DrawnSet) -> None:
    """Replace the first class, whose key would fall below 0, by the last that is free."""
    used = {c for one in drawn.images.values() for c in one.class_ids.tolist()}
    free = max(set(range(2, len(drawn.class_names))) - used)
    for one in drawn.images.values():
        if 1 in one.class_ids:
            one.gt[one.gt == 1], one.other_gt[one.other_gt == 1] = free, free
            order = np.argsort(np.where(one.class_ids == 1, free, one.class_ids))
            one.class_ids = np.where(one.class_ids == 1, free, one.class_ids)[order]
            one.cam = one.cam[order]


def cut_map(one: Drawn, cut: float) -> np.ndarray:
    """Cut maps into a mask, (h, w) uint8."""
    labels = one.class_ids[one.cam.argmax(axis=0)]
    return np.where(one.cam.max(axis=0) > cut, labels, 0).astype(np.uint8)


def write_case(case: Case, root: Path) -> tuple[str, str]:
    """Write the set and its files; returns the spec and the folder of files."""
    spec = write_set(case.drawn, root / "data")
    folder = root / "files"
    folder.mkdir()
    for image_id, content in case.files.items():
        if case.is_masks:
            write_mask(folder / f"{image_id}.png", content, case.is_swapped)
        else:
            table = {"keys": content[1], "high_res": content[0]}
            np.save(folder / f"{image_id}.npy", table, allow_pickle=True)
    return spec, str(folder)


def write_mask(path: Path, labels: np.ndarray, is_swapped: bool) -> None:
    """Write a mask as grey values, or in VOC's colours with red and blue exchanged."""
    Image.fromarray(VOC_PALETTE[labels][..., ::-1].copy() if is_swapped else labels).save(path)


def find_target(case: Case) -> np.ndarray:
    """Find mIoU, precision and recall of the undamaged set, (3,), the slow way."""
    ids = case.drawn.lists[case.protocol.images]
    images = [case.drawn.images[i] for i in ids]
    masks = None
    if case.is_masks:
        unsure = case.protocol.unsure
        masks = [cut_map(one, case.protocol.cut) for one in images]
        if "unsure" in case.truth:
            masks = [np.where(find_unsure(case, one), 255, mask) for one, mask in zip(images, masks, strict=True)]
        case.protocol.unsure = unsure
    return score_slowly(images, case.protocol, len(case.drawn.class_names), masks)
