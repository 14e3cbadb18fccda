"""The controls that Curves, Activation and Images have in common, and what was chosen with them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from amn_core.constants import METHODS
from amn_core.formats.runs import Run
from amn_core.scoring import NO_ACTIVATION, find_scored_classes
from app import roots, state
from app.cache import runs as cached
from app.charts.styles import RunStyle
from app.words.claims import SAMPLES
from app.words.comparability import Difference, find_differences
from app.words.definitions import AVERAGINGS, write_definitions
from app.words.text import escape

EMPTY = (
    "**No run with counts yet.** Put a bundle into `checkpoints/`, make a run with "
    "`python -m amn_core extract … && python -m amn_core count …`, or point to a folder of runs under *Data and runs*."
)


@dataclass(frozen=True)
class Choice:
    """What all charts of a screen are about: runs and their styles by key, classes, averaging and images."""

    group: str
    runs: dict[str, Run]
    styles: dict[str, RunStyle]
    classes: tuple[str, ...]
    averaging: str
    images: tuple[str, ...]
    threshold: float

    def summary(self, key: str, averaging: str | None = None, images: tuple[str, ...] = ()):
        """Load the summary of a run for this choice, or for another averaging or other images."""
        return cached.load_summary(self.runs[key], averaging or self.averaging, self.classes, images or self.images)


NEXT_PAGE = "page-to-open-next"
THRESHOLDS, GROUP = "thresholds-by-data", "data-shown"


def render_choice(
    definitions: tuple[str, ...] = (), more: Callable[[dict[str, Run]], None] | None = None,
) -> Choice | None:
    """Render the bar of controls; None, and what to do about it, where there is nothing to choose from.

    Args:
        definitions: measures that the bar explains.
        more: renders a screen's own controls into the bar, given all runs of the data set.
    """
    follow_request()
    groups = find_groups()
    if not groups:
        st.info(EMPTY, icon=":material/folder_open:")
        st.page_link("screens/data_and_runs.py", label="Data and runs", icon=":material/arrow_forward:")
        return None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        group = render_groups(groups)
        runs = groups[group]
        keys = find_marked(runs)
        start_threshold(group, {key: runs[key] for key in keys})
        if more:
            more(runs)
        with st.popover("Protocol", icon=":material/rule:", help="How scores are averaged, and what the words mean"):
            render_terms(runs, definitions)
    return build_choice(group, runs, keys)


def render_terms(runs: dict[str, Run], definitions: tuple[str, ...]) -> None:
    """Render how scores are averaged, and beside it what the measures of the screen are."""
    if not definitions:
        render_protocol(runs)
        return
    averaging, words = st.tabs(["Averaging", "Definitions"])
    with averaging:
        render_protocol(runs)
    with words:
        st.markdown(write_definitions(definitions))


def find_groups() -> dict[str, dict[str, Run]]:
    """Find the runs that have counts by data set and split, in the order of the methods.

    The few photographs that come along are for looking at: no curve or table concludes anything from them.
    """
    groups = {}
    for name, runs in cached.group_runs().items():
        counted = sorted((METHODS.index(run.method), key) for key, run in runs.items() if run.has_counts)
        if counted:
            groups[name] = {key: runs[key] for _, key in counted}
    judged = {name: runs for name, runs in groups.items() if name.partition("/")[0] != SAMPLES}
    return judged or groups


def render_groups(groups: dict[str, dict[str, Run]]) -> str:
    """Render the choice of data set and split; one alone is only named."""
    options = list(groups)
    return st.selectbox("Data set and split", options, format_func=cached.describe_group, width=210,
                        label_visibility="collapsed", **state.bind("data", options))


def find_marked(runs: dict[str, Run]) -> list[str]:
    """Find the runs that are shown: those chosen, or those of `mark_at_first` if none of these is here."""
    return [key for key in runs if key in state.get("runs")] or mark_at_first(runs)


def render_run_menu(runs: dict[str, Run]) -> None:
    """Render the choice of runs as a menu, for screens without the table of runs."""
    options, names, first = list(runs), cached.name_runs(runs), mark_at_first(runs)
    st.session_state["widget:runs"] = find_marked(runs)

    def store() -> None:
        chosen = [key for key in options if key in st.session_state["widget:runs"]]
        state.put("runs", () if chosen == first else tuple(chosen))

    with st.popover(f"Runs: {len(find_marked(runs))} of {len(runs)}", icon=":material/stacked_line_chart:"):
        st.pills("Runs", options, selection_mode="multi", format_func=lambda key: escape(names[key]),
                 key="widget:runs", on_change=store,
                 label_visibility="collapsed")


def start_threshold(group: str, runs: dict[str, Run]) -> None:
    """Give each data set a threshold of its own: the one left there, at first the peak of its first run."""
    left = st.session_state.setdefault(THRESHOLDS, {})
    here = st.session_state.get(GROUP)
    if here == group:
        return
    if here is not None:
        left[here] = state.get("t")
    st.session_state[GROUP] = group
    first = next((run for run in runs.values() if run.has_counts and not run.is_masks), None)
    if group in left:
        state.put("t", left[group])
    elif first is not None and (here is not None or not state.is_chosen("t")):
        state.put("t", float(cached.load_summary(first, state.get("averaging")).peak_threshold))


def name_shortage(run: Run, group: dict[str, Run]) -> str:
    """Name what a run lacks beside the others of its group: maps, or some of the images; nothing if it is whole."""
    most = max((run.meta.get("images") or 0 for run in group.values()), default=0)
    images = run.meta.get("images") or 0
    if images and images < most:
        return f"{images} of {most} images"
    if run.is_masks:
        return "finished masks"
    return "" if run.has_maps or run.checkpoint_path else "tables alone"


def mark_at_first(runs: dict[str, Run]) -> list[str]:
    """List the runs that are marked at first: all, but of the bundled ones only those of the first bundle."""
    bundles = {key: run.path.parent for key, run in runs.items() if roots.is_bundled(run)}
    first = next(iter(bundles.values()), None)
    return [key for key in runs if bundles.get(key, first) == first]


def render_protocol(runs: dict[str, Run]) -> None:
    """Render how scores are averaged, over which classes and images."""
    st.radio("A class that is absent from an image set", list(AVERAGINGS), format_func=AVERAGINGS.get,
             **state.bind("averaging", list(AVERAGINGS)))
    options = list(dict.fromkeys(name for run in runs.values() for name in run.class_names))
    own = find_scored_classes(list(runs.values()))
    placeholder = f"The {len(own)} of the runs' protocol" if own else "All classes"
    st.multiselect("Classes that count", options, placeholder=placeholder, **state.bind("classes", options))
    if own:
        st.caption(escape(f"The runs' protocol averages over {', '.join(own)}."))
    st.toggle("Only images that all chosen runs have", **state.bind("common"))
    st.caption("Ground truth 255 is never counted. Every number on the screen is under this protocol.")


def build_choice(group: str, runs: dict[str, Run], keys: list[str]) -> Choice:
    """Build the choice from what the controls say; styles are those of the whole group, whatever is marked."""
    styles = cached.style_runs(cached.group_runs()[group])
    chosen = {key: runs[key] for key in keys}
    classes = choose_classes(chosen)
    return Choice(
        group, chosen, styles, classes, state.get("averaging"), find_images(chosen), state.get("t"),
    )


def choose_classes(runs: dict[str, Run]) -> tuple[str, ...]:
    """Choose the classes that count on a screen: those that were chosen, else those of the runs' protocols."""
    known = {name for run in runs.values() for name in run.class_names}
    return tuple(name for name in state.get("classes") if name in known) or find_scored_classes(list(runs.values()))


