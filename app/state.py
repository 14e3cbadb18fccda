"""What all screens share, and its way into the URL and back.

Every choice has one entry in `PARAMS`. A new session reads the URL once; afterwards the session is the
truth and the URL follows it, so that a rerun with a stale URL never moves a control back.

    value = state.get("t")                            read
    state.put("t", 0.35)                              write, in a callback or before the widget
    st.selectbox("Sort by", options, **state.bind("sort", options))   a widget that reads and writes it
"""

import math
import os
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.guard import COOKIE, is_key

PREFIX = "shared:"
USED = "shared-names-in-use"
READ_URL = "shared-url-was-read"
PAGE = "shared-page"
VISIT = "shared-visit"
SEEN = "shared-names-by-page"
STEPS = ("data", "image", "layer", "view", "axis", "points", "shown", "sheet", "figure", "job", "make", "bundle")


@dataclass(frozen=True)
class Param:
    """One shared choice: its value before anybody chose, and how it is written in a URL.

    `read` raises ValueError for a text that is no value of it; the default is taken then.
    """

    default: Any
    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str


def read_unit(text: str) -> float:
    """Read a number in [0, 1]."""
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(f"{text} is not in [0, 1]")
    return value


def write_unit(value: float) -> str:
    """Write a number in [0, 1] with three digits, the step of the thresholds."""
    return f"{value:.3f}"


def read_list(text: str) -> tuple[str, ...]:
    """Read names joined by '~', which no run, class or image id of ours contains."""
    return tuple(filter(None, text.split("~")))


def read_flag(text: str) -> bool:
    """Read 0 or 1."""
    return bool(("0", "1").index(text))


def read_one_of(*options: str) -> Callable[[str], str]:
    """Build a reader that takes some texts only."""
    def read(text: str) -> str:
        return options[options.index(text)]

    return read


