"""The knob's command on a few tiny scenes, and the bundle of drawn scenes."""

import json
from pathlib import Path

import pytest
import torch

from amn_core.cli import main
from amn_core.commands.knob import MEASURES, format_knob, parse_seeds, parse_values
from amn_core.commands.pipeline import ReproduceConfig, resolve_splits
from amn_core.commands.reproduce import reproduce
from amn_core.formats.runs import load_run
from amn_core.models import build_backbone, build_model

TINY = ["--size", "48", "--trained", "8", "--images", "3", "--cam-epochs", "1", "--amn-epochs", "1", "--crop", "48",
        "--weights", "none", "--no-crf", "--device", "cpu"]


def test_knob_measures_every_setting_and_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out, bundle = tmp_path / "knob", tmp_path / "bundled.json"
    words = ["knob", *TINY, "--values", "1,0", "--methods", "cam", "--out", str(out), "--bundle", str(bundle)]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["run", "knob", "imbalance"]
    assert [line.split()[1] for line in lines[1:3]] == ["0", "1"]
    result = json.loads(bundle.read_text())
    assert result["values"] == [0, 1] and str(tmp_path) not in bundle.read_text()
    assert result == json.loads((out / "knob.json").read_text())
    for row, run in zip(result["runs"], (load_run(out / "7-0" / "cam"), load_run(out / "7-1" / "cam"))):
        assert row["seed"] == 7 and run.meta["data"].endswith(f"discriminative={row['knob']:g}")
        assert run.meta["images"] == 3 and 0 < row["peak_miou"] < 1


@pytest.mark.parametrize("text", ["", "0,x", "-0.1", "1.5"])
def test_settings_outside_the_range_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected numbers from 0 to 1"):
        parse_values(text)


@pytest.mark.parametrize("text", ["", "7,", "-1", "x", "1.5"])
def test_seeds_that_are_no_whole_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected whole numbers"):
        parse_seeds(text)
    assert parse_seeds("8, 7,8") == [8, 7]


def test_table_over_seeds_has_means_and_ranges() -> None:
    rows = [
        {"seed": seed, "knob": 0.5, "name": "CAM", "method": "cam"} | dict.fromkeys(MEASURES, value) | {"auc": None}
        for seed, value in ((7, 0.2), (8, 0.3))]
    table = format_knob({"values": [0.5], "seeds": [7, 8], "images": 3, "trained": 8, "runs": rows})
    assert "0.250 [0.200, 0.300]" in table and "25.0 [20.0, 30.0]" in table and "mean of the seeds 7, 8" in table
    assert table.splitlines()[1].split()[-1] == "–"
    alone = format_knob({"values": [0.5], "seeds": [7], "images": 3, "trained": 8, "runs": rows[:1]})
    assert "[" not in alone and "seed 7" in alone


def test_bundle_of_drawn_scenes_has_maps_and_no_path(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    reproduce(ReproduceConfig(
        data="scenes:size=48,n=4,seed=1", measure_data="scenes:size=48,n=2,seed=1", preset="scenes", methods="cam",
        backbone="efficientnet_lite0_small", weights="none", cam_epochs=1, crop=48, out=str(tmp_path / "work"),
        bundle=str(bundle), device="cpu"))
    run = load_run(bundle / "cam")
    assert run.map_ids == ("scene_000000", "scene_000001") == run.counts().image_ids
    assert run.meta["data"] == "scenes:size=48,n=2,seed=1" and run.meta["split"] == "val"
    assert str(tmp_path) not in (bundle / "cam" / "run.json").read_text()
    assert run.checkpoint_path.stat().st_size < 4_000_000


def test_splits_left_open_are_those_of_the_data() -> None:
    drawn, read = (resolve_splits(ReproduceConfig(data=data)) for data in ("scenes:n=3", "voc:root"))
    assert (drawn.train_split, drawn.split, drawn.measure_data) == ("train", "val", "scenes:n=3")
    assert (read.train_split, read.split) == ("train_aug", "train")
    assert resolve_splits(ReproduceConfig(data="scenes", split="train")).split == "train"


def test_small_backbone_starts_as_the_whole_one_and_ends_earlier() -> None:
    whole, small = build_backbone("efficientnet_lite0").eval(), build_backbone("efficientnet_lite0_small").eval()
    whole.load_imagenet()
    small.load_imagenet()
    image = torch.rand(1, 3, 64, 48) * 255
    expected = torch.relu(whole.late[:8](whole.early((image - whole.mean) / whole.std)))
    assert torch.allclose(small(image), expected, atol=1e-4)
    assert build_model("amn", "efficientnet_lite0_small", 11).aspp[0].in_channels == small.out_channels == 192
