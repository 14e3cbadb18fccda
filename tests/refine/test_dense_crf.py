"""The dense CRF against a sum over all pairs of pixels, and against pydensecrf where it is installed."""

import numpy as np
import pytest
import torch

from amn_core.refine import CRFConfig, CRFFilters, dense_crf, refine_labels, refine_probabilities
from amn_core.refine.dense_crf import softmax_odds
from amn_core.sweep.seeds import build_label_sets
from tests.refine.scenes import make_scene, make_texture

WIDE = CRFConfig(bilateral_sxy=8.0, bilateral_srgb=20.0)


def slow_kernel(features):
    """K(i, j) between all pairs of pixels, normalised symmetrically."""
    kernel = np.exp(-((features[:, None] - features[None]) ** 2).sum(-1) / 2)
    norm = 1 / np.sqrt(kernel.sum(1))
    return kernel * norm[:, None] * norm[None]


def slow_crf(image, probs, config):
    """Mean field with exact Gaussians, (N, L)."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    places = np.stack([x.ravel(), y.ravel()], 1).astype(np.float64)
    colours = image.reshape(-1, 3) / config.bilateral_srgb
    near = slow_kernel(places / config.gaussian_sxy) * config.gaussian_compat
    alike = slow_kernel(np.concatenate([places / config.bilateral_sxy, colours], 1)) * config.bilateral_compat
    unary = np.log(probs.reshape(len(probs), -1).T)
    belief = probs.reshape(len(probs), -1).T
    for _ in range(config.iterations):
        logits = unary + (near + alike) @ belief
        belief = np.exp(logits - logits.max(1, keepdims=True))
        belief /= belief.sum(1, keepdims=True)
    return belief.T.reshape(probs.shape)


def soften(labels, n_labels, gt_prob=0.7):
    rest = (1 - gt_prob) / (n_labels - 1)
    return np.stack([np.where(labels == label, gt_prob, rest) for label in range(n_labels)])


def test_crf_agrees_with_the_sum_over_all_pairs():
    image, labels = make_texture(30, 40)
    probs = soften(labels, 3)
    config = CRFConfig(iterations=5, bilateral_sxy=8.0, bilateral_srgb=40.0)
    expected = slow_crf(image, probs, config)
    found = refine_probabilities(image, probs, config)
    assert (labels == expected.argmax(0)).mean() < 0.7
    assert (found.argmax(0) == expected.argmax(0)).mean() > 0.97
    assert np.abs(found - expected).mean() < 0.02


def test_crf_moves_a_shifted_seed_onto_the_object():
    image, mask = make_scene()
    seed = np.roll(mask, 4, axis=1)
    assert (seed == mask).mean() < 0.95
    assert (refine_labels(image, seed, 2) == mask).mean() > 0.995


def test_crf_of_hard_labels_is_that_of_their_softened_probabilities():
    image, labels = make_texture()
    found = refine_labels(image, labels, 3, gt_prob=0.6)
    soft = refine_probabilities(image, soften(labels, 3, 0.6)).argmax(0)
    assert found.dtype == np.int64 and found.shape == labels.shape
    assert (found == soft).mean() > 0.999


def test_crf_probabilities_sum_to_one():
    image, labels = make_texture()
    found = refine_probabilities(image, soften(labels, 3))
    assert found.dtype == np.float32 and found.shape == (3, *labels.shape)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)


def test_crf_of_a_flat_image_leaves_one_label_alone():
    image = np.full((20, 25, 3), 128, np.uint8)
    assert (refine_labels(image, np.ones((20, 25), int), 3) == 1).all()


def test_crf_of_a_flat_image_lets_the_majority_win():
    image = np.full((20, 25, 3), 128, np.uint8)
    labels = np.zeros((20, 25), int)
    labels[9:11, 11:13] = 1
    assert (refine_labels(image, labels, 2) == 0).all()


def test_crf_of_a_single_label_returns_it():
    image, mask = make_scene(12, 14)
    assert (refine_labels(image, np.zeros_like(mask), 1) == 0).all()
    assert (CRFFilters(image).refine_labels(np.zeros_like(mask), 1) == 0).all()


def test_crf_without_iterations_or_kernels_returns_the_labels():
    image, labels = make_texture(20, 30)
    for config in (CRFConfig(iterations=0), CRFConfig(gaussian_compat=0, bilateral_compat=0)):
        assert np.array_equal(refine_labels(image, labels, 3, config=config), labels)


def test_crf_ignores_how_labels_are_numbered():
    image, labels = make_texture(40, 50)
    order = np.array([2, 0, 1])
    assert (refine_labels(image, order[labels], 3) == order[refine_labels(image, labels, 3)]).mean() > 0.999


def test_crf_of_stacked_label_sets_is_that_of_each():
    image, labels = make_texture()
    sets = np.stack([labels, np.roll(labels, 5, axis=0)])
    filters = CRFFilters(image)
    found = filters.refine_labels(sets, 3)
    for one, expected in zip(sets, found):
        assert (filters.refine_labels(one, 3) == expected).mean() > 0.999


@pytest.mark.parametrize("n_classes", [1, 2, 5])
def test_crf_of_many_cuts_is_that_of_each(n_classes):
    image, _ = make_texture()
    cam = np.random.default_rng(1).random((n_classes, 9, 12)).repeat(10, 1).repeat(10, 2)
    sets = build_label_sets(cam, np.linspace(0, 1, 51))
    found = CRFFilters(image).refine_labels(sets, n_classes + 1)
    apart = np.stack([refine_labels(image, one, n_classes + 1) for one in sets])
    assert found.dtype == np.uint8 and (found == apart).mean() > 0.999
    assert len({one.tobytes() for one in found}) > 10


def test_crf_computes_equal_label_sets_once(monkeypatch):
    image, labels = make_texture(20, 30)
    filters, seen = CRFFilters(image), []
    infer = filters.infer
    monkeypatch.setattr(filters, "infer", lambda odds: seen.append(odds.shape[-1]) or infer(odds))
    sets = np.stack([labels, labels * 0, labels, labels * 0])
    found = filters.refine_labels(sets, 3)
    assert sum(seen) == 2
    assert np.array_equal(found[0], found[2]) and np.array_equal(found[1], found[3])


def test_crf_of_more_pixels_than_fit_the_cache_goes_set_by_set(monkeypatch):
    image, labels = make_texture(20, 30)
    sets = np.stack([np.roll(labels, i, axis=1) for i in range(5)])
    expected = CRFFilters(image).refine_labels(sets, 3)
    monkeypatch.setattr(dense_crf, "CHANNEL_BYTES", 1)
    filters = CRFFilters(image)
    assert filters.choose_sets(2) == 1
    assert (filters.refine_labels(sets, 3) == expected).mean() > 0.999


def test_crf_of_a_batch_is_that_of_each_image():
    images, labels = zip(*(make_texture(40 + 3 * i, 50 - i, seed=i) for i in range(3)))
    labels = [labels[0], labels[1], np.minimum(labels[2], 1)]
    found = CRFFilters(images, WIDE).refine_labels(labels, (3, 3, 2))
    for image, one, n_labels, result in zip(images, labels, (3, 3, 2), found):
        assert (refine_labels(image, one, n_labels, config=WIDE) == result).mean() > 0.999


def test_crf_of_a_batch_refines_probabilities_of_each_image():
    images, labels = zip(*(make_texture(30 + i, 40, seed=i) for i in range(2)))
    probs = [soften(one, 3) for one in labels]
    found = CRFFilters(images, WIDE).refine_probabilities(probs)
    for image, one, result in zip(images, probs, found):
        np.testing.assert_allclose(refine_probabilities(image, one, WIDE), result, atol=2e-3)


def test_crf_gives_the_same_result_twice():
    image, labels = make_texture()
    assert np.array_equal(refine_labels(image, labels, 3), refine_labels(image, labels, 3))


@pytest.mark.parametrize("n_labels", [2, 7, 20])
def test_crf_softmax_of_log_odds_is_that_of_all_labels(n_labels):
    logits = torch.randn(n_labels, 50, 2, generator=torch.Generator().manual_seed(0)) * 30
    found = softmax_odds(logits[1:] - logits[:1])
    assert torch.allclose(found, torch.softmax(logits, 0)[1:], atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": np.zeros((8, 9, 3), np.float32)}, "image is float32"),
        ({"image": np.zeros((8, 9), np.uint8)}, "image is uint8"),
        ({"labels": np.zeros((9, 8), int)}, "check height and width"),
        ({"labels": np.zeros((8, 9))}, "must hold integers"),
        ({"labels": np.full((8, 9), 255)}, "without 255"),
        ({"labels": np.full((8, 9), -1)}, "from -1 to -1"),
        ({"n_labels": 0}, "n_labels is 0"),
        ({"gt_prob": 1.0}, "gt_prob is 1.0"),
    ],
)


def test_crf_names_the_wrong_argument(changes, message):
    right = {"image": np.zeros((8, 9, 3), np.uint8), "labels": np.zeros((8, 9), int), "n_labels": 2}
    with pytest.raises(ValueError, match=message):
        refine_labels(**(right | changes))


def test_crf_names_wrong_probabilities():
    image = np.zeros((8, 9, 3), np.uint8)
    with pytest.raises(ValueError, match=r"pass \(L, H, W\)"):
        refine_probabilities(image, np.zeros((2, 9, 8)))
    with pytest.raises(ValueError, match="not finite"):
        refine_probabilities(image, np.full((2, 8, 9), np.nan))


def test_crf_names_a_batch_that_does_not_fit():
    images = [np.zeros((8, 9, 3), np.uint8)] * 2
    with pytest.raises(ValueError, match="1 arrays were given for 2 images"):
        CRFFilters(images).refine_labels([np.zeros((8, 9), int)], 2)
    with pytest.raises(ValueError, match="different numbers of label sets"):
        CRFFilters(images).refine_labels([np.zeros((8, 9), int), np.zeros((2, 8, 9), int)], 2)
    with pytest.raises(ValueError, match="empty sequence"):
        CRFFilters([])


@pytest.mark.parametrize(
    "config", [{"iterations": -1}, {"bilateral_srgb": 0}, {"gaussian_sxy": float("nan")}, {"gaussian_compat": -3}]
)


def test_crf_config_refuses_what_has_no_meaning(config):
    with pytest.raises(ValueError, match=next(iter(config))):
        CRFConfig(**config)


def pydensecrf_probabilities(image, unary, n_labels, config):
    """Refine with pydensecrf as IRN's code does."""
    dcrf = pytest.importorskip("pydensecrf.densecrf", reason="pydensecrf2 is not installed")
    height, width = image.shape[:2]
    crf = dcrf.DenseCRF2D(width, height, n_labels)
    crf.setUnaryEnergy(unary)
    crf.addPairwiseGaussian(sxy=config.gaussian_sxy, compat=config.gaussian_compat)
    crf.addPairwiseBilateral(
        sxy=config.bilateral_sxy, srgb=config.bilateral_srgb, rgbim=image, compat=config.bilateral_compat
    )
    return np.array(crf.inference(config.iterations)).reshape(n_labels, height, width)


