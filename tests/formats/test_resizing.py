"""Resizing against Pillow, to the last bit: counts and pictures must not depend on who resized."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from amn_core.formats.resizing import build_mix, resize_maps


def resize_plain(cam: np.ndarray, height: int, width: int) -> np.ndarray:
    size = (width, height)
    return np.stack([Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR) for plane in cam])


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6), small=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    large=st.tuples(st.integers(1, 160), st.integers(1, 160)), is_quantised=st.booleans(),
)
def test_resized_maps_are_pillows_to_the_last_bit(seed, small, large, is_quantised):
    cam = np.random.default_rng(seed).random((2, *small)).astype(np.float32)
    if is_quantised:
        cam = np.rint(cam * 255).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(resize_maps(cam, *large), resize_plain(cam, *large))


@pytest.mark.parametrize("size", [(375, 500), (352, 352), (333, 499)])
def test_stored_maps_come_back_at_the_size_of_their_image_as_pillow_makes_them(size):
    small = -(-size[0] // 4), -(-size[1] // 4)
    cam = np.random.default_rng(0).integers(0, 256, (3, *small)).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(resize_maps(cam, *size), resize_plain(cam, *size))


def test_equal_neighbours_stay_what_they_are():
    values = np.arange(256, dtype=np.float32) / np.float32(255)
    cam = np.broadcast_to(values[:, None, None], (256, 3, 3))
    np.testing.assert_array_equal(resize_maps(cam, 11, 12), np.broadcast_to(values[:, None, None], (256, 11, 12)))


def test_results_are_arrays_of_their_own():
    cam = np.ones((1, 2, 2), dtype=np.float32)
    first = resize_maps(cam, 8, 8)
    resize_maps(np.zeros_like(cam), 8, 8)
    assert (first == 1).all()


def test_no_map_stays_no_map():
    assert resize_maps(np.zeros((0, 3, 4), dtype=np.float32), 12, 16).shape == (0, 12, 16)


def test_only_products_that_are_exact_are_left_to_the_processors_own_rounding():
    assert build_mix(88, 352).is_short and not build_mix(94, 375).is_short
