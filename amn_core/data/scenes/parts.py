"""The small parts that name a class: heads, roof signs, flags and emblems.

Drawn in the units of the family's body (see `objects`) and painted with `is_part=True`.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

from amn_core.data.scenes.canvas import (
    Canvas,
    Colour,
    box,
    capsule,
    circle,
    darken,
    ellipse,
    hex_colour,
    mix,
    polygon,
    ring,
    union,
)

if TYPE_CHECKING:
    from amn_core.data.scenes.coats import Coat

INK = hex_colour("#2B2730")
CREAM = hex_colour("#FFF6E3")
PINK = hex_colour("#F29CA3")
RED = hex_colour("#DB4437")
BEAK = hex_colour("#F5A623")


def _eyes(canvas: Canvas, us: tuple[float, ...], v: float, radius: float, iris: Colour | None = None) -> None:
    """One eye or two at the same height; what has one colour is painted in one stroke."""
    paint = partial(canvas.paint, is_part=True)
    if iris is not None:
        paint(union(*(circle(u, v, radius * 1.35) for u in us)), iris)
    paint(union(*(ellipse(u, v, radius * 0.85, radius) for u in us)), INK)
    paint(union(*(circle(u + radius * 0.3, v - radius * 0.35, radius * 0.36) for u in us)), CREAM)


def _face(canvas: Canvas, coat: Coat, ru: float = 0.38, rv: float = 0.34) -> None:
    canvas.paint(ellipse(0.62, -0.36, ru, rv), coat.base, is_part=True, shade=0.07)


def _ears(canvas: Canvas, ears: tuple[tuple[tuple[float, float], ...], ...], colour: Colour, inner: Colour) -> None:
    """Triangular ears with a smaller triangle inside."""
    canvas.paint(union(*(polygon(points, 0.06) for points in ears)), colour, is_part=True)
    canvas.paint(union(*(polygon(_shrunk(points), 0.04) for points in ears)), inner, is_part=True)


@lru_cache(maxsize=8)
def _shrunk(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    u, v = (sum(p[i] for p in points) / len(points) for i in (0, 1))
    return tuple((u + (p[0] - u) * 0.55, v + (p[1] - v) * 0.55) for p in points)


def draw_cat_head(canvas: Canvas, coat: Coat) -> None:
    """Pointed ears, green eyes, whiskers."""
    paint = partial(canvas.paint, is_part=True)
    ears = (((0.24, -0.42), (0.3, -0.98), (0.64, -0.64)), ((0.62, -0.64), (0.94, -0.98), (1.0, -0.42)))
    _ears(canvas, ears, coat.base, PINK)
    _face(canvas, coat, 0.4)
    paint(union(ellipse(0.53, -0.22, 0.12, 0.095), ellipse(0.71, -0.22, 0.12, 0.095)), coat.light)
    whiskers = ((0.48, 0.2, -0.27), (0.48, 0.2, -0.14), (0.76, 1.04, -0.27), (0.76, 1.04, -0.14))
    paint(union(*(capsule(u, -0.22, end, v, 0.011) for u, end, v in whiskers)), INK)
    paint(polygon(((0.56, -0.31), (0.68, -0.31), (0.62, -0.24)), 0.03), PINK)
    _eyes(canvas, (0.47, 0.77), -0.43, 0.07, hex_colour("#BFD65A"))


def draw_cow_head(canvas: Canvas, coat: Coat) -> None:
    """Cream horns, ears to the side, a broad pink muzzle."""
    paint = partial(canvas.paint, is_part=True)
    horns = (
        union(capsule(u, -0.62, bend, -0.76, 0.075, 0.06), capsule(bend, -0.76, tip, -0.95, 0.06, 0.03), blend=0.04)
        for u, bend, tip in ((0.4, 0.26, 0.27), (0.84, 0.98, 0.97))
    )
    paint(union(*horns), CREAM, shade=0.03)
    ears = union(ellipse(0.25, -0.5, 0.15, 0.09, -0.35), ellipse(0.99, -0.5, 0.15, 0.09, 0.35))
    paint(ears, mix(coat.base, coat.second, 0.5))
    _face(canvas, coat, 0.33, 0.36)
    paint(ellipse(0.62, -0.58, 0.1, 0.16), coat.light)
    paint(ellipse(0.62, -0.16, 0.31, 0.19), PINK, shade=0.05)
    paint(union(ellipse(0.52, -0.17, 0.04, 0.055), ellipse(0.72, -0.17, 0.04, 0.055)), darken(PINK, 1.6))
    _eyes(canvas, (0.47, 0.77), -0.45, 0.075)


def draw_rabbit_head(canvas: Canvas, coat: Coat) -> None:
    """Two long ears, cheeks and two teeth."""
    paint = partial(canvas.paint, is_part=True)
    ears = union(capsule(0.5, -0.6, 0.4, -1.04, 0.1, 0.11), capsule(0.74, -0.6, 0.88, -1.04, 0.1, 0.11))
    paint(ears, coat.base, shade=0.03)
    paint(union(capsule(0.5, -0.62, 0.4, -1.03, 0.045, 0.055), capsule(0.74, -0.62, 0.88, -1.03, 0.045, 0.055)), PINK)
    _face(canvas, coat, 0.36)
    paint(box(0.62, -0.09, 0.06, 0.07, 0.02), CREAM)
    paint(union(circle(0.386, -0.26, 0.06), circle(0.854, -0.26, 0.06)), PINK, opacity=0.7)
    paint(union(ellipse(0.53, -0.2, 0.12, 0.09), ellipse(0.71, -0.2, 0.12, 0.09)), coat.light)
    paint(ellipse(0.62, -0.28, 0.055, 0.04), PINK)
    _eyes(canvas, (0.48, 0.76), -0.42, 0.075)


def _bird_face(canvas: Canvas, coat: Coat) -> None:
    canvas.paint(circle(0.48, -0.47, 0.3), coat.base, is_part=True, shade=0.06)


def draw_duck_head(canvas: Canvas, coat: Coat) -> None:
    """A broad flat bill and a tuft."""
    paint = partial(canvas.paint, is_part=True)
    paint(union(capsule(0.42, -0.74, 0.34, -0.88, 0.05, 0.03), capsule(0.48, -0.74, 0.5, -0.9, 0.05, 0.03)), coat.base)
    _bird_face(canvas, coat)
    paint(ellipse(0.8, -0.33, 0.2, 0.07, 0.12), darken(BEAK, 0.7))
    paint(union(ellipse(0.78, -0.42, 0.2, 0.085, -0.05), ellipse(0.94, -0.4, 0.12, 0.075), blend=0.08), BEAK)
    paint(ellipse(0.83, -0.46, 0.03, 0.015), darken(BEAK, 1.5))
    paint(circle(0.44, -0.36, 0.07), PINK, opacity=0.6)
    _eyes(canvas, (0.55,), -0.55, 0.075)


def draw_owl_head(canvas: Canvas, coat: Coat) -> None:
    """Ear tufts, two huge eyes in pale discs, a small hooked beak."""
    paint = partial(canvas.paint, is_part=True)
    left, right = ((0.17, -0.5), (0.16, -0.93), (0.48, -0.68)), ((0.48, -0.68), (0.8, -0.93), (0.79, -0.5))
    paint(union(polygon(left, 0.05), polygon(right, 0.05)), coat.second)
    canvas.paint(ellipse(0.48, -0.46, 0.36, 0.31), coat.base, is_part=True, shade=0.06)
    paint(union(circle(0.33, -0.48, 0.19), circle(0.64, -0.48, 0.19)), CREAM)
    _eyes(canvas, (0.33, 0.64), -0.48, 0.095, hex_colour("#F2B138"))
    paint(polygon(((0.42, -0.4), (0.55, -0.4), (0.485, -0.24)), 0.04), darken(BEAK, 0.4))


def draw_rooster_head(canvas: Canvas, coat: Coat) -> None:
    """A red comb and wattle, a pointed beak."""
    paint = partial(canvas.paint, is_part=True)
    comb = union(circle(0.3, -0.76, 0.11), circle(0.46, -0.84, 0.13), circle(0.63, -0.77, 0.11), blend=0.05)
    paint(comb, RED, shade=0.04)
    _bird_face(canvas, coat)
    paint(ellipse(0.74, -0.19, 0.08, 0.14, -0.15), RED, shade=0.04)
    paint(polygon(((0.7, -0.56), (1.03, -0.41), (0.7, -0.32)), 0.04), hex_colour("#F7C948"), shade=0.04)
    paint(ellipse(0.54, -0.5, 0.13, 0.14), CREAM)
    _eyes(canvas, (0.56,), -0.51, 0.075)


def draw_taxi_sign(canvas: Canvas, coat: Coat) -> None:
    """A lit sign on the roof and a chequered band on the door."""
    paint = partial(canvas.paint, is_part=True)
    paint(box(-0.06, -0.41, 0.3, 0.03, 0.02), INK)
    paint(box(-0.06, -0.52, 0.25, 0.1, 0.04), hex_colour("#FFE27A"), shade=0.03)
    paint(union(*(box(u, -0.52, 0.028, 0.05, 0.01) for u in (-0.21, -0.11, -0.01, 0.09))), INK)
    band = paint(box(-0.02, 0.3, 0.36, 0.09, 0.02), CREAM)
    squares = (box(-0.335 + i * 0.09, 0.255 if i % 2 else 0.345, 0.045, 0.045) for i in range(8))
    canvas.paint(union(*squares), INK, within=band, is_part=True)


def draw_police_light(canvas: Canvas, coat: Coat) -> None:
    """A blue and red light bar on the roof and a golden star on the door."""
    paint = partial(canvas.paint, is_part=True)
    paint(box(-0.06, -0.41, 0.3, 0.035, 0.02), INK)
    for u, colour in ((-0.2, "#2F6BE0"), (0.08, "#E8413C")):
        paint(box(u, -0.5, 0.14, 0.09, 0.06), hex_colour(colour))
    shine = union(
        ellipse(-0.23, -0.54, 0.06, 0.025), ellipse(0.05, -0.54, 0.06, 0.025), box(-0.06, -0.49, 0.03, 0.08, 0.01)
    )
    paint(shine, CREAM, opacity=0.85)
    paint(circle(-0.02, 0.3, 0.17), hex_colour("#26427F"))
    up, down = ((-0.13, 0.36), (-0.02, 0.17), (0.09, 0.36)), ((-0.13, 0.24), (0.09, 0.24), (-0.02, 0.43))
    paint(union(polygon(up, 0.01), polygon(down, 0.01)), hex_colour("#F6C945"))


def _flag(canvas: Canvas, colour: Colour) -> None:
    canvas.paint(capsule(0.0, -0.9, 0.0, -1.2, 0.022), INK, is_part=True)
    canvas.paint(
        polygon(((0.0, -1.22), (0.46, -1.16), (0.46, -0.94), (0.0, -0.96)), 0.05), colour, is_part=True, shade=0.03
    )


def draw_pirate_flag(canvas: Canvas, coat: Coat) -> None:
    """A black flag, and a skull over crossed bones on the sail."""
    paint = partial(canvas.paint, is_part=True)
    _flag(canvas, INK)
    paint(circle(0.22, -1.07, 0.06), CREAM)
    paint(circle(0.36, -0.16, 0.24), INK)
    bones = union(capsule(0.21, -0.19, 0.51, -0.01, 0.028), capsule(0.21, -0.01, 0.51, -0.19, 0.028))
    skull = union(circle(0.36, -0.2, 0.12), box(0.36, -0.09, 0.07, 0.06, 0.02), blend=0.03)
    paint(union(bones, skull), CREAM)
    paint(union(circle(0.31, -0.19, 0.035), circle(0.41, -0.19, 0.035)), INK)


def draw_rescue_flag(canvas: Canvas, coat: Coat) -> None:
    """A white flag with a red cross, and a lifebuoy on the sail."""
    paint = partial(canvas.paint, is_part=True)
    _flag(canvas, CREAM)
    paint(union(box(0.23, -1.07, 0.035, 0.09), box(0.23, -1.07, 0.11, 0.035)), RED)
    buoy = paint(ring(0.36, -0.16, 0.165, 0.075), CREAM)
    quarters = ((0.36, -0.34), (0.36, 0.02), (0.18, -0.16), (0.54, -0.16))
    paint(union(*(circle(u, v, 0.1) for u, v in quarters)), RED, within=buoy)
