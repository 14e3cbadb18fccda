"""The photographs of other packages: found, outlined, scored like any data set."""

from pathlib import Path

import numpy as np
import pytest

from amn_core.constants import VOC_CLASSES
from amn_core.data import DataError, load_dataset
from amn_core.data import photos as room
from amn_core.data.photos import SOURCES, describe_licence, load_outlines


@pytest.fixture(scope="module")
def photos():
    """The photographs."""
    return load_dataset("photos", "all")


def test_every_photograph_has_outlines_of_its_own_size_within_it(photos):
    assert set(photos.ids) == set(load_outlines()) == set(SOURCES)
    for image_id in photos.ids:
        image, gt = photos.image(image_id), photos.gt(image_id)
        assert image.shape == (*gt.shape, 3) and gt.dtype == np.uint8
        for outline in load_outlines()[image_id]["outlines"]:
            points = np.array(outline["points"])
            assert (points >= 0).all() and (points <= [gt.shape[1], gt.shape[0]]).all()


def test_masks_hold_the_classes_of_the_labels_a_border_and_background(photos):
    for image_id in photos.ids:
        values = set(np.unique(photos.gt(image_id)).tolist())
        assert values == {0, 255, *photos.class_ids(image_id).tolist()}
    names = {VOC_CLASSES[c] for image_id in photos.ids for c in photos.class_ids(image_id)}
    assert names == {"cat", "person", "motorbike"}


@pytest.mark.parametrize(("image_id", "inside", "outside"), [
    ("cat", (150, 250), (100, 430)), ("astronaut", (300, 200), (60, 480)), ("cameraman", (250, 100), (300, 450)),
    ("motorcycle-left", (200, 430), (450, 100)), ("motorcycle-right", (200, 390), (450, 60)),
    ("grace-hopper", (250, 260), (100, 480)),
])
def test_object_and_background_lie_where_one_sees_them(photos, image_id, inside, outside):
    gt = photos.gt(image_id)
    assert gt[inside] == photos.class_ids(image_id)[0] and gt[outside] == 0


def test_both_views_of_the_motorcycle_are_outlined_alike(photos):
    left, right = (np.count_nonzero(photos.gt(f"motorcycle-{side}") == 14) for side in ("left", "right"))
    assert abs(left - right) < 0.03 * left


def test_licences_are_those_that_the_packages_give():
    pytest.importorskip("skimage")
    assert "CC0 by the photographer" in describe_licence("cat")
    assert "No known copyright restrictions" in describe_licence("astronaut")
    assert "Middlebury 2014 stereo benchmark" in describe_licence("motorcycle-left")
    assert describe_licence("grace-hopper") == "comes with matplotlib as sample data"


def test_an_unknown_split_or_photograph_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="split 'val': photos has the split all"):
        load_dataset("photos", "val")
    (tmp_path / "list.txt").write_text("cat\ndog\n")
    with pytest.raises(DataError, match="'dog' is none of the photographs cat, astronaut"):
        load_dataset("photos", str(tmp_path / "list.txt"))


def test_a_package_without_its_photograph_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "SOURCES", {"cat": ("skimage", "data/gone.png", "chelsea")})
    with pytest.raises(DataError, match="photograph cat: not found; it comes with scikit-image: pip install"):
        load_dataset("photos", "all")
