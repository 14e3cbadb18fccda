"""Distributions: activation on object and background, best thresholds of single images, gap against imbalance."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from amn_core.figures.captions import Caption
from amn_core.figures.curves import PERCENT
from amn_core.figures.material import (
    Material,
    Source,
    find_present,
    has_one_scale,
    write_caption,
)
from amn_core.figures.styles import NEUTRAL, TRUTH_GREY, Page, add_legend, build_figure, set_root_scale
from amn_core.sweep.confusion import divide, nanmean
from amn_core.sweep.images import find_best_spread
from amn_core.sweep.separation import (
    BACKGROUND_REGION,
    OWN,
    Separation,
    pool_separation,
    score_class_separation,
    score_separation,
)

GROUP = 4          # bins of the counts that make a bar: 201 thresholds give bars 0.02 wide
VECTOR_POINTS = 20_000


def draw_histograms(material: Material) -> tuple[Figure, Caption]:
    """Draw how activation is spread on the object and on background, a panel for each run; returns its caption too."""
    config, page = material.config, material.page
    n, kept = len(material.sources), find_present(material)
    columns = n if page.is_wide else 1
    rows = -(-n // columns)
    height = config.height or rows * measure_panel(material, columns) + page.text / 18
    figure = build_figure(page, height)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    tops = [draw_panel(axes, source, kept, material) for axes, source in zip(panels, material.sources, strict=True)]
    for axes in panels:
        finish_panel(axes, max(tops), config.mirror)
    figure.supxlabel("activation")
    figure.supylabel("share of pixels (%)")
    add_legend(figure, [
        Patch(facecolor=fade(NEUTRAL, 0.55), edgecolor=NEUTRAL, label="on the object"),
        Patch(facecolor=fade(TRUTH_GREY, 0.35), edgecolor="#3C4043", hatch="//////", label="on background"),
        Line2D([], [], color="black", linestyle=(0, (3, 1.5)), label="threshold")])
    return figure, caption_histograms(material)


def finish_panel(axes: Axes, top: float, is_mirrored: bool) -> None:
    """Give a panel of histograms its axes; heights rise with the square root, as a few bars hold most of background."""
    set_root_scale(axes.yaxis, top)
    ticks = axes.get_yticks()
    if is_mirrored:
        both = np.concatenate([-ticks[:0:-1], ticks])
        axes.set_yticks(both, [f"{abs(tick):g}" for tick in both])
    axes.set(xlim=(0, 1), ylim=(-top * 1.1 if is_mirrored else 0, top * 1.1))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    axes.label_outer()


def measure_panel(material: Material, columns: int) -> float:
    """Measure the height of a panel in inches; mirrored ones need room on both sides."""
    page, share = material.page, 1.4 if material.config.mirror else 1.0
    least = page.text / 72 * 7.5
    return max(page.width / columns * 0.5 if page.is_wide else 0, least) * share


def fade(colour: str, opacity: float) -> tuple[float, ...]:
    """Give a colour an opacity."""
    return to_rgba(colour, opacity)


def draw_panel(axes: Axes, source: Source, kept: np.ndarray, material: Material) -> float:
    """Draw the histograms of one run in percent; returns the height of the tallest bar."""
    page, look = material.page, source.look
    bins, moments = (part[kept].sum(axis=0) for part in pool_separation(source.counts))
    edges, shares = group_bins(bins[[OWN, BACKGROUND_REGION]], source.counts.thresholds)
    own, ground = np.nan_to_num(shares) * PERCENT
    sign = -1 if material.config.mirror else 1
    axes.stairs(own, edges, fill=True, facecolor=fade(look.colour, 0.55), edgecolor=look.colour, linewidth=page.line)
    axes.stairs(sign * ground, edges, fill=True, facecolor=fade(TRUTH_GREY, 0.35), edgecolor="#3C4043", hatch="//////",
                linewidth=page.line * 0.7)
    axes.axvline(source.threshold, color="black", linestyle=(0, (3, 1.5)), linewidth=page.line)
    if material.config.mirror:
        axes.axhline(0, color="black", linewidth=page.line / 2)
    numbers = score_separation(bins, moments, source.counts.thresholds)
    axes.set_title(f"{look.label}{chr(10) if page.is_wide else ' · '}{write_separation(numbers)}", fontsize=page.small,
                   loc="left", pad=page.small / 3, linespacing=1.05)
    return float(max(own.max(), ground.max()))


def group_bins(bins: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Group histograms (2, T+1) into wider bars.

    Returns:
        edges (B+1,) and the share of the pixels of each histogram in each bar, (2, B). Values at or below the first
        threshold fall into the first bar, those above the last into the last.
    """
    inner = bins[:, 1:-1].astype(np.float64)
    inner[:, 0] += bins[:, 0]
    inner[:, -1] += bins[:, -1]
    starts = np.arange(0, inner.shape[1], GROUP)
    edges = np.append(thresholds[starts], thresholds[-1])
    return edges, divide(np.add.reduceat(inner, starts, axis=1), inner.sum(axis=1, keepdims=True))


