"""Augmentation keeps image and seed together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from amn_core.data.transforms import PADDING_COLOUR, augment


@given(st.integers(1, 40), st.integers(1, 40), st.integers(4, 32), st.integers(0, 99))
def test_seed_follows_the_image_through_resize_flip_and_crop(height: int, width: int, crop: int, seed: int) -> None:
    labels = np.arange(height * width, dtype=np.int64).reshape(height, width) % 200
    image = np.repeat(labels.astype(np.uint8)[..., None], 3, axis=2)
    pixels, cropped = augment(np.random.default_rng(seed), image, labels.astype(np.uint8), crop)
    assert pixels.shape == (crop, crop, 3) and cropped.shape == (crop, crop)
    is_padding = cropped == 255
    assert (pixels[~is_padding] == cropped[~is_padding][:, None]).all()
    assert (pixels[is_padding] == PADDING_COLOUR).all()
    assert (~is_padding).sum() == min(height, crop) * min(width, crop)


def test_draws_come_from_the_generator_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    first = augment(np.random.default_rng(5), image, None, 16, long_sides=(20, 60))[0]
    again = augment(np.random.default_rng(5), image, None, 16, long_sides=(20, 60))[0]
    other = augment(np.random.default_rng(6), image, None, 16, long_sides=(20, 60))[0]
    assert np.array_equal(first, again) and not np.array_equal(first, other)
