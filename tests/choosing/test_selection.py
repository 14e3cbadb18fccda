"""Choosing thresholds: distributions with known answers, and scores held against plain counting."""

import json

import numpy as np
import pytest

from amn_core.choosing.agreement import count_agreement, count_components, find_strongest, score_agreement, sum_edges
from amn_core.choosing.budget import build_folds, find_needed, score_budget
from amn_core.choosing.confident import find_widest, score_confident
from amn_core.choosing.histograms import (
    find_beta_mixture,
    find_expected_iou,
    find_gaussian_mixture,
    find_maximum_entropy,
    find_minimum_error,
    find_otsu,
    find_stable,
    find_triangle,
)
from amn_core.choosing.selection import (
    CHOOSERS,
    PAIR,
    SCOPES,
    Choice,
    choose_area,
    choose_fixed,
    choose_oracle,
    choose_unseen,
    score_choices,
    sum_histograms,
)
from amn_core.cli import main
from amn_core.constants import DEFAULT_THRESHOLDS as GRID
from amn_core.formats.counts import save_counts
from amn_core.formats.maps import save_map
from amn_core.formats.runs import save_run
from amn_core.sweep import CountsBuilder, score_confusion, score_miou

NAMES = ("background", "cat", "dog")


def bin_values(values: np.ndarray) -> np.ndarray:
    """Count values by bin of the default grid."""
    return np.bincount(np.searchsorted(GRID, values, side="left"), minlength=len(GRID) + 1)


def draw_gaussians(low: float, high: float, spread: tuple[float, float], share: float, n: int = 200_000) -> np.ndarray:
    """Draw two Gaussians, `share` of the values from the upper one, and bin them."""
    rng = np.random.default_rng(0)
    n_high = int(n * share)
    values = np.concatenate([rng.normal(low, spread[0], n - n_high), rng.normal(high, spread[1], n_high)])
    return bin_values(np.clip(values, 0, 1))


def find_crossing(low: float, high: float, spread: tuple[float, float], share: float) -> float:
    """Find where the weighted densities of two Gaussians cross, by looking everywhere between their means."""
    x = np.linspace(low, high, 100_001)
    one, other = ((1 - share) / spread[0], low, spread[0]), (share / spread[1], high, spread[1])
    first, second = (w * np.exp(-((x - m) ** 2) / (2 * s * s)) for w, m, s in (one, other))
    return float(x[np.argmax(second > first)])


@pytest.mark.parametrize("find", [find_gaussian_mixture, find_minimum_error])
@pytest.mark.parametrize("case", [(0.3, 0.7, (0.08, 0.08), 0.5), (0.2, 0.6, (0.05, 0.12), 0.3)])
def test_model_based_selectors_find_the_crossing_of_two_gaussians(find, case):
    found = GRID[find(draw_gaussians(*case), GRID)]
    assert found == pytest.approx(find_crossing(*case), abs=0.012)


def test_beta_mixture_finds_the_crossing_of_two_betas():
    rng = np.random.default_rng(1)
    bins = bin_values(np.concatenate([rng.beta(2, 12, 140_000), rng.beta(10, 3, 60_000)]))
    x = np.linspace(0.2, 0.75, 5001)
    low = 0.7 * x * (1 - x) ** 11 / (1 / (12 * 13))  # B(2, 12) = 1!·11!/13! = 1/156
    high = 0.3 * x**9 * (1 - x) ** 2 / (2 / (10 * 11 * 12))  # B(10, 3) = 9!·2!/12! = 2/1320
    assert GRID[find_beta_mixture(bins, GRID)] == pytest.approx(x[np.argmax(high > low)], abs=0.02)


def test_otsu_finds_the_highest_correlation_of_mask_and_activation():
    rng = np.random.default_rng(2)
    values = np.round(rng.beta(1.5, 3, 3000) * 200) / 200 - 0.0025
    correlation = [np.corrcoef(values, values > t)[0, 1] if 0 < (values > t).mean() < 1 else -1 for t in GRID]
    assert find_otsu(bin_values(values), GRID) == np.argmax(correlation)


