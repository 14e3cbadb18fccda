"""The ten backgrounds of the scenes, from meadow to room, with their light and their clutter.

A background is painted back to front over the whole picture, in fractions of its width. It tells the
objects where the ground begins and in what light they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from amn_core.data.scenes import decor
from amn_core.data.scenes.canvas import Canvas, Colour, box, circle, edge_cover, ellipse, hex_colour, mix
from amn_core.data.scenes.noise import noise_tile, ridge_line

MOONLIGHT = (0.5, 0.56, 0.8)


@dataclass(frozen=True)
class Setting:
    """Where objects stand and how they are lit.

    horizon: v where the ground begins. strips: for `land`, `road` and `water`, the range of v in which the feet of
    what belongs there stand; what is not there has no strip. tint: factors for red, green and blue of all that
    stands there.
    shadow: darkness of the shadow under an object. near: what may stand in front of the objects.
    """

    horizon: float
    strips: Mapping[str, tuple[float, float]]
    tint: Colour = (1.0, 1.0, 1.0)
    shadow: float = 0.32
    near: tuple[decor.Decor, ...] = (decor.tuft, decor.flower)


@dataclass(frozen=True)
class Stage:
    """What a background is painted with: canvas, random numbers and the amount of clutter in [0, 1]."""

    canvas: Canvas
    rng: np.random.Generator
    clutter: float

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def any(self, *colours: str) -> Colour:
        return hex_colour(colours[int(self.rng.integers(len(colours)))])

    def sky(self, top: Colour, bottom: Colour, horizon: float) -> None:
        """Fill the rows above the horizon with a gradient."""
        rows = self.canvas.v[:, 0] < horizon + 0.01
        self._gradient(slice(0, int(rows.sum())), 0.0, horizon, top, bottom)

    def ground(self, far: Colour, near: Colour, horizon: float, texture: float = 0.07) -> None:
        """Fill the rows below the horizon with a gradient and a soft texture."""
        start = int((self.canvas.v[:, 0] < horizon).sum())
        rows = slice(start, self.canvas.planes.shape[1])
        self._gradient(rows, horizon, 1.0, far, near)
        self.texture(rows, texture * (0.6 + self.clutter))

    def _gradient(self, rows: slice, v0: float, v1: float, first: Colour, last: Colour) -> None:
        t = np.minimum(np.maximum((self.canvas.v[rows] - v0) * (1 / (v1 - v0)), 0), 1)
        a, b = (np.array(c, np.float32)[:, None, None] for c in (first, last))
        self.canvas.planes[:, rows] = a + (b - a) * t

    def texture(self, rows: slice, strength: float) -> None:
        """Vary the brightness of some rows by smooth noise."""
        planes = self.canvas.planes
        height, width = rows.stop - rows.start, planes.shape[2]
        tile = noise_tile(max(planes.shape[1:]))
        y, x = (int(self.rng.integers(len(tile) - n + 1)) for n in (height, width))
        planes[:, rows] *= 1 + tile[y : y + height, x : x + width] * strength

    def ridge(self, v: float, rise: float, knots: int, colour: Colour) -> None:
        """Paint rolling hills that rise from v by up to `rise`, down to the bottom of the picture."""
        size = self.canvas.planes.shape[2]
        line = v - ridge_line(self.rng, size, knots)[None] * rise
        window = self.canvas.window((0.0, v - rise, 1.0, v + 0.3))
        if window is not None:
            cover = edge_cover(line - self.canvas.v[window[0] : window[1]], self.canvas.scale)
            self.canvas.blend(window, colour, cover)

    def scatter(
        self, things: tuple[decor.Decor, ...], most: float, v0: float, v1: float, s0: float, s1: float,
        shadow: float = 0.0,
    ) -> None:  # fmt: skip
        """Strew up to `most` things over the strip v0 to v1, farthest first, smaller when farther.

        s0, s1: height of the things at v0 and v1. shadow: darkness of the shadow under each.
        """
        count = int(1.25 * most * self.clutter * self.between(0.6, 1.4) + 0.5)
        draws = self.rng.random((count, 3))
        for at, u, pick in draws[np.argsort(draws[:, 0])]:
            thing = things[int(pick * len(things))]
            v, size = v0 + (v1 - v0) * float(at), s0 + (s1 - s0) * float(at)
            if shadow:
                ground = ellipse(float(u), v, size * 0.5, size * 0.12)
                self.canvas.paint(ground, (0.1, 0.08, 0.16), opacity=shadow, softness=size * 0.2)
            thing(self.canvas, self.rng, float(u), v, size)


def _land(top: float) -> dict[str, tuple[float, float]]:
    """Open country, where animals and cars stand alike."""
    return {"land": (top, 1.04), "road": (top, 1.06)}


def _sun(stage: Stage, u: float, v: float, radius: float, colour: Colour) -> None:
    stage.canvas.paint(circle(u, v, radius * 2.2), colour, opacity=0.25, softness=radius * 2.5)
    stage.canvas.paint(circle(u, v, radius), colour)


def _day(stage: Stage, horizon: float) -> None:
    top = stage.any("#6FB7E0", "#7CC0D8", "#8FB4DD", "#A6C9DC")
    stage.sky(top, stage.any("#E4F3F5", "#FBF0DA", "#F8E4D6"), horizon)
    if stage.rng.random() < 0.5:
        _sun(stage, stage.between(0.1, 0.9), stage.between(0.06, 0.2), 0.055, hex_colour("#FFF0B5"))
    stage.scatter((decor.cloud,), 4, 0.05, horizon * 0.6, 0.07, 0.12)


def meadow(stage: Stage) -> Setting:
    horizon = stage.between(0.32, 0.48)
    _day(stage, horizon)
    grass = mix(hex_colour("#8CC265"), hex_colour("#B5C65A"), stage.between(0, 1))
    stage.ridge(horizon, 0.2, 3, mix(grass, hex_colour("#A9D2C5"), 0.6))
    stage.ridge(horizon, 0.1, 4, mix(grass, hex_colour("#A9D2C5"), 0.3))
    stage.scatter((decor.tree, decor.bush, decor.pine), 6, horizon - 0.02, horizon + 0.04, 0.12, 0.24, 0.25)
    stage.ground(grass, mix(grass, hex_colour("#4E8F45"), 0.55), horizon)
    stage.scatter((decor.bush, decor.tree), 2, horizon + 0.02, horizon + 0.1, 0.12, 0.28, 0.25)
    stage.scatter(
        (decor.flower, decor.tuft, decor.rock, decor.flower, decor.mushroom), 14, horizon + 0.06, 1.0, 0.035, 0.1, 0.25
    )
    return Setting(horizon, _land(horizon + 0.04), near=(decor.tuft, decor.flower, decor.bush))


def farm(stage: Stage) -> Setting:
    horizon = stage.between(0.34, 0.46)
    _day(stage, horizon)
    wheat = mix(hex_colour("#E3BD62"), hex_colour("#CFA968"), stage.between(0, 1))
    stage.ridge(horizon, 0.13, 3, hex_colour("#B9C27C"))
    stage.ground(wheat, mix(wheat, hex_colour("#A8733F"), 0.55), horizon, 0.1)
    if stage.rng.random() < 0.4 + 0.5 * stage.clutter:
        decor.barn(stage.canvas, stage.rng, stage.between(0.1, 0.9), horizon + 0.03, stage.between(0.25, 0.42))
    stage.scatter((decor.tree, decor.fence, decor.fence), 4, horizon + 0.02, horizon + 0.07, 0.1, 0.2, 0.25)
    stage.scatter((decor.hay, decor.tuft, decor.rock, decor.hay), 9, horizon + 0.08, 1.0, 0.05, 0.15, 0.25)
    return Setting(horizon, _land(horizon + 0.04), (1.03, 1.0, 0.94), near=(decor.tuft, decor.hay, decor.fence))


def lake(stage: Stage) -> Setting:
    horizon = stage.between(0.24, 0.38)
    _day(stage, horizon)
    stage.ridge(horizon, 0.2, 3, stage.any("#A8CDBF", "#9DBFC9"))
    stage.ridge(horizon, 0.08, 5, hex_colour("#6FA878"))
    stage.scatter((decor.pine, decor.tree), 6, horizon, horizon + 0.01, 0.1, 0.18)
    water = mix(hex_colour("#7CC4CC"), hex_colour("#6FA9CE"), stage.between(0, 1))
    stage.ground(mix(water, (1, 1, 1), 0.3), mix(water, hex_colour("#2F6F8F"), 0.55), horizon, 0.04)
    bank = stage.between(0.76, 0.84)
    stage.scatter((decor.wave, decor.wave, decor.lily, decor.lily, decor.reed), 18, horizon + 0.05, bank, 0.05, 0.11)
    stage.ridge(bank + 0.02, 0.05, 3, hex_colour("#D9C79A"))
    stage.ridge(bank + 0.045, 0.05, 3, stage.any("#9CBF72", "#A9BE6C", "#86B474"))
    stage.ground(hex_colour("#93B96C"), hex_colour("#6FA05A"), bank + 0.04, 0.06)
    stage.scatter((decor.reed, decor.tuft, decor.flower, decor.rock), 9, bank + 0.04, 1.0, 0.05, 0.1, 0.2)
    strips = {"water": (horizon + 0.06, bank - 0.01), "land": (bank + 0.06, 1.04)}
    return Setting(horizon, strips, (0.97, 1.0, 1.02), 0.22, (decor.reed, decor.tuft, decor.flower))


def sea(stage: Stage) -> Setting:
    horizon = stage.between(0.28, 0.45)
    top, low = (("#5AA9DC", "#DDF1F2"), ("#F2A477", "#FBE3B8"), ("#7F8FB5", "#E3D9DD"))[int(stage.rng.integers(3))]
    stage.sky(hex_colour(top), hex_colour(low), horizon)
    _sun(stage, stage.between(0.1, 0.9), horizon - stage.between(0.02, 0.2), 0.07, hex_colour("#FFF0C4"))
    stage.scatter((decor.cloud,), 4, 0.05, horizon * 0.7, 0.06, 0.12)
    if stage.rng.random() < 0.5:
        u = stage.between(0.1, 0.9)
        stage.canvas.paint(ellipse(u, horizon, 0.13, 0.03), hex_colour("#D9C08A"))
        decor.palm(stage.canvas, stage.rng, u, horizon, 0.15)
    water = mix(hex_colour("#2E86AB"), hex_colour("#3AA6A0"), stage.between(0, 1))
    stage.ground(mix(water, (1, 1, 1), 0.25), mix(water, hex_colour("#123F63"), 0.5), horizon, 0.08)
    stage.scatter((decor.wave,), 22, horizon + 0.03, 1.0, 0.05, 0.18)
    return Setting(horizon, {"water": (horizon + 0.05, 1.06)}, (1.0, 0.98, 0.97), 0.25, (decor.wave,))


def beach(stage: Stage) -> Setting:
    horizon = stage.between(0.2, 0.3)
    _day(stage, horizon)
    shore = horizon + stage.between(0.08, 0.16)
    stage.ground(hex_colour("#4FB3C4"), hex_colour("#8FD6D2"), horizon, 0.03)
    stage.scatter((decor.wave,), 5, horizon + 0.03, shore, 0.05, 0.1)
    sand = mix(hex_colour("#F3DDAA"), hex_colour("#EBCB9B"), stage.between(0, 1))
    stage.ridge(shore + 0.03, 0.05, 3, hex_colour("#F4FBFA"))
    stage.ground(mix(sand, hex_colour("#C79A66"), 0.25), sand, shore + 0.03, 0.07)
    stage.scatter((decor.palm, decor.umbrella, decor.umbrella), 4, shore + 0.06, shore + 0.2, 0.16, 0.3, 0.25)
    stage.scatter((decor.starfish, decor.rock, decor.ball, decor.starfish), 9, shore + 0.1, 1.0, 0.04, 0.11, 0.25)
    strips = {"water": (horizon + 0.03, shore), "land": (shore + 0.08, 1.04)}
    return Setting(shore, strips, (1.04, 1.0, 0.95), near=(decor.starfish, decor.rock, decor.ball, decor.umbrella))


def snow(stage: Stage) -> Setting:
    horizon = stage.between(0.32, 0.46)
    stage.sky(stage.any("#8FB3D6", "#A8B8D0", "#B9A9C9"), stage.any("#E9F1F7", "#F9E5E1"), horizon)
    stage.ridge(horizon, 0.26, 4, hex_colour("#C5D4E6"))
    stage.ridge(horizon, 0.13, 4, hex_colour("#DDE7F2"))
    stage.scatter((decor.snowy_pine,), 7, horizon - 0.01, horizon + 0.04, 0.13, 0.26)
    stage.ground(hex_colour("#EAF1F8"), hex_colour("#CBDAEC"), horizon, 0.035)
    stage.scatter(
        (decor.mound, decor.snowy_pine, decor.snowman, decor.mound, decor.rock), 8, horizon + 0.05, 1.0, 0.08, 0.2, 0.25
    )
    for u, v, r in stage.rng.random((int(26 * stage.clutter), 3)):
        stage.canvas.paint(circle(float(u), float(v), 0.004 + 0.006 * float(r)), (1.0, 1.0, 1.0), opacity=0.8)
    return Setting(horizon, _land(horizon + 0.05), (0.95, 0.98, 1.05), 0.2, (decor.mound, decor.snowy_pine))


def night(stage: Stage) -> Setting:
    horizon = stage.between(0.38, 0.5)
    stage.sky(stage.any("#1B2450", "#20203F", "#14304F"), stage.any("#51558C", "#6A4F86", "#3E6A86"), horizon)
    for u, v, r in stage.rng.random((int(8 + 24 * stage.clutter), 3)):
        stage.canvas.paint(
            circle(float(u), float(v) * horizon, 0.0025 + 0.004 * float(r)), hex_colour("#FFF5D6"), opacity=0.9
        )
    u, v = stage.between(0.12, 0.88), stage.between(0.1, 0.2)
    _sun(stage, u, v, 0.075, hex_colour("#F8EFC8"))
    stage.canvas.paint(circle(u + 0.03, v - 0.015, 0.016), hex_colour("#E3D7A8"))
    stage.canvas.paint(circle(u - 0.025, v + 0.02, 0.011), hex_colour("#E3D7A8"))
    stage.ridge(horizon, 0.18, 4, hex_colour("#343B6B"))
    trees = (_dim(decor.pine), _dim(decor.tree), _dim(decor.pine), decor.lamp_post)
    stage.scatter(trees, 9, horizon, horizon + 0.06, 0.16, 0.32)
    stage.ground(hex_colour("#3B4A6B"), hex_colour("#26344F"), horizon, 0.09)
    small = (_dim(decor.bush), _dim(decor.rock), _dim(decor.tuft), _dim(decor.mushroom))
    stage.scatter(small, 9, horizon + 0.06, 1.0, 0.05, 0.13, 0.35)
    return Setting(horizon, _land(horizon + 0.05), (0.72, 0.74, 0.92), 0.4, (decor.tuft, decor.bush))


def _dim(thing: decor.Decor) -> decor.Decor:
    """The same thing by moonlight."""

    def draw(canvas: Canvas, rng: np.random.Generator, u: float, v: float, s: float) -> None:
        opened = canvas.layer((u - s * 1.2, v - s * 1.15, u + s * 1.2, v + s * 0.3))
        if opened is not None:
            thing(opened[0], rng, u, v, s)
            canvas.lay(*opened, MOONLIGHT)

    return draw


def _facade(stage: Stage, u: float, top: float, bottom: float, half: float, wall: Colour, lit: Colour) -> None:
    """A house front with a grid of windows."""
    patch = stage.canvas.paint(box(u, (top + bottom) / 2, half, (bottom - top) / 2), wall)
    if patch is None:
        return
    x, y = stage.canvas.grid(patch.window)
    p, q = (x - (u - half)) * (1 / 0.045), (y - top) * (1 / 0.06)
    p, q = np.abs(p - np.floor(p) - 0.5) * 0.045 - 0.011, np.abs(q - np.floor(q) - 0.5) * 0.06 - 0.017
    stage.canvas.blend(patch.window, lit, edge_cover(np.maximum(p, q), stage.canvas.scale), patch)


def city(stage: Stage) -> Setting:
    horizon = stage.between(0.46, 0.58)
    stage.sky(stage.any("#8FB8D8", "#B7C4D6", "#F0B592"), stage.any("#F3E9DC", "#FBE7D0"), horizon)
    haze = stage.any("#C3CBD8", "#D8C8C4")
    for layer, most in ((0.65, 7), (0.0, 6)):
        for k in range(int(most * (0.6 + 0.4 * stage.clutter))):
            wall = mix(stage.any("#8A93A8", "#B58A7C", "#7F9AA6", "#C9A978", "#9B86A3"), haze, layer)
            u, top = (k + stage.between(0.1, 0.9)) / most, horizon - stage.between(0.14, 0.46) * (1.1 if layer else 0.8)
            _facade(
                stage,
                u,
                top,
                horizon + 0.02,
                stage.between(0.06, 0.12),
                wall,
                mix(hex_colour("#FDF3CF"), wall, 0.35 + layer / 2),
            )
    stage.ground(hex_colour("#B9B4B4"), hex_colour("#A8A3A6"), horizon, 0.03)
    kerb = horizon + 0.1
    stage.ground(hex_colour("#6E6C78"), hex_colour("#55535F"), kerb, 0.06)
    stage.canvas.paint(box(0.5, kerb, 0.6, 0.008), hex_colour("#D9D3CC"))
    shift = stage.between(0.0, 0.25)
    for k in range(5):
        stage.canvas.paint(
            box(k * 0.25 + shift - 0.12, (kerb + 1) / 2 + 0.03, 0.07, 0.011, 0.004), hex_colour("#F2E9D0")
        )
    stage.scatter((decor.lamp_post, decor.tree, decor.bush), 6, horizon + 0.05, kerb, 0.16, 0.34, 0.25)
    stage.scatter((decor.cone, decor.cone, decor.block), 5, kerb + 0.04, 1.0, 0.06, 0.13, 0.25)
    strips = {"land": (horizon + 0.07, 1.03), "road": (kerb + 0.06, 1.05)}
    return Setting(horizon + 0.06, strips, (0.98, 0.98, 1.0), near=(decor.cone, decor.lamp_post))


def street(stage: Stage) -> Setting:
    horizon = stage.between(0.42, 0.54)
    stage.sky(stage.any("#F2A28B", "#C58FB0", "#F4BE8A"), stage.any("#FCE3B6", "#FBD7C4"), horizon)
    _sun(stage, stage.between(0.1, 0.9), horizon - stage.between(0.08, 0.2), 0.08, hex_colour("#FFF3CF"))
    stage.ridge(horizon, 0.12, 3, stage.any("#C9A2A8", "#B7A8B8"))
    for k in range(int(2 + 3 * stage.clutter + stage.between(0, 1))):
        decor.house(
            stage.canvas, stage.rng, (k + stage.between(0.2, 0.8)) / 5, horizon + 0.04, stage.between(0.26, 0.38)
        )
    stage.ground(hex_colour("#A9B873"), hex_colour("#8FA862"), horizon + 0.03, 0.06)
    stage.scatter((decor.bush, decor.tree, decor.fence), 6, horizon + 0.05, horizon + 0.1, 0.09, 0.24, 0.25)
    kerb = horizon + 0.13
    stage.ground(hex_colour("#8A7F8A"), hex_colour("#6C6272"), kerb, 0.05)
    stage.canvas.paint(box(0.5, kerb, 0.6, 0.009), hex_colour("#EADBCB"))
    stage.scatter((decor.cone, decor.ball, decor.rock), 4, kerb + 0.05, 1.0, 0.05, 0.1, 0.25)
    strips = {"land": (horizon + 0.09, 1.03), "road": (kerb + 0.06, 1.05)}
    return Setting(horizon + 0.08, strips, (1.05, 0.97, 0.92), near=(decor.bush, decor.cone))


def room(stage: Stage) -> Setting:
    horizon = stage.between(0.48, 0.6)
    wall = stage.any("#E9D3C0", "#BFD3CE", "#D9C3D4", "#F0DDB0", "#C3CFE0")
    stage.sky(wall, mix(wall, hex_colour("#8A7A78"), 0.15), horizon)
    _wallpaper(stage, wall, horizon)
    u = stage.between(0.15, 0.85)
    stage.canvas.paint(box(u, 0.2, 0.13, 0.15, 0.015), hex_colour("#FFF8EE"))
    pane = stage.canvas.paint(box(u, 0.2, 0.115, 0.135), stage.any("#A9D8EC", "#F6C79B", "#35406E"))
    stage.canvas.paint(ellipse(u, 0.33, 0.14, 0.06), hex_colour("#7FB069"), within=pane)
    stage.canvas.paint(box(u, 0.2, 0.006, 0.14), hex_colour("#FFF8EE"))
    stage.scatter((decor.frame,), 3, 0.25, 0.4, 0.13, 0.2)
    wood = stage.any("#C9986B", "#A87B5B", "#D8B48A")
    stage.ground(mix(wood, hex_colour("#6E4A38"), 0.25), wood, horizon, 0.05)
    stage.canvas.paint(box(0.5, horizon, 0.6, 0.014), hex_colour("#FBF3E8"))
    for k in range(1, 4):
        v = horizon + (1 - horizon) * k * (k + 6) / 40
        stage.canvas.paint(box(0.5, v, 0.6, 0.004), mix(wood, hex_colour("#6E4A38"), 0.5))
    stage.canvas.paint(
        ellipse(stage.between(0.2, 0.8), (horizon + 1.06) / 2, 0.36, 0.13),
        mix(stage.any("#C75D5D", "#5D8AA8", "#7A9E7E", "#D9A441"), wall, 0.3),
    )
    stage.scatter((decor.bookshelf, decor.plant, decor.plant), 3, horizon + 0.02, horizon + 0.08, 0.26, 0.46, 0.25)
    stage.scatter((decor.ball, decor.block, decor.block), 8, horizon + 0.1, 1.0, 0.05, 0.12, 0.25)
    strips = {"land": (horizon + 0.05, 1.03)}
    return Setting(horizon, strips, (1.02, 0.98, 0.93), 0.36, (decor.block, decor.ball, decor.plant))


def _wallpaper(stage: Stage, wall: Colour, horizon: float) -> None:
    window = stage.canvas.window((0.0, 0.0, 1.0, horizon))
    pitch = stage.between(0.05, 0.12)
    wave = stage.canvas.u * (1 / pitch)
    stripe = edge_cover((np.abs(wave - np.floor(wave) - 0.5) - 0.25) * pitch, stage.canvas.scale)
    if window is not None:
        stage.canvas.blend(window, mix(wall, (1, 1, 1), 0.35), stripe * np.float32(0.6))


BACKGROUNDS: dict[str, Callable[[Stage], Setting]] = {
    f.__name__: f for f in (meadow, farm, lake, sea, beach, snow, night, city, street, room)
}
