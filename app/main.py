"""The app's entry: ``streamlit run app/main.py``. Navigation only."""

import sys
from pathlib import Path

import streamlit as st

if str(Path(__file__).resolve().parents[1]) not in sys.path:  # `streamlit run` puts app/ on the path, not its parent
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app import state
from app.components.frame import build_icon, render_frame
from app.lessons.page import LESSONS

SCREENS = {
    "": (
        ("explore", "Explore"), ("activation", "Activation"), ("curves", "Curves"), ("images", "Images"),
        ("photo", "Your photo"), ("data_and_runs", "Data and runs"),
    ),
    "More": (
        ("choose", "Choose a threshold"), ("train", "Train"), ("figures", "Figures"),
    ),
    "Lessons": tuple((f"lessons/{name}", title) for name, title in LESSONS.items()),
}


def build_pages() -> dict[str, list]:
    """Build the navigation from the screens that are there."""
    folder = Path(__file__).resolve().parent / "screens"
    pages = {
        section: [
            st.Page(folder / f"{name}.py", title=title, url_path=Path(name).name.replace("_", "-"),
                    default=name == "explore")
            for name, title in screens if (folder / f"{name}.py").is_file()
        ]
        for section, screens in SCREENS.items()
    }
    return {section: found for section, found in pages.items() if found}


st.set_page_config(page_title="AMN · thresholds", page_icon=build_icon(), layout="wide")
page = st.navigation(build_pages(), position="top")
render_frame()
state.begin(page.url_path)
try:
    page.run()
finally:
    state.publish()
