"""Segmentation: the networks, their loss, an overfit, the evaluation at several scales, and the two commands."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from amn_core.cli import main
from amn_core.commands.segment import SegmentConfig, segment
from amn_core.data import load_dataset
from amn_core.formats.checkpoints import load_checkpoint, save_checkpoint
from amn_core.formats.masks import save_mask
from amn_core.formats.runs import load_run
from amn_core.infer.extractor import load_extractor, resize_pixels
from amn_core.infer.segmenter import load_segmenter, refine_mask
from amn_core.models import build_model
from amn_core.models.backbones import build_backbone
from amn_core.models.registration import draw_maps
from amn_core.sweep import summarise
from amn_core.sweep.scores import drop_thresholds
from amn_core.train.config import TrainConfig, resolve_train_config
from amn_core.train.loop import train
from amn_core.train.losses import segmentation_loss

SPEC = "scenes:size=64,n=4,seed=3"
FEW = "scenes:size=128,n=2,seed=3"
SMALL = "efficientnet_lite0_small"


def build_small(head: str = "v2", layers: str = "late", n_classes: int = 5) -> torch.nn.Module:
    return build_model("segmentation", SMALL, n_classes, options={"head": head, "layers": layers})


def write_masks(folder: Path, spec: str = SPEC) -> Path:
    dataset = load_dataset(spec, "train")
    for image_id in dataset.ids:
        save_mask(folder / f"{image_id}.png", dataset.gt(image_id), palette=False)
    return folder


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has seen every pixel of two scenes, again and again."""
    folder = tmp_path_factory.mktemp("segmentation")
    return train(TrainConfig(
        method="segmentation", data=FEW, seeds=str(write_masks(folder / "masks", FEW)), out=str(folder / "model"),
        backbone=SMALL, epochs=60, batch=2, crop=128, scale_min=1, scale_max=1, optimizer="adamw", lr=1e-3,
        schedule="polynomial", weight_decay=0.0, layers="all", device="cpu"))


@pytest.mark.parametrize("head", ["v2", "v3"])
def test_network_classifies_every_position_without_labels(head: str) -> None:
    model = build_small(head).eval()
    assert model(torch.rand(2, 3, 70, 50) * 255).shape == (2, 5, 5, 4)
    assert model.infer_scores(torch.rand(1, 3, 32, 32) * 255).dtype == torch.float32


def test_head_of_deeplab_v2_is_the_pyramid_of_amn() -> None:
    amn, own = build_model("amn-without-lcm", SMALL, 5).eval(), build_small().eval()
    own.backbone.load_state_dict(amn.backbone.state_dict())
    own.head.load_state_dict(amn.aspp.state_dict())
    images = torch.rand(1, 3, 48, 48) * 255
    assert torch.equal(own(images), amn(images, torch.zeros(1, 4)))


def test_head_of_deeplab_v3_does_not_know_the_batch() -> None:
    model = build_small("v3").train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    images = torch.rand(3, 3, 48, 48) * 255
    assert torch.allclose(model(images)[:1], model(images[:1]), atol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in model.head.modules())


