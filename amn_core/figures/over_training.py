"""Does the cut move while a network learns? The best threshold, its plateau and the imbalance over epochs, in print."""

from matplotlib.figure import Figure

from amn_core.choosing.over_training import Trace, describe_move, trace_threshold
from amn_core.figures.captions import Caption
from amn_core.figures.config import FigureConfig
from amn_core.figures.curves import PERCENT, Training, build_handle
from amn_core.figures.styles import add_legend, build_figure, choose_page
from amn_core.formats.trainings import load_probe
from amn_core.sweep import summarise

PANELS = (("best", "best threshold"), ("peak_miou", "peak mIoU (%)"), ("imbalance", "imbalance (CV)"))


def draw_over_training(config: FigureConfig, trainings: list[Training]) -> tuple[Figure, Caption]:
    """Draw the best threshold with its plateau, the peak and the imbalance by epoch; returns its caption too.

    Raises:
        ValueError: a training without a probe.
    """
    page = choose_page(config.preset, config.width)
    traces = [load_trace(training) for training in trainings]
    shape = {"ncols": len(PANELS)} if page.is_wide else {"nrows": len(PANELS)}
    figure = build_figure(page, config.height or page.width * (0.3 if page.is_wide else 1.15))
    panels = figure.subplots(**shape, sharex=True)
    for i, (training, trace) in enumerate(zip(trainings, traces, strict=True)):
        look, shift = training.look, 0.06 * (i - (len(trainings) - 1) / 2)
        for axes, (name, _) in zip(panels, PANELS, strict=True):
            values = getattr(trace, name) * (PERCENT if "miou" in name else 1)
            axes.plot(trace.epochs + shift, values, color=look.colour, linestyle=look.line, marker=look.marker,
                      zorder=3, markeredgecolor="white", markeredgewidth=page.line / 4, markersize=1.3 * page.marker)
        panels[0].vlines(trace.epochs + shift, trace.low, trace.high, color=look.colour, alpha=0.4, zorder=2,
                         linewidth=2.5 * page.line)
    for axes, (_, title) in zip(panels, PANELS, strict=True):
        axes.set(ylabel=title)
        axes.grid(axis="y")
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[0].set_ylim(0, 1)
    for axes in panels if page.is_wide else panels[-1:]:
        axes.set_xlabel("epoch")
    add_legend(figure, [build_handle(training.look, page) for training in trainings])
    return figure, caption_over_training(trainings, traces)


def load_trace(training: Training) -> Trace:
    """Load what the probe of a training says of the threshold after each epoch.

    Raises:
        ValueError: the training has no probe.
    """
    probe = load_probe(training.path)
    if probe is None:
        raise ValueError(f"{training.path}: no probe in it, so nothing is known after each epoch: train with --probe")
    return trace_threshold({epoch: summarise(probe.counts(epoch)) for epoch in probe.epochs})


def caption_over_training(trainings: list[Training], traces: list[Trace]) -> Caption:
    """Write the caption: what moved, and what the bars are."""
    moves = " ".join(f"{training.look.label}: {describe_move(trace)}"
                     for training, trace in zip(trainings, traces, strict=True))
    numbers = {len(load_probe(training.path).meta["images"]) for training in trainings}
    images = " or ".join(map(str, sorted(numbers)))
    return Caption(
        f"Best threshold, peak mIoU and imbalance after each epoch; epoch 0 is the start. {moves}",
        f"On {images} fixed probe images, at one scale. Bars: plateaus, mIoU within one point of the peak.")
