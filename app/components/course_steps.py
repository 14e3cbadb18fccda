"""What a step of the assignment shows: what is asked, what was found, its button or its form."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from amn_core.commands.progress import list_stages
from amn_core.course.assignment import QUESTIONS, Assignment, list_commands, write_command
from amn_core.course.numbers import score_choice
from amn_core.course.report import NAME as REPORT
from amn_core.course.report import write_report
from amn_core.course.steps import LABELS, Tick, read_cut
from amn_core.course.work import LONGEST, find_runs, load_answers, save_answers
from amn_core.data import DataError
from amn_core.jobs import Job
from amn_core.scoring import score_run
from app import controls, coursework, state
from app.cache import runs as cached
from app.words.text import escape

STEP_OF = {"Course: get the pets": "data"} | {title: step for step, title in coursework.TITLES.items()}
DOES = {"data get": "downloads", "data check": "reads every image", "data preview": "draws the contact sheet",
        "apply": "makes maps", "refine": "refines masks", "count": "counts pixels"}
SEEN = "course-jobs-seen"
LESSONS = {"what_a_cam_is": "Meanwhile: what a CAM is", "one_threshold": "Meanwhile: why one threshold costs"}


def render_step(assignment: Assignment, tick: Tick) -> None:
    """Render a step: what is asked, what was found, and how to do it."""
    step = tick.step
    st.subheader(step.title, anchor=False)
    st.markdown(step.text)
    show = st.success if tick.is_done else st.info
    show(escape(tick.text), icon=":material/check_circle:" if tick.is_done else ":material/pending:")
    BODIES[step.id](assignment, tick)
    commands = list_commands(assignment).get(step.id)
    if commands:
        with st.expander("The same from the command line", icon=":material/terminal:"):
            st.code("\n".join(map(write_command, commands)), language="bash", wrap_lines=True)


def attempt(work: Callable[[], object]) -> bool:
    """Do something, or say why it cannot be done; whether it was done."""
    try:
        work()
    except (DataError, ValueError, OSError) as error:
        st.error(escape(str(error)), icon=":material/error:")
        return False
    return True


def render_start(
    assignment: Assignment, step: str, label: str, work: Callable[[], object], is_ready: bool = True
) -> None:
    """Render the button that starts a step's jobs, and how they stand."""
    jobs = [job for job in coursework.list_own_jobs(assignment) if STEP_OF[job.title] == step]
    is_busy = any(job.is_active for job in jobs)
    if st.button(label, type="primary", icon=":material/play_arrow:", disabled=is_busy or not is_ready,
                 key=f"course-start:{label}") and attempt(work):
        st.rerun()
    st.fragment(run_every=1.0 if is_busy else None)(render_jobs)(assignment, step)


def render_jobs(assignment: Assignment, step: str) -> None:
    """Render how the latest jobs of a step stand; the whole page is drawn again once one has ended."""
    jobs = [job for job in coursework.list_own_jobs(assignment) if STEP_OF[job.title] == step][:3]
    ended = {job.id for job in jobs if not job.is_active}
    for job in reversed(jobs):
        if job.is_active:
            st.progress(measure(job), text=describe_job(job))
        elif job.error and job.state != "done":
            st.error(escape(job.error), icon=":material/error:")
            break
    watched = st.session_state.setdefault(SEEN, {}).setdefault(f"{assignment.folder}:{step}", ended)
    if ended - watched:
        st.session_state[SEEN][f"{assignment.folder}:{step}"] = ended
        cached.clear_runs()
        st.rerun()


def measure(job: Job) -> float:
    """Measure how far a job is, by its stages."""
    stages = list_stages(job)
    return min(1.0, sum(stage.done for stage in stages) / max(1, len(stages)))


def describe_job(job: Job) -> str:
    """Describe what a job does now."""
    if job.state == "queued":
        return f"{job.title.partition(': ')[2]}: waits for its turn"
    stages = list_stages(job)
    current = next((stage.name for stage in stages if stage.done < 1), "")
    what = DOES.get(" ".join(job.words[:2])) or DOES.get(job.words[0]) or current
    return f"{what[:1].upper()}{what[1:]}, {measure(job):.0%}"


