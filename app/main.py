"""The app's entry: ``streamlit run app/main.py``. Navigation only."""

import os
import sys
from pathlib import Path

import streamlit as st

if str(Path(__file__).resolve().parents[1]) not in sys.path:  # `streamlit run` puts app/ on the path, not its parent
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app import controls, guard, state
from app.components import follow
from app.components.frame import build_icon, render_data_name, render_frame
from app.lessons.page import LESSONS

SCREENS = {
    "Look": (
        ("screens/explore", "Explore"), ("screens/activation", "Activation"), ("screens/curves", "Curves"),
        ("screens/images", "Images"), ("screens/photo", "Your photo"),
    ),
    "Decide": (
        ("screens/choose", "Choose a threshold"), ("screens/label", "Label a few points"),
        ("screens/diagnose", "Diagnose a number"),
    ),
    "Make": (("screens/train", "Train"), ("screens/data_and_runs", "Data and runs")),
    "Print": (("screens/figures", "Figures"),),
    "Learn": (
        *((f"lessons/{name}", title) for name, title in LESSONS.items()),
        ("screens/course", "The course"), ("screens/course_notes", "The course: for teachers"),
    ),
}
FIRST = "explore"  # at the root, whatever its path is said to be; its own name is kept free to lead there, too


def build_pages() -> dict[str, list]:
    """Build the navigation from the screens that are there."""
    app = Path(__file__).resolve().parent
    pages = {
        section: [
            st.Page(path, title=title, default=path.stem == FIRST,
                    url_path="root" if path.stem == FIRST else path.stem.replace("_", "-"))
            for path, title in ((app / f"{name}.py", title) for name, title in screens) if path.is_file()
        ]
        for section, screens in SCREENS.items()
    }
    return {section: found for section, found in pages.items() if found}


def do_nothing() -> None:
    """Stand for a page that sends on to another before it runs."""


def main() -> None:
    """Open the page that the address asks for."""
    st.set_page_config(page_title="Threshold bench", page_icon=build_icon(), layout="wide")
    headers = st.context.headers
    if guard.GUARDED not in os.environ and not guard.is_local(headers.get("Host", ""), headers.get("Origin", "")):
        st.error("Started by hand, the app answers to this machine alone: `python -m amn_core run --host ADDRESS`.")
        return
    pages = build_pages()
    first = pages["Look"][0]
    pages["Look"].append(st.Page(do_nothing, title="Explore", url_path=FIRST, visibility="hidden"))
    page = st.navigation(pages, position="top")
    if page.url_path == FIRST:
        st.switch_page(first, query_params=st.query_params.to_dict())
    render_frame()
    state.begin(page.url_path)
    follow.render_follow([one for section in pages.values() for one in section])
    try:
        page.run()
        render_data_name(st.session_state.get(controls.GROUP, ""))
    finally:
        state.publish()
        follow.lead(page.url_path)


if __name__ == "__main__":  # not so in processes that work for a page: they load this file, too
    main()
