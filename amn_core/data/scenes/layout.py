"""Where the objects of a scene stand, how large they are and what they wear: no pixels yet.

Everything is in fractions of the picture's width, so a scene has the same layout at every size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from amn_core.data.scenes.backgrounds import Setting
from amn_core.data.scenes.coats import Build, Coat, Look
from amn_core.data.scenes.objects import FAMILIES, KINDS, Kind, looks_of

SMALLEST, LARGEST = 0.035, 0.78  # nominal share of the picture; what is cut off at its border comes off
TRIES = 14
FAR = 0.3  # size of what stands at the horizon, as a share of the size at the lower edge


@dataclass(frozen=True)
class Placement:
    """One object: class (1-based), look, origin and units in fractions of the width, turn in radians.

    is_afloat: whether it lies on water, with a ripple around it.
    """

    class_id: int
    look: Look
    u: float
    v: float
    unit: float
    turn: float
    flip: bool
    seed: int
    is_afloat: bool

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


def choose_background(rng: np.random.Generator, class_id: int, cooccurrence: float) -> str:
    """The home of a class (1-based) with probability `cooccurrence`, else any background where it belongs."""
    kind, draw = KINDS[class_id - 1], rng.random()
    other = kind.places[int(rng.integers(len(kind.places)))]
    return kind.home if draw < cooccurrence else other


def choose_classes(rng: np.random.Generator, first: int, background: str) -> list[int]:
    """One to five classes (1-based) that belong on a background; relatives come together more often than by chance."""
    count = 1 + int(np.searchsorted((0.26, 0.58, 0.82, 0.94), rng.random()))
    fitting = [c for c, kind in enumerate(KINDS, 1) if background in kind.places]
    chosen = [first]
    while len(chosen) < count:
        pool = fitting
        if rng.random() < 0.3:
            family = KINDS[chosen[-1] - 1].family
            pool = [c for c in fitting if KINDS[c - 1].family == family]
        chosen.append(int(pool[int(rng.integers(len(pool)))]))
    return chosen


def choose_look(rng: np.random.Generator, class_id: int, discriminative: float) -> Look:
    """Choose the coat and the build of an object, each by itself.

    With probability `discriminative` it is any of the family's, whatever the class; else it is the class's own. So a
    look narrows the class down without naming it: at 0 it tells as much as the small part, at 1 nothing but the family.
    """
    kind = KINDS[class_id - 1]
    coats, builds = looks_of(kind.family)
    draws = rng.random(4)
    coat = coats[int(draws[0] * len(coats))] if draws[1] < discriminative else kind.coat
    build = builds[int(draws[2] * len(builds))] if draws[3] < discriminative else kind.build
    return Look(_tone(rng, coat), _vary(rng, build))


def _tone(rng: np.random.Generator, coat: Coat) -> Coat:
    """The coat a little lighter, darker, warmer or cooler."""
    tone = rng.uniform(0.93, 1.05, 3) * rng.uniform(0.94, 1.04)
    base, second, light = (
        tuple(min(1.0, float(c * t)) for c, t in zip(colour, tone, strict=True))
        for colour in (coat.base, coat.second, coat.light)
    )
    return Coat(base, second, light, coat.pattern)


def _vary(rng: np.random.Generator, build: Build) -> Build:
    length, girth = (round(float(x * y), 3) for x, y in zip((build.length, build.girth), rng.uniform(0.96, 1.04, 2)))
    return Build(length, girth, build.tail)


def place_objects(
    rng: np.random.Generator, classes: list[int], setting: Setting, discriminative: float
) -> list[Placement]:
    """Place the objects, farthest first; one that finds no room after some tries is left out.

    The first has a size of its own, which says how near the camera is; the others have the sizes that go with it:
    by their kind and by how far off they stand.
    """
    placed: list[Placement] = []
    zoom = None
    for class_id in classes:
        look = choose_look(rng, class_id, discriminative)
        for _ in range(TRIES):
            candidate = _propose(rng, class_id, look, setting, zoom, len(classes))
            if candidate and _is_in_frame(candidate) and all(_is_apart(candidate, other) for other in placed):
                placed.append(candidate)
                zoom = zoom or _measure_zoom(candidate, setting)
                break
    return sorted(placed, key=lambda p: p.foot)


def _measure_zoom(it: Placement, setting: Setting) -> float:
    """How large a unit would be at the lower edge for a kind of size 1."""
    return it.unit / (KINDS[it.class_id - 1].size * measure_depth(it.foot, setting))


def measure_depth(foot: float, setting: Setting) -> float:
    """The size of what stands there, as a share of its size at the lower edge."""
    return FAR + (1 - FAR) * max(0.0, foot - setting.horizon) / (1 - setting.horizon)


def _choose_share(rng: np.random.Generator, count: int) -> float:
    """A share of the picture for the first object, uniform in its logarithm."""
    top, low = LARGEST if count == 1 else 0.5, SMALLEST * 1.6
    return low * 2 ** float(rng.random() * round(math.log2(top / low), 6))


def _propose(
    rng: np.random.Generator, class_id: int, look: Look, setting: Setting, zoom: float | None, count: int
) -> Placement | None:
    """Propose a place for an object; None if it would be too small or too large there."""
    kind = KINDS[class_id - 1]
    family = FAMILIES[kind.family]
    share, draws = _choose_share(rng, count), rng.random(5)
    top, bottom, is_afloat = _choose_strip(kind, setting, float(draws[0]))
    if zoom is None:
        unit = math.sqrt(share / family.area)
        near = share > 0.3 and bottom > 0.95
        foot = 0.88 + 0.18 * float(draws[1]) if near else top + (bottom - top) * float(draws[1])
        foot = max(foot, min(bottom, (family.foot - family.extent[1]) * unit + 0.01))
    else:
        foot = top + (bottom - top) * float(draws[1])
        unit = zoom * kind.size * measure_depth(foot, setting) * (0.9 + 0.2 * float(draws[2]))
        if not SMALLEST <= unit * unit * family.area <= LARGEST:
            return None
    margin = min(0.5, (family.extent[2] - family.extent[0]) * unit * 0.4)
    u = margin + (1 - 2 * margin) * float(draws[3])
    turn, flip = 0.16 * float(draws[4]) - 0.08, bool(rng.random() < 0.5)
    v, seed = foot - family.foot * unit, int(rng.integers(2**31))
    return Placement(class_id, look, u, v, unit, turn, flip, seed, is_afloat)


def _choose_strip(kind: Kind, setting: Setting, draw: float) -> tuple[float, float, bool]:
    """The strip of a background that a kind stands on, first and last v, and whether it is water."""
    fitting = [name for name in kind.stands_on if name in setting.strips]
    name = fitting[int(draw * len(fitting))]
    return (*setting.strips[name], name == "water")


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
