"""The table of runs: a row a run, switched on and off and sorted in place, the score of now following the bar."""

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from amn_core.formats.runs import Run
from app import state
from app.cache import runs as cached
from app.components.live import load_live_scores, read_scripts
from app.controls import Choice, build_choice, mark_at_first, name_shortage
from app.words import tables
from app.words.definitions import DEFINITIONS

HERE = Path(__file__).parent
MANY_IMAGES = 20_000  # with more images in all, runs that are switched off are not scored until they are shown
HEADS = {
    "peak_miou": "Peak", "peak_threshold": "at", "oracle_miou": "Oracle", "oracle_less_peak": "− peak",
    "plateau": "Plateau", "plateau_share": "in quantiles", "mean_miou": "Mean", "gap": "Gap", "auc": "AUC",
    "imbalance": "CV", "gini": "Gini",
}

_mount = st.components.v2.component(
    "amn_run_table",
    html='<div class="runs" tabindex="-1"><table><thead></thead><tbody></tbody></table></div>',
    css=(HERE / "table.css").read_text(encoding="utf-8"),
    js="\n".join([read_scripts("elements.js", "bench.js"), (HERE / "table.js").read_text(encoding="utf-8")]),
)


def render_run_table(choice: Choice, runs: dict[str, Run], key: str = "run-table") -> None:
    """Put the table on the screen.

    Args:
        choice: what is shown. runs: all that could be, by key.
    """
    def take() -> None:
        shown = [name for name in runs if name in set(st.session_state[key].shown or ())]
        if shown:
            state.put("runs", () if shown == mark_at_first(runs) else tuple(shown))

    heads = [
        {"name": name, "title": title, "help": describe_head(name), "oracle": name in tables.ORACLES,
         "better": tables.BETTER.get(name, 0)} for name, title in HEADS.items()
    ]
    heads.append({"name": "normalisation", "title": "Normalisation", "help": DEFINITIONS["normalisation"].text.replace(
        "*", ""), "oracle": False, "better": 0})
    _mount(key=key, data={"heads": heads, "rows": build_rows(choice, runs)}, height="content", on_shown_change=take)


def describe_head(name: str) -> str:
    """Describe a column: the name of the measure, what it is, and what it was chosen on."""
    definition = DEFINITIONS[name]
    scale = "" if definition.is_scale_free else " Changes with the scale of the maps."
    return f"{definition.name}. {definition.text.replace('*', '')}{scale}"


def build_rows(choice: Choice, runs: dict[str, Run]) -> list[dict[str, Any]]:
    """Build the rows: look, whether shown, remarks, the numbers as shown and as sorted, and the live score."""
    whole = build_choice(choice.group, runs, list(runs))
    is_small = sum(len(cached.load_counts(run).image_ids) for run in runs.values()) <= MANY_IMAGES
    rows = []
    for key, run in runs.items():
        style, is_shown = choice.styles[key], key in choice.runs
        row = {"key": key, "label": style.label, "colour": style.colour, "dash": style.svg_dash, "shown": is_shown,
               "masks": run.is_masks, "note": name_shortage(run, runs), "cells": {}, "now": None}
        if is_shown or is_small:
            source = choice if is_shown else whole
            row |= {"cells": build_cells(source, key), "now": load_live_scores(source, key)}
        scaling = run.meta["protocol"].get("normalisation") or "not said"
        row["cells"] = {**row["cells"], "normalisation": [scaling, scaling]}
        rows.append(row)
    return rows


def build_cells(choice: Choice, key: str) -> dict[str, list]:
    """Build the cells of a run: for each measure its text and the number to sort by."""
    summary = choice.summary(key)
    cells = {}
    for name in HEADS:
        value = tables.get_measure(summary, name, choice.threshold)
        text = tables.write_measure(summary, name, choice.threshold)
        text = text.removesuffix(" %").removesuffix(" points").removesuffix(" % of pixels")
        cells[name] = [f"{value:.3f}" if name == "plateau" and np.isfinite(value) else text,
                       float(value) if np.isfinite(value) else None]
    return cells
