"""The frame of a lesson: what is said, one figure, one question, and the way on."""

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from app import state

LESSONS = {
    "what_a_cam_is": "What a CAM is",
    "one_threshold": "Why one threshold costs",
    "two_conditions": "The two conditions",
    "per_pixel_loss": "What the per-pixel loss does",
    "label_conditioning": "What label conditioning does",
    "sandbox": "The sandbox",
    "train_it_yourself": "Train it yourself",
    "reading_a_paper": "Reading a paper",
}
STYLE = """
<style>
.st-key-lesson-text p, .st-key-lesson-text li { font-size: 1.1rem; line-height: 1.55; max-width: 62ch; }
.st-key-lesson-text blockquote p { font-size: 1.15rem; }
</style>
"""


def render_text(name: str, *paragraphs: str) -> None:
    """Render the number and title of a lesson, and what it says."""
    number = list(LESSONS).index(name) + 1
    st.html(STYLE)
    st.caption(f"Lesson {number} of {len(LESSONS)}")
    st.header(LESSONS[name], anchor=False)
    with st.container(key="lesson-text"):
        for column, paragraph in zip(st.columns(len(paragraphs), gap="large"), paragraphs, strict=True):
            column.markdown(paragraph)


def render_figure(figure: go.Figure, name: str, alt: str) -> None:
    """Render the figure of a lesson; its toolbar saves it as SVG under the lesson's name."""
    st.plotly_chart(figure, key=f"lesson:{name}", alt=alt, config={
        "displayModeBar": True, "displaylogo": False,
        "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        "toImageButtonOptions": {"format": "svg", "filename": name.replace("_", "-")},
    })


def render_question(question: str, answer: str) -> None:
    """Render the question to the reader; the answer is hidden until it is asked for."""
    st.markdown(f"**Think first.** {question}")
    with st.expander("Show the answer", icon=":material/lightbulb:"):
        st.markdown(answer)


def render_way_on(name: str) -> None:
    """Render the links to the lesson before and the lesson after."""
    names = list(LESSONS)
    place = names.index(name)
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for step, icon in ((-1, ":material/arrow_back:"), (1, ":material/arrow_forward:")):
            if 0 <= place + step < len(names):
                other = names[place + step]
                st.page_link(f"lessons/{other}.py", label=LESSONS[other], icon=icon)


def render_slider(label: str, low: float, high: float, step: float, name: str, help_text: str | None = None) -> float:
    """Render a slider of a shared number; a number of an old link outside the range is moved to its end."""
    state.put(name, min(max(float(state.get(name)), low), high))
    return st.slider(label, low, high, step=step, help=help_text, **state.bind(name))


def render_choice(label: str, options: Sequence[str], name: str, **more) -> str:
    """Render a choice of a shared name, its default where an old link names something else; returns it."""
    if state.get(name) not in options:
        state.put(name, options[0])
    return st.selectbox(label, options, **state.bind(name, options), **more)


def render_image_choice(run, label: str = "Image") -> str:
    """Render the choice of one of a run's images; returns its id."""
    from app.cache import runs as cached  # the charts of a lesson without images need none of it

    ids = list(run.map_ids or cached.load_counts(run).image_ids)
    return render_choice(label, ids, "scene", width=190)
