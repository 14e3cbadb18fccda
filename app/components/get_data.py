"""Getting VOC and others from the app: the download as a job, then the maps of the bundled models, then Explore."""

import streamlit as st

from amn_core.commands.progress import read_share
from amn_core.data import DataError, choose_first_split
from amn_core.jobs import Job
from app import getting, imports, roots, state
from app.cache import runs as cached
from app.words.text import escape

LISTED = 3
SEEN = "got-jobs"


def render_get() -> None:
    """Render the form, and how what was asked for stands."""
    with st.form("get-data", border=True):
        st.markdown("**Get a data set** from its makers. A broken download goes on where it broke, its checksum is "
                    "checked, and the bundled models then make their maps of it.")
        left, middle, right = st.columns([3, 4, 4])
        with left:
            name = st.selectbox("Data set", list(getting.SIZES), format_func=getting.SIZES.get, key="get-name")
        with middle:
            root = st.text_input("Folder for it", placeholder="/data", key="get-root")
        with right:
            url = st.text_input("Mirror, if you have one", placeholder="https://…/voc2012", key="get-url")
        if st.form_submit_button("Get it", icon=":material/download:") and not state.is_classroom():
            attempt(lambda: getting.start_get(name, root, url))
    render_known()
    jobs = getting.list_own_jobs()[:LISTED]
    st.fragment(run_every=1.0 if any(job.is_active for job in jobs) else None)(render_jobs)(jobs)


def render_known() -> None:
    """Offer the VOC that lies on this machine already, if nobody told of it yet."""
    found = getting.find_voc()
    spec = f"voc:{found.resolve()}" if found else ""
    if found and spec not in roots.list_data_specs():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"VOC is on this machine: `{found}`", width="stretch")
            st.button("Use it", key="use-voc", icon=":material/add:", on_click=use, args=(spec,))


def use(spec: str) -> None:
    """Remember a data set."""
    if not state.is_classroom():
        attempt(lambda: roots.add_data_spec(spec, "train"), is_callback=True)


def attempt(work, is_callback: bool = False) -> None:
    """Do something, or say why it cannot be done."""
    try:
        work()
    except (DataError, ValueError, OSError) as error:
        st.error(escape(error), icon=":material/error:")
        return
    cached.clear_runs()
    if not is_callback:
        st.rerun()


def render_jobs(jobs: list[Job]) -> None:
    """Render the jobs of late; the whole page takes what one of them has made, once."""
    for job in filter(None, map(imports.reload, jobs)):
        render_job(job)
        if job.state == "done" and job.id not in st.session_state.setdefault(SEEN, set()):
            st.session_state[SEEN].add(job.id)
            for spec in getting.find_got(job):
                if not state.is_classroom():
                    roots.store_added("data", spec)
            cached.clear_runs()
            st.rerun()


def render_job(job: Job) -> None:
    """Render one job: how far it is, what went wrong, or what comes next."""
    if job.is_active:
        share = read_share(job, read_stage(job))
        st.progress(share, text=f"{job.title}: {'waits for its turn' if job.state == 'queued' else f'{share:.0%}'}")
        return
    with st.container(border=True):
        st.markdown(f"**{escape(job.title)}**: {job.state}")
        if job.error:
            st.error(escape(job.error), icon=":material/error:")
        got = getting.find_got(job)
        if got:
            render_next(got[0], job)
        elif job.state == "done" and job.words[:1] == getting.APPLY:
            render_open(job)


def read_stage(job: Job) -> str:
    """Read which stage the job's worker says it is at."""
    from amn_core.compute.progress import read_progress
    from amn_core.jobs.folder import PROGRESS

    return read_progress(job.path / PROGRESS).get("stage", "")


def render_next(spec: str, job: Job) -> None:
    """Offer to make the maps of a bundle over what was got."""
    bundles = getting.list_bundles(cached.find_runs())
    if not bundles:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Models", list(bundles), key=f"get-bundle:{job.id}", width=220)
        if st.button("Make their maps", key=f"get-maps:{job.id}", icon=":material/image_search:", type="primary",
                     disabled=state.is_classroom()) and not state.is_classroom():
            attempt(lambda: getting.start_maps(bundles[name], spec, choose_first_split(spec)))


def render_open(job: Job) -> None:
    """Offer to open in Explore the runs that a job has made."""
    runs = cached.find_runs_below(job.path)
    if runs and st.button("Open in Explore", key=f"get-open:{job.id}", icon=":material/image_search:", type="primary"):
        first = next(iter(runs.values()))
        state.put("data", f"{first.meta['data']}/{first.meta['split']}")
        state.put("runs", tuple(runs))
        st.switch_page("screens/explore.py")