def read_number(text: str) -> float:
    """Read a finite number."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value


def read_range(text: str) -> tuple[float, float]:
    """Read two numbers joined by '~', lower first; a side left out has no bound."""
    low, high = text.split("~")
    bounds = (read_number(low) if low else -math.inf, read_number(high) if high else math.inf)
    if bounds[0] > bounds[1]:
        raise ValueError(f"{text} goes down")
    return bounds


def write_range(bounds: tuple[float, float]) -> str:
    """Write two numbers as `read_range` reads them."""
    return "~".join("" if math.isinf(bound) else f"{bound:g}" for bound in bounds)


UNIT = {"read": read_unit, "write": write_unit}
LIST = {"read": read_list, "write": "~".join}
NUMBER = {"read": read_number, "write": "{:g}".format}
RANGE = {"read": read_range, "write": write_range}
FLAG = {"read": read_flag, "write": lambda value: str(int(value))}

PARAMS: dict[str, Param] = {
    # shared by all screens
    "t": Param(0.35, **UNIT),                # the threshold
    "data": Param(None),                     # key of a group of runs: data set and split
    "runs": Param((), **LIST),               # keys of runs; empty means all of the group
    "image": Param(None),                    # image id
    "classes": Param((), **LIST),            # names of the classes that count; empty means all
    "averaging": Param("union", read_one_of("union", "all", "present")),  # how the mIoU treats absent classes
    # Explore and the canvas
    "low": Param(0.10, **UNIT),              # threshold of confident background
    "layer": Param("heat"),
    "colours": Param("viridis"),
    "opacity": Param(0.65, **UNIT),
    "contour": Param(True, **FLAG),
    "truth": Param(True, **FLAG),
    "class": Param("all"),                   # the class shown on the canvas
    "swipe": Param(False, **FLAG),
    "anchor": Param(False, **FLAG),          # the middle of the colour map lies at the threshold
    "contrast": Param(1.0, **NUMBER),        # exponent of the activation in the colour map
    "palette": Param("bright", read_one_of("bright", "voc")),  # colours of the classes
    "hidden": Param((), **LIST),             # runs switched off on the canvas
    "mix": Param("off", read_one_of("off", "or", "and", "mean", "max", "masks")),  # how two maps are combined
    "mix-of": Param(None),                   # the runs that are combined, by key
    "mix-with": Param(None),
    "bundle": Param(None),                   # whose models look at the user's photograph
    "find": Param(""),
    "only": Param(None),                     # show images that have this class
    "number": Param("any"),                  # show images with so many classes
    "size": Param("any"),                    # show images whose objects are so large
    "regret-range": Param(None, **RANGE),    # show images with these figures only: points
    "gap-range": Param(None, **RANGE),
    "imbalance-range": Param(None, **RANGE),
    "best-range": Param(None, **RANGE),      # thresholds
    "sort": Param("regret"),
    "of": Param(None),                       # key of the run whose figures sort the images
    "against": Param(None),                  # key of the run to which a step leads from the one above
    "step-at": Param("now", read_one_of("now", "peak")),  # both at the threshold, or each at its own peak
    "step-range": Param(None, **RANGE),      # show images whose step is so large, points
    "ascending": Param(False, **FLAG),
    # Curves, Activation and Images
    "subset": Param((), **LIST),             # ids of the images that count; empty means all
    "common": Param(False, **FLAG),          # only the images that all chosen runs have
    "view": Param("miou", read_one_of(      # which chart of Curves
        "miou", "classes", "rates", "sizes", "images", "best", "cuts", "difference")),
    "share": Param("rate", read_one_of("rate", "union")),  # of what false positives and negatives are a share
    "size-measure": Param("iou", read_one_of("iou", "precision", "recall", "false_positive_rate")),
    "size-cuts": Param("2, 10, 35"),         # where sizes of objects are parted, percent of the image
    "axis": Param("threshold", read_one_of("threshold", "share")),  # or "share": of the pixels called foreground
    "intervals": Param(True, **FLAG),
    "first": Param(None),                    # the two runs of a difference, by key
    "second": Param(None),
    "shown": Param("all"),                   # the class whose histograms are shown
    "mirror": Param(True, **FLAG),
    "points": Param("image", read_one_of("image", "class")),  # one point an image or a class
    "job": Param(None),                      # id of the job that Train shows
    "make": Param("training", read_one_of("training", "refined", "networks")),  # what its form starts
    "sheet": Param(False, **FLAG),           # photographs instead of a table
    "tile": Param("photo", read_one_of("photo", "truth", "map", "mask", "errors")),  # what lies over them
    # Figures
    "figure": Param("miou"),
    "options": Param((), **LIST),            # name=value of each option that is not its default
    # Lessons: numbers of sliders, and which of several options is on
    "scene": Param(0, int, str),             # which of the lesson's images
    "method": Param(0, int, str),            # which of its runs
    "added": Param(3, int, str),             # features that are added up, as a step of the lesson's list
    "imbalance": Param(0.2, **NUMBER),       # the model: standard deviation within an object
    "gap": Param(0.45, **NUMBER),
    "between": Param(0.1, **NUMBER),         # standard deviation between images
    "bend": Param(1.0, **NUMBER),            # the power that every value is raised to
    "tolerance": Param(2.0, **NUMBER),       # percent of the peak that count as near it
    "epsilon": Param(0.4, **NUMBER),
    "steps": Param(0, int, str),             # of training
    "preset": Param(0, int, str),            # the sandbox
    "gamma": Param(1.0, **NUMBER),
    "clip": Param(1.0, **NUMBER),
    "sharpness": Param(0.0, **NUMBER),
    "suppression": Param(0.0, **NUMBER),
    "knob": Param(0.5, **NUMBER),
    "choice": Param(0, int, str),            # where a threshold is chosen
    "rule": Param(0, int, str),              # what an absent class counts
    "sample": Param(0, int, str),            # how many images are scored, as a step of the lesson's list
}


def begin(page: str) -> None:
    """Start a run of the script on a page: a new session takes its choices from the URL."""
    st.session_state[USED] = set()
    if st.session_state.get(PAGE) != page:
        st.session_state[PAGE] = page
        st.session_state[VISIT] = get_visit() + 1
    query = st.query_params.to_dict()
    if is_history_step():  # the address leads
        forget(st.session_state.get(SEEN, {}).get(page, set()) - query.keys(), st.session_state)
        restore(query, st.session_state)
    elif READ_URL not in st.session_state:
        restore(query, st.session_state)
    st.session_state[READ_URL] = True


def is_history_step() -> bool:
    """Whether this run was asked for by going back or forward in the browser."""
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    return bool(getattr(get_script_run_ctx(), "is_history_navigation", False))


def forget(names: set[str], session: MutableMapping[str, Any]) -> None:
    """Undo some choices: an address that does not name them was written before they were made."""
    for name in names:
        session.pop(PREFIX + name, None)


def get_visit() -> int:
    """Count the pages opened in this session, so that a part of the page can tell a new visit from a rerun."""
    return st.session_state.get(VISIT, 0)


def restore(query: dict[str, str], session: MutableMapping[str, Any]) -> None:
    """Copy the choices that a URL names into a session; what does not parse is passed over."""
    for name in query.keys() & PARAMS.keys():
        try:
            session[PREFIX + name] = PARAMS[name].read(query[name])
        except ValueError:
            continue


def get(name: str) -> Any:
    """Read a shared choice, its default if nobody made it; the URL will name it from now on."""
    st.session_state.setdefault(USED, set()).add(name)
    return st.session_state.get(PREFIX + name, PARAMS[name].default)


def is_chosen(name: str) -> bool:
    """Whether somebody made a choice, or a link did."""
    return PREFIX + name in st.session_state


def put(name: str, value: Any) -> None:
    """Make a shared choice."""
    st.session_state.setdefault(USED, set()).add(name)
    st.session_state[PREFIX + name] = value


def bind(name: str, options: Sequence[Any] | None = None, then: Callable[[], None] | None = None) -> dict[str, Any]:
    """Build the keyword arguments that tie a widget to a shared choice.

    Args:
        options: what may be chosen; a value outside (an old link) falls back to the default, else the first.
            For a tuple, the values outside are dropped.
        then: called after the choice was stored.

    Returns:
        ``key`` and ``on_change`` for any widget whose value is that of the choice.
    """
    key = f"widget:{name}"
    value = fit(get(name), PARAMS[name].default, options)
    st.session_state[key] = list(value) if isinstance(value, tuple) else value

    def store() -> None:
        chosen = st.session_state[key]
        put(name, tuple(chosen) if isinstance(chosen, list) else chosen)
        if then:
            then()

    return {"key": key, "on_change": store}


def fit(value: Any, default: Any, options: Sequence[Any] | None) -> Any:
    """Fit a stored value to what is on offer now."""
    if options is None:
        return value
    if isinstance(value, tuple):
        return tuple(item for item in value if item in options)
    if value in options:
        return value
    return default if default in options or not options else options[0]


def publish() -> None:
    """End a run of the script: write every choice that the screen read, and that is not the default, to the URL."""
    used = st.session_state.get(USED, set())
    st.session_state.setdefault(SEEN, {})[st.session_state.get(PAGE)] = set(used)
    query = collect(used, st.session_state)
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


def collect(names: set[str], session: MutableMapping[str, Any]) -> dict[str, str]:
    """Collect the texts of a URL for some choices, in the order of `PARAMS`; the threshold is always there."""
    query = {}
    for name, param in PARAMS.items():
        value = session.get(PREFIX + name, param.default)
        if name in names and value is not None and (value != param.default or name == "t"):
            query[name] = param.write(value)
    return query


def is_classroom() -> bool:
    """Whether this page is one of many viewers: nothing may be started, added, changed or deleted from it."""
    return is_class() and not is_teacher()


def is_class() -> bool:
    """Whether this server is for a classroom."""
    return os.environ.get("AMN_CLASSROOM", "") not in ("", "0")


def is_teacher() -> bool:
    """Whether this page is the teacher's: its browser brought the key that the terminal printed (`app.guard`).

    The key comes as a cookie with the connection, so that no message from the page can claim it.
    """
    key = os.environ.get("AMN_TEACHER_KEY", "")
    return is_class() and any(
        is_key(value, key) for name, value in st.context.cookies.items() if name.startswith(COOKIE))
