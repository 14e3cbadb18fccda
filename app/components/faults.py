"""Files that should describe a run or a job and do not: which, what is wrong, and a way to stop naming them."""

from pathlib import Path

import streamlit as st

from app import roots, state
from app.cache import runs as cached
from app.words.text import escape

SHOWN = 20


def render_faults() -> None:
    """Render what was passed over; nothing where everything can be read."""
    found = roots.find_faults()
    if not found:
        return
    st.warning(f"{len(found)} description{'s' if len(found) > 1 else ''} of runs or jobs cannot be read. They were "
               "passed over; everything else works.", icon=":material/broken_image:")
    for path, fault in list(found.items())[:SHOWN]:
        render_fault(path, fault)
    if len(found) > SHOWN:
        st.caption(f"and {len(found) - SHOWN} more")


def render_fault(path: Path, fault: str) -> None:
    """Render one file with what is wrong, and the button that takes it off the list."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{escape(path)}**: {escape(fault)}", width="stretch")
        st.button("Remove from the list", key=f"hide:{path}", on_click=hide, args=(path,), icon=":material/close:",
                  disabled=state.is_classroom(), help="The file stays on the disk; it is only not named here any more.")


def hide(path: Path) -> None:
    """Stop naming a file."""
    if not state.is_classroom():
        roots.store_added("hidden", str(path))
        cached.clear_runs()
