"""Named selections of images: saved on disk, opened again, taken along as a list; a viewer's stay in the page."""

import streamlit as st

from app import state
from app.cache import own
from app.cache.selections import check_selection, list_selections, load_selection, save_selection, write_list
from app.controls import Choice
from app.words.text import escape

FAILURE, SAVED = "selection-failure", "selection-saved"


def render_selections(choice: Choice, images: tuple[str, ...], what: str) -> None:
    """Render the menu of selections.

    Args:
        images: what would be saved. what: how these are called, ``3 marked images``.
    """
    with st.popover("Selections", icon=":material/bookmarks:"):
        for name in dict.fromkeys([*list_selections(choice.group), *own.list_selections(choice.group)]):
            st.button(escape(name), key=f"selection:{name}", icon=":material/bookmark:", type="tertiary",
                      on_click=open_selection, args=(choice.group, name))
        name = st.text_input(f"Name for {what}", key="selection-name", max_chars=40)
        with st.container(horizontal=True):
            st.button("Save", on_click=store, args=(choice.group, name, images), icon=":material/save:",
                      disabled=not images)
            st.download_button("List for --split", write_list(images, choice.group), "images.txt", "text/plain",
                               icon=":material/download:", on_click="ignore", disabled=not images)
        if error := st.session_state.pop(FAILURE, ""):
            st.error(escape(error))
        if state.is_classroom():
            st.caption("Yours are kept in this page until it is closed; the list is yours to download.")
        if path := st.session_state.pop(SAVED, ""):
            st.caption("Saved. Every command takes it:")
            st.code(f"--split {path}", language=None)


def open_selection(group: str, name: str) -> None:
    """Let only the images of a selection count."""
    state.put("subset", own.list_selections(group).get(name) or load_selection(group, name))


def store(group: str, name: str, images: tuple[str, ...]) -> None:
    """Save the images under a name; on a viewer's page nothing is written on the server."""
    try:
        if state.is_classroom():
            check_selection(name.strip(), images)
            own.save_selection(group, name.strip(), images)
            return
        st.session_state[SAVED] = str(save_selection(group, name.strip(), images))
    except (ValueError, OSError) as error:
        st.session_state[FAILURE] = str(error)
