"""What a training leaves to be looked at: the metrics of its steps, and a probe after each epoch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amn_core.formats.counts import load_counts
from amn_core.formats.files import read_json
from amn_core.sweep.counts import Counts


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

    A line that is not whole, as the writer leaves it when it is killed, is passed over; steps that were
    done again after a resume count once, as they were done last.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    entries: dict[float, dict[str, Any]] = {}
    for line in lines:
        try:
            entry = json.loads(line)
            entries[entry["step"]] = entry
        except (ValueError, KeyError, TypeError):
            continue
    return [entries[step] for step in sorted(entries)]


def load_probe(folder: Path) -> Probe | None:
    """Load what there is of the probe of a training; None if it has none or nothing was looked at yet."""
    try:
        meta = read_json(folder / "probe" / "probe.json")
    except ValueError:
        return None
    counted = (folder / "probe").glob("epoch-*/counts.npz")
    epochs = sorted(int(path.parent.name.removeprefix("epoch-")) for path in counted)
    return Probe(folder / "probe", meta, tuple(epochs)) if epochs else None
