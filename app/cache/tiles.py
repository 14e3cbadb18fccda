"""The tiles of a contact sheet, made once for each image, layer and threshold."""

import streamlit as st

from amn_core.formats.runs import Run
from app.cache import runs as cached
from app.cache.canvases import find_map_time


def load_tile(run: Run, image_id: str, layer: str, threshold: float) -> bytes:
    """Load a tile as WebP: a photograph with a layer over it.

    Args:
        layer: ``photo``, ``truth``, ``map``, ``mask`` or ``errors``.

    Raises:
        ValueError: the photograph cannot be read, or the run has no map of it, or there is no ground truth.
    """
    at = threshold if layer in ("mask", "errors") else 0.0
    key = (str(run.path), find_map_time(run, image_id)) if layer in ("map", "mask", "errors") else ("", 0)
    return read_tile(run.meta["data"], run.meta.get("data_root", ""), run.meta["split"], image_id, layer, at, key, run)


@st.cache_resource(max_entries=1024, show_spinner=False)
def read_tile(
    data: str, data_root: str, split: str, image_id: str, layer: str, threshold: float, key: tuple, _run: Run
) -> bytes:
    """Make a tile, once for each question."""
    from app.pictures import tiles

    image, gt = cached.read_picture(data, data_root, split, image_id)
    if layer in ("truth", "errors") and gt is None:
        raise ValueError("no ground truth of this image")
    size = tiles.choose_size(*image.shape[:2])
    small, labels = tiles.shrink(image, gt, size)
    n_classes = len(_run.class_names)
    if layer == "truth":
        return tiles.encode_tile(tiles.paint_truth(small, labels, n_classes))
    if layer == "photo":
        return tiles.encode_tile(small)
    cam, class_ids = cached.load_map(_run, image_id, size)
    if layer == "map":
        return tiles.encode_tile(tiles.paint_map(small, cam))
    if layer == "mask":
        return tiles.encode_tile(tiles.paint_mask(small, cam, class_ids, threshold, n_classes))
    return tiles.encode_tile(tiles.paint_errors(small, cam, class_ids, threshold, labels))
