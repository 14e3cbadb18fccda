"""The figures of images as a table that follows the threshold: mIoU and regret of each row while the bar is dragged."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import browser, state
from app.browser import RANKED
from app.cache import runs as cached
from app.components.claim import render_claim, render_live_text
from app.components.live import STEPS, read_scripts
from app.controls import Choice, open_image
from app.words import claims
from app.words.definitions import DEFINITIONS

HERE = Path(__file__).parent
UNDEFINED, UNIT = 65535, 10_000  # of a fraction as the page is sent it
LIVE = ("miou", "regret")
PERCENT = ("object_share", "best_miou", "step")
HEADS = {  # of each column: head, explanation, digits, and the name by which all screens sort
    "miou": ("mIoU now (%)", DEFINITIONS["chosen_miou"].text, 1, "miou"),
    "regret": ("Regret (points)", DEFINITIONS["regret"].text, 1, "regret"),
    "step": ("Step (points)", "mIoU of the other run less mIoU of this one.", 1, "step"),
    "best_miou": ("Best mIoU (%)", "At its own best threshold; oracle.", 1, "best"),
    "best_threshold": ("Best at", "The image's lowest best threshold; oracle.", 3, "best_threshold"),
    "object_share": ("Objects (%)", "Share of the scored pixels that belong to an object.", 1, "area"),
    "gap": ("Gap", DEFINITIONS["gap"].text, 3, "gap"),
    "auc": ("AUC", DEFINITIONS["auc"].text, 3, "auc"),
    "imbalance": ("CV", DEFINITIONS["imbalance"].text, 3, "imbalance"),
    "gini": ("Gini", DEFINITIONS["gini"].text, 3, None),
}

_mount = st.components.v2.component(
    "amn_figures",
    html='<div class="figures"><div class="window" tabindex="0" role="table" aria-label="Figures of every image">'
         '<div class="grid"><div class="line heads" role="row"></div><div class="all"><div class="rows"></div></div>'
         "</div></div></div>",
    css=(HERE / "table.css").read_text(encoding="utf-8"),
    js="\n".join([read_scripts("elements.js", "bench.js"), (HERE / "table.js").read_text(encoding="utf-8")]),
)


def is_live(choice: Choice, key: str, table: pd.DataFrame) -> bool:
    """Tell whether a table of `build_images` can follow the threshold: it has one, and few enough rows to send."""
    return not choice.runs[key].is_masks and len(table) <= browser.MOST_LIVE


def load_live(choice: Choice, key: str, images: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Load the mIoU of images at each step of the bar, (N, 201), and at their own best, (N,); fractions of 1."""
    scores = cached.load_image_scores(choice.runs[key], choice.averaging, choice.classes)
    at = np.abs(scores.thresholds[None] - np.linspace(0, 1, STEPS + 1)[:, None]).argmin(axis=1)
    rows = pd.Series(range(len(scores.image_ids)), index=list(scores.image_ids)).loc[list(images)].to_numpy()
    return scores.miou[rows][:, at], scores.best_miou[rows]


def render_losses(choice: Choice, key: str, table: pd.DataFrame) -> None:
    """Render the sentence about what images lose; it follows the threshold where their table does."""
    name, kept = choice.styles[key].label, table[~table["is_degenerate"]]
    if not is_live(choice, key, table):
        regret = kept["regret"].to_numpy() * (float("nan") if choice.runs[key].is_masks else 1)
        render_claim(claims.write_losses(name, choice.threshold, regret))
        return
    miou, best = load_live(choice, key, kept["image"])
    render_live_text([claims.write_losses(name, i / STEPS, best - miou[:, i]) for i in range(STEPS + 1)],
                     "live-claim", "claim")


def render_live_table(choice: Choice, key: str, table: pd.DataFrame, name: str = "live-table") -> tuple[str, ...]:
    """Put the table on the screen; returns the images that are marked.

    Args:
        choice: what the screen shows. key: the run whose figures these are. table: as `build_images` builds it.
    """
    def take_open() -> None:
        if st.session_state[name].open in images:
            open_image(st.session_state[name].open, choice)

    def take_sort() -> None:
        asked = st.session_state[name].sort
        if isinstance(asked, dict) and asked.get("sort") in {head[3] for head in HEADS.values()} | {"name"}:
            state.put("sort", asked["sort"])
            state.put("ascending", bool(asked.get("isUp")))

    table = table.sort_values("image", ignore_index=True)  # the page orders it: nothing is sent again on release
    images = frozenset(table["image"])
    data = build_data(choice, key, table)
    found = _mount(key=name, data=data, height="content", default={"marked": []}, on_open_change=take_open,
                   on_sort_change=take_sort, on_marked_change=lambda: None)
    return tuple(image for image in (found.marked or ()) if image in images)


def build_data(choice: Choice, key: str, table: pd.DataFrame) -> dict[str, Any]:
    """Build what the page is sent: columns by name, rows by image, and the scores at each step of the bar."""
    miou, best = (pack(values) for values in load_live(choice, key, table["image"]))
    shown = {name: head for name, head in HEADS.items() if name in table}
    columns = [
        {"name": name, "title": title, "help": text.replace("*", ""), "digits": digits, "sign": name == "step",
         "sort": sort, "cells": None if name in LIVE else list_cells(table, name)}
        for name, (title, text, digits, sort) in shown.items()
    ]
    content = {
        "columns": columns, "names": list(table["image"]), "classes": [", ".join(names) for names in table["classes"]],
        "degenerate": np.flatnonzero(table["is_degenerate"]).tolist(), "order": find_order(shown),
    }
    revision = f"{hash((repr(content), miou.tobytes(), best.tobytes()))}"
    return {"table": {**content, "revision": revision}, "live": miou.ravel(), "best": best}


def find_order(columns: dict) -> dict[str, Any]:
    """Find the column that orders the rows, by the figure that all screens sort by."""
    sort = state.get("sort")
    name = "image" if sort == "name" else next((name for name in columns if HEADS[name][3] == sort), "regret")
    return {"name": name, "isUp": name == "image" or state.get("ascending"), "isRanked": sort in RANKED}


def list_cells(table: pd.DataFrame, name: str) -> list[float | None]:
    """List the cells of a column as the page shows them, percent where it is a share; nothing where undefined."""
    values = table[name].to_numpy(dtype=float) * (100 if name in PERCENT else 1)
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]


def pack(values: np.ndarray) -> np.ndarray:
    """Pack fractions of 1 into the numbers that the page is sent: uint16."""
    return np.where(np.isnan(values), UNDEFINED, np.rint(np.nan_to_num(values) * UNIT)).astype(np.uint16)
