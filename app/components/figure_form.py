"""The options of a figure as a form: one control for each field of its config, whatever is not a default in the URL."""

from typing import Any, get_args, get_type_hints

import streamlit as st

from amn_core.figures.config import FIGURES, LAYERS, FigureConfig, list_options
from app import state

PREFIX = "figure-option:"
SHARED = ("protocol", "classes", "images", "data")   # chosen in the bar of all screens, or found by the app
WORDS = ("names", "colours", "xlabel", "ylabel")
DRAWS = ("intervals", "resamples", "level", "seed")
PATHS = ("results",)  # of files on this machine, which no viewer of a classroom names
PAGE = ("preset", "width", "height", "dpi")
LABELS = {
    "names": "Names of the runs", "colours": "Colours of the runs", "xlabel": "Horizontal title",
    "ylabel": "Vertical title",
    "preset": "Made for", "width": "Width, in", "height": "Height, in", "dpi": "Resolution of pictures, dpi",
    "axis": "Horizontal axis", "intervals": "Intervals", "resamples": "Resamples", "level": "Level of the intervals",
    "seed": "Seed", "plateau": "Plateaus", "oracle": "Per-image oracle", "zoom": "Start just below the plateaus",
    "mirror": "Background below the axis", "points": "One point is", "rule": "Images by", "of": "Regret of run",
    "number": "Number of images", "ids": "Ids of the images", "layers": "Columns", "masks_at": "Masks at thresholds",
    "threshold": "Threshold", "results": "Table of your own (CSV)",
    "pairs": "Further pairs of cuts", "cuts": "Further single cuts",
}
STEPS = {"level": 0.01, "width": 0.1, "height": 0.1, "resamples": 100, "dpi": 50}
HINTS = get_type_hints(FigureConfig)


def read_stored() -> dict[str, Any]:
    """Read the options that are stored in the URL; what does not parse is passed over."""
    found = {}
    for text in state.get("options"):
        name, _, value = text.partition("=")
        if name in LABELS and not (name in PATHS and state.is_classroom()):
            try:
                found[name] = parse_value(name, value)
            except ValueError:
                continue
    return found


def parse_value(name: str, text: str) -> Any:
    """Parse an option from its text in the URL.

    Raises:
        ValueError: it is no value of the option.
    """
    kinds = (HINTS[name], *get_args(HINTS[name]))
    if bool in kinds:
        return bool(("0", "1").index(text))
    value = int(text) if int in kinds else float(text) if float in kinds else text
    choices = FigureConfig.__dataclass_fields__[name].metadata.get("choices")
    if choices and value not in choices:
        raise ValueError(f"{name} is {text!r}")
    return value


def write_value(value: Any) -> str:
    """Write an option for the URL."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def render_options(figure: str, threshold: float) -> dict[str, Any]:
    """Render the controls of a figure's own options, then those of the page; returns all values by name."""
    stored = read_stored()
    hidden = (*SHARED, *PAGE, *WORDS, *(PATHS if state.is_classroom() else ()))
    names = [name for name in list_options(figure) if name not in hidden]
    names.sort(key=lambda name: name in DRAWS)
    values = {name: render_option(name, stored, threshold) for name in names}
    with st.expander("Names and colours", icon=":material/palette:"):
        values |= {name: render_option(name, stored, threshold) for name in list_options(figure) if name in WORDS}
    if ".tex" in FIGURES[figure].suffixes:
        values |= render_width(stored, threshold)
    else:
        with st.expander("Page", icon=":material/aspect_ratio:", expanded=True):
            values |= render_page(stored, threshold)
    store(stored | values)
    return values


def render_width(stored: dict[str, Any], threshold: float) -> dict[str, Any]:
    """Render what a table is made for; returns its values by name."""
    return {name: render_option(name, stored, threshold) for name in ("preset", "width")}


def render_page(stored: dict[str, Any], threshold: float) -> dict[str, Any]:
    """Render the controls of the page, its sizes side by side; returns their values by name."""
    first, last = PAGE[0], PAGE[-1]
    values = {first: render_option(first, stored, threshold)}
    for column, name in zip(st.columns(2), PAGE[1:-1], strict=True):
        with column:
            values[name] = render_option(name, stored, threshold)
    return values | {last: render_option(last, stored, threshold)}


def store(values: dict[str, Any]) -> None:
    """Store the options that are not the defaults, so that the URL gives the same figure."""
    fields = FigureConfig.__dataclass_fields__
    texts = (f"{name}={write_value(v)}" for name, v in values.items() if v != fields[name].default and v is not None)
    state.put("options", tuple(text for text in texts if "~" not in text))


def render_option(name: str, stored: dict[str, Any], threshold: float) -> Any:
    """Render the control of one option, which starts at what is stored, else at its default."""
    field, key = FigureConfig.__dataclass_fields__[name], PREFIX + name
    label, tip = LABELS[name], field.metadata["help"]
    if key not in st.session_state:
        start = stored.get(name, field.default)
        st.session_state[key] = start.split(",") if name == "layers" else start
    if name == "threshold":
        return render_threshold(key, threshold)
    if name == "layers":
        return ",".join(st.multiselect(label, LAYERS, key=key, help=tip)) or field.default
    if field.metadata.get("choices"):
        return st.selectbox(label, field.metadata["choices"], key=key, help=tip)
    if HINTS[name] is bool:
        return st.toggle(label, key=key, help=tip)
    if HINTS[name] is str:
        return st.text_input(label, key=key, help=tip)
    # the step makes the number whole or not; without a value the field may be empty
    value = st.number_input(label, key=key, help=tip, placeholder="as it fits", step=STEPS.get(name, 1), value=None)
    return field.default if value is None else value


def render_threshold(key: str, threshold: float) -> str:
    """Render where masks, bars and lines are taken: at each run's peak, or at the threshold of the slider."""
    ways = {"peak": "Peak of each run (oracle)", "current": f"The slider's, {threshold:.3f}"}
    if st.session_state[key] not in ways:
        st.session_state[key] = "current"
    chosen = st.segmented_control(LABELS["threshold"], list(ways), format_func=ways.get, key=key, required=True)
    return "peak" if chosen == "peak" else f"{threshold:.3f}"
