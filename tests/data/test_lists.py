"""Lists and tables name the image that they mean: blanks, dots, '#' and every encoding included."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amn_core.data import DataError, load_dataset
from amn_core.data.lists import read_id_list
from tests.data.voc_maker import IDS, make_voc

NAMES = ("a b", "a", "a.b", "#first", "a#1", "IMG 1", "IMG", "v1.2 (copy)", "ärmel")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose images have the names that lists are cut at, each with its own grey."""
    (tmp_path / "images").mkdir()
    for number, name in enumerate(NAMES):
        Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(tmp_path / "images" / f"{name}.png")
    rows = [f"{name}{'.png' if i % 2 else ''},c{i % 3}" for i, name in enumerate(NAMES)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,labels", *rows]) + "\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("line", ["{0}", "{0}.png", "images/{0}.png", "/data/my images/{0}.png masks/{0}.png",
                                  r"C:\images\{0}.png", "images/{0}.png /masks of mine/{0}.png"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_each_line_opens_the_image_that_it_names(line: str, encoding: str, folder: Path) -> None:
    (folder / "list.txt").write_text("\n".join(line.format(name) for name in NAMES), encoding=encoding)
    dataset = load_dataset(f"folder:{folder}", str(folder / "list.txt"))
    assert dataset.ids == NAMES
    assert [int(dataset.image(image_id)[0, 0, 0]) for image_id in dataset.ids] == list(range(len(NAMES)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_table_gives_each_image_its_own_labels(encoding: str, folder: Path) -> None:
    table = (folder / "labels.csv").read_text(encoding="utf-8")
    (folder / "labels.csv").write_text(table, encoding=encoding)
    dataset = load_dataset(f"folder:{folder}", "all")
    assert [dataset.class_ids(name).tolist() for name in NAMES] == [[1 + i % 3] for i in range(len(NAMES))]


@pytest.mark.parametrize("gone,line", [("a b", "a b"), ("IMG 1", "IMG 1"), ("v1.2 (copy)", "v1.2 (copy)")])
def test_a_missing_image_with_a_blank_is_named_and_no_other_opened(gone: str, line: str, folder: Path) -> None:
    (folder / "images" / f"{gone}.png").unlink()
    (folder / "list.txt").write_text(line + "\n")
    with pytest.raises(DataError, match="no file") as caught:
        load_dataset(f"folder:{folder}", str(folder / "list.txt"))
    assert gone in str(caught.value)


def test_comments_are_skipped_unless_they_name_an_image(folder: Path) -> None:
    (folder / "list.txt").write_text("# of mine\n#first\n\n#a b\na\n")
    assert load_dataset(f"folder:{folder}", str(folder / "list.txt")).ids == ("#first", "a")


def test_ids_with_classes_behind_are_read(tmp_path: Path) -> None:
    root = make_voc(tmp_path / "voc")
    (tmp_path / "list.txt").write_text(f"{IDS[0]} -1\n{IDS[1]}  1 20\n")
    assert load_dataset(f"voc:{root}", str(tmp_path / "list.txt")).ids == IDS[:2]
    assert read_id_list(tmp_path / "list.txt") == IDS[:2]


@pytest.mark.parametrize("content,message", [
    ("ä".encode("latin-1"), "not text in UTF-8 or UTF-16"), ("a\n".encode("utf-16-le"), "zero bytes"),
    (b"\x89PNG\r\n\x1a\n", "not text"), (b"", "the list is empty"), (b"\xef\xbb\xbf\n", "the list is empty"),
])
def test_other_encodings_are_refused_by_the_name_of_the_file(content: bytes, message: str, folder: Path) -> None:
    (folder / "list.txt").write_bytes(content)
    with pytest.raises(DataError, match=rf"list\.txt: .*{message}|list\.txt: {message}"):
        load_dataset(f"folder:{folder}", str(folder / "list.txt"))


@pytest.mark.parametrize("text,message", [
    ('image,labels\na,"c0\nb,c1\n', "is not CSV"), ("image,labels\na\n", "line 2 does not have as many cells"),
    ("image,labels\na,c0,c1\n", "line 2 does not have"), ("image,labels\na,c0\na.png,c1\n", "line 3 names a again"),
    (f"image,labels\na,{'x' * 140_000}\n", "is not CSV"), ("image,labels\na,c~d\n", "holds ~"),
    ("image,labels\na,background\n", "'background' is listed twice"),
])
def test_broken_tables_are_refused_by_the_name_of_the_file(text: str, message: str, folder: Path) -> None:
    (folder / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=rf"labels\.csv: .*{message}"):
        load_dataset(f"folder:{folder}", "all", skip_broken=True)


def test_class_listed_twice_is_refused(folder: Path) -> None:
    (folder / "classes.txt").write_text("c0\nc1\nc0\nc2\n", encoding="utf-16")
    with pytest.raises(DataError, match=r"classes\.txt: the class 'c0' is listed twice"):
        load_dataset(f"folder:{folder}", "all")
