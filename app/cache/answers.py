"""The caches of *Label*: what maps say of a data set, kept answers placed on a run, and what follows from them."""

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from amn_core.choosing.bounds import Bounds, bound_points
from amn_core.choosing.differences import Difference, compare_placed
from amn_core.choosing.placing import Placed, place_answers, see_maps
from amn_core.choosing.points import Estimate, estimate_points
from amn_core.choosing.population import Population, build_population
from amn_core.choosing.priors import DEFAULT
from amn_core.constants import DEFAULT_THRESHOLDS
from amn_core.formats.answers import Entry, hash_photo, load_entries
from amn_core.formats.runs import Run
from amn_core.sweep import Counts
from app import roots
from app.cache import runs as cached
from app.cache.own import OwnAnswers


@dataclass(frozen=True)
class Standing:
    """Where a run stands: its kept answers on it, and estimate and bounds from them."""

    placed: Placed
    estimate: Estimate
    bounds: Bounds

    @property
    def threshold(self) -> float:
        """The chosen threshold."""
        return self.at(int(self.bounds.index))

    def at(self, level: int) -> float:
        """Find the threshold at the end of a level."""
        population = self.estimate.population
        return float(population.thresholds[population.ends[level]])


def mark_maps(run: Run) -> tuple[str, int]:
    """Mark the maps of a run for a cache, and its counts if there are any."""
    path = run.counts_path if run.has_counts else run.path / "maps"
    return str(run.path), path.stat().st_mtime_ns


def load_seen(run: Run) -> tuple[Counts, Population]:
    """Load what the maps of a run say: its counts if there are any, else its maps counted without ground truth."""
    return read_seen(*mark_maps(run), run)


@st.cache_resource(max_entries=8, show_spinner="Looking at the maps…")
def read_seen(path: str, modified: int, _run: Run) -> tuple[Counts, Population]:
    """Read or count, once for each version of the maps."""
    seen = _run.counts() if _run.has_counts else see_maps(_run, DEFAULT_THRESHOLDS)
    return seen, build_population(seen, classes=list(_run.scored_classes) or None)


def load_kept() -> list[Entry]:
    """Load all kept answers; none where nobody answered yet."""
    path = roots.find_answers()
    return read_kept(str(path), path.stat().st_size) if path.is_file() else []


@st.cache_resource(max_entries=4, show_spinner=False)
def read_kept(path: str, size: int) -> list[Entry]:
    """Read answers, once for each length of the file, which only grows."""
    return load_entries(path)


@st.cache_resource(max_entries=16, show_spinner=False)
def remember_places(path: str, modified: int) -> dict:
    """Hold the places of answers on a run, by id of the answer."""
    return {}


def load_standing(run: Run, own: OwnAnswers | None = None) -> Standing:
    """Place what is kept on a run and estimate; of a viewer, what is kept in the page."""
    _, population = load_seen(run)
    entries = load_kept() if own is None else own.entries
    remember = remember_places(*mark_maps(run)) if own is None else own.places.setdefault(mark_maps(run), {})
    placed = place_answers(entries, run, population, hash_image=lambda image_id: load_hash(run, image_id),
                           remember=remember)
    estimate = estimate_points(population, placed.answers, DEFAULT)
    return Standing(placed, estimate, bound_points(estimate, placed.answers, np.random.default_rng(0)))


def compare_standings(first: Standing, second: Standing) -> Difference | None:
    """Compare the mIoU of two runs, each at its threshold, by the answers that both have; None without one."""
    parts = ((replace(one.estimate, index=one.bounds.index), one.placed) for one in (first, second))
    return compare_placed(*parts)


def load_hash(run: Run, image_id: str) -> str | None:
    """Load the hash of a photograph as it is on this machine; None where it is not."""
    dataset = cached.get_dataset(run)
    if dataset is None or image_id not in set(dataset.ids):
        return None
    return read_hash(run.meta["data"], run.meta.get("data_root", ""), run.meta["split"], image_id)


@st.cache_resource(max_entries=4096, ttl="600s", show_spinner=False)
def read_hash(data: str, data_root: str, split: str, image_id: str) -> str:
    """Hash a photograph, once in ten minutes."""
    return hash_photo(cached.find_dataset(data, data_root, split).image(image_id))
