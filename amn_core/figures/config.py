"""What can be asked for of a figure; free of matplotlib, so that a form or a parser can be made without it."""

from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from amn_core.options import UsageError, option


@dataclass(frozen=True)
class Kind:
    """A kind of figure: its title, what draws it (``module:function``), and its suffixes, the best one first.

    `needs` says what a run must have: ``counts``, ``activation`` (counts of maps), ``maps`` (and the photographs),
    ``refined`` (masks refined at every threshold, beside the run they were made from), ``metrics`` of a training, or
    ``results`` of consequence.
    """

    title: str
    draw: str
    needs: str = "counts"
    suffixes: tuple[str, ...] = (".pdf", ".svg", ".png")


FIGURES = {
    "miou": Kind("mIoU against threshold", "amn_core.figures.curves:draw_miou"),
    "rates": Kind("Precision, recall and error rates", "amn_core.figures.parts:draw_rates"),
    "histograms": Kind("Foreground and background activation", "amn_core.figures.distributions:draw_histograms",
                       "activation"),
    "best-thresholds": Kind("Best threshold of each image", "amn_core.figures.distributions:draw_best_thresholds"),
    "gap-imbalance": Kind("Gap against imbalance", "amn_core.figures.distributions:draw_clouds", "activation"),
    "classes": Kind("IoU of each class", "amn_core.figures.bars:draw_classes"),
    "class-differences": Kind("Difference of each class", "amn_core.figures.bars:draw_differences"),
    "class-thresholds": Kind("Best threshold of each class", "amn_core.figures.parts:draw_class_thresholds"),
    "sizes": Kind("Score by the size of objects", "amn_core.figures.parts:draw_sizes"),
    "images": Kind("One curve an image", "amn_core.figures.parts:draw_images"),
    "costs": Kind("What each choice costs", "amn_core.figures.costs:draw_costs"),
    "grid": Kind("Images, maps and masks", "amn_core.figures.grids:draw_grid", "maps"),
    "training": Kind("Training curves", "amn_core.figures.curves:draw_training", "metrics"),
    "over-training": Kind("Threshold over a training", "amn_core.figures.over_training:draw_over_training", "metrics"),
    "after-refinement": Kind("mIoU before and after refinement", "amn_core.figures.refinement:draw_after_refinement",
                             "refined"),
    "consequence": Kind("Masks and the networks trained on them", "amn_core.figures.consequence:draw_consequence",
                        "results"),
    "two-cuts": Kind("Quality and coverage of two cuts", "amn_core.figures.two_cuts:draw_two_cuts", "activation"),
    "audit": Kind("What inherited constants cost", "amn_core.figures.two_cuts:draw_audit", "activation"),
    "budget": Kind("Label budget", "amn_core.figures.curves:draw_budget"),
    "table": Kind("Table of runs", "amn_core.figures.tables:build_runs_table", suffixes=(".tex", ".md", ".csv")),
    "table-classes": Kind(
        "Table of classes", "amn_core.figures.tables:build_classes_table", suffixes=(".tex", ".md", ".csv")),
    "table-costs": Kind(
        "Table of choices", "amn_core.figures.costs:build_costs_table", suffixes=(".tex", ".md", ".csv")),
    "table-audit": Kind("Table of inherited constants", "amn_core.figures.two_cuts:build_audit_table", "activation",
                        suffixes=(".tex", ".md", ".csv")),
    "report": Kind("Report", "amn_core.figures.report:build_report", suffixes=(".html",)),
}
DRAWN = tuple(name for name, kind in FIGURES.items() if ".pdf" in kind.suffixes and name != "grid")
NAMED = tuple(name for name in FIGURES if name != "report")
KIT = "kit"   # the standard set and a paper that shows it; a folder instead of a file
PRESETS = ("cvpr-column", "cvpr-page", "eccv", "slide")
LAYERS = ("photo", "truth", "map", "mask", "contour", "errors")
RULES = ("largest-regret", "median", "random", "chosen")
AT_THRESHOLD = ("rates", "histograms", "best-thresholds", "classes", "class-differences", "class-thresholds", "sizes",
                "images", "grid", "table-classes", "report")
SAMPLED = ("miou", "after-refinement", "class-differences", "costs", "budget", "table", "table-costs", "report")


def choose(default: Any, help_text: str, *figures: str, **more: Any) -> Any:
    """Declare an option that only some figures have; a form shows it for those alone."""
    return option(default, help_text, figures=figures, **more)


