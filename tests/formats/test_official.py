"""Checkpoints of the official code: the same outputs in our models, every name back, what is wrong named."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from amn_core.cli import main
from amn_core.constants import COCO_CLASSES, VOC_CLASSES
from amn_core.formats.checkpoints import load_checkpoint, read_checkpoint, save_checkpoint
from amn_core.formats.official import is_official, read_official
from amn_core.models import build_model
from tests.formats.official_models import OfficialAMN, OfficialCAM, OfficialIRN

NETWORKS = {"cam": OfficialCAM, "amn": OfficialAMN, "irn": OfficialIRN}


@pytest.fixture(scope="module")
def references() -> dict[str, nn.Module]:
    """Random networks with the official structure; IRN's mean displacement is not zero."""
    torch.manual_seed(0)
    networks = {name: network().eval().requires_grad_(False) for name, network in NETWORKS.items()}
    networks["irn"].fc_dp7[4].running_mean.copy_(torch.tensor([0.25, -0.5]))
    return networks


@pytest.fixture(scope="module")
def files(references, tmp_path_factory) -> dict[str, Path]:
    """Their files, as the official code saves them."""
    root = tmp_path_factory.mktemp("official")
    paths = {name: root / f"res50_{name}.pth{'.pth' if name == 'cam' else ''}" for name in references}
    for name, path in paths.items():
        torch.save(references[name].state_dict(), path)
    return paths


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, 75, 97), generator=torch.Generator().manual_seed(1)).float()


