"""Each lesson's message is in the numbers of its figure, at its default setting and wherever the sliders go."""

import numpy as np
import pytest

from app.lessons import (
    data,
    how_wide,
    label_conditioning,
    one_threshold,
    per_pixel_loss,
    reading_a_paper,
    sandbox,
    train_it_yourself,
    two_conditions,
    what_a_cam_is,
)
from app.lessons.bent_counts import count_bent
from app.lessons.manipulation import Manipulation
from app.lessons.model import model_crowd
from app.lessons.page import LESSONS


def list_steps(slider, steps: int = 6) -> np.ndarray:
    """List settings of a slider from end to end."""
    return np.linspace(slider.low, slider.high, steps)


def test_cam_is_hottest_on_the_small_part_and_grows_out_of_its_features(scenes_material) -> None:
    pytest.importorskip("torch")
    figure = what_a_cam_is.build_figure(scenes_material.runs["cam"])
    assert len(figure.content["scenes"]) == what_a_cam_is.SHOWN
    for scene in figure.content["scenes"]:
        last = scene["steps"][-1]
        assert last["added"] == scene["channels"]
        assert max(last["part"], last["body"]) > last["background"] + 10
    part, body, background = what_a_cam_is.measure_all(scenes_material.runs["cam"])
    assert part > 1.15 * body and body > 1.5 * background
    guess = what_a_cam_is.build_guess(scenes_material.runs["cam"])
    assert guess.low < guess.truth < 100


def test_sum_of_all_features_is_the_map(scenes_material) -> None:
    torch = pytest.importorskip("torch")
    run = scenes_material.runs["cam"]
    sample = what_a_cam_is.choose_scenes(data.ask_samples(run))[0]
    found = what_a_cam_is.decompose_map(run, sample.image_id, int(sample.class_ids[0]))
    plane = what_a_cam_is.add_features(found, len(found.weights), what_a_cam_is.order_features(found))
    total = torch.relu(torch.einsum("d,dhw->hw", torch.from_numpy(found.weights), torch.from_numpy(found.features)))
    assert np.allclose(plane, (total / total.max()).numpy(), atol=1e-5)


def test_one_line_costs_the_crowd_wherever_it_is(scenes_material) -> None:
    figure = one_threshold.build_figure(scenes_material)
    for run in figure.content["runs"]:
        assert max(run["mean"]) == pytest.approx(run["shared"]["miou"], abs=0.01)
        assert all(run["oracle"] - mean > 2 for mean in run["mean"])
        best = [one["threshold"] for one in run["best"]]
        assert max(best) - min(best) > 0.3
    guess = one_threshold.build_guess(figure)
    assert guess.low < guess.truth < guess.high


def test_crowd_is_chosen_from_faint_to_bright(scenes_material) -> None:
    run = scenes_material.runs["cam"]
    from app.cache import runs as cached

    chosen = cached.load_image_scores(run).best_threshold[one_threshold.choose_images(run)]
    assert len(chosen) == one_threshold.SHOWN and (np.diff(chosen) >= 0).all()


def test_both_conditions_help_everywhere_and_the_spread_between_images_hurts() -> None:
    imbalances, gaps, betweens = (list_steps(slider) for slider in two_conditions.CONTROLS)
    crowds = [[[model_crowd(i, g, b) for b in betweens] for g in gaps] for i in imbalances]
    for name in ("peak", "reach"):
        values = np.array([[[getattr(crowd, name) for crowd in row] for row in plane] for plane in crowds])
        assert np.diff(values, axis=0).max() <= 1e-9, f"{name} rises with imbalance"
        assert np.diff(values, axis=1).min() >= -1e-9, f"{name} falls with the gap"
    cost = np.array([[[crowd.oracle - crowd.peak for crowd in row] for row in plane] for plane in crowds])
    assert np.diff(cost, axis=2).min() > 0 and np.allclose(cost[..., 0], 0)


def test_start_of_the_two_conditions_leaves_room_to_both_sides() -> None:
    start = model_crowd(**two_conditions.START)
    assert 0.1 < start.reach < 0.5 and start.oracle - start.peak > 5
    guess = two_conditions.build_guess()
    assert guess.low < start.peak + 5 < guess.truth < guess.high


def test_width_in_thresholds_follows_the_bend_and_width_in_shares_does_not(voc_material) -> None:
    figure = how_wide.build_figure(voc_material)
    bends, tolerances = (list_steps(slider) for slider in how_wide.CONTROLS)
    for curve in figure.content["runs"]:
        for tolerance in tolerances:
            widths = np.array([how_wide.measure_widths(curve, bend, tolerance) for bend in bends])
            assert widths[:, 0].max() > 1.3 * widths[:, 0].min()
            assert np.ptp(widths[:, 1]) == 0 and widths[0, 1] > 0
    guess = how_wide.build_guess(figure)
    assert guess.low < guess.truth < guess.high


