"""Curves: what every threshold would give, for the whole data set."""

import streamlit as st

from app import controls, state
from app.cache import runs as cached
from app.components import curve_views, image_table, precision_views, protocol_notes, two_cuts_view
from app.components.claim import render_claim
from app.components.later import render_later
from app.components.live import render_threshold
from app.components.run_table import render_run_table
from app.words import claims, tables
from app.words.definitions import AVERAGINGS, DEFINITIONS

VIEWS = {
    "miou": "mIoU", "classes": "Classes", "rates": "Precision", "sizes": "Sizes",
    "images": "Each image", "best": "Best thresholds", "cuts": "Two cuts", "difference": "Difference",
}
RENDERERS = {
    "miou": curve_views.render_miou, "classes": curve_views.render_classes, "rates": precision_views.render_rates,
    "sizes": precision_views.render_sizes, "images": precision_views.render_images, "best": curve_views.render_best,
    "cuts": two_cuts_view.render_cuts, "difference": curve_views.render_difference,
}
BELOW = {  # under the threshold's bar
    "miou": curve_views.render_miou_notes, "cuts": two_cuts_view.render_pairs,
    "rates": precision_views.render_rate_table,
    "sizes": precision_views.explain_sizes, "images": precision_views.explain_images,
}
WITH_AXIS = ("miou", "classes", "rates", "sizes", "difference")
AXES = {"threshold": "by threshold", "share": "by share called foreground"}
DEFINED = ("peak_miou", "oracle_miou", "oracle_less_peak", "plateau", "plateau_share", "mean_miou", "gap", "auc",
           "imbalance", "gini", "precision", "recall", "interval")
LOSERS = 8


def render() -> None:
    """Render the screen."""
    choice = controls.render_choice(DEFINED, render_view_choice)
    if choice is None:
        return
    costs = {choice.styles[key].label: choice.summary(key) for key in choice.runs}
    render_claim(claims.write_cost(costs, state.get("data") or ""))
    controls.render_notes(choice)
    RENDERERS[state.get("view")](choice)
    render_threshold(choice)
    if below := BELOW.get(state.get("view")):
        below(choice)
    render_run_table(choice, controls.find_groups()[choice.group])
    protocol_notes.render_protocols(choice)
    left, right = st.columns(2, gap="medium")
    runs, question = list(choice.runs.values()), (choice.averaging, choice.classes, choice.images)
    with left:
        render_later("Images that lose most", runs, question, lambda: warm_scores(choice),
                     lambda: render_losers(choice))
    with right:
        render_later("What the protocol changes", runs, question, lambda: warm_summaries(choice),
                     lambda: render_protocols(choice))


def render_view_choice(_runs: dict) -> None:
    """Render the choice of the chart and of its horizontal axis."""
    view = st.segmented_control("Chart", list(VIEWS), format_func=VIEWS.get, required=True,
                                label_visibility="collapsed", **state.bind("view", list(VIEWS)))
    if view in WITH_AXIS:
        st.selectbox("Horizontal axis", list(AXES), format_func=AXES.get, label_visibility="collapsed", width=130,
                     help="A share does not change when a map is rescaled, a threshold does.",
                     **state.bind("axis", list(AXES)))
    if view in ("miou", "difference"):
        st.toggle("Intervals", help=DEFINITIONS["interval"].text, **state.bind("intervals"))


def warm_scores(choice: controls.Choice) -> None:
    """Score the images of every run, for `render_losers`."""
    for run in choice.runs.values():
        cached.load_image_scores(run, choice.averaging, choice.classes)


def warm_summaries(choice: controls.Choice) -> None:
    """Score every run under every averaging, for `render_protocols`."""
    for key in choice.runs:
        for averaging in AVERAGINGS:
            choice.summary(key, averaging)


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
