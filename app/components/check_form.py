"""The form that checks a data set before anything is made of it, and what the last check found."""

import pandas as pd
import streamlit as st

from amn_core.commands.progress import read_share
from amn_core.data import choose_first_split
from amn_core.jobs import Job
from app import checks, state
from app.components.job_form import list_data
from app.words.text import escape

COLUMNS = {"kind": "Kind", "images": "Images", "found": "Found", "such as": "Such as", "do": "What to do"}


def render_check() -> None:
    """Render the form, and below it how the last check stands."""
    with st.form("check", border=True):
        st.markdown("**Check a data set**: every image, label and mask is read; what is broken or odd is named.")
        left, middle, right = st.columns([6, 3, 2], vertical_alignment="bottom")
        with left:
            spec = st.selectbox("Data set", list_data(), accept_new_options=True, key="check-data",
                                help="voc|coco|pets|folder:ROOT or scenes; another one can be typed in")
        with middle:
            split = st.text_input("Split or list", placeholder="train; of pets trainval", key="check-split")
        with right:
            is_start = st.form_submit_button("Check", type="primary", icon=":material/fact_check:")
    if is_start and not state.is_classroom():
        try:
            checks.start_check(spec or "", split or choose_first_split(spec or ""))
        except (ValueError, OSError) as error:
            st.error(escape(error), icon=":material/error:")
            return
    job = checks.find_last_check()
    if job is not None:
        st.fragment(run_every=1.0 if job.is_active else None)(render_last)()


def render_last() -> None:
    """Render how the last check stands; while it is at work every second anew."""
    job = checks.find_last_check()
    if job is None:
        return
    report = checks.read_findings(job)
    if job.is_active:
        share = read_share(job)
        st.progress(share, text=f"{job.title}: {share:.0%}")
    elif report is None:
        st.error(escape(f"{job.title}: {job.error or 'stopped before it was done'}"), icon=":material/error:")
    else:
        render_report(job, report)


def render_report(job: Job, report: dict) -> None:
    """Render what a check found, a row for each kind of fault or oddity."""
    st.markdown(f"{escape(job.title)}: {checks.describe_report(report)}")
    if not report["findings"]:
        st.success("Nothing is wrong or odd.", icon=":material/check:")
        return
    errors = report["errors"]
    if errors:
        st.error(f"{errors} kind{'s' if errors > 1 else ''} of errors: mend them before anything is measured.",
                 icon=":material/error:")
    st.dataframe(pd.DataFrame(checks.build_rows(report)), hide_index=True, column_config=COLUMNS, key="table:check",
                 alt="What the check found")
