"""The course: an assignment from data to report, whose steps are ticked off by what is there."""

import streamlit as st

from amn_core.course.assignment import KINDS, PETS, SCENES, STEPS, Assignment
from amn_core.course.steps import Tick
from amn_core.course.work import load_answers, save_answers
from app import controls, coursework, state
from app.cache import courses as cached
from app.components.course_steps import render_step
from app.words.text import escape

CURRENT, CHOSEN, BEFORE = "course-step", "course-folder", "course-done-before"
WIDTHS = [3, 8]
STYLE = """
<style>
.st-key-course-list { gap: 0.15rem; }
.st-key-course-list button, .st-key-course-list button > div { justify-content: flex-start; text-align: left; }
.st-key-course-list button[kind="secondary"] { border-color: transparent; }
</style>
"""


def render() -> None:
    """Render the screen: the steps on the left, one of them on the right; without an assignment, how to begin."""
    controls.follow_request()
    assignments = coursework.find_assignments()
    if state.is_classroom():
        render_text_alone()
    elif not assignments:
        render_begin(is_open=True)
    else:
        render_assignment(choose(assignments))
        render_begin(is_open=False)


def render_text_alone() -> None:
    """Render what is asked, for pages that change nothing."""
    st.header("One threshold, many images", anchor=False)
    st.info("In a classroom nothing is started from this page: work on the assignment with the app on your own "
            "machine. `python -m amn_core course new scenes --out DIR` writes it.", icon=":material/school:")
    for number, step in enumerate(STEPS, 1):
        st.markdown(f"**{number}. {step.title}** · {step.minutes} min  \n{step.text}")


def choose(assignments: dict[str, Assignment]) -> Assignment:
    """Choose the assignment to work on; one alone is not asked about."""
    if len(assignments) == 1:
        return next(iter(assignments.values()))
    name = st.selectbox("Assignment", list(assignments), key=CHOSEN, label_visibility="collapsed", width=460)
    return assignments[name]


def render_assignment(assignment: Assignment) -> None:
    """Render an assignment: how far it is, its steps, and the one at hand."""
    ticks = cached.load_ticks(assignment)
    st.html(STYLE)
    render_head(assignment, ticks)
    left, right = st.columns(WIDTHS, gap="large")
    with left:
        current = render_list(assignment, ticks)
    with right, st.container(key="course-step-body"):
        place = next(i for i, tick in enumerate(ticks) if tick.step.id == current)
        render_step(assignment, ticks[place])
        if ticks[place].is_done and place + 1 < len(ticks):
            render_next(assignment, ticks[place + 1])


def render_head(assignment: Assignment, ticks: list[Tick]) -> None:
    """Render whose work it is, on which data, and how far it is."""
    done = [tick for tick in ticks if tick.is_done]
    total = sum(step.minutes for step in STEPS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.header("One threshold, many images", anchor=False)
        stored = load_answers(assignment.folder)["student"]
        name = st.text_input("Your name", value=stored, key=f"course-student:{assignment.folder}", width=220,
                             max_chars=200, placeholder="as it shall stand in the report")
        if name.strip() != stored:
            save_answers(assignment.folder, "student", {"student": name})
    st.progress(len(done) / len(ticks), text=(
        f"{len(done)} of {len(ticks)} steps done, {sum(t.step.minutes for t in done)} of {total} minutes planned · "
        f"{KINDS[assignment.kind]} · {escape(assignment.folder)}"))


def render_list(assignment: Assignment, ticks: list[Tick]) -> str:
    """Render the steps with their ticks; returns the one at hand: the first that is open, until another is chosen."""
    key = f"{CURRENT}:{assignment.folder}"
    if key not in st.session_state:
        st.session_state[key] = next((tick.step.id for tick in ticks if not tick.is_done), ticks[-1].step.id)
    with st.container(key="course-list", gap="small"):
        for number, tick in enumerate(ticks, 1):
            step, is_current = tick.step, tick.step.id == st.session_state[key]
            mark = ":material/check_circle:" if tick.is_done else ":material/radio_button_unchecked:"
            mark = f":green[{mark}]" if tick.is_done and not is_current else mark
            st.button(
                f"{mark} {number}. {step.title} · {step.minutes} min", key=f"course-step:{step.id}", width="stretch",
                type="primary" if is_current else "secondary", on_click=st.session_state.__setitem__,
                args=(key, step.id))
    return st.session_state[key]


def render_next(assignment: Assignment, tick: Tick) -> None:
    """Render the way to the next step."""
    st.button(f"Next: {tick.step.title}", key="course-next", icon=":material/arrow_forward:", icon_position="right",
              on_click=st.session_state.__setitem__, args=(f"{CURRENT}:{assignment.folder}", tick.step.id))


def render_begin(is_open: bool) -> None:
    """Render the form that begins an assignment, or opens one that lies elsewhere."""
    if is_open:
        st.header("The course: one threshold, many images", anchor=False)
        st.markdown(f"An assignment of about {sum(step.minutes for step in STEPS)} minutes, from data to a report. "
                    "Each step is ticked off by what is really there, and the report can be checked by anyone who has "
                    "the data.")
    with st.expander("Begin an assignment", icon=":material/add:", expanded=is_open), st.form("course-begin"):
        left, middle, right = st.columns([3, 4, 4])
        names = {"scenes": f"Drawn scenes: {SCENES} images, trained here, no download",
                 "pets": f"Oxford-IIIT Pet: {PETS} photographs, ready models, 0.8 GB to get"}
        kind = left.selectbox("Data", list(names), format_func=names.get, key="course-kind")
        folder = middle.text_input("New folder for your work, or one with an assignment", key="course-new-folder",
                                   value=coursework.suggest_folder())
        data = right.text_input("For pets: where they are, if you have them", key="course-data",
                                placeholder="pets:/data/pets")
        if st.form_submit_button("Begin", type="primary", icon=":material/play_arrow:"):
            begin(kind, folder, data)


def begin(kind: str, folder: str, data: str) -> None:
    """Begin an assignment, or open the one that lies in the folder; or say why not."""
    try:
        found = coursework.open_or_begin(kind, folder, data)
    except (ValueError, OSError) as error:
        st.error(escape(error), icon=":material/error:")
        return
    st.session_state.pop(CHOSEN, None)
    st.session_state[f"{CURRENT}:{found.folder}"] = STEPS[0].id
    st.rerun()


render()
