"""Two cuts: every pair from counts equals label images that are built and scored one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amn_core.presets import ONE_CUT, TWO_CUTS, parse_cuts
from amn_core.sweep import CountsBuilder, score_confusion, score_miou
from amn_core.sweep.confusion import count_mask, divide, nanmean
from amn_core.sweep.refined import count_refined
from amn_core.sweep.seeds import build_seed
from amn_core.sweep.two_cuts import find_cut, find_front, score_pair, score_plane
from tests.sweep.reference import GRIDS, N_CLASSES, NAMES, make_image

GRID = np.array([0.05, 0.2, 0.45, 0.46, 0.8])


def make_case(seed: int, thresholds=GRID):
    """Make images and their counts."""
    images = [make_image(seed + i, (i + seed) % 4, thresholds=thresholds, size=(5, 7)) for i in range(3)]
    builder = CountsBuilder(NAMES, thresholds)
    for i, image in enumerate(images):
        builder.add(str(i), *image)
    return images, builder.build()


def score_naively(images: list, high: float, low: float, averaging: str, classes) -> tuple[float, float, float]:
    """Build the labels of each image, then score: mIoU of labelled pixels, coverage, mIoU with unsure as an error."""
    counted = sum(count_mask(build_seed(cam, ids, high, low), gt, N_CLASSES) for cam, ids, gt in images)
    square = counted[:, :N_CLASSES]
    hit = np.diagonal(square)
    iou, kept = divide(hit, counted.sum(axis=1) + square.sum(axis=0) - hit), list(classes)
    if averaging == "all":
        wrong = np.nan_to_num(iou[kept]).mean()
    else:
        is_out = (counted.sum(axis=1) == 0) & (averaging == "present")
        wrong = nanmean(np.where(is_out, np.nan, iou)[kept])
    return float(score_miou(square, averaging, classes)), square.sum() / counted.sum(), float(wrong)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["union", "all", "present"]),
       st.sampled_from([None, ["class 0", "class 2", "class 5"], ["class 3"]]))
def test_plane_equals_labels_that_are_built_and_scored_one_by_one(seed, averaging, classes):
    images, counts = make_case(seed)
    plane = score_plane(counts, averaging, classes)
    chosen = range(N_CLASSES) if classes is None else [NAMES.index(name) for name in classes]
    for i, high in enumerate(GRID):
        for j, low in enumerate(GRID):
            if j > i:
                assert np.isnan([plane.miou[i, j], plane.coverage[i, j], plane.miou_unsure_wrong[i, j]]).all()
                continue
            miou, coverage, wrong = score_naively(images, high, low, averaging, chosen)
            if not coverage:
                assert np.isnan(plane.miou[i, j])
                continue
            np.testing.assert_allclose(plane.miou[i, j], miou, equal_nan=True)
            assert plane.labelled[i, j] / plane.scored == pytest.approx(coverage)
            np.testing.assert_allclose(plane.miou_unsure_wrong[i, j], wrong, equal_nan=True)


def test_equal_cuts_are_one_cut():
    _, counts = make_case(7, GRIDS["default"])
    plane = score_plane(counts)
    np.testing.assert_allclose(np.diag(plane.miou), score_miou(score_confusion(counts)))
    np.testing.assert_allclose(np.diag(plane.miou_unsure_wrong), score_miou(score_confusion(counts)))
    assert (np.diag(plane.coverage) == 1).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_costs_equal_a_search_through_all_pairs(seed):
    _, counts = make_case(seed)
    plane = score_plane(counts)
    pairs = [(plane.miou[i, j], plane.coverage[i, j], (high, low)) for i, high in enumerate(GRID)
             for j, low in enumerate(GRID) if not np.isnan(plane.miou[i, j])]
    front = {tuple(GRID[place]) for place in find_front(plane)}
    for miou, coverage, (high, low) in pairs:
        score = score_pair(plane, high, low)
        best = max(m for m, c, _ in pairs if c >= coverage)
        widest = max(c for m, c, _ in pairs if m >= miou)
        assert score.lost_miou == pytest.approx(best - miou) and score.lost_coverage == pytest.approx(widest - coverage)
        assert (score.best in front) and (score.widest in front)
        beaten = any(m >= miou and c >= coverage and (m, c) != (miou, coverage) for m, c, _ in pairs)
        if (high, low) in front:
            assert not beaten and score.lost_miou == score.lost_coverage == 0
        elif not beaten:
            assert any((m, c) == (miou, coverage) and pair in front for m, c, pair in pairs)


def test_cut_between_thresholds_is_refused_by_name_and_outside_too():
    _, counts = make_case(3)
    plane = score_plane(counts)
    with pytest.raises(ValueError, match=r"0\.7 is not among the 5 thresholds .* nearest is 0\.8: count the run again"):
        score_pair(plane, 0.7, 0.05)
    with pytest.raises(ValueError, match="1 is not among"):
        find_cut(GRID, 1)
    with pytest.raises(ValueError, match="swap them"):
        score_pair(plane, 0.05, 0.2)


def test_masks_refined_at_each_threshold_are_refused():
    builder = CountsBuilder(NAMES, [0.2, 0.5])
    masks = np.array([[[1, 0]], [[0, 1]]])
    builder.add_counts("a", count_refined(masks, np.array([4]), np.array([[4, 0]]), np.array([0.2, 0.5]), N_CLASSES))
    with pytest.raises(ValueError, match="need not lie within one another"):
        score_plane(builder.build())


def test_pair_that_labels_nothing_has_no_score():
    builder = CountsBuilder(NAMES, GRID)
    builder.add("a", np.full((1, 2, 2), 0.3, np.float32), [1], np.ones((2, 2), np.uint8))
    score = score_pair(score_plane(builder.build()), 0.8, 0.2)
    assert np.isnan([score.miou, score.coverage, score.lost_miou, score.lost_coverage]).all()


def test_presets_are_ordered_and_parsed_by_name_or_value():
    assert all(parse_cuts(name) == (one.high, one.low) for name, one in TWO_CUTS.items())
    assert all(0 < one.low < one.high < 1 and one.source for one in TWO_CUTS.values())
    assert [value for value, _ in ONE_CUT] == sorted({value for value, _ in ONE_CUT})
    for text in ("0.25,0.7", "0.7", "0.7,x", "1.2,0.1", "toco", "nan,0"):
        with pytest.raises(ValueError, match="cuts is"):
            parse_cuts(text)
