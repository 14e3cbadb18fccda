"""Right maps and masks that are damaged: the damage is named, with its size, and an undamaged set gets a clean bill."""

import numpy as np
import pytest

from amn_core.bench.damages import DAMAGES, build_case, find_target, write_case
from amn_core.bench.diagnose import GIVEN, BenchDiagnoseConfig, bench_diagnose, build_right, names_truth
from amn_core.diagnose.diagnosis import answer, count_readings, diagnose, open_files
from amn_core.diagnose.search import parse_target

# On seeds that no constant was chosen on.
TOLD = ("ground truth", "255 an error", "keys from 1", "first plane", "last plane competes", "by image maximum",
        "softmax", "nearest", "ground truth reduced", "exponent", "seam", "cut", "masks: luminance",
        "masks: blue and red", "masks: 255 left out")
BY_THEMSELVES = ("keys one too low", "first plane", "by class maximum", "cut", "masks: one too high")


def open_case(names, seed, root):
    """Write a damaged set, open it, and count all that may be asked for."""
    case = build_case(names, seed)
    spec, folder = write_case(case, root)
    opened = open_files((folder, spec, case.split, "auto"), case.cut)
    count_readings(opened, None)
    return case, find_target(case), opened


def print_numbers(score):
    """Print mIoU, precision and recall to one decimal."""
    return [f"{100 * value:.1f}" for value in score]


@pytest.mark.parametrize("name", TOLD)
def test_damage_is_named_with_its_size(name, tmp_path):
    case, score, opened = open_case([name], 1000, tmp_path)
    found = answer(opened, parse_target(*print_numbers(score)))
    assert found.path is not None and names_truth(case, found), [(s.name, s.after) for s in found.path or []]
    assert abs(sum(step.points for step in found.path) - (score[0] - found.score[0])) < 0.001
    assert found.found.sure > 0.95


@pytest.mark.parametrize("name", ["list", "first plane competes", "no background", "by class range", "255 background"])
def test_readings_score_what_an_argmax_scores(name, tmp_path):
    case, score, opened = open_case([name], 1001, tmp_path)
    right = build_right(case, answer(opened, None))
    # Not exact: the 1e-5 that is added to a maximum moves a few pixels.
    np.testing.assert_allclose(opened.board.score(right), score, atol=2e-4)


@pytest.mark.parametrize("names", [
    ("keys from 1", "255 an error"), ("first plane", "cut"), ("masks: blue and red", "masks: 255 left out")])
def test_two_damages_are_named_in_the_order_of_reading(names, tmp_path):
    case, score, opened = open_case(names, 1002, tmp_path)
    found = answer(opened, parse_target(*print_numbers(score)))
    assert names_truth(case, found)
    order = ["numbering", "background", "ignored", "unsure", "cut"]
    assert [step.name for step in found.path] == sorted(case.truth, key=order.index)


@pytest.mark.parametrize("name", BY_THEMSELVES)
def test_damage_is_suspicious_by_itself(name, tmp_path):
    _, _, opened = open_case([name], 1003, tmp_path)
    assert DAMAGES[name].choice in {finding.choice for finding in answer(opened, None).findings}


@pytest.mark.parametrize("seed", [1000, 1001, 1002])
def test_undamaged_set_gets_a_clean_bill(seed, tmp_path):
    _, score, opened = open_case([], seed, tmp_path)
    found = answer(opened, parse_target(*print_numbers(score)))
    assert found.findings == [] and found.path == []


def test_undamaged_masks_get_a_clean_bill(tmp_path):
    case = build_case(["masks: list"], 1004)
    spec, folder = write_case(case, tmp_path)
    assert diagnose((folder, spec, "train", "auto")).findings == []


def test_benchmark_counts_what_was_named():
    result = bench_diagnose(BenchDiagnoseConfig(cases=1, seed=1005, kinds="keys from 1"))
    assert [row["given"] for row in result["tables"]] == list(GIVEN)
    assert [row["named"] for row in result["tables"]] == [1, 1, 1] and result["totals"][0]["cases"] == 1
    with pytest.raises(ValueError, match="kinds holds 'x'"):
        bench_diagnose(BenchDiagnoseConfig(kinds="x"))
