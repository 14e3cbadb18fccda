"""Hysteresis held to a flood at each threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from amn_core.cli import main
from amn_core.formats.maps import load_stored_map
from amn_core.formats.runs import load_run
from amn_core.refine.hysteresis import keep_risen

MAPS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 6)),
                     elements=st.integers(0, 8))


def flood(mask, seed):
    """Flood a mask (h, w) from a cell, along edges and corners: the cells of its piece."""
    piece, front = {seed}, [seed]
    while front:
        row, column = front.pop()
        for place in ((row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
            inside = 0 <= place[0] < mask.shape[0] and 0 <= place[1] < mask.shape[1]
            if inside and mask[place] and place not in piece:
                piece.add(place)
                front.append(place)
    return piece


def cut_plainly(plane, threshold, rise):
    """Cut a map at one threshold, and keep each cell whose piece rises more than `rise` above it."""
    mask = plane.astype(int) > threshold
    kept = np.zeros_like(mask)
    for cell in zip(*np.nonzero(mask), strict=True):
        kept[cell] = max(int(plane[other]) for other in flood(mask, cell)) > threshold + rise
    return kept


@settings(deadline=None)  # the first call loads scipy
@given(MAPS, st.integers(0, 6))
def test_cut_of_the_new_map_is_the_hysteresis_cut_at_every_threshold(levels, rise):
    kept = keep_risen(levels, rise)
    for threshold in range(10):
        expected = np.stack([cut_plainly(plane, threshold, rise) for plane in levels])
        assert np.array_equal(kept > threshold, expected)


def test_no_rise_changes_nothing_and_the_largest_leaves_nothing():
    levels = np.random.default_rng(0).integers(0, 256, (2, 9, 9)).astype(np.uint8)
    assert np.array_equal(keep_risen(levels, 0), levels)
    assert not keep_risen(levels, 255).any()
    assert keep_risen(levels[:0], 3).shape == (0, 9, 9)


def test_command_makes_a_run_of_maps(tmp_path):
    source, out = "checkpoints/photos/cam", tmp_path / "out"
    assert main(["refine", "--run", source, "--method", "hysteresis", "--rise", "0.1", "--out", str(out)]) == 0
    run = load_run(out)
    assert not run.is_masks and run.name == "CAM + hysteresis" and run.meta["refinement"]["parameters"] == {"rise": 0.1}
    for image_id in run.map_ids:
        cam, class_ids, _ = load_stored_map(load_run(source).map_path(image_id))
        found, found_ids, _ = load_stored_map(run.map_path(image_id))
        assert np.array_equal(found, keep_risen(cam, round(0.1 * 255))) and np.array_equal(found_ids, class_ids)


@pytest.mark.parametrize(("more", "words"), [(("--rise", "2"), "rise is 2"), (("--every",), "leave --every out")])
def test_what_means_nothing_is_refused(more, words, tmp_path, capsys):
    words_ = ["refine", "--run", "checkpoints/photos/cam", "--method", "hysteresis", "--out", str(tmp_path / "x")]
    assert main([*words_, *more]) == 1
    assert words in capsys.readouterr().err
