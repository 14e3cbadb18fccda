"""Rules of today held to plain ones: a mixture fitted pixel by pixel, batch after batch; pieces found by a flood."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amn_core.choosing.moving import (
    choose_cosa,
    choose_dupl,
    find_mixture_cuts,
    find_smoothed_cuts,
    schedule_cosine,
)
from amn_core.choosing.stability import ERODED, EVERY, choose_mebin, count_eroded, find_longest, find_stable_cut
from amn_core.choosing.watching import Watcher
from amn_core.cli import main
from amn_core.constants import COCO_CLASSES, VOC_CLASSES
from amn_core.formats.maps import save_map
from amn_core.formats.runs import load_run, save_run
from amn_core.sweep import CountsBuilder
from amn_core.sweep.separation import find_centres
from tests.refine.test_hysteresis import flood

GRID = np.arange(21) / 20
CENTRES = find_centres(GRID)


def fit_plainly(values):
    """Fit three Gaussians to values one by one, as scikit-learn does with full covariance; the part of each value."""
    values = [float(value) for value in values if value > 0.05]
    ordered = sorted(values)
    means = [ordered[0], ordered[len(ordered) // 2], ordered[-1]]
    weights, variances, bound = [1 / 3] * 3, [1.0] * 3, -math.inf

    def weigh(value):
        return [w * math.exp(-((value - m) ** 2) / (2 * v)) / math.sqrt(2 * math.pi * v)
                for w, m, v in zip(weights, means, variances, strict=True)]

    for _ in range(100):
        densities = [weigh(value) for value in values]
        fit = sum(math.log(sum(one)) for one in densities) / len(values)
        shares = [[d / sum(one) for d in one] for one in densities]
        mass = [sum(share[k] for share in shares) + 10 * np.finfo(float).eps for k in range(3)]
        means = [sum(s[k] * v for s, v in zip(shares, values, strict=True)) / mass[k] for k in range(3)]
        variances = [sum(s[k] * (v - means[k]) ** 2 for s, v in zip(shares, values, strict=True)) / mass[k] + 1e-6
                     for k in range(3)]
        weights = [one / sum(mass) for one in mass]
        if abs(fit - bound) < 1e-3:
            break
        bound = fit
    return [(value, int(np.argmax(weigh(value)))) for value in values]


def cut_plainly(values):
    """Find the low and high cut: the largest value of the lowest part, the smallest of the highest, as thresholds."""
    parts = fit_plainly(values)
    low, high = [v for v, part in parts if part == 0], [v for v, part in parts if part == 2]
    if not low or not high:
        return None
    above = [i for i, edge in enumerate(GRID) if edge >= max(low)]
    below = [i for i, edge in enumerate(GRID) if edge < min(high)]
    return GRID[above[0] if above else -1], GRID[below[-1] if below else 0]


def draw_values(rng, n=120):
    """Draw values of three heaps, at the centres of the bins."""
    heaps = rng.choice([0.1, 0.45, 0.85], n) + rng.normal(0, 0.06, n)
    return CENTRES[np.searchsorted(GRID, np.clip(heaps, 0, 1))]


def bin_values(values):
    return np.bincount(np.searchsorted(GRID, values), minlength=len(GRID) + 1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_mixture_of_a_histogram_is_that_of_its_pixels(seed):
    values = draw_values(np.random.default_rng(seed))
    found, expected = find_mixture_cuts(bin_values(values), GRID), cut_plainly(values)
    assert np.isnan(found).any() if expected is None else found.tolist() == pytest.approx(expected)


def test_stacks_are_fitted_row_by_row_and_nothing_gives_nan():
    rows = np.stack([bin_values(draw_values(np.random.default_rng(seed))) for seed in range(4)])
    rows[2] = 0
    found = find_mixture_cuts(rows, GRID)
    alone = [find_mixture_cuts(row, GRID) for row in rows]
    assert np.array_equal(found, alone, equal_nan=True) and np.isnan(found[2]).all()


@pytest.mark.parametrize("n", [5, 7])
def test_smoothing_goes_batch_after_batch(n):
    images = [draw_values(np.random.default_rng(seed), 60) for seed in range(n)]
    batches = [np.concatenate(images[i:i + 2]) for i in range(0, n, 2)]
    low, high, queue, steps = 0.25, 0.70, [], 0
    while steps < math.log(0.01) / math.log(0.99):
        for batch in batches:
            queue = [*queue, batch][-min(100, len(batches)):]  # whole rounds: each batch is in it once
            cuts = cut_plainly(np.concatenate(queue)) if len(queue) <= len(batches) else None
            if cuts is not None:
                low, high = 0.99 * low + 0.01 * cuts[0], 0.99 * high + 0.01 * cuts[1]
            steps += 1
    found = find_smoothed_cuts(np.stack([bin_values(one) for one in images]), GRID)
    assert found == pytest.approx((low, high), abs=1e-9)


def build_counts(class_names, ids=((1, 3), (2,), ())):
    """Build counts of small images with these classes."""
    builder, rng = CountsBuilder(class_names, GRID), np.random.default_rng(0)
    for i, present in enumerate(ids):
        gt = rng.choice([0, *present], (6, 6)).astype(np.uint8)
        builder.add(f"i{i}", rng.random((len(present), 6, 6)).astype(np.float32), list(present), gt)
    return builder.build()


def test_cosa_sees_no_ground_truth():
    builders = [CountsBuilder(VOC_CLASSES, GRID) for _ in range(2)]
    cam = draw_values(np.random.default_rng(1), 400).reshape(1, 20, 20)
    for builder, gt in zip(builders, (np.zeros((20, 20), np.uint8), np.ones((20, 20), np.uint8)), strict=True):
        builder.add("a", cam, [1], gt)
    one, other = (choose_cosa(builder.build()) for builder in builders)
    assert [c.index for c in one] == [c.index for c in other] and {c.uses for c in one} == {"none"}
    assert one[0].index < one[1].index


def test_dupl_has_its_constants_by_class_and_by_image():
    choices = choose_dupl(build_counts(VOC_CLASSES))
    start, half, end, image = (GRID[choice.index] for choice in choices)
    assert start == 0.7 and {choice.uses for choice in choices} == {"fixed"}
    assert end[VOC_CLASSES.index("bird")] == 0.7 and end[VOC_CLASSES.index("cat")] == 0.55
    assert half[VOC_CLASSES.index("cat")] in (0.6, 0.65) and half[1] == 0.7  # 0.625 lies between two thresholds
    assert image.tolist() == [0.7, 0.7, 0.55]  # aeroplane and bird; bicycle; no class
    coco = choose_dupl(build_counts(COCO_CLASSES))
    assert set(GRID[coco[2].index].tolist()) == {0.55}
    assert choose_dupl(build_counts(("background", "disc", "board", "ring"))) == []


def test_schedule_falls_by_a_cosine_between_its_ends():
    found = [float(schedule_cosine(0.7, 0.55, step, 101)) for step in range(-1, 103)]
    assert found[0] == found[1] == 0.7 and found[-1] == found[-2] == 0.55 and found[51] == pytest.approx(0.625)
    assert all(a >= b for a, b in pairwise(found))


def count_plainly(mask):
    """Count the pieces of a mask that is whole in a window of two by two above and left of each cell."""
    height, width = mask.shape
    whole = np.zeros_like(mask)
    for row in range(height):
        for column in range(width):
            window = mask[max(0, row - ERODED + 1):row + 1, max(0, column - ERODED + 1):column + 1]
            whole[row, column] = window.all()
    left, pieces = set(zip(*np.nonzero(whole), strict=True)), 0
    while left:
        left -= flood(whole, next(iter(left)))
        pieces += 1
    return pieces


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_pieces_are_those_that_a_flood_finds_after_erosion(seed):
    mask = np.random.default_rng(seed).random((7, 8)) < 0.7
    assert count_eroded(mask) == count_plainly(mask)


@given(st.lists(st.integers(0, 2), max_size=30))
def test_longest_stretch_is_found_among_all(numbers):
    stretches = [(a, b) for a in range(len(numbers)) for b in range(a + 3, len(numbers))
                 if len(set(numbers[a:b + 1])) == 1 and numbers[a] > 0]
    found = find_longest(numbers)
    if not stretches:
        assert found is None
        return
    length = max(b - a for a, b in stretches)
    longest = [one for one in stretches if one[1] - one[0] == length]
    number = numbers[longest[0][0]]
    assert found == [one for one in longest if numbers[one[0]] == number][-1]


def test_mebin_gives_each_image_a_cut_and_the_median_without_a_map(tmp_path):
    run = save_run(tmp_path / "run", {
        "name": "CAM", "method": "cam", "data": "scenes", "split": "val", "class_names": ["background", "cat"],
        "protocol": {"normalisation": "max"}})
    cams, rng = {}, np.random.default_rng(3)
    for image_id in ("a", "b", "c"):
        cams[image_id] = np.kron(rng.random((1, 3, 3)), np.ones((1, 5, 5))).astype(np.float32)
        save_map(run.map_path(image_id), cams[image_id], [1], (60, 60))
    choice = choose_mebin(Watcher(run, ("a",), GRID), ["a", "b", "none", "c"])
    own = [find_stable_cut(np.rint(cams[i] * 255).astype(np.float32) / np.float32(255), GRID) for i in "abc"]
    assert choice.scope == "image" and choice.uses == "none"
    assert choice.index.tolist() == [own[0], own[1], int(np.median(own)), own[2]]
    assert (len(GRID) - 1 - choice.index[0]) % EVERY == 0


def test_thresholds_by_class_go_to_a_file_and_back_with_the_same_score(tmp_path, capsys):
    run, path = "checkpoints/voc-animals/cam", tmp_path / "cuts.csv"
    quick = ("--labels", "", "--points", "", "--resamples", "0", "--json")
    assert main(["select", run, "--save", str(path), "--rule-of", "otsu", *quick]) == 0
    capsys.readouterr()
    lines = path.read_text().splitlines()
    assert lines[0] == "class,threshold" and len(lines) == len(load_run(run).class_names)
    assert main(["select", run, "--thresholds", str(path), *quick]) == 0
    rows = {row["selector"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["file/class"]["miou"] == pytest.approx(rows["otsu/class"]["miou"], abs=1e-12)
    assert rows["file/class"]["uses"] == "fixed" and rows["file/class"]["source"] == "cuts.csv"
    assert main(["select", run, "--save", str(path), "--rule-of", "magic"]) == 1
    assert "choose one of otsu" in capsys.readouterr().err


def test_rules_that_need_maps_are_named_where_there_are_tables_alone(capsys):
    assert main(["select", "checkpoints/voc-animals/cam", "--maps", "--labels", "", "--points", "", "--resamples", "0",
                 "--json"]) == 0
    captured = capsys.readouterr()
    assert "CAM: tables alone, so the rules that look at maps are left out of its ranking" in captured.err
    assert "MEBin" in captured.err and "mebin" not in {row["selector"] for row in json.loads(captured.out)}
