"""Checkpoints of the paper's official code: a bare state_dict, in which the same tensors have several names.

``resnet50.layer1.0.conv1.weight`` is also ``stage1.4.0.conv1.weight`` and ``backbone.0.4.0.conv1.weight``,
because the official modules hold the same layers several times. Here each tensor has one name; `list_names`
says which official ones it has, and reading and writing follow from that. Source: the public code of AMN, and
of IRN from which its backbone, CAM and IRN come.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch

from amn_core.constants import COCO_CLASSES, VOC_CLASSES
from amn_core.models import build_model

METHODS = ("cam", "amn", "irn")
# What the official modules call their stages, and the parts of ResNet-50 in each.
STEM = ("conv1", "bn1", "relu", "maxpool")
STAGES = {
    "cam": ((*STEM, "layer1"), ("layer2",), ("layer3",), ("layer4",)),
    "irn": (STEM, ("layer1",), ("layer2",), ("layer3",), ("layer4",)),
}
STAGES["amn"] = STAGES["cam"]
# The new layers: their name here, and those in the official modules.
HEADS = {
    "cam": {"classifier": ("classifier", "newly_added.0")},
    "amn": {
        "label_enc": ("label_enc", "newly_added.1"),
        **{f"aspp.{i}": (f"classifier.1.c{i}", f"newly_added.0.1.c{i}") for i in range(4)}},
    "irn": {
        **{f"edges.{i}.{part}": (f"fc_edge{i + 1}.{j}", f"edge_layers.{i}.{j}")
           for i in range(5) for j, part in enumerate(("conv", "norm"))},
        "edge": ("fc_edge6", "edge_layers.5"),
        **{f"{own}.{part}": (f"fc_dp{i + 1}.{j}", f"dp_layers.{i}.{j}")
           for i, own in enumerate((*(f"displacements.{k}" for k in range(5)), "joined_far", "joined"))
           for j, part in enumerate(("conv", "norm"))},
        "displacement": ("fc_dp7.3", "dp_layers.6.3")},
}
# IRN takes the mean off in a layer derived from batch norm, whose other buffers play no part.
MEAN_SHIFT = ("fc_dp7.4", "dp_layers.6.4")
# The order in which the official modules list their parts.
ORDER = {
    "cam": ("classifier", "backbone", "newly_added"),
    "amn": ("label_enc", "classifier", "backbone", "newly_added.0", "newly_added.1"),
    "irn": ("fc_edge", "fc_dp", "backbone", "edge_layers", "dp_layers"),
}
# Kept by the official code, but neither weights nor needed: counters, and the pixel pairs of IRN's training crop.
IDLE = re.compile(r".*num_batches_tracked|(fc_dp7|dp_layers\.6)\.4\.running_var|path_indices\d+|ind_from|ind_to")
MARKS = ("resnet50.", "stage1.", "classifier.", "label_enc.", "fc_edge1.", "newly_added.")
LABELS = {"cam": "CAM", "amn": "AMN", "irn": "IRN"}


def strip_parallel(state: Mapping[str, Any]) -> dict[str, Any]:
    """Strip the prefix ``module.`` that DataParallel puts in front of every name."""
    has_prefix = bool(state) and all(str(key).startswith("module.") for key in state)
    return {key.removeprefix("module.") if has_prefix else key: value for key, value in state.items()}


def is_official(content: Any) -> bool:
    """Tell whether what a file holds looks like a state_dict of the official code, whole or not."""
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        return False
    return any(key.startswith(MARKS) for key in strip_parallel(content))


def find_method(state: Mapping[str, Any]) -> str:
    """Find the method by the names of the new layers; without any it is taken for CAM."""
    if any(key.startswith(("fc_edge", "fc_dp")) for key in state):
        return "irn"
    return "amn" if any(key.startswith(("label_enc.", "classifier.1.")) for key in state) else "cam"


def list_names(method: str, key: str) -> tuple[str, ...]:
    """List the official names of one tensor of our model, the most telling one first."""
    if key == "displacement_mean":
        return tuple(f"{layer}.running_mean" for layer in MEAN_SHIFT)
    if not key.startswith("backbone."):
        layer, _, tensor = key.rpartition(".")
        return tuple(f"{name}.{tensor}" for name in HEADS[method][layer])
    part, _, rest = key.split(".", 2)[2].partition(".")
    stage, index = next(
        (i, parts.index(part)) for i, parts in enumerate(STAGES[method]) if part in parts)
    return f"resnet50.{part}.{rest}", f"stage{stage + 1}.{index}.{rest}", f"backbone.{stage}.{index}.{rest}"


def read_official(content: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Read a state_dict of the official code as a checkpoint of ours, its class names from the number of classes.

    Args:
        content: what the file held. source: its path, for messages.

    Returns:
        What `read_checkpoint` returns: ``model``, ``class_names``, ``config``, ``step``, ``metrics``, ``state``,
        and ``official``: true.

    Raises:
        ValueError: names the first tensor that is missing, misshapen, not finite, in conflict with a tensor that
            should be the same, or not of the official code.
    """
    state = strip_parallel(content)
    method = find_method(state)
    n_classes = find_classes(state, method, source)
    arguments = {
        "name": method, "backbone": "resnet50", "n_classes": n_classes, "backbone_options": {"stride_on": "conv2"}}
    if method != "cam":
        arguments["options"] = {"label_at": "centre"}
    with torch.device("meta"):  # shapes alone are needed
        own = build_model(**arguments).state_dict()
    names = {key: list_names(method, key) for key in own if not key.endswith("num_batches_tracked")}
    for name, key in sort_names(method, names):
        check_tensor(state, name, own[key].shape, method, source)
    refuse_unknown(state, {name for group in names.values() for name in group}, method, source)
    found = {key: find_one(state, group, source) for key, group in names.items()}
    class_names = COCO_CLASSES if n_classes == len(COCO_CLASSES) else VOC_CLASSES
    return {
        "model": arguments, "class_names": list(class_names), "config": {}, "step": 0, "metrics": {},
        "official": True, "state": found}


