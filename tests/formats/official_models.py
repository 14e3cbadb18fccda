"""Plain modules with the structure of the official networks, to hold our conversion against; torch alone.

They hold the same layers under several names, as the official ones do, so that their state_dict has every
name. Written from the description of the file format and of IRN's published code.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet50

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
RATES = (6, 12, 18, 24)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Normalise images in 0–255 with torchvision's mean and standard deviation."""
    return (images / 255 - MEAN) / STD


def build_trunk() -> nn.Module:
    """Build a ResNet-50 with strides 2, 2, 2, 1, random weights and statistics that keep features near 1."""
    net = resnet50(weights=None)
    del net.avgpool, net.fc
    first = net.layer4[0]
    first.conv2.stride = first.downsample[0].stride = (1, 1)
    for name, module in net.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.7, 1.4)
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.weight, *((0.1, 0.4) if name.endswith("bn3") else (0.7, 1.3)))
            nn.init.normal_(module.bias, 0, 0.1)
    return net


class Staged(nn.Module):
    """A ResNet-50 whose layers are also those of numbered stages.

    Args:
        is_joined: with the stem and the first layer in one stage, as CAM and AMN have it.
    """

    def __init__(self, is_joined: bool) -> None:
        super().__init__()
        net = self.resnet50 = build_trunk()
        stem = [net.conv1, net.bn1, net.relu, net.maxpool]
        groups = [[*stem, net.layer1]] if is_joined else [stem, [net.layer1]]
        groups += [[net.layer2], [net.layer3], [net.layer4]]
        for number, group in enumerate(groups, start=1):
            setattr(self, f"stage{number}", nn.Sequential(*group))
        self.stages = [getattr(self, f"stage{number + 1}") for number in range(len(groups))]

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Extract the output of every stage from images in 0–255."""
        outputs, x = [], normalise(images)
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return outputs


class OfficialCAM(Staged):
    """Activation of every class: a 1×1 convolution without bias, and a ReLU."""

    def __init__(self, n_foreground: int = 20) -> None:
        super().__init__(is_joined=True)
        self.classifier = nn.Conv2d(2048, n_foreground, 1, bias=False)
        self.backbone = nn.ModuleList(self.stages)
        self.newly_added = nn.ModuleList([self.classifier])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return F.relu(self.classifier(self.features(images)[-1]))


class Pyramid(nn.Module):
    """Four dilated convolutions whose outputs are summed."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        for i, rate in enumerate(RATES):
            self.add_module(f"c{i}", nn.Conv2d(2048, outputs, 3, padding=rate, dilation=rate))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return sum(branch(x) for branch in self.children())


class OfficialAMN(Staged):
    """Logits of every class from features that the image's labels scale; its mode never changes."""

    def __init__(self, n_foreground: int = 20) -> None:
        super().__init__(is_joined=True)
        self.label_enc = nn.Linear(n_foreground, 2048)
        self.classifier = nn.Sequential(nn.Dropout(0.1), Pyramid(n_foreground + 1))
        self.backbone = nn.ModuleList(self.stages)
        self.newly_added = nn.ModuleList([self.classifier, self.label_enc])

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(images)[-1] * self.label_enc(labels)[:, :, None, None])


def build_branch(inputs: int, outputs: int, groups: int, factor: int = 1) -> nn.Sequential:
    """Build one branch of IRN; upsampling comes before the ReLU."""
    grow = [nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)] if factor > 1 else []
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, bias=False), nn.GroupNorm(groups, outputs), *grow, nn.ReLU())


class TakeOffMean(nn.BatchNorm2d):
    """Takes the running mean off, in evaluation mode."""

    def __init__(self) -> None:
        super().__init__(2, affine=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - self.running_mean.view(1, 2, 1, 1)


class OfficialIRN(Staged):
    """Edges and displacements at stride 4 from five stages."""

    def __init__(self) -> None:
        super().__init__(is_joined=False)
        widths = (64, 256, 512, 1024, 2048)
        edges = [build_branch(width, 32, 4, factor) for width, factor in zip(widths, (1, 1, 2, 4, 4))]
        edges.append(nn.Conv2d(160, 1, 1))
        sizes = ((64, 8, 1), (128, 16, 1), (256, 16, 1), (256, 16, 2), (256, 16, 2))
        moves = [build_branch(width, *size) for width, size in zip(widths, sizes)]
        moves.append(build_branch(768, 256, 16, 2))
        moves.append(nn.Sequential(*build_branch(448, 256, 16), nn.Conv2d(256, 2, 1, bias=False), TakeOffMean()))
        for prefix, layers in (("fc_edge", edges), ("fc_dp", moves)):
            for number, layer in enumerate(layers, start=1):
                setattr(self, f"{prefix}{number}", layer)
        self.backbone = nn.ModuleList(self.stages)
        self.edge_layers, self.dp_layers = nn.ModuleList(edges), nn.ModuleList(moves)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        stages = self.features(images)
        size = stages[1].shape[-2:]

        def crop(x: torch.Tensor, height: int, width: int) -> torch.Tensor:
            return x[..., :height, :width]

        edge = torch.cat([crop(layer(x), *size) for layer, x in zip(self.edge_layers, stages)], 1)
        near = [layer(x) for layer, x in zip(self.dp_layers[:2], stages)]
        far = [crop(layer(x), *stages[2].shape[-2:]) for layer, x in zip(self.dp_layers[2:5], stages[2:])]
        joined = crop(self.fc_dp6(torch.cat(far, 1)), *size)
        return self.fc_edge6(edge), self.fc_dp7(torch.cat([*near, joined], 1))
