"""Your photo: a photograph of one's own, or one that comes along, by every bundled method at once. Nothing is kept."""

from collections.abc import MutableMapping

import streamlit as st

from amn_core.constants import METHOD_LABELS
from amn_core.data import DataError
from app import state
from app.cache import own
from app.cache import runs as cached
from app.components.canvas import render_canvas
from app.components.turn import taking_turn
from app.pictures.photos import (
    LONGEST,
    MAX_BYTES,
    Photo,
    build_map_images,
    build_mask_image,
    build_npz,
    build_overlay,
    decide,
    find_models,
    list_samples,
    open_photo,
    open_sample,
    propose_classes,
)
from app.pictures.planes import pack_methods
from app.words.text import escape

TYPES = ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff"]
RESULT, SAMPLE_RESULT = "photo-result", "photo-sample-result"


def render() -> None:
    """Draw the screen."""
    bundles = find_models(cached.find_runs())
    if not bundles:
        render_no_models()
        return
    models = bundles[choose_bundle(list(bundles))]
    photo = choose_photo(models)
    if photo is not None:
        render_photo(photo, models)


def choose_bundle(names: list[str]) -> str:
    """Choose whose models are used; one alone is not asked for."""
    if len(names) == 1:
        return names[0]
    if state.get("bundle") not in names:
        state.put("bundle", names[0])
    return st.sidebar.selectbox("Models", names, **state.bind("bundle", names))


def choose_photo(models: dict) -> Photo | None:
    """Ask for a file; None until there is one that can be read."""
    names = next(iter(models.values())).class_names[1:]
    with st.sidebar:
        most = own.UPLOAD_MB if state.is_classroom() else MAX_BYTES >> 20
        file = st.file_uploader("Photograph", type=TYPES, max_upload_size=most,
                                help=f"At most {most} MB. It is not stored and goes nowhere.")
        st.caption("The file stays in this machine's memory, and only as long as this page is open.")
    if file is None:
        get_shelf().pop(RESULT, None)
        return choose_sample(models, names)
    try:
        return open_photo(file.getvalue(), file.name, own.LONGEST if state.is_classroom() else LONGEST)
    except DataError as error:
        st.error(escape(error), icon=":material/broken_image:")
        return None


def choose_sample(models: dict, names: tuple[str, ...]) -> Photo | None:
    """Choose one of the photographs that come with other packages; at first one with a class that the models know."""
    samples = list_samples(names)
    if not samples:
        st.header("Drop a photograph on the left")
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Drop your own photograph on the left**, or look at one of these. {join(list(models))} mark any "
                    f"of: {escape(', '.join(names))}.", width="stretch")
        chosen = st.pills("Photographs", samples, default=samples[0], required=True, key="photo-sample",
                          label_visibility="collapsed", format_func=lambda name: name.replace("-", " "))
    photo, licence = open_sample(chosen or samples[0])
    st.caption(f"This photograph {licence}.")
    return photo


def join(methods: list[str]) -> str:
    """Join the names of methods to a phrase."""
    labels = [METHOD_LABELS[method] for method in methods]
    return " and ".join([", ".join(labels[:-1]), labels[-1]]) if len(labels) > 1 else labels[0]


def render_photo(photo: Photo, models: dict) -> None:
    """Draw the labels, the canvas and the downloads of a photograph."""
    class_names = models["cam"].class_names
    with st.spinner("Looking at the photograph…", show_time=True):
        kept = keep_result(photo, models)
        class_ids = choose_classes(kept["probabilities"], class_names, photo)
        if not class_ids:
            st.info("Choose at least one class on the left.")
            return
        if state.is_classroom() and len(class_ids) > own.MOST_CLASSES:
            st.info(f"Choose at most {own.MOST_CLASSES} classes: others want their turn, too.")
            return
        maps = map_photo(kept, photo, models, class_ids)
    if photo.original != photo.image.shape[1::-1]:
        width, height = photo.original
        small = f"{photo.image.shape[1]}×{len(photo.image)}"
        st.sidebar.caption(f"Made smaller for the models: {width}×{height} to {small}.")
    render_live(photo, maps, class_names)