def leave_out_refined(choice: Choice) -> Choice | None:
    """Leave out runs of masks refined at each threshold, which have no activation; None, and why, if no other is left.
    """
    runs = {key: run for key, run in choice.runs.items() if not run.is_refined}
    if len(runs) < len(choice.runs):
        names = ", ".join(run.name for run in choice.runs.values() if run.is_refined)
        st.info(f"{escape(names)}: {NO_ACTIVATION}" + ("" if runs else " Choose the run it was made from."),
                icon=":material/auto_fix_high:")
    return replace(choice, runs=runs) if runs else None


def find_images(runs: dict[str, Run]) -> tuple[str, ...]:
    """Find the images that count, nothing for all: a chosen subset, and the common ones if asked for."""
    ids = [cached.load_counts(run).image_ids for run in runs.values()]
    known = set().union(*ids)
    subset = tuple(i for i in state.get("subset") if i in known)
    if not state.get("common") or len(set(map(frozenset, ids))) == 1:
        return subset
    common = set(ids[0]).intersection(*ids)
    return tuple(i for i in subset or ids[0] if i in common)


def render_notes(choice: Choice) -> None:
    """Render what one has to know before reading a number: a subset of images, and differences between runs."""
    if choice.images:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":orange-badge[:material/filter_alt: {len(choice.images)} images only]")
            st.button("All images", type="tertiary", icon=":material/close:", on_click=forget_images)
    fatal = [one.topic.name.lower() for one in list_differences(choice) if one.topic.is_fatal]
    if fatal:
        st.warning(f"Not comparable as they are: the runs shown differ in {', '.join(fatal)}. The table of differences "
                   "on *Curves* has what would make them so.", icon=":material/warning:")


def list_differences(choice: Choice) -> list[Difference]:
    """List what the shown runs differ in, each run under the name that it has everywhere."""
    ids = [choice.images or cached.load_counts(run).image_ids for run in choice.runs.values()]
    return find_differences(list(choice.runs.values()), ids, [choice.styles[key].label for key in choice.runs])


def forget_images() -> None:
    """Let all images count again."""
    state.put("subset", ())
    state.put("common", False)


def open_image(image_id: str, choice: Choice) -> None:
    """Go to Explore with an image, on the data and the runs at hand."""
    state.put("image", image_id)
    state.put("data", choice.group)
    st.session_state[NEXT_PAGE] = "screens/explore.py"


def bind_run(name: str, keys: list[str], default: int) -> dict:
    """Tie a widget to a shared choice of one run, which is always one of those at hand."""
    if state.get(name) not in keys:
        state.put(name, keys[default])
    return state.bind(name, keys)


def find_last_with_maps(runs: dict[str, Run]) -> int:
    """Find the place of the last run that has thresholds; the last one if all are finished masks."""
    return next((i for i, run in reversed(list(enumerate(runs.values()))) if not run.is_masks), -1)


def take_subset(images: tuple[str, ...]) -> None:
    """Let only some images count, and go to their curves."""
    state.put("subset", images)
    st.session_state[NEXT_PAGE] = "screens/curves.py"


def follow_request() -> None:
    """Go to the page that a callback asked for: pages are known only once the script runs."""
    page = st.session_state.pop(NEXT_PAGE, None)
    if page is not None:
        st.switch_page(page)
