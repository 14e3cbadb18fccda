"""What the canvas needs of an image, packed once and kept; the neighbours are packed while the first is looked at."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from threading import Thread

import streamlit as st

from amn_core.formats.runs import Run
from app import state
from app.cache import combinations
from app.cache import runs as cached
from app.cache.combinations import Mix
from app.charts.styles import RunStyle


def load_canvas(keys: tuple[str, ...], image_id: str, averaging: str = "union", mix: Mix | None = None):
    """Load what the canvas needs of one image: meta, bytes, and a revision that names both.

    Its scores are over the classes of each run's protocol, as those of `load_image_scores`. A combination of two runs
    comes last.

    Raises:
        ValueError: the photograph or the ground truth cannot be read, or do not lie on each other.
    """
    group = next(members for members in cached.group_runs().values() if keys[0] in members)
    runs = tuple((key, group[key]) for key in keys)
    marks = [f"{key}@{find_map_time(run, image_id)}:{','.join(run.scored_classes)}" for key, run in runs]
    if mix is not None:
        marks += [repr(mix), str(combinations.find_combined(mix, group))]
        marks += [f"{key}@{find_map_time(group[key], image_id)}" for key in mix.keys]
    revision = "|".join((*marks, image_id, averaging))
    return (*pack_canvas(revision, image_id, averaging, runs, cached.style_runs(group), mix, group), revision)


def prefetch_canvas(keys: tuple[str, ...], images: Sequence[str], averaging: str, mix: Mix | None = None) -> None:
    """Load images that are likely to be asked for next, behind the page.

    Where a model has to run it is the first of them alone, and none in a classroom: thirty viewers share the cores.
    """
    from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

    group = next(members for members in cached.group_runs().values() if keys[0] in members)
    needed = {*keys, *(mix.keys if mix else ())}
    ready = [image_id for i, image_id in enumerate(images)
             if (i == 0 and not state.is_class()) or all(is_drawn(group[key], image_id) for key in needed)]
    if ready:
        thread = Thread(target=lambda: [load_quietly(keys, one, averaging, mix) for one in ready], daemon=True)
        add_script_run_ctx(thread, get_script_run_ctx())
        thread.start()


def is_drawn(run: Run, image_id: str) -> bool:
    """Whether the map of an image is there, or none can be had, so that it is shown without a model."""
    return run.map_path(image_id).is_file() or run.checkpoint_path is None


def load_quietly(keys: tuple[str, ...], image_id: str, averaging: str, mix: Mix | None) -> None:
    """Load an image ahead of time; what is wrong with it is said when it is asked for."""
    with suppress(ValueError, OSError):
        load_canvas(keys, image_id, averaging, mix)


def find_map_time(run: Run, image_id: str) -> int:
    """Find when the map of an image was written, or the checkpoint it will be inferred from; 0 if there is neither."""
    for path in (run.map_path(image_id), run.checkpoint_path):
        if path is not None and path.is_file():
            return path.stat().st_mtime_ns
    return 0


@st.cache_resource(max_entries=48, show_spinner=False)
def pack_canvas(
    revision: str, image_id: str, averaging: str, _runs, _styles: dict[str, RunStyle], _mix: Mix | None = None,
    _group: dict[str, Run] | None = None,
):
    """Pack an image and its maps for the browser; a run that has none is among ``missing`` with the reason."""
    from app.pictures.planes import MethodMap, check_map, pack_image

    first = _runs[0][1]
    image, gt = cached.read_picture(first.meta["data"], first.meta.get("data_root", ""), first.meta["split"], image_id)
    loaders = [(*one, partial(cached.load_map, one[1], image_id, image.shape[:2])) for one in _runs]
    if _mix is not None:
        _styles = {**_styles, combinations.KEY: combinations.style_mix(_mix, _group)}
        loaders.append((combinations.KEY, _group[_mix.keys[0]], partial(
            combinations.load_mixed, _mix, _group, image_id, image.shape[:2])))
    methods, missing = [], []
    for key, run, load in loaders:
        style = _styles[key]
        look = {"key": key, "label": style.label, "colour": style.colour, "dash": style.svg_dash}
        try:
            cam, class_ids = load()
            is_masks = run.is_masks if key != combinations.KEY else combinations.is_masks(_mix, _group)
            method = MethodMap(**look, cam=cam, class_ids=class_ids, scored=find_scored(run), is_masks=is_masks)
            check_map(image_id, image.shape[:2], method)
            methods.append(method)
        except ValueError as error:
            missing.append({**look, "reason": str(error)})
    meta, blob = pack_image(image_id, image, gt, methods, first.class_names, averaging)
    return {**meta, "missing": missing}, blob


def find_scored(run: Run) -> tuple[int, ...] | None:
    """Find the ids of the classes that a run's score is over, None for all (`amn_core.scoring.choose_classes`)."""
    from amn_core.scoring import choose_classes

    classes = choose_classes(None, run)
    return None if classes is None else tuple(map(run.class_names.index, classes))
