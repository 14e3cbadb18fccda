"""Two maps to one, and maps in the outlines of masks, held to the plain way pixel by pixel and cut by cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from amn_core.sweep.combining import WAYS, align_maps, combine_maps, fill_regions, list_numbered

UNIT = st.integers(0, 20).map(lambda n: np.float32(n / 20))
SHAPE = (2, 3, 4)
MAPS = arrays.arrays(np.float32, SHAPE, elements=UNIT)
REGIONS = st.lists(arrays.arrays(bool, SHAPE[1:]), max_size=4)


def combine_plainly(first, second, by):
    """Combine pixel by pixel, in float64."""
    rules = {"or": lambda a, b: a + b - a * b, "and": lambda a, b: a * b, "mean": lambda a, b: (a + b) / 2, "max": max}
    combined = np.zeros(first.shape)
    for place in np.ndindex(first.shape):
        combined[place] = rules[by](float(first[place]), float(second[place]))
    if by in ("or", "and"):
        for plane in combined:
            plane /= plane.max() or 1
    return combined


@given(MAPS, MAPS, st.sampled_from(list(WAYS)))
def test_combined_maps_are_those_of_each_pixel(first, second, by):
    found = combine_maps(first, second, by)
    assert found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
    np.testing.assert_allclose(found, combine_plainly(first, second, by), atol=1e-6)


def test_wrong_way_and_shapes_are_refused():
    one = np.zeros((1, 2, 2), np.float32)
    with pytest.raises(ValueError, match="by is 'xor': choose one of or, and, mean, max"):
        combine_maps(one, one, "xor")
    with pytest.raises(ValueError, match=r"\(1, 2, 2\) and \(2, 2, 2\)"):
        combine_maps(one, np.zeros((2, 2, 2), np.float32), "or")


def test_no_class_at_all_stays_none():
    none = np.zeros((0, 3, 4), np.float32)
    assert all(combine_maps(none, none, by).shape == none.shape for by in WAYS)
    assert fill_regions(none, [np.ones((3, 4), bool)], 0.5).shape == none.shape


@given(MAPS, MAPS)
def test_planes_are_matched_by_class(first, second):
    one, two, ids = align_maps((first, np.array([4, 2])), (second, np.array([2, 9])))
    assert ids.tolist() == [2, 4, 9]
    assert np.array_equal(one, [first[1], first[0], np.zeros(SHAPE[1:])])
    assert np.array_equal(two, [second[0], np.zeros(SHAPE[1:]), second[1]])


def keep_plainly(cam, regions, overlap, threshold):
    """Keep masks at one threshold: (K, H, W) bool, the pixels that each class has a claim to."""
    strongest, winner = cam.max(axis=0), cam.argmax(axis=0)
    claim, is_covered = np.zeros(cam.shape, bool), np.zeros(cam.shape[1:], bool)
    for region in regions:
        is_covered |= region
        for k in range(len(cam)):
            called = int((region & (winner == k) & (strongest > threshold)).sum())
            if region.any() and called >= 1 and called >= overlap * region.sum() - 1e-9:
                claim[k] |= region
    return np.where(is_covered, claim, cam > threshold)


@given(MAPS, REGIONS, st.sampled_from([0.2, 0.5, 0.75, 1.0]), st.sampled_from([0.0, 0.1, 0.35, 0.5, 0.9]))
def test_filled_maps_keep_masks_at_every_threshold_as_one_cut_would(cam, regions, overlap, threshold):
    filled = fill_regions(cam, regions, overlap)
    assert np.array_equal(filled > np.float32(threshold), keep_plainly(cam, regions, overlap, np.float32(threshold)))


def test_masks_of_a_numbered_picture_are_told_apart():
    masks = list_numbered(np.array([[0, 3], [300, 3]], np.uint16))
    assert [mask.tolist() for mask in masks] == [[[False, True], [False, True]], [[False, False], [True, False]]]


@pytest.mark.parametrize("overlap", [0, 1.2, -1, float("nan")])
def test_overlap_out_of_range_is_refused(overlap):
    with pytest.raises(ValueError, match="overlap is"):
        fill_regions(np.zeros((1, 2, 2), np.float32), [], overlap)
