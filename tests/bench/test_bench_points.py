"""The benchmark of points: one row a run, rule and number, with a prior from the other data sets."""

import pytest

from amn_core.bench.elsewhere import split_by_size
from amn_core.bench.points import BUNDLED, BenchPointsConfig, bench_points, format_points, list_runs
from amn_core.sweep import score_confusion


def test_bench_points_reports_every_rule_and_ours_loses_less_on_average():
    runs = (str(BUNDLED / "scenes"), str(BUNDLED / "voc-resnet50"))
    rows = bench_points(BenchPointsConfig(runs, answers="50,100", people=15))
    assert {row["rule"] for row in rows} == {"share", "share elsewhere", "plain", "points", "points, 5 % wrong"}
    assert all(0 <= row["mean_regret"] <= row["p95_regret"] + 1e-12 for row in rows)
    lost = {rule: sum(row["mean_regret"] for row in rows if row["rule"] == rule) for rule in ("plain", "points")}
    assert lost["points"] < lost["plain"] and "share at the peak" in format_points(rows)


def test_bench_points_measures_coverage_also_where_one_stops():
    runs = (str(BUNDLED / "scenes"), str(BUNDLED / "voc-resnet50" / "cam"))
    rows = bench_points(BenchPointsConfig(runs, answers="100", coverage=4))
    assert [row["answers"] for row in rows[:2]] == ["100", "at the stop"] and "within bound" in format_points(rows)


def test_bench_points_refuses_what_it_cannot_simulate(tmp_path):
    with pytest.raises(ValueError, match="multiples of ten"):
        bench_points(BenchPointsConfig(answers="25"))
    with pytest.raises(ValueError, match="no run with counts"):
        bench_points(BenchPointsConfig((str(tmp_path),)))
    with pytest.raises(ValueError, match="another data set"):
        bench_points(BenchPointsConfig((str(BUNDLED / "scenes"),)))


def test_halves_by_size_hold_every_image_once_and_the_smaller_objects_first():
    counts = list_runs(str(BUNDLED / "scenes"))[0].counts()
    small, large = split_by_size(counts)
    assert sorted((*small.image_ids, *large.image_ids)) == sorted(counts.image_ids)
    shares = [1 - part[0, 0].sum() / part[0].sum() for part in map(score_confusion, (small, large))]
    assert abs(len(small.image_ids) - len(large.image_ids)) <= 1 and shares[0] < shares[1]
