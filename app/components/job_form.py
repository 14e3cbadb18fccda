"""The form of a new training, made from the config of its command."""

from concurrent.futures import Future
from typing import Any

import streamlit as st

from amn_core.commands.checks import Check, check_memory, list_splits
from amn_core.commands.pipeline import ReproduceConfig, describe_open
from amn_core.formats.specs import place_root
from amn_core.jobs import find_jobs_root
from amn_core.options import format_command
from app import roots, state, training
from app.cache import runs as cached
from app.cache import trainings as cached_trainings

ICONS = {"ok": ":green[:material/check_circle:]", "warning": ":orange[:material/warning:]",
         "error": ":red[:material/error:]"}
VALUES = "train-values"
SCENES = "scenes"
FAILURE = "train-failure"
ROW = 4


def render_form() -> None:
    """Render the form, the command that it stands for, what was checked, and the button that starts it."""
    if state.is_classroom():  # no form at all: what is typed into one would reach paths and specs
        st.info("This server is read-only: trainings can be watched, not started.", icon=":material/lock:")
        return
    fields = training.list_fields()
    values = render_main(fields)
    with st.expander("More options", icon=":material/tune:"):
        values |= render_more(training.build_config(values | remembered(values)))
    config = training.build_config(values)
    st.caption("The same from the command line:")
    st.code(training.write_command(config), language="bash", wrap_lines=True)
    render_start(config, render_checks(config))


def remember(name: str, default: Any) -> Any:
    """Get what was last chosen for a field, or came with a job that is run again."""
    return st.session_state.setdefault(VALUES, {}).get(name, default)


def render_main(fields: dict[str, training.Field]) -> dict[str, Any]:
    """Render the choices that everybody makes."""
    top, bottom = st.columns([5, 2, 2, 3]), st.columns([3, 3, 3, 3])
    with top[0]:
        data = choose("data", list_data(), fields["data"].help, "Data", is_open=True)
    splits = list_splits(data)
    with top[1]:
        trained = choose("train_split", order(splits, "train_aug", "train"), fields["train_split"].help,
                         "Train on", is_open=True)
    with top[2]:
        measured = choose("split", order(splits, "val", "train", "test"), fields["split"].help, "Measure on",
                          is_open=True)
    with top[3]:
        method = choose("methods", list(training.METHODS.values()), fields["methods"].help, "Method",
                        names=training.name_method)
    values = {"data": data, "train_split": trained, "split": measured, "methods": method}
    kind = data.partition(":")[0]
    if st.session_state[VALUES].get("kind", kind) != kind:  # another kind of data has another preset
        st.session_state[VALUES].pop("preset", None)
    st.session_state[VALUES]["kind"] = kind
    for column, name in zip(bottom, ("preset", "backbone", "device")):
        with column:
            names = training.PRESET_NAMES if name == "preset" else {}
            options = order(fields[name].choices, kind)
            values[name] = choose(name, options, fields[name].help, fields[name].label,
                                  names=lambda option, names=names: names.get(option, option))
    return values


def list_data() -> list[str]:
    """List the data sets that are on offer: drawn scenes, what the user told of, what runs were made on."""
    known = [*roots.list_data_specs()]
    for run in cached.find_runs().values():
        known.append(place_root(run.meta["data"], run.meta.get("data_root", "")))
    usable = [spec for spec in known if spec.partition(":")[0] == "scenes" or spec.partition(":")[2].startswith("/")]
    return list(dict.fromkeys([*usable, SCENES]))


def order(options: tuple[str, ...], *first: str) -> list[str]:
    """Put the first of some names that is there in front."""
    found = next((name for name in first if name in options), options[0])
    return [found, *(option for option in options if option != found)]


def choose(name: str, options: list[str], help_text: str, label: str, is_open: bool = False, names=str) -> str:
    """Render one choice; where it is open, another value can be typed in."""
    wanted = remember(name, options[0])
    if wanted not in options:
        options, wanted = ([*options, wanted], wanted) if is_open and name == "data" else (options, options[0])
    chosen = st.selectbox(label, options, index=options.index(wanted), help=help_text, format_func=names,
                          accept_new_options=is_open, key=f"train:{name}:{'~'.join(options)}")
    st.session_state[VALUES][name] = chosen or options[0]
    return chosen or options[0]


def remembered(values: dict[str, Any]) -> dict[str, Any]:
    """Get what was last chosen for the fields that are not among some values: empty ones depend on it."""
    known = training.list_fields()
    return {name: value for name, value in st.session_state.get(VALUES, {}).items()
            if name in known and name not in values}


