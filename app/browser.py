"""The table behind the image browser: one row an image, its figures, what is filtered and how it is sorted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from amn_core.sweep.curves import find_threshold
from app import state
from app.cache import runs as cached


@dataclass(frozen=True)
class Sort:
    """A figure to sort by: its name in the choice, the head of its column, and how one value is written."""

    title: str
    label: str
    form: str = "{:.3f}"


SORTS = {
    "regret": Sort("Regret", "regret, points", "{:.1f}"),
    "miou": Sort("mIoU at the threshold", "mIoU, %", "{:.1f}"),
    "best": Sort("Best mIoU", "best mIoU, %", "{:.1f}"),
    "best_threshold": Sort("Best threshold", "best at"),
    "step": Sort("Step to the other run", "step, points", "{:+.1f}"),
    "gap": Sort("Gap", "gap"),
    "imbalance": Sort("Imbalance (CV)", "CV"),
    "auc": Sort("Separability", "AUC"),
    "area": Sort("Size of the objects", "% of image", "{:.1f}"),
    "count": Sort("Number of classes", "classes", "{:.0f}"),
    "name": Sort("Name", ""),
}


@dataclass(frozen=True)
class Range:
    """A figure to filter by: its column, its name above the slider, the slider's step, how its ends are written."""

    column: str
    title: str
    step: float
    form: str


RANGES = {
    "regret-range": Range("regret", "Regret, points", 0.5, "%.1f"),
    "step-range": Range("step", "Step to the other run, points", 0.5, "%.1f"),
    "gap-range": Range("gap", "Gap", 0.01, "%.2f"),
    "imbalance-range": Range("imbalance", "Imbalance (CV)", 0.01, "%.2f"),
    "best-range": Range("best_threshold", "Best threshold", 0.005, "%.3f"),
}
RANKED = ("regret", "miou", "best", "best_threshold")  # of which degenerate images have no place
LIVE = ("regret", "miou")  # the figures that the threshold changes
MOST_LIVE = 4000
NUMBERS = {"1": (1, 1), "2": (2, 2), "3 or more": (3, 255)}
SIZES = {"under 10 %": (0, 10), "10 to 35 %": (10, 35), "over 35 %": (35, 101)}


def build_table(group: dict, keys: list[str], threshold: float) -> pd.DataFrame:
    """Build the table of the images of some runs, indexed by id; figures are those of the run chosen to sort by.

    Columns ``classes`` (tuple of names) and ``count``, and where the run has counts ``is_degenerate`` and the figures
    of `SORTS`: mIoU, its loss and area in percent, at the threshold, under the chosen averaging. An image that this
    run lacks has no figures, but its place.
    """
    if not keys:
        return pd.DataFrame({"classes": [], "count": []})
    run = group[choose_run(group, keys)]
    ids = list(dict.fromkeys(image_id for key in keys for image_id in list_images(group[key])))
    if not run.has_counts:
        return pd.DataFrame({"classes": [()] * len(ids), "count": 0}, index=ids)
    table = build_scored_table(run, threshold)
    other = group.get(state.get("against"))
    if other is not None and other.has_counts and other is not run:
        table["step"] = compute_step(run, other, table.index, threshold) * 100
    return table if len(ids) == len(table) else fill_table(table, group, keys, ids)


def list_images(run) -> tuple[str, ...]:
    """List the images of a run: those counted, else those with maps, else those of its data set."""
    if run.has_counts:
        return cached.load_counts(run).image_ids
    dataset = cached.get_dataset(run)
    return run.map_ids or (tuple(dataset.ids) if dataset else ())


def fill_table(table: pd.DataFrame, group: dict, keys: list[str], ids: list[str]) -> pd.DataFrame:
    """Add the images that other runs have, with their classes and without figures."""
    known: dict[str, tuple[str, ...]] = {}
    for key in keys:
        if group[key].has_counts:
            contents, _ = cached.load_contents(group[key])
            known |= dict(zip(list_images(group[key]), contents, strict=True))
    whole = table.reindex(ids)
    whole["classes"] = [known.get(image_id, ()) for image_id in ids]
    whole["is_degenerate"] = whole["is_degenerate"].eq(True)
    whole["count"] = [len(names) for names in whole["classes"]]
    return whole


def choose_run(group: dict, keys: list[str]) -> str:
    """Choose the run whose figures sort the images: the one asked for, else the first with counts."""
    asked = state.get("of")
    return asked if asked in keys else next((key for key in keys if group[key].has_counts), keys[0])


def load_live_figures(group: dict, keys: list[str], names: Sequence[str], sort: str) -> np.ndarray | None:
    """Load the figure that sorts the list at each of the 201 steps of the bar: (N, 201), NaN where undefined.

    Nothing where it does not depend on the threshold, or for more images than a page should be sent.
    """
    run = group[choose_run(group, keys)]
    if sort not in LIVE or not run.has_counts or run.is_masks or len(names) > MOST_LIVE:
        return None
    scores = load_scores(run)
    at = np.abs(scores.thresholds[None] - np.linspace(0, 1, 201)[:, None]).argmin(axis=1)
    values = scores.miou[:, at] if sort == "miou" else scores.best_miou[:, None] - scores.miou[:, at]
    values = np.where(scores.is_degenerate[:, None], np.nan, values)
    rows = {image_id: i for i, image_id in enumerate(scores.image_ids)}
    live = np.full((len(names), values.shape[1]), np.nan)
    for i, name in enumerate(names):
        if name in rows:
            live[i] = values[rows[name]]
    return live


