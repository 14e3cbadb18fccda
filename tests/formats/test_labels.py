"""cls_labels.npy: both kinds of keys, back and forth."""

import numpy as np
import pytest

from amn_core.formats.errors import FormatError
from amn_core.formats.labels import load_cls_labels, save_cls_labels
from tests.formats.layouts import save_dict


def vector(*classes: int) -> np.ndarray:
    """The vector of 1-based classes."""
    out = np.zeros(20, dtype=np.float32)
    out[np.array(classes, dtype=int) - 1] = 1
    return out


@pytest.mark.parametrize("key", [2007000032, np.int32(2007000032), "2007_000032"])
def test_labels_read_every_kind_of_key(tmp_path, key):
    save_dict(tmp_path / "cls_labels.npy", {key: vector(15, 1)})
    table = load_cls_labels(tmp_path / "cls_labels.npy", 20)
    assert list(table) == ["2007_000032"]
    assert table["2007_000032"].tolist() == [1, 15] and table["2007_000032"].dtype == np.int64


def test_labels_survive_a_round_trip_and_keep_the_form_of_the_field(tmp_path):
    table = {"2007_000032": np.array([1, 15]), "2011_003276": np.array([], dtype=int)}
    save_cls_labels(tmp_path / "cls_labels.npy", table, 20)
    theirs = np.load(tmp_path / "cls_labels.npy", allow_pickle=True).item()
    assert list(theirs) == [2007000032, 2011003276]
    np.testing.assert_array_equal(theirs[2007000032], vector(1, 15))
    loaded = load_cls_labels(tmp_path / "cls_labels.npy", 20)
    assert {k: v.tolist() for k, v in loaded.items()} == {k: v.tolist() for k, v in table.items()}


def test_labels_of_other_ids_keep_them_as_text(tmp_path):
    save_cls_labels(tmp_path / "cls_labels.npy", {"scene-1": np.array([2])}, 3)
    assert load_cls_labels(tmp_path / "cls_labels.npy", 3)["scene-1"].tolist() == [2]


def test_labels_name_what_is_wrong(tmp_path):
    save_dict(tmp_path / "a.npy", {"x": np.zeros(5)})
    with pytest.raises(FormatError, match=r"the label of x has shape \(5,\)"):
        load_cls_labels(tmp_path / "a.npy", 20)
    save_dict(tmp_path / "b.npy", [1, 2])
    with pytest.raises(FormatError, match="instead of a dict"):
        load_cls_labels(tmp_path / "b.npy", 20)
    with pytest.raises(FormatError, match="x has class 21"):
        save_cls_labels(tmp_path / "c.npy", {"x": np.array([21])}, 20)


def test_labels_of_voc_are_read(voc_root):
    table = load_cls_labels(voc_root / "cls_labels.npy", 20)
    theirs = np.load(voc_root / "cls_labels.npy", allow_pickle=True).item()
    assert len(table) == len(theirs) >= 1500
    for key, value in theirs.items():
        image_id = f"{str(key)[:4]}_{str(key)[-6:]}"
        np.testing.assert_array_equal(table[image_id], np.flatnonzero(value) + 1)
