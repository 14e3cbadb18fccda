"""How a page and a run look in print, and a matplotlib figure to bytes that are always the same.

Sizes are those of the templates: CVPR's column and text width, the text width of Springer's LNCS for ECCV, and a
slide of 16:9. Only fonts that come with matplotlib are used, so that a machine without others makes the same file;
they are embedded as TrueType. A run has a colour, a dash, a marker and a hatch: in grey print three of them are left.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import RLock

import matplotlib
import numpy as np
from matplotlib.axis import Axis
from matplotlib.colors import is_color_like, to_hex
from matplotlib.figure import Figure

from amn_core.constants import EXTRA_COLOURS, METHOD_COLOURS, METHOD_DASHES

METHOD_MARKERS = {
    "cam": "o", "amn-without-lcm": "D", "amn": "s", "irn": "^", "combined": "8", "segmentation": "*",
    "imported": "X",
}
METHOD_HATCHES = {
    "cam": "", "amn-without-lcm": "////", "amn": "....", "irn": "xxxx", "combined": "//..", "segmentation": "oo..",
    "imported": "----",
}
LINE_STYLES = {"solid": "-", "dash": (0, (4, 1.6)), "dot": (0, (1, 1.4)), "dashdot": (0, (5, 1.4, 1, 1.4)),
               "longdash": (0, (8, 2))}
EXTRA_DASHES = ("dot", "dashdot", "dash", "solid")
EXTRA_MARKERS = ("v", "P", "p", "<", "h", ">")
EXTRA_HATCHES = ("\\\\\\\\", "++++", "||||", "oooo", "****", "OOOO")
ROOT_GAP = 0.15   # of an axis, between two numbers on it
NEUTRAL, TRUTH_GREY = "#5F6368", "#9AA0A6"
SVG_FONTS = {"STIXGeneral": "'STIXGeneral', 'STIX Two Text', 'Times New Roman', Times, serif",
             "DejaVu Sans": "'DejaVu Sans', Verdana, Arial, sans-serif"}
LOCK = RLock()  # matplotlib's settings are global: two sessions of a server must not mix theirs


@dataclass(frozen=True)
class Page:
    """What a figure is made for: width in inches, sizes of type and lines in points, and the font."""

    width: float
    text: float = 8
    small: float = 7
    line: float = 1.2
    marker: float = 3.4
    font: str = "STIXGeneral"
    mathtext: str = "stix"

    @property
    def is_wide(self) -> bool:
        """Whether panels fit side by side, judged in letters, not in inches."""
        return self.width * 72 / self.text > 40


PAGES = {
    "cvpr-column": Page(3.281),
    "cvpr-page": Page(6.875),
    "eccv": Page(4.803),
    "slide": Page(11.0, text=18, small=15, line=2.6, marker=8, font="DejaVu Sans", mathtext="dejavusans"),
}


@dataclass(frozen=True)
class Look:
    """How a run looks: its label, CSS colour, matplotlib line style, marker and hatch."""

    label: str
    colour: str
    line: str | tuple
    marker: str
    hatch: str


def build_looks(methods: Sequence[str], labels: Sequence[str]) -> list[Look]:
    """Build the look of every run: that of its method; further runs of the same method get one of their own."""
    looks, seen, spare = [], set(), 0
    for method, label in zip(methods, labels, strict=True):
        if method not in seen:
            look = (METHOD_COLOURS[method], METHOD_DASHES[method], METHOD_MARKERS[method], METHOD_HATCHES[method])
        else:
            lists = (EXTRA_COLOURS, EXTRA_DASHES, EXTRA_MARKERS, EXTRA_HATCHES)
            look = tuple(values[spare % len(values)] for values in lists)
            spare += 1
        seen.add(method)
        looks.append(Look(label, look[0], LINE_STYLES[look[1]], *look[2:]))
    return looks


def restyle(looks: Sequence[Look], names: str, colours: str) -> list[Look]:
    """Give runs other names and colours.

    Args:
        names: separated by semicolons, in the order of the runs; an empty one leaves a run its own.
        colours: of CSS or ``#RRGGBB``, separated by commas, likewise.

    Raises:
        ValueError: more of them than runs, or no such colour.
    """
    own = [split_list(names, ";", "names", len(looks)), split_list(colours, ",", "colours", len(looks))]
    wrong = [colour for colour in own[1] if colour and not is_color_like(colour)]
    if wrong:
        raise ValueError(f"colours has {wrong[0]!r}: give names of CSS, such as teal, or #RRGGBB")
    return [replace(look, label=name or look.label, colour=to_hex(colour) if colour else look.colour)
            for look, name, colour in zip(looks, *own, strict=True)]


def split_list(text: str, mark: str, name: str, n: int) -> list[str]:
    """Split a list of at most n texts, and fill it up with empty ones.

    Raises:
        ValueError: there are more than n.
    """
    parts = [part.strip() for part in text.split(mark)] if text.strip() else []
    if len(parts) > n:
        raise ValueError(f"{name} has {len(parts)} for {n}: give one for each, separated by {mark!r}, empty to keep "
                         "its own")
    return parts + [""] * (n - len(parts))


def rename_axes(figure: Figure, xlabel: str, ylabel: str) -> None:
    """Give the axes of a figure other titles, separated by semicolons, from the first panel that has one on.

    Raises:
        ValueError: there are fewer titles to replace.
    """
    for side, text in (("x", xlabel), ("y", ylabel)):
        if not text.strip():
            continue
        titles = [getattr(axes, f"{side}axis").label for axes in figure.axes if getattr(axes, f"get_{side}label")()]
        common = getattr(figure, f"get_sup{side}label")()
        names = split_list(text, ";", f"{side}label", len(titles) + bool(common))
        if common and names.pop(0):
            getattr(figure, f"sup{side}label")(text.split(";")[0].strip())
        for title, name in zip(titles, names, strict=True):
            title.set_text(name or title.get_text())


def choose_page(preset: str, width: float | None) -> Page:
    """Choose the page of a preset, with another width if one is given."""
    return replace(PAGES[preset], width=width) if width else PAGES[preset]


def set_root_scale(axis: Axis, top: float) -> None:
    """Scale an axis from 0 up by the square root: a few large values leave room for the small ones."""
    getattr(axis.axes, f"set_{axis.axis_name}scale")("function", functions=(bend, unbend))
    ticks = list_root_ticks(top)
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])


def bend(values: np.ndarray) -> np.ndarray:
    """Take the square root, of what is negative that of its size."""
    return np.sign(values) * np.sqrt(np.abs(values))


def unbend(values: np.ndarray) -> np.ndarray:
    """Square, and keep the sign."""
    return np.sign(values) * np.square(values)


def list_root_ticks(top: float) -> list[float]:
    """List the round numbers from 0 to a top that stand apart on an axis of square roots.

    >>> list_root_ticks(35.0)
    [0.0, 1.0, 5.0, 10.0, 20.0]
    """
    ticks = [0.0]
    for power in range(-3, 4):
        for value in (1 * 10.0**power, 2 * 10.0**power, 5 * 10.0**power):
            if value <= top and np.sqrt(value) - np.sqrt(ticks[-1]) >= ROOT_GAP * np.sqrt(top):
                ticks.append(value)
    return ticks


def build_settings(page: Page) -> dict:
    """Build matplotlib's settings for a page; all others are matplotlib's own defaults, not those of the user."""
    machine = ("backend", "webagg", "interactive", "toolbar", "timezone", "_internal", "tk.", "keymap")
    defaults = {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith(machine)}
    return defaults | {
        "font.family": [page.font], "mathtext.fontset": page.mathtext, "font.size": page.text,
        "axes.labelsize": page.text, "axes.titlesize": page.text, "figure.titlesize": page.text,
        "figure.labelsize": page.text,
        "xtick.labelsize": page.small, "ytick.labelsize": page.small, "legend.fontsize": page.small,
        "axes.linewidth": page.line / 2, "xtick.major.width": page.line / 2, "ytick.major.width": page.line / 2,
        "xtick.major.size": page.small / 3, "ytick.major.size": page.small / 3, "axes.labelpad": page.small / 3,
        "lines.linewidth": page.line, "lines.markersize": page.marker, "hatch.linewidth": page.line / 2,
        "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "legend.handlelength": 2.2,
        "legend.columnspacing": 1.2, "legend.borderaxespad": 0.2, "legend.handletextpad": 0.5,
        "pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "amn_core",
        "text.usetex": False, "text.parse_math": False,  # names are text, with dollar signs, too
        "figure.constrained_layout.h_pad": 0.02, "figure.constrained_layout.w_pad": 0.02,
        "axes.axisbelow": True, "grid.color": "#D0D3D8", "grid.linewidth": page.line / 3,
    }


@contextmanager
def use_page(page: Page) -> Iterator[None]:
    """Let matplotlib draw for a page, one thread at a time."""
    with LOCK, matplotlib.rc_context(build_settings(page)):
        yield


def build_figure(page: Page, height: float) -> Figure:
    """Build an empty figure of a page's width and a height in inches."""
    return Figure(figsize=(page.width, height), layout="constrained")


