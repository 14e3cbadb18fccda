"""The ten kinds of objects of the scenes: four families that share a body, and what tells them apart.

Every object is drawn in its own units, facing right, v pointing down, within about [-1, 1]. Its head, roof sign,
flag and emblem, painted with `is_part=True`, name its class. The rest, coat and build of the body (legs, hull,
coachwork), is shared out within the family: it tells the family for certain, and the class more or less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from amn_core.data.scenes import parts
from amn_core.data.scenes.canvas import (
    Canvas,
    Patch,
    box,
    capsule,
    circle,
    cut,
    darken,
    edge_cover,
    ellipse,
    hex_colour,
    mix,
    polygon,
    union,
)
from amn_core.data.scenes.coats import Build, Coat, Look

INK = hex_colour("#2B2730")
CREAM = hex_colour("#FFF6E3")


@dataclass(frozen=True)
class Kind:
    """A class of objects: its family, its own coat and build, the background it is at home on, its small part.

    size: of its unit beside other kinds at the same distance. places: backgrounds where it belongs. stands_on: the
    strips of a background that it may stand on.
    """

    name: str
    family: str
    coat: Coat
    build: Build
    home: str
    draw_part: Callable[[Canvas, Coat], None]
    size: float
    places: tuple[str, ...]
    stands_on: tuple[str, ...] = ("land",)


@dataclass(frozen=True)
class Family:
    """What the classes of a family share.

    draw paints the body and, in its place, the part. area: coverage of the whole object in square units, about.
    extent: bounds (u0, v0, u1, v1) of everything. part: centre and radius of the small part. foot: v of the ground
    line. wardrobe: coats of no class, worn beside those of the classes.
    """

    draw: Callable[[Canvas, Look, Callable[[Canvas, Coat], None], np.random.Generator], None]
    area: float
    extent: tuple[float, float, float, float]
    part: tuple[float, float, float]
    foot: float
    wardrobe: tuple[Coat, ...]


def _coat(base: str, second: str, light: str, pattern: str) -> Coat:
    return Coat(hex_colour(base), hex_colour(second), hex_colour(light), pattern)


def dye(canvas: Canvas, patch: Patch | None, coat: Coat, pitch: float, rng: np.random.Generator) -> None:
    """Paint the pattern of a coat over a body; pitch is the distance of its stripes or spots (units)."""
    if patch is None or coat.pattern == "plain" or pitch * canvas.scale < 3:
        return
    u, v = canvas.grid(patch.window)
    shift = float(rng.random()) * pitch
    if coat.pattern == "patches":
        return _dye_patches(canvas, patch, coat, pitch, rng)
    if coat.pattern == "two-tone":
        distance = np.broadcast_to(0.16 - v, patch.cover.shape)
    elif coat.pattern == "stripes":
        wave = (u + v * 0.25 + shift) * (1 / pitch)
        distance = (np.abs(wave - np.floor(wave) - 0.5) - 0.2) * pitch
    else:
        row = np.floor((v + shift) * (1.15 / pitch))
        p = (u + shift) * (1 / pitch) + row * 0.5
        q = (v + shift) * (1.15 / pitch) - row - 0.5
        p = p - np.floor(p) - 0.5
        distance = (np.sqrt(p * p + q * q) - 0.27) * pitch
    canvas.blend(patch.window, coat.second, edge_cover(distance, canvas.scale), patch)


def _dye_patches(canvas: Canvas, patch: Patch, coat: Coat, pitch: float, rng: np.random.Generator) -> None:
    for u, v in ((-0.55, -0.02), (0.02, 0.22), (0.3, -0.15), (-0.2, -0.28)):
        du, dv, ru, rv, turn = (float(x) for x in rng.uniform(-1, 1, 5))
        spot = ellipse(u + du * 0.09, v + dv * 0.07, pitch * (0.7 + 0.2 * ru), pitch * (0.55 + 0.15 * rv), turn)
        canvas.paint(spot, coat.second, within=patch)


def draw_quadruped(canvas: Canvas, look: Look, draw_part: Callable, rng: np.random.Generator) -> None:
    """A body on four legs; the head is the part. A slim body leaves more of the legs to see, a long one goes back."""
    coat, build = look.coat, look.build
    far, paw = darken(coat.base, 0.9), mix(coat.second, INK, 0.25)
    back = 0.62 - 1.2 * build.length  # u of the hind legs
    belly, wide = 0.1 - 0.1 * (build.girth - 1), 0.135 * build.girth
    canvas.paint(union(capsule(back + 0.21, 0.3, back + 0.21, 0.78, wide), capsule(0.42, 0.3, 0.42, 0.78, wide)), far)
    _draw_tail(canvas, coat, build, back)
    legs = union(capsule(back, 0.3, back, 0.78, wide * 1.07), capsule(0.22, 0.3, 0.22, 0.78, wide * 1.07))
    canvas.paint(legs, mix(coat.base, far, 0.35))
    canvas.paint(union(*(box(u + 0.015, 0.84, wide * 1.18, 0.085, 0.07) for u in (back, 0.22))), paw)
    middle, half = (back + 0.35) / 2, (0.76 - back) / 2 + 0.08
    body = union(
        ellipse(middle, belly + 0.03, half, 0.46 * build.girth), ellipse(0.36, 0.0, 0.36, 0.44 * build.girth), blend=0.2
    )
    patch = canvas.paint(body, coat.base)
    if patch is not None:
        light = ellipse(middle, belly + 0.44 * build.girth, half * 0.7, 0.2)
        canvas.paint(light, coat.light, within=patch, softness=0.06)
        dye(canvas, patch, coat, 0.3, rng)
        canvas.shade(patch, 0.16, 0.7)
    draw_part(canvas, coat)


def _draw_tail(canvas: Canvas, coat: Coat, build: Build, back: float) -> None:
    """A long raised tail, one that hangs and ends in a tuft, or a bob."""
    rump = back - 0.1
    if build.tail == "bob":
        canvas.paint(circle(rump - 0.14, 0.12, 0.15), mix(coat.light, coat.base, 0.25), shade=0.04)
    elif build.tail == "long":
        bend = union(
            capsule(rump, 0.0, rump - 0.26, -0.12, 0.075), capsule(rump - 0.26, -0.12, rump - 0.3, -0.5, 0.075, 0.07),
            capsule(rump - 0.3, -0.5, rump - 0.18, -0.66, 0.07, 0.06), blend=0.06,
        )
        canvas.paint(bend, coat.base, shade=0.03)
        canvas.paint(circle(rump - 0.18, -0.66, 0.07), coat.second)
    else:
        rope = union(capsule(rump, -0.08, rump - 0.2, 0.02, 0.06), capsule(rump - 0.2, 0.02, rump - 0.25, 0.36, 0.05))
        canvas.paint(rope, coat.base, shade=0.03)
        canvas.paint(ellipse(rump - 0.25, 0.46, 0.09, 0.14), coat.second)


def draw_bird(canvas: Canvas, look: Look, draw_part: Callable, rng: np.random.Generator) -> None:
    """An egg-shaped body with wing, tail and two thin legs; the head is the part."""
    coat, build = look.coat, look.build
    leg = hex_colour("#E0912F")
    feet = (polygon(((u - 0.09, 0.9), (u + 0.01, 0.8), (u + 0.2, 0.9)), 0.03) for u in (-0.14, 0.12))
    canvas.paint(union(*(capsule(u, 0.4, u, 0.84, 0.04) for u in (-0.14, 0.12)), *feet), leg)
    _draw_feathers(canvas, coat, build)
    half = 0.62 * build.length
    body = union(
        ellipse(0.5 - half, 0.14, half, 0.47 * build.girth, -0.12),
        capsule(0.3, -0.05, 0.44, -0.4, 0.27, 0.2),
        blend=0.25,
    )
    patch = canvas.paint(body, coat.base)
    if patch is not None:
        canvas.paint(ellipse(0.2, 0.36, 0.42, 0.26, -0.5), coat.light, within=patch, softness=0.06)
        dye(canvas, patch, coat, 0.2, rng)
        canvas.shade(patch, 0.16, 0.7)
    middle = 0.36 - half
    wing = union(ellipse(middle, 0.08, 0.36, 0.24, 0.2), ellipse(middle - 0.24, 0.06, 0.2, 0.1, 0.3), blend=0.15)
    inner = canvas.paint(wing, coat.second, shade=0.08)
    if inner is not None:
        feathers = union(ellipse(middle - 0.06, 0.14, 0.16, 0.02, 0.25), ellipse(middle + 0.12, 0.14, 0.16, 0.02, 0.25))
        canvas.paint(feathers, mix(coat.second, coat.light, 0.45), within=inner)
    draw_part(canvas, coat)


def _draw_feathers(canvas: Canvas, coat: Coat, build: Build) -> None:
    """Tail feathers: a fan to the back, a plume that rises in a bow, or a short turned-up tip."""
    rump = 0.5 - 1.1 * build.length
    if build.tail == "plume":
        turns = ((-0.1, -0.36, 1.15, 0.4), (-0.22, -0.2, 0.8, 0.42), (-0.24, 0.0, 0.4, 0.36))
        for i, (du, v, turn, reach) in enumerate(turns):
            canvas.paint(ellipse(rump + du, v, reach, 0.12, turn), mix(coat.second, coat.base, 0.3 * i), shade=0.04)
    elif build.tail == "fan":
        for turn, tone in ((0.55, 0.0), (0.2, 0.45), (-0.2, 0.2)):
            canvas.paint(ellipse(rump - 0.06, -0.02 + turn * 0.2, 0.34, 0.12, turn), mix(coat.second, coat.base, tone))
    else:
        canvas.paint(ellipse(rump + 0.02, -0.12, 0.28, 0.12, 0.7), coat.second, shade=0.04)


def draw_car(canvas: Canvas, look: Look, draw_part: Callable, rng: np.random.Generator) -> None:
    """Coachwork, windows and wheels; the sign on the roof and the badge on the door are the part."""
    coat, build = look.coat, look.build
    glass, tyre, chrome = hex_colour("#A9D9E8"), hex_colour("#35313B"), hex_colour("#DDE1E6")
    cabin = polygon(((-0.66, 0.12), (-0.4, -0.4), (0.26, -0.4), (0.6, 0.12)), 0.16)
    canvas.paint(cabin, coat.base)
    rear, front = (
        ((-0.5, 0.06), (-0.32, -0.29), (-0.1, -0.29), (-0.1, 0.06)),
        ((0.0, 0.06), (0.0, -0.29), (0.2, -0.29), (0.43, 0.06)),
    )
    panes = canvas.paint(union(polygon(rear, 0.07), polygon(front, 0.07)), glass)
    if panes is not None:
        shine = union(capsule(-0.38, 0.1, -0.2, -0.34, 0.03), capsule(0.12, 0.1, 0.3, -0.34, 0.03))
        canvas.paint(shine, CREAM, within=panes, opacity=0.7)
    hull = union(box(0.0, 0.3, 0.98, 0.26, 0.17), ellipse(0.0, 0.12, 0.8 * build.length, 0.13 * build.girth), blend=0.1)
    patch = canvas.paint(hull, coat.base)
    if patch is not None:
        dye(canvas, patch, coat, 0.26, rng)
        canvas.paint(box(0.0, 0.11, 0.9, 0.018, 0.018), coat.light, within=patch)
        canvas.shade(patch, 0.12, 0.7)
    canvas.paint(box(-0.05, 0.3, 0.012, 0.2, 0.01), darken(coat.base, 1.5), within=patch)
    canvas.paint(box(-0.17, 0.2, 0.06, 0.02, 0.02), chrome)
    canvas.paint(ellipse(0.9, 0.22, 0.08, 0.09), hex_colour("#FFE9A0"))
    canvas.paint(box(-0.94, 0.22, 0.045, 0.08, 0.03), hex_colour("#E2504A"))
    canvas.paint(box(0.0, 0.5, 0.99, 0.05, 0.05), chrome)
    for radius, colour in ((0.25, tyre), (0.135, chrome), (0.05, tyre)):
        canvas.paint(union(circle(-0.54, 0.54, radius), circle(0.54, 0.54, radius)), colour)
    draw_part(canvas, coat)


def draw_boat(canvas: Canvas, look: Look, draw_part: Callable, rng: np.random.Generator) -> None:
    """A hull with a mast and two sails; the flag at the top and the emblem on the sail are the part."""
    coat, build = look.coat, look.build
    wood = hex_colour("#8A5A3B")
    canvas.paint(box(0.0, -0.35, 0.035, 0.72, 0.03), wood)
    jib = cut(polygon(((-0.08, -0.86), (-0.08, 0.2), (-0.72, 0.2)), 0.05), circle(-1.05, -0.62, 0.72))
    canvas.paint(jib, mix(coat.light, coat.second, 0.25), shade=0.08)
    sail = polygon(((0.08, 0.2), (0.06, -0.94), (0.42, -0.7), (0.72, -0.3), (0.86, 0.2)), 0.08)
    cloth = canvas.paint(sail, coat.light)
    if cloth is not None:
        dye(canvas, cloth, coat, 0.3, rng)
        canvas.shade(cloth, 0.1, 0.7)
    stern, keel = 0.3 - 0.9 * (build.girth - 1), 0.74 * build.length
    outline = polygon(((-1.0, stern), (1.05, 0.24), (keel, 0.86), (-keel, 0.86)), 0.16)
    hull = cut(outline, ellipse(0.0, 0.16, 0.8, 0.14))
    patch = canvas.paint(hull, coat.base)
    if patch is not None:
        canvas.paint(box(0.0, 0.44, 1.1, 0.035), coat.light, within=patch)
        canvas.shade(patch, 0.12, 0.7)
    for radius, colour in ((0.085, "#F3D27A"), (0.055, "#3E5B72")):
        canvas.paint(union(*(circle(u, 0.6, radius) for u in (-0.42, -0.02, 0.38))), hex_colour(colour))
    draw_part(canvas, coat)


LAND = ("meadow", "farm", "lake", "beach", "snow", "night", "city", "street", "room")
COUNTRY = ("meadow", "farm", "lake", "beach", "snow", "night")
ROADS = ("city", "street", "farm", "meadow", "snow", "night")
WATER = ("lake", "sea", "beach")
KINDS = (
    Kind("cat", "quadruped", _coat("#EBA45C", "#CC7634", "#FBE6C8", "stripes"), Build(1.0, 0.8, "long"),
         "room", parts.draw_cat_head, 0.6, LAND),
    Kind("cow", "quadruped", _coat("#F6F0E6", "#4C4149", "#FFFFFF", "patches"), Build(1.08, 1.1, "tuft"),
         "meadow", parts.draw_cow_head, 1.0, COUNTRY),
    Kind("rabbit", "quadruped", _coat("#B8A8A6", "#96837F", "#EFE6E2", "plain"), Build(0.76, 0.98, "bob"),
         "snow", parts.draw_rabbit_head, 0.55, LAND),
    Kind("duck", "bird", _coat("#F6CE55", "#E5A93A", "#FCEBB0", "plain"), Build(1.05, 0.9, "short"),
         "lake", parts.draw_duck_head, 0.52, (*LAND, "sea"), ("land", "water")),
    Kind("owl", "bird", _coat("#A07A5C", "#6E4F3D", "#E3CBA8", "spots"), Build(0.84, 1.1, "fan"),
         "night", parts.draw_owl_head, 0.55, LAND),
    Kind("rooster", "bird", _coat("#CB5E3C", "#2F6668", "#F0B46A", "stripes"), Build(0.98, 1.0, "plume"),
         "farm", parts.draw_rooster_head, 0.58, LAND),
    Kind("taxi", "car", _coat("#F7C736", "#E39C20", "#FFF0B8", "plain"), Build(1.0, 0.8),
         "city", parts.draw_taxi_sign, 1.1, ROADS, ("road",)),
    Kind("police car", "car", _coat("#F2F4F7", "#2E549A", "#FFFFFF", "two-tone"), Build(0.94, 1.6),
         "street", parts.draw_police_light, 1.1, ROADS, ("road",)),
    Kind("pirate ship", "boat", _coat("#5D4034", "#7A3B3B", "#E9DCC3", "stripes"), Build(1.04, 1.12),
         "sea", parts.draw_pirate_flag, 1.4, WATER, ("water", "land")),
    Kind("rescue boat", "boat", _coat("#E85D3D", "#F2A65A", "#FBFAF5", "plain"), Build(0.94, 0.86),
         "beach", parts.draw_rescue_flag, 1.2, WATER, ("water", "land")),
)
CLASS_NAMES = ("background", *(kind.name for kind in KINDS))

FAMILIES = {
    "quadruped": Family(
        draw_quadruped,
        2.15,
        (-1.1, -1.15, 1.1, 0.93),
        (0.62, -0.45, 0.4),
        0.9,
        (_coat("#8FA3B8", "#6B8099", "#DCE5EC", "spots"), _coat("#9C6B4E", "#744A35", "#E2C3A4", "plain")),
    ),
    "bird": Family(
        draw_bird,
        1.58,
        (-1.16, -0.95, 1.05, 0.92),
        (0.52, -0.48, 0.36),
        0.88,
        (_coat("#7FB3C8", "#4E8AA6", "#E1F0F3", "plain"), _coat("#F4EEE6", "#C9B8A8", "#FFFFFF", "spots")),
    ),
    "car": Family(
        draw_car,
        1.7,
        (-1.0, -0.65, 1.0, 0.8),
        (0.0, -0.3, 0.35),
        0.77,
        (_coat("#E36A5C", "#B9443F", "#FFD9CF", "stripes"), _coat("#7CBFA4", "#4F9480", "#DFF3EA", "two-tone")),
    ),
    "boat": Family(
        draw_boat,
        2.13,
        (-1.0, -1.25, 1.05, 0.87),
        (0.3, -0.5, 0.5),
        0.8,
        (_coat("#3F7F93", "#7FC1CC", "#F4F8F4", "stripes"), _coat("#C98A4B", "#E8C27A", "#FFF3DA", "two-tone")),
    ),
}


def looks_of(family: str) -> tuple[tuple[Coat, ...], tuple[Build, ...]]:
    """Every coat and build of a family: those of its classes, and coats of no class beside them."""
    kinds = [kind for kind in KINDS if kind.family == family]
    return (*(kind.coat for kind in kinds), *FAMILIES[family].wardrobe), tuple(kind.build for kind in kinds)
