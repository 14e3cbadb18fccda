"""The benchmarks: they hold ours against the plain way, and notice when the two differ."""

import json

import numpy as np
import pytest

import amn_core.bench.sweep as bench
from amn_core.bench.naive import score_naive, sweep_naive
from amn_core.bench.sweep import BenchScoresConfig, BenchSweepConfig, bench_scores, bench_sweep
from tests.sweep.reference import N_CLASSES, count_confusion, make_counts, make_image, predict

SMALL_SWEEP = BenchSweepConfig(height=40, width=50, thresholds=11, rounds=1, device="cpu")
SMALL_SCORES = BenchScoresConfig(images=8, thresholds=11, resamples=20, rounds=1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_sweep_benchmark_agrees_and_gives_both_times(dtype):
    result = bench_sweep(BenchSweepConfig(height=40, width=50, thresholds=11, rounds=1, dtype=dtype, device="cpu"))
    assert result["agree"] is True and result["dtype"] == dtype
    assert result["ratio"] == pytest.approx(result["naive_ms"] / result["ours_ms"])
    assert result["reading"]["agree"] is True and result["resizing"]["agree"] is True
    parts = [result[name]["ours_ms"] for name in ("reading", "resizing", "counting")]
    assert result["path"]["ours_ms"] == pytest.approx(sum(parts))
    assert json.loads(json.dumps(result)) == result


def test_sweep_benchmark_notices_a_difference(monkeypatch):
    monkeypatch.setattr(bench, "score_one", lambda *a: sweep_naive(*a, n_classes=21) + 1)
    assert bench_sweep(SMALL_SWEEP)["agree"] is False


def test_scores_benchmark_agrees_and_gives_both_times():
    result = bench_scores(SMALL_SCORES)
    assert result["agree"] is True and result["bootstrap_ms"] > 0 and result["load_ms"] > 0
    assert result["ratio"] == pytest.approx(result["naive_ms"] / result["ours_ms"])
    assert json.loads(json.dumps(result)) == result


def test_scores_benchmark_notices_a_difference(monkeypatch):
    monkeypatch.setattr(bench, "score_naive", lambda counts, images: score_naive(counts, images) * 1.001)
    assert bench_scores(SMALL_SCORES)["agree"] is False


def test_plain_way_is_the_definition():
    cam, class_ids, gt = make_image(2, 3)
    found = sweep_naive(cam, class_ids, gt, np.array([0.1, 0.6]), N_CLASSES)
    for confusion, threshold in zip(found, (0.1, 0.6)):
        np.testing.assert_array_equal(confusion, count_confusion(predict(cam, class_ids, threshold), gt))


def test_plain_scores_are_those_of_the_confusion():
    from amn_core.sweep import score_confusion, score_miou

    counts = make_counts(1)
    np.testing.assert_allclose(score_naive(counts, np.array([0, 2])), score_miou(score_confusion(counts, [0, 2])))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (BenchSweepConfig(thresholds=1, device="cpu"), "thresholds is 1"),
        (BenchSweepConfig(rounds=0, device="cpu"), "rounds is 0"),
        (BenchSweepConfig(classes=21, device="cpu"), "give 1 to 20 classes"),
    ],
)


def test_sweep_benchmark_refuses_sizes_without_sense(config, message):
    with pytest.raises(ValueError, match=message):
        bench_sweep(config)


def test_scores_benchmark_refuses_a_data_set_of_one():
    with pytest.raises(ValueError, match="images is 1"):
        bench_scores(BenchScoresConfig(images=1))
