"""Curves under one protocol: a table of what the shown runs differ in, and buttons that make them comparable."""

import pandas as pd
import streamlit as st

from app import imports, state
from app.cache import runs as cached
from app.controls import Choice, list_differences
from app.words.comparability import Difference
from app.words.text import escape

STARTED, FAILURE = "reimport-started", "reimport-failure"
# Averaging and classes are a matter of counts: the screen applies its own to every run, at once.
RECOMPUTED = {"Classes that count"}
DONE = "Already made equal here: every number of this screen is over the same classes, with one averaging."


def render_protocols(choice: Choice) -> None:
    """Render what the chosen runs differ in, if in anything, and what can be done about it."""
    differences = list_differences(choice)
    if not differences:
        return
    names = ", ".join(difference.topic.name.lower() for difference in differences)
    st.markdown(f"**Different protocols** · {names}")
    st.dataframe(build_differences(differences), width="stretch", height="content", key="table:differences")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        render_remedies(choice, {difference.topic.name for difference in differences})
    render_started()


def build_differences(differences: list[Difference]) -> pd.DataFrame:
    """Build the table: a row for each difference, a column for each run, and what the difference does."""
    rows = {}
    for one in differences:
        meaning = DONE if one.topic.name in RECOMPUTED else one.topic.meaning
        rows[one.topic.name] = {**one.values, "What it does": meaning}
    return pd.DataFrame.from_dict(rows, orient="index")


def render_remedies(choice: Choice, topics: set[str]) -> None:
    """Render the buttons that make the runs comparable."""
    if "Images" in topics:
        st.button("Only the images that all have", icon=":material/filter_alt:", on_click=state.put,
                  args=("common", True))
    common = find_common_classes(choice)
    if topics & {"Classes that count", "Classes"} and common and common != choice.classes:
        st.button(f"Only the {len(common)} classes that all score", icon=":material/filter_alt:", on_click=state.put,
                  args=("classes", common))
    if "Normalisation" in topics:
        render_reimports(choice)


def find_common_classes(choice: Choice) -> tuple[str, ...]:
    """Find the classes that every shown run scores, in the order of the first."""
    scored = [run.scored_classes or tuple(run.class_names) for run in choice.runs.values()]
    return tuple(name for name in scored[0] if all(name in names for names in scored))


def render_reimports(choice: Choice) -> None:
    """Render a button for each imported run and each normalisation of the others that its files can be given."""
    runs = list(choice.runs.values())
    for key, run in choice.runs.items():
        for target in imports.find_targets(run, runs):
            label = f"Import {choice.styles[key].label} again: {target}"
            st.button(escape(label), icon=":material/replay:", key=f"again:{key}:{target}", on_click=import_again,
                      args=(choice, key, target), disabled=state.is_classroom())


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
        st.error(escape(st.session_state.pop(FAILURE)), icon=":material/error:")
    if st.session_state.get(STARTED):
        st.fragment(run_every=1.0)(poll_started)()


def poll_started() -> None:
    """Follow the import; once it has ended the page shows its run in place of the first."""
    job, others = st.session_state.get(STARTED, (None, ()))
    job = imports.reload(job)
    if job is not None and job.is_active:
        st.caption(f":material/hourglass_top: {escape(job.title)}: {job.state}")
        return
    st.session_state.pop(STARTED, None)
    cached.clear_runs()
    if job is not None and job.state == "done":
        state.put("runs", (*others, *cached.find_runs_below(job.path)))
    elif job is not None:
        st.session_state[FAILURE] = f"{job.title} {job.state}: {job.error}"
    st.rerun()