def add_legend(figure: Figure, handles: Sequence, columns: int | None = None) -> None:
    """Put a legend above the panels, in as many rows as it needs."""
    figure.legend(handles=list(handles), loc="outside upper center",
                  ncols=columns or fit_columns(figure.get_figwidth(), handles))


def fit_columns(width: float, handles: Sequence) -> int:
    """Find how many entries of a legend fit beside one another in a width in inches."""
    size = matplotlib.rcParams["legend.fontsize"]
    longest = max((len(handle.get_label()) for handle in handles), default=1)
    total = sum(len(handle.get_label()) for handle in handles) * 0.5 + 4.6 * len(handles)
    room = width * 72 / size
    most = len(handles) if total <= room else max(1, int(room / (longest * 0.5 + 4.6)))
    return -(-len(handles) // -(-len(handles) // most)) if handles else 1


def render_figure(figure: Figure, suffix: str, dpi: int, caption: str, record: str) -> bytes:
    """Render a figure as PDF, SVG or PNG, its record inside; the same figure gives the same bytes.

    Args:
        suffix: ``.pdf``, ``.svg`` or ``.png``. dpi: of pictures inside, and of a PNG. record: JSON in ASCII.
    """
    metadata = {
        ".pdf": {"CreationDate": None, "Title": caption, "Keywords": record},
        ".svg": {"Date": None, "Title": caption, "Description": record},
        ".png": {"Title": caption, "Comment": record},
    }[suffix]
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=dpi, metadata=metadata)
    return name_fallbacks(buffer.getvalue()) if suffix == ".svg" else buffer.getvalue()


def name_fallbacks(svg: bytes) -> bytes:
    """Name fonts that may stand in where a reader's machine lacks matplotlib's; text stays text in an SVG."""
    for font, fonts in SVG_FONTS.items():
        svg = re.sub(f"'{font}'(?:, [^;\"]*)?(?=[;\"])".encode(), fonts.encode(), svg)
    return svg
