"""Antialiased drawing with signed distances, in plain numpy.

A shape is a signed distance (negative inside) with its bounds; a canvas evaluates it only in the
window those bounds span. Coverage of a pixel is its distance to the edge in pixels, cut to [0, 1],
so edges are antialiased and the edge of a mask lies where half of the pixel is covered.

Only +, -, *, /, sqrt, min, max and floor touch arrays: IEEE 754 fixes their results, hence the same
scene has the same pixels on every machine. The drawing method is ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Bounds = tuple[float, float, float, float]
Colour = tuple[float, float, float]
Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
Window = tuple[int, int, int, int]
_remembered = lru_cache(maxsize=2048)  # most colours and shapes are those of every object of a class
SMALLEST_DETAIL = 0.6  # pixels: what is thinner adds time and no visible difference
SHADOW_TINT = (0.76, 0.70, 0.80)
SHADE_LOSS = tuple(1 - t for t in SHADOW_TINT)


@dataclass(frozen=True, slots=True)
class Shape:
    """A signed distance in the units of its canvas, and the box (u0, v0, u1, v1) that contains it."""

    bounds: Bounds
    distance: Distance


@dataclass(frozen=True, slots=True)
class Patch:
    """What a painted shape left: its window, its coverage there in [0, 1], its distances and bounds."""

    window: Window
    cover: np.ndarray
    distance: np.ndarray
    bounds: Bounds


@_remembered
def hex_colour(text: str) -> Colour:
    """Turn '#RRGGBB' into three floats in [0, 1]."""
    return tuple(int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))


@_remembered
def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; a share of 0 is the first, 1 the second."""
    return tuple(a + (b - a) * share for a, b in zip(first, second, strict=True))


@_remembered
def darken(colour: Colour, strength: float = 1.0) -> Colour:
    """Shift a colour towards the cool shade that all scenes use for shadow."""
    return tuple(c * (1 + (t - 1) * strength) for c, t in zip(colour, SHADOW_TINT, strict=True))


@_remembered
def rotation(turn: float) -> tuple[float, float]:
    """Cosine and sine of an angle in radians, rounded so that every libm agrees."""
    return round(math.cos(turn), 6), round(math.sin(turn), 6)


@_remembered
def circle(u: float, v: float, radius: float) -> Shape:
    """A disc."""

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = x - u, y - v
        d = np.sqrt(x * x + y * y)
        d -= radius
        return d

    return Shape((u - radius, v - radius, u + radius, v + radius), distance)


@_remembered
def ellipse(u: float, v: float, ru: float, rv: float, turn: float = 0.0) -> Shape:
    """An ellipse with radii ru, rv, turned by radians; the distance is exact to first order at the edge."""
    cos, sin = rotation(turn)
    hu, hv = math.sqrt((ru * cos) ** 2 + (rv * sin) ** 2), math.sqrt((ru * sin) ** 2 + (rv * cos) ** 2)

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = x - u, y - v
        if turn:
            x, y = x * cos + y * sin, y * cos - x * sin
        x, y = x * (1 / ru), y * (1 / rv)
        x *= x
        y *= y
        slope = np.sqrt(x * (4 / ru**2) + y * (4 / rv**2))
        slope += 1e-6
        x = x + y
        x -= 1
        x /= slope
        return x

    return Shape((u - hu, v - hv, u + hu, v + hv), distance)


@_remembered
def capsule(u0: float, v0: float, u1: float, v1: float, r0: float, r1: float | None = None) -> Shape:
    """A line with round ends whose radius runs from r0 to r1 (default r0)."""
    r1 = r0 if r1 is None else r1
    du, dv = u1 - u0, v1 - v0
    inverse = 1 / (du * du + dv * dv)

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = x - u0, y - v0
        t = x * (du * inverse) + y * (dv * inverse)
        np.minimum(np.maximum(t, 0, out=t), 1, out=t)
        x, y = x - t * du, y - t * dv
        d = np.sqrt(x * x + y * y)
        t *= r1 - r0
        t += r0
        d -= t
        return d

    r = max(r0, r1)
    return Shape((min(u0, u1) - r, min(v0, v1) - r, max(u0, u1) + r, max(v0, v1) + r), distance)


@_remembered
def box(u: float, v: float, hu: float, hv: float, radius: float = 0.0) -> Shape:
    """An upright box with half sides hu, hv (its whole extent) and rounded corners."""

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = np.abs(x - u) - (hu - radius), np.abs(y - v) - (hv - radius)
        inner = np.minimum(np.maximum(x, y), 0)
        x, y = np.maximum(x, 0), np.maximum(y, 0)
        inner += np.sqrt(x * x + y * y)
        inner -= radius
        return inner

    return Shape((u - hu, v - hv, u + hu, v + hv), distance)


def polygon(points: Sequence[tuple[float, float]], blend: float = 0.0) -> Shape:
    """A convex polygon; blend (a length) rounds its corners."""
    return _polygon(tuple(points), blend)


