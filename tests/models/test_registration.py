"""Where features lie, found by backbones that see one pixel each, and maps and labels that are there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from amn_core.formats.checkpoints import load_checkpoint, save_checkpoint
from amn_core.infer.extractor import Extractor
from amn_core.models import BACKBONES, build_backbone, build_model
from amn_core.models.registration import draw_maps, move_features, take_labels
from amn_core.train.config import TrainConfig, resolve_train_config
from amn_core.train.labels import reduce_labels
from amn_core.train.stages import build_training_model

ROUNDING = 0.1  # pixels, of float32 through a whole network on any processor; a wrong place is off by one at least
SIZES = ((64, 64), (65, 50), (33, 47), (16, 79), (57, 92))
LITE = "efficientnet_lite0_small"


class StridedCentre(nn.Module):
    """What a pooling sees in the centre of its window."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        assert (pool.kernel_size, pool.padding) == (3, 1)
        self.stride = pool.stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[..., ::self.stride, ::self.stride]


def build_pinhole(name: str, **options: object) -> nn.Module:
    """Build a backbone each of whose features sees one pixel: all kernels are 0 but in their centre."""
    backbone = build_backbone(name, **options).eval().requires_grad_(False)
    backbone.mean.zero_()
    backbone.std.fill_(1)
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            middle = module.kernel_size[0] // 2
            module.weight.zero_()
            module.weight[:, :, middle, middle] = 1 / module.weight.shape[1]
    if hasattr(backbone.early, "maxpool"):
        backbone.early.maxpool = StridedCentre(backbone.early.maxpool)
    return backbone


def build_ramps(height: int, width: int) -> torch.Tensor:
    """Build two images, of the rows and the columns counted from 1, and a third of ones: (3, 3, H, W)."""
    rows, columns = torch.meshgrid(torch.arange(height) + 1.0, torch.arange(width) + 1.0, indexing="ij")
    return torch.stack([rows, columns, torch.ones_like(rows)])[:, None].expand(-1, 3, -1, -1) * 1e-5


