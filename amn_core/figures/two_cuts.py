"""Two cuts with unsure pixels between: the plane of quality and coverage, and what inherited constants cost."""

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from amn_core.choosing.audit import Constant, Verdict, audit_run, list_constants
from amn_core.figures.captions import Caption
from amn_core.figures.config import FigureConfig
from amn_core.figures.curves import PERCENT, build_handle
from amn_core.figures.material import Material, Source, parse_numbers, write_caption
from amn_core.figures.styles import NEUTRAL, Page, add_legend, build_figure
from amn_core.figures.tables import Table, build_column
from amn_core.presets import parse_cuts
from amn_core.scoring import NO_CUTS, score_plane_under
from amn_core.sweep.two_cuts import Plane, find_front

LEVELS = np.arange(0, 101, 10)
COVERAGES = (60, 80, 90, 95)
SIDES = ((1, 0), (-1, 0), (-1, 0), (0, -1), (0, 1))  # of a letter beside its place, so that neighbours stay legible
RING = np.array([(0, -1), (1, 0), (-1, 0), (0, 1), (0.8, -0.8), (-0.8, -0.8), (0.8, 0.8), (-0.8, 0.8), (0, -1.6),
                 (1.4, -0.8), (-1.4, -0.8)])  # where a letter may stand beside its mark, in its sizes; best first
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
HIGH_OF_NUMBERS = 0.85
LEAST_COVERAGE = 0.1  # a front is drawn from here up: below, whole classes have no labelled pixel
AUDIT = ("Two cuts (high / low): mIoU over the labelled pixels lost against the best "
         "pair of at least the same coverage, and coverage lost against the widest pair of at least the same mIoU. "
         "A single cut: points below the peak of the curve; it labels every pixel. All judged on the ground truth "
         "of these images.")


def choose_constants(config: FigureConfig) -> tuple[Constant, ...]:
    """Choose the constants of a figure: those in use, and those that are given.

    Raises:
        ValueError: a pair or a cut cannot be read.
    """
    pairs = [parse_cuts(part) for part in config.pairs.split(";") if part.strip()]
    return list_constants(pairs, parse_numbers(config.cuts, "cuts"))


def leave_out_masks(material: Material) -> tuple[Material, str]:
    """Leave out runs of finished masks, which no cut changes; returns a sentence for the caption too.

    Raises:
        ValueError: there is no other run.
    """
    kept = tuple(source for source in material.sources if not source.run.is_masks)
    if not kept:
        raise ValueError(f"{material.sources[0].run.path}: {NO_CUTS}; draw a run of maps")
    names = ", ".join(source.look.label for source in material.sources if source.run.is_masks)
    return replace(material, sources=kept), f"Left out, as finished masks have no cut: {names}." * bool(names)


