"""From pictures to the comparison by the commands, as a user types them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amn_core.cli import main
from amn_core.commands.compare import CompareConfig
from amn_core.commands.count import count_some
from amn_core.commands.work import open_work
from amn_core.data import load_dataset
from amn_core.formats.checkpoints import load_checkpoint
from amn_core.formats.maps import load_map
from amn_core.formats.runs import find_runs, load_run
from amn_core.infer.extractor import load_extractor
from amn_core.sweep.seeds import build_labels, build_seed
from amn_core.train.config import TrainConfig
from amn_core.train.loop import train

SPEC = "scenes:size=64,n=8,seed=3"


@pytest.fixture(scope="module")
def cam_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model")
    return train(TrainConfig(
        method="cam", data=SPEC, out=str(out), epochs=1, batch=4, crop=32, long_side_min=32, long_side_max=48,
        device="cpu"))


@pytest.fixture(scope="module")
def cam_run(cam_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "cam"
    assert main(["extract", "--checkpoint", str(cam_model), "--data", SPEC, "--out", str(out), "--scales", "1",
                 "--device", "cpu"]) == 0
    assert main(["count", "--run", str(out)]) == 0
    return out


def test_run_folder_explains_itself(cam_run: Path) -> None:
    run = load_run(cam_run)
    assert run.method == "cam" and run.has_maps and run.has_counts
    assert run.meta["data"] == SPEC and run.meta["images"] == 8
    assert run.meta["command"][3] == "extract"
    assert run.meta["protocol"]["normalisation"] == "max" and run.meta["protocol"]["ground_truth"]
    assert len(run.meta["model"]["sha256"]) == 64 and run.meta["versions"]["torch"]
    assert [found.path for found in find_runs(cam_run.parent)] == [cam_run]


def test_counts_equal_the_argmax_over_the_stored_maps(cam_run: Path) -> None:
    run, dataset = load_run(cam_run), load_dataset(SPEC, "train")
    counts = run.counts()
    for threshold_index in (0, 30, 60, 120):
        threshold = counts.thresholds[threshold_index]
        confusion = np.zeros((counts.n_classes, counts.n_classes), dtype=np.int64)
        for image_id in dataset.ids:
            gt = dataset.gt(image_id)
            cam, class_ids = run.map(image_id, gt.shape)
            labels = np.concatenate([[0], class_ids])[build_labels(cam, threshold)]
            np.add.at(confusion, (gt[gt != 255], labels[gt != 255]), 1)
        from amn_core.sweep import score_confusion

        assert np.array_equal(score_confusion(counts)[threshold_index], confusion)


def test_counting_in_parts_gives_the_same(cam_run: Path) -> None:
    from amn_core.sweep import merge_counts

    ids = load_dataset(SPEC, "train").ids
    parts = merge_counts([count_some(open_work(cam_run, SPEC, "train"), part) for part in (ids[:3], ids[3:])])
    assert np.array_equal(parts.decision_bins, load_run(cam_run).counts().decision_bins)


def test_extraction_goes_on_where_it_was_stopped(cam_model: Path, cam_run: Path, tmp_path: Path) -> None:
    arguments = ["extract", "--checkpoint", str(cam_model), "--data", SPEC, "--out", str(tmp_path / "run"),
                 "--scales", "1", "--device", "cpu"]
    assert main(arguments) == 0
    paths = sorted((tmp_path / "run" / "maps").glob("*.npz"))
    assert len(paths) == 8
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:50])
    kept = paths[2].stat().st_mtime_ns
    assert main(arguments) == 0
    assert paths[2].stat().st_mtime_ns == kept
    for path in paths:
        assert np.array_equal(load_map(path)[0], load_map(cam_run / "maps" / path.name)[0])


def test_extracting_another_protocol_into_a_run_is_refused(cam_model, cam_run, capsys) -> None:
    assert main(["extract", "--checkpoint", str(cam_model), "--data", SPEC, "--out", str(cam_run), "--scales",
                 "1,2", "--device", "cpu"]) == 1
    assert "another protocol" in capsys.readouterr().err


def test_maps_of_a_mirrored_image_are_mirrored(cam_model: Path) -> None:
    extractor = load_extractor(cam_model, device="cpu", scales=(1.0, 0.5))
    image = load_dataset(SPEC, "train").image("scene_000001")
    plain = extractor.infer_map(image, np.array([1, 2]))
    mirrored = extractor.infer_map(image[:, ::-1], np.array([1, 2]))
    assert np.allclose(plain, mirrored[:, :, ::-1], atol=1e-4)
    peaks = plain.max(axis=(1, 2))
    assert ((peaks > 0.99) | (peaks == 0)).all() and peaks.max() <= 1  # 0: the class is nowhere activated


def test_image_without_labels_has_no_map_and_is_background(cam_model: Path) -> None:
    extractor = load_extractor(cam_model, device="cpu")
    image = load_dataset(SPEC, "train").image("scene_000001")
    cam, class_ids = extractor.infer_maps(image, np.array([], dtype=np.int64))
    assert cam.shape == (0, 64, 64) and len(class_ids) == 0
    assert (build_seed(cam, class_ids, 0.3, 0.05) == 0).all()


def test_labels_are_predicted_by_cam_alone(cam_model: Path, tmp_path: Path) -> None:
    image = load_dataset(SPEC, "train").image("scene_000001")
    probabilities = load_extractor(cam_model, device="cpu").predict_labels(image)
    assert probabilities.shape == (len(load_dataset(SPEC, "train").class_names) - 1,)
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_seed_is_sure_where_both_thresholds_agree() -> None:
    cam = np.array([[[0.0, 0.05, 0.2, 0.3, 0.31, 0.4]], [[0.0, 0.0, 0.0, 0.0, 0.0, 0.9]]], dtype=np.float32)
    seed = build_seed(cam, np.array([3, 7]), foreground=0.3, background=0.05)
    assert seed.tolist() == [[0, 0, 255, 255, 3, 7]]
    with pytest.raises(ValueError, match="swap"):
        build_seed(cam, np.array([3, 7]), foreground=0.05, background=0.3)


def test_amn_trains_on_the_seeds_and_compares(cam_run: Path, tmp_path: Path, capsys) -> None:
    seeds, out = tmp_path / "seeds", tmp_path / "amn"
    assert main(["seed", "--run", str(cam_run), "--out", str(seeds), "--workers", "1"]) == 0
    assert len(list(seeds.glob("*.png"))) == 8
    assert main(["train", "amn", "--data", SPEC, "--seeds", str(seeds), "--out", str(out), "--epochs", "1",
                 "--batch", "4", "--crop", "32", "--device", "cpu"]) == 0
    run = tmp_path / "run"
    assert main(["extract", "--checkpoint", str(out / "model.pth"), "--data", SPEC, "--out", str(run), "--scales",
                 "1", "--device", "cpu"]) == 0
    assert main(["count", "--run", str(run)]) == 0
    capsys.readouterr()
    assert main(["compare", str(cam_run), str(run), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [row["method"] for row in result["runs"]] == ["cam", "amn"]
    for row in result["runs"]:
        assert max(m for m in row["miou"] if m is not None) == row["peak_miou"]
        assert 0 < row["oracle_miou"] <= 1
        assert row["peak_threshold"] in result["thresholds"] and row["images"] == 8
        assert {"name", "protocol", "plateau", "mean_miou", "gap", "auc", "imbalance"} <= row.keys()
    assert main(["compare", str(cam_run), str(run)]) == 0
    assert "peak mIoU %" in capsys.readouterr().out


def test_comparison_can_be_restricted_to_classes_and_images(cam_run: Path, tmp_path: Path) -> None:
    from amn_core.commands.compare import compare

    names = load_run(cam_run).class_names
    whole = compare(CompareConfig(runs=(str(cam_run),)))["runs"][0]
    some = compare(CompareConfig(runs=(str(cam_run),), classes=f"background,{names[1]}"))["runs"][0]
    assert some["peak_miou"] != whole["peak_miou"]
    (tmp_path / "list.txt").write_text("scene_000001\nscene_000003\n")
    two = compare(CompareConfig(runs=(str(cam_run),), images=str(tmp_path / "list.txt")))["runs"][0]
    assert two["images"] == 2
    even, odd = (compare(CompareConfig(runs=(str(cam_run),), part=part))["runs"][0] for part in ("even", "odd"))
    assert even["images"] == odd["images"] == 4 and even["miou"] != odd["miou"]
    with pytest.raises(ValueError, match="unicorn"):
        compare(CompareConfig(runs=(str(cam_run),), classes="unicorn"))


def test_classes_of_the_protocol_are_averaged_over_unless_others_are_asked_for(cam_run, tmp_path, capsys) -> None:
    from amn_core.commands.compare import compare

    shutil.copytree(cam_run, tmp_path / "run")
    run, name = str(tmp_path / "run"), load_run(cam_run).class_names[1]
    assert main(["count", "--run", run, "--classes", "nonsense"]) == 1 and "nonsense" in capsys.readouterr().err
    assert main(["count", "--run", run, "--classes", f"background,{name}"]) == 0
    assert load_run(run).scored_classes == ("background", name)
    rows = [compare(CompareConfig(runs=(r,), classes=c))["runs"][0]["miou"] for r, c in (
        (run, ""), (str(cam_run), f"background,{name}"), (run, "all"), (str(cam_run), ""))]
    assert rows[0] == rows[1] != rows[2] == rows[3]


def test_reproduce_can_be_started_twice_and_bundles(tmp_path: Path, capsys) -> None:
    arguments = ["reproduce", "--data", SPEC, "--train-split", "train", "--split", "val", "--out",
                 str(tmp_path / "all"), "--cam-epochs", "1", "--amn-epochs", "1", "--no-crf", "--bundle",
                 str(tmp_path / "bundle"), "--device", "cpu"]
    assert main(arguments) == 0
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "all").rglob("model.pth")}
    assert len(stamps) == 3
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 3
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "all").rglob("model.pth")}
    text = (tmp_path / "bundle" / "amn" / "run.json").read_text()
    assert str(tmp_path) not in text
    assert load_run(tmp_path / "bundle" / "amn").has_counts
    model, content = load_checkpoint(tmp_path / "bundle" / "amn" / "model.pth")
    assert model.method == "amn" and str(tmp_path) not in json.dumps(content["config"])
    assert main([*arguments, "--seed", "9"]) == 1
    assert "seed=0, not 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["train"], ["extract"], ["nonsense"], ["train", "vit", "--data", "x", "--out", "y"]])
def test_usage_errors_exit_with_2(arguments: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as info:
        main(arguments)
    assert info.value.code == 2


def test_other_errors_exit_with_1_and_one_line(tmp_path: Path, capsys) -> None:
    (tmp_path / "model.pth").write_bytes(b"not a checkpoint")
    for arguments, expected in (
        (["count", "--run", str(tmp_path)], "not a run folder"),
        (["extract", "--checkpoint", str(tmp_path / "model.pth"), "--data", SPEC, "--out", "x"], "not a readable"),
        (["extract", "--checkpoint", "none.pth", "--data", SPEC, "--out", "x"], "none.pth: no such checkpoint"),
        (["train", "cam", "--data", "voc:/nowhere", "--out", "x"], "/nowhere: no such folder"),
        (["train", "cam", "--data", "zip:x", "--out", "x"], "expected voc:ROOT"),
    ):
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1 and expected in error


def test_every_command_has_help(capsys) -> None:
    from amn_core.cli import COMMANDS

    for command in (*COMMANDS, "data", "run"):
        with pytest.raises(SystemExit) as info:
            main([command, "--help"])
        assert info.value.code == 0 and len(capsys.readouterr().out) > 100


def test_training_config_survives_as_json(cam_model: Path) -> None:
    from amn_core.train.loop import read_config

    config = read_config(cam_model.parent)
    assert config.batch == 4 and replace(config, epochs=2).epochs == 2
