"""How runs and classes look, the same on every screen. Free of Plotly, so that pictures do not wait for it."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from amn_core.constants import EXTRA_COLOURS, METHOD_COLOURS, METHOD_DASHES
from app.words.text import escape_html

SYMBOLS = {
    "cam": "circle", "amn-without-lcm": "diamond", "amn": "square", "irn": "triangle-up",
    "combined": "hexagram", "segmentation": "star-diamond", "imported": "cross",
}
EXTRA_SYMBOLS = ("star", "pentagon", "hexagon", "triangle-down", "bowtie", "hourglass")
EXTRA_DASHES = ("dot", "dashdot", "longdash", "longdashdot", "dash", "solid")
BACKBONE_DASHES = ("solid", "dot", "dashdot", "longdash", "longdashdot")  # in the order in which they appear
SVG_DASHES = {"solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "8 3 2 3", "longdash": "12 4",
              "longdashdot": "12 3 2 3"}
GOLDEN_ANGLE = 0.381966
FIRST_HUE = 0.02


@dataclass(frozen=True)
class RunStyle:
    """How a run looks in every chart: the text of its legend, CSS colour, Plotly dash and Plotly symbol."""

    label: str
    colour: str
    dash: str = "solid"
    symbol: str = "circle"

    @property
    def shown(self) -> str:
        """The label as Plotly has to be given it: as text, though it reads tags, entities and placeholders."""
        return escape_html(self.label)

    @property
    def svg_dash(self) -> str:
        """The dash as SVG writes it."""
        return SVG_DASHES[self.dash]


@cache
def build_class_colours(n_classes: int) -> tuple[tuple[int, int, int], ...]:
    """Build a bright colour for each class, background black: neighbours differ by the golden angle in hue.

    VOC's palette has near-black reds that vanish on a photograph, so the screens use these instead (ours).
    """
    colours = [(0, 0, 0)]
    for class_id in range(1, n_classes):
        hue = (FIRST_HUE + class_id * GOLDEN_ANGLE) % 1
        lightness = (0.55, 0.66)[class_id % 2]
        red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.85)
        colours.append((round(red * 255), round(green * 255), round(blue * 255)))
    return tuple(colours)


def build_styles(
    methods: Sequence[str], labels: Sequence[str], backbones: Sequence[str] | None = None,
) -> list[RunStyle]:
    """Build the style of every run of a group.

    The first run of a method has the method's colour; on one backbone alone also the method's dash. Where there are
    several backbones the colour is the method and the dash the backbone. Further runs of one method on one backbone
    take spare colours in turn, as do further imports, which have no backbone.
    """
    backbones = backbones or [""] * len(methods)
    order = list(dict.fromkeys(filter(None, backbones)))
    styles, seen, spare = [], set(), 0
    for method, label, backbone in zip(methods, labels, backbones, strict=True):
        if (method, backbone) in seen or (not backbone and method in {one for one, _ in seen}):
            k, spare = spare, spare + 1
            style = RunStyle(label, EXTRA_COLOURS[k % 6], EXTRA_DASHES[k % 6], EXTRA_SYMBOLS[k % 6])
        else:
            style = RunStyle(label, METHOD_COLOURS[method], METHOD_DASHES[method], SYMBOLS[method])
        if len(order) > 1 and backbone:
            style = replace(style, dash=BACKBONE_DASHES[order.index(backbone) % len(BACKBONE_DASHES)])
        seen.add((method, backbone))
        styles.append(style)
    return styles
