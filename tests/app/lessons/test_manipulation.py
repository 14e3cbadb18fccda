"""Changes of a map: each does what its name says, and what keeps the order keeps the peak."""

import numpy as np
import pytest

from amn_core.sweep.counts import CountsBuilder
from amn_core.sweep.scores import summarise
from app.lessons.manipulation import Manipulation, manipulate

CAM = np.linspace(0, 0.8, 12, dtype=np.float32).reshape(1, 3, 4)


def test_neutral_manipulation_changes_nothing() -> None:
    assert np.array_equal(manipulate(CAM, Manipulation()), CAM)


def test_rescaling_reaches_1_for_each_map() -> None:
    cam = np.stack([CAM[0], CAM[0] / 2, CAM[0] * 0])
    assert manipulate(cam, Manipulation(rescale=1.0)).max(axis=(1, 2)) == pytest.approx([1, 1, 0])
    assert manipulate(cam, Manipulation(rescale=0.5)).max(axis=(1, 2)) == pytest.approx([0.9, 0.7, 0])


def test_gamma_clip_and_step_are_what_they_say() -> None:
    assert manipulate(CAM, Manipulation(gamma=2.0)) == pytest.approx(CAM**2)
    assert manipulate(CAM, Manipulation(clip=0.4)) == pytest.approx(np.minimum(CAM, 0.4) / 0.4)
    stepped = manipulate(CAM, Manipulation(sharpness=60.0, level=0.4))
    assert ((stepped > 0.5) == (CAM > 0.4)).all() and stepped[CAM > 0.55].min() > 0.95 > 0.05 > stepped[CAM < 0.3].max()


def test_suppression_needs_and_uses_the_ground_truth() -> None:
    gt = np.zeros((3, 4), np.uint8)
    gt[2] = 1
    bent = manipulate(CAM, Manipulation(suppression=0.5), gt)
    assert bent[0, 2] == pytest.approx(CAM[0, 2]) and bent[0, :2] == pytest.approx(CAM[0, :2] / 2)
    with pytest.raises(ValueError, match="ground truth"):
        manipulate(CAM, Manipulation(suppression=0.5))


@pytest.mark.parametrize("changes", [{"gamma": 0.0}, {"clip": 0.0}, {"clip": 1.5}])
def test_impossible_changes_are_refused(changes: dict) -> None:
    with pytest.raises(ValueError, match="gamma must be above 0"):
        Manipulation(**changes)


def test_what_keeps_the_order_moves_the_curve_and_not_the_peak() -> None:
    rng = np.random.default_rng(1)
    gt = (rng.random((4, 20, 20)) < 0.3).astype(np.uint8)
    cams = [np.clip(0.25 * mask + 0.5 * rng.random((1, 20, 20)), 0, 1).astype(np.float32) for mask in gt]

    def score(manipulation: Manipulation):
        builder = CountsBuilder(("background", "a"), np.linspace(0, 1, 2001))
        for i, (cam, mask) in enumerate(zip(cams, gt)):
            builder.add(str(i), manipulate(cam, manipulation), np.array([1]), mask)
        return summarise(builder.build())

    before, after = score(Manipulation()), score(Manipulation(gamma=0.4))
    assert Manipulation(gamma=0.4).keeps_order and not Manipulation(rescale=0.1).keeps_order
    assert after.peak_threshold > before.peak_threshold + 0.1
    assert after.peak_miou == pytest.approx(before.peak_miou, abs=5e-3)
    assert after.auc == pytest.approx(before.auc, abs=2e-3)
