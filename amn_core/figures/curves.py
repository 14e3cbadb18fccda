"""Curves: mIoU against the threshold, a training over its epochs, and what labelled images buy."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amn_core.choosing.budget import build_folds, score_budget
from amn_core.constants import METHOD_LABELS, METHODS
from amn_core.figures.captions import Caption
from amn_core.figures.config import FigureConfig
from amn_core.figures.material import PEAKS, Material, Source, write_caption
from amn_core.figures.styles import (
    NEUTRAL,
    Look,
    Page,
    add_legend,
    build_figure,
    build_looks,
    choose_page,
    restyle,
    set_root_scale,
)
from amn_core.formats.files import read_json
from amn_core.formats.trainings import load_probe, read_metrics
from amn_core.sweep import score_miou
from amn_core.sweep.confusion import score_confusion

PERCENT = 100.0
MARKS = 7


def draw_miou(material: Material) -> tuple[Figure, Caption]:
    """Draw mIoU against the threshold: intervals, peaks, plateaus and per-image oracles; returns its caption too."""
    config, page = material.config, material.page
    figure = build_figure(page, config.height or page.width * (0.70 if not page.is_wide else 0.5))
    axes = figure.add_subplot()
    for i, source in enumerate(material.sources):
        if source.run.is_masks:
            draw_masks(axes, material, i)
            continue
        x = get_positions(source, config.axis)
        if config.intervals:
            low, high = material.bootstraps[i].interval("miou")
            axes.fill_between(x, low * PERCENT, high * PERCENT, color=source.look.colour, alpha=0.16, linewidth=0)
        draw_curve(axes, x, source, i, page, config.plateau)
        if config.oracle:
            draw_oracle(axes, source, i, page)
    finish_miou(axes, material)
    add_legend(figure, [build_handle(source.look, page) for source in material.sources])
    explain_marks(axes, material)
    return figure, caption_miou(material)


def explain_marks(axes: Axes, material: Material) -> None:
    """Put what dots and thick lines mean under the hill, where no curve is."""
    config, page = material.config, material.page
    marks = [Line2D([], [], color=NEUTRAL, linestyle=(0, (1, 1)), label="per-image oracle")] * config.oracle
    marks += [Line2D([], [], color=NEUTRAL, linewidth=3 * page.line, solid_capstyle="butt", label="plateau")
              ] * config.plateau
    if marks:
        axes.legend(handles=marks, loc="lower center", ncols=len(marks))


def get_positions(source: Source, axis: str) -> np.ndarray:
    """Get the places of the thresholds on the horizontal axis: themselves, or shares of foreground in percent."""
    return source.counts.thresholds if axis == "threshold" else source.summary.foreground_share * PERCENT


def build_handle(look: Look, page: Page) -> Line2D:
    """Build the entry of a run in a legend."""
    return Line2D([], [], color=look.colour, linestyle=look.line, marker=look.marker, markersize=page.marker,
                  markeredgecolor="white", markeredgewidth=page.line / 4, label=look.label)


def draw_curve(axes: Axes, x: np.ndarray, source: Source, number: int, page: Page, has_plateau: bool) -> None:
    """Draw the curve of a run, markers spread so that they can be told apart in grey; the plateau is thicker."""
    look, y = source.look, source.summary.miou * PERCENT
    step = max(1, len(x) // MARKS)
    axes.plot(x, y, color=look.colour, linestyle=look.line, marker=look.marker, zorder=3,
              markevery=(number * step // 3 + step // 4, step), markeredgecolor="white", markeredgewidth=page.line / 4)
    if has_plateau:
        is_flat = (source.counts.thresholds >= source.summary.plateau_low) & (
            source.counts.thresholds <= source.summary.plateau_high)
        axes.plot(x[is_flat], y[is_flat], color=look.colour, linewidth=3 * page.line, alpha=0.55, zorder=2,
                  solid_capstyle="butt")
    peak = int(np.nanargmax(y))
    axes.plot(x[peak], y[peak], marker=look.marker, markersize=1.9 * page.marker, color=look.colour, zorder=5,
              markeredgecolor="black", markeredgewidth=page.line / 2)


def draw_masks(axes: Axes, material: Material, number: int) -> None:
    """Draw the one score of finished masks: a level line, or a point at its share of foreground."""
    source, page = material.sources[number], material.page
    y, colour = source.summary.peak_miou * PERCENT, source.look.colour
    curves = material.bootstraps[number].interval("miou") if material.config.intervals else (source.summary.miou,) * 2
    low, high = (float(curve[0]) * PERCENT for curve in curves)  # all of a curve is alike
    if material.config.axis == "share":
        axes.errorbar([source.summary.foreground_share[0] * PERCENT], [y], [[y - low], [high - y]], zorder=6,
                      color=colour, marker=source.look.marker, markersize=1.9 * page.marker, markeredgecolor="white")
        return
    axes.axhspan(low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot([0, 1], [y, y], color=colour, linestyle=source.look.line, zorder=3)
    axes.plot([0.05 + 0.03 * number], [y], color=colour, marker=source.look.marker, zorder=4, markeredgecolor="white",
              markeredgewidth=page.line / 4)


def draw_oracle(axes: Axes, source: Source, number: int, page: Page) -> None:
    """Draw the score of the per-image oracle as a dotted line with the run's marker at its end."""
    y = source.summary.oracle_miou * PERCENT
    axes.axhline(y, color=source.look.colour, linestyle=(0, (1, 1)), linewidth=page.line, zorder=1)
    axes.plot([0.995 - 0.03 * number], [y], transform=axes.get_yaxis_transform(), marker=source.look.marker, zorder=4,
              color=source.look.colour, markeredgecolor="white", markeredgewidth=page.line / 4, clip_on=False)