def render_data(assignment: Assignment, tick: Tick) -> None:
    """Render the check of the data, for pets after they were got, and the contact sheet."""
    if assignment.kind == "pets" and not coursework.has_data(assignment):
        st.markdown("The data set is not here yet: 0.8 GB from its makers. A broken download goes on where it broke.")
        render_start(assignment, "data", "Get the pets", lambda: coursework.start_get(assignment))
        return
    render_start(assignment, "data", "Check the data", lambda: coursework.start_step(assignment, "data"))
    sheet = assignment.folder / "sheet.png"
    if sheet.is_file():
        st.image(sheet.read_bytes(), alt="Contact sheet: images with their masks")


def render_guess(assignment: Assignment, tick: Tick) -> None:
    """Render the form of the guess, until it is committed."""
    given = load_answers(assignment.folder).get("guess")
    if given:
        st.markdown("Your guess is kept. The report sets it beside what your maps give.")
        return
    with st.form("course-guess"):
        left, right = st.columns(2)
        threshold = left.number_input("CAM's best threshold, from 0 to 1", 0.0, 1.0, None, 0.01, format="%.2f")
        lost = right.number_input("Points lost to one threshold for all images", 0.0, 100.0, None, 0.5, format="%.1f")
        if st.form_submit_button("Commit", type="primary", icon=":material/lock:"):
            save(assignment, "guess", {"peak_threshold": threshold, "lost": lost})


def save(assignment: Assignment, step: str, values: dict[str, Any]) -> None:
    """Save the answers of a step, or say what is missing."""
    if any(value is None for value in values.values()):
        st.error("Fill in every number.", icon=":material/error:")
    elif attempt(lambda: save_answers(assignment.folder, step, values)):
        st.rerun()


def render_maps(assignment: Assignment, tick: Tick) -> None:
    """Render the job that makes the maps."""
    if assignment.kind == "scenes":
        st.markdown("CAM learns from image labels alone, then AMN from seeds cut out of CAM's maps; both are measured "
                    "on scenes that they have not seen. Two free cores take about two minutes for each.")
    else:
        st.markdown("The bundled models know cat and dog from VOC, by image labels alone. Two free cores take a few "
                    "minutes for 200 photographs.")
    render_start(assignment, "maps", "Make the maps", lambda: coursework.start_step(assignment, "maps"),
                 assignment.kind == "scenes" or coursework.has_data(assignment))
    with st.container(horizontal=True):
        for name, label in LESSONS.items():
            st.page_link(f"lessons/{name}.py", label=label, icon=":material/school:")


def find_key(assignment: Assignment, folder: str) -> str:
    """Find the key under which the app knows a run of an assignment; empty if it has none."""
    path = (assignment.runs / folder).resolve()
    return next((key for key, run in cached.find_runs().items() if run.path.resolve() == path), "")


def go(assignment: Assignment, page: str, **choices: Any) -> None:
    """Go to another page on the assignment's runs; a callback."""
    state.put("data", f"{assignment.shown}/{assignment.split}")
    keys = tuple(filter(None, (find_key(assignment, name) for name in ("cam", "amn"))))
    state.put("runs", keys)
    for name, value in choices.items():
        state.put(name, value)
    st.session_state[controls.NEXT_PAGE] = f"screens/{page}.py"


def render_links(assignment: Assignment, *pages: tuple[str, str], **choices: Any) -> None:
    """Render buttons that lead to other pages on the assignment's runs."""
    with st.container(horizontal=True):
        for page, label in pages:
            st.button(label, icon=":material/arrow_forward:", key=f"course-go:{page}", on_click=go,
                      args=(assignment, page), kwargs=choices, disabled=not find_key(assignment, "cam"))


def render_look(assignment: Assignment, tick: Tick) -> None:
    """Render the way to Explore, at CAM's peak, with the images sorted by what they lose under CAM."""
    run = next((run for run in find_runs(assignment) if run.path.name == "cam"), None)
    choices = {}
    if run is not None:
        choices = {"t": score_run(run).peak_threshold, "of": find_key(assignment, "cam"), "sort": "regret"}
    render_links(assignment, ("explore", "Open Explore at CAM's best threshold"), **choices)


