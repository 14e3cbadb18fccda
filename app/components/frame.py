"""What every page has around its content: padding that leaves room for pictures, and numbers that keep their width."""

import streamlit as st

STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding-left: 1.5rem; padding-right: 1.5rem; }
[data-testid="stMetricValue"], [data-testid="stTable"] { font-variant-numeric: tabular-nums; }
</style>
"""


def render_frame() -> None:
    """Put the page's style on the screen."""
    st.html(STYLE)
