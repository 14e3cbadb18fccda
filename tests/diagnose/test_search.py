"""The search: paths add up, what is usual goes before what is free, and what does not tell is not told."""

import numpy as np
import pytest

from amn_core.bench.damages import build_case, find_target, write_case
from amn_core.diagnose import diagnosis
from amn_core.diagnose.diagnosis import answer, count_readings, open_files
from amn_core.diagnose.readings import CHANGES
from amn_core.diagnose.search import (
    FREE,
    Cloud,
    Target,
    are_same,
    build_path,
    cost_cuts,
    find_peak,
    list_combinations,
    parse_target,
    share_reached,
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Right maps, opened and counted under every reading."""
    root = tmp_path_factory.mktemp("right")
    case = build_case([], 3)
    spec, folder = write_case(case, root)
    opened = open_files((folder, spec, "train", "auto"), case.cut)
    count_readings(opened, None)
    return opened


def test_points_of_a_path_add_up_exactly_in_the_order_of_reading(opened):
    end = opened.base.change("cut", 0.7).change("ignored", "error").change("averaging", "seam").change(
        "ground_truth", "SegmentationClass")
    path = build_path(opened.board, opened.base, end)
    total = opened.board.score(end)[0] - opened.board.score(opened.base)[0]
    assert sum(step.points for step in path) == pytest.approx(total, abs=1e-12)
    assert [step.name for step in path] == [name for name in CHANGES if name in {s.name for s in path}]
    assert len(path) == 4 and path[-1].after == 0.7


def test_a_free_threshold_costs_more_than_any_other_change(opened):
    curve = opened.board.curve(opened.base)
    costs = cost_cuts(opened.board, opened.base, curve, opened.base.cut)
    thresholds = opened.board.thresholds(opened.base)
    own = int(np.argmin(np.abs(thresholds - opened.base.cut)))
    assert costs[own] == 0 and costs[find_peak(curve)] in (0, 0.9) and costs[143] == FREE
    single = [cost for reading, cost in list_combinations(opened.allowed, opened.base, 1)]
    assert max(single) < FREE


def test_one_number_does_not_tell_where_anything_would_reach_it(opened):
    far = answer(opened, parse_target("31.37", "", ""))
    wide = answer(opened, Target((0.5, np.nan, np.nan), (0.2, np.inf, np.inf)))
    assert not far.is_telling or far.path
    assert wide.found.answers and wide.path is None and wide.found.sure < 0.8


def test_an_exponent_is_one_answer_with_the_threshold_that_acts_as_it(opened):
    half, exponent = opened.base.change("cut", 0.5), opened.base.change("background", "none:exponent 1")
    assert are_same(opened.board, half, exponent) and are_same(opened.board, exponent, half)
    assert not are_same(opened.board, half.change("cut", 0.2), exponent)


def test_what_cannot_be_reached_is_said_with_the_nearest(opened):
    found = answer(opened, parse_target("99.9"))
    assert found.path is None and not found.found.answers and not found.is_telling
    assert found.found.nearest.score[0] <= found.found.reachable + 1e-12 < 0.999


def test_own_number_needs_no_change(opened):
    score = opened.board.score(opened.base)
    found = answer(opened, parse_target(*(f"{100 * value:.2f}" for value in score)))
    assert found.path == [] and found.found.answers[0].cost == 0


def test_share_of_other_targets_counts_what_lies_within_the_last_digit():
    target = parse_target("50.0")
    line = np.linspace(0, 0.999, 1000)
    every = Cloud(np.zeros(1000), np.stack([line] * 3, axis=1))
    one = Cloud(np.array([0.0, 9.0]), np.array([[0.5] * 3, [0.2] * 3]))
    assert share_reached(every, 0, target) > 0.99
    assert share_reached(one, 0, target) < 0.01


@pytest.mark.parametrize(("text", "number", "half"), [
    ("48.3", 0.483, 0.0005), ("48", 0.48, 0.005), ("48.3-48.8", 0.4855, 0.003), ("62.10%", 0.621, 0.00005)])
def test_target_is_as_exact_as_it_is_printed(text, number, half):
    target = parse_target(text)
    assert target.numbers[0] == pytest.approx(number) and target.tolerance[0] == pytest.approx(half)
    assert target.is_single and not parse_target("1", "2", "3").is_single


@pytest.mark.parametrize("text", ["x", "101", "-1", "1-2-3"])
def test_odd_targets_are_refused(text):
    with pytest.raises(ValueError, match="target is"):
        parse_target(text)


def test_slow_score_of_right_maps_is_that_of_the_first_reading(opened):
    assert opened.board.score(opened.base) == pytest.approx(find_target(build_case([], 3)), abs=1e-9)


def test_a_sample_leads_to_what_counting_everything_finds(tmp_path, monkeypatch):
    monkeypatch.setattr(diagnosis, "FEW", 4)
    monkeypatch.setattr(diagnosis, "SAMPLE", 10)
    case = build_case(["by class maximum", "255 an error"], 7)
    spec, folder = write_case(case, tmp_path)
    lines = []
    target = parse_target(*(f"{100 * value:.1f}" for value in find_target(case)))
    found = diagnosis.diagnose((folder, spec, "train", "auto"), target, case.cut, tell=lines.append)
    assert [(step.name, step.after) for step in found.path] == [("normalisation", "max"), ("ignored", "error")]
    assert len(lines) == 1 and "from 10 of 24 images, likely" in lines[0]
