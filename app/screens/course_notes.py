"""The course for teachers: what to prepare, the plan with its minutes, notes to each step, and the check of reports."""

import pandas as pd
import streamlit as st

from amn_core.course.assignment import STEPS
from amn_core.course.notes import LIMITS, MARKING, NOTES, PREPARE
from app import coursework, state
from app.words.text import escape

COLUMNS = {"student": "Student", "report": "Report", "verdict": "Verdict", "steps": "Steps", "cam": "CAM",
           "amn": "AMN", "regret": "Regret", "minutes": "Minutes (stated)"}


def render() -> None:
    """Render the screen."""
    st.header("The course: for teachers", anchor=False)
    render_plan()
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Before", anchor=False)
        st.markdown(PREPARE)
    with right:
        st.subheader("Marking, 13 points", anchor=False)
        st.markdown(MARKING)
    st.subheader("Check reports", anchor=False)
    st.markdown(LIMITS)
    if not state.is_classroom():
        render_form()
        job = coursework.find_reports_check()
        if job is not None:
            st.fragment(run_every=1.0 if job.is_active else None)(render_last)()


def render_plan() -> None:
    """Render the plan: when each step begins, and what to expect there."""
    begins, rows = 0, []
    for step in STEPS:
        rows.append(f"| {begins}–{begins + step.minutes} | **{step.title}** | {NOTES[step.id]} |")
        begins += step.minutes
    st.markdown("\n".join(["| minute | step | what to expect |", "|---|---|---|", *rows]))


def render_form() -> None:
    """Render the form that checks a folder of reports."""
    with st.form("course-check"):
        left, right, last = st.columns([4, 5, 2], vertical_alignment="bottom")
        folder = left.text_input("Folder of reports", placeholder="/home/me/reports", key="course-reports")
        data = right.text_input("Your own data, as course new prints it", key="course-check-data",
                                placeholder="scenes:size=160,n=48,seed=7")
        if last.form_submit_button("Check", type="primary", icon=":material/fact_check:"):
            try:
                coursework.start_reports_check(folder, data)
            except (ValueError, OSError) as error:
                st.error(escape(str(error)), icon=":material/error:")


def render_last() -> None:
    """Render how the last check stands, and its table."""
    job = coursework.find_reports_check()
    if job is None:
        return
    if job.is_active:
        st.progress(0.0, text="Every number is computed again…")
        return
    rows = coursework.read_table(job)
    if not rows:
        st.error(escape(job.error or "The check ended without a table."), icon=":material/error:")
        return
    st.dataframe(pd.DataFrame([build_row(row) for row in rows]), hide_index=True, column_config=COLUMNS,
                 key="table:course", alt="Reports, and whether they are true")
    st.markdown("\n".join(line for row in rows for line in list_findings(row)))


def build_row(row: dict) -> dict:
    """Build a row of the table from that of the check."""
    numbers = row["numbers"]
    return {"student": row["student"], "report": row["report"].rpartition("/")[2],
            "verdict": "true" if row["is_true"] else "FALSE", "steps": f"{row['steps']}/{row['of']}",
            "cam": numbers.get("cam.peak_miou"), "amn": numbers.get("amn.peak_miou"),
            "regret": numbers.get("chosen.regret"), "minutes": row["minutes"]}


def list_findings(row: dict) -> list[str]:
    """List what was found about a report, and noted, as lines of a list in Markdown."""
    name = escape(row["report"].rpartition("/")[2])
    found = [f"- **{name}**, {one['where']}: {escape(one['what'])}" for one in row["findings"]]
    return found + [f"- {name}, note: {escape(one)}" for one in row["notes"]]


render()
