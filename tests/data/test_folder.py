"""A folder of one's own images, with and without masks."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amn_core.data import DataError, load_dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.jpg", "c.webp"):
        Image.fromarray(np.full((8, 12, 3), 90, np.uint8)).save(tmp_path / "images" / name)
    (tmp_path / "labels.csv").write_text("image,labels\na.png,moth; ant\nb.jpg,moth\nc,\n", encoding="utf-8")
    return tmp_path


def test_labels_come_from_the_table_in_alphabetical_order(folder: Path) -> None:
    dataset = load_dataset(f"folder:{folder}", "all")
    assert dataset.class_names == ("background", "ant", "moth") and dataset.ids == ("a", "b", "c")
    assert [dataset.class_ids(i).tolist() for i in dataset.ids] == [[1, 2], [2], []]
    assert dataset.gt("a") is None and dataset.image("c").shape == (8, 12, 3)


def test_classes_file_fixes_the_order_and_masks_are_read(folder: Path) -> None:
    (folder / "classes.txt").write_text("background\nmoth\nant\n")
    (folder / "masks").mkdir()
    Image.fromarray(np.full((8, 12), 2, np.uint8)).save(folder / "masks" / "a.png")
    dataset = load_dataset(f"folder:{folder}", "all")
    assert dataset.class_names == ("background", "moth", "ant")
    assert (dataset.gt("a") == 2).all() and dataset.gt("b") is None


def test_masks_alone_give_the_labels(folder: Path) -> None:
    (folder / "labels.csv").unlink()
    (folder / "classes.txt").write_text("moth\nant\n")
    (folder / "masks").mkdir()
    for name in "abc":
        Image.fromarray(np.eye(8, 12, dtype=np.uint8)).save(folder / "masks" / f"{name}.png")
    dataset = load_dataset(f"folder:{folder}", "all")
    assert dataset.class_ids("b").tolist() == [1] and "masks" in dataset.label_source


def test_splits_are_lists(folder: Path) -> None:
    (folder / "splits").mkdir()
    (folder / "splits" / "few.txt").write_text("b\n")
    assert load_dataset(f"folder:{folder}", "few").ids == ("b",)
    with pytest.raises(DataError, match="'none' is neither 'all'"):
        load_dataset(f"folder:{folder}", "none")


@pytest.mark.parametrize(
    ("files", "message"),
    [({"labels.csv": "name,class\na,x\n"}, "header must be image,labels"),
     ({"labels.csv": "image,labels\na,moth\n"}, "no row for 2 of 3"),
     ({"classes.txt": "ant\n"}, "lacks: moth"), ({"labels.csv": ""}, "header must be")])
def test_wrong_tables_are_named(files: dict[str, str], message: str, folder: Path) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(DataError, match=message):
        load_dataset(f"folder:{folder}", "all")


def test_folder_without_images_or_labels_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images"):
        load_dataset(f"folder:{tmp_path}", "all")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "x.png")
    with pytest.raises(DataError, match=r"classes\.txt or a labels\.csv"):
        load_dataset(f"folder:{tmp_path}", "all")
