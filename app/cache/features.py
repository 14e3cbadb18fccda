"""What a CAM is summed up from, feature by feature."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from amn_core.formats.runs import Run
from app.cache import runs as cached


@dataclass(frozen=True)
class Decomposition:
    """The activation of a class as a weighted sum: features (D, h, w) from 0 or a little below, weights (D,)."""

    features: np.ndarray
    weights: np.ndarray


def decompose_map(run: Run, image_id: str, class_id: int) -> Decomposition:
    """Decompose the map of a class, at the image's own size and without mirroring.

    The sum over D of weight × feature, negative values cut off, is the class activation map before normalisation.
    """
    return read_decomposition(str(run.path), run.checkpoint_path.stat().st_mtime_ns, image_id, class_id, run)


@st.cache_resource(max_entries=16, show_spinner="Asking the network for its features…")
def read_decomposition(path: str, modified: int, image_id: str, class_id: int, _run: Run) -> Decomposition:
    """Run the network on an image, once for each checkpoint."""
    extractor, lock = cached.load_extractor(_run)
    image, _ = cached.read_picture(_run.meta["data"], _run.meta.get("data_root", ""), _run.meta["split"], image_id)
    with lock:
        return Decomposition(*extractor.decompose_map(image, class_id))