def test_expected_iou_finds_the_best_mask_for_calibrated_probabilities():
    values = (np.arange(200) + 0.5) / 200
    soft = [values[values > t].sum() / ((values > t).sum() + values[values <= t].sum()) for t in GRID[:-1]]
    best = int(np.argmax(soft))
    assert find_expected_iou(bin_values(values), GRID) == best
    assert GRID[best] == pytest.approx(soft[best] / (1 + soft[best]), abs=0.005)


def test_maximum_entropy_equals_its_definition():
    bins = np.random.default_rng(8).integers(0, 30, len(GRID) + 1)
    share = bins / bins.sum()
    entropies = []
    for j in range(len(GRID)):
        sides = [side / side.sum() for side in (share[:j + 1], share[j + 1:])]
        entropies.append(sum(-(side[side > 0] * np.log(side[side > 0])).sum() for side in sides))
    assert find_maximum_entropy(bins, GRID) == np.argmax(entropies)


def test_triangle_finds_the_foot_of_a_steep_hill():
    bins = np.full(len(GRID) + 1, 10)
    bins[:11] = 1000 - 99 * np.arange(11)
    assert GRID[find_triangle(bins, GRID)] == pytest.approx(0.05, abs=0.0051)


def test_stable_area_finds_the_empty_valley():
    rng = np.random.default_rng(3)
    bins = bin_values(np.concatenate([rng.uniform(0, 0.3, 500), rng.uniform(0.6, 1, 500)]))
    assert 0.35 <= GRID[find_stable(bins, GRID)] <= 0.55 + 1e-9


@pytest.mark.parametrize("name", CHOOSERS)
def test_choosers_treat_a_stack_of_histograms_row_by_row(name):
    rng = np.random.default_rng(4)
    stack = np.stack([bin_values(rng.beta(a, 3, 2000)) for a in (0.6, 1.0, 2.0, 5.0)])
    alone = [int(CHOOSERS[name].find(bins, GRID)) for bins in stack]
    assert CHOOSERS[name].find(stack, GRID).tolist() == alone


@pytest.mark.parametrize("name", CHOOSERS)
@pytest.mark.parametrize("filled", [(), (0,), (201,), (100,), (0, 201)])
def test_choosers_survive_histograms_without_a_shape(name, filled):
    bins = np.zeros(len(GRID) + 1, dtype=np.int64)
    bins[list(filled)] = 50
    assert 0 <= int(CHOOSERS[name].find(bins, GRID)) < len(GRID)


def build_counts(n: int = 12, seed: int = 0, noise: float = 0.15):
    """Build counts of small images with a blurred square of one class, and the maps they were made of."""
    rng = np.random.default_rng(seed)
    builder, maps = CountsBuilder(NAMES), {}
    for i in range(n):
        gt = np.zeros((20, 24), dtype=np.uint8)
        label = 1 + i % 2
        gt[4:14, 5:5 + rng.integers(6, 16)] = label
        gt[0] = 255
        mean = np.where(gt == label, 0.65, 0.25)
        ids = np.array([1, 2]) if i % 3 == 0 else np.array([label])
        cam = np.clip(np.stack([mean if c == label else 0.1 + 0 * mean for c in ids])
                      + rng.normal(0, noise, (len(ids), *gt.shape)), 0, 1).astype(np.float32)
        maps[f"img{i}"] = cam, ids, gt
        builder.add(f"img{i}", cam, ids, gt)
    return builder.build(), maps


def score_plainly(maps: dict, thresholds: dict) -> float:
    """Score the mIoU of masks cut pixel by pixel; thresholds by (image, class)."""
    confusion = np.zeros((3, 3))
    for image, (cam, ids, gt) in maps.items():
        for index in np.ndindex(gt.shape):
            if gt[index] != 255:
                strongest = int(np.argmax(cam[(slice(None), *index)]))
                is_above = cam[(strongest, *index)] > np.float32(thresholds[image, ids[strongest]])
                confusion[gt[index], ids[strongest] if is_above else 0] += 1
    return float(score_miou(confusion))


