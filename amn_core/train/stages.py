"""What each stage adds to the loop: the loss of a batch, the optimiser, the schedule."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from amn_core.configs import TrainConfig
from amn_core.losses import multilabel_loss, per_pixel_classification_loss
from amn_core.models import AMNetwork, CAMNetwork, build_model

POLYNOMIAL_POWER = 0.9
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def build_training_model(config: TrainConfig, n_classes: int) -> tuple[CAMNetwork | AMNetwork, dict]:
    """Build the model to train, with its ImageNet weights, and the arguments that build it again."""
    options = {"stride_on": config.stride_on} if config.backbone == "resnet50" else {}
    arguments = {
        "name": config.method, "backbone": config.backbone, "n_classes": n_classes, "backbone_options": options}
    torch.manual_seed(config.seed)
    model = build_model(**arguments)
    if config.weights == "none":
        spread_weights(model.backbone)
    else:
        model.backbone.load_imagenet(None if config.weights == "imagenet" else config.weights)
    return model, arguments


def spread_weights(backbone: torch.nn.Module) -> None:
    """Draw random weights that keep the scale of the features, since batch norm is frozen (He et al., 2015)."""
    for module in backbone.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")


def compute_loss(model: CAMNetwork | AMNetwork, batch: Batch, config: TrainConfig) -> torch.Tensor:
    """Compute the loss of a batch: multilabel for CAM, per-pixel classification for AMN."""
    images, labels, seed = batch
    if isinstance(model, CAMNetwork):
        return multilabel_loss(model(images), labels)
    logits = model(images, labels)
    small_seed = F.interpolate(seed[:, None].float(), size=logits.shape[-2:], mode="nearest")[:, 0].long()
    return per_pixel_classification_loss(logits, small_seed, config.epsilon)


def build_optimizer(model: CAMNetwork | AMNetwork, config: TrainConfig) -> torch.optim.Optimizer:
    """Build the optimiser; the new layers learn `head_factor` times as fast as the backbone."""
    head = model.head_parameters()
    late = [parameter for parameter in model.backbone.late.parameters() if parameter.requires_grad]
    groups = [{"params": late, "lr": config.lr}, {"params": head, "lr": config.lr * config.head_factor}]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=config.lr, weight_decay=config.weight_decay)


def build_schedule(config: TrainConfig, total_steps: int) -> Callable[[int], float]:
    """Build the factor of the learning rate by step: 1, or (1 − step / total)^0.9."""
    if config.schedule == "constant":
        return lambda step: 1.0
    return lambda step: (1 - step / total_steps) ** POLYNOMIAL_POWER
