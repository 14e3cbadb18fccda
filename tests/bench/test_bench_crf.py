"""The bench of the CRF on a few small scenes."""

import json

import numpy as np
import pytest

from amn_core.bench import crf, crf_cuts
from amn_core.bench.crf import BenchCRFConfig, Sample, Tally, bench_crf, choose_ids, load_sample
from amn_core.cli import format_report, main
from amn_core.commands.compare import CompareConfig, compare
from amn_core.data import load_dataset
from amn_core.formats.maps import save_map
from amn_core.formats.runs import save_run

SCENES = "scenes:size=64,n=4,seed=3"


def test_bench_crf_agrees_with_pydensecrf():
    pytest.importorskip("pydensecrf.densecrf", reason="pydensecrf2 is not installed")
    steps = []
    config = BenchCRFConfig(data=SCENES, images=3, device="cpu", cut_images=0)
    result = bench_crf(config, lambda *step: steps.append(step))
    assert result["agree"] and result["equal_pixels"] > 0.999
    assert result["ratio"] == pytest.approx(result["reference_seconds"] / result["seconds"])
    assert result["miou"] != result["unrefined_miou"]
    assert steps == [(1, 3), (2, 3), (3, 3)]
    json.dumps(result)


def test_bench_crf_without_pydensecrf_reports_its_own_time_alone(monkeypatch):
    monkeypatch.setattr(crf, "find_pydensecrf", lambda: None)
    result = bench_crf(BenchCRFConfig(data=SCENES, images=2, label_sets=1, batch=2, device="cpu", cut_images=0))
    assert result["seconds"] > 0 and 0 < result["miou"] < 1
    assert result["ratio"] is None and result["agree"] is None
    assert "pip install pydensecrf2" in result["note"]
    json.dumps(result)


def test_bench_crf_refines_the_cut_maps_of_a_run(tmp_path):
    dataset = load_dataset(SCENES, "train")
    run = save_run(tmp_path / "run", {
        "name": "CAM", "method": "cam", "data": SCENES, "split": "train", "class_names": list(dataset.class_names),
        "protocol": {"classes": ["background", dataset.class_names[1]]}})
    for image_id in dataset.ids:
        gt, class_ids = dataset.gt(image_id), dataset.class_ids(image_id)
        cam = np.stack([(gt == c) * 0.6 for c in class_ids]).astype(np.float32)[:, ::4, ::4]
        save_map(run.map_path(image_id), cam, class_ids, gt.shape)
    assert main(["count", "--run", str(run.path)]) == 0
    result = bench_crf(BenchCRFConfig(run=str(run.path), images=0, device="cpu", cut_images=0))
    assert result["images"] == 4 and result["label_sets"] == 1 and result["data"] == SCENES
    peak = compare(CompareConfig(runs=(str(run.path),)))["runs"][0]
    assert result["threshold"] == peak["peak_threshold"]
    assert result["unrefined_miou"] == pytest.approx(peak["peak_miou"])
    high = bench_crf(BenchCRFConfig(run=str(run.path), images=2, threshold=0.9, device="cpu", cut_images=0))
    assert high["unrefined_miou"] < result["unrefined_miou"] and high["images"] == 2


def test_bench_crf_denies_agreement_where_labels_differ(monkeypatch):
    monkeypatch.setattr(crf, "find_pydensecrf", lambda: crf)
    monkeypatch.setattr(crf, "refine_reference", lambda sample, _: np.zeros_like(sample.labels))
    result = bench_crf(BenchCRFConfig(data=SCENES, images=2, device="cpu", cut_images=0))
    assert result["agree"] is False


def test_bench_many_cuts_agree_with_separate_calls_and_pydensecrf(monkeypatch):
    monkeypatch.setattr(crf_cuts, "SIZE", (60, 80))
    is_there = crf.find_pydensecrf() is not None
    result = bench_crf(BenchCRFConfig(data=SCENES, images=1, cuts=20, cut_images=1, device="cpu"))
    for found in result["many_cuts"].values():
        assert found["agree"] and found["equal_pixels"] > 0.999 and found["seconds"] > 0
        assert (found["share"] is not None) == is_there
    assert "two_classes" in format_report(result)
    json.dumps(result)


def test_bench_labels_are_rough_but_overlap_the_ground_truth():
    dataset = load_dataset(SCENES, "train")
    sample = load_sample(dataset, dataset.ids[0], (0.3, 0.05), np.random.default_rng(0))
    assert sample.labels.shape == (2, *sample.gt.shape)
    high, low = (sample.labels > 0).mean((1, 2))
    assert 0 < high < low


def test_bench_tally_leaves_ignored_pixels_out():
    gt = np.array([[0, 5], [5, 255]], np.uint8)
    sample = Sample(np.zeros((2, 2, 3), np.uint8), gt, np.array([5]), np.array([[[0, 1], [0, 1]]]))
    tally = Tally()
    tally.add(sample, sample.labels, 21)
    assert tally.confusion.sum() == 3
    assert tally.confusion[5, 5] == tally.confusion[5, 0] == tally.confusion[0, 0] == 1
    assert tally.miou() == pytest.approx(0.5)


def test_bench_ids_are_taken_evenly():
    ids = tuple("abcdefgh")
    assert choose_ids(ids, 4) == ["a", "c", "e", "g"]
    assert choose_ids(ids, 0) == choose_ids(ids, 99) == list(ids)


def test_bench_config_refuses_a_batch_of_none():
    with pytest.raises(ValueError, match="batch is 0"):
        BenchCRFConfig(batch=0)
