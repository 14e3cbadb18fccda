"""What a run tells about itself, as texts for people; no Streamlit."""

import shlex

from amn_core.constants import METHOD_LABELS
from amn_core.data import Dataset
from amn_core.formats.runs import Run
from app import roots
from app.words.comparability import write_value

HASH_DIGITS = 12


def name_origin(run: Run) -> str:
    """Name where a run was found: bundled, made here, imported, or another folder."""
    if run.method == "imported":
        return "imported"
    if roots.is_bundled(run):
        return "bundled"
    return "made here" if run.path.is_relative_to(roots.REPOSITORY / "runs") else "on disk"


def describe_run(run: Run) -> dict:
    """Describe a run in one row of a table."""
    return {
        "name": run.name, "method": METHOD_LABELS[run.method], "data": run.meta["data"], "split": run.meta["split"],
        "images": run.meta.get("images"), "normalisation": write_value(run.meta["protocol"].get("normalisation")),
        "counts": run.has_counts, "maps": run.has_maps,
    }


def describe_provenance(run: Run) -> tuple[dict[str, str], dict[str, str]]:
    """Describe where a run comes from, and under which protocol it was made: two lists of texts by title."""
    model, versions = run.meta.get("model") or {}, run.meta.get("versions") or {}
    source = {
        "Method": METHOD_LABELS[run.method],
        "Checkpoint": write_checkpoint(model),
        "Backbone": write_value(model.get("backbone")),
        "Made": write_value(run.meta.get("created")),
        "With": ", ".join(f"{name} {number}" for name, number in versions.items()) or write_value(None),
        "Folder": str(run.path),
    }
    protocol = {
        "Data set": run.meta["data"],
        "Split": f"{run.meta['split']}, {write_value(run.meta.get('images'))} images",
        "Image labels from": write_value(run.meta.get("label_source")),
        **{key.replace("_", " ").capitalize(): write_value(value) for key, value in run.meta["protocol"].items()},
    }
    return source, protocol


def write_checkpoint(model: dict) -> str:
    """Write the name of a checkpoint with the beginning of its hash."""
    digest = f" · sha256 {model['sha256'][:HASH_DIGITS]}…" if model.get("sha256") else ""
    return write_value(model.get("checkpoint")) + digest


def write_command(run: Run) -> str:
    """Write the command that made a run, ready for a shell."""
    command = run.meta["command"]
    return command if isinstance(command, str) else shlex.join(map(str, command))


def name_place(dataset: Dataset | None) -> str:
    """Name where the images of a data set come from."""
    if dataset is None:
        return "not on this machine"
    kind, _, rest = dataset.spec.partition(":")
    return "drawn when they are needed" if kind == "scenes" else rest
