"""The refined masks of the open image at the thresholds of a grid: made behind the page, kept, cancelled by the next.

The threshold that is looked at comes first, then those around it. One thread works for all sessions: two would only
share the cores.
"""

import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from uuid import uuid4

import numpy as np
import streamlit as st

from amn_core.formats.runs import Run
from amn_core.sweep.refined import choose_grid
from app.cache import runs as cached

GRID = choose_grid(51)
CHUNK = 8
ASKED, SESSION = "refinements-asked", "refinements-session"


@dataclass
class Refinement:
    """The refined masks of one image by one run and method, as many as are ready.

    Attributes:
        masks: by index into `GRID`, the mask at that threshold, (H, W) uint8 class ids, compressed by zlib.
        present: the threshold that is looked at. wanted_by: sessions that wait for it; nobody: it stops.
        error: why it cannot be made, if it cannot.
    """

    method: str
    masks: dict[int, bytes] = field(default_factory=dict)
    present: float = 0.35
    wanted_by: set[str] = field(default_factory=set)
    error: str = ""
    is_queued: bool = False
    lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return bool(self.error) or len(self.masks) == len(GRID)

    def choose_next(self) -> np.ndarray:
        """Choose the thresholds to refine next, (n,) indices: the present one alone, then the nearest ones left."""
        order = np.argsort(np.abs(GRID - self.present), kind="stable")
        if int(order[0]) not in self.masks:
            return order[:1]
        return np.array([i for i in order.tolist() if i not in self.masks][:CHUNK])


def name_session() -> str:
    """Name the session that asks."""
    return st.session_state.setdefault(SESSION, uuid4().hex)


def ask_refinements(runs: dict[str, Run], image_id: str, method: str, present: float) -> dict[str, Refinement]:
    """Ask for the refined masks of an image by run; what the session asked for before is cancelled unless it is among.

    Returns:
        `Refinement` by key of the run; they fill up by and by.
    """
    session = name_session()
    asked = {key: find_refinement(str(run.path), image_id, method) for key, run in runs.items()}
    for old in st.session_state.get(ASKED, []):
        if all(old is not one for one in asked.values()):
            old.wanted_by.discard(session)
    st.session_state[ASKED] = list(asked.values())
    for key, one in asked.items():
        one.present = present
        one.wanted_by.add(session)
        with one.lock:
            if one.is_over or one.is_queued:
                continue
            one.is_queued = True
        get_worker().submit(fill, one, runs[key], image_id)
    return asked


def cancel_refinements() -> None:
    """Cancel what the session waits for: it looks at something else."""
    for old in st.session_state.pop(ASKED, []):
        old.wanted_by.discard(name_session())


@st.cache_resource
def get_worker() -> ThreadPoolExecutor:
    """Get the one thread that refines."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="app-refine")


@st.cache_resource(max_entries=24, show_spinner=False)
def find_refinement(path: str, image_id: str, method: str) -> Refinement:
    """Find the refinement of an image by a run, empty at first; a run's maps do not change once they are written."""
    return Refinement(method)


def fill(one: Refinement, run: Run, image_id: str) -> None:
    """Refine threshold after threshold until all are there or nobody waits for them."""
    try:
        if one.wanted_by:
            refiner, table = open_refiner(one, run, image_id)
        while one.wanted_by and not one.is_over:
            chosen = one.choose_next()
            for index, labels in zip(chosen.tolist(), refiner.refine(GRID[chosen]), strict=True):
                one.masks[index] = zlib.compress(table[labels].tobytes(), 1)
    except (ValueError, RuntimeError, MemoryError) as error:
        one.error = str(error)
    finally:
        with one.lock:
            one.is_queued = False


def open_refiner(one: Refinement, run: Run, image_id: str):
    """Open what refines an image, and the table from its labels to class ids; torch is imported here."""
    from amn_core.infer.cuts import CutRefiner

    dataset = cached.get_dataset(run)
    if dataset is None:
        raise ValueError(f"the photographs of {run.meta['data']} are not on this machine")
    image = dataset.image(image_id)
    cam, class_ids = cached.load_map(run, image_id, image.shape[:2])
    return CutRefiner(image, cam, one.method), np.concatenate([[0], class_ids]).astype(np.uint8)
