"""The table behind the image browser: one row an image, its figures, what is filtered and how it is sorted."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app import state
from app.cache import runs as cached


@dataclass(frozen=True)
class Sort:
    """A figure to sort by: its name in the choice, the head of its column, and how one value is written."""

    title: str
    label: str
    form: str = "{:.3f}"


SORTS = {
    "regret": Sort("Lost to the global threshold", "lost, points", "{:.1f}"),
    "miou": Sort("mIoU at the threshold", "mIoU, %", "{:.1f}"),
    "best": Sort("Best mIoU", "best mIoU, %", "{:.1f}"),
    "best_threshold": Sort("Best threshold", "best at"),
    "gap": Sort("Gap", "gap"),
    "imbalance": Sort("Imbalance", "CV"),
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
    "regret-range": Range("regret", "Lost to the global threshold, points", 0.5, "%.1f"),
    "gap-range": Range("gap", "Gap", 0.01, "%.2f"),
    "imbalance-range": Range("imbalance", "Imbalance (CV)", 0.01, "%.2f"),
    "best-range": Range("best_threshold", "Best threshold", 0.005, "%.3f"),
}
RANKED = ("regret", "miou", "best", "best_threshold")  # of which degenerate images have no place
LISTED = "list-threshold"
NUMBERS = {"1": (1, 1), "2": (2, 2), "3 or more": (3, 255)}
SIZES = {"under 10 %": (0, 10), "10 to 35 %": (10, 35), "over 35 %": (35, 101)}


def build_table(group: dict, keys: list[str], threshold: float) -> pd.DataFrame:
    """Build the table of a group's images, indexed by id; figures are those of the run chosen to sort by.

    Columns ``classes`` (tuple of names) and ``count``, and where the run has counts ``is_degenerate`` and the figures
    of `SORTS`: mIoU, its loss and area in percent, at the threshold, under the chosen averaging.
    """
    if not keys:
        return pd.DataFrame({"classes": [], "count": []})
    run = group[choose_run(group, keys)]
    if not run.has_counts:
        dataset = cached.get_dataset(run)
        ids = list(run.map_ids or (dataset.ids if dataset else ()))
        return pd.DataFrame({"classes": [()] * len(ids), "count": 0}, index=ids)
    return build_scored_table(run, threshold)


def choose_run(group: dict, keys: list[str]) -> str:
    """Choose the run whose figures sort the images: the one asked for, else the first with counts."""
    asked = state.get("of")
    return asked if asked in keys else next((key for key in keys if group[key].has_counts), keys[0])


def get_list_threshold() -> float:
    """Get the threshold that the figures of the list are for: that of the moment when the list was asked for.

    An order that followed the threshold would move images away under the hand.
    """
    choices = ("data", "runs", "of", "sort", "ascending", "only", "number", "size", *RANGES)
    asked = (state.get_visit(), *(state.get(name) for name in choices))
    if st.session_state.get(LISTED, (None, 0))[0] != asked:
        st.session_state[LISTED] = (asked, state.get("t"))
    return st.session_state[LISTED][1]


def refresh_list() -> None:
    """Take the threshold of now for the list."""
    st.session_state.pop(LISTED, None)


def build_scored_table(run, threshold: float) -> pd.DataFrame:
    """Build the table of a run with counts."""
    scores, (classes, area) = cached.load_image_scores(run, state.get("averaging")), cached.load_contents(run)
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
