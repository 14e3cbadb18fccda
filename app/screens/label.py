"""Label: answer single pixels or paint masks, and watch the threshold and its band come to rest."""

import streamlit as st

from amn_core.formats.answers import NAME, load_entries, merge_entries
from amn_core.formats.runs import Run
from app import labelling, roots, state
from app.cache import answers as cached_answers
from app.cache import own
from app.cache import runs as cached
from app.components.answered_runs import render_runs
from app.components.labeller import render_labeller
from app.components.mask_form import render_painting
from app.pictures.questions import pack_questions
from app.words.text import escape

SESSION, WHO, WAY = "label-session", "label-who", "label-way"
EMPTY = (
    "**No run with maps and photographs here.** Labelling needs both, and nothing else: no ground truth and no counts. "
    "Make maps with `python -m amn_core extract …`, import those of another method, or add the folder of the "
    "photographs under *Data and runs*."
)


def render() -> None:
    """Draw the screen."""
    groups = find_groups()
    if not groups:
        st.info(EMPTY, icon=":material/add_photo_alternate:")
        st.page_link("screens/data_and_runs.py", label="Data and runs", icon=":material/arrow_forward:")
        return
    runs, key = render_questions(groups)
    render_live(runs, key)


def find_groups() -> dict[str, dict[str, Run]]:
    """Find the runs with maps whose photographs are on this machine, by data set and split."""
    groups = {}
    for name, runs in cached.group_runs().items():
        usable = {key: run for key, run in runs.items() if run.has_maps and not run.is_masks}
        if usable and cached.get_dataset(next(iter(usable.values()))) is not None:
            groups[name] = usable
    return groups


def render_questions(groups: dict) -> tuple[dict[str, Run], str]:
    """Render what is labelled, for which run, and what to do with the answers."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        group = st.selectbox("Data set and split", list(groups), format_func=cached.describe_group, width=260,
                             **state.bind("data", list(groups)))
        runs = groups[group]
        names = cached.name_runs(runs)
        key = st.selectbox("Choose pixels for", list(runs), format_func=names.get, width=220,
                           help="Answers serve every run on these photographs; the next pixels are those that are "
                                "worth most to this one.", **state.bind("of", list(runs)))
        if not state.is_classroom():  # a mask is written to a file
            st.segmented_control("By", ["Points", "Masks"], default="Points", required=True, key=WAY)
        with st.popover("Answers", icon=":material/inventory_2:"):
            render_file()
    return runs, key


def render_file() -> None:
    """Render who answers, the file of answers to take away, and another's file to add."""
    st.text_input("Who answers (optional)", key=WHO, max_chars=60)
    if state.is_classroom():
        kept = own.get_answers()
        st.download_button("Download my answers", data=kept.write(), file_name=NAME, icon=":material/download:",
                           on_click="ignore", disabled=not kept.entries)
        st.caption(f"Kept in this page until it is closed, {own.MOST_ANSWERS:,} at most; `select --answers` reads the "
                   "file.")
        return
    path = roots.find_answers()
    if path.is_file():
        st.download_button("Export answers", data=path.read_bytes, file_name=path.name, icon=":material/download:",
                           on_click="ignore")
    file = st.file_uploader("Add another's answers", type=["jsonl"])
    if file is not None and st.button("Add", icon=":material/merge:"):
        add_file(file.getvalue())
    st.caption(f"Kept in {path.name} beside the runs; `select --answers` reads it.")


def add_file(content: bytes) -> None:
    """Add the answers of an uploaded file to those kept."""
    if state.is_classroom():
        return
    path = roots.find_answers()
    half = path.with_name(f".{path.name}.added")
    path.parent.mkdir(parents=True, exist_ok=True)
    half.write_bytes(content)
    try:
        st.success(f"{merge_entries(path, load_entries(half))} answers added.")
    except (ValueError, UnicodeDecodeError) as error:
        st.error(escape(str(error).replace(str(half), "this file")))
    finally:
        half.unlink(missing_ok=True)


@st.fragment
def render_live(runs: dict[str, Run], key: str) -> None:
    """Draw the labeller and what follows; an answer reruns this alone."""
    run = runs[key]
    if st.session_state.get(SESSION, (None,))[0] != (key, state.get_visit()):
        st.session_state[SESSION] = ((key, state.get_visit()), labelling.Session(own=get_own()))
    session = st.session_state[SESSION][1]
    standing = cached_answers.load_standing(run, session.own)
    labelling.fill_queue(session, run, standing)
    who = st.session_state.get(WHO) or ""
    if st.session_state.get(WAY) == "Masks" and not state.is_classroom():
        render_painting(run, key, who, standing)
    else:
        packed = pack_questions([session.asked[one] for one in session.queue])
        render_labeller(
            *packed, labelling.describe_standing(standing), session.kept, key=f"labeller:{key}:{state.get_visit()}",
            on_answers=lambda answers: labelling.take_answers(session, run, answers, who))
    render_after(runs, key, standing)


def render_after(runs: dict[str, Run], key: str, standing: cached_answers.Standing) -> None:
    """Draw what can be done with the threshold, which answers are left out, and what they say of the other runs."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.button(f"Use {standing.threshold:.3f} on every screen", icon=":material/my_location:",
                  on_click=use_threshold, args=(standing.threshold,))
        shows_all = len(runs) > 1 and st.toggle("What these answers say of every run", key="label-all")
    if standing.placed.problems:
        problems = (f"{image}: {why}" for image, why in standing.placed.problems.items())
        st.warning("Left out: " + escape("; ".join(problems)))
    if shows_all:
        render_runs(runs, key, standing, get_own())


def get_own() -> own.OwnAnswers | None:
    """Get what keeps a viewer's answers; None where they are written to the file."""
    return own.get_answers() if state.is_classroom() else None


def use_threshold(threshold: float) -> None:
    """Set the shared threshold."""
    state.put("t", round(threshold, 3))
    state.publish()


render()