def read_places(features: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Read which row and column, counted from 0, each feature of the three images sees."""
    rows, columns, ones = features[:, 0].double()
    return (rows / ones).numpy() - 1, (columns / ones).numpy() - 1


@pytest.fixture(scope="module", params=[
    *((name, {}) for name in BACKBONES), ("resnet50", {"stride_on": "conv1"}), ("resnet50", {"output_stride": 8})],
    ids=lambda param: "-".join([param[0], *map(str, param[1].values())]))
def pinhole(request: pytest.FixtureRequest) -> nn.Module:
    return build_pinhole(request.param[0], **request.param[1])


@pytest.mark.parametrize("size", SIZES)
def test_every_stage_lies_where_its_features_look(pinhole: nn.Module, size: tuple[int, int]) -> None:
    for features, stride in zip(pinhole.extract_stages(build_ramps(*size)), pinhole.stage_strides, strict=True):
        rows, columns = read_places(features)
        top, left = (pinhole.compute_offset(side, stride) for side in size)
        assert np.allclose(rows, (top + stride * np.arange(len(rows)))[:, None], atol=ROUNDING)
        assert np.allclose(columns, left + stride * np.arange(columns.shape[1]), atol=ROUNDING)


def draw_slowly(features: np.ndarray, size: int, view: int, offset: int, stride: int) -> np.ndarray:
    """Draw along one axis, pixel by pixel."""
    drawn = []
    for pixel in range(size):
        seen = (pixel + 0.5) * view / size - 0.5
        place = min(max((seen - offset) / stride, 0), len(features) - 1)
        before = min(int(place), len(features) - 2) if len(features) > 1 else 0
        after = min(before + 1, len(features) - 1)
        drawn.append(features[before] + (place - before) * (features[after] - features[before]))
    return np.array(drawn)


@pytest.mark.parametrize("name", [LITE, "resnet50"])
@pytest.mark.parametrize(("view", "size"), [((64, 48), (16, 12)), ((33, 50), (66, 13)), ((15, 97), (30, 97))])
def test_maps_are_drawn_as_pixel_by_pixel(name: str, view: tuple[int, int], size: tuple[int, int]) -> None:
    backbone = BACKBONES[name]
    features = np.random.default_rng(0).normal(size=(2, 3, *(-(-side // 16) for side in view))).astype(np.float32)
    expected = features
    for axis in (0, 1):
        offset = backbone.compute_offset(view[axis], 16)
        expected = np.apply_along_axis(draw_slowly, axis + 2, expected, size[axis], view[axis], offset, 16)
    found = draw_maps(torch.from_numpy(features), size, backbone, view).numpy()
    assert found.dtype == np.float32 and np.allclose(found, expected, atol=1e-5)


def draw_ramp(backbone: nn.Module, size: tuple[int, int], is_mirrored: bool, is_registered: bool) -> np.ndarray:
    """Draw the columns that a backbone saw at the size of the image; only where features lie on both sides."""
    ramps = build_ramps(*size)
    features = backbone(ramps.flip(-1) if is_mirrored else ramps)
    maps = draw_maps(features, size, backbone, size, is_registered=is_registered)
    maps = maps.flip(-1) if is_mirrored else maps
    return read_places(maps)[1][16:-16, 16:-16]


@pytest.mark.parametrize("name", [LITE, "resnet50"])
@pytest.mark.parametrize("size", [(64, 64), (81, 90), (65, 73)])
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_a_ramp_is_drawn_in_place_from_an_image_and_its_mirror_image(name, size, is_mirrored) -> None:
    pinhole = build_pinhole(name)
    expected = np.arange(size[1])[16:-16]
    assert np.allclose(draw_ramp(pinhole, size, is_mirrored, True), expected, atol=1e-2)


@pytest.mark.parametrize(("name", "shift"), [(LITE, 7.5), ("resnet50", -7.5)])
def test_a_ramp_that_is_not_registered_lies_half_a_cell_off_and_its_mirror_image_to_the_other_side(name, shift) -> None:
    pinhole = build_pinhole(name)
    for is_mirrored, sign in ((False, 1), (True, -1)):
        off = draw_ramp(pinhole, (64, 64), is_mirrored, False) - np.arange(64)[16:-16]
        assert np.allclose(off, sign * shift, atol=1e-2)


@pytest.mark.parametrize("name", [LITE, "resnet50"])
@pytest.mark.parametrize("label_at", ["first", "centre", "feature"])
def test_scores_that_learnt_other_pixels_are_drawn_at_those(name: str, label_at: str) -> None:
    config = TrainConfig(method="amn", backbone=name, label_at=label_at)
    columns = torch.arange(64)[None, None].expand(1, 64, 64)
    learnt = reduce_labels(columns, (4, 4), config, 16)[:, None].float()
    drawn = draw_maps(learnt, (64, 64), BACKBONES[name], (64, 64), label_at)[0, 0, :, 16:48]
    assert (drawn - torch.arange(16.0, 48)).abs().max() <= 0.5  # the centre of even cells is between two pixels


def test_beyond_the_outermost_features_their_values_go_on() -> None:
    features = torch.arange(4.0).view(1, 1, 2, 2)
    maps = draw_maps(features, (32, 32), BACKBONES[LITE], (32, 32))[0, 0]
    assert torch.equal(maps[:16, :16], torch.zeros(16, 16)) and maps[-1, -1] == 3
    maps = draw_maps(features, (32, 32), BACKBONES["resnet50"], (32, 32))[0, 0]
    assert torch.equal(maps[16:, 16:], torch.full((16, 16), 3.0)) and maps[0, 0] == 0


@pytest.mark.parametrize("name", [LITE, "resnet50"])
@pytest.mark.parametrize("size", SIZES)
def test_labels_are_those_of_the_pixels_that_features_see(name: str, size: tuple[int, int]) -> None:
    rows, columns = read_places(build_pinhole(name)(build_ramps(*size)))
    labels = torch.arange(size[0] * size[1]).view(1, *size)
    found = take_labels(labels, BACKBONES[name], 16)[0].numpy()
    assert np.array_equal(found, np.rint(rows).astype(int) * size[1] + np.rint(columns).astype(int))


@pytest.mark.parametrize("name", [LITE, "resnet50"])
@pytest.mark.parametrize("size", [(64, 64), (57, 92)])
def test_stages_are_brought_to_the_places_of_one(name: str, size: tuple[int, int]) -> None:
    pinhole = build_pinhole(name)
    stages, strides = pinhole.extract_stages(build_ramps(*size)), pinhole.stage_strides
    _, fine = read_places(stages[0])
    for stage, stride in zip(stages, strides, strict=True):
        moved = stage if stride == 4 else move_features(stage, pinhole, size, stride, 4)
        _, columns = read_places(moved)
        assert columns.shape == fine.shape and np.allclose(columns[4:-4, 4:-4], fine[4:-4, 4:-4], atol=1e-2)


class Ramp(nn.Module):
    """A network whose score is the value of the pixel that a pinhole sees."""

    method, label_at = "cam", "feature"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.backbone = build_pinhole(name)

    def infer_scores(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.backbone(images * 1e-5)[:, :1] / self.backbone(torch.full_like(images, 1e-5))[:, :1]


@pytest.mark.parametrize("name", [LITE, "resnet50"])
@pytest.mark.parametrize("scales", [(1.0,), (0.5,), (1.5,), (0.5, 1.0, 1.5)])
def test_extraction_puts_every_scale_and_mirror_image_in_place(name: str, scales: tuple[float, ...]) -> None:
    extractor = Extractor(Ramp(name), ("background", "a"), torch.device("cpu"), torch.float32, scales)
    image = torch.arange(150, dtype=torch.uint8)[None, :, None].expand(117, -1, 3)
    labels, size = torch.ones(1, 1), (117, 150)
    expected = np.arange(150.0)[40:-40]
    found = extractor.sum_batch(image[None], labels, size)[0, 0, 50, 40:-40].numpy()
    assert np.abs(found - expected).max() < 0.05
    unregistered = replace(extractor, is_registered=False, flip=False)
    off = unregistered.sum_batch(image[None], labels, size)[0, 0, 50, 40:-40].numpy()
    assert np.abs(off - expected).max() > 1


@pytest.mark.parametrize(("name", "config", "expected"), [
    ("amn", {}, "first"), ("amn", {"label_at": "centre"}, "centre"), ("amn-without-lcm", {"label_at": None}, "first"),
    ("segmentation", {}, "centre"), ("irn", {}, "centre"), ("cam", {}, "feature")])
def test_older_checkpoints_say_which_pixels_they_learnt(tmp_path: Path, name: str, config: dict, expected: str) -> None:
    arguments = {"name": name, "backbone": LITE, "n_classes": 3, "backbone_options": {}}
    save_checkpoint(tmp_path / "model.pth", build_model(**arguments), {
        "model": arguments, "class_names": list("abc"), "config": config})
    model, content = load_checkpoint(tmp_path / "model.pth")
    assert model.label_at == expected
    save_checkpoint(tmp_path / "again.pth", model, {"model": content["model"], "class_names": list("abc")})
    assert load_checkpoint(tmp_path / "again.pth")[0].label_at == expected


def test_networks_learn_labels_where_their_features_lie_unless_told_otherwise() -> None:
    config = TrainConfig(method="amn", data="x", out="x", seeds="x", weights="none", backbone=LITE)
    for method in ("amn", "irn", "segmentation"):
        resolved = resolve_train_config(replace(config, method=method))
        model, arguments = build_training_model(resolved, 3)
        assert resolved.label_at == model.label_at == arguments["options"]["label_at"] == "feature"
    assert resolve_train_config(replace(config, method="cam")).label_at is None
    with pytest.raises(ValueError, match="segmentation learns labels at the feature or at the centre"):
        resolve_train_config(replace(config, method="segmentation", label_at="first"))


@pytest.mark.cuda
def test_cuda_draws_what_the_cpu_draws_and_under_autocast_too() -> None:
    features = torch.randn(2, 3, 5, 7)
    expected = draw_maps(features, (40, 51), BACKBONES[LITE], (79, 101))
    with torch.autocast("cuda", torch.bfloat16):
        found = draw_maps(features.cuda(), (40, 51), BACKBONES[LITE], (79, 101)).cpu()
    assert torch.allclose(found, expected, atol=1e-5)
