"""Curves under one protocol: what the chosen runs differ in, and the ways to bring them under a common one."""

import streamlit as st

from app import imports, state
from app.cache import runs as cached
from app.controls import Choice, write_difference
from app.words.comparability import Difference, find_differences

STARTED, FAILURE = "reimport-started", "reimport-failure"
# Averaging and classes are a matter of counts: the screen applies its own to every run, at once.
RECOMPUTED = {"Classes that count"}


def render_protocols(choice: Choice) -> None:
    """Render that the chosen runs were scored under different protocols, if so, and what can be done about it."""
    ids = [choice.images or cached.load_counts(run).image_ids for run in choice.runs.values()]
    differences = find_differences(list(choice.runs.values()), ids)
    if not differences:
        return
    names = ", ".join(difference.topic.name.lower() for difference in differences)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":orange-badge[:material/rule: Different protocols] {names}")
        with st.popover("Bring under a common one", icon=":material/balance:"):
            render_ways(choice, differences)
    render_started()


def render_ways(choice: Choice, differences: list[Difference]) -> None:
    """Render each difference with what makes it go away."""
    for difference in differences:
        name = difference.topic.name
        st.markdown(write_difference(difference))
        if name in RECOMPUTED:
            st.caption("Done: every number on this screen is recomputed over the same classes, with one averaging.")
        elif name == "Images":
            st.button("Only the images that all have", icon=":material/filter_alt:", on_click=state.put,
                      args=("common", True))
        elif name == "Normalisation":
            render_reimports(choice)


def render_reimports(choice: Choice) -> None:
    """Render a button for each imported run and each normalisation of the others that its files can be given."""
    runs, is_offered = list(choice.runs.values()), False
    for key, run in choice.runs.items():
        for target in imports.find_targets(run, runs):
            is_offered = True
            st.button(f"Import {run.name} again: {target}", icon=":material/replay:", key=f"again:{key}:{target}",
                      on_click=import_again, args=(choice, key, target), disabled=state.is_classroom())
    st.caption("The maps are read once more and become a run that takes the place of this one here; the files and the "
               "first run stay." if is_offered else
               "Nothing here can be imported again to match: the others' normalisation needs their model, or no run "
               "is an import of maps. Compare what a rescaling cannot change.")


def import_again(choice: Choice, key: str, target: str) -> None:
    """Put a run that was imported anew in place of one, if it is there, or start to import it."""
    others = tuple(other for other in choice.runs if other != key)
    made = imports.find_made(choice.runs[key], target, cached.find_runs())
    if made is not None:
        state.put("runs", tuple(dict.fromkeys((*others, made))))
        return
    if state.is_classroom():
        return
    try:
        st.session_state[STARTED] = imports.import_again(choice.runs[key], target), others
    except (ValueError, OSError) as error:
        st.session_state[FAILURE] = str(error)


def render_started() -> None:
    """Render how the import stands that was started here, and what went wrong."""
    if st.session_state.get(FAILURE):
        st.error(st.session_state.pop(FAILURE), icon=":material/error:")
    if st.session_state.get(STARTED):
        st.fragment(run_every=1.0)(poll_started)()


def poll_started() -> None:
    """Follow the import; once it has ended the page shows its run in place of the first."""
    job, others = st.session_state.get(STARTED, (None, ()))
    job = imports.reload(job)
    if job is not None and job.is_active:
        st.caption(f":material/hourglass_top: {job.title}: {job.state}")
        return
    st.session_state.pop(STARTED, None)
    cached.clear_runs()
    if job is not None and job.state == "done":
        state.put("runs", (*others, *cached.find_runs_below(job.path)))
    elif job is not None:
        st.session_state[FAILURE] = f"{job.title} {job.state}: {job.error}"
    st.rerun()
