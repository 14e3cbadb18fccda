"""What each way to choose a threshold costs, as bars and as a table: the numbers of ``select``, for print."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from amn_core.choosing.budget import build_folds, score_budget
from amn_core.choosing.selection import (
    CHOOSERS,
    Choice,
    choose_area,
    choose_fixed,
    choose_unseen,
    score_choices,
)
from amn_core.figures.captions import Caption
from amn_core.figures.curves import PERCENT
from amn_core.figures.material import Material, Source, write_caption
from amn_core.figures.styles import add_legend, build_figure, set_root_scale
from amn_core.figures.tables import Table, build_column

LABELLED = (1, 5, 20, 100)
ROW_LETTERS = 0.62  # height of a bar, in letters
COSTS = ("Regret: points of mIoU below the best single threshold on the same images. Rules without ground truth look "
         "at the activations alone; constants are those of papers and code.")


@dataclass(frozen=True)
class Cost:
    """What one way to choose gives a run: its title, the (median) threshold, mIoU and regret with ends of intervals."""

    title: str
    threshold: float
    miou: tuple[float, float, float]
    regret: tuple[float, float, float]


def list_choices(material: Material, source: Source) -> list[Choice]:
    """List the choices of one threshold for a run: constants, rules, and the area of a CAM among the runs."""
    counts = source.counts
    cams = [one.counts for one in material.sources if one.run.method == "cam"]
    lent = [choose_area(counts, cams[0])] if cams else []
    return [*choose_fixed(counts.thresholds, source.run.method), *(choose_unseen(counts, name) for name in CHOOSERS),
            *lent]


def score_costs(material: Material, source: Source) -> list[Cost]:
    """Score every way to choose a threshold for a run, those with labelled images too, the cheapest first."""
    config, counts, thresholds = material.config, source.counts, source.counts.thresholds
    averaging, classes = material.protocol.averaging, material.classes
    choices = list_choices(material, source)
    scores = score_choices(counts, choices, averaging, classes, config.resamples, config.seed, config.level)
    costs = [Cost(choice.title, float(np.median(thresholds[choice.index])), (s.miou, s.miou_low, s.miou_high),
                  (s.regret, s.regret_low, s.regret_high)) for choice, s in zip(choices, scores, strict=True)]
    return sorted(costs + score_labelled(material, source), key=lambda cost: cost.regret[0])


def score_labelled(material: Material, source: Source) -> list[Cost]:
    """Score a threshold chosen on a few labelled images; nothing where there are too few images for it."""
    config, n = material.config, len(material.image_ids)
    if n < 2:
        return []
    budget = score_budget(source.counts, build_folds(n), LABELLED, material.protocol.averaging, material.classes,
                          config.resamples, config.seed, config.level)
    return [
        Cost(f"{size} labelled image{'s' * (size > 1)}", float(np.median(budget.thresholds[i])),
             (budget.miou[i], budget.miou_low[i], budget.miou_high[i]),
             (budget.regret[i], budget.regret_low[i], budget.regret_high[i]))
        for i, size in enumerate(budget.sizes.tolist())]


def gather_costs(material: Material) -> tuple[list[str], list[dict[str, Cost]]]:
    """Gather the costs of all runs; titles in the order of their mean regret.

    Raises:
        ValueError: a run of finished masks, which has no threshold to choose.
    """
    masks = [source.run.path for source in material.sources if source.run.is_masks]
    if masks:
        raise ValueError(f"{masks[0]}: these are finished masks, which have no threshold to choose: leave them out")
    found = [{cost.title: cost for cost in score_costs(material, source)} for source in material.sources]
    titles = {title for costs in found for title in costs}
    means = {title: np.mean([costs[title].regret[0] for costs in found if title in costs]) for title in titles}
    return sorted(titles, key=lambda title: (means[title], title)), found


def draw_costs(material: Material) -> tuple[Figure, Caption]:
    """Draw the regret of each way to choose a threshold as bars with intervals; returns its caption too."""
    config, page, n = material.config, material.page, len(material.sources)
    titles, found = gather_costs(material)
    height = len(titles) * page.text / 72 * (ROW_LETTERS * n + 0.55) + page.text / 11
    figure = build_figure(page, config.height or height)
    axes = figure.add_subplot()
    for i, (source, costs) in enumerate(zip(material.sources, found, strict=True)):
        rows = [k for k, title in enumerate(titles) if title in costs]
        draw_bars(axes, np.array(rows) + (i - (n - 1) / 2) * 0.84 / n, [costs[titles[k]] for k in rows], source,
                  material)
    set_root_scale(axes.xaxis, axes.get_xlim()[1])
    axes.set_yticks(range(len(titles)), titles)
    axes.set(xlabel="regret (points of mIoU)", ylim=(len(titles) - 0.45, -0.55), xlim=(0, None))
    axes.grid(axis="x")
    add_legend(figure, [Patch(facecolor=s.look.colour, hatch=s.look.hatch, edgecolor="white", label=s.look.label)
                        for s in material.sources])
    return figure, caption_costs(material, "What each way to choose the threshold costs. The axis rises with the "
                                 "square root." + " Lines: intervals." * config.intervals)


def draw_bars(axes: Axes, places: np.ndarray, costs: list[Cost], source: Source, material: Material) -> None:
    """Draw the bars of one run."""
    page, n = material.page, len(material.sources)
    values = np.array([cost.regret for cost in costs]) * PERCENT
    axes.barh(places, np.maximum(values[:, 0], 0), 0.84 / n, color=source.look.colour, hatch=source.look.hatch,
              edgecolor="white", linewidth=page.line / 3)
    if material.config.intervals:
        axes.hlines(places, np.maximum(values[:, 1], 0), np.maximum(values[:, 2], 0), color="black",
                    linewidth=page.line * 0.7)


def caption_costs(material: Material, text: str) -> Caption:
    """Write the caption of the costs."""
    config = material.config
    labelled = (f"With labelled images: chosen on one half, scored on the other, both ways round, mean of "
                f"{config.resamples} draws.")
    return write_caption(material, text, COSTS, labelled, f"Intervals: {material.interval_note}." * config.intervals)


def build_costs_table(material: Material) -> Table:
    """Build the table of choices: a row for each way, threshold, mIoU and regret of each run."""
    titles, found = gather_costs(material)
    blank = Cost("", np.nan, (np.nan,) * 3, (np.nan,) * 3)
    heads, columns = ["choice"], []
    for source, costs in zip(material.sources, found, strict=True):
        rows = [costs.get(title, blank) for title in titles]
        prefix = f"{source.look.label} " * (len(found) > 1)
        bounds = [(cost.regret[1] * PERCENT, cost.regret[2] * PERCENT) for cost in rows]
        nothing = [(np.nan, np.nan)] * len(rows)
        columns += [build_column([cost.threshold for cost in rows], nothing, 2, 0),
                    build_column([cost.miou[0] * PERCENT for cost in rows], nothing, 1, 1),
                    build_column([cost.regret[0] * PERCENT for cost in rows],
                                 bounds if material.config.intervals else nothing, 1, -1)]
        heads += [f"{prefix}at", f"{prefix}mIoU (%)", f"{prefix}regret (points)"]
    groups = tuple((source.look.label, 3) for source in material.sources) if len(found) > 1 else ()
    return Table(tuple(heads), tuple(titles), tuple(zip(*columns, strict=True)), caption_costs(
        material, "What each way to choose the threshold gives and costs. Bold: best."), groups=groups)
