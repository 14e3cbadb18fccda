"""Checkpoints of the paper's official code as runs without maps, so that Your photo can use them; no Streamlit.

What is remembered of each is a text, ``METHOD:CLASSES:FILE``, written after the file was read once.
"""

from dataclasses import dataclass
from pathlib import Path

from amn_core.constants import COCO_CLASSES, METHOD_LABELS, VOC_CLASSES
from amn_core.formats.runs import Run

METHODS = ("cam", "amn")


@dataclass(frozen=True)
class CheckpointRun(Run):
    """A checkpoint that lies by itself, shown as a run: on no data set, without maps and counts."""

    file: Path

    @property
    def checkpoint_path(self) -> Path | None:
        """The checkpoint, if it is still there."""
        return self.file if self.file.is_file() else None


def write_item(method: str, n_classes: int, file: Path) -> str:
    """Write down a checkpoint: its method, the number of its classes with background, and where it lies."""
    return f"{method}:{n_classes}:{file}"


def describe_item(item: str) -> str:
    """Describe a checkpoint that was written down, for people; what makes no sense is left as it is."""
    method, _, rest = item.partition(":")
    number, _, file = rest.partition(":")
    if method not in METHODS or not number.isdigit():
        return item
    return f"{METHOD_LABELS[method]} (official), {int(number) - 1} classes: {file}"


def build_run(item: str) -> CheckpointRun | None:
    """Build the run of a checkpoint that was written down; None if it makes no sense or the file is gone."""
    method, _, rest = item.partition(":")
    number, _, file = rest.partition(":")
    names = {str(len(classes)): classes for classes in (VOC_CLASSES, COCO_CLASSES)}.get(number)
    path = Path(file)
    if method not in METHODS or names is None or not path.is_file():
        return None
    return CheckpointRun(path.parent / method, {
        "name": f"{METHOD_LABELS[method]} (official)", "method": method, "data": "", "split": "",
        "class_names": list(names), "label_source": "", "model": {"checkpoint": path.name, "backbone": "ResNet50"},
        "protocol": {"normalisation": "auto", "scales": [0.5, 1.0, 1.5], "flip": True}}, path)
