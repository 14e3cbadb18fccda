"""Masks as PNG, and maps in eight bits that keep every label at every threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from amn_core.constants import DEFAULT_THRESHOLDS, VOC_PALETTE
from amn_core.formats.errors import FormatError
from amn_core.formats.maps import load_map, load_stored_map, quantise_maps, save_levels
from amn_core.formats.masks import load_mask, save_mask, split_mask

LABELS = np.array([[0, 1, 255], [20, 20, 0]], dtype=np.uint8)


@pytest.mark.parametrize("palette", [True, False])
def test_mask_survives_a_round_trip(tmp_path, palette):
    save_mask(tmp_path / "a.png", LABELS, palette)
    np.testing.assert_array_equal(load_mask(tmp_path / "a.png"), LABELS)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == ("P" if palette else "L")
        np.testing.assert_array_equal(np.asarray(image), LABELS)  # as every evaluation script reads it
        if palette:
            assert image.convert("RGB").getpixel((0, 1)) == tuple(VOC_PALETTE[20].tolist())


def test_mask_in_colours_is_read_and_a_foreign_colour_is_named(tmp_path):
    Image.fromarray(VOC_PALETTE[LABELS]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(load_mask(tmp_path / "a.png"), LABELS)
    Image.fromarray(np.full((2, 2, 3), (7, 8, 9), np.uint8)).save(tmp_path / "b.png")
    with pytest.raises(FormatError, match=r"b\.png: the colour \[7, 8, 9\] is no class"):
        load_mask(tmp_path / "b.png")
    Image.fromarray(VOC_PALETTE[LABELS]).save(tmp_path / "c.png", "JPEG")
    with pytest.raises(FormatError, match=r"c\.png: broken mask \(a JPEG, whose compression changes labels\)"):
        load_mask(tmp_path / "c.png")


def test_mask_errors_name_the_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    with pytest.raises(FormatError, match=r"a\.png: broken mask"):
        load_mask(tmp_path / "a.png")
    with pytest.raises(FormatError, match="no such mask"):
        load_mask(tmp_path / "b.png")
    with pytest.raises(FormatError, match="outside 0–255"):
        save_mask(tmp_path / "c.png", np.array([[256]]))
    with pytest.raises(FormatError, match="must be \\(H, W\\) integers"):
        save_mask(tmp_path / "c.png", np.zeros((2, 2), np.float32))


def test_split_mask_gives_the_mask_at_any_threshold():
    levels, class_ids = split_mask(LABELS)
    assert class_ids.tolist() == [1, 20]
    for threshold in (0.0, 0.5, 0.995):
        np.testing.assert_array_equal(label(levels / 255, class_ids, threshold), np.where(LABELS == 255, 0, LABELS))


def label(cam: np.ndarray, class_ids: np.ndarray, threshold: float) -> np.ndarray:
    """Label pixels as IRN's code does: a constant plane in front, then the argmax."""
    plane = np.full((1, *cam.shape[1:]), threshold, dtype=cam.dtype)
    return np.concatenate([[0], class_ids])[np.concatenate([plane, cam]).argmax(axis=0)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([np.float16, np.float32, np.float64]), st.integers(1, 4))
def test_levels_keep_every_label_at_every_threshold(seed, dtype, n_classes):
    draw = np.random.default_rng(seed)
    cam = draw.random((n_classes, 6, 40)).astype(dtype)
    cam[:, 1] = np.round(cam[:, 1] * 200) / 200  # on the thresholds
    cam[:, 2] = np.round(cam[:, 2] * 8) / 8  # ties between classes
    cam[:, 3] = np.nextafter(np.round(cam[:, 3] * 200).astype(dtype) / dtype(200), dtype(draw.integers(0, 2)))
    cam[:, 4] = cam[:1, 4] + (draw.random((n_classes, 40)) * 0.004).astype(dtype)  # within a level of each other
    cam[:, 4] = np.minimum(cam[:, 4], 1)
    cam[:, 5, :3] = (0, 1, 0.5)
    restored = quantise_maps(cam).astype(np.float32) / np.float32(255)
    class_ids = np.arange(1, n_classes + 1)
    for threshold in DEFAULT_THRESHOLDS:
        np.testing.assert_array_equal(label(restored, class_ids, threshold), label(cam, class_ids, threshold))
    if n_classes == 1:
        assert np.abs(restored - cam).max() < 1.51 / 255


def test_levels_cut_values_outside_the_range():
    cam = np.array([[[-3.0, 0.0, 1.0, 7.0]]], dtype=np.float32)
    assert quantise_maps(cam).tolist() == [[[0, 0, 255, 255]]]


def test_saved_levels_are_the_format_of_the_runs(tmp_path):
    levels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    save_levels(tmp_path / "a.npz", levels, np.array([3, 20]), (3, 4))
    stored, class_ids, size = load_stored_map(tmp_path / "a.npz")
    np.testing.assert_array_equal(stored, levels)
    assert class_ids.tolist() == [3, 20] and size == (3, 4)
    np.testing.assert_array_equal(load_map(tmp_path / "a.npz")[0], levels.astype(np.float32) / np.float32(255))
