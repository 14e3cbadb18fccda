"""All-class scores by the command as a user types it: every spelling, the plane, the loss, images, a run, refusals."""

import csv
import json

import numpy as np
import pytest

from amn_core.cli import main
from amn_core.data import load_dataset
from amn_core.formats.runs import load_run
from amn_core.scoring import score_run
from amn_core.sweep.confusion import count_mask, score_miou
from amn_core.sweep.seeds import build_labels

SPEC = "scenes:size=48,n=4,seed=3"


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Probabilities of all classes of four scenes, background first: (C, H, W) by image."""
    dataset, rng = load_dataset(SPEC, "train"), np.random.default_rng(0)
    n = len(dataset.class_names)
    found = {}
    for image_id in dataset.ids:
        gt = dataset.gt(image_id)
        logits = rng.normal(0, 1, (n, *gt.shape)) + 3 * (gt[None] == np.arange(n)[:, None, None])
        exponent = np.exp(logits)
        found[image_id] = (exponent / exponent.sum(axis=0)).astype(np.float32)
    return found


def write(folder, scores, spelling):
    """Write scores in one of the spellings of the field; returns the options that they need."""
    folder.mkdir(exist_ok=True)
    for image_id, planes in scores.items():
        value = {"first": planes, "last": np.roll(planes, -1, axis=0), "none": planes[1:], "white": planes[1:],
                 "logits": np.log(planes), "axes": np.moveaxis(planes, 0, 2), "msc_seg": planes[None]}[spelling]
        np.save(folder / f"{image_id}.npy", {"msc_seg": value} if spelling == "msc_seg" else value, allow_pickle=True)
    return ("--background", spelling if spelling in ("last", "none", "white") else "first")


def run(folder, *more):
    return main(["unlabelled", str(folder), "--data", SPEC, "--workers", "1", "--class-cuts", "5", *more, "--json"])


def score_plainly(dataset, scores, class_cut, threshold):
    """Score all images by masks cut one by one."""
    n, confusion = len(dataset.class_names), 0
    for image_id, planes in scores.items():
        cam = planes[1:]
        chosen = np.flatnonzero(cam.max(axis=(1, 2)) > class_cut)
        labels = np.concatenate([[0], chosen + 1])[build_labels(cam[chosen], threshold)].astype(np.uint8)
        confusion = confusion + count_mask(labels, dataset.gt(image_id), n)[:, :n]
    return score_miou(confusion)


@pytest.mark.parametrize("spelling", ["first", "last", "none", "axes", "msc_seg", "logits"])
def test_plane_is_that_of_masks_in_every_spelling(spelling, scores, tmp_path, capsys):
    assert run(tmp_path / "maps", *write(tmp_path / "maps", scores, spelling)) == 0
    result = json.loads(capsys.readouterr().out)
    dataset = load_dataset(SPEC, "train")
    for i, j in ((0, 20), (1, 60), (3, 0), (2, 100), (4, 10)):
        expected = score_plainly(dataset, scores, result["class_cuts"][i], result["thresholds"][j])
        assert result["miou"][i][j] == pytest.approx(expected, abs=1e-3 if spelling == "logits" else 1e-12)
    best = np.nanmax(np.array(result["miou"], dtype=float))
    assert result["best"]["miou"] == pytest.approx(best)
    loss = result["loss"]
    assert loss["total"] == pytest.approx(loss["wrong_class"] + loss["wrong_cut"], abs=1e-12)
    assert loss["total"] == pytest.approx(result["told"]["miou"] - result["at"]["miou"], abs=1e-12)


def test_white_pixels_are_background(scores, tmp_path, capsys, monkeypatch):
    dataset = load_dataset(SPEC, "train")
    more = write(tmp_path / "maps", scores, "white")
    monkeypatch.setattr(type(dataset), "image", lambda self, image_id: np.full((48, 48, 3), 255, np.uint8))
    assert run(tmp_path / "maps", *more) == 0
    result = json.loads(capsys.readouterr().out)
    blank = {image_id: planes * (np.arange(len(planes)) == 0)[:, None, None] for image_id, planes in scores.items()}
    assert result["best"]["miou"] == pytest.approx(score_plainly(dataset, blank, 0.0, 0.5))


def test_images_and_a_run_are_written_at_the_pair_that_is_looked_at(scores, tmp_path, capsys):
    write(tmp_path / "maps", scores, "first")
    table, out = tmp_path / "images.csv", tmp_path / "run"
    more = ("--class-cut", "0.75", "--threshold", "0.4", "--images", str(table), "--out", str(out))
    assert run(tmp_path / "maps", *more) == 0
    result = json.loads(capsys.readouterr().out)
    made, dataset = load_run(out), load_dataset(SPEC, "train")
    assert result["at"]["class_cut"] == 0.75 and made.name == "maps, class cut 0.75"
    np.testing.assert_allclose(score_run(made).miou, result["miou"][3], atol=1e-12)
    rows = {row["image"]: row for row in csv.DictReader(table.read_text().splitlines())}
    for image_id, planes in scores.items():
        expected = score_plainly(dataset, {image_id: planes}, 0.75, 0.4)
        assert float(rows[image_id]["miou"]) == pytest.approx(expected, abs=1e-12)
        called = [dataset.class_names[i + 1] for i in np.flatnonzero(planes[1:].max(axis=(1, 2)) > 0.75)]
        assert rows[image_id]["called"] == ";".join(called)
    assert run(tmp_path / "maps", "--class-cut", "0.25", "--out", str(out)) == 1
    assert "another unlabelled: choose another --out" in capsys.readouterr().err


def test_report_says_what_is_lost_to_what(scores, tmp_path, capsys):
    write(tmp_path / "maps", scores, "first")
    assert main(["unlabelled", str(tmp_path / "maps"), "--data", SPEC, "--workers", "1"]) == 0
    text = capsys.readouterr().out
    assert "by wrong classes" in text and "with the true classes" in text and "class cut (down)" in text


@pytest.mark.parametrize(("more", "words"), [
    (("--background", "none"), "planes, but the data set has"), (("--class-cuts", "1"), "class-cuts is 1"),
])
def test_what_does_not_fit_is_named(more, words, scores, tmp_path, capsys):
    write(tmp_path / "maps", scores, "first")
    assert run(tmp_path / "maps", *more) == 1
    assert words in capsys.readouterr().err


def test_missing_file_is_named(scores, tmp_path, capsys):
    write(tmp_path / "maps", scores, "first")
    gone = next((tmp_path / "maps").glob("*.npy"))
    gone.unlink()
    assert run(tmp_path / "maps") == 1
    assert f"no file for 1 of 4 images, such as {gone.stem}" in capsys.readouterr().err
