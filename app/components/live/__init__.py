"""The threshold as one bar for every screen: charts and tables follow it in the browser, the server on release.

Whatever is drawn with ``layout.meta["axis"]`` (`app.charts.plotting.mark_live`) gets the threshold's line and rings
drawn over it while the bar is dragged; components hear of each move through ``globalThis.amnBench``.
"""

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app import state
from app.cache import runs as cached
from app.controls import Choice

HERE = Path(__file__).parent
STEPS = 200
STAMP = "threshold-stamp"


def read_scripts(*names: str) -> str:
    """Read scripts of this folder, to put in front of a component's own."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


_mount = st.components.v2.component(
    "amn_threshold", html='<div class="place"></div>', css=read_scripts("bar.css"),
    js=read_scripts("elements.js", "bench.js", "bar.js", "overlay.js", "main.js"),
)


def render_threshold(choice: Choice, key: str = "threshold") -> None:
    """Put the bar on the screen; ticks and bands are the peaks and plateaus of the runs that are shown."""
    def take() -> None:
        index = st.session_state[key].index
        if isinstance(index, (int, float)) and 0 <= index <= STEPS:
            remember(key, round(index))
            state.put("t", round(index) / STEPS)

    _mount(key=key, data={**mark_start(key), **describe_peaks(choice)}, height="content", on_index_change=take)


def mark_start(key: str) -> dict[str, int]:
    """Mark where the bar starts; the stamp grows when the threshold was set by anything but the bar itself.

    An answer to an earlier release then never moves the bar back under the hand.
    """
    index, visit = round(state.get("t") * STEPS), state.get_visit()
    known = st.session_state.get(STAMP)
    if known is None or (known["here"], known["visit"], known["key"]) != (index, visit, key):
        stamp = 1 + (known["stamp"] if known else 0)
        known = {"here": index, "visit": visit, "key": key, "stamp": stamp, "index": index}
        st.session_state[STAMP] = known
    return {"stamp": known["stamp"], "index": known["index"]}


def remember(key: str, index: int) -> None:
    """Remember what the bar told, so that it is not told back."""
    st.session_state[STAMP] = {**st.session_state.get(STAMP, {}), "here": index, "key": key}


def describe_peaks(choice: Choice) -> dict[str, list[dict[str, Any]]]:
    """Describe the peaks and plateaus of the shown runs that have thresholds, as indices of the bar."""
    peaks, plateaus = [], []
    for key, run in choice.runs.items():
        if run.is_masks:
            continue
        summary, style = choice.summary(key), choice.styles[key]
        look = {"label": style.label, "colour": style.colour}
        text = f"{style.label} peaks at {summary.peak_threshold:.3f}: {summary.peak_miou * 100:.1f} % (oracle)"
        peaks.append({**look, "index": find_index(summary.peak_threshold), "text": text})
        ends = {"from": find_index(summary.plateau_low), "to": find_index(summary.plateau_high)}
        plateaus.append({**look, **ends})
    return {"peaks": peaks, "plateaus": plateaus}


def find_index(threshold: float) -> int:
    """Find the step of the bar that is nearest to a threshold."""
    return int(np.clip(round(float(threshold) * STEPS), 0, STEPS))


def load_live_scores(choice: Choice, key: str) -> list[float | None]:
    """Load the mIoU of a run at each step of the bar, in percent; nothing where it is undefined."""
    summary = cached.load_summary(choice.runs[key], choice.averaging, choice.classes, choice.images)
    nearest = np.abs(summary.thresholds[None] - np.linspace(0, 1, STEPS + 1)[:, None]).argmin(axis=1)
    return [round(float(v) * 100, 2) if np.isfinite(v) else None for v in summary.miou[nearest]]
