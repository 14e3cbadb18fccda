"""The table of the official choices: each step is what extract and count say, and each says what it changes."""

import json
from pathlib import Path

import pytest
import torch

from amn_core.bench.official import STEPS, BenchOfficialConfig, bench_official, format_official
from amn_core.cli import main
from amn_core.data import load_dataset
from amn_core.formats.checkpoints import save_checkpoint
from amn_core.models import build_model

SPEC = "scenes:size=64,n=4,seed=3"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """CAM and AMN with random heads on trained features, and the seeds of the CAM."""
    root, names = tmp_path_factory.mktemp("files"), list(load_dataset(SPEC, "train").class_names)
    torch.manual_seed(0)
    for name in ("cam", "amn"):
        arguments = {"name": name, "backbone": "efficientnet_lite0_small", "n_classes": len(names),
                     "backbone_options": {}}
        model = build_model(**arguments)
        model.backbone.load_imagenet()
        save_checkpoint(root / f"{name}.pth", model, {
            "model": arguments, "class_names": names, "config": {}, "step": 0, "metrics": {}})
    run = ["--data", SPEC, "--out", str(root / "cam"), "--device", "cpu", "--official"]
    assert main(["extract", "--checkpoint", str(root / "cam.pth"), *run]) == 0
    assert main(["seed", "--run", str(root / "cam"), "--out", str(root / "seeds"), "--foreground", "0.6",
                 "--background", "0.3", "--workers", "1"]) == 0
    return {path.stem: path for path in root.iterdir()} | {"seeds": root / "seeds"}


@pytest.fixture(scope="module")
def result(files) -> dict:
    return bench_official(BenchOfficialConfig(
        checkpoint=str(files["amn"]), seeds=str(files["seeds"]), data=SPEC, device="cpu"))


@pytest.mark.parametrize(("step", "options"), [
    (1, ["--scales", "1,0.5,1.5,2", "--normalisation", "softmax", "--precision", "fp32", "--no-registered"]),
    (4, ["--official"])])
def test_steps_are_what_extract_and_count_say(step: int, options: list, files, result, tmp_path, capsys) -> None:
    assert main(["extract", "--checkpoint", str(files["amn"]), "--data", SPEC, "--out", str(tmp_path), "--device",
                 "cpu", *(["--seeds", str(files["seeds"])] if "--official" in options else []), *options]) == 0
    assert main(["count", "--run", str(tmp_path), "--workers", "1"]) == 0
    capsys.readouterr()
    assert main(["compare", str(tmp_path), "--json"]) == 0
    expected, found = json.loads(capsys.readouterr().out)["runs"][0], result["steps"][step]
    exact = step == 4  # without --official images are resized in floating point
    for name in ("peak_miou", "gap", "auc", "imbalance", "mean_miou", "plateau"):
        assert found[name] == pytest.approx(expected[name], abs=1e-9 if exact else 0.05)


def test_every_step_says_what_it_changes(result) -> None:
    assert [row["step"] for row in result["steps"]] == [step.name for step in STEPS]
    assert all(row["meaning"] for row in result["steps"]) and 0 < result["seed_background"] < 1
    assert "gain" not in result["steps"][0] and len(result["steps"][4]["gain_interval"]) == 2
    gaps = [row["gap"] for row in result["steps"]]
    assert len({round(gap, 6) for gap in gaps}) == 5  # each step moved something
    assert json.loads(json.dumps(result)) == result
    text = format_official(result)
    assert all(f"{step.name}: {step.meaning}" in text for step in STEPS) and result["in_words"] in text
    assert f"Gap {gaps[0]:.3f} to {gaps[-1]:.3f}" in text


def test_stretching_alone_keeps_the_order_of_pixels(result) -> None:
    assert result["steps"][2]["auc"] == pytest.approx(result["steps"][1]["auc"], abs=0.02)  # 8 bits of a small range


def test_seeds_from_the_cam_are_those_of_the_folder(files, result) -> None:
    made = bench_official(BenchOfficialConfig(
        checkpoint=str(files["amn"]), cam=str(root_of(files) / "cam.pth"), data=SPEC, device="cpu", crf=False,
        foreground=0.6, background=0.3))
    assert made["seed_background"] == pytest.approx(result["seed_background"], abs=1e-9)
    assert [row["gap"] for row in made["steps"]] == [row["gap"] for row in result["steps"]]


def root_of(files: dict[str, Path]) -> Path:
    return files["seeds"].parent


@pytest.mark.parametrize(("changes", "message"), [
    ({}, "pass either --cam"), ({"cam": "x", "seeds": "y"}, "pass either --cam"),
    ({"seeds": "y", "images": -1}, "images is -1")])
def test_wrong_options_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BenchOfficialConfig(checkpoint="x", data=SPEC, **changes)


def test_checkpoints_in_the_wrong_places_are_refused(files) -> None:
    with pytest.raises(ValueError, match="is a checkpoint of cam, expected one of amn"):
        bench_official(BenchOfficialConfig(
            checkpoint=str(root_of(files) / "cam.pth"), seeds=str(files["seeds"]), data=SPEC, device="cpu"))
