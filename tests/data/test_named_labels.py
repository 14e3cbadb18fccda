"""Image labels from file names by a pattern."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amn_core.data import DataError, load_dataset


def make(root: Path, pattern: str, names: list[str], classes: str = "tumour\nnecrosis\nstroma\n") -> str:
    """Make a folder of images with these names; returns its spec."""
    (root / "images").mkdir(parents=True)
    for name in names:
        Image.fromarray(np.full((6, 7, 3), 90, np.uint8)).save(root / "images" / f"{name}.png")
    (root / "names.txt").write_text(pattern + "\n")
    if classes:
        (root / "classes.txt").write_text(classes)
    return f"folder:{root}"


@pytest.mark.parametrize(("pattern", "name", "expected"), [
    ("*-[{flags}]", "1031280-2300-27920-[1 0 1]", [1, 3]), ("*[{flags}]", "TCGA-A1_x10[010]", [2]),
    ("{flags}_*", "0_0_0_a", []), ("*_{numbers}", "scan_7_3+1", [1, 3]), ("*_{numbers}", "scan_0", []),
    ("{names}.*", "tumour+stroma.0007", [1, 3]), ("{names}.*", "none.12", []),
])
def test_labels_are_read_from_names(tmp_path, pattern, name, expected):
    dataset = load_dataset(make(tmp_path / "data", pattern, [name]), "all")
    assert dataset.ids == (name,) and dataset.class_ids(name).tolist() == expected
    assert dataset.label_source == "names of the files" and dataset.class_names[1:] == ("tumour", "necrosis", "stroma")


def test_names_alone_give_the_classes_in_alphabetical_order(tmp_path):
    dataset = load_dataset(make(tmp_path / "data", "*_{names}", ["1_b", "2_a;b"], ""), "all")
    assert dataset.class_names == ("background", "a", "b")
    assert [dataset.class_ids(i).tolist() for i in dataset.ids] == [[2], [1, 2]]


def test_table_goes_before_names(tmp_path):
    spec = make(tmp_path / "data", "*_{numbers}", ["x_1"])
    (tmp_path / "data" / "labels.csv").write_text("image,labels\nx_1,stroma\n")
    dataset = load_dataset(spec, "all")
    assert dataset.class_ids("x_1").tolist() == [3] and dataset.label_source == "labels.csv"


@pytest.mark.parametrize(("pattern", "name", "classes", "words"), [
    ("*", "a", "a\nb\n", "one line with one of"), ("{flags}{names}", "a", "a\n", "one line with one of"),
    ("*[{flags}]", "a", "a\n", "does not fit the pattern"), ("*[{flags}]", "a[10]", "a\n", "2 flags, but"),
    ("*_{numbers}", "a_4", "a\nb\n", "names class 4"), ("*[{flags}]", "a[10]", "", "needs classes.txt"),
    ("*_{names}", "a_cow", "cat\n", "names.txt names classes that classes.txt lacks: cow"),
])
def test_what_does_not_fit_is_named(tmp_path, pattern, name, classes, words):
    with pytest.raises(DataError, match=words):
        load_dataset(make(tmp_path / "data", pattern, [name], classes), "all")