@_remembered
def _polygon(points: tuple[tuple[float, float], ...], blend: float) -> Shape:
    planes = []
    following = (*points[1:], points[0])
    turn = math.copysign(1, sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, following, strict=True)))
    for (u0, v0), (u1, v1) in zip(points, following, strict=True):
        length = math.sqrt((u1 - u0) ** 2 + (v1 - v0) ** 2)
        nu, nv = turn * (v1 - v0) / length, turn * (u0 - u1) / length
        planes.append((nu, nv, nu * u0 + nv * v0))

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        d = None
        for nu, nv, offset in planes:
            edge = x * nu + (y * nv - offset)
            d = edge if d is None else _joined(d, edge, blend, np.maximum)
        return d

    us, vs = zip(*points, strict=True)
    return Shape((min(us), min(vs), max(us), max(vs)), distance)


def _joined(a: np.ndarray, b: np.ndarray, blend: float, pick: np.ufunc) -> np.ndarray:
    """Minimum or maximum of two distances, rounded over the length blend (polynomial smooth minimum)."""
    if not blend:
        return pick(a, b)
    h = np.abs(a - b)
    np.subtract(blend, h, out=h)
    np.maximum(h, 0, out=h)
    h *= h
    h *= (0.25 if pick is np.maximum else -0.25) / blend
    h += pick(a, b)
    return h


@_remembered
def union(*shapes: Shape, blend: float = 0.0) -> Shape:
    """All shapes as one; blend (a length) lets them flow into each other."""

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        d = shapes[0].distance(x, y)
        for shape in shapes[1:]:
            d = _joined(d, shape.distance(x, y), blend, np.minimum)
        return d

    low = [min(s.bounds[i] for s in shapes) - blend / 4 for i in (0, 1)]
    high = [max(s.bounds[i] for s in shapes) + blend / 4 for i in (2, 3)]
    return Shape((*low, *high), distance)


@_remembered
def ring(u: float, v: float, radius: float, width: float) -> Shape:
    """A circle line with the given half width."""
    disc, reach = circle(u, v, radius), radius + width
    return Shape((u - reach, v - reach, u + reach, v + reach), lambda x, y: np.abs(disc.distance(x, y)) - width)


@_remembered
def cut(shape: Shape, hole: Shape) -> Shape:
    """The first shape without the second."""
    return Shape(shape.bounds, lambda x, y: np.maximum(shape.distance(x, y), -hole.distance(x, y)))


@lru_cache(maxsize=4096)
def _pigment(colour: Colour, planes: int, is_part: bool) -> np.ndarray:
    """The colour as a column for `planes` planes: red, green, blue, then coverage and part if there are five."""
    return np.array((*colour, 1.0, float(is_part))[:planes], np.float32)[:, None, None]


