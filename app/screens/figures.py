"""Figures: what is on the other screens, for print: a preview, files, and the command that makes them again."""

import json
from dataclasses import replace
from pathlib import Path

import streamlit as st

from amn_core.figures.config import FIGURES, FigureConfig
from amn_core.formats.specs import place_root
from app import controls, roots, state
from app.cache import runs as cached
from app.cache import trainings as cached_trainings
from app.components.figure_form import render_options
from app.words.text import escape

PROTOCOLS = {"union": "irn", "all": "seam", "present": "toco"}
MIME = {".pdf": "application/pdf", ".svg": "image/svg+xml", ".png": "image/png", ".html": "text/html"}
PREVIEW_DPI, SCREEN_DPI, WIDEST = 220, 200, 1000
# What a figure is drawn from that is no run, and where it comes from.
NOTHING = {
    "metrics": "No training was found: its folder has a metrics.jsonl. Start one with `python -m amn_core train …`, "
               "below `runs/`.",
    "results": "No results were found: their folder has a consequence.json, from the first finished training on. Start "
               "them with `python -m amn_core consequence RUN … --out runs/consequence`.",
}


def render() -> None:
    """Render the screen."""
    choice = controls.render_choice()
    if choice is None:
        return
    left, right = st.columns([1, 3], gap="large")
    with left:
        name = st.selectbox("Figure", list(FIGURES), format_func=lambda key: FIGURES[key].title,
                            **state.bind("figure", list(FIGURES)))
        folders = choose_folders(name, choice)
        values = render_options(name, choice.threshold)
    with right:
        if not folders:
            st.info(NOTHING[FIGURES[name].needs], icon=":material/model_training:")
            return
        config = build_config(name, folders, values, choice)
        try:
            render_result(config, folders)
        except (ValueError, OSError) as error:
            st.info(escape(error), icon=":material/info:")


def choose_folders(name: str, choice: controls.Choice) -> tuple[Path, ...]:
    """Choose what is drawn: the runs of the bar above, or the trainings or results that are marked."""
    needs = FIGURES[name].needs
    if needs not in NOTHING:
        return order_runs(choice)
    found = cached_trainings.find_trainings() if needs == "metrics" else cached_trainings.find_consequences()
    if not found:
        return ()
    most = 3 if needs == "metrics" else 1
    marked = st.multiselect("Folders", list(found), default=list(found)[:most], key=f"figure-{needs}")
    return tuple(found[key] for key in marked)


def order_runs(choice: controls.Choice) -> tuple[Path, ...]:
    """Order the runs of the bar as they were put; a run that is taken out and put back comes last."""
    if len(choice.runs) < 2:
        return tuple(run.path for run in choice.runs.values())
    keys = list(choice.runs)
    put = st.multiselect("Runs, in their order", keys, default=keys, key=f"figure-runs:{','.join(keys)}",
                         format_func=lambda key: choice.styles[key].label,
                         help="Take a run out and put it back: it comes last. Names and colours follow this order.")
    return tuple(choice.runs[key].path for key in put or keys)


def build_config(name: str, folders: tuple[Path, ...], values: dict, choice: controls.Choice) -> FigureConfig:
    """Build the config of the figure; runs below the project are named from there, so that the command is short."""
    root = roots.REPOSITORY
    runs = tuple(str(path.relative_to(root) if path.is_relative_to(root) else path) for path in folders)
    config = FigureConfig(
        name, runs, name + FIGURES[name].suffixes[0], protocol=PROTOCOLS[choice.averaging],
        classes=",".join(choice.classes), **values)
    needs_pictures = FIGURES[name].needs == "maps" or name == "report"
    return replace(config, data=find_data(choice)) if needs_pictures else config


def find_data(choice: controls.Choice) -> str:
    """Find the data set with the photographs, if it is not where the first run says; nothing if it is."""
    run = next(iter(choice.runs.values()))
    dataset = cached.get_dataset(run)
    own = place_root(run.meta["data"], run.meta.get("data_root", ""))
    is_known = dataset is None or dataset.spec in (run.meta["data"], own)
    return "" if is_known else dataset.spec


def render_result(config: FigureConfig, folders: tuple[Path, ...]) -> None:
    """Render the preview, the files, the caption and the command."""
    suffixes = FIGURES[config.name].suffixes
    if ".png" in suffixes:
        shown = cached_trainings.build_figure(replace(config, out=f"{config.name}.png", dpi=PREVIEW_DPI), folders)
        render_preview(shown.content, config.name)
    elif ".md" in suffixes:
        shown = cached_trainings.build_figure(replace(config, out=f"{config.name}.md"), folders)
        st.markdown(shown.content.decode().partition("\n\n")[0])
    else:
        shown = cached_trainings.build_figure(config, folders)
        st.markdown(f"One file of {len(shown.content) / 1e6:.1f} MB with every figure, tables and the record; it needs "
                    "no network.")
    render_files(config, folders, suffixes)
    st.markdown(f"**Caption**  \n{escape(shown.caption)}")
    if shown.note:
        st.markdown(f"**Footnote**  \n{escape(shown.note)}")
    main = cached_trainings.build_figure(config, folders)
    st.markdown("**The same again**")
    st.code(main.record["command"], language="bash", wrap_lines=True)
    with st.expander("Record", icon=":material/receipt_long:"):
        st.json(main.record)


def render_preview(content: bytes, name: str) -> None:
    """Render a preview on white paper, larger than in print; in grey if asked for."""
    from io import BytesIO

    from PIL import Image

    is_grey = st.toggle("As in grey print", key="figure-grey")
    image = Image.open(BytesIO(content))
    width = min(WIDEST, round(image.width / PREVIEW_DPI * SCREEN_DPI))
    if is_grey:
        image.convert("L").save(buffer := BytesIO(), "PNG")
        content = buffer.getvalue()
    st.image(content, width=width, alt=f"Preview: {FIGURES[name].title}")


def render_files(config: FigureConfig, folders: tuple[Path, ...], suffixes: tuple[str, ...]) -> None:
    """Render the downloads; a file is made when its button is pressed."""
    with st.container(horizontal=True):
        for suffix in suffixes:
            wanted = replace(config, out=config.name + suffix)
            st.download_button(
                suffix[1:].upper(), lambda wanted=wanted: cached_trainings.build_figure(wanted, folders).content,
                wanted.out, MIME.get(suffix, "text/plain"), icon=":material/download:", on_click="ignore",
                key=f"figure-file{suffix}")
        st.download_button(
            "Record", lambda: json.dumps(cached_trainings.build_figure(config, folders).record, indent=2),
            f"{config.out}.json", "application/json", icon=":material/receipt_long:", on_click="ignore",
            key="figure-record")


render()