def render_curves(assignment: Assignment, tick: Tick) -> None:
    """Render the form of the numbers that are read from Curves."""
    render_links(assignment, ("curves", "Open Curves"))
    given = load_answers(assignment.folder).get("curves", {})
    with st.form("course-curves"):
        values = {}
        for column, names in zip(st.columns(2), (("cam_threshold", "cam_miou", "cam_lost"),
                                                 ("amn_threshold", "amn_miou")), strict=True):
            for name in names:
                values[name] = render_number(column, name, given.get(name))
        if st.form_submit_button("Save", type="primary", icon=":material/save:"):
            save(assignment, "curves", values)


def render_number(column, name: str, value: float | None) -> float | None:
    """Render the field of one number that is read from Curves."""
    if name.endswith("threshold"):
        return column.number_input(f"{LABELS[name]}, from 0 to 1", 0.0, 1.0, value, 0.005, format="%.3f")
    unit = "points" if name == "cam_lost" else "mIoU in %"
    return column.number_input(f"{LABELS[name]}, {unit}", 0.0, 100.0, value, 0.1, format="%.1f")


def render_choose(assignment: Assignment, tick: Tick) -> None:
    """Render the form of the chosen threshold."""
    render_links(assignment, ("choose", "Choose a threshold"), ("label", "Label a few points"))
    given = load_answers(assignment.folder).get("choose", {})
    with st.form("course-choose"):
        threshold = st.number_input("Threshold for AMN's maps", 0.0, 1.0, given.get("threshold"), 0.005, format="%.3f")
        why = st.text_area("How did you find it?", given.get("why", ""), max_chars=LONGEST, height=120)
        if st.form_submit_button("Save", type="primary", icon=":material/save:"):
            save(assignment, "choose", {"threshold": threshold, "why": why})


def render_refine(assignment: Assignment, tick: Tick) -> None:
    """Render the job that refines AMN's masks at the chosen threshold, and what it gave."""
    chosen = load_answers(assignment.folder).get("choose")
    if chosen is None:
        return
    at = chosen["threshold"]
    render_start(assignment, "refine", f"Refine at {at:g}", lambda: coursework.start_step(assignment, "refine", at),
                 bool(find_key(assignment, "amn")))
    runs = find_runs(assignment)
    amn = next((run for run in runs if run.path.name == "amn"), None)
    for run in runs:
        cut = read_cut(run)
        if amn is not None and cut is not None:
            before = score_choice(amn, cut)[1]
            after = 100 * score_run(run).peak_miou
            st.markdown(f"Cut at {cut:g}: mIoU **{before.text}** before, **{after:.1f}** after.")


def render_words(assignment: Assignment, tick: Tick) -> None:
    """Render the form of the three questions."""
    given = load_answers(assignment.folder).get("words", {})
    with st.form("course-words"):
        values = {name: st.text_area(question, given.get(name, ""), max_chars=LONGEST, height=90)
                  for name, question in QUESTIONS.items()}
        if st.form_submit_button("Save", type="primary", icon=":material/save:"):
            save(assignment, "words", values)


def render_report(assignment: Assignment, tick: Tick) -> None:
    """Render the button that writes the report, and its download."""
    path = assignment.folder / REPORT
    with st.container(horizontal=True):
        if st.button("Write the report", type="primary", icon=":material/description:"):
            with st.spinner("Drawing figures, packing maps…", show_time=True):
                is_written = attempt(lambda: write_report(assignment))
            if is_written:
                st.rerun()
        if path.is_file():
            st.download_button("Save a copy", path.read_bytes, f"{assignment.folder.name}-report.html", "text/html",
                               icon=":material/download:", on_click="ignore")
    if path.is_file():
        st.markdown(f"{escape(path)}, {path.stat().st_size / 1e6:.1f} MB: figures, numbers, your answers, the "
                    "record and the maps. Open it in a browser, then hand it in as it is: a changed letter is found.")


BODIES: dict[str, Callable[[Assignment, Tick], None]] = {
    "data": render_data, "guess": render_guess, "maps": render_maps, "look": render_look, "curves": render_curves,
    "choose": render_choose, "refine": render_refine, "words": render_words, "report": render_report,
}
