"""The refined masks on their way to the canvas: a line that says how many are ready, and the masks themselves.

A component of its own, so that the photograph and the maps are not sent again with every mask that is finished. It
hands the masks to the canvas through ``globalThis.amnBench``.
"""

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from amn_core.formats.runs import Run
from app import state
from app.cache import refinements
from app.components.live import read_scripts

HERE = Path(__file__).parent
LAYERS = {"crf": "dense CRF", "pamr": "PAMR"}
STEPS = 200
EVERY = 0.7  # seconds between two looks at what is ready

_mount = st.components.v2.component(
    "amn_refined", html='<p class="refined" role="status"></p>',
    css=(HERE / "refined.css").read_text(encoding="utf-8"),
    js="\n".join([read_scripts("bench.js"), (HERE / "refined.js").read_text(encoding="utf-8")]),
)


def render_refined(runs: dict[str, Run], image_id: str) -> None:
    """Put the refined masks of the open image on the page, if the layer is one of them; else cancel what is under way.

    Finished masks are not refined again.
    """
    layer = state.get("layer")
    cut = {key: run for key, run in runs.items() if not run.is_masks and not run.is_refined}
    if layer not in LAYERS or not cut:
        refinements.cancel_refinements()
        return
    found = refinements.ask_refinements(cut, image_id, layer, state.get("t"))
    is_over = all(one.is_over for one in found.values())

    @st.fragment(run_every=None if is_over else EVERY)
    def watch() -> None:
        mount_masks(found, layer, image_id)
        if not is_over and all(one.is_over for one in found.values()):
            st.rerun()  # nothing more will come: stop looking

    watch()


def mount_masks(found: dict[str, refinements.Refinement], layer: str, image_id: str) -> None:
    """Send what is ready; the browser unpacks only what it does not have yet."""
    meta, blob = pack_masks(found)
    status = describe_status(found, layer)
    _mount(key="refined", data={"meta": {"image": image_id, "layer": layer, "status": status, "runs": meta},
                                "blob": blob}, height="content")


def pack_masks(found: dict[str, refinements.Refinement]) -> tuple[dict[str, Any], np.ndarray]:
    """Pack the masks that are ready: by run a list of [step of the bar, offset, length], and all bytes."""
    meta, parts, size = {}, [], 0
    for key, one in found.items():
        meta[key] = []
        for index, packed in sorted(dict(one.masks).items()):
            meta[key].append([round(refinements.GRID[index] * STEPS), size, len(packed)])
            parts.append(np.frombuffer(packed, np.uint8))
            size += len(packed)
    return meta, np.concatenate(parts) if parts else np.zeros(1, np.uint8)


def describe_status(found: dict[str, refinements.Refinement], layer: str) -> str:
    """Describe how far it is, in a sentence; nothing once all is there."""
    error = next((one.error for one in found.values() if one.error), "")
    if error:
        return f"After {LAYERS[layer]}: {error}"
    ready, total = sum(len(one.masks) for one in found.values()), len(found) * len(refinements.GRID)
    return "" if ready == total else f"After {LAYERS[layer]}: {ready} of {total} masks are ready"