def finish_miou(axes: Axes, material: Material) -> None:
    """Name the axes and set their limits."""
    config = material.config
    is_share = config.axis == "share"
    axes.set(xlabel="share of pixels called foreground (%)" if is_share else "threshold", ylabel="mIoU (%)",
             xlim=(0, 100 if is_share else 1))
    summaries = [source.summary for source in material.sources]
    top = max(np.nanmax([s.peak_miou, s.oracle_miou if config.oracle else 0]) for s in summaries) * PERCENT
    floor = max(0, min(s.peak_miou for s in summaries) * PERCENT - 12) if config.zoom else 0
    axes.set_ylim(floor, min(100, top + 0.06 * (top - floor)))
    axes.grid(axis="y")


def caption_miou(material: Material) -> Caption:
    """Write the caption of the curves: the peaks in words, then what the marks mean."""
    peaks = "; ".join(f"{s.look.label} {s.summary.peak_miou * PERCENT:.1f} % at {s.summary.peak_threshold:.3f}"
                      for s in material.sources if not s.run.is_masks)
    masks = ", ".join(f"{s.look.label} {s.summary.peak_miou * PERCENT:.1f} %"
                      for s in material.sources if s.run.is_masks)
    config = material.config
    axis = "the share of pixels called foreground" if config.axis == "share" else "the threshold"
    parts = [f"mIoU against {axis}."]
    parts += [f"Large marks: peaks ({peaks})."] * bool(peaks)
    parts += [f"Finished masks, which have no threshold: {masks}."] * bool(masks)
    parts += ["Thick: plateaus, mIoU within one point of the peak."] * config.plateau
    parts += ["Dotted: every image at its own best threshold."] * config.oracle
    band = f"Bands: {material.interval_note}." * config.intervals
    return write_caption(material, " ".join(parts), PEAKS * bool(peaks), band)


def draw_budget(material: Material) -> tuple[Figure, Caption]:
    """Draw what a threshold chosen on n labelled images costs on others; returns its caption too."""
    config, page = material.config, material.page
    folds = build_folds(len(material.image_ids))
    figure = build_figure(page, config.height or page.width * (0.62 if not page.is_wide else 0.45))
    axes = figure.add_subplot()
    for i, source in enumerate(material.sources):
        budget = score_budget(source.counts, folds, averaging=material.protocol.averaging, classes=material.classes,
                              draws=config.resamples, seed=config.seed, level=config.level)
        if not len(budget.sizes):
            raise ValueError("there are too few images to choose a threshold on one half and score it on the other")
        x = budget.sizes * 1.09 ** (i - (len(material.sources) - 1) / 2)
        look, y = source.look, budget.regret * PERCENT
        if config.intervals:
            axes.vlines(x, budget.regret_low * PERCENT, budget.regret_high * PERCENT, color=look.colour,
                        linewidth=page.line * 0.8, alpha=0.8)
        axes.plot(x, y, color=look.colour, linestyle=look.line, marker=look.marker, markeredgecolor="white",
                  markeredgewidth=page.line / 4, markersize=1.3 * page.marker)
    axes.set(xscale="log", xlabel="labelled images", ylabel="regret (points of mIoU)")
    set_root_scale(axes.yaxis, axes.get_ylim()[1])
    axes.set_xticks(budget.sizes, [str(n) for n in budget.sizes])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    add_legend(figure, [build_handle(source.look, page) for source in material.sources])
    bars = f"Bars: {100 * config.level:g} % over draws and resampled images." * config.intervals
    text = ("Regret of a threshold that was chosen on n labelled images: points of mIoU below the best threshold. "
            "The axis rises with the square root.")
    return figure, write_caption(material, text, f"Chosen on one half of the images, scored on the other, both ways "
                                 f"round; mean of {config.resamples} draws, seed {config.seed}.", bars)


