"""The frame of a lesson: its message at a glance, what to try first, one live figure, the words, and the way on."""

import streamlit as st

from app.components.lesson import Figure, Guess, Slider, Switch, render_lesson_figure

LESSONS = {
    "what_a_cam_is": "What a CAM is",
    "one_threshold": "One threshold for many images",
    "two_conditions": "The two conditions",
    "how_wide": "How wide is wide",
    "per_pixel_loss": "What the per-pixel loss does",
    "label_conditioning": "What label conditioning does",
    "sandbox": "The sandbox",
    "train_it_yourself": "Train it yourself",
    "reading_a_paper": "Reading a paper",
}
STYLE = """
<style>
.st-key-lesson-head p { font-size: 1rem; line-height: 1.4; margin-bottom: 0; }
.st-key-lesson-text p, .st-key-lesson-text li { font-size: 1.05rem; line-height: 1.55; max-width: 62ch; }
</style>
"""


def render_head(name: str, glance: str, first: str) -> None:
    """Render title, the message of the lesson in a sentence or two, and what to try first."""
    number = list(LESSONS).index(name) + 1
    st.html(STYLE)
    st.subheader(f"{number} · {LESSONS[name]}", anchor=False)
    with st.container(key="lesson-head"):
        left, right = st.columns([3, 2], gap="large")
        left.markdown(f"**At a glance.** {glance}")
        right.markdown(f"**Try first.** {first}")


def render_figure(figure: Figure, controls: tuple[Slider | Switch, ...], guess: Guess | None) -> bool:
    """Render the figure; returns whether the reader has committed a guess, so that answers may be shown."""
    return render_lesson_figure(figure, controls, guess) is not None


def render_text(*paragraphs: str) -> None:
    """Render what the figure shows in words, a column a paragraph."""
    with st.container(key="lesson-text"):
        for column, paragraph in zip(st.columns(len(paragraphs), gap="large"), paragraphs, strict=True):
            column.markdown(paragraph)


def render_answer(is_open: bool, text: str) -> None:
    """Render what the measured numbers say, once a guess is committed."""
    if is_open:
        st.success(text, icon=":material/lightbulb:")
    else:
        st.caption("What was measured is told here once you have committed a guess.")


def render_way_on(name: str) -> None:
    """Render the links to the lesson before and the lesson after."""
    names = list(LESSONS)
    place = names.index(name)
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for step, icon in ((-1, ":material/arrow_back:"), (1, ":material/arrow_forward:")):
            if 0 <= place + step < len(names):
                other = names[place + step]
                st.page_link(f"lessons/{other}.py", label=LESSONS[other], icon=icon)
