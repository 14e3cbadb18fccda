"""Things that stand around in the scenes and name no class: trees, houses, flowers, toys.

Each function draws one thing at its foot point (u, v), `s` high, in fractions of the picture, on a
canvas of the whole picture, or of a layer when the thing stands in front of the objects.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from amn_core.data.scenes.canvas import (
    Canvas,
    box,
    capsule,
    circle,
    cut,
    darken,
    ellipse,
    hex_colour,
    mix,
    polygon,
    union,
)

Decor = Callable[[Canvas, np.random.Generator, float, float, float], None]
TOYS = tuple(hex_colour(c) for c in ("#E4685D", "#F0B24A", "#5FA8A0", "#6C86C4", "#B878A8", "#F2E3CB"))
WOOD = hex_colour("#8C6246")


def _any(rng: np.random.Generator, colours: tuple) -> tuple:
    return colours[int(rng.integers(len(colours)))]


def cloud(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    a, b = (float(x) for x in rng.uniform(0.8, 1.2, 2))
    puff = union(
        ellipse(u, v, s * 1.3, s * 0.36),
        circle(u - s * 0.35, v - s * 0.22, s * 0.42 * a),
        circle(u + s * 0.35, v - s * 0.12, s * 0.34 * b),
        blend=s * 0.2,
    )
    canvas.paint(puff, hex_colour("#FFFFFF"), opacity=0.8)


def tree(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    leaf = mix(hex_colour("#5E9F5A"), hex_colour("#A8B84E"), float(rng.random()))
    canvas.paint(capsule(u, v, u, v - s * 0.5, s * 0.06, s * 0.04), WOOD)
    crown = union(
        circle(u, v - s * 0.72, s * 0.28),
        circle(u - s * 0.2, v - s * 0.55, s * 0.2),
        circle(u + s * 0.2, v - s * 0.53, s * 0.21),
        blend=s * 0.1,
    )
    canvas.paint(crown, leaf, shade=s * 0.14)


def pine(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    leaf = mix(hex_colour("#2F6B5A"), hex_colour("#4E8A6B"), float(rng.random()))
    canvas.paint(box(u, v - s * 0.08, s * 0.05, s * 0.1), WOOD)
    for low, half, high in ((0.12, 0.3, 0.55), (0.36, 0.24, 0.78), (0.6, 0.17, 1.0)):
        tier = [(u, v - s * high), (u + s * half, v - s * low), (u - s * half, v - s * low)]
        canvas.paint(polygon(tier, s * 0.05), mix(leaf, hex_colour("#BFE0C8"), low * 0.25), shade=s * 0.08)


def snowy_pine(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    pine(canvas, rng, u, v, s)
    snow = hex_colour("#F6FAFD")
    cap = polygon([(u, v - s * 1.01), (u + s * 0.1, v - s * 0.82), (u - s * 0.1, v - s * 0.82)], s * 0.03)
    low = capsule(u - s * 0.22, v - s * 0.14, u + s * 0.22, v - s * 0.14, s * 0.035)
    high = capsule(u - s * 0.17, v - s * 0.38, u + s * 0.17, v - s * 0.38, s * 0.035)
    canvas.paint(union(cap, low, high), snow)


def bush(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    leaf = mix(hex_colour("#4C8C57"), hex_colour("#93AC4A"), float(rng.random()))
    shape = union(
        circle(u, v - s * 0.45, s * 0.42),
        circle(u - s * 0.5, v - s * 0.28, s * 0.3),
        circle(u + s * 0.48, v - s * 0.3, s * 0.32),
        blend=s * 0.12,
    )
    patch = canvas.paint(shape, leaf, shade=s * 0.2)
    if rng.random() < 0.4:
        berry = _any(rng, TOYS)
        spots = ((-0.4, 0.3), (-0.05, 0.62), (0.25, 0.35), (0.5, 0.42))
        canvas.paint(union(*(circle(u + du * s, v - dv * s, s * 0.06) for du, dv in spots)), berry, within=patch)


def tuft(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    leaf = mix(hex_colour("#3F7F46"), hex_colour("#8FB04B"), float(rng.random()))
    blades = (capsule(u, v, u + lean * s, v - s * (1 - abs(lean)), s * 0.09, s * 0.02) for lean in (-0.35, 0.0, 0.35))
    canvas.paint(union(*blades), leaf)


def flower(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    canvas.paint(capsule(u, v, u, v - s * 0.7, s * 0.05), hex_colour("#4E8A4B"))
    colour = _any(rng, TOYS)
    petals = ((-0.18, 0.7), (0.18, 0.7), (0.0, 0.88), (0.0, 0.54))
    canvas.paint(union(*(circle(u + du * s, v - dv * s, s * 0.16) for du, dv in petals)), colour)
    canvas.paint(circle(u, v - s * 0.71, s * 0.12), hex_colour("#FBE08A"))


def mushroom(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    canvas.paint(capsule(u, v - s * 0.12, u, v - s * 0.5, s * 0.14, s * 0.11), hex_colour("#F6EBDD"), shade=s * 0.05)
    cap = cut(ellipse(u, v - s * 0.5, s * 0.45, s * 0.42), box(u, v - s * 0.1, s * 0.6, s * 0.36))
    hat = canvas.paint(cap, mix(hex_colour("#D9483B"), hex_colour("#C98245"), float(rng.random())), shade=s * 0.12)
    dots = (circle(u + du * s, v - dv * s, s * 0.07) for du, dv in ((-0.2, 0.66), (0.1, 0.78), (0.24, 0.58)))
    canvas.paint(union(*dots), hex_colour("#FFF4E6"), within=hat)


def rock(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    stone = mix(hex_colour("#8E8B93"), hex_colour("#B5A693"), float(rng.random()))
    lean = float(rng.uniform(-0.2, 0.2))
    points = [
        (u - s * 0.7, v),
        (u - s * (0.4 - lean), v - s * 0.55),
        (u + s * (0.2 + lean), v - s * 0.65),
        (u + s * 0.7, v),
    ]
    canvas.paint(polygon(points, s * 0.2), stone, shade=s * 0.2)


def fence(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    white = hex_colour("#E9D9C0")
    rails = (box(u, v - s * dv, s * 1.5, s * 0.06, s * 0.03) for dv in (0.35, 0.7))
    canvas.paint(union(*rails), darken(white, 0.6))
    posts = (box(u + s * (i - 2) * 0.62, v - s * 0.5, s * 0.13, s * 0.5, s * 0.1) for i in range(5))
    canvas.paint(union(*posts), white)


def hay(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    straw = hex_colour("#E2B85A")
    canvas.paint(circle(u, v - s * 0.5, s * 0.5), straw, shade=s * 0.12)
    for radius in (0.34, 0.2, 0.07):
        canvas.paint(circle(u, v - s * 0.5, s * radius), mix(straw, WOOD, 0.45 - radius))


def house(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    wall = mix(_any(rng, TOYS), hex_colour("#FFF3E0"), 0.55)
    roof = _any(rng, (hex_colour("#B5564B"), hex_colour("#6F5D72"), hex_colour("#4E7083")))
    canvas.paint(box(u, v - s * 0.3, s * 0.38, s * 0.3), wall)
    canvas.paint(polygon(((u - s * 0.46, v - s * 0.56), (u, v - s), (u + s * 0.46, v - s * 0.56)), s * 0.04), roof)
    canvas.paint(box(u + s * 0.14, v - s * 0.17, s * 0.08, s * 0.17, s * 0.02), darken(roof))
    canvas.paint(box(u - s * 0.14, v - s * 0.32, s * 0.1, s * 0.1, s * 0.01), hex_colour("#FFE9A8"))
    canvas.paint(box(u - s * 0.14, v - s * 0.32, s * 0.012, s * 0.1), darken(roof))


def barn(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    red, white = hex_colour("#B8473C"), hex_colour("#F5E9D8")
    walls = [
        (u - s * 0.5, v),
        (u - s * 0.5, v - s * 0.55),
        (u - s * 0.3, v - s * 0.85),
        (u, v - s),
        (u + s * 0.3, v - s * 0.85),
        (u + s * 0.5, v - s * 0.55),
        (u + s * 0.5, v),
    ]
    patch = canvas.paint(polygon(walls), red)
    canvas.paint(box(u, v - s * 0.22, s * 0.2, s * 0.22), white, within=patch)
    canvas.paint(box(u, v - s * 0.2, s * 0.16, s * 0.2), darken(red), within=patch)
    canvas.paint(circle(u, v - s * 0.67, s * 0.09), white, within=patch)


def lamp_post(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    iron = hex_colour("#4B4E5C")
    canvas.paint(capsule(u, v, u, v - s * 0.85, s * 0.03, s * 0.02), iron)
    canvas.paint(circle(u, v - s * 0.9, s * 0.22), hex_colour("#FFE9A8"), opacity=0.3, softness=s * 0.2)
    canvas.paint(circle(u, v - s * 0.9, s * 0.08), hex_colour("#FFF1BF"))


def cone(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    canvas.paint(box(u, v - s * 0.06, s * 0.36, s * 0.06, s * 0.04), darken(hex_colour("#EB7A34")))
    body = [(u - s * 0.26, v - s * 0.1), (u - s * 0.06, v - s), (u + s * 0.06, v - s), (u + s * 0.26, v - s * 0.1)]
    patch = canvas.paint(polygon(body, s * 0.04), hex_colour("#EB7A34"), shade=s * 0.1)
    canvas.paint(box(u, v - s * 0.5, s * 0.3, s * 0.09), hex_colour("#FFF4E6"), within=patch)


def ball(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    colour = _any(rng, TOYS)
    patch = canvas.paint(circle(u, v - s * 0.5, s * 0.5), colour)
    if patch is not None:
        canvas.paint(ellipse(u, v - s * 0.5, s * 0.18, s * 0.5, 0.4), hex_colour("#FFF6E3"), within=patch)
        canvas.shade(patch, s * 0.25)


def block(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    colour = _any(rng, TOYS)
    patch = canvas.paint(box(u, v - s * 0.45, s * 0.45, s * 0.45, s * 0.1), colour)
    if patch is not None:
        canvas.paint(box(u, v - s * 0.45, s * 0.3, s * 0.3, s * 0.06), mix(colour, (1, 1, 1), 0.35), within=patch)
        canvas.shade(patch, s * 0.2)


def plant(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    leaf = mix(hex_colour("#3E7D5A"), hex_colour("#7FA65A"), float(rng.random()))
    tips = ((-0.34, 0.75), (0.34, 0.78), (-0.14, 0.95), (0.16, 1.0))
    leaves = (capsule(u, v - s * 0.35, u + lean * s, v - s * high, s * 0.05, s * 0.1) for lean, high in tips)
    canvas.paint(union(*leaves), leaf, shade=s * 0.06)
    pot = [(u - s * 0.2, v - s * 0.38), (u + s * 0.2, v - s * 0.38), (u + s * 0.14, v), (u - s * 0.14, v)]
    canvas.paint(polygon(pot, s * 0.05), _any(rng, TOYS), shade=s * 0.1)


def umbrella(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    colour = _any(rng, TOYS[:5])
    canvas.paint(capsule(u, v, u, v - s * 0.9, s * 0.025), hex_colour("#EFE3D0"))
    dome = cut(ellipse(u, v - s * 0.62, s * 0.55, s * 0.38), box(u, v - s * 0.3, s * 0.7, s * 0.32))
    patch = canvas.paint(dome, colour)
    fields = (
        ellipse(u + du * s, v - s * 0.62, ru * s, rv * s)
        for du, ru, rv in ((-0.5, 0.13, 0.3), (0.0, 0.17, 0.4), (0.5, 0.13, 0.3))
    )
    canvas.paint(union(*fields), hex_colour("#FFF6E3"), within=patch)


def palm(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    lean = float(rng.uniform(-0.2, 0.2)) * s
    canvas.paint(capsule(u, v, u + lean, v - s * 0.8, s * 0.06, s * 0.035), hex_colour("#A67C52"))
    leaf = mix(hex_colour("#3F8F6B"), hex_colour("#7DAE54"), float(rng.random()))
    top, tips = (u + lean, v - s * 0.8), ((-0.42, 0.62), (0.42, 0.62), (-0.34, 0.92), (0.34, 0.92), (0.02, 1.04))
    canvas.paint(union(*(capsule(*top, top[0] + du * s, v - dv * s, s * 0.07, s * 0.02) for du, dv in tips)), leaf)


def starfish(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    colour = _any(rng, TOYS)
    middle, tips = v - s * 0.4, ((0.0, -0.5), (0.48, -0.15), (0.3, 0.4), (-0.3, 0.4), (-0.48, -0.15))
    arms = (capsule(u, middle, u + du * s, middle + dv * s * 0.7, s * 0.14, s * 0.07) for du, dv in tips)
    canvas.paint(union(*arms), colour)


def reed(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    tips = tuple((u + lean * s, v - high * s, lean) for lean, high in ((-0.18, 0.8), (0.02, 1.0), (0.2, 0.72)))
    stalks = (capsule(x - lean * s * 0.6, v, x, y, s * 0.025, s * 0.012) for x, y, lean in tips)
    canvas.paint(union(*stalks), hex_colour("#5E8F4E"))
    canvas.paint(union(*(capsule(x, y, x, y + s * 0.2, s * 0.045) for x, y, _ in tips)), hex_colour("#7A5236"))


def lily(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    canvas.paint(ellipse(u, v, s * 0.6, s * 0.22), hex_colour("#5FA06B"), shade=s * 0.06)
    if rng.random() < 0.5:
        canvas.paint(ellipse(u, v - s * 0.12, s * 0.16, s * 0.13), hex_colour("#F7B6C8"))


def wave(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    arc = cut(ellipse(u, v, s * 0.8, s * 0.16), ellipse(u, v + s * 0.09, s * 0.95, s * 0.16))
    canvas.paint(arc, hex_colour("#FFFFFF"), opacity=0.55)


def mound(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    heap = cut(ellipse(u, v, s, s * 0.45), box(u, v + s * 0.5, s * 1.2, s * 0.5))
    canvas.paint(heap, hex_colour("#F9FCFF"), shade=s * 0.2)


def snowman(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    white = hex_colour("#FBFDFF")
    canvas.paint(circle(u, v - s * 0.28, s * 0.3), white, shade=s * 0.14)
    canvas.paint(circle(u, v - s * 0.68, s * 0.2), white, shade=s * 0.1)
    canvas.paint(box(u, v - s * 0.5, s * 0.17, s * 0.04, s * 0.03), _any(rng, TOYS))
    canvas.paint(box(u, v - s * 0.93, s * 0.12, s * 0.09, s * 0.02), hex_colour("#4A4653"))


def frame(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    canvas.paint(box(u, v - s * 0.5, s * 0.42, s * 0.5, s * 0.03), WOOD)
    inside = canvas.paint(box(u, v - s * 0.5, s * 0.34, s * 0.42), mix(_any(rng, TOYS), (1, 1, 1), 0.5))
    canvas.paint(circle(u + s * 0.1, v - s * 0.62, s * 0.12), hex_colour("#F6D27A"), within=inside)
    canvas.paint(ellipse(u - s * 0.1, v - s * 0.12, s * 0.4, s * 0.22), _any(rng, TOYS), within=inside)


def bookshelf(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
    canvas.paint(box(u, v - s * 0.5, s * 0.4, s * 0.5, s * 0.02), WOOD)
    for shelf in (0.06, 0.37, 0.68):
        canvas.paint(box(u, v - s * (shelf + 0.13), s * 0.36, s * 0.13), darken(WOOD, 1.3))
        for i in range(6):
            high = float(rng.uniform(0.08, 0.12))
            canvas.paint(box(u + s * (i - 2.5) * 0.11, v - s * (shelf + high), s * 0.045, s * high), _any(rng, TOYS))