def measure_difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Measure the largest difference, after making sure that there is something to compare."""
    assert ours.shape == theirs.shape and theirs.std() > 1e-2 and theirs.abs().max() < 50
    return float((ours - theirs).abs().max())


@torch.no_grad()
def test_cam_from_the_official_file_gives_the_same_maps(references, files, images) -> None:
    model, content = load_checkpoint(files["cam"])
    theirs = references["cam"](images)
    assert measure_difference(model.infer_scores(images, torch.zeros(2, 20)), theirs) <= 1e-5
    assert content["class_names"] == list(VOC_CLASSES) and not model.training


@torch.no_grad()
def test_amn_from_the_official_file_gives_the_same_logits(references, files, images) -> None:
    model, _ = load_checkpoint(files["amn"])
    labels = torch.zeros(2, 20)
    labels[0, 3] = labels[1, 7] = labels[1, 14] = 1
    assert measure_difference(model(images, labels), references["amn"](images, labels)) <= 1e-5


@torch.no_grad()
def test_irn_from_the_official_file_gives_the_same_edges_and_displacements(references, files, images) -> None:
    model, _ = load_checkpoint(files["irn"])
    for ours, theirs in zip(model(images), references["irn"](images), strict=True):
        assert measure_difference(ours, theirs) <= 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_conversion_there_and_back_gives_the_official_file_again(
    name: str, references, files, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    ours, back = tmp_path / "model.pth", tmp_path / files[name].name
    assert main(["convert", str(files[name]), "--out", str(ours)]) == 0
    assert main(["convert", str(ours), "--out", str(back)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "official to ours" in told[0] and "ours to official" in told[1] and name in told[1]
    expected, written = references[name].state_dict(), torch.load(back, weights_only=True)
    assert list(written) == list(expected)
    assert all(torch.equal(written[key], value) for key, value in expected.items())
    NETWORKS[name]().load_state_dict(written, strict=True)
    assert back.stat().st_size < 1.1 * files[name].stat().st_size  # shared tensors are written once
    assert read_checkpoint(ours)["config"]["source"] == files[name].name


def test_official_file_of_data_parallel_is_read(references) -> None:
    state = {f"module.{key}": value for key, value in references["cam"].state_dict().items()}
    content = read_official(state, "x.pth")
    assert content["model"]["name"] == "cam"
    assert torch.equal(content["state"]["classifier.weight"], references["cam"].classifier.weight)


@pytest.mark.parametrize("name", ["cam", "amn"])
def test_eighty_foreground_classes_are_those_of_coco(name: str) -> None:
    content = read_official(NETWORKS[name](80).state_dict(), "x.pth")
    assert content["class_names"] == list(COCO_CLASSES) and content["model"]["n_classes"] == 81


def test_file_of_an_older_torch_has_no_counters_and_is_read(references) -> None:
    state = {k: v for k, v in references["amn"].state_dict().items() if not k.endswith("num_batches_tracked")}
    assert read_official(state, "x.pth")["model"]["name"] == "amn"


def test_pixel_pairs_of_irns_training_are_passed_over(references) -> None:
    pairs = {"path_indices0": torch.zeros(2, 1, 3), "ind_from": torch.zeros(1, 4), "ind_to": torch.zeros(2, 4)}
    assert read_official(references["irn"].state_dict() | pairs, "x.pth")["model"]["name"] == "irn"


MISSING = [
    ("cam", "resnet50.layer3.2.conv2.weight"), ("cam", "stage1.4.0.downsample.0.weight"), ("cam", "classifier.weight"),
    ("cam", "newly_added.0.weight"), ("cam", "backbone.3.0.2.bn3.running_var"), ("amn", "label_enc.bias"),
    ("amn", "classifier.1.c2.weight"), ("amn", "newly_added.0.1.c3.bias"), ("irn", "fc_edge6.weight"),
    ("irn", "fc_dp7.3.weight"), ("irn", "dp_layers.6.4.running_mean"), ("irn", "stage5.0.0.conv1.weight")]


@pytest.mark.parametrize(("name", "key"), MISSING)
def test_tensor_that_is_missing_is_named(name: str, key: str, references) -> None:
    state = references[name].state_dict()
    del state[key]
    with pytest.raises(ValueError, match=rf"x\.pth: the tensor {key} is missing"):
        read_official(state, "x.pth")


def test_first_tensor_missing_of_a_truncated_file_is_named(references) -> None:
    state = references["amn"].state_dict()
    keys = list(state)
    kept = {key: state[key] for key in keys[: keys.index("resnet50.layer2.1.conv1.weight")]} | {
        "label_enc.weight": state["label_enc.weight"]}
    with pytest.raises(ValueError, match=r"the tensor resnet50\.layer2\.1\.conv1\.weight is missing"):
        read_official(kept, "x.pth")


@pytest.mark.parametrize(("name", "key", "shape", "message"), [
    ("cam", "classifier.weight", (7, 2048, 1, 1), r"classifier\.weight .*\(7, 2048, 1, 1\), expected \(20.*\(80"),
    ("amn", "classifier.1.c0.weight", (20, 2048, 3, 3), r"c0\.weight .*\(20, .*expected \(21.*\(81"),
    ("amn", "label_enc.weight", (2048, 80), r"label_enc\.weight .*\(2048, 80\), expected \(2048, 20\)"),
    ("cam", "stage4.0.1.conv2.weight", (1,), r"stage4\.0\.1\.conv2\.weight .*\(1,\), expected \(512, 512, 3, 3\)")])
def test_misshapen_tensor_is_named(name: str, key: str, shape: tuple, message: str, references) -> None:
    with pytest.raises(ValueError, match=message):
        read_official(references[name].state_dict() | {key: torch.zeros(shape)}, "x.pth")


def test_names_of_one_tensor_that_disagree_are_an_error(references) -> None:
    state = references["cam"].state_dict()
    state["stage3.0.0.conv1.weight"] = state["stage3.0.0.conv1.weight"] + 1e-3
    with pytest.raises(ValueError, match=r"resnet50\.layer3\.0\.conv1\.weight and stage3\.0\.0\.conv1\.weight"):
        read_official(state, "x.pth")


def test_weights_of_nan_and_unknown_tensors_are_named(references) -> None:
    state = references["cam"].state_dict()
    with pytest.raises(ValueError, match=r"resnet50\.bn1\.weight holds values that are no finite"):
        read_official(state | {"resnet50.bn1.weight": torch.full((64,), torch.nan)}, "x.pth")
    with pytest.raises(ValueError, match=r"the tensor fc8\.weight has no place in an official CAM"):
        read_official(state | {"fc8.weight": torch.zeros(1)}, "x.pth")


def test_other_files_are_not_taken_for_official_ones() -> None:
    assert not is_official({"format": "amn-checkpoint", "state": {}}) and not is_official([1]) and not is_official({})
    assert not is_official({"layer1.0.conv1.weight": torch.zeros(1)}) and not is_official({1: torch.zeros(1)})


def test_truncated_file_gives_one_error_and_writes_nothing(files, tmp_path: Path, capsys) -> None:
    content, cut = files["amn"].read_bytes(), tmp_path / "res50_amn.pth"
    for size in (0, 1000, len(content) // 2, len(content) - 100):
        cut.write_bytes(content[:size])
        assert main(["convert", str(cut), "--out", str(tmp_path / "model.pth")]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and "res50_amn.pth: not a readable checkpoint" in error
        assert "weights_only" not in error and not (tmp_path / "model.pth").exists()


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('code ran')",)


@pytest.mark.parametrize("is_zip", [True, False])
def test_official_file_with_code_is_refused_without_bad_advice(is_zip: bool, tmp_path: Path, capsys) -> None:
    state = {"resnet50.conv1.weight": torch.zeros(64, 3, 7, 7), "classifier.weight": Evil()}
    torch.save(state, tmp_path / "evil.pth", _use_new_zipfile_serialization=is_zip)
    assert main(["convert", str(tmp_path / "evil.pth"), "--out", str(tmp_path / "x.pth")]) == 1
    error = capsys.readouterr().err
    assert "not a readable checkpoint" in error and "weights_only" not in error and "torch.load" not in error


def test_archive_of_code_is_refused_without_bad_advice(tmp_path: Path) -> None:
    script = (  # in a process of its own: TorchScript warns that it is old
        "import sys, torch; torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), sys.argv[1])")
    path = tmp_path / "script.pth"
    subprocess.run([sys.executable, "-W", "ignore", "-c", script, path], check=True, capture_output=True)
    with pytest.warns(UserWarning, match="TorchScript"), pytest.raises(ValueError, match="not a readable") as caught:
        read_checkpoint(path)
    assert "weights_only" not in str(caught.value)


def save_model(path: Path, name: str, backbone: str = "resnet50", n_classes: int = 21, **options) -> None:
    arguments = {"name": name, "backbone": backbone, "n_classes": n_classes, "backbone_options": options}
    save_checkpoint(path, build_model(**arguments), {
        "model": arguments, "class_names": [str(i) for i in range(n_classes)], "config": {}, "step": 0,
        "metrics": {}}, half=True)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"name": "amn-without-lcm"}, "is amn-without-lcm; the official code knows cam, amn, irn"),
    ({"name": "cam", "backbone": "efficientnet_lite0"}, "has the backbone efficientnet_lite0"),
    ({"name": "cam", "stride_on": "conv1"}, "stride on conv1; the official code has resnet50"),
    ({"name": "cam", "n_classes": 8}, "has 8 classes; the official code has 21 or 81")])
def test_model_that_the_official_code_lacks_is_not_written(arguments: dict, message: str, tmp_path, capsys) -> None:
    save_model(tmp_path / "model.pth", **arguments)
    assert main(["convert", str(tmp_path / "model.pth"), "--out", str(tmp_path / "x.pth")]) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "x.pth").exists()


def test_checkpoint_in_float16_becomes_an_official_one_in_float32(tmp_path: Path) -> None:
    save_model(tmp_path / "model.pth", "cam", stride_on="conv2")
    assert main(["convert", str(tmp_path / "model.pth"), "--out", str(tmp_path / "res50_cam.pth")]) == 0
    written = torch.load(tmp_path / "res50_cam.pth", weights_only=True)
    OfficialCAM().load_state_dict(written, strict=True)
    assert {value.dtype for value in written.values()} == {torch.float32, torch.int64}


def test_conversion_does_not_overwrite(files, tmp_path: Path, capsys) -> None:
    (tmp_path / "model.pth").write_text("mine")
    assert main(["convert", str(files["cam"]), "--out", str(tmp_path / "model.pth")]) == 1
    assert "choose another --out" in capsys.readouterr().err and (tmp_path / "model.pth").read_text() == "mine"


def test_classes_of_an_irn_can_be_said_and_others_not_changed(files, tmp_path: Path, capsys) -> None:
    out = tmp_path / "irn.pth"
    assert main(["convert", str(files["irn"]), "--out", str(out), "--classes", "coco"]) == 0
    assert read_checkpoint(out)["class_names"] == list(COCO_CLASSES)
    assert main(["convert", str(files["cam"]), "--out", str(tmp_path / "x.pth"), "--classes", "coco"]) == 1
    assert "has 20 foreground classes" in capsys.readouterr().err
