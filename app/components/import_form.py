"""The form that imports maps or masks of another method, and the imports under way."""

import streamlit as st

from amn_core.commands.import_plan import UNSURE, ImportConfig
from amn_core.commands.progress import read_share
from amn_core.data import choose_first_split
from amn_core.formats.map_folder import KINDS
from amn_core.formats.numbering import NUMBERINGS, WORDS
from amn_core.formats.recognise import ENDS, KEY_BASES, NORMALISATIONS
from amn_core.jobs import Job
from app import imports, state
from app.cache import runs as cached
from app.components.job_form import list_data
from app.words.text import escape

CHOICES = {
    "kind": ("Files are", KINDS, {"auto": "recognised"}),
    "key_base": ("First class has number", KEY_BASES, {"auto": "recognised", "categories": "COCO's category ids"}),
    "background": ("Plane of background", ENDS, {"auto": "recognised", "white": "none: white pixels are"}),
    "numbering": ("Numbers in masks", ("auto", *NUMBERINGS), WORDS | {"auto": "recognised"}),
    "normalisation": ("Values", NORMALISATIONS,
                      {"stored": "as stored", "max": "divided by the maximum", "minmax": "stretched to 0–1"}),
    "unsure": ("255 in a mask counts as", UNSURE, {"ignore": "left out"}),
}
SWITCHES = {"skip_broken": "Leave broken files out", "insist": "Import against the image labels"}
TAKEN, LISTED = "imports-taken", 3


def render_import() -> None:
    """Render the form, and below it the imports of late."""
    with st.form("import", border=True):
        st.markdown("**Maps or masks of another method**: a folder with one file for each image, as its code wrote it. "
                    "Its layout is recognised; files that could run code are refused.")
        values = render_fields() | render_choices() | render_switches()
        with st.container(horizontal=True):
            is_look = st.form_submit_button("Look at the files", icon=":material/search:")
            is_start = st.form_submit_button("Import", type="primary", icon=":material/download:")
    if (is_look or is_start) and not state.is_classroom():
        answer(values, is_start)
    render_jobs()


def render_fields() -> dict[str, str]:
    """Render what every import needs."""
    columns = st.columns([5, 4, 2, 3])
    with columns[0]:
        maps = st.text_input("Folder", placeholder="/results/recam/cam_npy", key="import-maps")
    with columns[1]:
        data = st.selectbox("Data set", list_data(), accept_new_options=True, key="import-data",
                            help="voc|coco|pets|folder:ROOT or scenes; another one can be typed in")
    with columns[2]:
        split = st.text_input("Split or list", placeholder="train; of pets trainval", key="import-split")
    with columns[3]:
        name = st.text_input("Name", placeholder="that of the folder", key="import-name")
    return {"maps": maps, "data": data, "split": split or choose_first_split(data or ""), "name": name}


def render_choices() -> dict[str, str]:
    """Render what can be overruled."""
    fields, values = ImportConfig.__dataclass_fields__, {}
    for column, (key, (label, options, names)) in zip(st.columns(len(CHOICES)), CHOICES.items(), strict=True):
        with column:
            values[key] = st.selectbox(
                label, options, format_func=lambda option, names=names: names.get(option, option),
                help=fields[key].metadata["help"].capitalize(), key=f"import-{key}")
    return values


def render_switches() -> dict[str, bool]:
    """Render what is to happen with files that are broken or disagree."""
    fields = ImportConfig.__dataclass_fields__
    with st.container(horizontal=True):
        return {key: st.checkbox(label, help=fields[key].metadata["help"].capitalize(), key=f"import-{key}")
                for key, label in SWITCHES.items()}


def answer(values: dict[str, str], is_start: bool) -> None:
    """Say what the files are, and start the import if that is asked for; or say why it cannot be."""
    try:
        config = imports.build_config(values)
        with st.spinner("Looking at some of the files…"):
            text = imports.describe_folder(config)
        if is_start:
            imports.start(config)
    except (ValueError, OSError) as error:
        st.error(name_fields(str(error)), icon=":material/error:")
        return
    st.info(text, icon=":material/search:")


def name_fields(text: str) -> str:
    """Name the fields of the form in an error that names the options of the command."""
    for key, (label, _, names) in CHOICES.items():
        for value in sorted(CHOICES[key][1], key=len, reverse=True):
            option = f"--{key.replace('_', '-')} {value}"
            text = text.replace(option, f"“{names.get(value, value)}” in “{label}”")
    for key, label in SWITCHES.items():
        text = text.replace(f"--{key.replace('_', '-')}", f"“{label}”")
    return text.replace("Pass “", "Choose “").replace("pass “", "choose “")


def render_jobs() -> None:
    """Render the imports of late; while one is at work every second anew."""
    jobs = imports.list_imports()[:LISTED]
    is_active = any(job.is_active for job in jobs)
    st.fragment(run_every=1.0 if is_active else None)(render_list)(jobs)


def render_list(jobs: list[Job]) -> None:
    """Render how some imports stand; the whole page takes the run of one that is done, once."""
    for job in jobs:
        job = imports.reload(job)
        if job is None:  # deleted in another tab
            continue
        render_job(job)
        if job.state == "done" and job.id not in st.session_state.setdefault(TAKEN, set()):
            st.session_state[TAKEN].add(job.id)
            cached.clear_runs()
            st.rerun()


def render_job(job: Job) -> None:
    """Render one import: how far it is, what went wrong, or its report."""
    if job.is_active:
        share = read_share(job)
        waits = "waits for its turn" if job.state == "queued" else f"{share:.0%}"
        st.progress(share, text=f"{job.title}: {waits}")
        return
    report = imports.read_report(job)
    with st.expander(f"{escape(job.title)}: {job.state}", expanded=True, icon=":material/download:"):
        if job.error:
            st.error(name_fields(job.error), icon=":material/error:")
        if report:
            st.text(report)
            render_open(job)


def render_open(job: Job) -> None:
    """Render the way to the curve of what was imported."""
    run = next(iter(cached.find_runs_below(job.path).values()), None)
    if run is not None and st.button("Open in Curves", icon=":material/show_chart:", key=f"open-import:{job.id}"):
        state.put("data", f"{run.meta['data']}/{run.meta['split']}")
        state.put("runs", ())
        st.switch_page("screens/curves.py")
