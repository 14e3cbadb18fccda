"""Where the objects of a scene stand, how large they are and what they wear: no pixels yet.

Everything is in fractions of the picture's width, so a scene has the same layout at every size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from amn_core.data.scenes.backgrounds import BACKGROUNDS
from amn_core.data.scenes.coats import Coat
from amn_core.data.scenes.objects import FAMILIES, KINDS, coats_of

SMALLEST, LARGEST = 0.022, 0.78  # nominal share of the picture; what is cut off at its border comes off
TRIES = 14


@dataclass(frozen=True)
class Placement:
    """One object: class (1-based), coat, origin and units in fractions of the width, turn in radians.

    is_named_by_part: the small part names the class; else the coat does, and the part is the family's plain one.
    """

    class_id: int
    coat: Coat
    u: float
    v: float
    unit: float
    turn: float
    flip: bool
    seed: int
    is_named_by_part: bool

    @property
    def foot(self) -> float:
        """The v of its ground line: what stands lower is nearer."""
        return self.v + FAMILIES[KINDS[self.class_id - 1].family].foot * self.unit

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Box of the whole object, (u0, v0, u1, v1)."""
        u0, v0, u1, v1 = FAMILIES[KINDS[self.class_id - 1].family].extent
        u0, u1 = (-u1, -u0) if self.flip else (u0, u1)
        return tuple(c + e * self.unit for c, e in zip((self.u, self.v) * 2, (u0, v0, u1, v1), strict=True))

    @property
    def part(self) -> tuple[float, float, float]:
        """Centre and radius of the small part."""
        u, v, radius = FAMILIES[KINDS[self.class_id - 1].family].part
        return self.u + (-u if self.flip else u) * self.unit, self.v + v * self.unit, radius * self.unit


def choose_classes(rng: np.random.Generator) -> list[int]:
    """One to five classes (1-based); relatives come together more often than by chance."""
    count = 1 + int(np.searchsorted((0.26, 0.58, 0.82, 0.94), rng.random()))
    chosen = [int(rng.integers(len(KINDS))) + 1]
    while len(chosen) < count:
        pool = range(1, len(KINDS) + 1)
        if rng.random() < 0.3:
            family = KINDS[chosen[-1] - 1].family
            pool = [c for c in pool if KINDS[c - 1].family == family]
        chosen.append(int(pool[int(rng.integers(len(pool)))]))
    return chosen


def choose_background(rng: np.random.Generator, classes: list[int], cooccurrence: float) -> str:
    """The home of the first class with probability `cooccurrence`, else any background."""
    names, draw = tuple(BACKGROUNDS), rng.random()
    other = names[int(rng.integers(len(names)))]
    return KINDS[classes[0] - 1].home if draw < cooccurrence else other


def choose_coat(rng: np.random.Generator, class_id: int, discriminative: float) -> tuple[Coat, bool]:
    """Choose what names an object, and its coat.

    With probability `discriminative` its small part does, and it wears any coat of the family's wardrobe; else its
    own coat names it.

    Returns:
        The coat, and whether the small part names the class.
    """
    kind = KINDS[class_id - 1]
    wardrobe, draw = coats_of(kind.family), rng.random()
    other = wardrobe[int(rng.integers(len(wardrobe)))]
    is_named_by_part = bool(draw < discriminative)
    coat = other if is_named_by_part else kind.coat
    tone = rng.uniform(0.93, 1.05, 3) * rng.uniform(0.94, 1.04)
    base, second, light = (
        tuple(min(1.0, float(c * t)) for c, t in zip(colour, tone, strict=True))
        for colour in (coat.base, coat.second, coat.light)
    )
    return Coat(base, second, light, coat.pattern), is_named_by_part


def place_objects(
    rng: np.random.Generator, classes: list[int], horizon: float, discriminative: float
) -> list[Placement]:
    """Place the objects, farthest first; one that finds no room after some tries is left out."""
    placed: list[Placement] = []
    for rank, class_id in enumerate(classes):
        named = choose_coat(rng, class_id, discriminative)
        share = _choose_share(rng, rank, len(classes))
        for _ in range(TRIES):
            candidate = _propose(rng, class_id, named, share, horizon)
            if _is_in_frame(candidate) and all(_is_apart(candidate, other) for other in placed):
                placed.append(candidate)
                break
            share = max(SMALLEST, share * 0.86)
    return sorted(placed, key=lambda p: p.foot)


def _choose_share(rng: np.random.Generator, rank: int, count: int) -> float:
    """A share of the picture, uniform in its logarithm; the first object may be the largest."""
    top = LARGEST if count == 1 else 0.55 if rank == 0 else 0.2
    low = SMALLEST * (1.6 if rank == 0 else 1)
    return low * 2 ** float(rng.random() * round(math.log2(top / low), 6))


def _propose(
    rng: np.random.Generator, class_id: int, named: tuple[Coat, bool], share: float, horizon: float
) -> Placement:
    family = FAMILIES[KINDS[class_id - 1].family]
    unit = math.sqrt(share / family.area)
    reach = (family.extent[2] - family.extent[0]) * unit / 2
    margin = min(0.5, reach * 0.8)
    u = float(rng.uniform(margin, 1 - margin))
    nearest = max(0.98, 0.9 + 0.25 * share)
    foot = float(rng.uniform(horizon + 0.04, nearest)) if share < 0.3 else float(rng.uniform(0.88, 1.06))
    foot = max(foot, min(1.06, (family.foot - family.extent[1]) * unit + 0.01))
    turn = float(rng.uniform(-0.1, 0.1))
    flip, seed = bool(rng.random() < 0.5), int(rng.integers(2**31))
    return Placement(class_id, named[0], u, foot - family.foot * unit, unit, turn, flip, seed, named[1])


def _is_in_frame(it: Placement) -> bool:
    u, v, radius = it.part
    u0, v0, u1, v1 = it.bounds
    seen = max(0.0, min(1.0, u1) - max(0.0, u0)) * max(0.0, min(1.0, v1) - max(0.0, v0))
    inset = radius * 0.7
    return inset < u < 1 - inset and inset * 0.8 < v < 1 - inset and seen > 0.68 * (u1 - u0) * (v1 - v0)


def _is_apart(it: Placement, other: Placement) -> bool:
    """Whether the nearer of two hides neither the small part nor half of the farther."""
    near, far = (it, other) if it.foot > other.foot else (other, it)
    u0, v0, u1, v1 = near.bounds
    x0, y0, x1, y1 = far.bounds
    hidden = max(0.0, min(u1, x1) - max(u0, x0)) * max(0.0, min(v1, y1) - max(v0, y0))
    u, v, radius = far.part
    is_part_free = not (u0 - radius * 0.5 < u < u1 + radius * 0.5 and v0 - radius * 0.3 < v < v1)
    return is_part_free and hidden < 0.4 * (x1 - x0) * (y1 - y0)