def test_loss_sends_all_pixels_of_an_object_to_one_level(scenes_material) -> None:
    pixels = per_pixel_loss.choose_pixels(scenes_material)
    start, steps = np.array(pixels["object"]), int(per_pixel_loss.CONTROLS[1].high)
    for epsilon in list_steps(per_pixel_loss.CONTROLS[0]):
        target = 1 - epsilon
        spread = [per_pixel_loss.measure_imbalance(per_pixel_loss.roll_pixels(start, target, s)) for s in range(steps)]
        assert (np.diff(spread[2:]) <= 1e-9).all() and spread[-1] < 0.35 * spread[0]
        rolled = per_pixel_loss.roll_pixels(start, target, steps)
        assert (rolled[start > target] < start[start > target]).all()
        assert (rolled[start < target] > start[start < target]).all()


def test_label_conditioning_is_shown_where_it_acts(scenes_material) -> None:
    runs = [scenes_material.runs[method] for method in label_conditioning.METHODS]
    ids, counted = label_conditioning.measure_all(runs)
    assert len(ids) > 20
    chosen = label_conditioning.choose_images(ids, counted)
    share = {i: abs(row[2] - row[1]) / row[0] for i, row in zip(ids, counted, strict=True)}
    assert min(share[i] for i in chosen) >= sorted(share.values())[-label_conditioning.SHOWN]
    assert min(share[i] for i in chosen) > 0.05  # what is shown can be seen
    guess = label_conditioning.build_guess(counted)
    assert guess.low < guess.truth < guess.high


def test_bending_moves_the_plateau_and_never_the_peak(scenes_material) -> None:
    from app.cache import runs as cached

    run = scenes_material.runs["cam"]
    counts = cached.load_counts(run)
    plain = count_bent(counts, Manipulation())
    assert plain.peak == pytest.approx(cached.load_summary(run, "union").peak_miou * 100, abs=0.3)
    _, power, cut, step, _ = sandbox.CONTROLS
    settings = [{"gamma": g, "sharpness": s} for g in list_steps(power, 4) for s in list_steps(step, 4)]
    bent = [count_bent(counts, Manipulation(**one)) for one in [*settings, {"clip": cut.low}]]
    assert all(one.peak == pytest.approx(plain.peak, abs=0.05) for one in bent)
    widths = [one.plateau for one in bent]
    assert max(widths) > 2 * min(widths)
    assert count_bent(counts, Manipulation(suppression=0.5)).peak > plain.peak + 3
    assert sandbox.build_guess(run).truth == pytest.approx(plain.peak, abs=0.1)


def test_knob_is_the_cause_of_imbalance() -> None:
    measured = data.load_knob()
    assert measured is not None, "python -m amn_core knob --bundle checkpoints/scenes/knob.json"
    means = [mean for mean, _, _ in train_it_yourself.find_means(measured, "cam", "imbalance", 1)]
    assert means[-1] > means[0] + 0.05
    assert train_it_yourself.build_guess(measured).truth == pytest.approx(means[-1], abs=0.01)


def test_protocols_give_the_same_maps_different_numbers(voc_material) -> None:
    figure = reading_a_paper.build_figure(voc_material)
    content, rules = figure.content, len(reading_a_paper.RULES)
    for k, _ in enumerate(content["runs"]):
        assert reading_a_paper.measure_range(figure, 0, k) > 10  # a class that few images lack
        assert reading_a_paper.measure_range(figure, len(content["sizes"]) - 1, k) > 1  # who chose the threshold
    by_rule = np.array(content["scores"]).reshape(len(content["sizes"]), len(content["runs"]), -1, rules)
    spread = np.ptp(by_rule, axis=3).max(axis=(1, 2))
    assert spread[0] > 10 and spread[-1] < 0.5
    guess = reading_a_paper.build_guess(figure)
    assert guess.low < guess.truth < guess.high


def test_lessons_use_one_network_and_never_print_nan(scenes_material, voc_material) -> None:
    for material in (scenes_material, voc_material):
        assert len({run.meta["model"]["backbone"] for run in material.runs.values()}) == 1
    texts = [
        what_a_cam_is.write_answer(scenes_material.runs["cam"], scenes_material),
        one_threshold.write_costs(scenes_material), one_threshold.write_costs(voc_material),
        two_conditions.write_answer(), how_wide.write_answer(how_wide.build_figure(voc_material), voc_material),
        per_pixel_loss.write_answer(scenes_material), sandbox.write_answer(scenes_material.runs["cam"]),
        reading_a_paper.write_answer(reading_a_paper.build_figure(voc_material), voc_material)]
    assert len(LESSONS) == 9 and not any("nan" in text for text in texts)
