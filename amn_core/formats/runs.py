"""A run: one method on one data set, as a folder that explains itself.

RUN/run.json     method, checkpoint and its hash, data, split, protocol, versions, command
RUN/maps/ID.npz  activation maps (`amn_core.formats.maps`); absent where only the tables are handed on
RUN/counts.npz   the integer table from which every figure is computed (`amn_core.formats.counts`)
RUN/model.pth    the checkpoint, in the bundled runs; that of a reproduction is in RUN/../train/METHOD
"""

import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from amn_core import __version__
from amn_core.constants import METHOD_LABELS
from amn_core.formats.files import hash_file, read_json, write_json
from amn_core.formats.maps import load_map
from amn_core.formats.run_checks import describe_fault
from amn_core.formats.specs import hide_root, place_root, split_spec

if TYPE_CHECKING:
    from amn_core.sweep.counts import Counts

FORMAT = "amn-run"
FORMAT_VERSION = 1
WITHOUT_ROOT = ("scenes", "photos")  # data that come with the package and its dependencies
SCORING_NOTE = "scoring.json"
REFINED = "refined"


@dataclass(frozen=True)
class Run:
    """An opened run folder; `meta` is the content of its run.json."""

    path: Path
    meta: dict[str, Any]

    @property
    def name(self) -> str:
        """Name to show, unique enough for a legend."""
        return self.meta["name"]

    @property
    def method(self) -> str:
        """One of `METHODS`."""
        return self.meta["method"]

    @property
    def method_label(self) -> str:
        """Name of the method as it is written in a text."""
        return METHOD_LABELS[self.method]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class index, background first."""
        return tuple(self.meta["class_names"])

    @property
    def scored_classes(self) -> tuple[str, ...]:
        """Names of the classes that the run's protocol averages over; empty means all."""
        return tuple(self.meta["protocol"].get("classes") or ())

    @property
    def averaging(self) -> str:
        """Name of the averaging rule of the run's protocol; ``irn`` where it names none."""
        return self.meta["protocol"].get("averaging") or "irn"

    @property
    def is_masks(self) -> bool:
        """Whether the run holds finished masks, which no threshold changes, instead of activation maps."""
        return self.meta.get("kind") == "masks"

    @property
    def is_refined(self) -> bool:
        """Whether the run is the masks refined anew at each threshold of a grid: counts alone, without activation."""
        return self.meta.get("kind") == REFINED

    @property
    def is_registered(self) -> bool:
        """Whether the maps were drawn where a backbone's features lie; older ones were at the centres of cells."""
        return self.meta["protocol"].get("registration") == "features"

    @property
    def counts_path(self) -> Path:
        """Where the counts are, or would be."""
        return self.path / "counts.npz"

    @property
    def has_counts(self) -> bool:
        """Whether the counts were made."""
        return self.counts_path.is_file()

    @property
    def has_maps(self) -> bool:
        """Whether the maps are here."""
        return (self.path / "maps").is_dir()

    @property
    def checkpoint_path(self) -> Path | None:
        """The checkpoint that lies in the folder, or beside it where ``reproduce`` trained it; None without one.

        One beside the run counts only if it is the very file that the maps were made with, by its hash.
        """
        path = self.path / "model.pth"
        if path.is_file():
            return path
        trained = self.path.parent / "train" / self.method / "model.pth"
        wanted = self.meta.get("model", {}).get("sha256")
        return trained if wanted and trained.is_file() and hash_once(trained) == wanted else None

    @cached_property
    def map_ids(self) -> tuple[str, ...]:
        """Ids of the images whose maps are here, sorted."""
        return tuple(sorted(path.stem for path in (self.path / "maps").glob("*.npz")))

    def map_path(self, image_id: str) -> Path:
        """Where the map of an image is, or would be."""
        if image_id in ("", ".", "..") or any(sign in image_id for sign in "/\\\0"):
            raise ValueError(f"image id {image_id!r} is not a file name")
        return self.path / "maps" / f"{image_id}.npz"

    def map(self, image_id: str, size: tuple[int, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Load the maps of an image: cam (K, H, W) float32 in [0, 1], class_ids (K,) int64."""
        return load_map(self.map_path(image_id), size)

    def counts(self) -> "Counts":
        """Load the counts; those of finished masks are the same at every threshold (`settle_masks`)."""
        from amn_core.formats.counts import load_counts  # not needed to read maps
        from amn_core.sweep.scores import settle_masks

        if not self.has_counts:
            raise ValueError(f"{self.path}: no counts yet; run `python -m amn_core count --run {self.path} …`")
        counts = load_counts(self.counts_path)
        return settle_masks(counts) if self.is_masks else counts


def hash_once(path: Path) -> str:
    """Hash a file, once for each time of modification."""
    return hash_at(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def hash_at(path: Path, _modified: int) -> str:
    """Hash a file as it was at a time of modification."""
    return hash_file(path)


def load_run(path: str | Path) -> Run:
    """Open a run folder.

    Raises:
        ValueError: no such folder, no run.json in it, or a run.json that lacks something; names it.
    """
    path = Path(path)
    if not (path / "run.json").is_file():
        raise ValueError(f"{path}: not a run folder (no run.json in it)")
    meta = read_json(path / "run.json")
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise ValueError(f"{path / 'run.json'}: not the description of a run")
    fault = describe_fault(meta, FORMAT_VERSION)
    if fault:
        raise ValueError(f"{path / 'run.json'}: {fault}")
    return Run(path, meta)


def save_run(path: str | Path, meta: dict[str, Any]) -> Run:
    """Write run.json into a folder (made if need be) and open it; format, versions and date are added."""
    path = Path(path)
    stamped = {"format": FORMAT, "version": FORMAT_VERSION, **meta}
    stamped.setdefault("created", datetime.now(UTC).isoformat(timespec="seconds"))
    stamped.setdefault("versions", collect_versions())
    write_json(path / "run.json", stamped)
    return load_run(path)


def save_scoring(folder: str | Path, run: Run) -> None:
    """Note beside exported files over which classes the run's protocol averages, and how, so that an import knows."""
    write_json(Path(folder) / SCORING_NOTE, {
        "name": run.name, "classes": list(run.scored_classes), "averaging": run.meta["protocol"].get("averaging", "")})


def load_scoring(folder: str | Path) -> dict[str, Any]:
    """Load what `save_scoring` noted: ``classes`` (names, empty for all) and ``averaging`` (empty for the default).

    Raises:
        ValueError: the note is broken.
    """
    path = Path(folder) / SCORING_NOTE
    note = read_json(path) if path.is_file() else {}
    classes, averaging = (note.get("classes", []), note.get("averaging", "")) if isinstance(note, dict) else (None, "")
    if not isinstance(classes, list) or not all(isinstance(one, str) for one in (*classes, averaging)):
        raise ValueError(f"{path}: does not say which classes to average over; remove it, or export again")
    return {"classes": classes, "averaging": averaging}


def find_runs(root: str | Path) -> list[Run]:
    """Find every readable run below a folder, sorted by path; folders that cannot be read are passed over."""
    runs = []
    for description in sorted(Path(root).rglob("run.json")):
        try:
            runs.append(load_run(description.parent))
        except ValueError:
            continue
    return runs


def collect_versions() -> dict[str, str]:
    """Collect the versions that a result depends on, without importing anything heavy."""
    versions = {"amn_core": __version__, "python": platform.python_version(), "platform": sys.platform}
    for package in ("torch", "torchvision", "numpy", "pillow"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def describe_source(run: Run) -> dict[str, Any]:
    """Describe a run for the run.json of one that was made from it: two with the same description hold the same."""
    protocol = {key: value for key, value in run.meta["protocol"].items() if key not in ("ground_truth", "classes")}
    return {"name": run.name, "method": run.method, "model": run.meta.get("model", {}), "protocol": protocol}


def describe_data(spec: str) -> tuple[str, str]:
    """Split a spec into what may be shown anywhere (``voc:VOC2012``) and where it lies on this machine."""
    parts = split_spec(spec)
    return (spec, "") if parts is None else (hide_root(spec), str(Path(parts.root).resolve()))


def resolve_spec(run: Run) -> str:
    """Find the spec that opens the data of a run on this machine.

    Raises:
        ValueError: the run does not know where its data lies here.
    """
    kind = run.meta["data"].partition(":")[0]
    if kind in WITHOUT_ROOT:
        return run.meta["data"]
    if not run.meta.get("data_root"):
        raise ValueError(
            f"{run.path} does not say where {run.meta['data']} lies on this machine: pass --data {kind}:ROOT")
    return place_root(run.meta["data"], run.meta["data_root"])
