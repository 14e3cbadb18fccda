"""Explore: one image, its maps by several methods, and a threshold that moves live."""

import streamlit as st

from app import state
from app.browser import (
    RANKED,
    SORTS,
    build_table,
    choose_run,
    describe_figures,
    filter_table,
    get_list_threshold,
    refresh_list,
    sort_table,
)
from app.cache import runs as cached
from app.components.canvas import render_canvas
from app.components.image_filters import render_more_filters, render_no_fit
from app.components.image_list import render_image_list
from app.controls import mark_at_first
from app.words.definitions import DEFINITIONS

MOST_METHODS = 6


def render() -> None:
    """Draw the screen."""
    groups = cached.group_runs()
    if not groups:
        render_no_runs()
        return
    with st.sidebar:
        group = groups[choose_group(groups)]
        keys = choose_methods(group)
        table = choose_images(group, keys)
    if not keys or table is None:
        return
    runs = {key: group[key] for key in keys}
    if cached.get_dataset(next(iter(runs.values()))) is None:
        render_no_images(next(iter(runs.values())), groups)
    else:
        render_image(runs, table)


def choose_group(groups: dict) -> str:
    """Choose the data set; at first the one whose images are here."""
    if state.get("data") not in groups:
        present = [key for key, runs in groups.items() if cached.get_dataset(next(iter(runs.values())))]
        state.put("data", (present or list(groups))[0])
    return st.selectbox("Data set", list(groups), format_func=cached.describe_group, **state.bind("data", list(groups)))


def choose_methods(group: dict) -> list[str]:
    """Choose one to six runs; at first those of the group that can be shown, of one bundle if there are several."""
    keys = list(group)
    ready = [key for key in mark_at_first(group) if group[key].has_maps or group[key].checkpoint_path]
    chosen = st.multiselect(
        "Methods", keys, format_func=lambda key: cached.name_runs(group)[key], max_selections=MOST_METHODS,
        placeholder="All methods", **state.bind("runs", keys),
    )
    return chosen or (ready or keys)[:MOST_METHODS]


def choose_images(group: dict, keys: list[str]):
    """Choose which images are listed and in what order; returns the table of those, None if there are none."""
    threshold = get_list_threshold()
    table = build_table(group, keys, threshold)
    find = st.text_input("Find image", placeholder="Part of its name", **state.bind("find"))
    with st.expander("Sort and filter", icon=":material/tune:"):
        render_sort(group, keys, table)
    sort = state.get("sort") if state.get("sort") in table.columns else "name"
    table = sort_table(filter_table(table, find), sort, state.get("ascending"))
    if not len(table):
        render_no_fit()
        return None
    if state.get("image") not in table.index:
        state.put("image", table.index[0])
    if (sort in ("regret", "miou") or state.get("regret-range")) and threshold != state.get("t"):
        label = f"List is for {threshold:.3f}: sort for {state.get('t'):.3f}"
        st.button(label, icon=":material/sort:", on_click=refresh_list, width="stretch")
    if sort in RANKED and (n := int(table["is_degenerate"].sum())):
        st.caption(f"{n} degenerate image{'s come' if n > 1 else ' comes'} last", help=DEFINITIONS["degenerate"].text)
    render_image_list(
        list(table.index), describe_figures(table, sort), SORTS[sort].label, state.get("image"),
        lambda name: state.put("image", name),
    )
    return table


def render_sort(group: dict, keys: list[str], table) -> None:
    """Draw the controls of order and filters."""
    sorts = [name for name in SORTS if name in table.columns or name == "name"]
    st.selectbox("Sort by", sorts, format_func=lambda name: SORTS[name].title, **state.bind("sort", sorts))
    if len(keys) > 1:
        st.selectbox("of", keys, format_func=lambda key: cached.name_runs(group)[key], **bind_run(group, keys))
    st.toggle("Lowest first", **state.bind("ascending"))
    classes = [None, *sorted({name for names in table["classes"] for name in names})]
    st.selectbox("With class", classes, format_func=lambda name: name or "Any", **state.bind("only", classes))
    render_more_filters(table)


def bind_run(group: dict, keys: list[str]) -> dict:
    """Tie the choice of the run that sorts to the shared state; the first with counts until somebody chooses."""
    if state.get("of") not in keys:
        state.put("of", choose_run(group, keys))
    return state.bind("of", keys)


def render_image(runs: dict, table) -> None:
    """Draw the canvas for the chosen image."""
    image_id = state.get("image")
    place = table.index.get_loc(image_id)
    try:
        with st.spinner("Making the maps of this image…", show_time=True):
            meta, blob, revision = cached.load_canvas(tuple(runs), image_id, state.get("averaging"))
    except ValueError as error:
        st.error(str(error), icon=":material/broken_image:")
        return
    render_live(meta, blob, revision, table, place)


@st.fragment
def render_live(meta: dict, blob, revision: str, table, place: int) -> None:
    """Draw the canvas; a released threshold reruns this alone."""
    render_canvas(
        meta, blob, revision, place=(place + 1, len(table)),
        on_step=lambda step: state.put("image", table.index[(place + step) % len(table)]),
    )


def render_no_runs() -> None:
    """Say what to do where there is no run at all."""
    st.header("No runs yet")
    st.markdown(
        "A run is one method on one data set. Make the first ones with "
        "`python -m amn_core reproduce --data scenes --out runs/scenes`, or put run folders into `runs/`."
    )


def render_no_images(run, groups: dict) -> None:
    """Say what to do where the counts are here but the photographs are not."""
    data = run.meta["data"]
    kind = data.partition(":")[0]
    st.header("The photographs of this data set are not on this machine")
    st.markdown(
        f"These runs were made on `{data}`. Their curves and tables are all here; to see the images, add the folder "
        f"of the data set on **Data and runs**, or start the app with `AMN_DATA={kind}:FOLDER`."
    )
    st.page_link("screens/data_and_runs.py", label="Data and runs", icon=":material/arrow_forward:")
    others = [key for key, members in groups.items() if cached.get_dataset(next(iter(members.values())))]
    for key in others[:2]:
        st.button(f"Look at {cached.describe_group(key)}", on_click=lambda key=key: state.put("data", key))


render()
