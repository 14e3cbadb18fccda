"""A threshold from points: right sums, right derivatives, right on average, and intervals that hold."""

from dataclasses import replace

import numpy as np
import pytest

from amn_core.choosing import bounds, points, trials
from amn_core.choosing.asking import find_chances
from amn_core.choosing.bounds import bound_points, find_influence
from amn_core.choosing.chance import KNOTS, CurvePrior, build_basis, fit_curves, make_monotone, squash
from amn_core.choosing.points import OTHER, OWN, UNSURE, Answers, estimate_points
from amn_core.choosing.population import build_population, build_truth, draw_truth, score_levels, score_truth
from amn_core.choosing.priors import DEFAULT, Lesson, build_prior, learn_prior
from amn_core.choosing.shares import choose_share, find_tolerance, parse_share
from amn_core.sweep import score_confusion, score_miou
from tests.choosing.answering import build_counts


@pytest.fixture(scope="module")
def counts():
    return build_counts()


@pytest.fixture(scope="module")
def drawn(counts):
    """Sixty draws of the images: population and ground truth."""
    population = build_population(counts)
    weights = np.random.default_rng(1).multinomial(40, np.full(40, 1 / 40), 60).astype(float)
    return draw_truth(population, build_truth(counts, population), weights)


def pool_adjacent(values):
    """Pool adjacent violators, one list of numbers at a time."""
    blocks = []
    for value in values:
        blocks.append([value])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return [np.mean(block) for block in blocks for _ in block]


def test_monotone_values_are_those_of_pooling_violators():
    values = np.random.default_rng(0).normal(size=(20, 3, 8)).cumsum(axis=-1)
    slow = np.apply_along_axis(pool_adjacent, -1, values)
    np.testing.assert_allclose(make_monotone(values), slow, atol=1e-12)


@pytest.mark.parametrize(
    ("averaging", "classes"), [("union", None), ("all", ["background", "dog"]), ("union", ["cow"])])
def test_scores_of_levels_are_those_of_the_sweep(counts, averaging, classes):
    population = build_population(counts, averaging, classes)
    truth = build_truth(counts, population)
    _, summed = draw_truth(population, truth, np.ones((1, 40)))
    curve = score_miou(score_confusion(counts), averaging, population.kept)
    np.testing.assert_allclose(score_truth(population, summed)[0], curve[population.ends], atol=1e-9)


def test_population_keeps_nothing_of_the_ground_truth(counts):
    hidden = replace(counts, decision_gt=np.zeros_like(counts.decision_gt))
    seen, blind = build_population(counts), build_population(hidden)
    np.testing.assert_array_equal(seen.pixels, blind.pixels)
    np.testing.assert_array_equal(seen.neighbours, blind.neighbours)


def test_curves_lie_at_the_peak_of_their_belief():
    rng, basis = np.random.default_rng(2), build_basis(np.linspace(0, 1, 20))
    prior = build_prior(np.linspace(-3, 3, len(KNOTS)), (1, 0.3, 0.5), (0.5, 0.2, 0.4))
    asked = rng.integers(0, 4, (3, 20)).astype(float)
    found = rng.binomial(asked.astype(int), 0.4).astype(float)
    curves = fit_curves(asked, found, basis, prior, steps=40)

    def believe(shared, own):
        odds = (prior.mean + shared + own) @ basis.T
        fit = (found * odds - asked * np.log1p(np.exp(odds))).sum()
        pull = shared @ np.linalg.solve(prior.common, shared) + sum(o @ np.linalg.solve(prior.own, o) for o in own)
        return fit - pull / 2

    best = believe(curves.shared, curves.own)
    for _ in range(20):
        assert believe(curves.shared + rng.normal(0, 0.05, 8), curves.own + rng.normal(0, 0.05, (3, 8))) < best


def test_influence_is_the_derivative_of_the_score(drawn):
    population = drawn[0]
    population = replace(population, pixels=population.pixels[:1], bare=population.bare[:1])
    estimate = estimate_points(population, trials.start_answers((1,)), DEFAULT)
    mine, theirs = points.find_pixels(population, estimate.own.knots, estimate.other.knots)
    own, other = find_influence(estimate, mine, theirs)
    at = (0, int(estimate.index[0]))
    base = score_levels(population, mine, theirs, estimate.split)[at]
    for row, level in ((0, 5), (1, int(estimate.index[0]) + 3), (2, 1)):
        step = np.zeros_like(mine)
        step[0, row, level] = 1e-3
        for change, found in (((mine + step, theirs), own), ((mine, theirs + step), other)):
            moved = score_levels(population, *change, estimate.split)[at]
            assert (moved - base) / 1e-3 == pytest.approx(found[0, row, level], rel=1e-3)


