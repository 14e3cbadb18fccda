"""Data and runs: what is here, where it comes from, whether it can be compared, and how to add more."""

import pandas as pd
import streamlit as st

from amn_core.formats.run_names import name_fully
from amn_core.formats.runs import Run
from app import controls, roots, state
from app.cache import runs as cached
from app.components import add_forms, check_form, faults, get_data, import_form
from app.official_runs import describe_item
from app.words import provenance
from app.words.comparability import Difference, find_differences
from app.words.text import escape


def render() -> None:
    """Render the screen."""
    runs = cached.find_runs()
    st.markdown("#### Runs")
    if runs:
        chosen = render_runs(runs)
        render_comparison(chosen)
        for key in chosen[:4]:
            render_provenance(key, runs[key])
    else:
        st.info(controls.EMPTY, icon=":material/folder_open:")
    faults.render_faults()
    st.markdown("#### Data sets")
    render_data(runs)
    st.markdown("#### Add")
    render_ways()


def render_runs(runs: dict[str, Run]) -> list[str]:
    """Render the table of runs; returns the keys of those that are marked."""
    rows = [
        {"key": key, "origin": provenance.name_origin(run), **provenance.describe_run(run),
         "photographs": cached.get_dataset(run) is not None}
        for key, run in runs.items()
    ]
    checks = {name: st.column_config.CheckboxColumn(name.capitalize()) for name in ("counts", "maps", "photographs")}
    event = st.dataframe(
        pd.DataFrame(rows), hide_index=True, key="table:runs", on_select="rerun", selection_mode="multi-row",
        column_config={
            "key": "Name in links", "origin": "From", "name": "Run", "method": "Method", "data": "Data set",
            "split": "Split", "images": "Images", "normalisation": "Normalisation", **checks,
        },
        alt="All runs that were found",
    )
    st.caption("Mark runs to read their provenance, or two and more to see whether they can be compared.")
    return [list(runs)[row] for row in event.selection.rows if row < len(runs)]


def render_comparison(keys: list[str]) -> None:
    """Render whether the marked runs can be compared."""
    runs = [cached.find_runs()[key] for key in keys]
    if len(runs) < 2:
        return
    with_counts = all(run.has_counts for run in runs)
    ids = [cached.load_counts(run).image_ids for run in runs] if with_counts else []
    differences = find_differences(runs, ids)
    for difference in differences:
        if difference.topic.is_fatal:
            st.warning(write_difference(difference), icon=":material/warning:")
        else:
            st.info(write_difference(difference), icon=":material/info:")
    if not differences:
        st.success("These runs were made alike: their numbers can be put side by side.", icon=":material/check:")


def write_difference(difference: Difference) -> str:
    """Write a difference between runs as Markdown."""
    values = "; ".join(f"{escape(name)}: {escape(text)}" for name, text in difference.values.items())
    prefix = "**Not comparable" if difference.topic.is_fatal else "**Compare with care"
    return f"{prefix} · {difference.topic.name}.** {difference.topic.meaning}  \n{values}"


def render_provenance(key: str, run: Run) -> None:
    """Render where a run comes from and how it was made."""
    with st.expander(escape(f"{name_fully(run)} · {key}"), expanded=True, icon=":material/history_edu:"):
        left, right = st.columns(2, gap="medium")
        for column, rows in zip((left, right), provenance.describe_provenance(run)):
            with column:
                st.table({escape(title): escape(text) for title, text in rows.items()}, border="horizontal")
        if run.meta.get("command"):
            st.code(provenance.write_command(run), language="bash", wrap_lines=True)


def render_data(runs: dict[str, Run]) -> None:
    """Render the data sets that runs were made on, whether their photographs are here, and what was added."""
    rows = {}
    for run in (run for run in runs.values() if run.meta["data"]):
        dataset = cached.get_dataset(run)
        row = rows.setdefault((run.meta["data"], run.meta["split"]), {
            "data": run.meta["data"], "split": run.meta["split"], "runs": 0, "photographs": dataset is not None,
            "images": len(dataset.ids) if dataset else run.meta.get("images"),
            "labels": run.meta.get("label_source", ""), "place": provenance.name_place(dataset),
        })
        row["runs"] += 1
    if rows:
        st.dataframe(pd.DataFrame(list(rows.values())), hide_index=True, key="table:data", column_config={
            "data": "Data set", "split": "Split", "runs": "Runs", "photographs": "Photographs here", "images": "Images",
            "labels": "Image labels from", "place": "Where",
        }, alt="Data sets of the runs")
    for kind, items in roots.load_added().items():
        for item in items:
            render_added(kind, item)


def render_added(kind: str, item: str) -> None:
    """Render one thing that was added, and the way to forget it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Added: `{describe_item(item) if kind == 'official' else item}`", width="stretch")
        st.button("Forget", key=f"forget:{kind}:{item}", on_click=forget, args=(kind, item), icon=":material/close:",
                  disabled=state.is_classroom(), help="Only the entry goes; nothing on disk is touched.")


def forget(kind: str, item: str) -> None:
    """Forget one thing that was added."""
    if not state.is_classroom():
        roots.remove_added(kind, item)
        cached.clear_runs()


def render_ways() -> None:
    """Render the ways to add something."""
    if state.is_classroom():
        st.info("This server is read-only: nothing can be added.", icon=":material/lock:")
        return
    get_data.render_get()
    add_forms.render_add()
    check_form.render_check()
    import_form.render_import()


render()
