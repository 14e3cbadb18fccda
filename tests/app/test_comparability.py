"""Which runs may be compared."""

from pathlib import Path

import pytest

from amn_core.formats.runs import Run
from app.words.comparability import find_differences, write_value

PROTOCOL = {"normalisation": "max", "scales": [1.0, 0.5], "flip": True, "ground_truth": "A", "ignore": "left out"}


def make_run(name="CAM", protocol=(), **changes):
    """Make a run that was never on disk."""
    meta = {
        "name": name, "method": "cam", "data": "voc:V", "split": "train", "images": 2, "label_source": "files",
        "class_names": ["background", "cat"], "protocol": {**PROTOCOL, **dict(protocol)}, **changes,
    }
    return Run(Path(name), meta)


def test_runs_made_alike_do_not_differ():
    assert find_differences([make_run(), make_run("AMN")], [["a", "b"], ["b", "a"]]) == []


def test_one_run_does_not_differ_from_itself():
    assert find_differences([make_run()]) == []


@pytest.mark.parametrize(("changes", "topic"), [
    ({"split": "val"}, "Split"),
    ({"data": "voc:W"}, "Data set"),
    ({"class_names": ["background", "dog"]}, "Classes"),
    ({"protocol": {"ground_truth": "B"}}, "Ground truth"),
    ({"protocol": {"ignore": "an error"}}, "Pixels to ignore"),
    ({"images": 3}, "Images"),
])


def test_other_pixels_forbid_a_comparison(changes, topic):
    found = find_differences([make_run(), make_run("AMN", **changes)])
    assert [(one.topic.name, one.topic.is_fatal) for one in found] == [(topic, True)]


@pytest.mark.parametrize(("changes", "topic"), [
    ({"protocol": {"normalisation": "softmax"}}, "Normalisation"),
    ({"protocol": {"scales": [1.0]}}, "Scales"),
    ({"protocol": {"flip": False}}, "Flip"),
    ({"label_source": "masks"}, "Image labels"),
])


def test_another_way_to_make_maps_asks_for_care(changes, topic):
    found = find_differences([make_run(), make_run("AMN", **changes)])
    assert [(one.topic.name, one.topic.is_fatal) for one in found] == [(topic, False)]


def test_fatal_differences_come_first():
    other = make_run("AMN", split="val", protocol={"normalisation": "softmax"})
    assert [one.topic.is_fatal for one in find_differences([make_run(), other])] == [True, False]


def test_images_in_common_are_counted():
    found = find_differences([make_run(), make_run("AMN")], [["a", "b"], ["b", "c"]])
    assert found[0].values == {"CAM": "2 images, 1 of them common to all", "AMN": "2 images, 1 of them common to all"}


def test_runs_of_the_same_name_are_kept_apart():
    found = find_differences([make_run(), make_run(split="val")])
    assert found[0].values == {"CAM (CAM) 1": "train", "CAM (CAM) 2": "val"}


@pytest.mark.parametrize(("value", "text"), [
    (None, "not said"), (True, "yes"), (False, "no"), ([1.0, 0.5], "1.0, 0.5"), ("max", "max"),
    (list(range(10)), "0, 1, 2, 3, 4, 5, 6, 7 … (10)"),
])


def test_values_are_written_for_people(value, text):
    assert write_value(value) == text
