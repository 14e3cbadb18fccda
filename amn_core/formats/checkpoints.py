"""Checkpoints that describe themselves: model, classes, configuration, step, metrics, weights.

The only room of formats that imports torch. Files are read with ``weights_only=True``: no code runs.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from amn_core.formats.files import write_bytes
from amn_core.formats.official import is_official, read_official, strip_parallel
from amn_core.formats.strangers import describe_stranger, take_first_line
from amn_core.models import build_model, load_exactly

FORMAT = "amn-checkpoint"
FORMAT_VERSION = 1
NEEDED = ("version", "model", "class_names", "state")
WRAPPINGS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network")
MOST_WRAPPINGS = 3


def save_checkpoint(
    path: Path, model: torch.nn.Module, meta: dict[str, Any], half: bool = False,
    training: dict[str, Any] | None = None,
) -> None:
    """Save a model with what is needed to build it again, in one step.

    Args:
        meta: ``model`` (arguments of `build_model`), ``class_names``, ``config``, ``step``, ``metrics``.
        half: store the weights as float16, half the size; batch norm stays in float32.
        training: state of the optimiser, for resuming.
    """
    state = {key: shrink(key, value) if half else value for key, value in model.state_dict().items()}
    content = {"format": FORMAT, "version": FORMAT_VERSION, **meta, "state": state}
    buffer = io.BytesIO()
    torch.save(content | ({"training": training} if training else {}), buffer)
    write_bytes(Path(path), buffer.getvalue())


def shrink(key: str, value: torch.Tensor) -> torch.Tensor:
    """Convert a float tensor to float16, unless it is of a batch norm, whose variances would underflow."""
    is_norm = ".norm." in key or ".bn" in key or "running_" in key or ".downsample.1." in key
    return value.half() if value.is_floating_point() and not is_norm else value


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint as a dict, without building its model; one of the official code is read as one of ours.

    Raises:
        ValueError: no such file, cut short, not a checkpoint of this project or of the official code, one of the
            official code with a wrong tensor, or of a newer version.
    """
    content = unwrap(load_plain(path))
    if is_official(content):
        return read_official(content, str(path))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path}: not a checkpoint of this project (no {FORMAT!r} mark) or of the official code")
    lacks = [name for name in NEEDED if name not in content]
    if lacks or not isinstance(content["version"], int) or not isinstance(content["state"], dict):
        raise ValueError(f"{path}: a checkpoint without {', '.join(lacks) or 'its version or weights'}; get it again")
    if content["version"] > FORMAT_VERSION:
        raise ValueError(f"{path}: written by a newer version; update this package")
    return content | {"model": add_label_place(content["model"], content.get("config") or {})}


def add_label_place(model: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Add to the arguments of a network where the pixels lie whose labels it learnt, if it is older than the choice.

    AMN learnt the first pixel of each cell, where it was not told otherwise; segmentation and IRN the centre.
    """
    options = model.get("options") or {}
    if model["name"] == "cam" or "label_at" in options:
        return model
    place = (config.get("label_at") or "first") if model["name"].startswith("amn") else "centre"
    return model | {"options": options | {"label_at": place}}


def unwrap(content: Any) -> Any:
    """Take a state_dict out of what training code saves around it: ``state_dict``, ``model`` and the like.

    The file of this project, which has its own mark, stays as it is.
    """
    for _ in range(MOST_WRAPPINGS):
        if not isinstance(content, dict) or "format" in content:
            return content
        inner = next((content[name] for name in WRAPPINGS if isinstance(content.get(name), dict)), None)
        if inner is None:
            return content
        content = inner
    return content


def load_state(path: str | Path) -> dict[str, torch.Tensor]:
    """Load the tensors of a file by name, without what is saved around them or in front of every name.

    Raises:
        ValueError: no such file, not readable, or no tensors in it.
    """
    content = unwrap(load_plain(path))
    content = content.get("state", content) if isinstance(content, dict) else {}
    tensors = {key: value for key, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors or not all(isinstance(key, str) for key in content):
        raise ValueError(f"{path}: holds no tensors by name; give a state_dict, as torch.save writes it")
    return strip_parallel(tensors)


def load_plain(path: str | Path) -> Any:
    """Load a file of torch that holds tensors and plain values, and nothing that runs.

    Raises:
        ValueError: no such file, cut short, or something else in it.
    """
    try:
        with Path(path).open("rb") as file:
            stranger = describe_stranger(file.read(64))
        if stranger:
            raise ValueError(f"{path}: not a readable checkpoint ({stranger.removeprefix('is ')}); get the file itself")
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such checkpoint") from None
    except OSError as error:
        if error.filename is None:  # of an archive cut short, inside of torch
            raise ValueError(f"{path}: not a readable checkpoint ({take_first_line(error)})") from None
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except pickle.UnpicklingError:  # its message advises to run what is in the file
        raise ValueError(f"{path}: not a readable checkpoint (no archive of tensors and plain values)") from None
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: not a readable checkpoint ({take_first_line(error)})") from None
    except Exception as error:  # a broken archive ends in errors of many kinds
        first_line = take_first_line(error)
        if "weights_only" in first_line:  # of an archive of TorchScript, with the same advice
            first_line = "an archive of code, not of tensors"
        raise ValueError(f"{path}: not a readable checkpoint ({first_line})") from None


def load_checkpoint(path: str | Path) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Load a checkpoint: the model in evaluation mode on the CPU, and all else that the file says.

    Raises:
        ValueError: as `read_checkpoint`, or a tensor that is missing or misshapen.
    """
    content = read_checkpoint(path)
    model = build_loaded(content, str(path))
    content.pop("state")
    return model.eval(), content


def build_loaded(content: dict[str, Any], source: str) -> torch.nn.Module:
    """Build the model of a checkpoint that was read, with its weights, on the CPU.

    Raises:
        ValueError: a tensor is missing or misshapen; names it and the source.
    """
    model = build_model(**content["model"])
    load_exactly(model, {key: value.float() for key, value in content["state"].items()}, source)
    return model
