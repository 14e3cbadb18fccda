"""The list of images in the sidebar of Explore: found, filtered, sorted, and in step with the threshold."""

import streamlit as st

from app import state
from app.browser import (
    LIVE,
    RANKED,
    SORTS,
    build_table,
    choose_opening,
    choose_run,
    describe_figures,
    describe_undefined,
    filter_table,
    load_live_figures,
    sort_table,
)
from app.cache import runs as cached
from app.components.image_filters import render_more_filters, render_no_fit
from app.components.image_list import render_image_list
from app.words.definitions import DEFINITIONS

NEXT = "images-around"
WAITS = "list-waits-for-release"  # the server has to sort or filter it anew


def choose_images(group: dict, keys: list[str]):
    """Choose which images are listed and in what order; returns the table of those, None if there are none."""
    table = build_table(group, keys, state.get("t"))
    find = st.text_input("Find image", placeholder="Part of its name", label_visibility="collapsed",
                         icon=":material/search:", **state.bind("find"))
    with st.expander("Sort and filter", icon=":material/tune:"):
        render_sort(group, keys, table)
    sort = state.get("sort") if state.get("sort") in table.columns else "name"
    fitting = filter_table(table, find)
    table = sort_table(fitting, sort, state.get("ascending"))
    if not len(table):
        render_no_fit()
        return None
    opening = choose_opening(group, keys)
    if state.get("image") not in table.index:
        is_listed = opening is not None and opening[0] in table.index
        state.put("image", opening[0] if is_listed else table.index[0])
    if opening is not None and state.get("image") == opening[0]:
        st.caption(f"Opened where AMN gains the median over CAM, each at its best threshold: {opening[1]:+.1f} points.")
    if sort in RANKED and (n := int(table["is_degenerate"].sum())):
        st.caption(f"{n} degenerate image{'s come' if n > 1 else ' comes'} last", help=DEFINITIONS["degenerate"].text)
    live = load_live_figures(group, keys, fitting.index, sort)
    names = list(table.index) if live is None else list(fitting.index)
    of, to = (cached.name_runs(group).get(key, "") for key in (choose_run(group, keys), state.get("against")))
    is_moved = (live is None and sort in LIVE) or sort == "step" or state.get("regret-range") or state.get("step-range")
    st.session_state[WAITS] = bool(is_moved)
    render_image_list(
        names, describe_figures(table, sort) if live is None else describe_undefined(fitting),
        SORTS[sort].label + write_place(sort, live, to), state.get("image"), take_pick, live, state.get("ascending"),
        of if sort != "name" else "",
    )
    if not set(st.session_state.get(NEXT, ["none yet"])) <= set(names):  # those of another data set, or none yet
        st.session_state[NEXT] = find_around(list(table.index), state.get("image"))
    return table


def find_around(names: list[str], image: str) -> list[str]:
    """Find the images beside one in a list, the next first.

    >>> find_around(["a", "b", "c"], "b")
    ['c', 'a']
    """
    place = names.index(image)
    return [*names[place + 1:place + 2], *names[max(0, place - 1):place]]


def write_place(sort: str, live, to: str) -> str:
    """Write at which threshold the figures of a list are that does not follow the hand; a live one says it itself."""
    if sort == "step":
        where = "each at its peak" if state.get("step-at") == "peak" else f"at {state.get('t'):.3f}"
        return f" {where}, to {to}"
    return f" at {state.get('t'):.3f}" if live is None and sort in LIVE else ""


def take_pick(name: str, around: list[str]) -> None:
    """Show an image, and remember those that are likely to be asked for next."""
    state.put("image", name)
    st.session_state[NEXT] = around


def render_sort(group: dict, keys: list[str], table) -> None:
    """Draw the controls of order and filters."""
    sorts = [name for name in SORTS if name in table.columns or name == "name"]
    st.selectbox("Sort by", sorts, format_func=lambda name: SORTS[name].title, **state.bind("sort", sorts))
    if len(keys) > 1:
        st.selectbox("of", keys, format_func=lambda key: cached.name_runs(group)[key], **bind_run(group, keys))
        others = [None, *(key for key in keys if key != state.get("of") and group[key].has_counts)]
        st.selectbox("Against", others, format_func=lambda key: cached.name_runs(group).get(key, "–"),
                     help="Sort by the step from one run to the other.", **state.bind("against", others))
    st.toggle("Lowest first", **state.bind("ascending"))
    classes = [None, *sorted({name for names in table["classes"] for name in names})]
    st.selectbox("With class", classes, format_func=lambda name: name or "Any", **state.bind("only", classes))
    render_more_filters(table)


def bind_run(group: dict, keys: list[str]) -> dict:
    """Tie the choice of the run that sorts to the shared state; the first with counts until somebody chooses."""
    if state.get("of") not in keys:
        state.put("of", choose_run(group, keys))
    return state.bind("of", keys)
