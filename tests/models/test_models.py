"""Shapes, modes, frozen parts and weights of the networks."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from amn_core.models import build_backbone, build_model, load_exactly

NAMES = ("cam", "amn-without-lcm", "amn")


@pytest.fixture(scope="module", params=["efficientnet_lite0", "resnet50"])
def backbone_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("name", NAMES)
def test_scores_have_output_stride_16_at_any_size(name: str, backbone_name: str) -> None:
    model = build_model(name, backbone_name, 6).eval()
    with torch.no_grad():
        scores = model.infer_scores(torch.randint(0, 256, (1, 3, 50, 33), dtype=torch.uint8), torch.ones(1, 5))
    assert scores.shape == (1, 5 if name == "cam" else 6, 4, 3)


@pytest.mark.parametrize("name", NAMES)
def test_train_and_eval_pass_the_mode_on_and_keep_norms_frozen(name: str, backbone_name: str) -> None:
    model = build_model(name, backbone_name, 6)
    for mode in (True, False):
        assert model.train(mode) is model
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        assert norms and not any(m.training or m.weight.requires_grad for m in norms)
        assert all(m.training == mode for m in model.modules() if isinstance(m, nn.Dropout | nn.Conv2d))


def test_inference_is_deterministic_and_training_drops_out() -> None:
    model, image = build_model("amn", "efficientnet_lite0", 6), torch.full((1, 3, 32, 32), 90.0)
    with torch.no_grad():
        first, second = (model.eval()(image, torch.ones(1, 5)) for _ in range(2))
        dropped = model.train()(image, torch.ones(1, 5))
    assert torch.equal(first, second)
    assert not torch.equal(first, dropped)


def test_gradient_stops_before_the_late_layers(backbone_name: str) -> None:
    model = build_model("cam", backbone_name, 6)
    model(torch.rand(2, 3, 32, 32) * 255).sum().backward()
    assert all(p.grad is None for p in model.backbone.early.parameters())
    assert all(p.grad is not None for p in model.backbone.late.parameters() if p.requires_grad)


def test_label_conditioning_multiplies_features_by_a_linear_map_of_the_labels() -> None:
    model = build_model("amn", "efficientnet_lite0", 6).eval()
    model.backbone.load_imagenet()
    image, labels = torch.rand(1, 3, 48, 48) * 255, torch.tensor([[0.0, 1, 0, 0, 1]])
    with torch.no_grad():
        factors = labels @ model.label_enc.weight.T + model.label_enc.bias
        features = model.backbone(image) * factors[..., None, None]
        by_hand = sum(branch(features) for branch in model.aspp)
        assert torch.allclose(model(image, labels), by_hand, atol=1e-4)
        assert not torch.allclose(model(image, labels), model(image, 1 - labels), atol=1e-4)


def test_labels_do_not_matter_without_lcm() -> None:
    model = build_model("amn-without-lcm", "efficientnet_lite0", 6).eval()
    image = torch.rand(1, 3, 32, 32) * 255
    with torch.no_grad():
        assert torch.equal(model(image, torch.zeros(1, 5)), model(image, torch.ones(1, 5)))


def test_cam_averaged_over_positions_is_the_logit() -> None:
    model = build_model("cam", "efficientnet_lite0", 6).eval()
    model.backbone.load_imagenet()
    image = torch.rand(1, 3, 64, 64) * 255
    with torch.no_grad():
        maps = F.conv2d(model.backbone(image), model.classifier.weight)
        assert torch.allclose(maps.mean((2, 3)), model(image), atol=1e-5) and model(image).abs().max() > 1e-3
        assert torch.equal(model.infer_scores(image, torch.zeros(1, 5)), F.relu(maps))


def test_folded_norm_equals_convolution_then_norm() -> None:
    layer = build_backbone("efficientnet_lite0").early[0].eval()
    nn.init.uniform_(layer.norm.running_var, 0.5, 2)
    nn.init.normal_(layer.norm.running_mean)
    x = torch.randn(1, 3, 9, 12)
    by_hand = layer.norm(F.conv2d(F.pad(x, (0, 1, 1, 1)), layer.conv.weight, stride=2))
    assert torch.allclose(layer(x), by_hand, atol=1e-5)


def test_resnet_follows_torchvision_up_to_the_last_stride() -> None:
    from torchvision.models import resnet50

    reference, own = resnet50(weights=None).eval(), build_backbone("resnet50").eval()
    own.early.load_state_dict({k: v for k, v in reference.state_dict().items() if k in own.early.state_dict()})
    own.late.load_state_dict({k: v for k, v in reference.state_dict().items() if k in own.late.state_dict()})
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = nn.Sequential(*list(reference.children())[:7])(x)
        assert torch.allclose(own.late.layer3(own.early(x)), expected, atol=1e-5)
        assert own.late(own.early(x)).shape[-2:] == expected.shape[-2:]


@pytest.mark.parametrize("stride_on", ["conv1", "conv2"])
def test_resnet_strides_where_it_is_told(stride_on: str) -> None:
    block = build_backbone("resnet50", stride_on=stride_on).late.layer3[0]
    assert block.conv1.stride == ((2, 2) if stride_on == "conv1" else (1, 1))
    assert block.conv2.stride == ((1, 1) if stride_on == "conv1" else (2, 2))


def test_packaged_imagenet_weights_load_and_give_features() -> None:
    backbone = build_backbone("efficientnet_lite0").eval()
    before = backbone.late[0].expand.conv.weight.clone()
    backbone.load_imagenet()
    assert not torch.equal(before, backbone.late[0].expand.conv.weight)
    with torch.no_grad():
        features = backbone(torch.full((1, 3, 64, 64), 127.0))
    assert torch.isfinite(features).all() and features.std() > 0


def test_loading_names_the_first_wrong_tensor() -> None:
    model = nn.Linear(2, 3)
    with pytest.raises(ValueError, match=r"m\.pth: the tensor bias is missing"):
        load_exactly(model, {"weight": torch.zeros(3, 2)}, "m.pth")
    with pytest.raises(ValueError, match=r"weight has the shape \(2, 2\), expected \(3, 2\)"):
        load_exactly(model, {"weight": torch.zeros(2, 2), "bias": torch.zeros(3)}, "m.pth")
    with pytest.raises(ValueError, match="the tensor extra has no place"):
        load_exactly(model, {**model.state_dict(), "extra": torch.zeros(1)}, "m.pth")


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="use one of cam, amn-without-lcm, amn"):
        build_model("grad-cam", "efficientnet_lite0", 6)
    with pytest.raises(ValueError, match="efficientnet_lite0"):
        build_model("cam", "vgg16", 6)
    with pytest.raises(ValueError, match="conv1"):
        build_backbone("resnet50", stride_on="conv3")


@pytest.mark.cuda
@pytest.mark.parametrize("name", NAMES)
def test_cuda_agrees_with_cpu(name: str) -> None:
    model = build_model(name, "efficientnet_lite0", 6).eval()
    image, labels = torch.rand(1, 3, 64, 64) * 255, torch.ones(1, 5)
    with torch.no_grad():
        cpu = model.infer_scores(image, labels)
        gpu = model.cuda().infer_scores(image.cuda(), labels.cuda()).cpu()
    assert torch.allclose(cpu, gpu, atol=1e-2, rtol=1e-2)
