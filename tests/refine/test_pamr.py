"""PAMR against the definition, pixel by pixel."""

import numpy as np
import pytest

from amn_core.refine import PAMRConfig, pamr_labels, pamr_probabilities
from tests.refine.scenes import make_scene


def neighbours(y, x, height, width, dilations):
    """List the 8 neighbours of a pixel at each distance, the border repeated."""
    return [
        (min(max(y + dy * d, 0), height - 1), min(max(x + dx * d, 0), width - 1))
        for d in dilations for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)
    ]


def slow_weights(image, y, x, dilations):
    places = neighbours(y, x, *image.shape[:2], dilations)
    colours = np.array([image[p] for p in places], np.float64)
    own = image[y, x].astype(np.float64)
    deviation = np.concatenate([colours, np.tile(own, (len(dilations), 1))]).std(0, ddof=1)
    scores = -(np.abs(colours - own) / (0.1 * deviation + 1e-8)).mean(1)
    weights = np.exp(scores - scores.max())
    return places, weights / weights.sum()


def slow_pamr(image, probs, config):
    height, width = image.shape[:2]
    for _ in range(config.iterations):
        result = np.zeros_like(probs)
        for y in range(height):
            for x in range(width):
                places, weights = slow_weights(image, y, x, config.dilations)
                result[:, y, x] = sum(w * probs[:, p[0], p[1]] for w, p in zip(weights, places))
        probs = result
    return probs


def test_pamr_agrees_with_the_definition():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    probs = rng.dirichlet(np.ones(3), (9, 11)).transpose(2, 0, 1)
    config = PAMRConfig(dilations=(1, 3), iterations=2)
    found = pamr_probabilities(image, probs, config)
    assert found.shape == (3, 9, 11) and found.dtype == np.float32
    np.testing.assert_allclose(found, slow_pamr(image, probs, config), atol=1e-4)


def test_pamr_keeps_probabilities_summing_to_one():
    image, mask = make_scene(30, 40)
    found = pamr_probabilities(image, np.stack([1 - mask, mask]).astype(np.float32))
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-4)


def test_pamr_of_a_flat_image_averages_evenly():
    probs = np.zeros((2, 5, 5), np.float32)
    probs[0], probs[1, 2, 2] = 1, 8
    found = pamr_probabilities(np.full((5, 5, 3), 90, np.uint8), probs, PAMRConfig((1,), 1))
    expected = np.ones((5, 5), np.float32)
    expected[[0, -1]] = expected[:, [0, -1]] = expected[2, 2] = 0
    np.testing.assert_allclose(found[1], expected, atol=1e-5)
    np.testing.assert_allclose(found[0], 1, atol=1e-5)


def test_pamr_moves_a_shifted_seed_towards_the_object():
    image, mask = make_scene()
    seed = np.roll(mask, 3, axis=1)
    found = pamr_labels(image, seed, 2)
    assert (found == mask).mean() > (seed == mask).mean() + 0.02


def test_pamr_without_iterations_returns_the_labels():
    image, mask = make_scene(20, 30)
    assert np.array_equal(pamr_labels(image, mask, 2, PAMRConfig(iterations=0)), mask)


@pytest.mark.parametrize("config", [{"dilations": ()}, {"dilations": (0, 1)}, {"iterations": -1}])
def test_pamr_config_refuses_what_has_no_meaning(config):
    with pytest.raises(ValueError, match=next(iter(config))):
        PAMRConfig(**config)