@pytest.mark.parametrize("scope", [*SCOPES, PAIR])
def test_choices_score_as_masks_cut_one_by_one(scope):
    counts, maps = build_counts(6)
    index = {"data set": np.asarray(80), "class": np.array([0, 60, 110]), "image": np.arange(40, 160, 20),
             PAIR: np.arange(30, 120, 5).reshape(6, 3)}[scope]
    choice = Choice("x", "X", "none", "ours", scope, index)
    each = {
        (image, c): GRID[int(index[{"data set": (), "class": c, "image": i, PAIR: (i, c)}[scope]])]
        for i, image in enumerate(maps) for c in (1, 2)
    }
    score = score_choices(counts, [choice], resamples=0)[0]
    assert score.miou == pytest.approx(score_plainly(maps, each), abs=1e-12)
    assert np.isnan(score.miou_low)


def spread_by_class(choice: Choice, maps: dict) -> dict:
    """Spread thresholds by class over images."""
    return {(image, c): GRID[choice.index[c]] for image in maps for c in (1, 2)}


def test_regret_of_the_peak_is_nothing_and_intervals_hold_the_estimate():
    counts, maps = build_counts()
    choices = [*choose_oracle(counts), choose_unseen(counts, "otsu")]
    scores = score_choices(counts, choices, resamples=200)
    assert [c.uses for c in choices] == ["oracle", "oracle", "oracle", "none"]
    assert scores[0].regret == 0 and scores[0].miou == score_miou(score_confusion(counts)).max()
    assert scores[1].miou == pytest.approx(score_plainly(maps, spread_by_class(choices[1], maps)))
    assert scores[3].regret >= 0 and scores[3].regret_low <= scores[3].regret <= scores[3].regret_high
    assert scores[3].miou_low < scores[3].miou < scores[3].miou_high


def test_unseen_choices_do_not_change_with_the_ground_truth():
    counts, maps = build_counts()
    blind = CountsBuilder(NAMES)
    for image, (cam, ids, gt) in maps.items():
        blind.add(image, cam, ids, np.where(gt == 255, 255, 0).astype(np.uint8))
    for scope in SCOPES:
        assert np.array_equal(sum_histograms(counts, scope), sum_histograms(blind.build(), scope))
        for name in CHOOSERS:
            first, second = choose_unseen(counts, name, scope), choose_unseen(blind.build(), name, scope)
            assert np.array_equal(first.index, second.index)


def test_unseen_choice_of_an_absent_class_is_that_of_the_data_set():
    counts, maps = build_counts()
    only = counts.select([i for i, (_, ids, _) in maps.items() if ids.tolist() == [1]])
    whole, by_class = choose_unseen(only, "otsu"), choose_unseen(only, "otsu", "class")
    assert by_class.index[2] == whole.index == by_class.index[1]


def test_area_of_the_cam_is_found_again_after_its_maps_are_rescaled():
    _, maps = build_counts()
    builders = CountsBuilder(NAMES), CountsBuilder(NAMES)
    for image, (cam, ids, gt) in maps.items():
        builders[0].add(image, cam, ids, gt)
        builders[1].add(image, np.sqrt(cam), ids, gt)
    cam, other = (builder.build() for builder in builders)
    threshold = GRID[choose_unseen(cam, "maximum-entropy").index]
    assert GRID[choose_area(cam, cam).index] == pytest.approx(threshold, abs=0.0051)
    assert GRID[choose_area(other, cam).index] == pytest.approx(np.sqrt(threshold), abs=0.0151)


def test_fixed_choices_are_the_published_constants():
    assert {c.selector: float(GRID[c.index]) for c in choose_fixed(GRID, "cam")}["paper"] == 0.15
    assert {c.selector: float(GRID[c.index]) for c in choose_fixed(GRID, "amn")}["paper"] == 0.25
    assert choose_fixed(GRID, "imported") == []


def test_unknown_selector_and_scope_are_named():
    counts, _ = build_counts(2)
    with pytest.raises(ValueError, match="selector is 'magic'"):
        choose_unseen(counts, "magic")
    with pytest.raises(ValueError, match="scope is 'pixel'"):
        choose_unseen(counts, "otsu", "pixel")


