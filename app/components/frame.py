"""What every page has around its content: padding that leaves room for pictures, and numbers that keep their width."""

import re

import numpy as np
import streamlit as st
from PIL import Image

from app import state
from app.cache import runs as cached
from app.components.live import read_scripts

NO_CSS = re.compile(r"[^\w ·.,=()+-]+")
STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding-left: 1.5rem; padding-right: 1.5rem; }
[data-testid="stTopNav"]::before {
  content: "◐ Threshold bench"; font-weight: 700; font-size: 1.05rem; white-space: nowrap;
  margin: auto 1.2rem auto 0.5rem;
}
.js-plotly-plot .main-svg:not(.hoverlayer)
  :is([class*="tick"], .g-xtitle, .g-ytitle, .colorbar, .annotation, .legend) text {
  fill: color-mix(in srgb, currentColor 82%, transparent) !important;
}
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p { opacity: 1; color: inherit; }
[data-testid="stCaptionContainer"] p { color: color-mix(in srgb, currentColor 80%, transparent); }
[data-selected="true"][data-variant], [data-selected="true"][data-variant] * { color: inherit !important; }
[data-testid="stLayoutWrapper"]:has(> .st-key-frame-history) { position: absolute; }
.st-key-frame-history { display: none; }
.st-key-claim [data-testid="stText"] {
  font-family: inherit; font-size: 1.12rem; font-weight: 600; line-height: 1.4; white-space: normal;
}
[data-testid="stElementToolbarButton"]:has([aria-label^="Download as CSV"]) { display: none; }
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


_mount_history = st.components.v2.component(
    "amn_history", html="<i></i>", css="i { display: none; }", js=read_scripts("history.js"))


def render_data_name(group: str) -> None:
    """Put the data set and split of a screen at the right of its head, the same on every screen.

    Args:
        group: as `app.cache.runs.group_runs` calls it; nothing where a screen is about none.
    """
    name = NO_CSS.sub(" ", cached.describe_group(group)) if group else ""
    st.html(f'<style>[data-testid="stTopNav"]::after {{ content: "{name}"; order: 99; margin: auto 0.5rem auto auto; '
            "font-size: 0.92rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; max-width: 34vw; }"
            '@media (max-width: 700px) { [data-testid="stTopNav"]::after { display: none; } }</style>')


def render_frame() -> None:
    """Put the page's style on the screen, and the steps of its history into the browser's."""
    st.html(STYLE)
    with st.container(key="frame-history"):
        _mount_history(key="history", data={"steps": list(state.STEPS)}, height="content")
