"""The place of the sentence at the top of a screen."""

import streamlit as st


def render_claim(text: str) -> None:
    """Render the sentence that a screen opens with; names in it are shown as they are, never as Markdown."""
    with st.container(key="claim"):
        st.text(text)
