"""The forms that add a data set or a folder of runs."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from amn_core.data import DataError, choose_first_split
from app import roots
from app.cache import runs as cached
from app.words.text import escape

KINDS = {
    "voc": "PASCAL VOC 2012: a VOCdevkit, the VOC2012 folder, or a part of it",
    "coco": "COCO: images and annotations, of 2014, 2017 or another year",
    "pets": "Oxford-IIIT Pet, 37 breeds (splits trainval, test)",
    "species": "Oxford-IIIT Pet, cat and dog (splits trainval, test)",
    "folder": "A folder: images, labels.csv, masks if there are any",
}


def render_add() -> None:
    """Render both forms."""
    left, right = st.columns(2, gap="medium")
    with left, st.form("add-data", border=True):
        st.markdown("**A data set**, so that Explore can show its photographs")
        kind = st.selectbox("Layout", list(KINDS), format_func=KINDS.get)
        folder = st.text_input("Folder", placeholder="/data/VOCdevkit/VOC2012", key="add-data-folder")
        split = st.text_input("Split, or the path of a list", placeholder="train; of pets trainval")
        if st.form_submit_button("Add data set", icon=":material/add:"):
            spec = write_spec(kind, folder.strip())
            add(lambda: roots.add_data_spec(spec, split.strip() or choose_first_split(spec)), folder)
    with right, st.form("add-runs", border=True):
        st.markdown("**Runs**: the folder of one, or a folder that holds several; or the official code's "
                    "`res50_cam.pth` and `res50_amn.pth`, for *Your photo*")
        folder = st.text_input("Folder", placeholder="/results/runs", key="add-runs-folder")
        if st.form_submit_button("Add runs", icon=":material/add:"):
            add(lambda: add_runs(folder.strip()), folder)


def write_spec(kind: str, folder: str) -> str:
    """Write the spec of a layout of the form in a folder."""
    return f"pets:{folder},classes=species" if kind == "species" else f"{kind}:{folder}"


def add_runs(folder: str) -> None:
    """Add a folder of runs, or one without any that holds checkpoints of the official code."""
    path = Path(folder).expanduser()
    if path.is_dir() and any(path.glob("*.pth")) and not roots.find_run_folders(path):
        with st.spinner("Reading the checkpoints…"):
            cached.add_official(path)
    else:
        roots.add_run_root(folder)


def add(work: Callable[[], object], folder: str) -> None:
    """Add something, or say why it cannot be."""
    if not folder.strip() or not Path(folder.strip()).expanduser().is_absolute():
        st.error("Give the whole path of a folder on this machine, from the root.")
        return
    try:
        work()
    except (DataError, ValueError, OSError) as error:
        st.error(escape(error), icon=":material/error:")
        return
    cached.clear_runs()
    st.rerun()