@dataclass(frozen=True)
class FigureConfig:
    """What `figure` needs: its name and runs, or a record; the rest has defaults fit for print."""

    name: str | None = option(
        None, f"what to make: {', '.join(FIGURES)}, or {KIT}: the standard set with a paper.tex", positional=True,
        nargs="?")
    runs: tuple[str, ...] = field(default=(), metadata={
        "help": "run folders with counts; for training and over-training: folders with metrics.jsonl",
        "positional": True, "nargs": "*"})
    out: str = option("", "file to write; its suffix chooses the format; of a kit: a folder")
    record: str = option("", "record, or a file that holds one, from which to make the same bytes", flag="--from")
    preset: str = option("cvpr-column", "page that it is for: sizes and fonts", choices=PRESETS)
    width: float | None = option(None, "width in inches; by default that of the preset")
    names: str = choose("", "names of the runs, separated by semicolons, in their order; empty to keep one", *NAMED)
    colours: str = choose("", "colours of the runs, of CSS or #RRGGBB, separated by commas, in their order; empty to "
                          "keep one", *NAMED)
    xlabel: str = choose("", "other titles of the horizontal axes, separated by semicolons, from the first on", *DRAWN)
    ylabel: str = choose("", "other titles of the vertical axes, likewise", *DRAWN)
    height: float | None = option(None, "height in inches; by default one that fits")
    dpi: int = option(300, "resolution of pictures inside, and of PNG")
    protocol: str = option("", "averaging rule: irn, seam or toco; by default that of the runs",
                           choices=("", "irn", "seam", "toco"))
    classes: str = option("", "names or ids of the classes to average over, or all; by default the protocol's")
    images: str = option("", "list of image ids to restrict every run to")
    threshold: str = choose(
        "peak", "threshold of each run: peak, a number, or one for each run, separated by commas", *AT_THRESHOLD)
    axis: str = choose("threshold", "horizontal axis: threshold, or share of the pixels called foreground", "miou",
                       choices=("threshold", "share"))
    intervals: bool = choose(True, "draw bootstrap intervals", "miou", "after-refinement", "consequence",
                             "costs", "budget", "table", "table-costs", "class-differences")
    resamples: int = choose(1000, "resamples of the bootstrap, or draws of labelled images", *SAMPLED)
    level: float = choose(0.95, "share of the resamples inside an interval", *SAMPLED)
    seed: int = choose(0, "seed of every random draw", *SAMPLED, "grid")
    plateau: bool = choose(True, "mark the plateau: mIoU within one point of the peak", "miou",
                           "after-refinement")
    oracle: bool = choose(True, "draw the per-image oracle", "miou")
    zoom: bool = choose(False, "start the vertical axis just below the plateaus instead of at 0", "miou")
    mirror: bool = choose(False, "draw background below the axis", "histograms")
    points: str = choose("image", "one point an image or a class", "gap-imbalance", choices=("image", "class"))
    rule: str = choose("largest-regret", "which images: by a rule that the caption names, or chosen",
                       "grid", "report", choices=RULES)
    of: str = choose("", "run that the rule looks at, by its place from 1 or its name; the first by default",
                     "grid", "report")
    number: int = choose(4, "how many images the rule picks", "grid", "report")
    ids: str = choose("", "ids of the chosen images, separated by commas; then the rule is: chosen", "grid", "report")
    layers: str = choose("photo,truth,map,mask", f"columns, separated by commas: {', '.join(LAYERS)}", "grid", "report")
    results: str = choose("", "CSV of networks that you trained yourself: threshold, miou_masks, miou_network, and if "
                          "need be run, seed", "consequence")
    pairs: str = choose("", "further pairs of cuts to judge, HIGH,LOW each, separated by semicolons", "two-cuts",
                        "audit", "table-audit")
    cuts: str = choose("", "further single cuts to judge, separated by commas", "audit", "table-audit")
    masks_at: str = choose(
        "", "thresholds of the masks, separated by commas; by default the one of each run", "grid")
    data: str = choose("", "data set with the photographs; by default the one the runs were made from",
                       "grid", "report")


def resolve_figure_config(config: FigureConfig) -> FigureConfig:
    """Fill in what follows from the rest, and check what can be checked without a run.

    Raises:
        ValueError: an unknown figure, a suffix that it cannot have, no run, or a number out of its range.
    """
    if config.name not in FIGURES:
        raise UsageError(f"figure is {config.name or 'not given'}: choose one of {', '.join(FIGURES)}")
    kind = FIGURES[config.name]
    out = config.out or config.name + kind.suffixes[0]
    if not out.lower().endswith(kind.suffixes):
        raise ValueError(f"out is {out!r}: {config.name} is written as {', '.join(kind.suffixes)}")
    if config.results and kind.needs != "results":
        raise ValueError(f"results is {config.results!r}: only the figure consequence is drawn from a table")
    if not config.runs and not config.results:
        raise UsageError("no run to draw: give at least one run folder")
    check_numbers(config)
    return replace(config, out=out, rule="chosen" if config.ids else config.rule)


def check_numbers(config: FigureConfig) -> None:
    """Raise ValueError for a number that is out of its range."""
    limits = {"width": (0.5, 60), "height": (0.5, 60), "dpi": (30, 1200), "resamples": (2, 100_000), "number": (1, 60),
              "level": (0.01, 0.999), "seed": (0, 2**31)}
    for name, (low, high) in limits.items():
        value = getattr(config, name)
        if value is not None and not low <= value <= high:
            raise ValueError(f"{name} is {value}: give a number from {low} to {high}")
    if config.rule == "chosen" and not config.ids:
        raise ValueError("rule is chosen but ids is empty: name the images, or take another rule")


def list_options(figure: str) -> tuple[str, ...]:
    """List the options that a figure has, in order, without those that say what is drawn and where to."""
    return tuple(
        name for name, one in FigureConfig.__dataclass_fields__.items()
        if name not in ("name", "runs", "out", "record") and figure in one.metadata.get("figures", (figure,)))


def load_draw(figure: str) -> Any:
    """Load the function that draws a figure or builds a table, and matplotlib with it."""
    module, _, function = FIGURES[figure].draw.partition(":")
    return getattr(import_module(module), function)
