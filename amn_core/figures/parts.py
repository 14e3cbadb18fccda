"""What one curve hides: its error rates, and the parts that it is a mean of: classes, sizes of objects, images."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amn_core.figures.bars import find_rows
from amn_core.figures.captions import Caption
from amn_core.figures.curves import MARKS, PERCENT, build_handle
from amn_core.figures.material import Material, Source, write_caption
from amn_core.figures.styles import NEUTRAL, Page, add_legend, build_figure
from amn_core.scoring import score_by_size
from amn_core.sweep.confusion import find_classes, nanmean, score_confusion, score_iou, score_rates
from amn_core.sweep.curves import find_peak, find_plateau
from amn_core.sweep.images import find_best_spread, find_image_quantiles

RATES = (("precision", "precision (%)"), ("recall", "recall (%)"), ("over_activation", "false positives (%)"),
         ("under_activation", "false negatives (%)"))
SIZE_LINES = ("-", (0, (4, 1.6)), (0, (1, 1.4)), (0, (5, 1.4, 1, 1.4)))
SIZE_MARKERS = ("o", "s", "^", "D", "v")
FAINT = 150  # images, from which on their curves are drawn fainter


def list_curves(material: Material) -> list[Source]:
    """List the runs that have a curve.

    Raises:
        ValueError: all are finished masks, which no threshold changes.
    """
    kept = [source for source in material.sources if not source.run.is_masks]
    if not kept:
        raise ValueError(f"{material.sources[0].run.path}: these are finished masks, which no threshold changes: draw "
                         "a run of maps")
    return kept


def build_panels(material: Material, n: int, letters: float) -> tuple[Figure, list[Axes]]:
    """Build a figure of n panels with common axes, below one another in a column, side by side on a page."""
    page = material.page
    columns = min(n, 4) if page.is_wide else 1
    rows = -(-n // columns)
    height = rows * page.text / 72 * letters + page.text / 15
    figure = build_figure(page, material.config.height or height)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in panels[n:]:
        axes.set_axis_off()
    return figure, list(panels[:n])


def draw_rates(material: Material) -> tuple[Figure, Caption]:
    """Draw precision, recall, false positives and negatives against the threshold; returns its caption too."""
    page, sources = material.page, list_curves(material)
    figure = build_figure(page, material.config.height or page.width * (0.3 if page.is_wide else 0.86))
    panels = figure.subplots(*((1, 4) if page.is_wide else (2, 2)), sharex=True).ravel()
    for i, source in enumerate(sources):
        rates = average_rates(material, source)
        for axes, (name, _) in zip(panels, RATES, strict=True):
            draw_line(axes, source, rates[name] * PERCENT, i, page)
    for axes, (_, title) in zip(panels, RATES, strict=True):
        axes.set_title(title, fontsize=page.text, pad=3)
        axes.set(xlim=(0, 1), ylim=(0, 100))
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.grid(axis="y")
    figure.supxlabel("threshold")
    add_legend(figure, [build_handle(source.look, page) for source in sources])
    return figure, write_caption(
        material, f"Precision, recall, false positives and false negatives against the threshold; marks: "
        f"{material.threshold_note}.", "Means over the classes. False positives and negatives are shares of the union "
        "of prediction and ground truth, so that with the IoU they add up to 1 for each class (SEAM).",
        material.choice_note)


def average_rates(material: Material, source: Source) -> dict[str, np.ndarray]:
    """Average the rates of a run over its classes: (T,) each, by name."""
    rates = score_rates(score_confusion(source.counts))
    kept = find_classes(source.counts.class_names, material.classes)
    return {name: nanmean(getattr(rates, name)[:, kept], axis=1) for name, _ in RATES}


def draw_line(axes: Axes, source: Source, y: np.ndarray, number: int, page: Page) -> None:
    """Draw a curve of a run, marked at the run's threshold."""
    look, x = source.look, source.counts.thresholds
    step = max(1, len(x) // MARKS)
    axes.plot(x, y, color=look.colour, linestyle=look.line, marker=look.marker, markersize=page.marker * 0.8,
              markevery=(number * step // 3 + step // 4, step), markeredgecolor="white", markeredgewidth=page.line / 4)
    axes.plot(source.threshold, y[source.index], marker=look.marker, markersize=1.7 * page.marker, color=look.colour,
              markeredgecolor="black", markeredgewidth=page.line / 2, zorder=5)


def draw_class_thresholds(material: Material) -> tuple[Figure, Caption]:
    """Draw the best threshold of each class with the thresholds within a point of it; returns its caption too."""
    page, sources, rows = material.page, list_curves(material), find_rows(material)
    curves = [np.nan_to_num(score_iou(score_confusion(source.counts)).T[rows], nan=-1.0) for source in sources]
    peaks = np.stack([find_peak(curve) for curve in curves])
    order = np.argsort(peaks.mean(axis=0), kind="stable")
    n = len(sources)
    height = len(rows) * page.text / 72 * (0.42 * n + 0.8) + page.text / 11
    figure = build_figure(page, material.config.height or height)
    axes = figure.add_subplot()
    for i, (source, curve) in enumerate(zip(sources, curves, strict=True)):
        t, look = source.counts.thresholds, source.look
        first, last = find_plateau(curve[order])
        places = np.arange(len(rows)) + (i - (n - 1) / 2) * 0.7 / n
        axes.axvline(source.threshold, color=look.colour, linestyle=look.line, linewidth=page.line * 0.7, alpha=0.7)
        axes.hlines(places, t[first], t[last], color=look.colour, linewidth=page.line * 1.6, alpha=0.55)
        axes.plot(t[peaks[i][order]], places, linestyle="", marker=look.marker, color=look.colour,
                  markersize=page.marker * 1.3, markeredgecolor="white", markeredgewidth=page.line / 4)
    names = [material.sources[0].counts.class_names[c] for c in rows[order]]
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="threshold", xlim=(0, 1), ylim=(len(names) - 0.45, -0.55))
    axes.grid(axis="x")
    add_legend(figure, [build_handle(source.look, page) for source in sources])
    return figure, write_caption(
        material, f"Best threshold of each class. Bars: thresholds at which its IoU is within one point of its best; "
        f"upright lines: one threshold for all, {material.threshold_note}.",
        "Best thresholds of classes are chosen on the ground truth of these images (an oracle).")


def draw_sizes(material: Material) -> tuple[Figure, Caption]:
    """Draw the IoU of objects by their size against the threshold, a panel for each run; returns its caption too."""
    page, sources = material.page, list_curves(material)
    figure, panels = build_panels(material, len(sources), 11.5 if page.is_wide else 9.5)
    found = [score_by_size(source.run, images=material.image_ids, classes=material.classes or "all",
                           counts=source.counts) for source in sources]
    shades = [matplotlib.colormaps["viridis"](x) for x in np.linspace(0.88, 0.0, len(found[0].names))]
    for axes, source, sizes in zip(panels, sources, found, strict=True):
        for b, shade in enumerate(shades):
            draw_size(axes, sizes.thresholds, sizes.iou[b] * PERCENT, b, shade, page)
        axes.axvline(source.threshold, color="black", linestyle=(0, (3, 1.5)), linewidth=page.line * 0.8)
        axes.set_title(source.look.label, loc="left", fontsize=page.text, pad=3)
        axes.set(xlim=(0, 1), ylim=(0, 100))
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        axes.grid(axis="y")
    figure.supxlabel("threshold")
    figure.supylabel("IoU (%)")
    counted = ", ".join(f"{name} {n}" for name, n in zip(found[0].names, found[0].pairs.tolist(), strict=True))
    add_legend(figure, [Line2D([], [], color=shade, linestyle=SIZE_LINES[b % 4], marker=SIZE_MARKERS[b % 5],
                               markeredgecolor="white", label=name)
                        for b, (shade, name) in enumerate(zip(shades, found[0].names, strict=True))])
    return figure, write_caption(
        material, f"IoU of objects by their size, the share of the image that a class covers; large marks: the best "
        f"threshold of a size, dashed: of the run, {material.threshold_note}.",
        f"Pairs of image and class: {counted}. Pixels of one size are pooled class by class, then averaged over "
        "classes; what is called a class in images without it belongs to no size.", material.choice_note)


def draw_size(axes: Axes, x: np.ndarray, y: np.ndarray, number: int, shade: tuple, page: Page) -> None:
    """Draw the curve of one size, marked at its peak; nothing where no object has it."""
    if np.isnan(y).all():
        return
    axes.plot(x, y, color=shade, linestyle=SIZE_LINES[number % 4], linewidth=page.line)
    peak = int(np.nanargmax(y))
    axes.plot(x[peak], y[peak], color=shade, marker=SIZE_MARKERS[number % 5], markersize=page.marker * 1.5,
              markeredgecolor="black", markeredgewidth=page.line / 3, zorder=4)


def draw_images(material: Material) -> tuple[Figure, Caption]:
    """Draw one curve an image with quantiles over images, a panel for each run; returns its caption too."""
    page = material.page
    places = [i for i, source in enumerate(material.sources) if source in list_curves(material)]
    figure, panels = build_panels(material, len(places), 11.5 if page.is_wide else 9.5)
    for axes, i in zip(panels, places, strict=True):
        draw_cloud_of_curves(axes, material, i)
        axes.set_title(material.sources[i].look.label, loc="left", fontsize=page.text, pad=3)
        axes.set(xlim=(0, 1), ylim=(0, 100))
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    figure.supxlabel("threshold")
    figure.supylabel("mIoU of an image (%)")
    add_legend(figure, [
        Line2D([], [], color=NEUTRAL, linewidth=page.line / 3, label="an image"),
        Line2D([], [], color="black", linewidth=page.line * 1.2, label="median"),
        Line2D([], [], color="black", linewidth=page.line / 2, label="quartiles"),
        Line2D([], [], color="black", linestyle=(0, (3, 1.5)), label="threshold")])
    spread = "; ".join(
        f"{material.sources[i].look.label} {low:.2f} to {high:.2f}"
        for i in places for low, high in [find_best_spread(material.image_scores[i])])
    return figure, write_caption(
        material, f"One curve an image. Dashed: one threshold for all, {material.threshold_note}. Middle half of the "
        f"images' best thresholds: {spread}.",
        "mIoU of an image: over the classes in its ground truth or prediction.", material.choice_note)


def draw_cloud_of_curves(axes: Axes, material: Material, number: int) -> None:
    """Draw the curve of each image faintly, and median and quartiles over images boldly."""
    source, page, scores = material.sources[number], material.page, material.image_scores[number]
    values = scores.miou[~scores.is_degenerate] * PERCENT
    axes.plot(source.counts.thresholds, values.T, color=source.look.colour, linewidth=page.line / 4,
              alpha=0.3 if len(values) < FAINT else 0.12, rasterized=True)
    low, middle, high = find_image_quantiles(values, (0.25, 0.5, 0.75))
    for quartile in (low, high):
        axes.plot(source.counts.thresholds, quartile, color="black", linewidth=page.line / 2)
    axes.plot(source.counts.thresholds, middle, color="black", linewidth=page.line * 1.2)
    axes.axvline(source.threshold, color="black", linestyle=(0, (3, 1.5)), linewidth=page.line * 0.8)
