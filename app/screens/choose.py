"""Choose a threshold: with no ground truth, with a little, and what each choice costs."""

from dataclasses import replace

import streamlit as st

from app import controls, state
from app.cache import choices as cached_choices
from app.charts import choices as choice_charts
from app.components.later import render_later
from app.components.live import render_threshold
from app.controls import Choice
from app.words import choices
from app.words.text import escape

PART, SCOPE = "widget:choose-part", "widget:choose-scope"
SHARE, SECONDS, MINUTES = "widget:choose-share", "widget:choose-seconds", "widget:choose-minutes"
CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}


def render() -> None:
    """Render the screen."""
    choice = controls.render_choice(("threshold", "peak_miou", "regret", "interval"), controls.render_run_menu)
    if choice is None:
        return
    controls.render_notes(choice)
    choice = controls.leave_out_refined(choice)
    if choice is None:
        return
    choice = replace(choice, runs={key: run for key, run in choice.runs.items() if not run.is_masks})
    if not choice.runs:
        st.info("The chosen runs are finished masks: they have no threshold to choose. Choose a run with maps.",
                icon=":material/rule:")
        return
    render_threshold(choice)
    key, part = render_questions(choice)
    render_later("Every way to choose a threshold", list(choice.runs.values()),
                 (key, part, choice.averaging, choice.classes, choice.images), lambda: warm_choices(choice, key, part),
                 lambda: render_answers(choice, key, part))


def warm_choices(choice: Choice, key: str, part: str) -> None:
    """Compute what `render_answers` draws: every selector of one run, and what labels buy for all."""
    asked = (choice.averaging, choice.classes, choice.images, part)
    for run in choice.runs.values():
        cached_choices.load_budget(run, *asked)
        cached_choices.load_choices(run, *asked)
    cached_choices.load_confident(choice.runs[key], choice.images, part)


def render_answers(choice: Choice, key: str, part: str) -> None:
    """Render the table of selectors, what labels buy, and both thresholds."""
    left, right = st.columns([7, 5], gap="medium")
    with left:
        render_table(choice, key, part)
    with right:
        render_budget(choice, part)
    left, right = st.columns([5, 7], gap="medium")
    with left:
        render_plane(choice, key, part)
    with right:
        render_pairs(choice, key, part)


def render_questions(choice: Choice) -> tuple[str, str]:
    """Render the choice of the run and of the images to score on."""
    keys = list(choice.runs)
    parts = cached_choices.PARTS
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        key = st.segmented_control("Run", keys, format_func=lambda k: escape(choice.styles[k].label), required=True,
                                   **controls.bind_run("of", keys, -1))
        part = st.segmented_control(
            "Choose and score on", list(parts), format_func=parts.get, default="all", required=True, key=PART,
            help="Labelled images always come from the other half. With all images, both ways round.")
        st.toggle("Also by class and by image", key=SCOPE)
        with st.popover("What you know", icon=":material/person:"):
            st.number_input("Share of the pixels that show an object", 0.01, 0.99, None, 0.01, key=SHARE,
                            placeholder="such as 0.30", help="One number, if you know your data; it becomes a rule.")
            st.number_input("Seconds an answer at a pixel takes", 0.5, 60.0, choices.SECONDS, 0.5, key=SECONDS)
            st.number_input("Minutes the mask of an image takes", 0.1, 60.0, choices.MINUTES, 0.5, key=MINUTES)
    return key, part


def load_rows(choice: Choice, key: str, part: str) -> list[dict]:
    """Load the rows of a run's selectors, best first."""
    asked = (choice.runs[key], choice.averaging, choice.classes, choice.images, part)
    told = cached_choices.load_told(*asked, st.session_state.get(SHARE))
    return sorted([*cached_choices.load_choices(*asked), *told], key=lambda row: row["regret"])


def render_table(choice: Choice, key: str, part: str) -> None:
    """Render the honest table: what every selector gives and costs; a click sets the threshold."""
    rows = load_rows(choice, key, part)
    scopes = tuple(choices.SCOPES) if st.session_state.get(SCOPE) else ("data set",)
    shown = [row for row in rows if row["scope"] in scopes]
    best = choices.find_suggested(rows)
    st.markdown(f"**{escape(choice.styles[key].label)}: {best['title']} gives {best['threshold']:.3f}**, "
                f"{best['regret'] * 100:.1f} points of regret ({choices.write_interval(best)}) "
                f"{choices.write_badge('none')}")
    name = f"table:choices:{key}:{part}:{len(scopes)}"
    st.dataframe(
        choices.build_table(rows, scopes, st.session_state[SECONDS], st.session_state[MINUTES]), hide_index=True,
        height=400, key=name, selection_mode="single-row", on_select=lambda: take_row(name, shown),
        column_config=describe_columns(shown), placeholder="–")
    if st.session_state.get(SHARE):
        asked = (choice.runs[key], choice.averaging, choice.classes, choice.images, part)
        st.caption(choices.write_share(*cached_choices.load_tolerance(*asked)))
    st.caption("The rule named on top is the one whose largest regret on the bundled runs of photographs is the "
               "smallest; none is safe on all. "
               "A click on a row sets the threshold. Regret: points below the best single threshold on these images, "
               "95 % interval over images; below zero: better than any single threshold. Selectors without ground "
               "truth see activations only, but pixels marked 255 (not scored) were never counted. "
               + choices.write_need_of_maps(choice.runs[key].has_maps))