@pytest.mark.parametrize("name", ["resnet50", "resnet101"])
def test_resnet_at_output_stride_8_is_that_of_torchvisions_deeplab(name: str) -> None:
    from torchvision.models import segmentation

    build = getattr(segmentation, f"deeplabv3_{name}")
    reference = build(weights=None, weights_backbone=None, num_classes=2).backbone.eval()
    own = build_backbone(name, output_stride=8).eval()
    own.load_state_dict({("late." if key[:6] in ("layer3", "layer4") else "early.") + key: value
                         for key, value in reference.state_dict().items()})
    images = torch.rand(1, 3, 65, 48) * 255
    with torch.no_grad():
        expected = reference(own.normalise(images))["out"]
        assert expected.shape == (1, 2048, 9, 6)
        assert torch.allclose(own(images), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
        assert [stage.shape[-1] for stage in own.extract_stages(images)] == [12, 12, 6, 6, 6]


def test_stride_of_the_v1_layout_can_be_dilated_too(tmp_path: Path) -> None:
    own = build_backbone("resnet50", stride_on="conv1", output_stride=8)
    strides = [(layer[0].conv1.stride[0], layer[0].conv2.stride[0]) for layer in (
        own.early.layer2, own.late.layer3, own.late.layer4)]
    assert strides == [(2, 1), (1, 1), (1, 1)]
    state = {key.partition(".")[2]: value for key, value in own.state_dict().items()}
    torch.save(state | {"fc.weight": torch.zeros(1), "fc.bias": torch.zeros(1)}, tmp_path / "v1.pth")
    build_backbone("resnet50", stride_on="conv1", output_stride=8).load_imagenet(tmp_path / "v1.pth")
    with pytest.raises(ValueError, match="output_stride is 32; use 8 or 16"):
        build_backbone("resnet50", output_stride=32)


@pytest.mark.parametrize("layers", ["all", "late"])
def test_early_layers_learn_only_if_asked(layers: str) -> None:
    model = build_small(layers=layers).train()
    model(torch.rand(1, 3, 32, 32) * 255).sum().backward()
    weights = [module.conv.weight for module in model.backbone.early if hasattr(module, "conv")]
    assert all((weight.grad is not None) == (layers == "all") for weight in weights) and weights
    learning = {id(parameter) for parameter in model.backbone_parameters()}
    assert (id(weights[0]) in learning) == (layers == "all")
    norms = [module for module in model.backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert not any(norm.training or norm.weight.requires_grad for norm in norms)


@pytest.mark.parametrize(("options", "message"), [
    ({"head": "v4"}, "head is 'v4'; use v2 or v3"), ({"layers": "some"}, "layers is 'some'; use all or late")])
def test_unknown_options_of_the_network_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_model("segmentation", SMALL, 5, options=options)


def test_loss_is_the_mean_over_labelled_pixels() -> None:
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 3, (2, 4, 4), generator=torch.Generator().manual_seed(1))
    labels[0, :2] = 255
    values = [-F.log_softmax(logits[b, :, y, x], 0)[labels[b, y, x]]
              for b in range(2) for y in range(4) for x in range(4) if labels[b, y, x] != 255]
    assert len(values) == 24
    assert torch.isclose(segmentation_loss(logits, labels), torch.stack(values).mean())


def test_loss_without_a_labelled_pixel_is_zero_and_teaches_nothing() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((1, 2, 2), 255))
    loss.backward()
    assert loss == 0 and torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize(("changes", "message"), [
    ({"official": True}, "trains no segmentation"),
    ({"seeds": ""}, "pass --seeds DIR with one PNG of class indices"),
    ({"probe": 4}, "leave out --probe"),
    ({"output_stride": 8}, "efficientnet_lite0 has 16 alone"),
])


def test_settings_that_do_not_fit_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_train_config(replace(TrainConfig(method="segmentation", seeds="masks"), **changes))


@pytest.mark.parametrize(("preset", "backbone", "stride"), [
    ("paper", "resnet101", 8), ("minutes", "resnet50", 16), ("paper", "efficientnet_lite0", None)])
def test_preset_decides_the_output_stride_of_a_resnet(preset: str, backbone: str, stride: int | None) -> None:
    config = TrainConfig(method="segmentation", seeds="masks", preset=preset, backbone=backbone)
    resolved = resolve_train_config(config)
    assert resolved.output_stride == stride and resolve_train_config(resolved) == resolved


def test_checkpoint_builds_the_same_network_again(tmp_path: Path) -> None:
    options = {"head": "v3", "layers": "all"}
    arguments = {"name": "segmentation", "backbone": SMALL, "n_classes": 5, "backbone_options": {}, "options": options}
    model = build_model(**arguments).eval()
    save_checkpoint(tmp_path / "model.pth", model, {"model": arguments, "class_names": list("abcde")})
    again, _ = load_checkpoint(tmp_path / "model.pth")
    images = torch.rand(1, 3, 32, 32) * 255
    assert torch.equal(model(images), again(images)) and again.backbone.is_open


