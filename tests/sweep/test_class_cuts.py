"""Class cuts held to cutting each image by itself, class cut after class cut and threshold after threshold."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from amn_core.sweep.class_cuts import count_class_cuts, count_given, split_loss
from amn_core.sweep.confusion import count_mask, score_miou

THRESHOLDS = np.array([0.0, 0.25, 0.5, 0.75])
CUTS = np.array([0.0, 0.25, 0.4, 0.5, 1.0])


def draw(seed, n_classes=4):
    """Draw scores with many ties, and ground truth with 255."""
    rng = np.random.default_rng(seed)
    cam = (rng.integers(0, 5, (n_classes - 1, 5, 6)) / 4).astype(np.float32)
    gt = rng.choice([*range(n_classes), 255], (5, 6)).astype(np.uint8)
    return cam, rng.integers(0, 9, n_classes - 1) / 8, gt


def label_plainly(cam, present, threshold):
    """Label each pixel by the strongest of some classes, where it is above the threshold."""
    labels = np.zeros(cam.shape[1:], np.uint8)
    for place in np.ndindex(*labels.shape):
        best, chosen = threshold, 0
        for class_id in sorted(present):
            if cam[(class_id - 1, *place)] > best:
                best, chosen = cam[(class_id - 1, *place)], class_id
        labels[place] = chosen
    return labels


def score_plainly(images, classes_of, threshold, averaging, n_classes=4):
    """Score several images by their masks."""
    confusion = sum(count_mask(label_plainly(cam, classes_of(presence, gt), threshold), gt, n_classes)
                    for cam, presence, gt in images)
    return score_miou(confusion[:, :n_classes], averaging)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["union", "all", "present"]))
def test_every_pair_scores_as_masks_cut_one_by_one(seed, averaging):
    images = [draw(seed + i) for i in range(3)]
    sums = count_class_cuts(images[0][0], images[0][1], images[0][2], THRESHOLDS, CUTS)
    for cam, presence, gt in images[1:]:
        sums = sums.add(count_class_cuts(cam, presence, gt, THRESHOLDS, CUTS))
    found = sums.score_miou(averaging)
    for i, cut in enumerate(CUTS):
        for j, threshold in enumerate(THRESHOLDS):
            expected = score_plainly(
                images, lambda presence, _, cut=cut: np.flatnonzero(presence > cut) + 1, threshold, averaging)
            np.testing.assert_allclose(found[i, j], expected, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_told_classes_score_as_their_masks(seed):
    cam, presence, gt = draw(seed)
    present = [class_id for class_id in (3, 1) if (gt == class_id).any()]  # in no order
    found = count_given(cam, present, gt, THRESHOLDS).score_miou()[0]
    expected = [score_plainly([(cam, presence, gt)], lambda *_: present, t, "union") for t in THRESHOLDS]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_loss_is_split_into_two_parts_that_add_up():
    rng = np.random.default_rng(0)
    told, scored = rng.random(4), rng.random((5, 4))
    wrong_class, wrong_cut = split_loss(told, scored)
    np.testing.assert_allclose(wrong_class + wrong_cut, told.max() - scored)
    assert wrong_cut.min() == 0


def test_memory_follows_classes_and_cuts_alone():
    cam = np.random.default_rng(1).random((80, 8, 9)).astype(np.float32)
    sums = count_class_cuts(cam, cam.max(axis=(1, 2)), np.full((8, 9), 80), THRESHOLDS, CUTS)
    both = sums.add(sums)
    assert both.hit.shape == both.predicted.shape == (len(CUTS), 81, len(THRESHOLDS))
    assert (both.predicted.sum(axis=1) == 2 * 72).all()
