"""What a training leaves to be looked at: the metrics of its steps, and a probe after each epoch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amn_core.formats.counts import load_counts
from amn_core.formats.files import read_json
from amn_core.sweep.counts import Counts

WHOLE = ("step", "steps", "epoch", "loss", "loss_smooth", "lr", "images_per_second", "time")
LATEST = 2**35  # seconds since 1970; what is later is no date of ours


@dataclass(frozen=True)
class Probe:
    """What a training showed after each epoch (`amn_core.train.probe`).

    Attributes:
        epochs: those that were looked at, 0 for the start, increasing. shown: ids of the images with maps.
    """

    folder: Path
    meta: dict[str, Any]
    epochs: tuple[int, ...]

    @property
    def shown(self) -> tuple[str, ...]:
        """Ids of the images whose maps were kept."""
        return tuple(self.meta["shown"])

    def counts(self, epoch: int) -> Counts:
        """Load the counts after an epoch."""
        return load_counts(self.folder / f"epoch-{epoch:03d}" / "counts.npz")

    def map_path(self, epoch: int, image_id: str) -> Path:
        """Where the map of an image after an epoch is."""
        return self.folder / f"epoch-{epoch:03d}" / "maps" / f"{image_id}.npz"

    def picture_path(self, image_id: str) -> Path:
        """Where the small picture of an image is."""
        return self.folder / "pictures" / f"{image_id}.png"


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read a metrics.jsonl, one entry a step, in order.

    A line that is not whole, as the writer leaves it when it is killed, or that says what no training writes is
    passed over; steps that were done again after a resume count once, as they were done last.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    entries: dict[int, dict[str, Any]] = {}
    for line in lines:
        entry = read_entry(line)
        if entry:
            entries[entry["step"]] = entry
    return [entries[step] for step in sorted(entries)]


def read_entry(line: bytes) -> dict[str, Any]:
    """Read a line of a metrics.jsonl; empty if it is not whole or says what no training writes."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(entry, dict) or not all(is_number(entry.get(key)) for key in WHOLE):
        return {}
    is_step = isinstance(entry["step"], int) and 0 < entry["step"] <= entry["steps"] and 0 <= entry["time"] < LATEST
    return entry if is_step and is_number(entry.get("memory", 0)) else {}


def is_number(value: Any) -> bool:
    """Whether a value is a number that a training could have measured: no truth value, not beyond all bounds.

    A loss may be NaN, or infinite.
    """
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53)


def load_probe(folder: Path) -> Probe | None:
    """Load what there is of the probe of a training; None if it has none or nothing was looked at yet."""
    try:
        meta = read_json(folder / "probe" / "probe.json")
    except ValueError:
        return None
    if not isinstance(meta, dict) or not all(is_ids(meta.get(key)) for key in ("images", "shown")):
        return None
    counted = (path.parent.name.removeprefix("epoch-") for path in (folder / "probe").glob("epoch-*/counts.npz"))
    epochs = sorted(int(number) for number in counted if number.isascii() and number.isdigit())
    return Probe(folder / "probe", meta, tuple(epochs)) if epochs else None


def is_ids(value: Any) -> bool:
    """Whether a value is a list of ids that are file names."""
    return isinstance(value, list) and all(
        isinstance(one, str) and one not in ("", ".", "..") and not any(sign in one for sign in "/\\\0")
        for one in value)
