"""The curve after refinement, by the command as a user types it: against each threshold refined alone."""

import csv
import json

import numpy as np
import pytest

from amn_core.cli import main
from amn_core.commands import refine_every
from amn_core.formats.counts import load_counts
from amn_core.formats.runs import load_run
from amn_core.infer.cuts import CutRefiner
from amn_core.refine import pamr_labels
from amn_core.scoring import load_alike, score_run
from amn_core.sweep.confusion import score_confusion
from amn_core.sweep.seeds import build_labels
from tests.commands.test_refine import run_refine

EVERY = ("--every", "--thresholds", "5")


@pytest.mark.parametrize("method", ["crf", "pamr"])
def test_curve_after_refinement_is_that_of_the_masks_of_each_threshold(method, source, tmp_path):
    assert run_refine(source, tmp_path / "every", method, *EVERY) == 0
    run = load_run(tmp_path / "every")
    assert run.is_refined and run.method == "amn" and run.name == f"AMN + {method.upper()}" and not run.has_maps
    assert not (run.path / "parts").exists()
    counts = run.counts()
    assert counts.thresholds.tolist() == [0, 0.25, 0.5, 0.75, 1]
    confusion = score_confusion(counts)
    for threshold in (0.25, 0.5):
        out = tmp_path / f"at {threshold}"
        assert run_refine(source, out, method, "--threshold", str(threshold)) == 0
        assert main(["count", "--run", str(out)]) == 0
        alone = score_confusion(load_run(out).counts())[100]
        assert np.array_equal(confusion[int(threshold * 4)], alone)


def test_walk_is_taken_once_and_the_crf_is_behind_it(source, irn, tmp_path):
    walk = ("--checkpoint", str(irn), "--steps", "5")
    assert run_refine(source, tmp_path / "walk", "irn", *walk) == 0
    assert run_refine(tmp_path / "walk", tmp_path / "behind", "crf", *EVERY) == 0
    assert run_refine(source, tmp_path / "both", "irn", *walk, *EVERY) == 0
    both = load_run(tmp_path / "both")
    assert both.name == "AMN + IRN + CRF" and both.method == "irn"
    expected = score_confusion(load_run(tmp_path / "behind").counts())
    assert np.array_equal(score_confusion(both.counts()), expected)


def test_refined_curve_stands_beside_the_unrefined_one(source, tmp_path, capsys):
    every = tmp_path / "every"
    assert run_refine(source, every, "crf", "--every") == 0
    assert main(["count", "--run", str(source)]) == 0
    capsys.readouterr()
    assert main(["compare", str(source), str(every), "--json", "--intervals", "--classes", "all"]) == 0
    result = json.loads(capsys.readouterr().out)
    before, after = result["runs"]
    assert len(result["thresholds"]) == len(after["miou"]) == len(before["miou"]) == 51
    assert after["gap"] is after["auc"] is after["imbalance"] is None and before["gap"] is not None
    assert after["oracle_miou"] >= 0 and after["plateau"] is not None and len(after["peak_interval"]) == 2
    assert any("no activation" in note and "51 thresholds" in note for note in result["notes"])
    alone = score_run(load_run(source), classes="all")
    assert before["miou"] == alone.miou[::4].tolist() and before["gap"] == pytest.approx(alone.gap)
    drawing = ["figure", "miou", str(source), str(every), "--resamples", "10", "--out", str(tmp_path / "miou.svg")]
    assert main(drawing) == 0
    assert main(["figure", "histograms", str(every), "--out", str(tmp_path / "h.pdf")]) == 1
    assert main(["select", str(every)]) == 1 and main(["count", "--run", str(every)]) == 1
    error = capsys.readouterr().err
    assert error.count("no activation") == 2 and "refine --every" in error


def test_refined_curve_is_exported_as_pixels_at_each_threshold(source, tmp_path):
    every = tmp_path / "every"
    assert run_refine(source, every, "crf", *EVERY) == 0
    assert main(["export", str(every), "--format", "csv", "--out", str(tmp_path / "csv")]) == 0
    assert sorted(path.name for path in (tmp_path / "csv").iterdir()) == [
        "curve.csv", "decisions.csv", "images.csv", "summary.csv"]
    rows = list(csv.DictReader((tmp_path / "csv" / "decisions.csv").read_text().splitlines()))
    expected = score_confusion(load_run(every).counts())
    confusion = np.zeros_like(expected)
    for row in rows:
        for t, name in enumerate(("at_0", "at_0.25", "at_0.5", "at_0.75", "at_1")):
            confusion[t, int(row["ground_truth"]), int(row["class"])] += int(row[name])
    assert np.array_equal(confusion, expected)


