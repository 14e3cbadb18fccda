"""The panel of Explore that combines two maps, or a map and masks of SAM: live, and for the data set by a job."""

from pathlib import Path

import streamlit as st

from amn_core.commands.progress import list_stages
from amn_core.formats.runs import Run
from amn_core.jobs import load_job
from app import afterwards, controls, state
from app.cache import combinations
from app.cache import runs as cached
from app.cache.combinations import Mix
from app.words.text import escape

WAYS = {"off": "Off", "or": "OR", "and": "AND", "mean": "Mean", "max": "Max", "masks": "In masks"}
WORDS = {"or": "a + b − ab, over its maximum", "and": "a · b, over its maximum", "mean": "(a + b) / 2",
         "max": "the larger of a and b", "masks": "A mask becomes a class where enough of it is called that class."}
JOB, FOLDER, OVERLAP = "combine-job", "combine:masks", "combine:overlap"


def render_combine(group: dict[str, Run]) -> Mix | None:
    """Render the panel; returns what is to be combined, None while it is off or incomplete."""
    able = {key: run for key, run in group.items()
            if not run.is_refined and (run.has_maps or run.checkpoint_path) and run.method != "combined"}
    if not able:
        return None
    chosen = choose_mix(able)
    label = combinations.name_mix(chosen, group) if chosen else "Combine two maps"
    with st.popover(escape(label), icon=":material/join:", width="stretch", key="combine:panel"):
        mix = render_choice(able)
        if mix is not None:
            render_data_set(mix, group)
    return mix


def choose_mix(able: dict[str, Run]) -> Mix | None:
    """Choose what the shared state names, as far as it is there; None where it is off or not enough."""
    way, keys = state.get("mix"), list(able)
    first = state.get("mix-of") if state.get("mix-of") in keys else keys[0]
    second = state.get("mix-with") if state.get("mix-with") in keys else keys[-1]
    folder = find_folder()
    if way == "off" or (way == "masks" and not folder) or (way != "masks" and first == second):
        return None
    return Mix("or" if way == "masks" else way, (first,) if way == "masks" else (first, second),
               folder, st.session_state.get(OVERLAP, 0.5))


def find_folder() -> str:
    """Find the folder of masks that was typed, if it is one; nobody types paths in a classroom."""
    text = str(st.session_state.get(FOLDER) or "").strip()
    path = Path(text).expanduser()
    return str(path) if text and path.is_absolute() and path.is_dir() and not state.is_classroom() else ""


def render_choice(able: dict[str, Run]) -> Mix | None:
    """Render what is combined with what, and how."""
    names = {key: cached.name_runs(able)[key] for key in able}
    ways = [way for way in WAYS if (way != "masks" or not state.is_classroom()) and (
        len(able) > 1 or way in ("off", "masks"))]
    way = st.segmented_control("Combine", ways, format_func=WAYS.get, required=True, label_visibility="collapsed",
                               **state.bind("mix", ways))
    if way == "off":
        st.caption("Two maps of one image as one: OR and AND as in ORANDNet, mean or maximum; or a map in the outlines "
                   "of masks without classes, such as SAM's.")
        return None
    st.caption(WORDS[way])
    st.selectbox("a" if way != "masks" else "Maps of", list(able), format_func=names.get,
                 **controls.bind_run("mix-of", list(able), 0))
    if way != "masks":
        st.selectbox("b", list(able), format_func=names.get, **controls.bind_run("mix-with", list(able), -1))
    if not state.is_classroom():
        render_masks(way)
    mix = choose_mix(able)
    if mix is None and way != "masks":
        st.caption("Choose two different runs.")
    return mix


def render_masks(way: str) -> None:
    """Render the folder of masks, and how much of a mask has to be called a class."""
    st.text_input("Folder of masks" + ", if wanted" * (way != "masks"), key=FOLDER, placeholder="/path/to/masks",
                  help="ID.json with run lengths, or ID/*.png, as SAM's amg.py writes them, or ID.png with a number "
                       "for each mask.")
    if st.session_state.get(FOLDER) and not find_folder():
        st.caption(":red[No such folder: give its whole path, from the root.]")
    if find_folder():
        st.slider("Overlap", 0.05, 1.0, 0.5, 0.05, key=OVERLAP)


def render_data_set(mix: Mix, group: dict[str, Run]) -> None:
    """Render the way to the curve of the whole data set: the run that has it, its job, or the button that starts it."""
    runs = combinations.list_runs(mix, group)
    lacking = [run.name for run in runs if not run.has_maps]
    if combinations.find_combined(mix, group):
        st.caption(":material/check: The data set's curve is the thick one; the run is on every screen.")
    elif lacking:
        st.caption(f"For the data set's curve, extract {escape(' and '.join(lacking))} first: tables alone are here.")
    elif not state.is_classroom():
        render_job(mix, group)


def render_job(mix: Mix, group: dict[str, Run]) -> None:
    """Render the job that is at work on the data set, or what starts it."""
    config, asked = combinations.build_config(mix, group), st.session_state.get(JOB)
    if asked and asked[0] == config and render_progress(asked[1]):
        return
    n = len(combinations.list_runs(mix, group)[0].map_ids)
    st.button(f"Curve of all {n} images", icon=":material/show_chart:", type="primary", key="combine:start",
              on_click=start, args=(config, combinations.name_mix(mix, group)))
    with st.expander("The same from the command line", icon=":material/terminal:"):
        st.code(afterwards.write_command(config), language="bash", wrap_lines=True)


def start(config: afterwards.Config, title: str) -> None:
    """Start the job."""
    if state.is_classroom():
        return
    try:
        st.session_state[JOB] = (config, afterwards.start(config, title).path)
    except (ValueError, OSError) as error:
        st.session_state[JOB] = (config, str(error))


def render_progress(asked: Path | str) -> bool:
    """Render how far a job is, every second anew; tells whether it is still at work."""
    try:
        job = load_job(asked) if isinstance(asked, Path) else None
    except ValueError:
        return False
    if job is None or (not job.is_active and job.state != "done"):
        st.error(escape(job.error or job.state if job else str(asked)), icon=":material/error:")
        return False
    st.fragment(run_every=1.0)(watch)(job.path)
    return True


def watch(path: Path) -> None:
    """Watch a job; when it ends, the runs are looked up anew and the page follows."""
    job = load_job(path)
    st.progress(min(1.0, list_stages(job)[0].done), text="Combining all images; it goes on if you leave.")
    if not job.is_active:
        cached.clear_runs()
        st.rerun()
