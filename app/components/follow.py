"""Follow the teacher: in a classroom, a viewer's page shows what the teacher's shows, as long as wanted."""

from dataclasses import dataclass, field

import streamlit as st

from app import state

EVERY = 1.0
WANTED, SEEN, NEXT = "follow-wanted", "follow-seen", "follow-next"


@dataclass
class Lead:
    """What the teacher's page shows: which page, the choices in its URL, and how often it changed."""

    page: str = ""
    query: dict[str, str] = field(default_factory=dict)
    changes: int = 0


@st.cache_resource(show_spinner=False)
def get_lead() -> Lead:
    """Get what the teacher shows: one for the whole server."""
    return Lead()


def lead(page: str) -> None:
    """Note what the teacher's page shows; nothing on other pages."""
    if not state.is_teacher():
        return
    shown, query = get_lead(), state.collect(set(state.PARAMS), st.session_state)
    if (shown.page, shown.query) != (page, query):
        shown.page, shown.query, shown.changes = page, query, shown.changes + 1


def render_follow(pages: list) -> None:
    """Render a viewer's switch, and go to where the teacher is if that was asked for."""
    if not state.is_classroom():
        return
    wanted = st.session_state.pop(NEXT, None)
    target = next((page for page in pages if page.url_path == wanted), None)
    if target is not None:
        st.switch_page(target)
    st.sidebar.toggle("Follow the teacher", key=WANTED, help="This page then shows what the teacher's page shows.")
    if st.session_state[WANTED]:
        st.fragment(run_every=EVERY)(look)()
    else:
        st.session_state.pop(SEEN, None)


def look() -> None:
    """Look whether the teacher's page has changed, and take its choices over."""
    shown = get_lead()
    if not shown.changes or st.session_state.get(SEEN) == shown.changes:
        return
    st.session_state[SEEN] = shown.changes
    for name in [name for name in state.PARAMS if state.PREFIX + name in st.session_state]:
        del st.session_state[state.PREFIX + name]
    state.restore(dict(shown.query), st.session_state)
    st.session_state[NEXT] = shown.page
    st.rerun(scope="app")