def compute_step(run, other, images: Sequence[str], threshold: float) -> np.ndarray:
    """Compute the step of each image's mIoU from one run to another: (N,) fractions of 1, NaN where one lacks it.

    Both are at the threshold, or each is at the peak of its run, as ``step-at`` says.
    """
    values = []
    for one in (run, other):
        scores, at = load_scores(one), threshold
        if state.get("step-at") == "peak" and not one.is_masks:
            at = float(cached.load_summary(one, state.get("averaging")).peak_threshold)
        column = scores.miou[:, find_threshold(scores.thresholds, at)]
        values.append(pd.Series(column, index=list(scores.image_ids)).reindex(list(images)).to_numpy(dtype=float))
    return values[1] - values[0]


def load_scores(run):
    """Load the scores of a run's images under the averaging that is chosen and over the classes of its protocol."""
    return cached.load_image_scores(run, state.get("averaging"))


def choose_opening(group: dict, keys: list[str]) -> tuple[str, float] | None:
    """Choose the image that is shown first: the one where AMN gains the median over CAM, each at its own peak.

    Neither the worst of CAM nor the best of AMN, so that what is seen first is what is usual.

    Returns:
        Its id and the gain in points; None without counts of both on the same images.
    """
    counted = [group[key] for key in reversed(keys) if group[key].has_counts and not group[key].is_masks]
    runs = {run.method: run for run in counted}
    if not {"cam", "amn"} <= set(runs):
        return None
    cam, amn = load_scores(runs["cam"]), load_scores(runs["amn"])
    if cam.image_ids != amn.image_ids:
        return None
    at = [cached.load_summary(runs[method], state.get("averaging")).peak_threshold for method in ("cam", "amn")]
    own = [one.miou[:, np.abs(one.thresholds - peak).argmin()] for one, peak in zip((cam, amn), at, strict=True)]
    gain = np.where(cam.is_degenerate, np.nan, own[1] - own[0])
    known = np.flatnonzero(np.isfinite(gain))
    if not len(known):
        return None
    middle = known[np.argsort(gain[known], kind="stable")[(len(known) - 1) // 2]]
    return cam.image_ids[middle], float(gain[middle] * 100)


def build_scored_table(run, threshold: float) -> pd.DataFrame:
    """Build the table of a run with counts."""
    scores, (classes, area) = load_scores(run), cached.load_contents(run)
    regret = scores.regret(threshold)
    columns = {
        "classes": classes, "count": [len(names) for names in classes], "area": area, "regret": regret * 100,
        "miou": (scores.best_miou - regret) * 100, "best": scores.best_miou * 100,
        "best_threshold": scores.best_threshold, "gap": scores.gap, "imbalance": scores.imbalance, "auc": scores.auc,
        "is_degenerate": scores.is_degenerate,
    }
    return pd.DataFrame(columns, index=list(scores.image_ids))


def filter_table(table: pd.DataFrame, find: str) -> pd.DataFrame:
    """Keep the images that fit the name and the shared filters."""
    kept = np.ones(len(table), dtype=bool)
    if find:
        kept &= table.index.str.contains(find, case=False, regex=False)
    if state.get("only"):
        kept &= np.array([state.get("only") in names for names in table["classes"]], dtype=bool)
    for name, bounds, column in (("number", NUMBERS, "count"), ("size", SIZES, "area")):
        if state.get(name) in bounds and column in table:
            low, high = bounds[state.get(name)]
            kept &= table[column].between(low, high, inclusive="both" if column == "count" else "left").to_numpy()
    for name, figure in RANGES.items():
        bounds = state.get(name)
        if bounds and find_extent(table, figure):
            kept &= table[figure.column].round(6).between(*bounds).to_numpy()
    return table[kept]


def find_extent(table: pd.DataFrame, figure: Range) -> tuple[float, float] | None:
    """Find between which steps of its slider a figure lies; None where it is not known or the same for all."""
    values = table[figure.column].dropna() if figure.column in table else ()
    if not len(values):
        return None
    low = math.floor(round(min(values) / figure.step, 6)) * figure.step
    high = math.ceil(round(max(values) / figure.step, 6)) * figure.step
    return (round(low, 6), round(high, 6)) if high > low else None


def clear_filters() -> None:
    """Let every image through again."""
    for name in ("find", "only", "number", "size", *RANGES):
        state.put(name, state.PARAMS[name].default)


def sort_table(table: pd.DataFrame, sort: str, is_ascending: bool) -> pd.DataFrame:
    """Sort by a figure, highest first unless told otherwise, undefined last; else by name, A to Z.

    Degenerate images come after all others where a figure ranks them: no threshold is right or wrong for them.
    """
    if sort not in table.columns:
        return table.sort_index()
    table = table.sort_values(sort, ascending=is_ascending, na_position="last", kind="stable")
    is_last = table["is_degenerate"] if sort in RANKED else pd.Series(False, table.index)
    return pd.concat([table[~is_last], table[is_last]])


def describe_figures(table: pd.DataFrame, sort: str) -> list[str]:
    """Write the figure that sorts the images, a dash where it is undefined, and which of them are degenerate."""
    if sort not in table.columns:
        return [""] * len(table)
    texts = ["–" if np.isnan(value) else SORTS[sort].form.format(value) for value in table[sort]]
    if sort not in RANKED:
        return texts
    return ["degenerate" if is_last else text for text, is_last in zip(texts, table["is_degenerate"], strict=True)]


def describe_undefined(table: pd.DataFrame) -> list[str]:
    """Write what stands for an image whose figure is undefined: a dash, or that it is degenerate."""
    return ["degenerate" if is_odd else "–" for is_odd in table["is_degenerate"]]
