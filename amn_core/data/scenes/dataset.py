"""`scenes`: a data set of illustrated scenes made in code, with exact masks. The data set is ours.

Ten classes of four families stand on ten backgrounds, each where it belongs, in sizes that go together. Every
object carries strong evidence in a small part (the head, the sign on the roof, the flag), which names its class, and
weak evidence all over: the coat and build of its body, which narrow the class down without naming it. Three knobs
set what a classifier can learn from: `discriminative` (how much less the body tells than the part, which makes an
activation map uneven), `cooccurrence` (how much the background goes with a class) and `clutter`.
Nothing is stored: image i of a split is drawn from (seed, split, i) alone, the same in every process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from amn_core.constants import VOC_PALETTE
from amn_core.data.lists import read_id_list, read_list_text
from amn_core.data.scenes.backgrounds import BACKGROUNDS, Setting, Stage
from amn_core.data.scenes.canvas import Canvas, Window, cut, ellipse
from amn_core.data.scenes.layout import Placement, choose_background, choose_classes, place_objects
from amn_core.data.scenes.noise import grain_tile, noise_tile
from amn_core.data.scenes.objects import CLASS_NAMES, FAMILIES, KINDS
from amn_core.formats.errors import DataError

SPLITS = ("train", "val")
LIGHT = ((-0.5, -0.86), (0.5, -0.86))
RANGES = {
    "size": (32, 1024),
    "n": (1, 1_000_000),
    "seed": (0, 2**31 - 1),
    "discriminative": (0.0, 1.0),
    "cooccurrence": (0.0, 1.0),
    "clutter": (0.0, 1.0),
}


@dataclass(frozen=True)
class SceneConfig:
    """What the scenes of a split are drawn from.

    size: pixels of each side, 32 to 1024. n: number of images. seed: 0 to 2**31 - 1.
    discriminative: the share of coats and builds that are any of the family's, whatever the class: at 0 a body tells
    the class as surely as the small part does, at 1 nothing but the family.
    cooccurrence: the probability that the background is the home of the first class in the image.
    clutter: how many things stand around, in front of the objects too, and how rough the ground is.
    """

    size: int = 256
    n: int = 400
    seed: int = 7
    discriminative: float = 0.5
    cooccurrence: float = 0.5
    clutter: float = 0.5
    split: str = "train"

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise DataError(f"scenes: {name} is {value} but must lie between {low} and {high}")
        if self.split not in SPLITS:
            raise DataError(f"scenes: split is {self.split!r} but must be one of {', '.join(SPLITS)}")


@dataclass(frozen=True)
class Scene:
    """One drawn scene.

    image: (H, W, 3) uint8. gt: (H, W) uint8, 0 background, else the class that covers most of the pixel.
    class_ids: (K,) int64, the classes of gt, increasing. parts: (H, W) uint8, the class id where a pixel
    of gt belongs to a small part that names the class, else 0.
    """

    image: np.ndarray
    gt: np.ndarray
    class_ids: np.ndarray
    parts: np.ndarray


@dataclass(frozen=True)
class SceneDataset:
    """The scenes of one split as a data set; drawn when asked for, never stored.

    ids: `scene_000000`, `scene_000001`, …; all of the split, or those that were selected.
    """

    config: SceneConfig
    ids: tuple[str, ...] = field(repr=False)
    class_names: ClassVar[tuple[str, ...]] = CLASS_NAMES
    label_source: ClassVar[str] = "scenes (exact)"

    @property
    def spec(self) -> str:
        """The text that opens the same data set again: `scenes:key=value,…`."""
        return "scenes:" + ",".join(f"{name}={getattr(self.config, name)}" for name in RANGES)

    @property
    def split(self) -> str:
        """`train` or `val`."""
        return self.config.split

    def scene(self, image_id: str) -> Scene:
        """Draw the whole scene of an id; raises DataError for an id that is not in the split."""
        number = image_id.removeprefix("scene_")
        index = int(number) if number.isascii() and number.isdigit() else -1
        if not 0 <= index < self.config.n or image_id != name_scene(index):
            last = name_scene(self.config.n - 1)
            raise DataError(f"{image_id!r} is no image of {self.spec}: ids run from {name_scene(0)} to {last}")
        return _recent_scene(index, self.config)

    def image(self, image_id: str) -> np.ndarray:
        """(H, W, 3) uint8."""
        return self.scene(image_id).image.copy()

    def gt(self, image_id: str) -> np.ndarray:
        """(H, W) uint8, 0 background; no pixel is 255."""
        return self.scene(image_id).gt.copy()

    def class_ids(self, image_id: str) -> np.ndarray:
        """(K,) int64, the classes present, increasing."""
        return self.scene(image_id).class_ids.copy()

    def parts(self, image_id: str) -> np.ndarray:
        """(H, W) uint8, the class id on the small parts that name the classes, else 0."""
        return self.scene(image_id).parts.copy()


def name_scene(index: int) -> str:
    """The id of scene number `index`."""
    return f"scene_{index:06d}"


@lru_cache(maxsize=4)
def _recent_scene(index: int, config: SceneConfig) -> Scene:
    """The last few scenes, so that image, mask and labels of one id are drawn once."""
    return build_scene(index, config)


def open_scenes(options: Mapping[str, str], split: str) -> SceneDataset:
    """Open the scenes of a split from the options of `scenes:key=value,…`.

    Args:
        split: ``train``, ``val``, or the path of a list of ids. The same ids stand in both splits: a list of those of
            the validation split says so in a line ``# split: val``.

    Raises:
        DataError: an unknown key, split or id, or a value out of range; it names what is allowed.
    """
    numbers = {key: _parse(key, text) for key, text in options.items()}
    if split not in SPLITS and Path(split).is_file():
        return open_listed(numbers, Path(split))
    config = SceneConfig(**numbers, split=split)
    return SceneDataset(config, name_scenes(config))


def open_listed(numbers: Mapping[str, float], path: Path) -> SceneDataset:
    """Open the scenes that a list names; see `open_scenes`."""
    named = re.search(r"^#\s*split:\s*(\w+)\s*$", read_list_text(path), re.MULTILINE)
    config = SceneConfig(**numbers, split=named.group(1) if named else SPLITS[0])
    dataset = SceneDataset(config, read_id_list(path))
    if unknown := sorted(set(dataset.ids) - set(name_scenes(config))):
        raise DataError(f"{path}: {unknown[0]!r} is no image of {dataset.spec}: ids run from {name_scene(0)} to "
                        f"{name_scene(config.n - 1)}")
    return dataset


def name_scenes(config: SceneConfig) -> tuple[str, ...]:
    """The ids of a whole split."""
    return tuple(name_scene(i) for i in range(config.n))


def _parse(key: str, text: str) -> int | float:
    if key not in RANGES:
        allowed = ", ".join(f"{name} ({low} to {high})" for name, (low, high) in RANGES.items())
        raise DataError(f"scenes has no option {key!r}: use {allowed}")
    kind = type(RANGES[key][0])
    try:
        return kind(text)
    except ValueError:
        low, high = RANGES[key]
        what = "a whole number" if kind is int else "a number"
        raise DataError(f"scenes: {key} is {text!r} but must be {what} between {low} and {high}") from None


def build_scene(index: int, config: SceneConfig) -> Scene:
    """Draw scene number `index` of a split; the same numbers give the same pixels everywhere."""
    rng = np.random.Generator(np.random.PCG64([config.seed, SPLITS.index(config.split), index]))
    size = config.size
    first = int(rng.integers(len(KINDS))) + 1
    background = choose_background(rng, first, config.cooccurrence)
    classes = choose_classes(rng, first, background)
    light = LIGHT[int(rng.integers(2))]
    canvas = Canvas(np.zeros((3, size, size), np.float32), (0.0, 0.0), size, light=light)
    setting = BACKGROUNDS[background](Stage(canvas, rng, config.clutter))
    picture = _Picture(canvas, setting)
    for placement in place_objects(rng, classes, setting, config.discriminative):
        picture.add_object(placement)
    picture.add_near_things(rng, config.clutter)
    class_ids = np.flatnonzero(np.bincount(picture.label.ravel(), minlength=2)[1:]) + 1
    return Scene(_develop(canvas.planes, rng, light), picture.label, class_ids, picture.parts)


class _Picture:
    """A picture that grows object by object, with the class that covers most of each pixel.

    cover: how much of each pixel its label covers, so that the label of a pixel on an edge is decided
    by coverage, not by who came last.
    """

    def __init__(self, canvas: Canvas, setting: Setting) -> None:
        shape = canvas.planes.shape[1:]
        self.canvas, self.setting = canvas, setting
        self.label, self.parts = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        self.cover = np.ones(shape, np.float32)

    def add_object(self, it: Placement) -> None:
        """Draw an object with its shadow over everything so far."""
        scale = self.canvas.scale
        family = FAMILIES[KINDS[it.class_id - 1].family]
        u0, v0, u1, v1 = it.bounds
        pad = 0.12 * it.unit
        window = self.canvas.window((u0 - pad, v0 - pad, u1 + pad, v1 + pad))
        if window is None:
            return
        self._add_shadow(it)
        y0, y1, x0, x1 = window
        layer = Canvas(
            np.zeros((5, y1 - y0, x1 - x0), np.float32),
            (it.u * scale - x0, it.v * scale - y0),
            it.unit * scale,
            it.turn,
            it.flip,
            self.canvas.light,
        )
        family.draw(layer, it.look, KINDS[it.class_id - 1].draw_part, np.random.Generator(np.random.PCG64(it.seed)))
        self._add_light_and_texture(layer, it.seed)
        self._lay(layer, window, it.class_id)

    def _add_light_and_texture(self, layer: Canvas, seed: int) -> None:
        """Brighten the side of an object that faces the light, and roughen it like felt."""
        height, width = layer.planes.shape[1:]
        tile = noise_tile(self.label.shape[0])
        y, x = seed % (len(tile) - height + 1), seed // 7919 % (len(tile) - width + 1)
        tone = tile[y : y + height, x : x + width] * np.float32(0.055)
        tone += layer.u * (0.09 * layer.light[0]) + (layer.v * (0.09 * layer.light[1]) + 1)
        layer.planes[:3] *= tone

    def _add_shadow(self, it: Placement) -> None:
        family, lean = FAMILIES[KINDS[it.class_id - 1].family], 0.12 if self.canvas.light[0] < 0 else -0.12
        half = (family.extent[2] - family.extent[0]) / 2 * it.unit
        shade = ellipse(it.u + lean * it.unit, it.foot, half * 0.85, half * 0.2)
        self.canvas.paint(shade, (0.1, 0.08, 0.16), opacity=self.setting.shadow, softness=half * 0.3)
        if it.is_afloat:
            rim = ellipse(it.u, it.foot, half * 1.02, half * 0.17)
            ripple = cut(rim, ellipse(it.u, it.foot + half * 0.015, half * 0.96, half * 0.145))
            self.canvas.paint(ripple, (1.0, 1.0, 1.0), opacity=0.5)

    def add_near_things(self, rng: np.random.Generator, clutter: float) -> None:
        """Strew a few things over the foreground; they hide what is behind them, also in the mask."""
        for u, v, s, pick in rng.random((int(5 * clutter * rng.uniform(0.4, 1.6) + 0.5), 4)):
            foot, high = 0.93 + 0.12 * float(v), 0.07 + 0.08 * float(s)
            opened = self.canvas.layer((u - 1.3 * high, foot - 1.15 * high, u + 1.3 * high, foot + 0.4 * high))
            if opened is not None:
                self.setting.near[int(pick * len(self.setting.near))](opened[0], rng, float(u), foot, high)
                self._lay(*opened, 0)

    def _lay(self, layer: Canvas, window: Window, class_id: int) -> None:
        self.canvas.lay(layer, window, self.setting.tint)
        y0, y1, x0, x1 = window
        alpha, cover = layer.planes[3], self.cover[y0:y1, x0:x1]
        cover *= 1 - alpha
        is_won = alpha > cover
        np.maximum(cover, alpha, out=cover)
        self.label[y0:y1, x0:x1][is_won] = class_id
        part = (layer.planes[4] * 2 > alpha) * np.uint8(class_id)
        np.copyto(self.parts[y0:y1, x0:x1], part, where=is_won)


def _develop(planes: np.ndarray, rng: np.random.Generator, light: tuple[float, float]) -> np.ndarray:
    """Expose a picture: brightness, a cast, light from one side, a vignette, noise; then round to uint8."""
    size = planes.shape[1]
    gain = rng.uniform(0.88, 1.08) * rng.uniform(0.97, 1.03, 3) * 255
    axis = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    bend = 1 - axis * axis * np.float32(rng.uniform(0.0, 0.5))
    side = bend + axis * np.float32(light[0] * rng.uniform(0.05, 0.45))
    tile, noise = grain_tile(size), float(rng.uniform(0.5, 4.0))
    planes *= gain.astype(np.float32)[:, None, None]
    planes *= bend[None, :, None] * side[None, None, :]
    for plane in planes:
        y, x = (int(c) for c in rng.integers(0, size + 1, 2))
        plane += tile[y : y + size, x : x + size] * noise
    planes += 0.5
    np.minimum(np.maximum(planes, 0, out=planes), 255, out=planes)
    return np.ascontiguousarray(planes.astype(np.uint8).transpose(1, 2, 0))


def build_contact_sheet(dataset: SceneDataset, n: int) -> Image.Image:
    """Show the first n scenes, each image with its mask beside it and the names of its classes below.

    The mask is in the colours of the label images; the small part that names a class is lighter.
    """
    scenes = [(image_id, dataset.scene(image_id)) for image_id in dataset.ids[:n]]
    if not scenes:
        raise DataError(f"a contact sheet of {n} scenes: ask for at least one")
    columns = max(1, min(5, round((len(scenes) / 2) ** 0.5)))
    gap = max(4, dataset.config.size // 16)
    width, height = 2 * dataset.config.size + gap, dataset.config.size + 2 * gap
    rows = -(-len(scenes) // columns)
    sheet = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + gap) + gap), "#FBFAF7")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(max(8, int(gap * 1.15)))
    for k, (image_id, scene) in enumerate(scenes):
        x, y = gap + k % columns * (width + gap), gap + k // columns * (height + gap)
        sheet.paste(Image.fromarray(scene.image), (x, y))
        sheet.paste(Image.fromarray(colour_mask(scene)), (x + dataset.config.size + gap // 4, y))
        names = ", ".join(CLASS_NAMES[c] for c in scene.class_ids)
        draw.text((x, y + dataset.config.size + gap // 4), f"{image_id[-6:]}  {names}", fill="#3A3640", font=font)
    return sheet


def colour_mask(scene: Scene) -> np.ndarray:
    """Colour a mask with the palette of label images, its small parts lighter; (H, W, 3) uint8."""
    colours = VOC_PALETTE[scene.gt]
    return np.where(scene.parts[..., None] > 0, colours // 2 + 127, colours)