def test_questions_can_fall_on_every_pixel_and_gather_near_the_threshold(drawn):
    population, truth = drawn
    first = find_chances(population, None, 0)
    *_, (n, _, estimate) = trials.simulate(population, truth, DEFAULT, 50, np.random.default_rng(0))
    later = find_chances(population, estimate, n)
    for chances in (first, later):
        np.testing.assert_allclose(chances.sum(axis=(-1, -2)), 1)
        assert (chances > 0)[population.pixels > 0].all()
    near = np.abs(population.ranks - population.ranks[estimate.index][:, None])[:, None, :] < 0.15
    assert (later * near).sum() > 1.5 * (first * near).sum()


def test_corrected_miou_is_right_on_average_whatever_the_prior_says(drawn):
    population, truth = drawn
    wrong = points.PointPrior(*(CurvePrior(prior.mean - 2.0, prior.common / 4, prior.own / 4)
                                for prior in (DEFAULT.own, DEFAULT.other)))
    rng = np.random.default_rng(3)
    *_, (_, given, estimate) = trials.simulate(population, truth, wrong, 200, rng)
    bounds = bound_points(estimate, given, rng, draws=20)
    at = np.take_along_axis(score_truth(population, truth), bounds.index[:, None], axis=1)[:, 0]
    expected = np.take_along_axis(estimate.miou, bounds.index[:, None], axis=1)[:, 0]
    assert abs((bounds.miou - at).mean()) < abs((expected - at).mean()) / 3


def measure(drawn, seed=4):
    """Simulate the draws with a hundred answers: shares of intervals that hold, of mIoU and of points lost."""
    population, truth = drawn
    rng = np.random.default_rng(seed)
    *_, (_, given, estimate) = trials.simulate(population, truth, DEFAULT, 100, rng)
    bounds, curve = bound_points(estimate, given, rng, draws=60), score_truth(population, truth)
    at = np.take_along_axis(curve, bounds.index[:, None], axis=1)[:, 0]
    return ((bounds.miou_low <= at) & (at <= bounds.miou_high)).mean(), (curve.max(axis=1) - at <= bounds.lost).mean()


def test_intervals_hold_and_narrower_ones_would_not(drawn, monkeypatch):
    miou, lost = measure(drawn)
    assert miou >= 0.88 and lost >= 0.88
    monkeypatch.setattr(bounds, "NORMAL", 0.8)
    assert measure(drawn)[0] < 0.88


def test_answers_beat_the_default_and_more_answers_beat_fewer(counts):
    population = build_population(counts)
    people, truth = draw_truth(population, build_truth(counts, population), np.ones((80, 40)))
    curve = score_miou(score_confusion(counts), "union", population.kept)
    odd = points.PointPrior(replace(DEFAULT.own, mean=DEFAULT.own.mean + 1.5), DEFAULT.other)
    _, lost = trials.simulate_regret(people, truth, curve, odd, (10, 200), np.random.default_rng(0))
    before = estimate_points(population, trials.start_answers(), odd)
    assert lost[1].mean() < lost[0].mean() < curve.max() - curve[population.ends[before.index]]


def test_unsure_answers_change_nothing_but_the_number_asked(drawn):
    population, truth = drawn
    *_, (_, given, _) = trials.simulate(population, truth, DEFAULT, 30, np.random.default_rng(0))
    blank = np.full((60, 5), UNSURE)
    more = Answers(*(np.concatenate([part, extra], axis=1) for part, extra in (
        (given.rows, blank * 0), (given.levels, blank * 0), (given.kinds, blank), (given.named, blank * 0),
        (given.weights, blank * 1.0), (given.counts, blank * 1.0))))
    for a, b in zip(points.tally(given, population), points.tally(more, population), strict=True):
        np.testing.assert_array_equal(a, b)
    estimate = estimate_points(population, given, DEFAULT)
    rng = [np.random.default_rng(0) for _ in range(2)]
    np.testing.assert_allclose(bound_points(estimate, given, rng[0], 10).miou_low,
                               bound_points(estimate, more, rng[1], 10).miou_low)


