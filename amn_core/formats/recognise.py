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
from amn_core.formats.foreign import KEYS_ONLY, Layout, RawMap
from amn_core.formats.maps import resize_maps

BACKGROUNDS = ("none", "plane", "key 0", "padded keys")
NORMALISATIONS = ("stored", "max", "minmax")
EPSILON = 1e-5


@dataclass(frozen=True)
class ReadOptions:
    """What the user lays down about a folder of maps; "auto" leaves it to the content.

    Attributes:
        entry: name of the entry that holds the maps in a dict or an archive.
        key_base: "auto", "0" or "1", the number of the first foreground class.
        background: "auto", "none", or "first" where the first plane is the background.
        normalisation: "stored" leaves the maps as they are; "max" divides each map by its maximum (+1e-5,
            as IRN does) after cutting below 0; "minmax" maps its range to [0, 1].
    """

    entry: str = "auto"
    key_base: str = "auto"
    background: str = "auto"
    normalisation: str = "stored"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("key_base", ("auto", "0", "1")), ("background", ("auto", "none", "first")),
            ("normalisation", NORMALISATIONS),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(allowed)}")


@dataclass(frozen=True)
class Recognised:
    """What was recognised about a folder of maps.

    Attributes:
        layout: name of the layout.
        entry: entry that holds the maps; empty where there are no names.
        key_base: number of the first foreground class in the files, 0 or 1.
        background: "none", "plane", "key 0" or "padded keys"; see `Layout`.
        value_range: what the numbers of the maps look like, in words.
        normalisation: what is done to them here: "stored", "max" or "minmax".
        is_resized: whether the maps of the sample have another size than the ground truth.
        agreement: share of the sampled images whose classes are those of the image labels.
        samples: number of files that were looked at.
    """

    layout: str
    entry: str
    key_base: int
    background: str
    value_range: str
    normalisation: str
    is_resized: bool
    agreement: float
    samples: int

    def describe(self) -> str:
        """Describe it in one sentence."""
        entry = f", entry {self.entry!r}" if self.entry else ""
        background = {
            "none": "no background", "plane": "an extra first plane of background",
            "key 0": "key 0 is the background", "padded keys": "keys padded with background",
        }[self.background]
        size = "resized bilinearly to the ground truth" if self.is_resized else "at the size of the ground truth"
        return (
            f"{self.layout}{entry}; classes count from {self.key_base}; {background}; {self.value_range}; "
            f"normalisation: {self.normalisation}; {size}; classes agree with the image labels in "
            f"{self.agreement:.0%} of {self.samples} files"
        )


@dataclass(frozen=True)
class Reading:
    """One way of reading keys and planes."""

    key_base: int
    background: str


READINGS = (
    Reading(0, "none"), Reading(1, "none"), Reading(0, "plane"), Reading(1, "plane"),
    Reading(1, "key 0"), Reading(1, "padded keys"),
)


