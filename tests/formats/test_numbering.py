"""Masks with wrong numbers are found out by the labels of their images, and read back as they were meant."""

import numpy as np
import pytest
from PIL import Image

from amn_core.constants import COCO_CATEGORY_IDS, VOC_PALETTE
from amn_core.formats.errors import FormatError
from amn_core.formats.masks import load_mask
from amn_core.formats.numbering import NUMBERINGS, Sample, diagnose, load_numbered, read_note

CLASSES = ([15], [3, 7], [12], [4], [8, 15], [20], [18, 1], [16])
ROOM = (40, 60)


def draw(classes: list[int]) -> np.ndarray:
    """Draw a mask with a block for each class, and a border that is ignored."""
    labels = np.zeros(ROOM, np.uint8)
    for place, class_id in enumerate(classes):
        labels[8:30, 4 + 28 * place:26 + 28 * place] = class_id
    labels[0] = 255
    return labels


def save_interpolated(path, labels: np.ndarray) -> None:
    """Save labels that were shrunk and enlarged as if they were brightness."""
    image = Image.fromarray(np.where(labels == 255, 0, labels).astype(np.uint8))
    small = image.resize((30, 20), Image.Resampling.NEAREST)
    small.resize((60, 40), Image.Resampling.BILINEAR).save(path)


def write_values(table: np.ndarray):
    """Build a writer of masks whose values go through a table."""
    return lambda path, labels: Image.fromarray(table[labels].astype(np.uint8)).save(path)


LABELS = np.arange(256)
WRITERS = {
    "stored": write_values(LABELS),
    "luminance": lambda path, labels: Image.fromarray(VOC_PALETTE[labels]).convert("L").save(path),
    "bgr": lambda path, labels: Image.fromarray(VOC_PALETTE[labels][..., ::-1].copy()).save(path),
    "minus-one": write_values(np.where((LABELS > 0) & (LABELS < 255), LABELS - 1, LABELS)),
    "reduced": write_values((LABELS - 1) % 256),
    "plus-one": write_values(np.where((LABELS > 0) & (LABELS < 255), LABELS + 1, LABELS)),
    "raised": write_values((LABELS + 1) % 256),
    "edges": save_interpolated,
}
COCO_WRITERS = {
    "categories": write_values(np.array([0, *COCO_CATEGORY_IDS] + [0] * 174 + [255])),
    "raised-91": write_values((LABELS + 91) % 256),
}


def write_samples(folder, writer, n_classes: int, classes=CLASSES) -> list[Sample]:
    """Write a mask for each set of classes."""
    samples = []
    for number, ids in enumerate(classes):
        path = folder / f"{number}.png"
        writer(path, draw(ids))
        present = np.array(sorted(ids))
        samples.append(Sample(path.name, lambda n, p=path, c=present: load_numbered(p, n_classes, n, c), present))
    return samples


@pytest.mark.parametrize("numbering", WRITERS)
def test_cause_is_found_by_trying_and_reads_the_masks_back(numbering, tmp_path):
    samples = write_samples(tmp_path, WRITERS[numbering], 21)
    found = diagnose(samples, 21)
    if numbering == "stored":
        assert found.strays == 0 and found.share == 0
        return
    assert found.cause == numbering and found.share >= 0.5
    said = f"are in {found.strays} of 8 masks" if found.strays else f"{found.unread} of 8 masks cannot be read"
    assert said in found.describe() and "agree" in found.describe()
    for sample, ids in zip(samples, CLASSES, strict=True):
        expected, read = draw(ids), sample.load(numbering)
        if numbering == "minus-one":
            expected[expected == 1] = 0  # aeroplane and background are one in such a mask
        if numbering == "edges":
            assert set(np.unique(read)) <= {0, 255, *ids} and (read == expected).mean() > 0.8
        else:
            np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("numbering", COCO_WRITERS)
def test_numbers_of_coco_are_found(numbering, tmp_path):
    classes = ([1], [17, 62], [80], [12], [44])
    samples = write_samples(tmp_path, COCO_WRITERS[numbering], 81, classes)
    assert diagnose(samples, 81).cause == numbering
    for sample, ids in zip(samples, classes, strict=True):
        np.testing.assert_array_equal(sample.load(numbering), draw(ids))


def test_honest_mistakes_of_a_network_are_no_other_numbering(tmp_path):
    """A network that sees a class too many in some images, in areas and not along edges, has no cause."""
    samples = write_samples(tmp_path, WRITERS["stored"], 21)
    for number in (0, 2, 5):
        labels = draw(CLASSES[number])
        labels[31:38, 30:50] = 9
        Image.fromarray(labels).save(tmp_path / f"{number}.png")
    found = diagnose(samples, 21)
    assert (found.strays, found.cause, found.example) == (3, "", "0.png")


def test_numbering_of_a_folder_is_read_from_its_note(tmp_path):
    assert read_note(tmp_path) == "stored"
    for text, name in (("luminance\n", "luminance"), ("80+91", "raised-91"), ("91", "categories"), ("80", "stored")):
        (tmp_path / "mask_values.txt").write_text(text)
        assert read_note(tmp_path) == name
    (tmp_path / "mask_values.txt").write_text("anyhow")
    with pytest.raises(FormatError, match=r"mask_values\.txt: names no numbering of masks; write one of stored"):
        read_note(tmp_path)


def test_values_without_a_place_are_refused_and_unreadable_masks_are_strays(tmp_path):
    Image.fromarray(np.full((4, 4), 77, np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(FormatError, match=r"a\.png: its values are no labels read as the luminance"):
        load_numbered(tmp_path / "a.png", 21, "luminance")
    (tmp_path / "a.png").write_bytes(b"")
    broken = Sample("a.png", lambda numbering: load_mask(tmp_path / "a.png"), np.array([1]))
    assert diagnose([broken], 21).unread == 1 and set(WRITERS) | set(COCO_WRITERS) == set(NUMBERINGS)