def render_more(config: ReproduceConfig) -> dict[str, Any]:
    """Render all other fields by group, each with its own help text; an empty one takes the preset's value."""
    values = {}
    for title, fields in training.list_groups().items():
        st.markdown(f"**{title}**")
        for start in range(0, len(fields), ROW):
            columns = st.columns(ROW, vertical_alignment="bottom")
            for column, field in zip(columns, fields[start:start + ROW], strict=False):
                with column:
                    value = render_field(field, config)
                values[field.name] = st.session_state.setdefault(VALUES, {})[field.name] = value
    return values


def render_field(field: training.Field, config: ReproduceConfig) -> Any:
    """Render a field by its type."""
    key, now = f"train:{field.name}", remember(field.name, field.default)
    common = {"label": field.label, "help": field.help, "key": key}
    if field.kind is bool:
        return st.toggle(**common, value=bool(now))
    if field.choices:
        if field.default is None:  # open: st.selectbox can be emptied again, and then says what will be taken
            return st.selectbox(**common, options=list(field.choices), placeholder=describe_empty(field, config),
                                index=None if now is None else field.choices.index(now))
        return st.selectbox(**common, options=list(field.choices), index=field.choices.index(now))
    if field.kind is str:
        return st.text_input(**common, value=now, placeholder=training.EMPTY.get(field.name))
    least = field.kind(training.LEAST.get(field.name, 0))
    shape = {"step": 1} if field.kind is int else {"format": "%g", "step": None}
    empty = describe_empty(field, config)
    if field.kind is float:
        return read_number(st.text_input(**common, value="" if now is None else f"{now:g}", placeholder=empty), field)
    return st.number_input(**common, value=now, min_value=least, placeholder=empty, **shape)


def describe_empty(field: training.Field, config: ReproduceConfig) -> str:
    """Describe what an empty field stands for."""
    return f"preset: {describe_open(config, field.name)}"


def read_number(text: str, field: training.Field) -> float | None:
    """Read a number such as 2e-4, which a number field would round away; None for an empty text."""
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        st.error(f"{field.label}: {text!r} is not a number such as 0.0002 or 2e-4")
        return None


def render_checks(config: ReproduceConfig) -> bool:
    """Render what was checked; whether nothing stands in the way."""
    checks = cached_trainings.check_start(config, str(find_jobs_root()))
    with st.container(border=True):
        for check in checks:
            render_check(check)
        render_estimate(config)
    return not any(check.is_error for check in checks)


def render_check(check: Check) -> None:
    """Render one thing that was checked."""
    st.markdown(f"{ICONS[check.state]} **{check.name}** · {check.text}")


def render_estimate(config: ReproduceConfig) -> None:
    """Render the estimate of time and memory, which is measured when asked for."""
    offer_estimate(tuple(format_command("estimate", config)), "a few steps and images of each stage")


def offer_estimate(words: tuple[str, ...], what: str) -> None:
    """Offer to measure how long some command would take; its words, and what of it is measured."""
    asked = st.session_state.get("train-estimate")
    if asked == words:
        poll_estimate(words)
    elif st.button("How long will it take?", icon=":material/timer:", disabled=state.is_classroom(),
                   help=f"Runs {what}, to say how long all will take.", key="train-measure"):
        st.session_state["train-estimate"] = words
        st.rerun()


@st.fragment(run_every=1.0)
def poll_estimate(words: tuple[str, ...]) -> None:
    """Show the estimate as soon as it is there."""
    future: Future = cached_trainings.ask_estimate(words)
    if not future.done():
        st.markdown(":gray[:material/hourglass_top:] **Time** · measuring…")
        return
    if future.exception() is not None:
        render_check(Check("Time", "error", str(future.exception())))
        return
    result = future.result()
    parts = ", ".join(f"{one['name']} {training.write_duration(one['seconds'])}" for one in result["stages"])
    device = result["device"]
    render_check(Check("Time", "ok", f"about {training.write_duration(result['seconds'])} on {device}: {parts}"))
    if "memory" in result:
        render_check(check_memory(result["memory"], device))


def render_start(config: ReproduceConfig, is_ready: bool) -> None:
    """Render the button that starts the training, and what went wrong the last time."""
    st.button("Start training", type="primary", icon=":material/play_arrow:", disabled=not is_ready,
              on_click=start, args=(config,))
    if st.session_state.get(FAILURE):
        st.error(st.session_state.pop(FAILURE), icon=":material/error:")


def start(config: ReproduceConfig) -> None:
    """Start the training and show it."""
    if state.is_classroom():
        return
    try:
        state.put("job", training.start(config).id)
    except (ValueError, OSError) as error:
        st.session_state[FAILURE] = str(error)
