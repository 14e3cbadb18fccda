"""Differences between two runs from the same answers: intervals hold, and are narrower than those of either run."""

from dataclasses import replace

import numpy as np
import pytest

from amn_core.choosing.bounds import bound_points
from amn_core.choosing.differences import compare_placed, compare_points, take_answers
from amn_core.choosing.placing import Placed, find_places
from amn_core.choosing.points import GROUND, OTHER, OWN, Answers, estimate_points
from amn_core.choosing.population import build_population, build_truth, draw_truth, score_truth
from amn_core.choosing.priors import DEFAULT
from amn_core.formats.answers import Entry
from amn_core.sweep import CountsBuilder

TRIALS, ANSWERS = 60, 120
CLASSES = ("background", "cat", "dog")


def draw_images(noise: float, shared: np.ndarray, gts: list[np.ndarray], rng: np.random.Generator) -> list:
    """Draw maps that rise on the object, blurred by what runs share and by their own noise."""
    return [((1 / (1 + np.exp(-(3 * (gt > 0) - 1.5 + one + rng.normal(0, noise, gt.shape))))).astype(np.float32)[None],
             np.array([gt.max()])) for gt, one in zip(gts, shared, strict=True)]


@pytest.fixture(scope="module")
def told():
    """For two runs: estimate for many people of the same answers, the answers, and the true mIoU by level."""
    rng = np.random.default_rng(0)
    shape = (20, 20)
    gts = [np.zeros(shape, np.uint8) for _ in range(30)]
    for i, gt in enumerate(gts):
        gt[4:4 + rng.integers(5, 14), 3:3 + rng.integers(5, 14)] = 1 + i % 2
    shared = rng.normal(0, 1.0, (30, *shape))
    chosen = rng.integers(0, 30 * 400, (TRIALS, ANSWERS))
    return [describe(draw_images(noise, shared, gts, rng), gts, chosen) for noise in (0.1, 0.3)]


def describe(maps: list, gts: list[np.ndarray], chosen: np.ndarray) -> tuple:
    """Describe one run: place evenly chosen pixels on it and estimate."""
    builder = CountsBuilder(CLASSES, np.linspace(0, 1, 51))
    for i, ((cam, class_ids), gt) in enumerate(zip(maps, gts, strict=True)):
        builder.add(f"image-{i}", cam, class_ids, gt)
    counts = builder.build()
    population = build_population(counts)
    people, truth = draw_truth(population, build_truth(counts, population), np.ones((TRIALS, len(gts))))
    rows, levels = (np.concatenate(part, axis=None)[chosen] for part in zip(
        *(find_places(cam, class_ids, population) for cam, class_ids in maps), strict=True))
    shown = np.concatenate([gt.ravel() for gt in gts])[chosen]
    kinds = np.where(shown == population.classes[rows], OWN, np.where(shown == 0, GROUND, OTHER))
    weights = np.full(chosen.shape, population.pixels.sum())
    answers = Answers(rows, levels, kinds, np.where(kinds == OTHER, shown, 0), weights, np.ones(chosen.shape))
    estimate = estimate_points(people, answers, DEFAULT)
    return estimate, answers, score_truth(people, truth)


def test_differences_lie_in_their_interval_which_is_narrower_than_that_of_a_score(told):
    (first, answers, curve), (second, answers_2, curve_2) = told
    found = compare_points(first, answers, second, answers_2)
    at, at_2 = (np.take_along_axis(part, one.index[:, None], axis=1)[:, 0]
                for part, one in ((curve, first), (curve_2, second)))
    assert ((found.low <= at_2 - at) & (at_2 - at <= found.high)).mean() >= 0.88
    assert abs((found.value - (at_2 - at)).mean()) < 0.02
    alone = bound_points(first, answers, np.random.default_rng(0), draws=10)
    assert (found.high - found.low).mean() < 0.8 * (alone.miou_high - alone.miou_low).mean()


def test_a_run_is_no_better_than_itself(told):
    (estimate, answers, _), _ = told
    found = compare_points(estimate, answers, estimate, answers)
    for part in (found.value, found.low, found.high):
        np.testing.assert_array_equal(part, 0)


def test_only_answers_placed_on_both_runs_are_compared(told):
    parts = []
    for (estimate, answers, _), kept in zip(told, (range(0, 100), range(20, 120)), strict=True):
        one = replace(answers[0], images=np.arange(ANSWERS) % 7)
        entries = tuple(Entry(str(i), "", "drawn", "val", "image", "", 0.5, 0.5, "other") for i in kept)
        parts.append(((estimate[0]), Placed(take_answers(one, np.array(kept)), entries, {})))
    shared = compare_placed(*parts)
    swapped = compare_placed(*parts[::-1])
    assert shared.low < shared.value < shared.high and swapped.value == pytest.approx(-shared.value)
    assert compare_placed(parts[0], (parts[1][0], replace(parts[1][1], entries=()))) is None
