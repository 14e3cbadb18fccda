"""Images: every per-image figure of a run, those that lose most to the one threshold first."""

import pandas as pd
import streamlit as st

from amn_core.formats.runs import Run
from amn_core.scoring import describe_degenerate
from app import controls, state
from app.browser import RANKED, SORTS, filter_table
from app.cache import runs as cached
from app.components.image_filters import render_more_filters, render_no_fit
from app.components.image_table import build_images, render_images
from app.components.live import render_threshold

FIGURES = (
    "peak_threshold", "regret", "oracle_miou", "gap", "auc", "imbalance", "gini", "degenerate",
)
COLUMNS = {"best": "best_miou", "area": "object_share", "count": "n_classes", "name": "image"}
SHAPES = {False: "Table", True: "Contact sheet"}
PAGE, ROW = 24, 6


def render() -> None:
    """Render the screen."""
    choice = controls.render_choice(FIGURES)
    if choice is None:
        return
    controls.render_notes(choice)
    key, table = render_filters(choice)
    render_threshold(choice)
    if not len(table):
        render_no_fit()
        return
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
    with bar:
        st.markdown(describe_table(table, choice, key), width="stretch")
        st.segmented_control("Show as", list(SHAPES), format_func=SHAPES.get, required=True,
                             label_visibility="collapsed", **state.bind("sheet"))
    if state.get("sheet"):
        render_sheet(choice, key, table)
    else:
        render_table(choice, key, table, bar)


def render_filters(choice: controls.Choice) -> tuple[str, pd.DataFrame]:
    """Render which run's figures are listed, which images and in what order; returns the run's key and the table."""
    names = {key: choice.styles[key].label for key in choice.runs}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        key = st.selectbox("Figures of", list(names), format_func=names.get, width=180,
                           **controls.bind_run("of", list(names), controls.find_last_with_maps(choice.runs)))
        table = build_images(choice, key)
        find = st.text_input("Find image", placeholder="Part of its name", width=150, **state.bind("find"))
        classes = [None, *sorted({name for present in table["classes"] for name in present})]
        st.selectbox("With class", classes, format_func=lambda name: name or "Any", width=150,
                     **state.bind("only", classes))
        st.selectbox("Sort by", list(SORTS), format_func=lambda name: SORTS[name].title, width=230,
                     **state.bind("sort", list(SORTS)))
        st.toggle("Lowest first", **state.bind("ascending"))
        render_more_filters(describe_images(table))
    return key, sort_images(keep_images(table, find))


def keep_images(table: pd.DataFrame, find: str) -> pd.DataFrame:
    """Keep the images that fit the name and the filters that Explore has too."""
    return table[table["image"].isin(filter_table(describe_images(table), find).index)]


def describe_images(table: pd.DataFrame) -> pd.DataFrame:
    """Describe the images to the filters: the columns of `app.browser.build_table`, regret and area in percent."""
    return table.set_index("image").assign(
        count=table["n_classes"].array, area=table["object_share"].array * 100, regret=table["regret"].array * 100)


def sort_images(table: pd.DataFrame) -> pd.DataFrame:
    """Sort by the shared figure, undefined last, and degenerate images where the figure ranks them."""
    sort = state.get("sort") if state.get("sort") in SORTS else "regret"
    is_ascending = state.get("ascending") or sort == "name"
    column = COLUMNS.get(sort, sort)
    table = table.sort_values(column, ascending=is_ascending, kind="stable", na_position="last")
    is_last = table["is_degenerate"] & (sort in RANKED)
    return pd.concat([table[~is_last], table[is_last]], ignore_index=True)


def render_table(choice: controls.Choice, key: str, table: pd.DataFrame, bar) -> None:
    """Render the table, and into the bar above it what can be done with its rows and the way to save it."""
    event = render_images(choice, table, "all", height=590, on_select="rerun", selection_mode="multi-row",
                          alt="Figures of every image")
    rows = [row for row in event.selection.rows if row < len(table)]
    marked = tuple(table["image"].iloc[rows])
    with bar:
        st.button(f"Curves of {len(marked)}" if marked else "Curves of marked",
                  icon=":material/show_chart:", disabled=not marked, on_click=controls.take_subset, args=(marked,))
        render_download(choice, choice.runs[key], table)


def describe_table(table: pd.DataFrame, choice: controls.Choice, key: str) -> str:
    """Describe the images of a table in one line."""
    note = describe_degenerate(int(table["is_degenerate"].sum()))
    return f"{describe_losses(table, choice, key)}{' · ' * bool(note)}{note}"


def describe_losses(table: pd.DataFrame, choice: controls.Choice, key: str) -> str:
    """Describe what the images of a table lose to the threshold."""
    if choice.runs[key].is_masks:
        return f"**{len(table)} images** · finished masks, which lose nothing to a threshold: they have none"
    mean, median = table["regret"].mean() * 100, table["regret"].median() * 100
    return (f"**{len(table)} images** · at {choice.threshold:.3f} an image loses {mean:.1f} points on average, half of "
            f"them more than {median:.1f}")


def render_download(choice: controls.Choice, run: Run, table: pd.DataFrame) -> None:
    """Render the export: fractions of 1, classes joined by spaces, the run and its protocol in every row."""
    def write() -> bytes:
        joined = table.assign(
            classes=[" ".join(names) for names in table["classes"]], threshold=choice.threshold, run=run.name,
            data=run.meta["data"], split=run.meta["split"], averaging=choice.averaging,
            averaged_classes=" ".join(choice.classes) or "all",
            normalisation=run.meta["protocol"].get("normalisation", ""),
        )
        return joined.to_csv(index=False).encode()

    st.download_button("Save as CSV", write, "images.csv", "text/csv", icon=":material/download:", on_click="ignore")


def render_sheet(choice: controls.Choice, key: str, table: pd.DataFrame) -> None:
    """Render the photographs, a page at a time, each with its figure and one click from Explore."""
    run = choice.runs[key]
    if cached.get_dataset(run) is None:
        st.info(f"The photographs of `{run.meta['data']}` are not on this machine. Add the folder of the data set "
                "under *Data and runs* to see them; the table has every figure.", icon=":material/hide_image:")
        return
    n_pages = -(-len(table) // PAGE)
    with st.container(horizontal=True, horizontal_alignment="right"):
        page = min(st.pagination(n_pages, key="sheet-page"), n_pages)
    shown = table.iloc[(page - 1) * PAGE:page * PAGE]
    for start in range(0, len(shown), ROW):
        for column, (_, row) in zip(st.columns(ROW, gap="small"), shown.iloc[start:start + ROW].iterrows()):
            with column:
                render_tile(choice, run, row)


def render_tile(choice: controls.Choice, run: Run, row: pd.Series) -> None:
    """Render one photograph."""
    names = ", ".join(row["classes"])
    try:
        st.image(cached.load_thumbnail(run, row["image"]), width="stretch", alt=f"{row['image']}: {names}")
    except ValueError as error:
        st.caption(f":material/broken_image: {error}")
    st.button(row["image"], type="tertiary", help="Open in Explore", on_click=controls.open_image,
              args=(row["image"], choice), key=f"tile:{row['image']}")
    if run.is_masks:
        st.caption(f"mIoU {row['miou'] * 100:.1f} %")
    elif row["is_degenerate"]:
        st.caption("degenerate")
    else:
        st.caption(f"loses {row['regret'] * 100:.1f} · best at {row['best_threshold']:.3f}")


render()
