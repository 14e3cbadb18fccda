"""What can be handed on of some runs: tables, checkpoints in float16, maps of drawn pictures; no path, no image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amn_core.formats.files import hash_file, write_bytes
from amn_core.formats.runs import WITHOUT_ROOT, Run, load_run, save_run
from amn_core.formats.specs import hide_root, split_spec

# The entries of run.json that may name files.
WITH_PATHS = ("config", "command", "model", "refinement", "segmentation")
HANDED_ON = ("model", "class_names", "config", "step", "images", "metrics")


def bundle(runs: Mapping[Path, Path | None], target: Path) -> None:
    """Copy runs to where they can be handed on, each into a folder of its own name.

    The maps are copied too if everybody has the images: drawn ones, and photographs of other packages.

    Args:
        runs: run folders, each with its checkpoint to hand on, or None for its tables alone.
        target: the folder to write to.
    """
    for path, checkpoint in runs.items():
        source, folder = load_run(path), target / path.name
        write_bytes(folder / "counts.npz", source.counts_path.read_bytes())
        if source.meta["data"].partition(":")[0] in WITHOUT_ROOT and not source.is_masks:
            for image_id in source.map_ids:
                write_bytes(folder / "maps" / f"{image_id}.npz", source.map_path(image_id).read_bytes())
        meta = strip_meta(source)
        if checkpoint is not None:
            meta |= hand_on_checkpoint(meta, checkpoint, folder)
        save_run(folder, meta)


def hand_on_checkpoint(meta: dict[str, Any], checkpoint: Path, folder: Path) -> dict[str, Any]:
    """Copy a checkpoint in float16; what run.json says of it: its hash beside that of the one that was measured."""
    from amn_core.formats.checkpoints import load_checkpoint, save_checkpoint  # imports torch

    model, content = load_checkpoint(checkpoint)
    content["config"] = strip_value(content["config"])
    save_checkpoint(folder / "model.pth", model, {k: v for k, v in content.items() if k in HANDED_ON}, half=True)
    described = meta["model"] | {
        "measured_sha256": meta["model"]["sha256"], "checkpoint": "model.pth",
        "sha256": hash_file(folder / "model.pth"), "precision": "fp16"}
    return {"model": described, "training": content["config"]}


def strip_meta(run: Run) -> dict[str, Any]:
    """Strip every folder of this machine from what a run says about itself."""
    meta = dict(run.meta) | {"data_root": ""}
    return meta | {key: strip_value(meta[key]) for key in WITH_PATHS if key in meta}


def strip_value(value: Any) -> Any:
    """Strip folders from a value, however deep it lies in dicts and lists."""
    if isinstance(value, dict):
        return {key: strip_value(part) for key, part in value.items()}
    if isinstance(value, list):
        return [strip_value(part) for part in value]
    return strip_path(value) if isinstance(value, str) else value


def strip_path(text: str) -> str:
    """Strip the folders of a path, or of the path in a spec; any other text stays as it is."""
    if split_spec(text) is not None:
        return hide_root(text)
    return Path(text).name if "/" in text or "\\" in text else text
