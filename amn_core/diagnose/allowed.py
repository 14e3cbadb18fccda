"""What the files allow: the values of each choice, and what speaks for one of them before any score is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from amn_core.constants import COCO_CLASSES, IGNORE_INDEX
from amn_core.data import DataError
from amn_core.diagnose.counting import normalise
from amn_core.diagnose.readings import IGNORED, NORMALISATIONS, PLANES, RULES, SIZES, Choices, Reading
from amn_core.diagnose.sources import Assigned, Source, assign_planes, choose_sample, is_fixed, recognise_source
from amn_core.formats.foreign import KEYS_ONLY, RawMap
from amn_core.formats.numbering import COCO_ONLY, NUMBERINGS, Sample, rate_mask
from amn_core.formats.readings import number_classes
from amn_core.formats.recognise import Recognised

# Of the files that must fit a reading, and by how much the image labels must speak against one.
MOST, CLEARLY = 0.95, 0.02
# What a change costs. Those that the files themselves speak for are likelier; all others are alike, since nobody has
# counted how often each is the cause (ours).
USUAL, SUPPORTED = 1.0, 0.55
TRIED = 12
ALIKE = 2e-5  # the 1e-5 that IRN's code adds to a maximum changes no more


@dataclass(frozen=True)
class Allowed:
    """What the files allow.

    Attributes:
        choices: values of each choice. weights: what a change to a value costs where it is not `USUAL`.
        known: what the maps were recognised as; None for masks.
        agreement: share of the sampled files whose classes are those of the image labels, by numbering.
        untried: what could not be tried, and why.
        ids, raws, labels: the sampled images, their files of maps and their classes.
    """

    choices: Choices
    weights: dict[tuple[str, object], float]
    known: Recognised | None
    agreement: dict[str, float]
    untried: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    raws: list[RawMap] = field(default_factory=list, repr=False)
    labels: list[np.ndarray] = field(default_factory=list, repr=False)

    def weigh(self, name: str, value: object) -> float:
        """Weigh a change."""
        return self.weights.get((name, value), USUAL)

    def find_supported(self, base: Reading) -> Reading:
        """Find the reading that the files themselves speak for: numbering by the image labels, planes by their values.

        The first reading where nothing speaks for another.
        """
        best = max(self.choices.numbering, key=lambda name: self.agreement.get(name, 0))
        supported = base.change("numbering", best)
        if self.known is None or self.known.background == "none":
            return supported
        background = f"{self.known.background}:{base.rule}"
        return supported.change("background", background if background in self.choices.background else base.background)


def find_allowed(source: Source) -> Allowed:
    """Find what the files of a source allow, from a sample of them."""
    ids = choose_sample(source)
    return allow_masks(source, ids) if source.is_masks else allow_maps(source, ids)


def allow_maps(source: Source, ids: Sequence[str]) -> Allowed:
    """Find what maps allow."""
    known, ids, raws, labels = recognise_source(source, ids)
    pairs = [(raw, own) for raw, own in zip(raws, labels, strict=True) if raw.layout != KEYS_ONLY and len(raw.planes)]
    n_classes = len(source.class_names)
    layout = pairs[0][0].layout if pairs else KEYS_ONLY
    planes = [plane for plane in PLANES if fits(pairs, plane, known, n_classes)] or [known.background]
    plane = choose_first(planes, (layout.background, "none", "last", known.background))
    planes = [plane, *(other for other in planes if other != plane)]
    agreement = rate_numberings(pairs, planes, known, n_classes)
    first = "fixed" if "fixed" in agreement else choose_first(list(agreement), (str(layout.key_base),))
    numberings = [first, *(n for n, share in agreement.items() if n != first and share > agreement[first] + CLEARLY)]
    normalisations = find_normalisations(pairs, plane, known, n_classes)
    choices = Choices(
        images=tuple(source.lists), ground_truth=tuple(source.masks), numbering=tuple(numberings),
        normalisation=normalisations, background=list_backgrounds(planes), size=find_sizes(source, ids, known),
        ignored=find_ignored(source, ids))
    weights = {("numbering", n): SUPPORTED for n in numberings[1:]}
    if known.background not in ("none", plane) and known.background in planes:
        weights |= {("background", b): SUPPORTED for b in choices.background if b.startswith(known.background + ":")}
    if is_odd(pairs, plane, known, n_classes):
        weights |= {("normalisation", n): SUPPORTED for n in normalisations[1:]}
    return Allowed(choices, weights, known, agreement, find_untried(source, choices), ids, raws, labels)


def choose_first(values: Sequence[str], wanted: Sequence[str]) -> str:
    """Choose the first wanted value that is there, else the first that is."""
    return next((value for value in wanted if value in values), values[0])


Pairs = Sequence[tuple[RawMap, np.ndarray]]


def fits(pairs: Pairs, plane: str, known: Recognised, n_classes: int) -> bool:
    """Tell whether the shapes of the files allow that a plane of background is there."""
    assigned = [assign_planes(raw, plane, known, own, n_classes) for raw, own in pairs]
    return bool(pairs) and np.mean([one is not None for one in assigned]) >= MOST


def rate_numberings(pairs: Pairs, planes: Sequence[str], known: Recognised, n_classes: int) -> dict[str, float]:
    """Rate each numbering of keys by the share of files whose classes are those of the image labels."""
    if not pairs or is_fixed(pairs[0][0], known):
        return {"fixed": 1.0}
    bases = ["0", "1", "-1", *(["categories"] if n_classes == len(COCO_CLASSES) else [])]
    return {base: max(share_agreeing(pairs, plane, base, known, n_classes) for plane in planes) for base in bases}


def share_agreeing(pairs: Pairs, plane: str, base: str, known: Recognised, n_classes: int) -> float:
    """Share the files whose keys, numbered so, are the classes of their image."""
    points = []
    for raw, own in pairs:
        assigned = assign_planes(raw, plane, known, own, n_classes)
        classes = None if assigned is None else number_classes(
            assigned.keys, base if base == "categories" else int(base))
        points.append(classes is not None and np.array_equal(np.sort(classes), own))
    return float(np.mean(points))


def find_normalisations(pairs: Pairs, plane: str, known: Recognised, n_classes: int) -> tuple[str, ...]:
    """Find the normalisations that change some map of the sample, each of those that are alike once."""
    assigned = [assign_planes(raw, plane, known, own, n_classes) for raw, own in pairs[:: max(1, len(pairs) // TRIED)]]
    assigned = [one for one in assigned if one is not None and len(one.planes)]
    has_planes = all(len(one.planes) + (one.ground is not None) > 1 for one in assigned)
    found: dict[str, list[np.ndarray]] = {}
    for name in NORMALISATIONS if has_planes else [n for n in NORMALISATIONS if n != "softmax"]:
        made = [normalise(one, name).planes for one in assigned]
        if not any(are_alike(made, other) for other in found.values()):
            found[name] = made
    return tuple(found)


def are_alike(some: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> bool:
    """Tell whether maps are the same but for rounding."""
    return all(np.abs(one.astype(np.float64) - other).max() <= ALIKE * max(1, np.abs(other).max())
               for one, other in zip(some, others, strict=True))


def list_backgrounds(planes: Sequence[str]) -> tuple[str, ...]:
    """List what the background may be made of, the first plane layout first."""
    rules = [f"{plane}:{rule}" for plane in planes for rule in RULES
             if rule != "argmax" or plane in ("plane", "last", "key 0")]
    return tuple(rules)


def is_odd(pairs: Pairs, plane: str, known: Recognised, n_classes: int) -> bool:
    """Tell whether the values are such that nobody would cut them as they are: above 1, below 0, or far below 1."""
    low, peaks = find_range(pairs, plane, known, n_classes)
    return bool(peaks.size) and (low < -1e-3 or peaks.max() > 1.001 or np.mean(peaks > 0.98) < 0.05)


def find_range(pairs: Pairs, plane: str, known: Recognised, n_classes: int) -> tuple[float, np.ndarray]:
    """Find the least value of all maps, and the largest of each."""
    assigned: list[Assigned] = [one for raw, own in pairs
                                if (one := assign_planes(raw, plane, known, own, n_classes)) is not None]
    maps = [cam for one in assigned for cam in one.planes]
    return float(min((cam.min() for cam in maps), default=0)), np.array([float(cam.max()) for cam in maps])


def find_sizes(source: Source, ids: Sequence[str], known: Recognised | None) -> tuple[str, ...]:
    """Find how files may be brought to the size of the ground truth; one way where they have it."""
    if known is not None:
        return tuple(SIZES) if known.is_resized else ("bilinear",)
    name = next(iter(source.masks))
    differs = any(source.read_mask(i, "stored").shape != source.gt(i, name).shape for i in ids[:TRIED])
    return ("nearest", "bilinear", "reduced") if differs else ("nearest",)


def find_ignored(source: Source, ids: Sequence[str]) -> tuple[str, ...]:
    """Find what 255 in the ground truth may count as; one way where it does not occur."""
    name = next(iter(source.masks))
    has_some = any((source.gt(image_id, name) == IGNORE_INDEX).any() for image_id in ids)
    return tuple(IGNORED) if has_some else ("left out",)


def allow_masks(source: Source, ids: Sequence[str]) -> Allowed:
    """Find what finished masks allow."""
    n_classes = len(source.class_names)
    is_coco = n_classes == len(COCO_CLASSES)
    samples = [Sample(i, lambda numbering, i=i: source.read_mask(i, numbering), source.labels(i)) for i in ids]
    names = ["stored"] if source.run else [n for n in NUMBERINGS if is_coco or n not in COCO_ONLY]
    agreement = {}
    for name in names:
        points = [rate_mask(sample, name, n_classes)[0] for sample in samples]
        if name == "stored" or np.mean([point >= 0 for point in points]) >= MOST:
            agreement[name] = float(np.mean([point == 1 for point in points]))
    others = [n for n, share in agreement.items() if n != "stored" and share > agreement["stored"] + CLEARLY]
    has_unsure = any(holds_unsure(samples, name) for name in ("stored", *others))
    choices = Choices(
        images=tuple(source.lists), ground_truth=tuple(source.masks), numbering=("stored", *others),
        background=("masks:masks",), size=find_sizes(source, ids, None),
        ignored=find_ignored(source, ids),
        unsure=("background", "left out", "error") if has_unsure else ("background",))
    weights = {("numbering", name): SUPPORTED for name in others}
    return Allowed(choices, weights, None, agreement, find_untried(source, choices))


def holds_unsure(samples: Sequence[Sample], numbering: str) -> bool:
    """Tell whether some of the masks hold unsure pixels under a numbering."""
    for sample in samples:
        try:
            if (sample.load(numbering) == IGNORE_INDEX).any():
                return True
        except DataError:  # FormatError is one
            continue
    return False


def allow_counts(source: Source) -> Allowed:
    """Find what counts alone allow: lists, averaging and thresholds."""
    choices = Choices(
        images=tuple(source.lists), ground_truth=tuple(source.masks),
        numbering=("stored",) if source.is_masks else ("fixed",),
        background=("masks:masks",) if source.is_masks else ("none:constant",),
        size=("nearest",) if source.is_masks else ("bilinear",), ignored=("left out",))
    note = ("ground truth, numbering, normalisation, background, size and 255: there are counts and no maps; "
            "give the folder of maps, or a run that has them")
    return Allowed(choices, {}, None, {choices.numbering[0]: 1.0}, (note,))


def find_untried(source: Source, choices: Choices) -> tuple[str, ...]:
    """Find what could not be tried with these files, and why."""
    notes = []
    if len(choices.images) == 1:
        notes.append("other lists: no other list of the data set has a file for each of its images")
    if len(choices.ground_truth) == 1:
        notes.append("other ground truth: the data set has one folder of masks")
    if source.is_masks:
        notes.append("normalisation, background and threshold: finished masks have none")
    if choices.size in (("bilinear",), ("nearest",)):
        notes.append("size: the files have that of the ground truth")
    if choices.ignored == ("left out",):
        notes.append("255: the ground truth holds none")
    return tuple(notes)