@dataclass(frozen=True)
class Training:
    """A training as its folder tells it: entries of metrics.jsonl, and peak mIoU of the probe by epoch (or nothing)."""

    path: Path
    look: Look
    entries: list[dict]
    epochs: tuple[int, ...]
    peaks: tuple[float, ...]


def load_trainings(config: FigureConfig, places: tuple[str, ...] = ()) -> list[Training]:
    """Load the trainings of a figure from their folders.

    Raises:
        ValueError: a folder without metrics.
    """
    paths = [Path(path) for path in places or config.runs]
    methods = [read_method(path) for path in paths]
    labels = [METHOD_LABELS[m] if methods.count(m) == 1 else f"{METHOD_LABELS[m]} ({path.name})"
              for m, path in zip(methods, paths, strict=True)]
    looks = restyle(build_looks(methods, labels), config.names, config.colours)
    return [load_training(path, look) for path, look in zip(paths, looks, strict=True)]


def read_method(path: Path) -> str:
    """Read the method of a training from its config.json; imported if it says none that is known."""
    if not (path / "metrics.jsonl").is_file():
        raise ValueError(f"{path}: no metrics.jsonl in it; give the folder that train wrote into")
    try:
        method = read_json(path / "config.json").get("method")
    except ValueError:
        method = None
    return method if method in METHODS else "imported"


def load_training(path: Path, look: Look) -> Training:
    """Load one training."""
    entries, probe = read_metrics(path / "metrics.jsonl"), load_probe(path)
    if not entries:
        raise ValueError(f"{path / 'metrics.jsonl'}: no entry yet; wait for the first steps")
    epochs = probe.epochs if probe else ()
    peaks = tuple(float(np.nanmax(score_miou(score_confusion(probe.counts(epoch))))) for epoch in epochs)
    return Training(path, look, entries, epochs, peaks)


def draw_training(config: FigureConfig, trainings: list[Training]) -> tuple[Figure, Caption]:
    """Draw the loss of trainings over their epochs, and below it the peak mIoU of those that have a probe."""
    page = choose_page(config.preset, config.width)
    has_probe = any(training.epochs for training in trainings)
    height = config.height or page.width * (0.62 if not page.is_wide else 0.4) * (1.6 if has_probe else 1)
    figure = build_figure(page, height)
    panels = np.atleast_1d(figure.subplots(1 + has_probe, 1, sharex=True))
    for i, training in enumerate(trainings):
        draw_loss(panels[0], training, i, page)
        if training.epochs:
            look = training.look
            panels[-1].plot(training.epochs, np.array(training.peaks) * PERCENT, color=look.colour, linestyle=look.line,
                            marker=look.marker, markersize=1.3 * page.marker, markeredgecolor="white")
    panels[0].set(ylabel="loss", ylim=(0, None))
    panels[-1].set(xlabel="epoch", xlim=(0, None))
    if has_probe:
        panels[-1].set_ylabel("peak mIoU (%)")
    for axes in panels:
        axes.grid(axis="y")
    add_legend(figure, [build_handle(training.look, page) for training in trainings])
    return figure, caption_training(trainings, has_probe)


def draw_loss(axes: Axes, training: Training, number: int, page: Page) -> None:
    """Draw the loss of a training: as measured, faint, and smoothed as the training reported it."""
    look, epochs = training.look, np.array([entry["epoch"] for entry in training.entries])
    loss, smooth = ([entry.get(key, np.nan) for entry in training.entries] for key in ("loss", "loss_smooth"))
    axes.plot(epochs, loss, color=look.colour, linewidth=page.line / 3, alpha=0.45)
    step = max(1, len(epochs) // MARKS)
    axes.plot(epochs, smooth, color=look.colour, linestyle=look.line, marker=look.marker, markeredgecolor="white",
              markevery=(number * step // 3 + step // 4, step), markeredgewidth=page.line / 4)


def caption_training(trainings: list[Training], has_probe: bool) -> Caption:
    """Write the caption of the trainings."""
    steps = ", ".join(f"{t.look.label} {t.entries[-1]['step']} of {t.entries[-1]['steps']} steps" for t in trainings)
    probe = " Below: highest mIoU over thresholds on the probe images, at one scale." * has_probe
    return Caption(f"Training loss by epoch, faint as measured, bold smoothed ({steps}).{probe}",
                   "Losses of different methods have different units and are not to be compared.")
