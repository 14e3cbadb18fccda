"""Diagnose: why is my number not the paper's? Files, a number, and the fewest changes that lead to it."""

import streamlit as st

from amn_core.jobs import Job
from app import diagnosing, imports, state
from app.components.diagnosis_form import MINE, render_form
from app.components.diagnosis_view import render_job

LISTED = 10


def render() -> None:
    """Render the screen."""
    st.markdown("#### Why is my number not the paper's?")
    st.caption("The split, 255, the numbering of classes, normalisation, size, averaging, background, threshold: your "
               "files are read in every way that they allow, and the fewest changes that lead to the number are named.")
    if state.is_classroom():
        st.info("A diagnosis writes what is dropped to the disk and computes for minutes: on this server the teacher's "
                "page starts one. On your own machine: `python -m amn_core diagnose`.", icon=":material/lock:")
        return
    render_form()
    job = choose_job()
    if job is not None:
        st.fragment(run_every=1.0 if job.is_active else None)(render_now)(job)
    else:
        st.info("Name a folder or drop files, type the number to explain, and see here what leads to it.",
                icon=":material/stethoscope:")


def choose_job() -> Job | None:
    """Choose the diagnosis that is shown: this session's, or one of those before."""
    jobs = diagnosing.list_diagnoses()
    mine = st.session_state.get(MINE)
    shown = jobs[:LISTED]
    if len(shown) < 2:
        return shown[0] if shown else None
    titles = {job.id: f"{job.title} · {job.id}" for job in shown}
    at = list(titles).index(mine) if mine in titles else 0
    chosen = st.selectbox("Diagnosis", list(titles), index=at, format_func=titles.get, key=f"diagnosis:{mine}",
                          label_visibility="collapsed", width=440)
    return next(job for job in shown if job.id == chosen)


def render_now(job: Job) -> None:
    """Render how a diagnosis stands now; the page runs again once it is done."""
    now = imports.reload(job)
    if now is None:
        return
    if job.is_active and not now.is_active:
        st.rerun()
    render_job(now)


render()