@pytest.mark.parametrize("config", [CRFConfig(), WIDE, CRFConfig(iterations=5, bilateral_srgb=13.0)])
def test_crf_of_hard_labels_equals_pydensecrf(config):
    utils = pytest.importorskip("pydensecrf.utils", reason="pydensecrf2 is not installed")
    image, labels = make_texture()
    unary = utils.unary_from_labels(labels, 3, gt_prob=0.7, zero_unsure=False)
    expected = pydensecrf_probabilities(image, unary, 3, config).argmax(0)
    assert (expected != labels).mean() > 0.01
    assert (refine_labels(image, labels, 3, config=config) == expected).mean() > 0.9995


def test_crf_of_probabilities_equals_pydensecrf():
    utils = pytest.importorskip("pydensecrf.utils", reason="pydensecrf2 is not installed")
    image, labels = make_texture(seed=3)
    probs = np.random.default_rng(0).dirichlet((1, 1, 1), labels.shape).transpose(2, 0, 1).astype(np.float32)
    unary = np.ascontiguousarray(utils.unary_from_softmax(probs))
    expected = pydensecrf_probabilities(image, unary, 3, CRFConfig())
    np.testing.assert_allclose(refine_probabilities(image, probs), expected, atol=1e-3)


@pytest.mark.cuda
def test_crf_on_cuda_agrees_with_the_cpu():
    images, labels = zip(*(make_texture(seed=seed) for seed in range(4)))
    found = CRFFilters(images, device="cuda").refine_labels(labels, 3)
    for image, one, result in zip(images, labels, found):
        assert (refine_labels(image, one, 3) == result).mean() > 0.999
