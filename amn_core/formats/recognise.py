"""Recognising what a folder of maps means: which number is which class, and where the background is.

The same dict means different things in different projects. Every reading that the shapes allow is held
against the image-level labels on a sample of the files; the one that names the right classes most often
wins, and the habit of the layout decides a tie. The user can overrule each part (`ReadOptions`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amn_core.formats.errors import FormatError
from amn_core.formats.foreign import KEYS_ONLY, NO_PLANES, Layout, RawMap
from amn_core.formats.maps import resize_maps
from amn_core.formats.readings import (
    CATEGORIES,
    Reading,
    count_planes,
    find_size,
    list_readings,
    plan_planes,
    rate_background,
    rate_file,
    rate_reading,
    rate_shape,
    take_planes,
)

BACKGROUNDS = ("none", "plane", "last", "key 0", "padded keys")
KEY_BASES = ("auto", "0", "1", CATEGORIES)
ENDS = ("auto", "none", "first", "last", "white")
NORMALISATIONS = ("stored", "max", "minmax")
EPSILON = 1e-5
CLEARLY = 0.2


@dataclass(frozen=True)
class ReadOptions:
    """What the user lays down about a folder of maps; "auto" leaves it to the content.

    Attributes:
        entry: name of the entry that holds the maps in a dict or an archive.
        key_base: "auto", "0" or "1", the number of the first foreground class, or "categories" for COCO's ids.
        background: "auto", "none", or "first" or "last" where that plane is the background; "white"
            is "none" to the reading: whoever has the image takes its white pixels for background.
        normalisation: "stored" leaves the maps as they are; "max" divides each map by its maximum (+1e-5,
            as IRN does) after cutting below 0; "minmax" maps its range to [0, 1].
    """

    entry: str = "auto"
    key_base: str = "auto"
    background: str = "auto"
    normalisation: str = "stored"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("key_base", KEY_BASES), ("background", ENDS), ("normalisation", NORMALISATIONS),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(allowed)}")


@dataclass(frozen=True)
class Recognised:
    """What was recognised about a folder of maps.

    Attributes:
        layout: name of the layout.
        entry: entry that holds the maps; empty where there are no names.
        key_base, background, is_full, is_last: see `amn_core.formats.readings.Reading`.
        value_range: what the numbers of the maps look like, in words.
        normalisation: what is done to them here: "stored", "max" or "minmax".
        is_resized: whether the maps of the sample have another size than the ground truth.
        agreement: share of the sampled images whose classes are those of the image labels.
        samples: number of files that were looked at.
        top: the whole number that stands for 1 in maps of integers; 0 for floats.
        stray: share of the sampled images that name a class their labels lack, or cannot be read so.
    """

    layout: str
    entry: str
    key_base: int | str
    background: str
    value_range: str
    normalisation: str
    is_resized: bool
    agreement: float
    samples: int
    is_full: bool = False
    is_last: bool = False
    top: int = 0
    stray: float = 0.0

    @property
    def reading(self) -> Reading:
        """How keys and planes are read."""
        return Reading(self.key_base, self.background, self.is_full, self.is_last)

    def describe(self) -> str:
        """Describe it in one sentence."""
        entry = f", entry {self.entry!r}" if self.entry else ""
        background = {
            "none": "no background", "plane": "an extra first plane of background",
            "last": "an extra last plane of background",
            "key 0": "key 0 is the background", "padded keys": "keys padded with background",
        }[self.background]
        size = "resized bilinearly to the ground truth" if self.is_resized else "at the size of the ground truth"
        count = "classes by COCO's category ids" if self.key_base == CATEGORIES else (
            f"classes count from {self.key_base}")
        planes = "; a plane for every class, those of the image are taken" if self.is_full else ""
        planes += "; planes are the last axis" if self.is_last else ""
        return (
            f"{self.layout}{entry}; {count}; {background}{planes}; {self.value_range}; "
            f"normalisation: {self.normalisation}; {size}; classes agree with the image labels in "
            f"{self.agreement:.0%} of {self.samples} files"
        )


def recognise(
    raws: Sequence[RawMap], labels: Sequence[np.ndarray], sizes: Sequence[tuple[int, int] | None],
    n_classes: int, options: ReadOptions = ReadOptions(), names: Sequence[str] = (),
) -> Recognised:
    """Recognise what the files of a folder mean from a sample of them.

    Args:
        raws: the sample.
        labels: classes of each image, (L,) int64, 1-based and increasing.
        sizes: height and width of each ground truth, None where there is none.
        n_classes: number of classes with background.
        options: what the user lays down.
        names: names of the files, for the error.

    Raises:
        FormatError: the sample is empty, or no reading fits it (with the user's wishes).
    """
    full = [i for i, raw in enumerate(raws) if raw.layout != KEYS_ONLY] or list(range(len(raws)))
    if not raws:
        raise FormatError("no file of maps was found for the images of this split; check the folder and the split")
    name = names[full[0]] if names else ""
    raws, labels, sizes = [raws[i] for i in full], [labels[i] for i in full], [sizes[i] for i in full]
    layout = Counter(raw.layout for raw in raws).most_common(1)[0][0]
    reading = choose_reading(raws, labels, sizes, n_classes, layout, options, name)
    rated = [rate_file(raw, present, reading, n_classes) for raw, present in zip(raws, labels, strict=True)]
    used = [take_used(raw, present, reading, n_classes) for raw, present in zip(raws, labels, strict=True)]
    top = find_top(used)
    return Recognised(
        layout=layout.name, entry=Counter(raw.entry for raw in raws).most_common(1)[0][0],
        key_base=reading.key_base, background=reading.background, value_range=describe_range(used),
        normalisation=options.normalisation,
        is_resized=any(size not in (None, find_size(raw, reading)) for raw, size in zip(raws, sizes, strict=True)),
        agreement=float(np.mean([points == 1 for points in rated])), samples=len(raws),
        is_full=reading.is_full, is_last=reading.is_last, top=top,
        stray=float(np.mean([points <= 0 for points in rated])),
    )


def take_used(raw: RawMap, labels: np.ndarray, reading: Reading, n_classes: int) -> np.ndarray:
    """Take the planes of a file that a reading uses, (K, h, w); all of them where it does not fit."""
    planned = plan_planes(raw, reading, labels, n_classes)
    return take_planes(raw, reading, np.arange(count_planes(raw, reading)) if planned is None else planned[0])


def choose_reading(
    raws: Sequence[RawMap], labels: Sequence[np.ndarray], sizes: Sequence[tuple[int, int] | None], n_classes: int,
    layout: Layout, options: ReadOptions, name: str = "",
) -> Reading:
    """Choose the reading that agrees best with the labels, of those that the user allows.

    Ties are settled by the shape of the images (which axis is that of the planes), then by the values (whether the
    background is the first plane or the last), then by the habit of the layout, then by the order of the list.
    """
    allowed = [reading for reading in list_readings(n_classes) if is_allowed(reading, options)]
    rated = {reading: rate_reading(raws, labels, reading, n_classes) for reading in allowed}
    best = max(rated.values())
    if best <= -1:
        shapes = sorted({(raw.planes.shape, -1 if raw.keys is None else len(raw.keys)) for raw in raws})[:3]
        found = ", ".join(f"{shape} with {'no' if n < 0 else n} keys" for shape, n in shapes)
        raise FormatError(
            f"{name + ': ' if name else ''}{layout.name}: maps of shape {found} fit no reading with key base "
            f"{options.key_base} and background {options.background} for {n_classes - 1} classes; name others, "
            "or check the class list")
    equal = [reading for reading, points in rated.items() if points >= best - 1e-9]
    equal = settle_background(raws, settle_axis(raws, sizes, equal))
    habit = Reading(layout.key_base, layout.background)
    return habit if habit in equal else equal[0]


def is_allowed(reading: Reading, options: ReadOptions) -> bool:
    """Whether the user's wishes allow a reading."""
    backgrounds = {
        "auto": BACKGROUNDS, "first": ("plane", "key 0"), "last": ("last",), "none": ("none", "padded keys"),
        "white": ("none", "padded keys"),
    }[options.background]
    return reading.background in backgrounds and options.key_base in ("auto", str(reading.key_base))


def settle_axis(
    raws: Sequence[RawMap], sizes: Sequence[tuple[int, int] | None], readings: list[Reading]
) -> list[Reading]:
    """Keep the readings whose maps have the shape of the images, where both axes can be that of the planes."""
    if len({reading.is_last for reading in readings}) == 1:
        return readings
    apart = {is_last: rate_shape(raws, sizes, Reading(0, "none", is_last=is_last)) for is_last in (False, True)}
    is_last = apart[True] < apart[False] - CLEARLY
    return [reading for reading in readings if reading.is_last == is_last]


def settle_background(raws: Sequence[RawMap], readings: list[Reading]) -> list[Reading]:
    """Keep the readings with the background where the values say it is: first, unless the last is clearly more so."""
    ends = {reading.background: reading for reading in readings if reading.background in ("plane", "last")}
    if len(ends) < 2:
        return readings
    is_first = rate_background(raws, ends["plane"]) >= rate_background(raws, ends["last"]) - CLEARLY
    return [reading for reading in readings if reading.background != ("last" if is_first else "plane")]


def find_top(used: Sequence[np.ndarray]) -> int:
    """Find which whole number stands for 1 in maps of integers or booleans: 1, 255 or 65535; 0 for floats."""
    kinds = {planes.dtype.kind for planes in used if planes.size}
    if not kinds or "f" in kinds:
        return 0
    most = max(int(planes.max()) for planes in used if planes.size)
    if most <= 1:
        return 1
    is_wide = any(planes.dtype == np.uint16 for planes in used)
    return 65535 if most > 255 or is_wide else 255


def describe_range(used: Sequence[np.ndarray]) -> str:
    """Describe the numbers of some maps (K, h, w) in words: range, and whether each map reaches 1."""
    peaks = np.array([plane.max() for planes in used for plane in planes], dtype=np.float64)
    lows = np.array([plane.min() for planes in used for plane in planes], dtype=np.float64)
    if not peaks.size:
        return "no maps"
    if find_top(used):
        return f"integers {lows.min():.0f}–{peaks.max():.0f}, {find_top(used)} stands for 1"
    if lows.min() < -1e-6 or peaks.max() > 1 + 1e-6:
        return f"values from {lows.min():.3g} to {peaks.max():.3g}, outside of [0, 1]: choose a normalisation"
    reach = np.mean(peaks > 0.99)
    return f"values in [0, 1], {reach:.0%} of the maps reach 1"


def interpret_map(
    raw: RawMap, recognised: Recognised, labels: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Turn the maps of one file into activation maps, as the folder was recognised.

    Args:
        labels: (L,) classes of the image.

    Returns:
        cam (K, h, w) float16, float32 or float64, at the size and (unless normalised) with the values as
        stored, and class_ids (K,) int64, increasing. Integers are divided by the one that stands for 1.

    Raises:
        FormatError: the file does not fit, or names a class that does not exist or a class twice.
    """
    reading = recognised.reading
    planned = plan_planes(raw, reading, labels, n_classes)
    if raw.layout == KEYS_ONLY and (raw.keys is None or not raw.keys.size):
        return NO_PLANES, np.zeros(0, dtype=np.int64)
    if planned is None:
        keys = "no keys" if raw.keys is None else f"{len(raw.keys)} keys"
        raise FormatError(
            f"{count_planes(raw, reading)} planes and {keys}, for an image with {len(labels)} labels, do not fit the "
            f"rest of the folder (background: {recognised.background}, classes from {recognised.key_base})"
        )
    places, class_ids = planned
    if (class_ids >= n_classes).any() or len(np.unique(class_ids)) != len(class_ids):
        shown = ", ".join(map(str, class_ids[:8].tolist()))
        raise FormatError(f"its classes ({shown}) repeat or exceed {n_classes - 1}; check key base and classes")
    planes = take_planes(raw, reading, places)
    return normalise_maps(scale_integers(planes, recognised.top), recognised.normalisation), class_ids


def scale_integers(planes: np.ndarray, top: int) -> np.ndarray:
    """Scale maps of integers or booleans to [0, 1] as float32; floats stay as they are.

    Args:
        top: the number that stands for 1; 0 if the folder holds floats, and then booleans alone fit in.

    Raises:
        FormatError: a value below 0 or above `top`.
    """
    if planes.dtype.kind == "f":
        return planes
    low, high = (int(planes.min()), int(planes.max())) if planes.size else (0, 0)
    top = top or 1
    if low < 0 or high > top:
        raise FormatError(f"integers from {low} to {high} in a folder where {top} stands for 1; save them as floats")
    return planes.astype(np.float32) / np.float32(top)


def normalise_maps(cam: np.ndarray, normalisation: str) -> np.ndarray:
    """Normalise each map (K, h, w) on its own: not at all, by its maximum, or by its range.

    "max" is IRN's: negative values become 0, then a / (max + 1e-5). "minmax" is (a - min) / (max - min),
    and 0 for a constant map.
    """
    if normalisation == "stored" or not cam.size:
        return cam
    cam = cam.astype(np.float32)
    if normalisation == "max":
        cam = np.maximum(cam, 0)
        return cam / (cam.max(axis=(1, 2), keepdims=True) + np.float32(EPSILON))
    low = cam.min(axis=(1, 2), keepdims=True)
    span = cam.max(axis=(1, 2), keepdims=True) - low
    return (cam - low) / np.where(span > 0, span, 1)


def fit_maps(cam: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize maps to the ground truth bilinearly; maps of the right size are left alone, dtype and all."""
    if cam.shape[1:] == (height, width):
        return cam
    if not len(cam):
        return np.zeros((0, height, width), dtype=np.float32)
    return resize_maps(np.ascontiguousarray(cam, dtype=np.float32), height, width)
