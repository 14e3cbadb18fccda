"""The table of images: every per-image figure of one run, each image one click from Explore."""

import pandas as pd
import streamlit as st

from app.cache import runs as cached
from app.controls import Choice, open_image
from app.words import tables
from app.words.definitions import DEFINITIONS


def describe_number(label: str, form: str, help_text: str | None = None):
    """Describe a column of numbers to the table."""
    return st.column_config.NumberColumn(label, format=form, help=help_text)


COLUMNS = {
    "classes": st.column_config.ListColumn("Classes"),
    "n_classes": describe_number("Number of classes", "%d"),
    "object_share": describe_number("Objects (% of pixels)", "%.1f"),
    "best_threshold": describe_number("Best at", "%.3f", "The image's lowest best threshold; oracle."),
    "best_miou": describe_number("Best mIoU (%)", "%.1f", "At its own best threshold; oracle."),
    "miou": describe_number("mIoU now (%)", "%.1f", DEFINITIONS["chosen_miou"].text),
    "regret": describe_number("Regret (points)", "%.1f", DEFINITIONS["regret"].text),
    "step": describe_number("Step (points)", "%+.1f", "mIoU of the other run less mIoU of this one."),
    "gap": describe_number("Gap", "%.3f", DEFINITIONS["gap"].text),
    "auc": describe_number("AUC", "%.3f", DEFINITIONS["auc"].text),
    "imbalance": describe_number("CV", "%.3f", DEFINITIONS["imbalance"].text),
    "gini": describe_number("Gini", "%.3f", DEFINITIONS["gini"].text),
    "is_degenerate": st.column_config.CheckboxColumn("Degenerate", help=DEFINITIONS["degenerate"].text),
}
PERCENT = ("object_share", "best_miou", "miou", "regret", "step")


def build_images(choice: Choice, key: str) -> pd.DataFrame:
    """Build the table of the images that count, with the figures of one run; those that lose most, degenerate last."""
    run = choice.runs[key]
    scores = cached.load_image_scores(run, choice.averaging, choice.classes)
    table = tables.build_image_table(cached.load_counts(run), scores, choice.threshold)
    if choice.images:
        table = table[table["image"].isin(choice.images)]
    return table.sort_values(["is_degenerate", "regret"], ascending=[True, False], kind="stable", ignore_index=True)


def render_images(choice: Choice, table: pd.DataFrame, name: str, columns: tuple[str, ...] = tuple(COLUMNS), **options):
    """Render rows of `build_images`, scores in percent; an image's name is a button that opens it in Explore.

    Args:
        name: of the table among all tables of the app. columns: which figures. options: for `st.dataframe`.

    Returns:
        What `st.dataframe` returns: the selection, if `on_select` is among the options.
    """
    columns = [name for name in columns if name in table and (name != "is_degenerate" or table[name].any())]
    shown = table[["image", *columns]].copy()
    for column in set(PERCENT) & set(columns):
        shown[column] *= 100
    key = f"open:{name}"
    button = st.column_config.ButtonColumn(
        "Image", key=key, type="tertiary", on_click=take_image, args=(key, choice), pinned=True, alignment="left",
    )
    return st.dataframe(
        shown, hide_index=True, column_config={"image": button, **COLUMNS}, key=f"images:{name}", placeholder="–",
        **options,
    )


def take_image(key: str, choice: Choice) -> None:
    """Open the image whose button was clicked."""
    click = st.session_state[key]
    if click is not None:
        open_image(click["label"], choice)