def draw_two_cuts(material: Material) -> tuple[Figure, Caption]:
    """Draw the best mIoU for each coverage, and below it the plane of both cuts of each run; returns its caption too.
    """
    material, note = leave_out_masks(material)
    config, page = material.config, material.page
    planes = [score_plane_under(source.run, source.counts, material.terms) for source in material.sources]
    pairs = [constant for constant in choose_constants(config) if constant.low is not None]
    verdicts = [judge(material, source, pairs) for source in material.sources]
    columns = min(len(planes), 4 if page.is_wide else 2)
    rows = -(-len(planes) // columns)
    side = page.width / columns * 0.86 if columns > 1 else page.width * 0.5
    figure = build_figure(page, config.height or page.width * (0.3 if page.is_wide else 0.6) + rows * side)
    grid = figure.add_gridspec(1 + rows, columns, height_ratios=[1, *[1.1] * rows])
    draw_fronts(figure.add_subplot(grid[0, :]), material, planes, verdicts)
    panels = [figure.add_subplot(grid[1 + i // columns, i % columns]) for i in range(len(planes))]
    for i, (panel, plane) in enumerate(zip(panels, planes, strict=True)):
        draw_plane(panel, material.sources[i], plane, pairs, page)
        panel.set_ylabel("low cut" if i % columns == 0 else "")
    norm = BoundaryNorm(LEVELS, 256)
    bar = figure.colorbar(ScalarMappable(norm, "viridis"), ax=panels, location="bottom", aspect=40, pad=0.02)
    bar.set_label("mIoU over the labelled pixels (%)")
    add_legend(figure, [build_handle(source.look, page) for source in material.sources])
    return figure, caption_two_cuts(material, pairs, note)


def judge(material: Material, source: Source, constants: tuple[Constant, ...] | list[Constant]) -> list[Verdict]:
    """Judge constants on a run of a figure.

    Raises:
        ValueError: one of them cannot be judged on it; says why.
    """
    verdicts, notes = audit_run(source.run, source.counts, material.terms, constants)
    if notes:
        raise ValueError(notes[0])
    return verdicts


def draw_fronts(axes: Axes, material: Material, planes: list[Plane], verdicts: list[list[Verdict]]) -> None:
    """Draw the highest mIoU for each coverage by run, and the constants as letters with the run's marker."""
    page, curves = material.page, []
    for source, plane, judged in zip(material.sources, planes, verdicts, strict=True):
        high, low = find_front(plane).T
        front = np.stack([plane.coverage[high, low], plane.miou[high, low]], axis=-1) * PERCENT
        curves.append(front[front[:, 0] >= LEAST_COVERAGE * PERCENT])
        axes.plot(*curves[-1].T, color=source.look.colour, linestyle=source.look.line, zorder=2)
        axes.plot(*find_marks(judged).T, color=source.look.colour, marker=source.look.marker, linestyle="", zorder=3,
                  markeredgecolor="white", markeredgewidth=page.line / 4, markersize=1.3 * page.marker)
    axes.set(xlabel="coverage: labelled share of the scored pixels (%)", ylabel="mIoU (%)", xlim=(0, 101),
             ylim=(max(0, axes.get_ylim()[0] - 8), 100))
    axes.grid(axis="both")
    draw_letters(axes, material, verdicts, np.concatenate(curves))


def find_marks(verdicts: list[Verdict]) -> np.ndarray:
    """Find where constants lie, as coverage and mIoU in percent: (N, 2)."""
    return np.array([(verdict.coverage, verdict.miou) for verdict in verdicts]).reshape(-1, 2) * PERCENT


def draw_letters(axes: Axes, material: Material, verdicts: list[list[Verdict]], curves: np.ndarray) -> None:
    """Draw the letters of the constants beside their marks, clear of each other and of the curves (P, 2)."""
    def to_points(values: np.ndarray) -> np.ndarray:
        return axes.transData.transform(values) * 72 / axes.figure.dpi

    small = material.page.small
    marks = [find_marks(judged)[:len(LETTERS)] for judged in verdicts]
    sides = iter(find_sides(to_points(np.concatenate(marks)), to_points(curves), small))
    for source, places in zip(material.sources, marks, strict=True):
        for letter, place in zip(LETTERS, places, strict=False):
            axes.annotate(letter, place, next(sides), textcoords="offset points", fontsize=small, ha="center",
                          va="center", color=source.look.colour)


def find_sides(marks: np.ndarray, curves: np.ndarray, size: float) -> np.ndarray:
    """Find the side of each mark on which a letter has most room, in the order of the marks (ours).

    Args:
        marks, curves: (N, 2) and (P, 2) what must stay clear, in points. size: of the letters, in points.

    Returns:
        (N, 2) offsets in points: the first of RING with room for a letter, else the roomiest; ties take the first.
    """
    taken, sides = np.concatenate([marks, curves]), []
    for mark in marks:
        spots = mark + RING * size
        room = np.linalg.norm(spots[:, None] - taken, axis=-1).min(axis=1)
        best = np.argmax(np.minimum(room, 0.9 * size))
        sides.append(spots[best] - mark)
        taken = np.concatenate([taken, spots[best:best + 1]])
    return np.array(sides).reshape(-1, 2)


def draw_plane(axes: Axes, source: Source, plane: Plane, pairs: list[Constant], page: Page) -> None:
    """Draw the plane of a run: mIoU as colour, coverage as lines, the constants as letters."""
    t = plane.thresholds
    axes.contourf(t, t, plane.miou.T * PERCENT, levels=LEVELS, cmap="viridis", norm=BoundaryNorm(LEVELS, 256))
    lines = axes.contour(t, t, plane.coverage.T * PERCENT, levels=COVERAGES, colors="white", linewidths=page.line / 2)
    if page.is_wide:  # in a narrow panel the numbers would lie under the letters
        axes.clabel(lines, fmt="%g %%", fontsize=page.small * 0.8, manual=find_numbers(plane))
    outline = [withStroke(linewidth=page.line, foreground="white")]
    for i, (letter, constant) in enumerate(zip(LETTERS, pairs, strict=False)):
        axes.plot(constant.high, constant.low, "o", color="black", markersize=page.marker * 0.8,
                  markeredgecolor="white", markeredgewidth=page.line / 3)
        side = np.array(SIDES[i] if i < len(SIDES) else (1, 0)) * page.small * 0.75
        axes.annotate(letter, (constant.high, constant.low), side, textcoords="offset points", fontsize=page.small,
                      ha="center", va="center", weight="bold", path_effects=outline)
    axes.set(title=source.look.label, xlabel="high cut", xlim=(0, 1), ylim=(0, 1), aspect="equal")


def find_numbers(plane: Plane) -> list[tuple[float, float]]:
    """Find where the numbers of the lines of coverage stand: at a high cut above those in use, clear of letters."""
    high = min(np.searchsorted(plane.thresholds, HIGH_OF_NUMBERS), len(plane.thresholds) - 1)
    coverage = plane.coverage[high] * PERCENT
    is_pair = np.isfinite(coverage)
    low, coverage = plane.thresholds[is_pair], coverage[is_pair]
    return [(plane.thresholds[high], float(np.interp(level, coverage, low))) for level in COVERAGES
            if coverage.min() < level < coverage.max()]


def caption_two_cuts(material: Material, pairs: list[Constant], note: str) -> Caption:
    """Write the caption of the planes: how a pair labels, and which constants the letters are."""
    named = "; ".join(f"{letter} {c.label} ({c.cuts})" for letter, c in zip(LETTERS, pairs, strict=False))
    text = (f"Two cuts: foreground above the high one, background up to the low one, unsure between. Top: the highest "
            f"mIoU over the labelled pixels that any pair reaches at each coverage. Below: every pair; white lines: "
            f"coverage of {', '.join(map(str, COVERAGES))} %. Letters: {named}.")
    return write_caption(material, text, note)


def draw_audit(material: Material) -> tuple[Figure, Caption]:
    """Draw what each constant costs on each run, in mIoU and in coverage; returns its caption too."""
    material, note = leave_out_masks(material)
    config, page, n = material.config, material.page, len(material.sources)
    constants = choose_constants(config)
    verdicts = [judge(material, source, constants) for source in material.sources]
    height = len(constants) * page.text / 72 * (0.75 * n + 0.7) + page.text / 9
    figure = build_figure(page, config.height or height)
    panels = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for i, (source, judged) in enumerate(zip(material.sources, verdicts, strict=True)):
        places = np.arange(len(constants)) + (i - (n - 1) / 2) * 0.84 / n
        for panel, measure in zip(panels, ("lost_miou", "lost_coverage"), strict=True):
            values = np.array([getattr(verdict, measure) for verdict in judged]) * PERCENT
            bars = panel.barh(places, np.nan_to_num(values), 0.84 / n, color=source.look.colour,
                              hatch=source.look.hatch, edgecolor="white", linewidth=page.line / 3)
            panel.bar_label(bars, [f"{v:.1f}" if np.isfinite(v) else "" for v in values], padding=page.small / 4,
                            fontsize=page.small * 0.85)
    panels[0].set_yticks(range(len(constants)), [f"{c.label} {c.cuts}" for c in constants])
    n_pairs = sum(constant.low is not None for constant in constants)
    gap = " " if page.is_wide else "\n"
    panels[0].set(xlabel=f"mIoU lost{gap}(points)", ylim=(len(constants) - 0.4, -0.6))
    panels[1].set(xlabel=f"coverage lost{gap}(points)")
    for panel in panels:
        panel.axhline(n_pairs - 0.5, color=NEUTRAL, linewidth=page.line / 2)
        panel.set_xlim(0, 1.3 * panel.get_xlim()[1])
    add_legend(figure, [Patch(facecolor=s.look.colour, hatch=s.look.hatch, edgecolor="white", label=s.look.label)
                        for s in material.sources])
    return figure, write_caption(material, "What inherited constants cost.", AUDIT, note)


def build_audit_table(material: Material) -> Table:
    """Build the table of constants: a row for each constant and run."""
    material, note = leave_out_masks(material)
    constants, several = choose_constants(material.config), len(material.sources) > 1
    rows = []
    for source in material.sources:
        for verdict in judge(material, source, constants):
            name = f"{verdict.constant.label} {verdict.constant.cuts}"
            rows.append((f"{source.look.label}: {name}" if several else name, verdict))
    columns = []
    for measure in ("miou", "coverage", "miou_unsure_wrong", "lost_miou", "lost_coverage"):
        values = [getattr(verdict, measure) * PERCENT for _, verdict in rows]
        columns.append(build_column(values, [(np.nan, np.nan)] * len(values), 1, 0))
    heads = ("constant", "mIoU labelled (%)", "coverage (%)", "mIoU, unsure wrong (%)", "mIoU lost (points)",
             "coverage lost (points)")
    caption = write_caption(material, "What inherited constants cost.", AUDIT, note)
    return Table(heads, tuple(name for name, _ in rows), tuple(zip(*columns, strict=True)), caption)
