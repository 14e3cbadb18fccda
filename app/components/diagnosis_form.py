"""The form of the screen Diagnose: files, their data, and the number to explain."""

from typing import Any

import streamlit as st

from amn_core.jobs import Job
from app import diagnosing, state
from app.cache import runs as cached
from app.components.job_form import list_data
from app.diagnosing import OWN, PUBLISHED, Dropped
from app.words.text import escape

TYPES = ["zip", *(suffix[1:] for suffix in diagnosing.SUFFIXES)]
MINE = "diagnosis-job"


def render_form() -> None:
    """Render the form in two rows; a diagnosis that is asked for becomes this session's."""
    with st.form("diagnose", border=True):
        values, dropped = render_files()
        columns = st.columns([5, 2, 2, 2, 2, 2], vertical_alignment="bottom")
        values |= render_numbers(columns)
        is_asked = columns[-1].form_submit_button("Diagnose", type="primary", icon=":material/stethoscope:",
                                                  width="stretch")
    if is_asked:
        ask(values, [Dropped(file.name, file.getvalue()) for file in dropped])


def render_files() -> tuple[dict[str, Any], list]:
    """Render what names the files and their data."""
    columns = st.columns([4, 4, 3, 2])
    folder = columns[0].text_input("Folder of maps, masks or a run", placeholder="/results/recam/cam_npy",
                                   key="diagnose-folder")
    dropped = columns[1].file_uploader("or drop a zip, or some files", type=TYPES, accept_multiple_files=True,
                                       key="diagnose-files", help="Only the images that have a file are scored.")
    data = columns[2].selectbox("Data set", list_data(), accept_new_options=True, key="diagnose-data",
                                help="A run knows its own.")
    split = columns[3].selectbox("Split", list_splits(), accept_new_options=True, key="diagnose-split")
    return {"folder": folder, "data": data, "split": split}, dropped


def list_splits() -> list[str]:
    """List the splits of the runs that are here, and VOC's."""
    return list(dict.fromkeys(["train", "val", *(run.meta["split"] for run in cached.find_runs().values())]))


def render_numbers(columns: list) -> dict[str, str]:
    """Render the number to explain: a published one, or one's own, with precision and recall where they are known."""
    name = columns[0].selectbox("The number to explain", list(PUBLISHED), key="diagnose-published",
                                help="Figures of papers with their protocol, or one that you type.")
    fields = {
        "target": ("mIoU, %", "48.3", "As it is printed: its last digit says how exact it is. Empty: only what is "
                   "suspicious by itself."),
        "precision": ("Precision, %", "", "Mean over classes, of the same number. With it and recall one can be sure."),
        "recall": ("Recall, %", "", "Mean over classes, of the same number."),
        "at": ("My threshold", "", "At which your own number was taken; empty: the peak of your curve."),
    }
    values = {key: column.text_input(label, placeholder=example, help=text, key=f"diagnose-{key}")
              for column, (key, (label, example, text)) in zip(columns[1:5], fields.items(), strict=True)}
    figure = PUBLISHED[name] if name != OWN else None
    return values | ({"published": figure.key, "target": "", "precision": "", "recall": ""} if figure else {})


def ask(values: dict[str, Any], dropped: list[Dropped]) -> None:
    """Start a diagnosis, or say why it cannot be; nobody starts one from a viewer's page."""
    if state.is_classroom():
        return
    try:
        job: Job = diagnosing.start(diagnosing.build_config(values, bool(dropped)), dropped)
    except (ValueError, OSError) as error:
        st.error(escape(error), icon=":material/error:")
        return
    st.session_state[MINE] = job.id