def test_budget_of_one_image_equals_trying_each_image():
    counts, _ = build_counts(12)
    pool, scored = build_folds(12, "odd")[0]
    budget = score_budget(counts, [(pool, scored)], sizes=[1], draws=3000)
    curve = score_miou(score_confusion(counts, scored))
    tried = [curve[np.argmax(score_miou(score_confusion(counts, [i])))] for i in pool]
    assert budget.miou[0] == pytest.approx(np.mean(tried), abs=0.004)
    assert budget.peak_miou == pytest.approx(curve.max())


def test_budget_of_the_whole_pool_is_its_peak():
    counts, _ = build_counts(12)
    pool, scored = build_folds(12, "even")[0]
    budget = score_budget(counts, [(pool, scored)], sizes=[6, 7], draws=5)
    best = int(np.argmax(score_miou(score_confusion(counts, pool))))
    assert budget.sizes.tolist() == [6] and set(budget.thresholds[0]) == {GRID[best]}
    assert budget.miou[0] == pytest.approx(score_miou(score_confusion(counts, scored))[best])


def test_budget_refuses_to_choose_and_score_on_the_same_images():
    counts, _ = build_counts(4)
    with pytest.raises(ValueError, match="overlap"):
        score_budget(counts, [([0, 1], [1, 2])], sizes=[1])


def test_needed_labels_are_the_smallest_number_from_which_all_suffice():
    counts, _ = build_counts(24, noise=0.3)
    budget = score_budget(counts, build_folds(24), sizes=[1, 2, 6, 12], draws=100)
    needed = find_needed(budget, tolerance=float(budget.regret[2]))
    assert needed is not None and (budget.regret[budget.sizes >= needed] <= budget.regret[2]).all()
    assert find_needed(budget, tolerance=-1.0) is None
    assert budget.regret[-1] < budget.regret[0]


def test_confident_areas_equal_plain_counting():
    counts, maps = build_counts(6)
    foreground, background = 0.55, 0.3
    called = right = quiet = quiet_right = objects = total = 0
    for cam, ids, gt in maps.values():
        strongest, is_scored = ids[cam.argmax(axis=0)], gt != 255
        is_high, is_low = cam.max(axis=0) > np.float32(foreground), cam.max(axis=0) <= np.float32(background)
        called += (is_high & is_scored).sum()
        right += (is_high & (strongest == gt)).sum()
        quiet += (is_low & is_scored).sum()
        quiet_right += (is_low & (gt == 0)).sum()
        objects += (is_scored & (gt > 0)).sum()
        total += is_scored.sum()
    at = score_confident(counts).at(foreground, background)
    assert at["foreground_precision"] == right / called and at["background_precision"] == quiet_right / quiet
    assert at["foreground_recall"] == right / objects
    assert at["precision"] == (right + quiet_right) / (called + quiet)
    assert at["coverage"] == (called + quiet) / total


def test_confident_pairs_are_undefined_the_wrong_way_round_and_cover_all_on_the_diagonal():
    confident = score_confident(build_counts(6)[0])
    lower = np.tril_indices(len(GRID), -1)
    assert np.isnan(confident.precision[lower]).all() and np.isnan(confident.coverage[lower]).all()
    assert np.allclose(np.diagonal(confident.coverage), 1)
    with pytest.raises(ValueError, match="swap them"):
        confident.at(0.2, 0.3)


def test_widest_pair_reaches_the_precision_and_none_wider_does():
    confident = score_confident(build_counts(6)[0])
    pair = find_widest(confident, 0.9)
    at = confident.at(*pair)
    assert min(at["foreground_precision"], at["background_precision"]) >= 0.9
    for b in range(0, len(GRID), 10):
        for f in range(b, len(GRID), 10):
            if min(confident.foreground_precision[f], confident.background_precision[b]) >= 0.9:
                assert confident.coverage[b, f] <= at["coverage"]
    assert find_widest(confident, 1.1) is None


