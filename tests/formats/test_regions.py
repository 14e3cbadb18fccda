"""Class-agnostic masks as SAM's script writes them and as others do, and what is refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pycocotools import mask as coco_mask

from amn_core.formats.errors import FormatError
from amn_core.formats.regions import decode_runs, find_regions, read_regions

MASKS = [np.array([[1, 1, 0], [0, 1, 0]], bool), np.array([[0, 0, 0], [0, 1, 1]], bool)]
SIZE = (2, 3)


def encode(mask: np.ndarray, is_plain: bool = False) -> dict:
    """Encode a mask with COCO's own tool; plain runs by hand."""
    if not is_plain:
        packed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        return {"size": list(packed["size"]), "counts": packed["counts"].decode()}
    runs, value = [0], False
    for pixel in mask.ravel(order="F").tolist():
        if pixel != value:
            runs, value = [*runs, 0], pixel
        runs[-1] += 1
    return {"size": list(mask.shape), "counts": runs}


def write(folder, kind):
    """Write both masks of the image ``one`` in one of the ways."""
    if kind == "folder":
        (folder / "one").mkdir()
        for i, mask in enumerate(MASKS):
            Image.fromarray((mask * 255).astype(np.uint8)).save(folder / "one" / f"{i}.png")
        (folder / "one" / "metadata.csv").write_text("id,area\n0,3\n")
    elif kind == "numbered":
        Image.fromarray(np.array([[9, 9, 0], [0, 9, 400]], np.uint16)).save(folder / "one.png")
    else:
        shapes = [encode(mask, kind == "plain") for mask in MASKS]
        items = shapes if kind == "bare" else [{"segmentation": shape, "area": 1} for shape in shapes]
        content = {"image": {}, "annotations": items} if kind == "annotations" else items
        (folder / "one.json").write_text(json.dumps(content))


@pytest.mark.parametrize("kind", ["folder", "numbered", "plain", "compressed", "bare", "annotations"])
def test_masks_are_read_in_each_way_that_they_are_written(tmp_path, kind):
    write(tmp_path, kind)
    found = find_regions(tmp_path)
    masks = list(read_regions(found["one"], SIZE))
    expected = MASKS if kind != "numbered" else [np.array([[1, 1, 0], [0, 1, 0]]), np.array([[0, 0, 0], [0, 0, 1]])]
    assert list(found) == ["one"] and len(masks) == 2
    assert all(np.array_equal(mask, one) for mask, one in zip(masks, expected, strict=True))


@given(arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_compressed_runs_are_those_of_pycocotools(mask):
    for is_plain in (False, True):
        assert np.array_equal(decode_runs(encode(mask, is_plain), mask.shape, "x"), mask)


@pytest.mark.parametrize(("content", "words"), [
    ({"annotations": 3}, "holds no list of masks"), ([3], "mask 0 is no run-length encoding"),
    ([{"size": [3, 2], "counts": [6]}], "an image of 2×3"), ([{"size": [2, 3], "counts": [5]}], "do not cover"),
    ([{"size": [2, 3], "counts": [7, -1]}], "do not cover"), ([{"size": [2, 3], "counts": "~~~~"}], "do not cover"),
    ([{"size": [2, 3], "counts": ["6"]}], "do not cover"), ([{"segmentation": [[1, 2]]}], "no run-length encoding"),
])
def test_broken_run_lengths_are_refused_by_name(tmp_path, content, words):
    (tmp_path / "one.json").write_text(json.dumps(content))
    with pytest.raises(FormatError, match=words) as caught:
        list(read_regions(tmp_path / "one.json", SIZE))
    assert "one.json" in str(caught.value)


def test_masks_of_another_size_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(FormatError, match="no masks in it"):
        find_regions(tmp_path)
    with pytest.raises(FormatError, match="no such folder"):
        find_regions(tmp_path / "none")
    write(tmp_path, "numbered")
    with pytest.raises(FormatError, match="2×3 but its image 4×6"):
        list(read_regions(tmp_path / "one.png", (4, 6)))
