"""How runs and classes look, the same on every screen. Free of Plotly, so that pictures do not wait for it."""

import colorsys
from collections.abc import Sequence
from functools import cache

from amn_core.constants import EXTRA_COLOURS, METHOD_COLOURS, METHOD_DASHES

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