def test_network_that_may_memorise_finds_nearly_every_pixel(model_path: Path, tmp_path: Path) -> None:
    run = load_run(segment(SegmentConfig(
        checkpoint=str(model_path), data=FEW, out=str(tmp_path / "run"), scales="1", flip=False, device="cpu")))
    assert drop_thresholds(summarise(run.counts())).peak_miou > 0.7


def test_several_scales_are_the_mean_of_single_ones(model_path: Path) -> None:
    image = load_dataset(SPEC, "train").image("scene_000001")
    several = load_segmenter(model_path, device="cpu", scales=(0.5, 1.0, 1.25), flip=True)
    single = load_segmenter(model_path, device="cpu")
    parts = []
    for scale in (0.5, 1.0, 1.25):
        for pixels in (image, image[:, ::-1]):
            small = resize_pixels(torch.from_numpy(pixels.copy()), scale)
            with torch.no_grad():
                logits = draw_maps(
                    single.model(small), image.shape[:2], single.model.backbone, small.shape[-2:])
            part = logits.softmax(1)[0].numpy()
            parts.append(part if pixels is image else part[:, :, ::-1])
    found = several.infer_probabilities(image)
    assert np.allclose(found, np.mean(parts, axis=0), atol=1e-5)
    assert torch.allclose(found.sum(0), torch.ones(image.shape[:2]), atol=1e-5)
    assert np.array_equal(several.infer_mask(image), found.argmax(0))
    assert not np.allclose(found, parts[2], atol=1e-3)


def test_crf_moves_borders_to_edges_and_keeps_to_classes_that_win() -> None:
    image = np.zeros((24, 24, 3), np.uint8)
    image[:, 12:] = 255
    probabilities = torch.full((5, 24, 24), 0.02)
    probabilities[3, :, 10:] = 0.52
    probabilities[0, :, :10] = 0.62
    probabilities[3, :, :10] = probabilities[0, :, 10:] = 0.4
    mask = refine_mask(image, probabilities / probabilities.sum(0), torch.device("cpu"))
    assert set(np.unique(mask)) == {0, 3} and (mask[:, :12] == 0).all() and (mask[:, 12:] == 3).all()
    only = torch.zeros(5, 24, 24)
    only[0] = 1
    assert not refine_mask(image, only, torch.device("cpu")).any()


def test_commands_end_as_one_point_of_a_comparison(model_path: Path, tmp_path: Path, capsys) -> None:
    out, masks = tmp_path / "out", write_masks(tmp_path / "masks")
    names = load_dataset(SPEC, "train").class_names
    assert main(["train", "segmentation", "--data", SPEC, "--seeds", str(masks), "--out", str(out), "--backbone",
                 SMALL, "--head", "v3", "--epochs", "1", "--batch", "2", "--crop", "32", "--device", "cpu"]) == 0
    run = tmp_path / "run"
    arguments = ["segment", "--checkpoint", str(out / "model.pth"), "--data", SPEC, "--split", "train", "--out",
                 str(run), "--scales", "1,0.5", "--device", "cpu"]
    assert main([*arguments, "--classes", "unicorn"]) == 1 and "unicorn" in capsys.readouterr().err
    assert not run.exists()
    assert main([*arguments, "--classes", f"background,{names[1]}"]) == 0
    opened = load_run(run)
    assert opened.is_masks and opened.method == "segmentation" and opened.scored_classes == ("background", names[1])
    assert "the network decides" in opened.meta["protocol"]["image_labels"] and len(opened.map_ids) == 4
    capsys.readouterr()
    assert main(["compare", str(run), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["runs"][0]
    assert row["method"] == "segmentation" and row["images"] == 4 and row["peak_threshold"] is None
    assert len(set(row["miou"])) == 1


def test_segmenting_goes_on_where_it_was_stopped_and_mixes_nothing(model_path: Path, tmp_path: Path, capsys) -> None:
    arguments = ["segment", "--checkpoint", str(model_path), "--data", SPEC, "--out", str(tmp_path / "run"),
                 "--scales", "1", "--device", "cpu"]
    assert main(arguments) == 0
    run = load_run(tmp_path / "run")
    paths = [run.map_path(image_id) for image_id in run.map_ids]
    before, counts = [run.map(image_id)[0] for image_id in run.map_ids], run.counts()
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:40])
    kept = paths[2].stat().st_mtime_ns
    assert main(arguments) == 0
    after = [run.map(path.stem)[0] for path in paths]
    assert all(map(np.array_equal, after, before)) and paths[2].stat().st_mtime_ns == kept
    assert np.array_equal(run.counts().decision_bins, counts.decision_bins)
    capsys.readouterr()
    for more in (["--no-flip"], ["--crf"], ["--scales", "1,2"]):
        assert main([*arguments, *more]) == 1
        assert "holds a run with another protocol" in capsys.readouterr().err
    assert main([*arguments, "--split", "val"]) == 1 and "another split" in capsys.readouterr().err


