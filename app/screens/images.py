"""Images: every per-image figure of a run, those that lose most to the one threshold first."""

import pandas as pd
import streamlit as st

from amn_core.formats.cells import write_text_cell
from amn_core.formats.runs import Run
from amn_core.scoring import describe_degenerate
from app import controls, state
from app.browser import RANKED, SORTS, compute_step, filter_table
from app.components.contact_sheet import render_sheet
from app.components.image_filters import render_more_filters, render_no_fit
from app.components.image_table import build_images, render_images
from app.components.live import render_threshold
from app.components.live_table import is_live, render_live_table, render_losses
from app.components.selection_form import render_selections

FIGURES = (
    "peak_threshold", "regret", "oracle_miou", "gap", "auc", "imbalance", "gini", "degenerate",
)
COLUMNS = {"best": "best_miou", "area": "object_share", "count": "n_classes", "name": "image"}
SHAPES = {False: "Table", True: "Contact sheet"}
STEPS_AT = {"now": "both at the threshold", "peak": "each at its peak"}


def render() -> None:
    """Render the screen."""
    choice = controls.render_choice(FIGURES, controls.render_run_menu)
    if choice is None:
        return
    claim = st.container()
    controls.render_notes(choice)
    keys, table = render_filters(choice)
    key = keys[0]
    render_threshold(choice)
    if not len(table):
        render_no_fit()
        return
    with claim:
        render_losses(choice, key, table)
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    with bar:
        st.markdown(describe_table(table, choice, key), width="stretch")
        st.segmented_control("Show as", list(SHAPES), format_func=SHAPES.get, required=True,
                             label_visibility="collapsed", **state.bind("sheet"))
    if state.get("sheet"):
        render_sheet(choice, keys, table)
    else:
        render_table(choice, key, table, bar)


def render_filters(choice: controls.Choice) -> tuple[list[str], pd.DataFrame]:
    """Render whose figures are listed, which images and in what order.

    Returns:
        The run's key, and that of the run it is held against if there is one; and the table.
    """
    names = {key: choice.styles[key].label for key in choice.runs}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        key = st.selectbox("Figures of", list(names), format_func=names.get, width=180,
                           **controls.bind_run("of", list(names), controls.find_last_with_maps(choice.runs)))
        others = [None, *(other for other in names if other != key)]
        against = st.selectbox("Against", others, format_func=lambda k: names.get(k, "–"), width=180,
                               **state.bind("against", others))
        table = build_images(choice, key)
        if against:
            at = list(STEPS_AT)
            st.selectbox("Step", at, format_func=STEPS_AT.get, width=190, **state.bind("step-at", at))
            table["step"] = compute_step(choice.runs[key], choice.runs[against], table["image"], choice.threshold)
        find = st.text_input("Find image", placeholder="Part of its name", width=150, **state.bind("find"))
        classes = [None, *sorted({name for present in table["classes"] for name in present})]
        st.selectbox("With class", classes, format_func=lambda name: name or "Any", width=130,
                     **state.bind("only", classes))
        sorts = [name for name in SORTS if COLUMNS.get(name, name) in table]
        st.selectbox("Sort by", sorts, format_func=lambda name: SORTS[name].title, width=210,
                     **state.bind("sort", sorts))
        st.toggle("Lowest first", **state.bind("ascending"))
        render_more_filters(describe_images(table))
    return [key, against] if against else [key], sort_images(keep_images(table, find))


def keep_images(table: pd.DataFrame, find: str) -> pd.DataFrame:
    """Keep the images that fit the name and the filters that Explore has too."""
    return table[table["image"].isin(filter_table(describe_images(table), find).index)]


def describe_images(table: pd.DataFrame) -> pd.DataFrame:
    """Describe the images to the filters: the columns of `app.browser.build_table`, regret and area in percent."""
    points = {name: table[name].array * 100 for name in ("regret", "step") if name in table}
    return table.set_index("image").assign(
        count=table["n_classes"].array, area=table["object_share"].array * 100, **points)


def sort_images(table: pd.DataFrame) -> pd.DataFrame:
    """Sort by the shared figure, undefined last, and degenerate images where the figure ranks them."""
    sort = state.get("sort") if state.get("sort") in SORTS else "regret"
    is_ascending = state.get("ascending") or sort == "name"
    column = COLUMNS.get(sort, sort)
    column = column if column in table else "regret"
    table = table.sort_values(column, ascending=is_ascending, kind="stable", na_position="last")
    is_last = table["is_degenerate"] & (sort in RANKED)
    return pd.concat([table[~is_last], table[is_last]], ignore_index=True)


def render_table(choice: controls.Choice, key: str, table: pd.DataFrame, bar) -> None:
    """Render the table, and into the bar above it what can be done with its rows and the way to save it."""
    if is_live(choice, key, table):
        marked = render_live_table(choice, key, table)
    else:
        event = render_images(choice, table, "all", height=590, on_select="rerun", selection_mode="multi-row",
                              alt="Figures of every image")
        rows = [row for row in event.selection.rows if row < len(table)]
        marked = tuple(table["image"].iloc[rows])
    with bar:
        st.button(f"Curves of {len(marked)}" if marked else "Curves of marked",
                  icon=":material/show_chart:", disabled=not marked, on_click=controls.take_subset, args=(marked,))
        images = marked or tuple(table["image"])
        render_selections(choice, images, f"{len(images)} {'marked' if marked else 'listed'} images")
        render_download(choice, choice.runs[key], table)


def describe_table(table: pd.DataFrame, choice: controls.Choice, key: str) -> str:
    """Describe the images of a table in one line."""
    note = describe_degenerate(int(table["is_degenerate"].sum()))
    return f"{describe_losses(table, choice, key)}{' · ' * bool(note)}{note}"


def describe_losses(table: pd.DataFrame, choice: controls.Choice, key: str) -> str:
    """Describe what the images of a table lose to the threshold."""
    if choice.runs[key].is_masks:
        return f"**{len(table)} images** · finished masks, which lose nothing to a threshold: they have none"
    return f"**{len(table)} images** · a click on a head sorts"


def render_download(choice: controls.Choice, run: Run, table: pd.DataFrame) -> None:
    """Render the export: fractions of 1, classes joined by spaces, the run and its protocol in every row."""
    def write() -> bytes:
        joined = table.assign(
            classes=[" ".join(names) for names in table["classes"]], threshold=choice.threshold, run=run.name,
            data=run.meta["data"], split=run.meta["split"], averaging=choice.averaging,
            averaged_classes=" ".join(choice.classes) or "all",
            normalisation=run.meta["protocol"].get("normalisation", ""),
        )
        return joined.map(write_text_cell).to_csv(index=False).encode()

    st.download_button("Save as CSV", write, "images.csv", "text/csv", icon=":material/download:", on_click="ignore")


render()
