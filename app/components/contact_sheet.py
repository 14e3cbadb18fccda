"""The contact sheet: images side by side, with masks, maps, truth or errors of up to two methods."""

import pandas as pd
import streamlit as st

from amn_core.formats.runs import Run
from app import state
from app.cache import runs as cached
from app.cache.tiles import load_tile
from app.controls import Choice, open_image

LAYERS = {"photo": "Photograph", "truth": "Truth", "map": "Map", "mask": "Mask", "errors": "Errors"}
PAGE = 24


def render_sheet(choice: Choice, keys: list[str], table: pd.DataFrame) -> None:
    """Render the images of a table, a page at a time, each one click from Explore.

    Args:
        keys: one run, or two that are shown side by side.
    """
    run = choice.runs[keys[0]]
    if cached.get_dataset(run) is None:
        st.info(f"The photographs of `{run.meta['data']}` are not on this machine. Add the folder of the data set "
                "under *Data and runs* to see them; the table has every figure.", icon=":material/hide_image:")
        return
    n_pages = -(-len(table) // PAGE)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control("Over the photograph", list(LAYERS), format_func=LAYERS.get, required=True,
                             label_visibility="collapsed", width="stretch", **state.bind("tile", list(LAYERS)))
        page = min(st.pagination(n_pages, key="sheet-page"), n_pages)
    shown = table.iloc[(page - 1) * PAGE:page * PAGE]
    layer = state.get("tile")
    pairs = keys if layer in ("map", "mask", "errors") else keys[:1]
    row = 6 if len(pairs) == 1 else 4
    for start in range(0, len(shown), row):
        for column, (_, image) in zip(st.columns(row, gap="small"), shown.iloc[start:start + row].iterrows()):
            with column:
                render_tile(choice, pairs, layer, image)


def render_tile(choice: Choice, keys: list[str], layer: str, image: pd.Series) -> None:
    """Render one image: a picture for each run, the name, and what it loses."""
    for part, key in zip(st.columns(len(keys), gap="xxsmall"), keys, strict=True):
        with part:
            render_picture(choice, choice.runs[key], key, layer, image)
    st.button(image["image"], type="tertiary", help="Open in Explore", on_click=open_image,
              args=(image["image"], choice), key=f"tile:{image['image']}")
    st.caption(describe_tile(choice.runs[keys[0]], image))


def render_picture(choice: Choice, run: Run, key: str, layer: str, image: pd.Series) -> None:
    """Render the picture of one run, or why there is none."""
    label = choice.styles[key].label if layer in ("map", "mask", "errors") else LAYERS[layer]
    try:
        tile = load_tile(run, image["image"], layer, choice.threshold)
        st.image(tile, width="stretch", alt=f"{image['image']}, {label}: {', '.join(image['classes'])}")
    except ValueError as error:
        st.text(f"{label}: {error}")


def describe_tile(run: Run, image: pd.Series) -> str:
    """Describe an image in one line: its score, what it loses, and the step to the other run."""
    if run.is_masks:
        text = f"mIoU {image['miou'] * 100:.1f} %"
    else:
        text = f"regret {image['regret'] * 100:.1f} · best at {image['best_threshold']:.3f}"
    return text + (f" · step {image['step'] * 100:+.1f}" if "step" in image and pd.notna(image["step"]) else "")
