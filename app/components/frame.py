"""What every page has around its content: padding that leaves room for pictures, and numbers that keep their width."""

import numpy as np
import streamlit as st
from PIL import Image

STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding-left: 1.5rem; padding-right: 1.5rem; }
[data-testid="stMetricValue"], [data-testid="stTable"] { font-variant-numeric: tabular-nums; }
</style>
"""


def build_icon(size: int = 64) -> Image.Image:
    """Build the page's icon: a disc cut by a threshold. Named icons come from the network."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size - 0.5
    is_disc = np.hypot(x, y) < 0.46
    icon = np.zeros((size, size, 4), np.uint8)
    icon[is_disc] = (213, 94, 0, 255)
    icon[is_disc & (x > 0)] = (0, 114, 178, 255)
    return Image.fromarray(icon)


def render_frame() -> None:
    """Put the page's style on the screen."""
    st.html(STYLE)
