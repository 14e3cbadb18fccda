"""Changes of a map: each does what its name says, and what keeps the order keeps the peak."""

import numpy as np
import pytest

from amn_core.sweep.counts import CountsBuilder
from app.lessons.bent_counts import count_bent
from app.lessons.manipulation import LEVEL, Manipulation, bend

VALUES = np.linspace(0, 0.8, 12)


def test_neutral_manipulation_changes_nothing() -> None:
    assert np.array_equal(bend(VALUES, Manipulation()), VALUES)


def test_gamma_clip_and_step_are_what_they_say() -> None:
    assert bend(VALUES, Manipulation(gamma=2.0)) == pytest.approx(VALUES**2)
    assert bend(VALUES, Manipulation(clip=0.4)) == pytest.approx(np.minimum(VALUES, 0.4) / 0.4)
    stepped = bend(VALUES, Manipulation(sharpness=60.0))
    assert ((stepped > 0.5) == (VALUES > LEVEL)).all()
    assert stepped[VALUES > 0.55].min() > 0.95 > 0.05 > stepped[VALUES < 0.3].max()


def test_suppression_turns_down_true_background_alone() -> None:
    is_background = VALUES < 0.3
    bent = bend(VALUES, Manipulation(suppression=0.5), is_background)
    assert bent == pytest.approx(np.where(is_background, VALUES / 2, VALUES))


@pytest.mark.parametrize("changes", [{"gamma": 0.0}, {"clip": 0.0}, {"clip": 1.5}])
def test_impossible_changes_are_refused(changes: dict) -> None:
    with pytest.raises(ValueError, match="gamma must be above 0"):
        Manipulation(**changes)


@pytest.mark.parametrize(
    "manipulation", [Manipulation(), Manipulation(gamma=0.4), Manipulation(clip=0.6, sharpness=9.0, suppression=0.4)])
def test_bent_counts_are_those_of_bent_maps(manipulation: Manipulation) -> None:
    """The slow way: bend every pixel of maps whose values lie on the cells, and take the argmax."""
    rng = np.random.default_rng(1)
    gts = (rng.random((4, 20, 20)) < 0.3).astype(np.uint8)
    maps = [np.clip(np.round(0.25 * gt + 0.5 * rng.random((20, 20)), 2), 0, 1)[None].astype(np.float32) for gt in gts]
    builder = CountsBuilder(("background", "a"), np.linspace(0, 1, 201))
    for i, (cam, gt) in enumerate(zip(maps, gts, strict=True)):
        builder.add(str(i), np.maximum(cam - np.float32(0.001), 0), np.array([1]), gt)
    curve = count_bent(builder.build(), manipulation)
    bent = np.stack([bend(np.round(cam[0].astype(float), 2), manipulation, gt == 0)
                     for cam, gt in zip(maps, gts, strict=True)])
    for threshold, found in list(zip(curve.thresholds, curve.miou, strict=True))[::17]:
        called = bent > threshold + 1e-9
        ious = [(called & (gts == 1)).sum() / max((called | (gts == 1)).sum(), 1),
                (~called & (gts == 0)).sum() / (~called | (gts == 0)).sum()]
        assert found == pytest.approx(100 * np.mean(ious), abs=0.5)


def test_what_keeps_the_order_moves_the_plateau_and_not_the_peak(scenes_material) -> None:
    counts = scenes_material.runs["cam"].counts()
    before = count_bent(counts, Manipulation())
    for manipulation in (Manipulation(gamma=0.2), Manipulation(gamma=3.0), Manipulation(sharpness=40.0),
                         Manipulation(gamma=3.0, sharpness=40.0)):
        after = count_bent(counts, manipulation)
        assert after.peak == pytest.approx(before.peak) and after.plateau != pytest.approx(before.plateau, abs=0.01)
