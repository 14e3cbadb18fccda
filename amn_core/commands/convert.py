"""A checkpoint of the paper's official code to one of ours, or back; what is in the file says which way."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amn_core.formats.files import hash_file, write_bytes
from amn_core.options import option

CLASSES = ("auto", "voc", "coco")


@dataclass(frozen=True)
class ConvertConfig:
    """What `convert` needs."""

    checkpoint: str = option("", "checkpoint to convert, such as res50_amn.pth or model.pth", positional=True)
    out: str = option("", "file to write", required=True)
    classes: str = option("auto", "whose classes an official IRN belongs to; other files say it themselves",
                          choices=CLASSES)


def convert(config: ConvertConfig) -> dict[str, Any]:
    """Convert an official checkpoint to one of ours, or one of ours with a ResNet-50 to an official one.

    The official file is a state_dict that the official modules load strictly: IRN's, which they load without
    its pixel pairs, holds the network alone.

    Returns:
        ``checkpoint``, ``out``, ``direction`` (``official to ours`` or ``ours to official``), ``method``,
        ``classes`` (foreground), ``tensors`` (names in the file written), ``sha256`` of the file written.

    Raises:
        ValueError: the file cannot be read, has a wrong tensor, is of a model that the official code does not
            have, or the file to write is there already.
    """
    from amn_core.formats.checkpoints import read_checkpoint  # imports torch

    out = Path(config.out)
    if out.exists():
        raise ValueError(f"{out} exists: choose another --out, or move it away")
    content = read_checkpoint(config.checkpoint)
    is_official = bool(content.get("official"))
    write = write_ours if is_official else write_official
    tensors = write(config, content, out)
    return {
        "checkpoint": config.checkpoint, "out": str(out),
        "direction": "official to ours" if is_official else "ours to official", "method": content["model"]["name"],
        "classes": content["model"]["n_classes"] - 1, "tensors": tensors, "sha256": hash_file(out)}


def write_ours(config: ConvertConfig, content: dict[str, Any], out: Path) -> int:
    """Write a checkpoint of ours, in one step; returns how many tensors it has."""
    from amn_core.formats.checkpoints import build_loaded, save_checkpoint

    content = choose_classes(content, config.classes)
    model = build_loaded(content, config.checkpoint)
    source = {"source": Path(config.checkpoint).name, "source_sha256": hash_file(Path(config.checkpoint))}
    save_checkpoint(out, model, {
        key: content[key] for key in ("model", "class_names", "step", "metrics")} | {"config": source})
    return len(model.state_dict())


def choose_classes(content: dict[str, Any], classes: str) -> dict[str, Any]:
    """Choose the classes of an official IRN, whose tensors do not tell; those of other files cannot be changed."""
    from amn_core.constants import COCO_CLASSES, VOC_CLASSES

    if classes == "auto":
        return content
    names = {"voc": VOC_CLASSES, "coco": COCO_CLASSES}[classes]
    if content["model"]["name"] != "irn" and content["model"]["n_classes"] != len(names):
        raise ValueError(f"--classes {classes}: the file has {content['model']['n_classes'] - 1} foreground classes")
    return content | {"class_names": list(names), "model": content["model"] | {"n_classes": len(names)}}


def write_official(config: ConvertConfig, content: dict[str, Any], out: Path) -> int:
    """Write a state_dict of the official code, in one step; returns how many names it has."""
    import torch

    from amn_core.formats.official import build_official

    state = build_official(content, config.checkpoint)
    torch.save(state, buffer := io.BytesIO())
    write_bytes(out, buffer.getvalue())
    return len(state)


def format_conversion(result: dict[str, Any]) -> str:
    """Format what was done as one line."""
    return (f"{result['out']}: {result['method']} with {result['classes']} classes, {result['direction']}, "
            f"{result['tensors']} tensors")
