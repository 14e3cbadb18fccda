"""The benchmark of large runs, on small ones."""

import pytest

from amn_core.bench.scale import BenchScaleConfig, bench_scale


def test_scale_benchmark_gives_both_ways_and_they_agree():
    result = bench_scale(BenchScaleConfig(images=12, classes=6))
    assert result["agree"] is True
    assert result["ours_memory_mb"] > 0 and result["plain_memory_mb"] > 0
    assert result["ratio"] == pytest.approx(result["plain_seconds"] / result["ours_seconds"])


def test_scale_benchmark_refuses_a_data_set_of_nothing():
    with pytest.raises(ValueError, match="there are 0 images"):
        bench_scale(BenchScaleConfig(images=0))
