"""The inter-pixel relation network: its stages, its two branches, what learns, and the mean that is taken off."""

import pytest
import torch
import torch.nn.functional as F

from amn_core.models import BACKBONES, IRNetwork, build_backbone, build_model


@pytest.fixture(scope="module", params=sorted(BACKBONES))
def model(request: pytest.FixtureRequest) -> IRNetwork:
    torch.manual_seed(0)
    return build_model("irn", request.param, 6, options={"label_at": "centre"}).eval()


def test_stages_have_the_channels_and_strides_that_the_backbone_says(model: IRNetwork) -> None:
    backbone, images = model.backbone, torch.rand(2, 3, 50, 37) * 255
    stages = backbone.extract_stages(images)
    assert [stage.shape[1] for stage in stages] == list(backbone.stage_channels)
    sizes = [(-(-50 // stride), -(-37 // stride)) for stride in backbone.stage_strides]
    assert [tuple(stage.shape[-2:]) for stage in stages] == sizes
    with torch.no_grad():
        torch.testing.assert_close(stages[-1], backbone(images))
    assert not any(stage.requires_grad for stage in stages)


def test_outputs_are_at_stride_4_at_any_size(model: IRNetwork) -> None:
    for height, width in ((32, 32), (50, 37), (33, 65)):
        with torch.no_grad():
            edge, displacement = model(torch.randint(0, 256, (1, 3, height, width), dtype=torch.uint8))
        size = (-(-height // 4), -(-width // 4))
        assert edge.shape == (1, 1, *size) and displacement.shape == (1, 2, *size)


def test_outputs_are_those_of_the_layers_one_after_another(model: IRNetwork) -> None:
    images = torch.rand(1, 3, 41, 60) * 255

    def run(branch: torch.nn.Module, x: torch.Tensor, times: int, size: tuple[int, int]) -> torch.Tensor:
        x = F.group_norm(F.conv2d(x, branch.conv.weight), branch.norm.num_groups, branch.norm.weight, branch.norm.bias)
        x = torch.nn.Upsample(scale_factor=times, mode="bilinear", align_corners=False)(x) if times > 1 else x
        return F.relu(x[..., :size[0], :size[1]])

    with torch.no_grad():
        edge, displacement = model(images)
        stages = model.backbone.extract_stages(images)
        at_4, at_8 = stages[0].shape[-2:], stages[2].shape[-2:]
        edges = [run(*parts, at_4) for parts in zip(model.edges, stages, (1, 1, 2, 4, 4))]
        torch.testing.assert_close(edge, F.conv2d(torch.cat(edges, 1), model.edge.weight, model.edge.bias))
        far = [run(b, s, t, at_8) for b, s, t in zip(model.displacements[2:], stages[2:], (1, 2, 2))]
        near = [run(b, s, 1, at_4) for b, s in zip(model.displacements[:2], stages[:2])]
        joined = torch.cat([*near, run(model.joined_far, torch.cat(far, 1), 2, at_4)], 1)
        by_hand = F.conv2d(run(model.joined, joined, 1, at_4), model.displacement.weight)
        torch.testing.assert_close(displacement, by_hand)
        assert by_hand.abs().max() > 1e-3


def test_branches_learn_and_the_backbone_does_not(model: IRNetwork) -> None:
    edge, displacement = model(torch.rand(1, 3, 32, 32) * 255)
    (edge.sum() + displacement.sum()).backward()
    assert not any(p.requires_grad or p.grad is not None for p in model.backbone.parameters())
    learning = {id(p) for p in model.parameters() if p.requires_grad}
    assert learning == {id(p) for p in model.head_parameters()}
    assert all(p.grad is not None for p in model.head_parameters())
    model.zero_grad(set_to_none=True)


def test_mean_displacement_is_taken_off_in_evaluation_alone() -> None:
    model, images = build_model("irn", "efficientnet_lite0_small", 6).eval(), torch.rand(1, 3, 32, 32) * 255
    with torch.no_grad():
        edge, before = model(images)
        model.displacement_mean.copy_(torch.tensor([1.5, -2.0]))
        edge_after, after = model(images)
        _, training = model.train()(images)
    torch.testing.assert_close(before - after, torch.tensor([1.5, -2.0]).view(1, 2, 1, 1).expand_as(before))
    torch.testing.assert_close(training, before)
    assert torch.equal(edge, edge_after)


def test_resnet_stages_have_the_channels_of_the_paper() -> None:
    assert build_backbone("resnet50").stage_channels == (64, 256, 512, 1024, 2048)