def test_segmenting_with_the_crf_says_so(model_path: Path, tmp_path: Path) -> None:
    run = load_run(segment(SegmentConfig(
        checkpoint=str(model_path), data="scenes:size=64,n=1,seed=3", out=str(tmp_path / "run"), scales="1",
        crf=True, device="cpu")))
    assert run.meta["protocol"]["crf"].startswith("dense, 10 iterations") and run.has_counts


def test_no_label_of_an_image_is_read(model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from amn_core.data.scenes.dataset import SceneDataset

    def refuse(*_: object) -> None:
        raise AssertionError("asked for the labels of an image")

    monkeypatch.setattr(SceneDataset, "class_ids", refuse)
    run = segment(SegmentConfig(
        checkpoint=str(model_path), data=SPEC, out=str(tmp_path / "run"), scales="1", device="cpu"))
    assert load_run(run).has_counts


def test_images_without_ground_truth_get_masks_and_no_counts(model_path: Path, tmp_path: Path) -> None:
    from PIL import Image

    scenes = load_dataset(SPEC, "train")
    (tmp_path / "data" / "images").mkdir(parents=True)
    Image.fromarray(scenes.image("scene_000001")).save(tmp_path / "data" / "images" / "one.png")
    (tmp_path / "data" / "classes.txt").write_text("\n".join(scenes.class_names[1:]))
    (tmp_path / "data" / "labels.csv").write_text(f"image,labels\none,{scenes.class_names[1]}\n")
    run = load_run(segment(SegmentConfig(
        checkpoint=str(model_path), data=f"folder:{tmp_path / 'data'}", split="all", out=str(tmp_path / "run"),
        scales="1", device="cpu")))
    assert run.map_ids == ("one",) and not run.has_counts


def test_checkpoints_of_the_other_kind_are_refused(model_path: Path, tiny_cam: TrainConfig, tmp_path: Path,
                                                   capsys) -> None:
    for command in (["extract"], ["extract", "--official"]):
        assert main([*command, "--checkpoint", str(model_path), "--data", SPEC, "--out", str(tmp_path / "a")]) == 1
        error = capsys.readouterr().err
        assert "use the command segment" in error and error.count("\n") == 1
    with pytest.raises(ValueError, match="use the command segment"):
        load_extractor(model_path)
    cam = train(replace(tiny_cam, epochs=1))
    assert main(["segment", "--checkpoint", str(cam), "--data", SPEC, "--out", str(tmp_path / "b")]) == 1
    assert "is a checkpoint of CAM, not of a segmentation network" in capsys.readouterr().err
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()


@pytest.mark.cuda
def test_masks_on_cuda_are_those_of_the_cpu(model_path: Path) -> None:
    image = load_dataset(SPEC, "train").image("scene_000001")
    masks = [load_segmenter(model_path, device, "fp32", (1.0, 0.5), True).infer_mask(image)
             for device in ("cpu", "cuda")]
    assert (masks[0] == masks[1]).mean() > 0.99


@pytest.mark.cuda
def test_training_learns_on_cuda(tmp_path: Path) -> None:
    path = train(TrainConfig(
        method="segmentation", data=SPEC, seeds=str(write_masks(tmp_path / "masks")), out=str(tmp_path / "out"),
        backbone=SMALL, preset="scenes", epochs=30, batch=4, crop=64, lr=1e-3, device="cuda"))
    lines = [json.loads(line) for line in (path.parent / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < 0.5 * lines[0]["loss"]
