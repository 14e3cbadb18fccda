"""Explore: one image, its maps by several methods, and a threshold that moves live."""

from dataclasses import replace

import streamlit as st

from amn_core.data import DataError
from amn_core.formats.runs import Run
from app import controls, coursework, state
from app.cache import canvases, combinations
from app.cache import runs as cached
from app.components.canvas import render_canvas
from app.components.claim import render_claim
from app.components.combine_form import render_combine
from app.components.empty import render_no_images, render_no_runs
from app.components.explore_list import NEXT, WAITS, choose_images
from app.components.live import describe_peaks, load_live_scores
from app.components.refined import render_refined
from app.components.turn import taking_turn
from app.words import claims
from app.words.text import escape

MOST_METHODS = 6
PHOTOGRAPH = 420
WHOLE = "explore-runs-whole"


def render() -> None:
    """Draw the screen."""
    groups = cached.group_runs()
    if not groups:
        render_no_runs()
        return
    with st.sidebar:
        key = choose_group(groups)
        group = groups[key]
        keys = choose_methods(group)
        mix = render_combine(group)
        controls.start_threshold(key, {name: group[name] for name in keys})
        table = choose_images(group, keys)
    if not keys or table is None:
        return
    runs = {name: group[name] for name in keys}
    counted = {name: run for name, run in runs.items() if run.has_counts}
    choice = controls.build_choice(key, counted, list(counted)) if counted else None
    if choice is not None:
        costs = {choice.styles[name].label: choice.summary(name) for name in counted}
        render_claim(claims.write_cost(costs, key))
    shown = next((run for run in runs.values() if cached.get_dataset(run)), None)
    if shown is None:
        render_no_images(next(iter(runs.values())), groups)
    else:
        render_image(runs, choice, leave_out(mix, group, keys))


def choose_group(groups: dict) -> str:
    """Choose the data set, at first the one whose images are here; returns its key."""
    if state.get("data") not in groups:
        present = [key for key, runs in groups.items() if cached.get_dataset(next(iter(runs.values())))]
        state.put("data", sorted(present or groups, key=rank_group)[0])
    return st.selectbox("Data set", list(groups), format_func=cached.describe_group, **state.bind("data", list(groups)))


def rank_group(key: str) -> int:
    """Rank a data set among those whose images are here: VOC, then photographs that come along, then the others."""
    return next((i for i, kind in enumerate(("voc:", "photos/")) if key.startswith(kind)), 2)


def choose_methods(group: dict) -> list[str]:
    """Choose one to six runs; at first those of the group that can be shown, of one bundle if there are several."""
    keys = list(group)
    ready = [key for key in controls.mark_at_first(group) if group[key].has_maps or group[key].checkpoint_path]
    chosen = st.multiselect(
        "Methods", keys, format_func=lambda key: name_method(group, key), max_selections=MOST_METHODS,
        placeholder="All methods", **state.bind("runs", keys),
    )
    return chosen or (ready or keys)[:MOST_METHODS]


def name_method(group: dict, key: str) -> str:
    """Name a run in the list of methods, with what it cannot show."""
    return " · ".join(filter(None, (cached.name_runs(group)[key], controls.name_shortage(group[key], group))))


def leave_out(mix: combinations.Mix | None, group: dict, keys: list[str]) -> combinations.Mix | None:
    """Leave out a combination whose run is shown already, or for which the canvas has no place."""
    if mix is not None and len(keys) == MOST_METHODS:
        st.caption(f"{MOST_METHODS} methods fill the canvas: leave one out to see the combination.")
        return None
    return None if mix is not None and combinations.find_combined(mix, group) in keys else mix


def render_image(runs: dict, choice: controls.Choice | None, mix: combinations.Mix | None) -> None:
    """Draw the canvas for the chosen image."""
    image_id, place = state.get("image"), st.empty()
    needs_model = not all(canvases.is_drawn(run, image_id) for run in runs.values())
    if needs_model:
        with place.container():  # a model takes seconds where a map takes none: the photograph is there already
            render_photograph(next(iter(runs.values())), image_id)
    try:
        with st.spinner("Making the maps of this image…", show_time=True), taking_turn(needs_model):
            meta, blob, revision = canvases.load_canvas(tuple(runs), image_id, state.get("averaging"), mix)
    except ValueError as error:
        place.empty()
        st.error(escape(error), icon=":material/broken_image:")
        return
    if not state.is_classroom():
        coursework.note_image(next(iter(runs.values())), image_id)
    place.empty()
    if choice is not None:
        meta = describe_whole(meta, choice, mix)
    render_live({**meta, "canRefine": True}, blob, f"{revision}|{choice and (choice.classes, choice.images)}", runs)
    canvases.prefetch_canvas(tuple(runs), st.session_state.get(NEXT, []), state.get("averaging"), mix)


def render_photograph(run: Run, image_id: str) -> None:
    """Show the photograph alone, as long as its maps are on their way."""
    try:
        image, _ = cached.read_picture(run.meta["data"], run.meta.get("data_root", ""), run.meta["split"], image_id)
    except (DataError, ValueError, OSError):
        return  # said when the maps are asked for
    st.image(image, width=PHOTOGRAPH, caption=escape(image_id))


def describe_whole(meta: dict, choice: controls.Choice, mix: combinations.Mix | None) -> dict:
    """Add to an image what its data set says: peaks, plateaus and curves of the runs, and of a combination if known."""
    group = cached.group_runs()[choice.group]
    found = mix and combinations.find_combined(mix, group)
    if found:
        choice = replace(choice, runs={**choice.runs, found: group[found]})
    curves = {key: load_live_scores(choice, key) for key in choice.runs}
    curves |= {combinations.KEY: curves[found]} if found else {}
    methods = [{**method, "whole": curves.get(method["key"])} for method in meta["methods"]]
    return {**meta, **describe_peaks(choice), "methods": methods}


@st.fragment
def render_live(meta: dict, blob, revision: str, runs: dict) -> None:
    """Draw the canvas; a released threshold reruns this alone, unless the list waits for it on the server."""
    render_canvas(meta, blob, revision, on_release=ask_whole_page if st.session_state.get(WAITS) else None)
    shown = {method["key"] for method in meta["methods"]} - set(state.get("hidden"))
    render_refined({key: run for key, run in runs.items() if key in shown}, meta["image"])
    if st.session_state.pop(WHOLE, False):
        st.rerun()


def ask_whole_page() -> None:
    """Ask for a run of the whole page: the filter of the list depends on the threshold."""
    st.session_state[WHOLE] = True


render()