def write_separation(numbers: Separation) -> str:
    """Write the pooled gap, AUC and imbalance in one line."""
    return f"gap {numbers.gap:.2f} · AUC {numbers.auc:.2f} · CV {numbers.imbalance:.2f}"


def caption_histograms(material: Material) -> Caption:
    """Write the caption of the histograms."""
    over = ", ".join(material.classes) if material.classes else "all classes"
    text = (f"Activation of a class on its own pixels and on background{', below the axis' * material.config.mirror}; "
            f"{material.threshold_note}. Heights rise with the square root.")
    return write_caption(
        material, text, f"Pooled over {over} and images, each histogram of area 1, and so are the numbers above the "
        "panels, which differ from means over pairs of image and class. Gap: difference of the means; AUC: chance that "
        "a pixel of the object lies above one of background; CV: standard deviation over mean on the object "
        "(imbalance).", scale_warning(material), material.choice_note)


def scale_warning(material: Material) -> str:
    """Warn of numbers that depend on how maps are scaled, where the runs differ in it."""
    if has_one_scale(material):
        return "The gap depends on how maps are normalised."
    return "The gap depends on how maps are normalised, which differs between the runs; AUC does not."


def draw_best_thresholds(material: Material) -> tuple[Figure, Caption]:
    """Draw how the best thresholds of single images are spread, a row for each run; returns its caption too."""
    config, page = material.config, material.page
    n = len(material.sources)
    row = page.text / 72 * 6.4
    figure = build_figure(page, config.height or n * row + 0.055 * page.text)
    panels = figure.subplots(n, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    edges = np.linspace(material.sources[0].counts.thresholds[0], material.sources[0].counts.thresholds[-1], 41)
    for axes, source, scores in zip(panels, material.sources, material.image_scores, strict=True):
        look, best = source.look, scores.best_threshold[~np.isnan(scores.best_threshold)]
        share = np.histogram(best, edges)[0] / max(1, len(best)) * PERCENT
        axes.stairs(share, edges, fill=True, facecolor=fade(look.colour, 0.5), edgecolor=look.colour, hatch=look.hatch,
                    linewidth=page.line * 0.7)
        axes.axvline(source.threshold, color="black", linestyle=(0, (3, 1.5)))
        low, high = find_best_spread(scores)
        axes.plot([low, high], [0, 0], color="black", linewidth=3 * page.line, solid_capstyle="butt", clip_on=False,
                  zorder=5)
        axes.set_title(look.label, loc="left", fontsize=page.small, pad=page.small / 3)
    panels[-1].set(xlabel="best threshold of an image", xlim=(edges[0], edges[-1]))
    figure.supylabel("images (%)")
    return figure, caption_best(material)


def caption_best(material: Material) -> Caption:
    """Write the caption of the best thresholds: quartiles and mean regret in words."""
    parts = []
    for source, scores in zip(material.sources, material.image_scores, strict=True):
        low, high = find_best_spread(scores)
        regret = nanmean(scores.regret(source.threshold)) * PERCENT
        parts.append(f"{source.look.label} {low:.2f} to {high:.2f}, {regret:.1f} points")
    text = (f"Best threshold of each image. Black bars: the middle half; dashed: one threshold for all, "
            f"{material.threshold_note}. Middle half and mean regret of the one threshold: {'; '.join(parts)}.")
    return write_caption(material, text, "Best: by the image's own mIoU on its ground truth.", material.choice_note)


def draw_clouds(material: Material) -> tuple[Figure, Caption]:
    """Draw gap against imbalance, a point for an image or a class, and the medians; returns its caption too."""
    config, page = material.config, material.page
    figure = build_figure(page, config.height or page.width * (0.78 if not page.is_wide else 0.5))
    axes = figure.add_subplot()
    for i, source in enumerate(material.sources):
        draw_cloud(axes, *find_points(material, i), source, page)
    pooled = "pooled " * (config.points == "class")
    axes.set(xlabel=f"{pooled}imbalance (CV on the object; low is good)", ylabel=f"{pooled}gap (high is good)")
    axes.set_xlim(0, find_edge(material))
    axes.grid()
    add_legend(figure, [
        Line2D([], [], linestyle="", marker=source.look.marker, color=source.look.colour, label=source.look.label,
               markersize=1.3 * page.marker) for source in material.sources])
    return figure, caption_clouds(material)


def find_points(material: Material, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Find imbalance and gap of each image, or of each class with its images pooled, where both are defined."""
    if material.config.points == "image":
        scores = material.image_scores[number]
        x, y = scores.imbalance, scores.gap
    else:
        separation, kept = score_class_separation(material.sources[number].counts), find_present(material)
        x, y = separation.imbalance[kept], separation.gap[kept]
    is_defined = np.isfinite(x) & np.isfinite(y)
    return x[is_defined], y[is_defined]


def find_edge(material: Material) -> float:
    """Find where the axis of imbalance ends: few far points must not press all others together."""
    x = np.concatenate([find_points(material, i)[0] for i in range(len(material.sources))])
    return float(min(x.max() * 1.05, np.quantile(x, 0.98) * 1.25)) or 1.0 if len(x) else 1.0


def draw_cloud(axes: Axes, x: np.ndarray, y: np.ndarray, source: Source, page: Page) -> None:
    """Draw the points of a run, and a large mark with quartile bars at their medians."""
    look, few = source.look, len(x) < 60
    axes.plot(x, y, linestyle="", marker=look.marker, color=look.colour, alpha=0.9 if few else 0.28,
              markersize=page.marker * (1.2 if few else 0.75), markeredgewidth=0, rasterized=len(x) > VECTOR_POINTS)
    if not len(x):
        return
    (x0, x1, x2), (y0, y1, y2) = np.quantile(x, [0.25, 0.5, 0.75]), np.quantile(y, [0.25, 0.5, 0.75])
    bar = {"color": "black", "linewidth": page.line, "zorder": 4}
    axes.plot([x0, x2], [y1, y1], **bar)
    axes.plot([x1, x1], [y0, y2], **bar)
    axes.plot(x1, y1, marker=look.marker, color=look.colour, markersize=2.4 * page.marker, markeredgecolor="black",
              markeredgewidth=page.line / 2, zorder=5)


def caption_clouds(material: Material) -> Caption:
    """Write the caption of gap against imbalance: medians in words."""
    medians, beyond = [], 0
    for i, source in enumerate(material.sources):
        x, y = find_points(material, i)
        beyond += int((x > find_edge(material)).sum())
        if len(x):
            medians.append(f"{source.look.label} {np.median(y):.2f} and {np.median(x):.2f}")
    point = "an image" if material.config.points == "image" else "a class, its images pooled"
    cut = f" {beyond} points lie beyond the right edge." if beyond else ""
    pooled = "pooled " * (material.config.points == "class")
    text = (f"{(pooled + 'gap').capitalize()} against {pooled}imbalance, a point for {point}; large marks: medians, "
            f"with the middle half as bars ({pooled}gap and imbalance: {'; '.join(medians)}).{cut}")
    return write_caption(material, text, "Gap and imbalance are definitions of this software.", scale_warning(material))
