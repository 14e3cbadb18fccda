"""The forms of *Train* for what comes after the maps: a curve after refinement, networks behind the masks."""

import streamlit as st

from amn_core.formats.runs import Run
from app import afterwards, state
from app.cache import runs as cached
from app.components.job_form import FAILURE, offer_estimate
from app.words.text import escape

READ_ONLY = "This server is read-only: jobs can be watched, not started."
GRIDS = (21, 51, 101)
CUTS = (5, 7, 9)


def render_refine_form() -> None:
    """Render the form of a curve after refinement: the refined mask at every threshold of a grid, counted."""
    st.caption("Nobody uses the mask as it is cut: a dense CRF, PAMR or a random walk follows. This refines and counts "
               "the mask at every threshold of a grid; the curve then stands beside the unrefined one on Curves.")
    if state.is_classroom():
        st.info(READ_ONLY, icon=":material/lock:")
        return
    runs = find_here(afterwards.list_cut(cached.find_runs()))
    if not runs:
        st.info("No run here has maps and its photographs: train one, or add a folder on *Data and runs*.",
                icon=":material/info:")
        return
    left, middle, right = st.columns([5, 4, 2])
    with left:
        key = st.selectbox("Maps of", list(runs), format_func=lambda key: name_run(runs, key), key="after:run")
    run = runs[key]
    with middle:
        method = st.selectbox("Refined by", afterwards.list_methods(run), format_func=afterwards.METHODS.get,
                              key="after:method")
    with right:
        thresholds = st.selectbox("Thresholds", GRIDS, index=1, key="after:grid")
    config = afterwards.build_refine(run, cached.get_dataset(run).spec, method, thresholds)
    render_rest(config, f"{run.name} after {method.upper()}")


def render_network_form() -> None:
    """Render the form of the networks behind the masks."""
    st.caption("Does the threshold still matter to the network that learns from the masks? This cuts and refines the "
               "maps at several thresholds, trains the same small network on each, and draws both curves.")
    if state.is_classroom():
        st.info(READ_ONLY, icon=":material/lock:")
        return
    runs = find_here(afterwards.list_models(cached.find_runs()))
    if not runs:
        st.info("No run here has its model, its counts and its photographs: train CAM or AMN first.",
                icon=":material/info:")
        return
    left, *rest = st.columns([6, 2, 2, 2], vertical_alignment="bottom")
    with left:
        keys = st.multiselect("Masks of", list(runs), format_func=lambda key: name_run(runs, key),
                              key="after:runs", placeholder="Choose CAM, AMN or both",
                              default=list(runs)[:1])
    with rest[0]:
        cuts = st.selectbox("Thresholds", CUTS, index=1, key="after:cuts",
                            help="From half to twice the share of foreground at the run's own peak.")
    with rest[1]:
        seeds = st.selectbox("Seeds", (1, 2, 3), index=1, key="after:seeds")
    with rest[2]:
        crf = st.toggle("Dense CRF", value=True, key="after:crf", help="Refine the masks to learn from.")
    if len({cached.get_dataset(runs[key]).spec for key in keys}) > 1:
        st.error("These runs are of different data sets: choose runs of one.", icon=":material/error:")
    elif keys:
        chosen = [runs[key] for key in keys]
        config = afterwards.build_consequence(chosen, seeds, cuts, crf)
        render_rest(config, f"Networks behind {' and '.join(dict.fromkeys(run.name for run in chosen))}")


def find_here(runs: dict[str, Run]) -> dict[str, Run]:
    """Find the runs whose photographs are on this machine."""
    return {key: run for key, run in runs.items() if cached.get_dataset(run) is not None}


def name_run(runs: dict[str, Run], key: str) -> str:
    """Name a run of the list, with its data where two have one name."""
    run = runs[key]
    return f"{run.name} · {run.meta['data'].partition(',')[0]} · {key}"


def render_rest(config: afterwards.Config, title: str) -> None:
    """Render the command line, the estimate, and the button that starts the job."""
    st.caption("The same from the command line:")
    st.code(afterwards.write_command(config), language="bash", wrap_lines=True)
    with st.container(border=True):
        offer_estimate(afterwards.write_estimate(config), "a few images and steps")
    st.button("Start", type="primary", icon=":material/play_arrow:", on_click=start, args=(config, title),
              key="after:start")
    if st.session_state.get(FAILURE):
        st.error(escape(st.session_state.pop(FAILURE)), icon=":material/error:")


def start(config: afterwards.Config, title: str) -> None:
    """Start the job and show it."""
    if state.is_classroom():
        return
    try:
        state.put("job", afterwards.start(config, title).id)
    except (ValueError, OSError) as error:
        st.session_state[FAILURE] = str(error)