def test_answers_in_one_image_are_less_sure_than_in_many(counts):
    population = build_population(counts)
    rng = np.random.default_rng(0)
    people, truth = draw_truth(population, build_truth(counts, population), np.ones((1, 40)))
    *_, (_, given, _) = trials.simulate(people, truth, DEFAULT, 60, rng)
    alone = Answers(*(part[0] for part in (
        given.rows, given.levels, given.kinds, given.named, given.weights, given.counts)), images=np.arange(60))
    together = replace(alone, images=np.where(alone.kinds == OWN, 0, 1))
    estimate = estimate_points(population, alone, DEFAULT)
    many, one = (bound_points(estimate, given, np.random.default_rng(1), 10) for given in (alone, together))
    assert one.miou_high - one.miou_low > many.miou_high - many.miou_low


def test_people_flip_and_withhold_as_often_as_said():
    pixels = np.broadcast_to([50.0, 50.0, 0.0], (20_000, 3))
    kinds = trials.answer(pixels, np.random.default_rng(0), trials.HUMAN)
    assert (kinds == UNSURE).mean() == pytest.approx(0.3, abs=0.02)
    sure = trials.answer(np.broadcast_to([100.0, 0, 0], (20_000, 3)), np.random.default_rng(0), trials.HUMAN)
    assert (sure == OWN).mean() == pytest.approx(0.95, abs=0.01) and (sure != OTHER).all()


def test_prior_learns_the_curve_of_the_runs_it_sees(counts):
    population = build_population(counts)
    learnt = learn_prior([Lesson("drawn", population, build_truth(counts, population))])
    pixels = build_truth(counts, population).kinds.sum(axis=(0, 1))
    true = pixels[:, OWN] / pixels.sum(axis=1)
    np.testing.assert_allclose(squash(learnt.own.mean @ build_basis(population.ranks).T), true, atol=0.12)
    with pytest.raises(ValueError, match="no run to learn"):
        learn_prior([])


def test_share_takes_the_threshold_with_that_share_of_foreground(counts):
    confusion = score_confusion(counts)
    share = 1 - confusion[:, :, 0].sum(axis=1) / confusion.sum(axis=(1, 2))
    assert int(choose_share(counts, parse_share("share:0.30")).index) == np.abs(share - 0.3).argmin()
    curve = score_miou(confusion)
    low, high = find_tolerance(counts, curve)
    inside = (share >= low - 1e-12) & (share <= high + 1e-12)
    assert (curve[inside] >= curve.max() - 0.01).all() and low < share[curve.argmax()] < high
    for wrong in ("share", "share:2", "otsu:0.3"):
        with pytest.raises(ValueError, match="between 0 and 1"):
            parse_share(wrong)


def test_expected_moments_are_those_of_drawn_answers(drawn):
    population, truth = drawn[0][:1], drawn[1][:1]
    *_, (_, _, estimate) = trials.simulate(population, truth, DEFAULT, 50, np.random.default_rng(0))
    pixels = points.find_pixels(population, estimate.own.knots, estimate.other.knots)
    influence = find_influence(estimate, *pixels)
    asked = find_chances(population, estimate, 50)
    square, cube = bounds.expect_moments(population, pixels, influence, asked, np.array(2.0))
    kinds = np.stack([pixels[0], population.pixels - sum(pixels), pixels[1]], axis=-1)
    believed = replace(truth, kinds=kinds, named=truth.named + 1e-9)
    many = trials.add_answers(
        points.start_answers((1,)), population, believed, asked, np.random.default_rng(1), n=200_000)
    moves = [part[0, many.rows[0], many.levels[0]] for part in influence]
    terms = bounds.find_surprises(estimate, many).weigh(*moves)[0] * many.weights[0]
    assert terms.mean() == pytest.approx(0, abs=4 * terms.std() / np.sqrt(len(terms)))
    assert (terms**2).mean() / 2 == pytest.approx(square[0], rel=0.05)
    assert (terms**3).mean() / 4 == pytest.approx(cube[0], rel=0.3) and cube[0] < 0


def test_draws_in_blocks_are_as_many_trials(drawn):
    population, truth = drawn
    *_, (_, _, estimate) = trials.simulate(population, truth, DEFAULT, 20, np.random.default_rng(0))
    scores = bounds.draw_scores(estimate, 30, np.random.default_rng(2))
    assert scores.shape == (30, *estimate.miou.shape)
    alone = bounds.draw_scores(estimate[:bounds.BLOCK], 30, np.random.default_rng(2))
    np.testing.assert_array_equal(scores[:, :bounds.BLOCK], alone)
    np.testing.assert_allclose(scores.mean(axis=0), estimate.miou, atol=0.15)