def test_stopped_refinement_goes_on_with_what_is_left(source, tmp_path, monkeypatch):
    refined, fail = [], {"after": 2}
    count_source = refine_every.count_source

    def stop(config, source, *rest):
        if len(refined) == fail["after"]:
            raise KeyboardInterrupt
        refined.append(source.image_id)
        return count_source(config, source, *rest)

    monkeypatch.setattr(refine_every, "count_source", stop)
    assert run_refine(source, tmp_path / "every", "crf", *EVERY) != 0
    assert len(list((tmp_path / "every" / "parts").glob("*.npz"))) == 2
    fail["after"] = 99
    assert run_refine(source, tmp_path / "every", "crf", *EVERY) == 0
    assert len(refined) == len(set(refined)) == 4
    assert load_counts(tmp_path / "every" / "counts.npz").image_ids == load_run(source).map_ids
    assert run_refine(source, tmp_path / "every", "crf", *EVERY) == 0 and len(refined) == 4


@pytest.mark.parametrize(("more", "message"), [
    (("--every", "--thresholds", "50"), "thresholds is 50; choose one of 3, 5, 6, 9, 11, 21, 26, 41, 51, 101, 201"),
    (("--every", "--threshold", "0.3"), "--every takes all"),
])
def test_wrong_grid_is_refused(source, tmp_path, capsys, more, message):
    assert run_refine(source, tmp_path / "out", "crf", *more) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_refined_curve_is_not_mixed_with_masks_of_one_threshold(source, tmp_path, capsys):
    assert run_refine(source, tmp_path / "out", "crf", *EVERY) == 0
    assert run_refine(source, tmp_path / "out", "crf") == 1
    assert "another refinement" in capsys.readouterr().err


def test_runs_of_other_thresholds_are_read_alike_only_beside_refined_ones(source, tmp_path):
    assert main(["count", "--run", str(source)]) == 0
    for name, number in (("coarse", "5"), ("fine", "11")):
        assert run_refine(source, tmp_path / name, "crf", "--every", "--thresholds", number) == 0
    runs = [load_run(path) for path in (source, tmp_path / "coarse", tmp_path / "fine")]
    assert [own.thresholds.tolist() for own in load_alike(runs)] == [[0, 0.5, 1]] * 3


@pytest.mark.parametrize("method", ["crf", "pamr"])
def test_one_threshold_is_refined_alike_alone_and_among_others(method):
    rng = np.random.default_rng(0)
    image, cam = rng.integers(0, 255, (24, 30, 3), np.uint8), rng.random((2, 24, 30)).astype(np.float32)
    refiner = CutRefiner(image, cam, method)
    together = refiner.refine(np.array([0.2, 0.5, 0.7]))
    assert together.shape == (3, 24, 30) and (refiner.refine(np.array([0.5]))[0] == together[1]).mean() > 0.999
    if method == "pamr":
        assert np.array_equal(together[1], pamr_labels(image, build_labels(cam, 0.5), 3))


def test_image_without_classes_stays_background():
    image = np.zeros((8, 9, 3), np.uint8)
    assert not CutRefiner(image, np.zeros((0, 8, 9), np.float32)).refine(np.array([0.1, 0.2])).any()
    with pytest.raises(ValueError, match="method is 'x'"):
        CutRefiner(image, np.zeros((0, 8, 9)), "x")
    with pytest.raises(ValueError, match="resize the maps"):
        CutRefiner(image, np.zeros((0, 9, 8)))


def test_estimate_measures_a_few_images_and_writes_nothing(source, tmp_path, capsys):
    out = tmp_path / "every"
    assert run_refine(source, out, "crf", *EVERY, "--estimate", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    images = len(load_run(source).map_ids)
    assert result["images"] == images and result["processes"] >= 1 and result["seconds"] > 0
    assert f"{images} images at 5 thresholds" in result["stages"][0]["name"]
    assert not out.exists()
    assert run_refine(source, out, "crf", *EVERY, "--estimate") == 0
    assert "all on cpu" in capsys.readouterr().out
    assert run_refine(source, out, "crf", "--threshold", "0.3", "--estimate") == 1
    assert "estimate is for --every" in capsys.readouterr().err
