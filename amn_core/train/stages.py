"""What each stage adds to the loop: its loss, the parameters that learn, the schedule.

`STAGES` says it for every method. A loss reaches the network through its ``forward`` alone, so that the
network may be wrapped (compiled, or spread over devices).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from amn_core.data import Dataset
from amn_core.formats.checkpoints import load_state
from amn_core.models import BACKBONES, build_model
from amn_core.models.registration import draw_maps
from amn_core.train.config import TrainConfig
from amn_core.train.labels import reduce_labels
from amn_core.train.losses import multilabel_loss, per_pixel_classification_loss, segmentation_loss
from amn_core.train.official import WEIGHTS, follow_official_training
from amn_core.train.relations import compute_irn_loss, find_branches, measure_mean_displacement

POLYNOMIAL_POWER = 0.9
STRIDE = 16  # of the backbones' features, unless told otherwise
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Groups = tuple[list[nn.Parameter], list[nn.Parameter]]


@dataclass(frozen=True)
class Stage:
    """What a method adds to the one loop.

    Attributes:
        compute_loss: (network, (images, labels, seed), config) to a scalar; images (B, 3, crop, crop) uint8,
            labels (B, C−1) multi-hot, seed (B, crop, crop) int64, all 0 where the stage has no seeds.
        find_groups: the network's parameters that learn: with the learning rate, and with `head_factor` times it.
        finish: (network, data set, config, device); measures after the last step what the network keeps.
    """

    compute_loss: Callable[[nn.Module, Batch, TrainConfig], torch.Tensor]
    find_groups: Callable[[nn.Module], Groups]
    finish: Callable[[nn.Module, Dataset, TrainConfig, torch.device], None] | None = None


def compute_cam_loss(model: nn.Module, batch: Batch, config: TrainConfig) -> torch.Tensor:
    """Compute CAM's loss of a batch: multilabel soft margin."""
    images, labels, _ = batch
    return multilabel_loss(model(images), labels)


def compute_amn_loss(model: nn.Module, batch: Batch, config: TrainConfig) -> torch.Tensor:
    """Compute AMN's loss of a batch: per-pixel classification of the seeds, reduced to the logits.

    A logit learns the label of one pixel (`TrainConfig.label_at`): of the one at which its feature lies, or of the
    centre or the first of its cell.
    """
    images, labels, seed = batch
    logits = model(images, labels)
    small_seed = reduce_labels(seed, logits.shape[-2:], config, STRIDE)
    return per_pixel_classification_loss(logits, small_seed, config.epsilon)


def compute_segmentation_loss(model: nn.Module, batch: Batch, config: TrainConfig) -> torch.Tensor:
    """Compute segmentation's loss of a batch at a quarter of the size, the logits enlarged and the masks reduced.

    At the size of the features (DeepLab-v2's way) thin parts are lost; at full size (DeepLabV3's) most of the work
    on a CPU would be the softmax. A quarter is between, and the size that maps are kept in (ours).
    """
    images, _, masks = batch
    size = [-(-side // 4) for side in masks.shape[-2:]]
    logits = draw_maps(
        model(images).float(), size, BACKBONES[config.backbone], masks.shape[-2:], "feature",
        config.label_at == "feature", config.output_stride or STRIDE)
    small_masks = F.interpolate(masks[:, None].float(), size=size, mode="nearest-exact")[:, 0].long()
    return segmentation_loss(logits, small_masks)


def find_backbone_and_head(model: nn.Module) -> Groups:
    """Find what learns in segmentation: the layers of the backbone that were chosen, and the head."""
    return model.backbone_parameters(), model.head_parameters()


def find_late_and_head(model: nn.Module) -> Groups:
    """Find what learns in CAM and AMN: the backbone behind the stopped gradient, and the new layers."""
    part = model.backbone if model.backbone.is_open else model.backbone.late
    return [parameter for parameter in part.parameters() if parameter.requires_grad], model.head_parameters()


STAGES = {
    "cam": Stage(compute_cam_loss, find_late_and_head),
    "amn-without-lcm": Stage(compute_amn_loss, find_late_and_head),
    "amn": Stage(compute_amn_loss, find_late_and_head),
    "irn": Stage(compute_irn_loss, find_branches, measure_mean_displacement),
    "segmentation": Stage(compute_segmentation_loss, find_backbone_and_head),
}


def build_training_model(config: TrainConfig, n_classes: int) -> tuple[nn.Module, dict]:
    """Build the model to train, with its ImageNet weights, and the arguments that build it again."""
    options = {"stride_on": config.stride_on} if config.backbone.startswith("resnet") else {}
    arguments = {
        "name": config.method, "backbone": config.backbone, "n_classes": n_classes, "backbone_options": options}
    if config.method == "segmentation":
        options |= {"output_stride": config.output_stride} if config.backbone.startswith("resnet") else {}
        arguments["options"] = {"head": config.head, "layers": config.layers}
    if config.label_at:
        arguments["options"] = arguments.get("options", {}) | {"label_at": config.label_at}
    torch.manual_seed(config.seed)
    model = build_model(**arguments)
    if config.official and config.method != "irn":  # whose backbone learns nothing in either
        follow_official_training(model, config.method)
    if config.weights == "none":
        spread_weights(model.backbone)
    elif config.weights == "imagenet" and config.official:
        model.backbone.load_imagenet(version=WEIGHTS)
    elif config.weights == "imagenet":
        model.backbone.load_imagenet()
    else:
        model.backbone.load_imagenet(config.weights, state=load_state(config.weights))
    return model, arguments


def spread_weights(backbone: nn.Module) -> None:
    """Draw random weights that keep the scale of the features, since batch norm is frozen (He et al., 2015)."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")


def compute_loss(model: nn.Module, batch: Batch, config: TrainConfig) -> torch.Tensor:
    """Compute the loss of a batch, a scalar, as the method's stage says."""
    return STAGES[config.method].compute_loss(model, batch, config)


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Build the optimiser; its second group learns `head_factor` times as fast as the first."""
    slow, fast = STAGES[config.method].find_groups(model)
    groups = [{"params": slow, "lr": config.lr}, {"params": fast, "lr": config.lr * config.head_factor}]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=config.lr, weight_decay=config.weight_decay)


def build_schedule(config: TrainConfig, total_steps: int) -> Callable[[int], float]:
    """Build the factor of the learning rate by step: 1, or (1 − step / total)^0.9."""
    if config.schedule == "constant":
        return lambda step: 1.0
    return lambda step: (1 - step / total_steps) ** POLYNOMIAL_POWER
