"""How runs and classes look, the same on every screen. Free of Plotly, so that pictures do not wait for it."""

import colorsys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from amn_core.constants import EXTRA_COLOURS, METHOD_COLOURS, METHOD_DASHES

SYMBOLS = {
    "cam": "circle", "amn-without-lcm": "diamond", "amn": "square", "irn": "triangle-up",
    "segmentation": "star-diamond", "imported": "cross",
}
EXTRA_SYMBOLS = ("star", "pentagon", "hexagon", "triangle-down", "bowtie", "hourglass")
EXTRA_DASHES = ("dot", "dashdot", "longdash", "longdashdot", "dash", "solid")


@dataclass(frozen=True)
class RunStyle:
    """How a run looks in every chart: the text of its legend, CSS colour, Plotly dash and Plotly symbol."""

    label: str
    colour: str
    dash: str = "solid"
    symbol: str = "circle"

SVG_DASHES = {"solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "8 3 2 3"}
EXTRA_DASHES = ("2 3", "8 3 2 3", "12 4", "12 3 2 3", "7 4", "")
GOLDEN_ANGLE = 0.381966
FIRST_HUE = 0.02


def list_run_styles(methods: Sequence[str]) -> list[tuple[str, str]]:
    """List a colour and an SVG dash for each run of a group, given their methods in order.

    The first run of a method has the method's own colour, further ones take the spare colours in turn.
    """
    seen: set[str] = set()
    styles, spare = [], 0
    for method in methods:
        if method not in seen:
            styles.append((METHOD_COLOURS[method], SVG_DASHES[METHOD_DASHES[method]]))
        else:
            styles.append((EXTRA_COLOURS[spare % len(EXTRA_COLOURS)], EXTRA_DASHES[spare % len(EXTRA_DASHES)]))
            spare += 1
        seen.add(method)
    return styles


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


def build_styles(methods: Iterable[str], labels: Iterable[str]) -> list[RunStyle]:
    """Build the style of every run: that of its method; further runs of the same method get one of their own."""
    styles, seen, spare = [], set(), 0
    for method, label in zip(methods, labels, strict=True):
        if method not in seen:
            style = RunStyle(label, METHOD_COLOURS[method], METHOD_DASHES[method], SYMBOLS[method])
        else:
            k, spare = spare, spare + 1
            style = RunStyle(label, EXTRA_COLOURS[k % 6], EXTRA_DASHES[k % 6], EXTRA_SYMBOLS[k % 6])
        seen.add(method)
        styles.append(style)
    return styles
