"""Curves: what every threshold would give, for the whole data set."""

import streamlit as st

from app import controls, state
from app.components import curve_views, image_table, protocol_notes
from app.words import tables
from app.words.definitions import AVERAGINGS, DEFINITIONS

VIEWS = {
    "miou": "mIoU", "classes": "Each class", "rates": "Precision and recall", "difference": "Difference",
    "best": "Best thresholds",
}
AXES = {"threshold": "threshold", "share": "share called foreground"}
LOSERS = 8


def render() -> None:
    """Render the screen."""
    choice = controls.render_choice((*tables.SCALED, *tables.SCALE_FREE, "precision", "recall", "interval"))
    if choice is None:
        return
    controls.render_notes(choice)
    protocol_notes.render_protocols(choice)
    view = render_view_choice()
    getattr(curve_views, f"render_{view}")(choice)
    render_summaries(choice)
    left, right = st.columns(2, gap="medium")
    with left:
        render_losers(choice)
    with right:
        render_protocols(choice)


def render_view_choice() -> str:
    """Render the choice of the chart and of its horizontal axis."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        view = st.segmented_control("Chart", list(VIEWS), format_func=VIEWS.get, required=True,
                                    **state.bind("view", list(VIEWS)))
        if view != "best":
            st.segmented_control("Horizontal axis", list(AXES), format_func=AXES.get, required=True,
                                 help="A share does not change when a map is rescaled, a threshold does.",
                                 **state.bind("axis", list(AXES)))
        if view in ("miou", "difference"):
            st.toggle("Intervals", help=DEFINITIONS["interval"].text, **state.bind("intervals"))
    return view


def render_summaries(choice: controls.Choice) -> None:
    """Render the numbers of all runs: those that a rescaling of the maps changes, and those that it cannot."""
    summaries = {choice.styles[key].label: choice.summary(key) for key in choice.runs}
    scaling = {"Normalisation": [run.meta["protocol"].get("normalisation", "not said") for run in choice.runs.values()]}
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Changes with the scale of the maps**")
        st.table(tables.build_summary_table(summaries, tables.SCALED, choice.threshold, scaling), border="horizontal")
    with right:
        st.markdown("**A rescaling cannot change**")
        st.table(tables.build_summary_table(summaries, tables.SCALE_FREE, choice.threshold), border="horizontal")
    classes = f"over {', '.join(choice.classes)}" if choice.classes else "over all classes"
    st.caption(f"{next(iter(summaries.values())).images} images · mean {classes} · {AVERAGINGS[choice.averaging]} · "
               "ground truth 255 left out · bold: the better one, where scales do not matter · :orange-badge[oracle] "
               "chosen on the ground truth of these images.")


def render_losers(choice: controls.Choice) -> None:
    """Render the images behind the curve: those that lose most to the current threshold."""
    names = {key: choice.styles[key].label for key, run in choice.runs.items() if not run.is_masks}
    if not names:
        st.caption("Finished masks lose nothing to a threshold: they have none.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown(f"**Images that lose most at {choice.threshold:.3f}**", width="stretch")
        key = st.selectbox("Run", list(names), format_func=names.get, label_visibility="collapsed", width=220,
                           **controls.bind_run("of", list(names), -1))
    table = image_table.build_images(choice, key).head(LOSERS)
    image_table.render_images(choice, table, "losers", ("classes", "best_threshold", "best_miou", "miou", "regret"))


def render_protocols(choice: controls.Choice) -> None:
    """Render what the averaging changes."""
    st.markdown("**What the protocol changes**")
    rows = {
        text: {choice.styles[key].label: choice.summary(key, averaging) for key in choice.runs}
        for averaging, text in AVERAGINGS.items()
    }
    st.table(tables.build_protocol_table(rows, choice.threshold), border="horizontal")


render()