def take_row(name: str, rows: list[dict]) -> None:
    """Set the threshold to that of the row that was clicked."""
    marked = st.session_state[name].selection.rows
    if marked:
        state.put("t", round(rows[marked[0]]["threshold"], 3))


def describe_columns(rows: list[dict]) -> dict:
    """Describe the columns of the table of selectors."""
    number = st.column_config.NumberColumn
    return {
        "selector": st.column_config.TextColumn("Selector", pinned=True), "scope": "For", "uses": describe_badges(rows),
        "threshold": number("Threshold", format="%.3f", help="The median, where there are many."),
        "miou": number("mIoU (%)", format="%.1f"), "regret": number("Regret", format="%.1f"),
        "interval": "95 %", "source": "Source",
        "minutes": number("Minutes", format="%.0f", help="Of a person, at the assumed times; see What you know."),
    }


def describe_badges(rows: list[dict] | tuple = ()):
    """Describe a column of badges: what a number used."""
    badges = choices.list_badges(rows)
    return st.column_config.MultiselectColumn("Used", options=list(badges), color=list(badges.values()), width=150)


def render_budget(choice: Choice, part: str) -> None:
    """Render what labelled images buy, for every run."""
    st.markdown(f"**How many labels would do?** {choices.write_badge('labels:n')}")
    drawn, needs = [], []
    for key, run in choice.runs.items():
        budget = cached_choices.load_budget(run, choice.averaging, choice.classes, choice.images, part)
        unseen = choices.find_suggested(load_rows(choice, key, part))["regret"]
        drawn.append((choice.styles[key], budget, unseen))
        needs.append(f"{escape(choice.styles[key].label)}: {choices.write_needed(budget)}")
    st.plotly_chart(choice_charts.draw_budget(drawn), key="chart:budget", config=CONFIG,
                    alt="Regret in points against the number of labelled images")
    st.caption("Within half a point (thin line): " + "; ".join(needs) + ". Chosen on images of one half, scored on the "
               "other. Dotted: no ground truth at all.")


def render_plane(choice: Choice, key: str, part: str) -> None:
    """Render precision and coverage over both thresholds; a click takes both."""
    name = escape(choice.styles[key].label)
    st.markdown(f"**Confident thresholds for seeds** · {name} {choices.write_badge('oracle')}")
    confident = cached_choices.load_confident(choice.runs[key], choice.images, part)
    pairs = choices.list_pairs(confident, choice.runs[key].method, load_rows(choice, key, part))
    figure = choice_charts.draw_plane(
        confident, [(name, fg, bg) for name, _, fg, bg in pairs], (choice.threshold, state.get("low")))
    name = f"chart:plane:{key}"
    st.plotly_chart(figure, key=name, on_select=lambda: take_pair(name), selection_mode="points", config=CONFIG,
                    alt="Precision of confident areas over both thresholds, with lines of equal coverage")


def take_pair(name: str) -> None:
    """Set both thresholds to those of the point that was clicked."""
    points = st.session_state[name].selection.points
    if points and points[0]["y"] <= points[0]["x"]:
        state.put("t", round(float(points[0]["x"]), 3))
        state.put("low", round(float(points[0]["y"]), 3))


def render_pairs(choice: Choice, key: str, part: str) -> None:
    """Render what rules for both thresholds would give."""
    confident = cached_choices.load_confident(choice.runs[key], choice.images, part)
    pairs = choices.list_pairs(confident, choice.runs[key].method, load_rows(choice, key, part))
    if state.get("low") <= choice.threshold:
        pairs.insert(0, ("now", "", choice.threshold, state.get("low")))
    st.markdown("**What a rule for both would give**")
    titles = {
        "foreground": "Above", "background": "Up to", "foreground_precision": "Foreground right %",
        "background_precision": "Background right %", "precision": "Both right %", "coverage": "Both cover %"}
    columns = {"rule": "Rule", "uses": describe_badges()} | {
        name: st.column_config.NumberColumn(title, format="%.1f" if "%" in title else "%.3f")
        for name, title in titles.items()}
    st.dataframe(choices.build_pairs(confident, pairs), hide_index=True, key="table:pairs", column_config=columns)
    st.caption("Sure foreground lies above one threshold, sure background up to the other, the rest is unsure. White "
               "lines: share of all pixels covered. Without the CRF of the paper. The badge says what chose the pair; "
               "precision and coverage always need ground truth.")


render()
