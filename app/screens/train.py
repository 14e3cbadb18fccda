"""Train: start a training or what comes after it, watch it, stop it, go on with it, and open what it made."""

import streamlit as st

from amn_core.commands.jobs import measure_progress
from amn_core.jobs import Job, find_jobs_root, list_jobs
from app import state
from app.components.after_form import render_network_form, render_refine_form
from app.components.job_form import render_form
from app.components.job_view import render_job
from app.words.text import escape

ICONS = {
    "queued": "schedule", "running": "autorenew", "done": "check", "failed": "error", "stopped": "stop_circle",
    "interrupted": "power_off",
}
KINDS = {"training": "A training", "refined": "A curve after refinement", "networks": "Networks behind the masks"}
LISTED = 12


def render() -> None:
    """Render the screen: the jobs on the left, one of them or the form on the right."""
    left, right = st.columns([2, 9], gap="medium")
    with left:
        render_list()
    with right:
        job = next((job for job in list_jobs(find_jobs_root()) if job.id == state.get("job")), None)
        if job is None:
            render_new()
        else:
            render_job(job)


def render_new() -> None:
    """Render the form of a new job, after the choice of what it makes."""
    kind = st.segmented_control("What to make", list(KINDS), format_func=KINDS.get, required=True,
                                label_visibility="collapsed", **state.bind("make", list(KINDS)))
    {"training": render_form, "refined": render_refine_form, "networks": render_network_form}[kind]()


@st.fragment(run_every=2.0)
def render_list() -> None:
    """Render all jobs, the newest first; in another tab one sees the same."""
    chosen = state.get("job")
    if st.button("New job", icon=":material/add:", width="stretch", key="new-job",
                 type="primary" if chosen is None else "secondary"):
        show(None)
    jobs = list_jobs(find_jobs_root())
    st.caption(f"{sum(job.is_active for job in jobs)} at work or waiting, {len(jobs)} in all" if jobs else
               "No jobs yet. A training started here goes on when this page is closed.")
    for job in jobs[:LISTED]:
        render_entry(job, job.id == chosen)
    if len(jobs) > LISTED:
        st.caption(f"{len(jobs) - LISTED} older ones: `python -m amn_core jobs list`")


def render_entry(job: Job, is_chosen: bool) -> None:
    """Render one job of the list."""
    share = f" · {measure_progress(job):.0%}" if job.is_active else ""
    label = f"{escape(job.title)}  \n{job.state}{share}"
    if st.button(label, icon=f":material/{ICONS[job.state]}:", key=f"show:{job.id}",
                 type="primary" if is_chosen else "secondary", width="stretch", help=job.id):
        show(job.id)


def show(name: str | None) -> None:
    """Show a job, or the form."""
    state.put("job", name)
    st.rerun()


render()
