"""How files may be read and scored: one value for each choice, and the words for them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

# In the order in which an evaluation makes the choices; steps of a path are applied in it.
CHANGES = {
    "images": "list", "ground_truth": "ground truth", "numbering": "numbering", "normalisation": "normalisation",
    "background": "background", "size": "size", "ignored": "255", "unsure": "255 in the masks",
    "averaging": "averaging", "cut": "threshold",
}
NORMALISATIONS = {
    "stored": "as stored", "max": "divided by the maximum of each class", "image max": "divided by the image's maximum",
    "range": "stretched to [0, 1] by class", "image range": "stretched to [0, 1] by image",
    "softmax": "softmax over the planes",
}
PLANES = {
    "none": "no plane of background", "plane": "the first plane is background", "last": "the last plane is background",
    "key 0": "key 0 is background", "padded keys": "keys padded with background",
}
# The exponents of (1 - max)^a in use: CLIP-ES, SEAM and those who followed.
EXPONENTS = (16, 10, 8, 4, 2, 1)  # from the largest: their thresholds rise
RULES = {
    "constant": "a constant", "argmax": "it competes with the classes", "nothing": "no background at all",
} | {f"exponent {a}": f"(1 − max)^{a}" for a in EXPONENTS}
SIZES = {
    "bilinear": "enlarged bilinearly", "nearest": "enlarged to the nearest pixel",
    "reduced": "ground truth reduced to the maps",
}
IGNORED = {"left out": "left out", "error": "an error", "background": "background"}
AVERAGINGS = {"irn": "union", "seam": "all", "toco": "present"}
AVERAGING_WORDS = {
    "irn": "irn: over classes with a pixel in either", "seam": "seam: over all classes, absent ones as 0",
    "toco": "toco: over classes of the ground truth",
}


@dataclass(frozen=True)
class Reading:
    """One way of reading files and scoring them.

    Attributes:
        images: name of the list. ground_truth: name of the folder of masks.
        numbering: which number is which class; for maps the key of the first class (``"0"``, ``"1"``, ``"-1"``,
            ``"categories"``) or ``fixed``, for masks one of `amn_core.formats.numbering.NUMBERINGS`.
        normalisation: one of `NORMALISATIONS`.
        background: one of `PLANES` and one of `RULES`, joined by a colon; for masks ``masks``.
        size: one of `SIZES`. ignored: what 255 in the ground truth counts as, one of `IGNORED`.
        unsure: what 255 in a finished mask counts as, likewise. averaging: one of `AVERAGINGS`.
        cut: the threshold; None is the one at which the curve peaks.
    """

    images: str
    ground_truth: str
    numbering: str = "0"
    normalisation: str = "stored"
    background: str = "none:constant"
    size: str = "bilinear"
    ignored: str = "left out"
    unsure: str = "background"
    averaging: str = "irn"
    cut: float | None = None

    @property
    def plane(self) -> str:
        """Where a plane of background is."""
        return self.background.partition(":")[0]

    @property
    def rule(self) -> str:
        """What the background is made of."""
        return self.background.partition(":")[2]

    @property
    def has_cut(self) -> bool:
        """Whether a threshold decides what is background."""
        return self.rule == "constant"

    def change(self, name: str, value: object) -> "Reading":
        """Change one choice."""
        return replace(self, **{name: value})


@dataclass(frozen=True)
class PixelReading:
    """The choices for which pixels must be counted anew; all others share the counts.

    Attributes:
        family: the rules that share counts: ``constant`` (and ``nothing``), ``argmax`` or ``exponent``.
        numbering: of masks, whose values are turned into labels first; empty for maps.
    """

    ground_truth: str
    normalisation: str
    plane: str
    family: str
    size: str
    numbering: str = ""


def find_pixels(reading: Reading, is_masks: bool) -> PixelReading:
    """Find the counts that a reading is scored from."""
    rule = reading.rule
    family = "exponent" if rule.startswith("exponent") else "argmax" if rule == "argmax" else "constant"
    return PixelReading(reading.ground_truth, reading.normalisation, reading.plane, family, reading.size,
                        reading.numbering if is_masks else "")


@dataclass(frozen=True)
class Choices:
    """The values that the files allow for each choice but the threshold; the first is what is read at first."""

    images: tuple[str, ...]
    ground_truth: tuple[str, ...]
    numbering: tuple[str, ...]
    normalisation: tuple[str, ...] = ("stored",)
    background: tuple[str, ...] = ("none:constant",)
    size: tuple[str, ...] = ("bilinear",)
    ignored: tuple[str, ...] = tuple(IGNORED)
    unsure: tuple[str, ...] = ("background",)
    averaging: tuple[str, ...] = tuple(AVERAGINGS)

    def build_base(self, cut: float | None) -> Reading:
        """Build the reading that is taken at first."""
        return Reading(**{field.name: getattr(self, field.name)[0] for field in fields(self)}, cut=cut)

    def list_others(self) -> list[tuple[str, str]]:
        """List every change of one choice, as its name and the new value."""
        return [(field.name, value) for field in fields(self) for value in getattr(self, field.name)[1:]]


def list_changes(base: Reading, other: Reading) -> list[str]:
    """List the choices in which two readings differ, in order; without a threshold to choose it does not count."""
    names = [name for name in CHANGES if getattr(base, name) != getattr(other, name)]
    return [name for name in names if name != "cut" or other.has_cut]


def word_value(name: str, value: object, is_masks: bool = False) -> str:
    """Word the value of a choice, as a user knows it.

    >>> word_value("background", "plane:constant"), word_value("cut", 0.15)
    ('the first plane is background; a constant', '0.15')
    """
    if name == "cut":
        return "the peak" if value is None else f"{value:g}"
    if name == "background":
        plane, _, rule = str(value).partition(":")
        return "; ".join(([PLANES[plane]] if plane in PLANES and plane != "none" else []) + [RULES.get(rule, rule)])
    if name == "numbering":
        return word_numbering(str(value), is_masks)
    tables = {"normalisation": NORMALISATIONS, "size": SIZES, "ignored": IGNORED, "unsure": IGNORED,
              "averaging": AVERAGING_WORDS}
    return tables.get(name, {}).get(value, str(value))


def word_ends(name: str, before: object, after: object, is_masks: bool = False) -> tuple[str, str]:
    """Word both ends of a change; of a background only what differs.

    >>> word_ends("background", "last:constant", "plane:constant")
    ('the last plane is background', 'the first plane is background')
    """
    if name == "background":
        pairs = [str(value).partition(":")[::2] for value in (before, after)]
        if pairs[0][0] == pairs[1][0]:
            return tuple(RULES.get(rule, rule) for _, rule in pairs)
        if pairs[0][1] == pairs[1][1]:
            return tuple(PLANES.get(plane, plane) for plane, _ in pairs)
    return word_value(name, before, is_masks), word_value(name, after, is_masks)


def word_numbering(value: str, is_masks: bool) -> str:
    """Word how classes are numbered."""
    if is_masks:
        from amn_core.formats.numbering import WORDS

        return WORDS.get(value, value)
    words = {"0": "classes from 0", "1": "classes from 1", "-1": "classes one too low", "categories": "category ids",
             "fixed": "as the image labels say"}
    return words.get(value, value)


def spread(ids: Sequence[str], most: int) -> tuple[str, ...]:
    """Choose at most some of the ids, spread over all of them.

    >>> spread(("a", "b", "c", "d", "e"), 3)
    ('a', 'c', 'e')
    """
    if len(ids) <= most:
        return tuple(ids)
    return tuple(ids[round(i * (len(ids) - 1) / (most - 1))] for i in range(most))
