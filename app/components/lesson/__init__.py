"""The figure of a lesson: controls, a canvas that follows them in the browser, and a guess before the answer.

A lesson sends its figure's content once; nothing is asked of the server while a control moves. On release the values go
into the shared state (and so into the link), and a committed guess is kept for the session.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from app import state
from app.charts.colour_maps import build_colour_table
from app.components.live import read_scripts

HERE = Path(__file__).parent
FIGURES = ("cam", "crowd", "conditions", "width", "loss", "conditioning", "sandbox", "knob", "protocols")
TYPES = {np.dtype(np.uint8): "u8", np.dtype(np.uint16): "u16", np.dtype(np.float32): "f32"}
ALIGNED = 4  # bytes: an array of 32-bit numbers may start here
HEAT_STEPS = 32


def read_figures() -> str:
    """Read the scripts in the order in which they need each other; the one with the entry comes last."""
    own = ((HERE / f"{name}.js").read_text(encoding="utf-8") for name in ("plot", "lesson", *FIGURES, "main"))
    return "\n".join([read_scripts("elements.js"), *own])


_mount = st.components.v2.component(
    "amn_lesson", html='<div class="lesson"></div>', css=(HERE / "lesson.css").read_text(encoding="utf-8"),
    js=read_figures(),
)


@dataclass(frozen=True)
class Slider:
    """A number in [low, high] by steps; name is that of a shared choice, ends are words below its ends.

    names: what is shown in place of the numbers 0, 1, ….
    """

    name: str
    label: str
    low: float
    high: float
    step: float
    unit: str = ""
    ends: tuple[str, str] | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Switch:
    """One of several options, its index as the value; takes: values of other controls that an option sets."""

    name: str
    label: str
    options: tuple[str, ...]
    takes: tuple[dict[str, float], ...] | None = None


@dataclass(frozen=True)
class Guess:
    """A number to guess in [low, high], the truth, and what is said once a guess is committed.

    locks: whether the controls, which would give the answer away, wait for the guess.
    """

    question: str
    low: float
    high: float
    step: float
    truth: float
    answer: str
    unit: str = ""
    locks: bool = False


@dataclass
class Pack:
    """Arrays on their way to the browser, one after another in one block of bytes."""

    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, array: np.ndarray) -> dict[str, Any]:
        """Add an array of 8, 16 or 32 bits; returns where it lies."""
        content = np.ascontiguousarray(array).tobytes()
        span = {"at": self.size, "n": int(array.size), "type": TYPES[array.dtype]}
        content += bytes(-len(content) % ALIGNED)
        self.parts.append(content)
        self.size += len(content)
        return span

    def add_picture(self, picture: np.ndarray, quality: int = 88) -> dict[str, Any]:
        """Add a picture (H, W, 3) uint8 as JPEG."""
        Image.fromarray(picture).save(buffer := io.BytesIO(), "JPEG", quality=quality)
        return self.add(np.frombuffer(buffer.getvalue(), np.uint8))

    @property
    def blob(self) -> np.ndarray:
        """All bytes, (n,) uint8."""
        return np.frombuffer(b"".join(self.parts), np.uint8)


@dataclass(frozen=True)
class Figure:
    """What a figure shows: its kind (a script of this folder), its content, its pictures and its arrays."""

    kind: str
    content: dict[str, Any]
    pack: Pack = field(default_factory=Pack)
    pictures: Sequence[dict[str, Any]] = ()


def render_lesson_figure(
    figure: Figure, controls: Sequence[Slider | Switch], guess: Guess | None = None,
) -> float | None:
    """Put a figure on the screen; returns the guess once there is one.

    Values that a link names are taken at the beginning of a visit; later the browser has them.
    """
    key, visit = f"lesson:{figure.kind}", state.get_visit()
    for control in controls:
        state.get(control.name)

    def take() -> None:
        values = st.session_state[key].settings or {}
        for control in controls:
            if isinstance(values.get(control.name), (int, float)):
                state.put(control.name, fit_value(control, values[control.name]))

    def commit() -> None:
        st.session_state[f"guess:{figure.kind}"] = float(st.session_state[key].guess)

    start = st.session_state.get(f"{key}:start")
    if start is None or start["visit"] != visit:
        start = {
            "visit": visit, "values": {one.name: fit_value(one, state.get(one.name)) for one in controls},
            "committed": st.session_state.get(f"guess:{figure.kind}")}
        st.session_state[f"{key}:start"] = start
    meta = {
        "stamp": f"{figure.kind}:{visit}", "kind": figure.kind, "content": figure.content,
        "controls": [vars(one) for one in controls], "values": start["values"],
        "pictures": list(figure.pictures), "heat": build_colour_table("inferno")[:: 256 // HEAT_STEPS].tolist(),
        "guess": None if guess is None else {**vars(guess), "committed": start["committed"]},
    }
    _mount(key=key, data={"meta": meta, "blob": figure.pack.blob}, height="content", on_settings_change=take,
           on_guess_change=commit)
    return st.session_state.get(f"guess:{figure.kind}")


def fit_value(control: Slider | Switch, value: Any) -> float | int:
    """Fit a value, of a link perhaps, to what a control can show."""
    if isinstance(control, Switch):
        return int(value) if isinstance(value, (int, float)) and 0 <= value < len(control.options) else 0
    number = min(max(float(value), control.low), control.high)
    return round(number) if control.step >= 1 else number
