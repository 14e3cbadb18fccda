"""How the paper's official code trains, where that differs from ours: ``train --official``.

Reproduced, for ResNet-50 with the preset `paper`:

- the scale and shift of batch norm learn, except in the stem; its statistics stay;
- AMN's gradient reaches the whole backbone except the stem, where ours stops after layer2 as CAM's does;
- CAM's weight decay of 1e-4: it is passed to the optimiser's momentum, and in every group of parameters too, so
  that it also decays (checked against the public code; the momentum of 1e-4 is in the preset already);
- the seed is resized to the logits as Pillow does, at the centre of each cell;
- training starts from the first of torchvision's two sets of ImageNet weights; arithmetic is in float32.

Not reproduced:

- the loss of NaN where a batch has no foreground or no background: every weight would be NaN from there on. All
  other batches have the same loss (`amn_core.train.losses`);
- the ``train`` method that changes no mode: in training it makes no difference, as batch norm is frozen in either
  mode and dropout is on; at inference it leaves dropout on, which is ``extract --official``;
- the order of images and their crops, which no seed fixes there.
"""

from torch import nn

WEIGHTS = "IMAGENET1K_V1"
STEM = ("conv1", "bn1")


def follow_official_training(model: nn.Module, method: str) -> None:
    """Let learn what learns in the official code: a ResNet-50's parameters beside those of the stem.

    Args:
        method: of AMN the gradient reaches the early layers too.
    """
    backbone = model.backbone.requires_grad_(True)
    backbone.is_open = method.startswith("amn")
    for name in STEM:
        getattr(backbone.early, name).requires_grad_(False)

