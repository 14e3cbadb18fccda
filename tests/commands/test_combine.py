"""Two runs combined by the command as a user types it: maps, counts, masks of SAM, resumed, refused by name."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amn_core.cli import main
from amn_core.data import load_dataset
from amn_core.formats.maps import load_stored_map, save_map
from amn_core.formats.runs import load_run, save_run
from amn_core.scoring import score_run
from amn_core.sweep import CountsBuilder, summarise
from amn_core.sweep.combining import fill_regions

SPEC = "scenes:size=64,n=4,seed=3"
ROUNDING = 3 / 255  # a level of 8 bits, and one or two more where a weaker class would have overtaken
RULES = {"or": lambda a, b: a + b - a * b, "and": lambda a, b: a * b, "mean": lambda a, b: (a + b) / 2,
         "max": np.maximum}


def make_other(source: Path, path: Path, **changed) -> Path:
    """Make a second run on the images of the first: each of its maps turned upside down, the last class first."""
    run = load_run(source)
    save_run(path, run.meta | {"name": "CAM", "method": "cam"} | changed)
    for image_id in run.map_ids:
        cam, class_ids = run.map(image_id)
        save_map(path / "maps" / f"{image_id}.npz", cam[:, ::-1][:, ::4, ::4], class_ids, cam.shape[1:])
    return path


@pytest.fixture
def other(source: Path, tmp_path: Path) -> Path:
    return make_other(source, tmp_path / "cam")


def run_combine(*words: object) -> int:
    return main(["combine", *map(str, words)])


@pytest.mark.parametrize("by", list(RULES))
def test_combined_run_is_each_pixel_combined_and_counted(by, source, other, tmp_path):
    assert run_combine(other, source, "--by", by, "--out", tmp_path / "out", "--workers", 1) == 0
    run, dataset = load_run(tmp_path / "out"), load_dataset(SPEC, "train")
    builder = CountsBuilder(dataset.class_names)
    for image_id in dataset.ids:
        (a, ids), (b, _) = load_run(other).map(image_id), load_run(source).map(image_id)
        both = RULES[by](a, b)
        if by in ("or", "and"):
            both /= np.maximum(both.max(axis=(1, 2), keepdims=True), 1e-9)
        found, found_ids = run.map(image_id)
        assert np.array_equal(found_ids, ids) and found.shape == both.shape
        assert np.abs(found - both).max() < ROUNDING
        builder.add(image_id, both.astype(np.float32), ids, dataset.gt(image_id))
    assert np.array_equal(run.counts().decision_bins, builder.build().decision_bins)
    own = list(load_run(source).scored_classes)
    assert score_run(run).peak_miou == summarise(builder.build(), classes=own).peak_miou
    assert run.method == "combined" and run.meta["combination"]["by"] == by
    assert [one["name"] for one in run.meta["combination"]["sources"]] == ["CAM", "AMN"]


def test_started_again_it_goes_on_and_another_way_is_refused(source, other, tmp_path, capsys):
    words = (other, source, "--out", tmp_path / "out")
    assert run_combine(*words) == 0
    run = load_run(tmp_path / "out")
    path, kept = run.map_path(run.map_ids[0]), run.map_path(run.map_ids[1])
    before, told, when = path.read_bytes(), dict(run.meta), kept.stat().st_mtime_ns
    path.unlink()
    assert run_combine(*words) == 0
    assert path.read_bytes() == before and kept.stat().st_mtime_ns == when
    assert load_run(tmp_path / "out").meta["protocol"] == told["protocol"]
    assert run_combine(*words, "--by", "and") == 1
    assert "another combination: choose another --out" in capsys.readouterr().err


@pytest.mark.parametrize(("changed", "words"), [
    ({"data": "scenes:size=64,n=4,seed=4"}, "combine runs of the same images"),
    ({"class_names": ["background", *"abcdef"], "protocol": {"normalisation": "max"}}, "have other classes"),
])
def test_runs_of_other_data_or_classes_are_refused_by_name(changed, words, source, tmp_path, capsys):
    other = make_other(source, tmp_path / "cam", **changed)
    assert run_combine(other, source, "--out", tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert words in told and str(other) in told and not (tmp_path / "out").exists()


def test_other_images_are_named_or_left_out(source, other, tmp_path, capsys):
    missing = load_run(other).map_ids[1]
    load_run(other).map_path(missing).unlink()
    assert run_combine(source, other, "--out", tmp_path / "out") == 1
    assert f"lacks 1 of 4 images, such as {missing}" in capsys.readouterr().err
    assert run_combine(source, other, "--common", "--out", tmp_path / "out") == 0
    assert missing not in load_run(tmp_path / "out").map_ids and len(load_run(tmp_path / "out").counts().image_ids) == 3


def test_class_that_one_run_lacks_is_named_or_taken_for_zeros(source, other, tmp_path, capsys):
    run = load_run(other)
    image_id = max(run.map_ids, key=lambda one: len(run.map(one)[1]))
    cam, class_ids = run.map(image_id)
    save_map(run.map_path(image_id), cam[:-1, ::4, ::4], class_ids[:-1], cam.shape[1:])
    lost = run.class_names[class_ids[-1]]
    assert run_combine(source, other, "--out", tmp_path / "out", "--workers", 1) == 1
    told = capsys.readouterr().err
    assert image_id in told and lost in told and "--fill" in told
    assert run_combine(source, other, "--fill", "--by", "mean", "--out", tmp_path / "filled", "--workers", 1) == 0
    found, _ = load_run(tmp_path / "filled").map(image_id)
    assert np.abs(found[-1] - load_run(source).map(image_id)[0][-1] / 2).max() < ROUNDING


def test_images_of_another_size_are_named(source, other, tmp_path, capsys):
    run = load_run(other)
    cam, class_ids = run.map(run.map_ids[0])
    save_map(run.map_path(run.map_ids[0]), cam[:, ::4, ::4], class_ids, (60, 64))
    assert run_combine(source, other, "--out", tmp_path / "out", "--workers", 1) == 1
    assert f"{run.map_ids[0]}: the images have other sizes (AMN 64×64, CAM 60×64)" in capsys.readouterr().err


def make_masks(folder: Path, dataset) -> Path:
    """Make masks of each image: its left and right half, and its middle over both."""
    for image_id in dataset.ids:
        (folder / image_id).mkdir(parents=True)
        for i, part in enumerate((slice(0, 32), slice(32, 64), slice(20, 44))):
            mask = np.zeros((64, 64), np.uint8)
            mask[:60, part] = 255
            Image.fromarray(mask).save(folder / image_id / f"{i}.png")
    return folder


def test_maps_follow_masks_alone_and_after_combining(source, other, tmp_path):
    dataset = load_dataset(SPEC, "train")
    masks = make_masks(tmp_path / "sam", dataset)
    assert run_combine(source, "--masks", masks, "--overlap", 0.2, "--out", tmp_path / "one", "--workers", 1) == 0
    assert run_combine(source, other, "--by", "max", "--masks", masks, "--out", tmp_path / "two", "--workers", 1) == 0
    for image_id in dataset.ids:
        regions = [np.asarray(Image.open(path)) > 0 for path in sorted((masks / image_id).glob("*.png"))]
        a, b = load_run(source).map(image_id)[0], load_run(other).map(image_id)[0]
        for name, cam, overlap in (("one", a, 0.2), ("two", np.maximum(a, b), 0.5)):
            found, _ = load_run(tmp_path / name).map(image_id)
            assert np.abs(found - fill_regions(cam, regions, overlap)).max() < ROUNDING
    assert load_run(tmp_path / "one").name == "AMN in masks"
    assert load_run(tmp_path / "two").meta["combination"]["masks"] == "sam"


def test_finished_masks_of_other_classes_combine_and_stay_masks(source, tmp_path):
    for name, threshold in (("low", "0.1"), ("high", "0.6")):
        assert main(["refine", "--run", str(source), "--method", "pamr", "--threshold", threshold, "--out",
                     str(tmp_path / name), "--device", "cpu"]) == 0
    assert run_combine(tmp_path / "low", tmp_path / "high", "--out", tmp_path / "out", "--workers", 1) == 0
    run = load_run(tmp_path / "out")
    assert run.is_masks and set(np.unique(load_stored_map(run.map_path(run.map_ids[0]))[0])) <= {0, 255}


@pytest.mark.parametrize(("words", "status", "told"), [
    (("a", "b", "c"), 2, "3 run(s) given"), (("a",), 2, "1 run(s) given"),
    (("a", "b", "--overlap", "2"), 1, "overlap is 2"),
])
def test_wrong_number_of_runs_and_overlap_are_refused(words, status, told, tmp_path, capsys):
    assert run_combine(*words, "--out", tmp_path / "out") == status
    assert told in capsys.readouterr().err


def test_tables_alone_and_missing_ground_truth_say_what_helps(source, tmp_path, capsys):
    save_run(tmp_path / "tables", load_run(source).meta)
    assert run_combine(source, tmp_path / "tables", "--out", tmp_path / "out") == 1
    assert "tables alone" in capsys.readouterr().err
    other = make_other(source, tmp_path / "cam")
    assert run_combine(source, other, "--split", "nowhere", "--out", tmp_path / "out") == 1
    assert "--no-count" in capsys.readouterr().err
    assert run_combine(source, other, "--no-count", "--out", tmp_path / "out") == 0
    assert not load_run(tmp_path / "out").has_counts


def test_result_compares_like_any_run(source, other, tmp_path, capsys):
    run_combine(other, source, "--out", tmp_path / "out")
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["method"] == "combined"
