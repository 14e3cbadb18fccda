"""What the screen Train works with: which fields its form has, and how they become a command. No Streamlit."""

import math
import shlex
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from amn_core.commands.pipeline import ReproduceConfig
from amn_core.jobs import Job, find_jobs_root, start_job
from amn_core.options import find_type, format_command

COMMAND = "reproduce"
METHODS = {
    "CAM": "cam", "AMN without LCM": "cam,amn-without-lcm", "AMN": "cam,amn",
    "All three": "cam,amn-without-lcm,amn", "AMN, then CRF and IRN": "cam,amn,crf,irn",
    "AMN, IRN, segmentation": "cam,amn,irn,segmentation",
}
PRESET_NAMES = {"minutes": "minutes on a CPU", "paper": "paper", "scenes": "drawn scenes, minutes on a CPU"}
# In the form's first rows, in this order; the command line has names for what no form should ask.
MAIN = ("data", "train_split", "split", "methods", "preset", "backbone", "device")
HIDDEN = ("out", "bundle", "bundle_models")
# The others in groups, by what they are about; one that is in none comes last, so that no new option is lost.
GROUPS = {
    "Data and weights": ("measure_data", "classes", "weights", "stride_on", "skip_broken"),
    "Seeds of CAM": ("foreground", "background", "crf"),
    "Training": ("cam_epochs", "amn_epochs", "cam_lr", "amn_lr", "batch", "crop", "seed", "probe"),
    "CRF, IRN and segmentation": (
        "crf_threshold", "refine_foreground", "refine_background", "irn_epochs", "walk_normalisation", "walk_scale",
        "mask_threshold", "segmentation_epochs"),
}
PROBE = 24
WRITTEN = {"cam": "CAM", "amn": "AMN", "irn": "IRN", "lr": "learning rate", "crf": "dense CRF"}
EMPTY = {"measure_data": "the same data", "classes": "all"}  # what an empty text stands for
EPOCHS = ("cam_epochs", "amn_epochs", "irn_epochs", "segmentation_epochs")
LEAST = dict.fromkeys(EPOCHS, 1) | {"batch": 1, "crop": 32, "probe": 0, "seed": 0}


@dataclass(frozen=True)
class Field:
    """A field of the config as the form shows it."""

    name: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...]

    @property
    def label(self) -> str:
        """The field's name for people."""
        words = [WRITTEN.get(word, word) for word in self.name.split("_")]
        return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def list_fields() -> dict[str, Field]:
    """List the fields of the command's own config, by name; those that a form has no use for are left out."""
    hints = get_type_hints(ReproduceConfig)
    return {
        field.name: Field(
            field.name, bool if hints[field.name] is bool else find_type(hints[field.name]),
            PROBE if field.name == "probe" else field.default, field.metadata["help"],
            tuple(field.metadata.get("choices") or ()))
        for field in fields(ReproduceConfig) if field.name not in HIDDEN}


def list_groups() -> dict[str, list[Field]]:
    """List the fields behind *More options* by group, each once."""
    known = {name: field for name, field in list_fields().items() if name not in MAIN}
    groups = {title: [known.pop(name) for name in names] for title, names in GROUPS.items()}
    return groups | ({"Others": list(known.values())} if known else {})


def build_config(values: dict[str, Any]) -> ReproduceConfig:
    """Build the config from the values of the form."""
    known = {name: value for name, value in values.items() if name in list_fields()}
    return ReproduceConfig(**known)


def write_command(config: ReproduceConfig, out: str = "jobs/NAME") -> str:
    """Write the equivalent command line."""
    return "python -m amn_core " + shlex.join(format_command(COMMAND, replace(config, out=out)))


def name_method(methods: str) -> str:
    """Name what is trained."""
    return next((name for name, value in METHODS.items() if value == methods), methods)


def start(config: ReproduceConfig) -> Job:
    """Start the training as a job that writes into its own folder.

    Raises:
        ValueError, OSError: it did not start.
    """
    title = f"{name_method(config.methods)} on {config.data.partition(':')[0]}, {config.backbone}"

    def build_words(path: Path) -> list[str]:
        return format_command(COMMAND, replace(config, out=str(path)))

    return start_job(find_jobs_root(), title, build_words, config.device, config=asdict(config))


def read_values(job: Job) -> dict[str, Any]:
    """Read the values of the form that started a job, for another like it."""
    known = list_fields()
    return {name: value for name, value in job.config.items() if name in known and is_value(value, known[name])}


def is_value(value: Any, field: Field) -> bool:
    """Whether a value fits a field: of its type, one of its choices if it has some, and a number not out of bounds."""
    if field.kind is bool or isinstance(value, bool):
        return field.kind is bool and isinstance(value, bool)
    is_number = isinstance(value, (int, float)) and math.isfinite(value) and LEAST.get(field.name, -1e9) <= value <= 1e9
    fits = {int: is_number and isinstance(value, int), float: is_number, str: isinstance(value, str)}
    return (value is None and field.default is None) or (
        fits.get(field.kind, False) and (not field.choices or value in field.choices))


def write_duration(seconds: float) -> str:
    """Write a duration with two units at most."""
    minutes, hours = round(seconds / 60), round(seconds / 3600, 1)
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 100 else f"{hours:g} h"