def apply_reading(raw: RawMap, reading: Reading, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Read keys and planes in one way.

    Args:
        labels: (L,) classes of the image; they name the planes where the file does not.

    Returns:
        planes (K, h, w) as stored and class_ids (K,) int64, in increasing order; None if the shapes
        or keys do not allow this reading.
    """
    keys = raw.keys
    planes = raw.planes[1:] if reading.background in ("plane", "key 0") and len(raw.planes) else raw.planes
    if keys is None:
        class_ids = name_planes(planes, labels)
    elif reading.background in ("key 0", "padded keys"):
        class_ids = keys[1:] if keys.size and keys[0] == 0 and (keys[1:] > 0).all() else None
        class_ids = keys if not keys.size else class_ids
    else:
        class_ids = keys + (1 - reading.key_base)
    if class_ids is None or len(class_ids) != len(planes) or (class_ids < 1).any():
        return None
    order = np.argsort(class_ids, kind="stable")
    is_sorted = (np.diff(order) == 1).all()
    return (planes, class_ids) if is_sorted else (planes[order], class_ids[order])


def name_planes(planes: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """Name the planes of a file without keys: one for each label, in order; None if they are not as many."""
    return labels if len(labels) == len(planes) else None


def rate_reading(raws: Sequence[RawMap], labels: Sequence[np.ndarray], reading: Reading, n_classes: int) -> float:
    """Rate a reading by the image labels: mean over files of 1 (same classes), ½ (some of them), 0, or -1.

    A file that cannot be read so, or that would name a class that does not exist, counts -1.
    """
    points = []
    for raw, present in zip(raws, labels, strict=True):
        read = apply_reading(raw, reading, present)
        if read is None or (read[1] >= n_classes).any():
            points.append(-1.0)
        elif np.array_equal(read[1], present):
            points.append(1.0)
        else:
            points.append(0.5 if np.isin(read[1], present).all() else 0.0)
    return float(np.mean(points))


def recognise(
    raws: Sequence[RawMap], labels: Sequence[np.ndarray], sizes: Sequence[tuple[int, int] | None],
    n_classes: int, options: ReadOptions = ReadOptions(),
) -> Recognised:
    """Recognise what the files of a folder mean from a sample of them.

    Args:
        raws: the sample.
        labels: classes of each image, (L,) int64, 1-based and increasing.
        sizes: height and width of each ground truth, None where there is none.
        n_classes: number of classes with background.
        options: what the user lays down.

    Raises:
        FormatError: the sample is empty, or no reading fits it (with the user's wishes).
    """
    full = [i for i, raw in enumerate(raws) if raw.layout != KEYS_ONLY] or list(range(len(raws)))
    raws, labels, sizes = [raws[i] for i in full], [labels[i] for i in full], [sizes[i] for i in full]
    if not raws:
        raise FormatError("no file of maps was found for the images of this split; check the folder and the split")
    layout = Counter(raw.layout for raw in raws).most_common(1)[0][0]
    reading = choose_reading(raws, labels, n_classes, layout, options)
    rated = [rate_reading([raw], [present], reading, n_classes) for raw, present in zip(raws, labels, strict=True)]
    return Recognised(
        layout=layout.name, entry=Counter(raw.entry for raw in raws).most_common(1)[0][0],
        key_base=reading.key_base, background=reading.background, value_range=describe_range(raws),
        normalisation=options.normalisation,
        is_resized=any(size not in (None, raw.planes.shape[1:]) for raw, size in zip(raws, sizes, strict=True)),
        agreement=float(np.mean([points == 1 for points in rated])), samples=len(raws),
    )


def choose_reading(
    raws: Sequence[RawMap], labels: Sequence[np.ndarray], n_classes: int, layout: Layout, options: ReadOptions
) -> Reading:
    """Choose the reading that agrees best with the labels, of those that the user allows; habit decides ties."""
    habit = Reading(layout.key_base, layout.background)
    backgrounds = {"auto": BACKGROUNDS, "first": ("plane", "key 0"), "none": ("none", "padded keys")}
    allowed = [
        reading for reading in READINGS
        if options.key_base in ("auto", str(reading.key_base))
        and reading.background in backgrounds[options.background]
    ]
    rated = {reading: rate_reading(raws, labels, reading, n_classes) for reading in allowed}
    best = max(rated.values())
    if best <= -1:
        shapes = sorted({(len(raw.planes), -1 if raw.keys is None else len(raw.keys)) for raw in raws})[:4]
        raise FormatError(
            f"{layout.name}: planes and keys (their numbers are {shapes}) fit no reading with key_base "
            f"{options.key_base} and background {options.background}; give these, or check the class list"
        )
    equal = [reading for reading, points in rated.items() if points >= best - 1e-9]
    return habit if habit in equal else equal[0]


def describe_range(raws: Sequence[RawMap]) -> str:
    """Describe the numbers of some maps in words: range, and whether each map reaches 1."""
    peaks = np.array([plane.max() for raw in raws for plane in raw.planes], dtype=np.float64)
    lows = np.array([plane.min() for raw in raws for plane in raw.planes], dtype=np.float64)
    if not peaks.size:
        return "no maps"
    if raws[0].planes.dtype.kind in "iu":
        return f"integers {lows.min():.0f}–{peaks.max():.0f}"
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
        stored, and class_ids (K,) int64, increasing. Integers of 8 and 16 bits are divided by 255 or 65535.

    Raises:
        FormatError: the file does not fit, or names a class that does not exist or a class twice.
    """
    read = apply_reading(raw, Reading(recognised.key_base, recognised.background), labels)
    if raw.layout == KEYS_ONLY:
        read = raw.planes.astype(np.float32), np.zeros(0, dtype=np.int64)
    if read is None:
        keys = "no keys" if raw.keys is None else f"{len(raw.keys)} keys"
        raise FormatError(
            f"{len(raw.planes)} planes and {keys}, for an image with {len(labels)} labels, do not fit the rest of the "
            f"folder (background: {recognised.background}, classes from {recognised.key_base})"
        )
    planes, class_ids = read
    if (class_ids >= n_classes).any() or len(np.unique(class_ids)) != len(class_ids):
        raise FormatError(f"classes {class_ids.tolist()} repeat or exceed {n_classes - 1}; check key base and classes")
    return normalise_maps(scale_integers(planes), recognised.normalisation), class_ids


def scale_integers(planes: np.ndarray) -> np.ndarray:
    """Scale maps of 8 or 16 bits to [0, 1] as float32; floats stay as they are."""
    if planes.dtype.kind == "f":
        return planes
    top = {1: 255, 2: 65535}.get(planes.dtype.itemsize)
    if planes.dtype.kind != "u" or top is None:
        raise FormatError(f"maps of dtype {planes.dtype}; expected floats, or unsigned integers of 8 or 16 bits")
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