def test_agreement_equals_kappa_of_masks_cut_at_both_thresholds():
    rng = np.random.default_rng(5)
    pair = [(rng.random((2, 9, 11)).astype(np.float32), np.array([3, 7])) for _ in range(2)]
    joint = count_agreement(*(find_strongest(cam, ids, GRID) for cam, ids in pair), len(GRID))
    kappa = score_agreement(joint)
    for i, j in ((100, 100), (120, 60), (40, 150)):
        first, second = (
            np.where(cam.max(0) > np.float32(GRID[t]), ids[cam.argmax(0)], 0) for (cam, ids), t in zip(pair, (i, j)))
        a, b = (first > 0).mean(), (second > 0).mean()
        chance = a * b + (1 - a) * (1 - b)
        assert kappa[i, j] == pytest.approx(((first == second).mean() - chance) / (1 - chance))
    assert np.isnan(kappa[-1, -1])


def test_components_are_those_that_a_flood_finds():
    bins = np.random.default_rng(6).integers(0, 6, (12, 15))
    assert count_components(bins, 5).tolist() == [count_by_flood(bins > j) for j in range(5)]


def test_edges_equal_walking_along_masks():
    rng = np.random.default_rng(9)
    bins, image = rng.integers(0, 6, (7, 9)), rng.integers(0, 256, (7, 9, 3)).astype(np.uint8)
    sums = sum_edges(bins, image, 5)
    for j in range(5):
        change, length = 0.0, 0
        for y, x in np.ndindex(bins.shape):
            for other in ((y + 1, x), (y, x + 1)):
                if other[0] < 7 and other[1] < 9 and (bins[y, x] > j) != (bins[other] > j):
                    change += np.linalg.norm(image[y, x].astype(float) - image[other])
                    length += 1
        assert sums[:, j] == pytest.approx([change, length])


def count_by_flood(mask: np.ndarray) -> int:
    """Count connected pieces by filling one after the other."""
    left, pieces = set(zip(*np.nonzero(mask))), 0
    while left:
        pieces, stack = pieces + 1, [left.pop()]
        while stack:
            y, x = stack.pop()
            found = {(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)} & left
            left -= found
            stack += found
    return pieces


@pytest.fixture
def run_path(tmp_path):
    """A run folder with counts and maps."""
    counts, maps = build_counts(12)
    meta = {"name": "CAM", "method": "cam", "data": "folder:x", "split": "train", "class_names": list(NAMES),
            "protocol": {"normalisation": "max"}}
    run = save_run(tmp_path / "run", meta)
    save_counts(run.counts_path, counts)
    for image, (cam, ids, gt) in maps.items():
        save_map(run.map_path(image), cam[:, ::4, ::4], ids, gt.shape)
    return run.path


def test_select_command_prints_rows_with_every_use(run_path, capsys):
    assert main(["select", str(run_path), "--labels", "2,5", "--resamples", "20", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    points = {"points:50", "points:100", "points:200"}
    assert {row["uses"] for row in rows} == {"none", "fixed", "labels:2", "labels:5", "oracle"} | points
    assert all(set(row) >= {"run", "selector", "uses", "threshold", "miou", "regret"} for row in rows)
    peak = next(row for row in rows if row["selector"] == "peak")
    assert peak["regret"] == 0
    for row in rows:
        if row["uses"] in ("none", "fixed"):
            assert row["regret"] == pytest.approx(peak["miou"] - row["miou"])


def test_select_command_scores_a_half_on_itself_alone(run_path, capsys):
    main(["select", str(run_path), "--part", "odd", "--resamples", "0", "--labels", "", "--json"])
    rows = json.loads(capsys.readouterr().out)
    counts, _ = build_counts(12)
    peak = score_miou(score_confusion(counts, np.arange(1, 12, 2))).max()
    assert {row["images"] for row in rows} == {6}
    assert next(row["miou"] for row in rows if row["selector"] == "peak") == peak


def test_select_command_looks_at_maps_when_asked(run_path, capsys):
    main(["select", str(run_path), "--histograms", "maps", "--maps", "--resamples", "0", "--labels", "", "--json"])
    output = capsys.readouterr()
    names = [row["selector"] for row in json.loads(output.out)]
    assert "stable-pieces" in names and "crf-agrees" not in names
    assert "no photographs here" in output.err


def test_select_command_refuses_odd_labels(run_path, capsys):
    assert main(["select", str(run_path), "--labels", "5,many"]) == 1
    assert "'5,many'" in capsys.readouterr().err
