"""A VOC root is found, its labels and masks come from where they say, and what is missing is named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amn_core.data import DataError, describe_problems, find_problems, load_dataset, select_ids
from tests.data.voc_maker import IDS, LABELS, make_voc


@pytest.mark.parametrize("below", ["", "VOC2012", "VOCdevkit/VOC2012"])
def test_root_is_found_at_each_level(below: str, tmp_path: Path) -> None:
    make_voc(tmp_path / below)
    assert load_dataset(f"voc:{tmp_path}", "train").ids == IDS


@pytest.mark.parametrize(
    ("arguments", "source"),
    [({"with_table": True, "with_xml": True}, "cls_labels.npy"), ({"with_xml": True}, "XML"), ({}, "masks")])
def test_labels_come_from_the_best_source_and_say_so(arguments: dict, source: str, tmp_path: Path) -> None:
    dataset = load_dataset(f"voc:{make_voc(tmp_path, **arguments)}", "train")
    assert source in dataset.label_source
    assert {i: tuple(dataset.class_ids(i).tolist()) for i in IDS} == LABELS


def test_augmented_masks_win_and_fall_back(tmp_path: Path) -> None:
    root = make_voc(tmp_path)
    (root / "SegmentationClassAug").mkdir()
    Image.fromarray(np.full((20, 30), 7, np.uint8)).save(root / "SegmentationClassAug" / f"{IDS[0]}.png")
    dataset = load_dataset(f"voc:{root}", "train")
    assert (dataset.gt(IDS[0]) == 7).all()
    assert set(np.unique(dataset.gt(IDS[1]))) == {0, 8, 15, 255}


@pytest.mark.parametrize("line", ["{0}", "/JPEGImages/{0}.jpg /SegmentationClassAug/{0}.png", "{0} 3 7"])
def test_lists_of_every_kind_are_read(line: str, tmp_path: Path) -> None:
    root = make_voc(tmp_path / "voc")
    (tmp_path / "list.txt").write_text("\n".join(line.format(i) for i in IDS[1:]) + "\n\n")
    assert load_dataset(f"voc:{root}", str(tmp_path / "list.txt")).ids == IDS[1:]


def test_missing_images_are_counted_and_skipped_only_when_asked(tmp_path: Path) -> None:
    root = make_voc(tmp_path)
    (root / "JPEGImages" / f"{IDS[1]}.jpg").unlink()
    with pytest.raises(DataError, match=rf"1 problem.*3 images.*{IDS[1]}.*--skip-broken"):
        load_dataset(f"voc:{root}", "train")
    assert load_dataset(f"voc:{root}", "train", skip_broken=True).ids == (IDS[0], IDS[2])


def test_missing_mask_gives_no_ground_truth(tmp_path: Path) -> None:
    root = make_voc(tmp_path, with_xml=True)
    (root / "SegmentationClass" / f"{IDS[0]}.png").unlink()
    assert load_dataset(f"voc:{root}", "train").gt(IDS[0]) is None


def test_problems_name_corrupt_images_masks_and_sizes(tmp_path: Path) -> None:
    root = make_voc(tmp_path, with_xml=True)
    (root / "JPEGImages" / f"{IDS[0]}.jpg").write_bytes(b"\xff\xd8 no picture")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(root / "SegmentationClass" / f"{IDS[1]}.png")
    Image.fromarray(np.full((22, 30), 77, np.uint8)).save(root / "SegmentationClass" / f"{IDS[2]}.png")
    problems = find_problems(load_dataset(f"voc:{root}", "train"), with_masks=True)
    assert [problem.image_id for problem in problems] == list(IDS)
    text = describe_problems(problems, 3)
    assert "not an image" in text and "image is 30×21 but mask is 9×9" in text and "label 77 is outside 0–20" in text


@pytest.mark.parametrize(
    ("spec", "split", "message"),
    [("voc:{root}/nowhere", "train", "no such folder"), ("voc:{root}", "val", "neither a file nor one of train"),
     ("voc:{root}/ImageSets", "train", "no JPEGImages"), ("voc", "train", "expected voc:ROOT")])
def test_what_is_missing_is_named(spec: str, split: str, message: str, tmp_path: Path) -> None:
    root = make_voc(tmp_path)
    with pytest.raises(DataError, match=message):
        load_dataset(spec.format(root=root), split)


def test_empty_and_double_lists_are_refused(tmp_path: Path) -> None:
    root = make_voc(tmp_path)
    for text, message in (("\n", "empty"), (f"{IDS[0]}\n{IDS[0]}\n", "listed twice")):
        (tmp_path / "list.txt").write_text(text)
        with pytest.raises(DataError, match=message):
            load_dataset(f"voc:{root}", str(tmp_path / "list.txt"))


def test_broken_annotation_is_named(tmp_path: Path) -> None:
    root = make_voc(tmp_path, with_xml=True)
    broken = "<annotation><object><name>unicorn</name></object></annotation>"
    (root / "Annotations" / f"{IDS[0]}.xml").write_text(broken)
    with pytest.raises(DataError, match=f"{IDS[0]}.xml: broken annotation"):
        load_dataset(f"voc:{root}", "train").class_ids(IDS[0])


def test_selected_ids_keep_their_order_and_must_exist(tmp_path: Path) -> None:
    dataset = load_dataset(f"voc:{make_voc(tmp_path)}", "train")
    assert select_ids(dataset, (IDS[2], IDS[0])).ids == (IDS[2], IDS[0])
    with pytest.raises(DataError, match="2099_000001"):
        select_ids(dataset, ("2099_000001",))


def test_real_images_labels_and_masks_agree(voc_root: Path) -> None:
    dataset = load_dataset(f"voc:{voc_root}", "train")
    assert 0 < len(dataset.ids) <= 1464 and dataset.label_source
    for image_id in dataset.ids[:5]:
        gt = dataset.gt(image_id)
        assert gt.shape == dataset.image(image_id).shape[:2]
        assert set(np.unique(gt)) - {0, 255} <= set(dataset.class_ids(image_id).tolist())