def find_classes(state: Mapping[str, Any], method: str, source: str) -> int:
    """Find the number of classes with background, 21 or 81; IRN does not depend on it and is taken for VOC's."""
    name = {"cam": "classifier.weight", "amn": "classifier.1.c0.weight"}.get(method)
    value = state.get(name) if name else None
    if not isinstance(value, torch.Tensor):
        return len(VOC_CLASSES)
    sizes = [len(names) - (method == "cam") for names in (VOC_CLASSES, COCO_CLASSES)]
    if value.ndim != 4 or len(value) not in sizes:
        rest = ", ".join(str(size) for size in value.shape[1:])
        raise ValueError(
            f"{source}: {name} has the shape {tuple(value.shape)}, expected ({sizes[0]}, {rest}) of VOC "
            f"or ({sizes[1]}, {rest}) of COCO")
    return len(value) + (method == "cam")


def sort_names(method: str, names: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """Sort all official names as the official modules list them: pairs of official name and ours."""
    def place(pair: tuple[str, str]) -> tuple[int, bool]:
        return next(i for i, part in enumerate(order) if pair[0].startswith(part)), pair[0].startswith(MEAN_SHIFT)

    order = ("resnet50", *(f"stage{i + 1}" for i in range(len(STAGES[method]))), *ORDER[method])
    return sorted(((name, key) for key, group in names.items() for name in group), key=place)


def check_tensor(
    state: Mapping[str, Any], name: str, shape: torch.Size, method: str, source: str
) -> None:
    """Check that one tensor is there, of its shape, and finite."""
    value = state.get(name)
    if not isinstance(value, torch.Tensor):
        raise ValueError(
            f"{source}: the tensor {name} is missing; the file is incomplete, or not an official {LABELS[method]}")
    if value.shape != shape:
        raise ValueError(f"{source}: {name} has the shape {tuple(value.shape)}, expected {tuple(shape)}")
    if not value.is_floating_point() or not torch.isfinite(value).all():
        raise ValueError(
            f"{source}: {name} holds values that are no finite numbers; did its training end in a loss of NaN?")


def refuse_unknown(state: Mapping[str, Any], known: set[str], method: str, source: str) -> None:
    """Refuse a state_dict with tensors that the official code does not have."""
    extra = [key for key in state if key not in known and not IDLE.fullmatch(key)]
    if extra:
        raise ValueError(f"{source}: the tensor {extra[0]} has no place in an official {LABELS[method]}")


def find_one(state: Mapping[str, torch.Tensor], names: tuple[str, ...], source: str) -> torch.Tensor:
    """Find the one tensor behind several names.

    Raises:
        ValueError: they differ, so that nobody knows which is meant.
    """
    first = state[names[0]]
    for name in names[1:]:
        if not torch.equal(state[name], first):
            raise ValueError(
                f"{source}: {names[0]} and {name} are the same tensor in the official code, but differ here; "
                "the file was changed after it was saved")
    return first


def build_official(content: Mapping[str, Any], source: str) -> dict[str, torch.Tensor]:
    """Build the state_dict of the official modules from a checkpoint of ours, every name of every tensor.

    Tensors with several names are shared, so that `torch.save` writes them once. IRN is written as the network
    alone: the official code reads it without the pixel pairs of the training crop.

    Args:
        content: what `read_checkpoint` returns. source: its path, for messages.

    Raises:
        ValueError: a model that the official code does not have.
    """
    model = content["model"]
    refuse_foreign(model, source)
    method = model["name"]
    state = {key: value.float() if value.is_floating_point() else value for key, value in content["state"].items()}
    for key in [key for key in state if key.endswith("running_var")]:
        state.setdefault(key.replace("running_var", "num_batches_tracked"), torch.tensor(0))
    pairs = sort_names(method, {key: list_names(method, key) for key in order_state(state, model)})
    official = {name: state[key] for name, key in pairs}
    if method != "irn":
        return official
    return dict(item for pair in official.items() for item in (pair, *list_idle(pair[0])))


def order_state(state: Mapping[str, torch.Tensor], model: Mapping[str, Any]) -> list[str]:
    """Order the names of a state as the model lists them."""
    with torch.device("meta"):
        own = list(build_model(**model).state_dict())
    return [key for key in own if key in state]


def list_idle(name: str) -> list[tuple[str, torch.Tensor]]:
    """List the buffers beside IRN's mean displacement, as they are in a new layer of batch norm."""
    layer = name.rpartition(".")[0]
    if layer not in MEAN_SHIFT:
        return []
    return [(f"{layer}.running_var", torch.ones(2)), (f"{layer}.num_batches_tracked", torch.tensor(0))]


def refuse_foreign(model: Mapping[str, Any], source: str) -> None:
    """Refuse a model that has no counterpart in the official code."""
    if model["name"] not in METHODS:
        raise ValueError(f"{source} is {model['name']}; the official code knows {', '.join(METHODS)}")
    options = model.get("backbone_options") or {}
    if model["backbone"] != "resnet50" or options.get("stride_on", "conv2") != "conv2":
        what = model["backbone"] if model["backbone"] != "resnet50" else "resnet50 with its stride on conv1"
        raise ValueError(f"{source} has the backbone {what}; the official code has resnet50 with its stride on conv2")
    sizes = (len(VOC_CLASSES), len(COCO_CLASSES))
    if model["n_classes"] not in sizes:
        raise ValueError(f"{source} has {model['n_classes']} classes; the official code has {sizes[0]} or {sizes[1]}")