def keep_result(photo: Photo, models: dict) -> dict:
    """Keep what was found in this photograph for this session only; a new file or bundle starts afresh."""
    asked, slot = (photo.digest, str(models["cam"].path)), SAMPLE_RESULT if photo.sample else RESULT
    shelf = get_shelf()
    if shelf.get(slot, {}).get("asked") != asked:
        with taking_turn():
            probabilities = cached.predict_labels(models["cam"], photo.image)
        shelf[slot] = {"asked": asked, "probabilities": probabilities, "maps": {}}
    return shelf[slot]


def get_shelf() -> MutableMapping:
    """Get what keeps the result: the session, or of a viewer what is bounded in number and time."""
    return own.get_shelf() if state.is_classroom() else st.session_state


def choose_classes(probabilities, class_names: tuple[str, ...], photo: Photo) -> list[int]:
    """Choose the classes to look for; those that the classifier proposes at first, the likely ones in front."""
    order = [int(i) + 1 for i in probabilities.argsort()[::-1]]
    return sorted(st.sidebar.pills(
        "Classes", order, selection_mode="multi", default=propose_classes(probabilities),
        key=f"photo-classes-{photo.digest[:16]}",
        format_func=lambda c: f"{escape(class_names[c])} {probabilities[c - 1]:.0%}",
        help="The percentages are the classifier's. Accept its choice, or make your own.",
    ))


def map_photo(kept: dict, photo: Photo, models: dict, class_ids: list[int]) -> dict:
    """Make the maps of every method, once for each choice of classes."""
    key = tuple(class_ids)
    if key not in kept["maps"]:
        with taking_turn():
            kept["maps"] = {key: {m: cached.infer_map(run, photo.image, class_ids, True) for m, run in models.items()}}
    return kept["maps"][key]


@st.fragment
def render_live(photo: Photo, maps: dict, class_names: tuple[str, ...]) -> None:
    """Draw the canvas and the downloads; a released threshold reruns these alone."""
    meta, blob = pack_methods(photo.sample or "Your photo", photo.image, maps, class_names)
    classes = "-".join(str(class_id) for class_id in next(iter(maps.values()))[1])
    render_canvas(meta, blob, f"{photo.digest}/{classes}/{len(maps)}", key="photo-canvas", reserve=84)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = st.selectbox("Save", list(maps), index=len(maps) - 1, format_func=METHOD_LABELS.get, width=220)
        render_downloads(photo, *maps[method], class_names, method)


def render_downloads(photo: Photo, cam, class_ids, class_names: tuple[str, ...], method: str) -> None:
    """Draw the buttons that save the maps, and mask and overlay at the threshold."""
    labels = decide(cam, class_ids, state.get("t"))
    opacity, n_classes = state.get("opacity"), len(class_names)
    files = {
        "Map (.npz)": (f"{method}.npz", lambda: build_npz(cam, class_ids, class_names)),
        "Map (16-bit PNG)": (f"{method}-maps.zip", lambda: build_map_images(cam, class_ids, class_names)),
        "Mask": (f"{method}-mask.png", lambda: build_mask_image(labels)),
        "Overlay": (f"{method}-overlay.png", lambda: build_overlay(photo.image, labels, n_classes, opacity)),
    }
    for label, (name, build) in files.items():
        st.download_button(label, build, name, on_click="ignore", icon=":material/download:")


def render_no_models() -> None:
    """Say what to do where there is no model."""
    st.header("No models yet")
    st.markdown(
        "This page needs a folder under `checkpoints/` whose runs bring their checkpoints, a CAM among them. "
        "`python -m amn_core reproduce --data scenes --out checkpoints/scenes` makes one in minutes."
    )


render()