class Canvas:
    """Colour planes with a coordinate system to draw shapes in.

    planes: (C, H, W) float32 changed in place. C = 3 is an opaque picture; C = 5 is a transparent layer
    (premultiplied colour, coverage, coverage by the discriminative part).
    origin: pixel (x, y) of the point (0, 0); scale: pixels per unit; turn: radians; flip mirrors u.
    """

    def __init__(
        self,
        planes: np.ndarray,
        origin: tuple[float, float],
        scale: float,
        turn: float = 0.0,
        flip: bool = False,
        light: tuple[float, float] = (-0.5, -0.86),
    ) -> None:
        self.planes, self.scale = planes, scale
        self.origin, self.is_turned = origin, turn != 0.0
        self.cos, self.sin = rotation(turn)
        self.mirror = -1.0 if flip else 1.0
        x = ((np.arange(planes.shape[2]) + (0.5 - origin[0])) / scale).astype(np.float32)[None, :]
        y = ((np.arange(planes.shape[1]) + (0.5 - origin[1])) / scale).astype(np.float32)[:, None]
        x = x * self.mirror
        self.u, self.v = (x * self.cos + y * self.sin, y * self.cos - x * self.sin) if turn else (x, y)
        self.light = (light[0] * self.mirror, light[1])

    def window(self, bounds: Bounds, pad: float = 1.0) -> Window | None:
        """Rows and columns (y0, y1, x0, x1) that the bounds touch, or None if they miss the canvas."""
        u0, v0, u1, v1 = bounds
        if self.is_turned:
            cu, cv, hu, hv = (u0 + u1) / 2, (v0 + v1) / 2, (u1 - u0) / 2, (v1 - v0) / 2
            cu, cv = cu * self.cos - cv * self.sin, cu * self.sin + cv * self.cos
            c, s = abs(self.cos), abs(self.sin)
            hu, hv = hu * c + hv * s, hu * s + hv * c
            u0, v0, u1, v1 = cu - hu, cv - hv, cu + hu, cv + hv
        if self.mirror < 0:
            u0, u1 = -u1, -u0
        height, width = self.planes.shape[1:]
        x0 = max(0, math.floor(u0 * self.scale + self.origin[0] - pad))
        x1 = min(width, math.ceil(u1 * self.scale + self.origin[0] + pad))
        y0 = max(0, math.floor(v0 * self.scale + self.origin[1] - pad))
        y1 = min(height, math.ceil(v1 * self.scale + self.origin[1] + pad))
        return (y0, y1, x0, x1) if x0 < x1 and y0 < y1 else None

    def grid(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates of the pixel centres of a window, broadcastable to its shape."""
        y0, y1, x0, x1 = window
        if self.is_turned:
            return self.u[y0:y1, x0:x1], self.v[y0:y1, x0:x1]
        return self.u[:, x0:x1], self.v[y0:y1]

    def layer(self, bounds: Bounds) -> tuple[Canvas, Window] | None:
        """A transparent canvas over the window of some bounds, in the same (unturned) coordinates."""
        window = self.window(bounds)
        if window is None:
            return None
        y0, y1, x0, x1 = window
        planes = np.zeros((5, y1 - y0, x1 - x0), np.float32)
        return Canvas(planes, (self.origin[0] - x0, self.origin[1] - y0), self.scale, light=self.light), window

    def lay(self, layer: Canvas, window: Window, tint: Colour = (1.0, 1.0, 1.0)) -> None:
        """Put a layer over this opaque canvas, its colours multiplied by the tint."""
        y0, y1, x0, x1 = window
        block = self.planes[:, y0:y1, x0:x1]
        block *= 1 - layer.planes[3]
        block += layer.planes[:3] * _pigment(tint, 3, False)

    def paint(
        self,
        shape: Shape,
        colour: Colour,
        *,
        within: Patch | None = None,
        opacity: float = 1.0,
        shade: float = 0.0,
        is_part: bool = False,
        softness: float = 0.0,
    ) -> Patch | None:
        """Fill a shape; return what it covered, or None if nothing is visible.

        within: stay inside an earlier patch. shade: depth (units) of the shadow along the edge that turns
        away from the light. softness: width (units) of a blurred edge instead of a sharp one.
        """
        u0, v0, u1, v1 = shape.bounds
        if min(u1 - u0, v1 - v0) * self.scale < SMALLEST_DETAIL:
            return None
        window = self.window(shape.bounds, 1.0 + softness * self.scale / 2)
        window = window if within is None or window is None else _overlap(window, within.window)
        if window is None:
            return None
        distance = shape.distance(*self.grid(window))
        cover = edge_cover(distance, self.scale if not softness else 1 / softness)
        if opacity != 1.0:
            cover *= opacity
        self.blend(window, colour, cover, within, is_part)
        patch = Patch(window, cover, distance, shape.bounds)
        if shade:
            self.shade(patch, shade)
        return patch

    def blend(
        self,
        window: Window,
        colour: Colour,
        cover: np.ndarray,
        within: Patch | None = None,
        is_part: bool = False,
    ) -> None:
        """Lay a colour over a window with the given coverage; inside a patch the outline stays as it is."""
        y0, y1, x0, x1 = window
        block = self.planes[:, y0:y1, x0:x1]
        pigment = _pigment(colour, len(block), is_part)
        if within is not None:
            wy, _, wx, _ = within.window
            cover = cover * within.cover[y0 - wy : y1 - wy, x0 - wx : x1 - wx]
            pigment = pigment * block[3] if len(block) > 3 else pigment
        change = pigment - block
        change *= cover
        block += change

    def shade(self, patch: Patch, depth: float, opacity: float = 1.0) -> None:
        """Darken the side of a patch that turns away from the light, as a crescent `depth` units deep."""
        u0, v0, u1, v1 = patch.bounds
        u, v = self.grid(patch.window)
        lu, lv = self.light
        slope = 2 * depth / (abs(lu) * (u1 - u0) + abs(lv) * (v1 - v0))
        turned = u * (-lu * slope) + (v * (-lv * slope) + ((u0 + u1) * lu + (v0 + v1) * lv) * slope / 2)
        turned += patch.distance
        cover = edge_cover(turned, -min(self.scale, 3 / depth))
        cover *= patch.cover
        y0, y1, x0, x1 = patch.window
        self.planes[:3, y0:y1, x0:x1] *= 1 - cover * (_pigment(SHADE_LOSS, 3, False) * np.float32(opacity))


def edge_cover(distance: np.ndarray, sharpness: float) -> np.ndarray:
    """Coverage in [0, 1] from signed distances; sharpness is in pixels per unit."""
    cover = distance * -sharpness
    cover += 0.5
    np.maximum(cover, 0, out=cover)
    return np.minimum(cover, 1, out=cover)


def _overlap(a: Window, b: Window) -> Window | None:
    y0, y1, x0, x1 = max(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), min(a[3], b[3])
    return (y0, y1, x0, x1) if x0 < x1 and y0 < y1 else None
