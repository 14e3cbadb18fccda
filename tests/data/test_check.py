"""A check names what is broken and what is odd in a data set, each with the images and the remedy."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amn_core.cli import main
from amn_core.constants import VOC_CLASSES, VOC_PALETTE
from amn_core.data import DataError, load_dataset
from amn_core.data.check import check_dataset, format_check
from amn_core.data.preview import draw_contact_sheet
from tests.data.voc_maker import IDS, LABELS, make_voc


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A VOC root whose images differ, with annotations."""
    root = make_voc(tmp_path / "voc", with_xml=True)
    draw = np.random.default_rng(0)
    for number, image_id in enumerate(IDS):
        save_image(root, image_id, draw.integers(0, 255, (20 + number, 30, 3), dtype=np.uint8))
    return root


def save_image(root: Path, image_id: str, pixels: np.ndarray) -> None:
    """Save an image without loss under its name."""
    Image.fromarray(pixels).save(root / "JPEGImages" / f"{image_id}.jpg", quality=95)


def save_gt(root: Path, image_id: str, labels: np.ndarray) -> None:
    """Save the mask of an image."""
    Image.fromarray(labels.astype(np.uint8)).save(root / "SegmentationClass" / f"{image_id}.png")


def read_gt(root: Path, image_id: str) -> np.ndarray:
    """Read the mask of an image."""
    return np.asarray(Image.open(root / "SegmentationClass" / f"{image_id}.png"))


def find(root: Path, kind: str) -> dict:
    """Check a root and find one kind of finding."""
    found = {finding["kind"]: finding for finding in check_dataset(f"voc:{root}", "train")["findings"]}
    assert kind in found, sorted(found)
    return found[kind]


def test_sound_data_have_no_findings(root):
    report = check_dataset(f"voc:{root}", "train")
    assert report["findings"] == [] and report["errors"] == 0 and report["masks"] == 3
    assert "nothing is wrong or odd" in format_check(report)


def make_nothing(root: Path) -> None:
    """Paint every mask in 0 and 255."""
    for image_id in IDS:
        save_gt(root, image_id, np.where(read_gt(root, image_id) > 0, 255, 0))


def make_luminance(root: Path) -> None:
    """Turn the colours of every mask to grey."""
    for image_id in IDS:
        grey = Image.fromarray(VOC_PALETTE[read_gt(root, image_id)]).convert("L")
        save_gt(root, image_id, np.asarray(grey))


BREAK = {
    "file": (True, lambda r: (r / "JPEGImages" / f"{IDS[0]}.jpg").unlink(), IDS[0]),
    "image": (True, lambda r: (r / "JPEGImages" / f"{IDS[0]}.jpg").write_bytes(b"\xff\xd8"), f"{IDS[0]}.jpg"),
    "label": (True, lambda r: (r / "Annotations" / f"{IDS[0]}.xml").write_text("<a>"), f"{IDS[0]}.xml"),
    "mask": (True, lambda r: save_gt(r, IDS[0], np.full((20, 30), 77)), "label 77 is outside 0–20"),
    "size": (True, lambda r: save_gt(r, IDS[0], np.zeros((30, 20))), "image is 30×20 but mask is 20×30"),
    "twice": (False, lambda r: save_image(r, IDS[2], np.asarray(Image.open(r / "JPEGImages" / f"{IDS[2]}.jpg"))) or
              (r / "JPEGImages" / f"{IDS[0]}.jpg").write_bytes((r / "JPEGImages" / f"{IDS[2]}.jpg").read_bytes()),
              f"{IDS[2]} and {IDS[0]}"),
    "no mask": (False, lambda r: (r / "SegmentationClass" / f"{IDS[0]}.png").unlink(), IDS[0]),
    "stray": (False, lambda r: save_gt(r, IDS[0], np.eye(20, 30) * 5 + (np.eye(20, 30, 1) > 0) * LABELS[IDS[0]][0]),
              f"{IDS[0]} (bottle)"),
    "absent": (False, lambda r: save_gt(r, IDS[1], np.eye(21, 30) * 8), f"{IDS[1]} (person)"),
    "no class": (False, lambda r: save_gt(r, IDS[0], np.zeros((20, 30))), IDS[0]),
    "no ground": (False, lambda r: save_gt(r, IDS[0], np.full((20, 30), LABELS[IDS[0]][0])), IDS[0]),
    "ignored": (False, lambda r: save_gt(r, IDS[0], np.full((20, 30), 255)), IDS[0]),
    "small": (False, lambda r: save_image(r, IDS[0], np.asarray(Image.new("RGB", (9, 40)))), f"{IDS[0]} (9×40)"),
    "flat": (False, lambda r: save_image(r, IDS[0], np.full((20, 30, 3), 90, np.uint8)), IDS[0]),
    "ground truth": (True, make_nothing, None),
    "numbering": (True, make_luminance, None),
}


@pytest.mark.parametrize("kind", BREAK)
def test_each_fault_is_found_by_name_with_a_remedy(kind, root):
    is_error, change, example = BREAK[kind]
    change(root)
    finding = find(root, kind)
    assert finding["is_error"] == is_error and finding["count"] >= 1 and finding["remedy"]
    if example is not None:
        assert any(example in shown for shown in finding["examples"]), finding["examples"]
    if kind == "numbering":
        assert "read as the luminance" in finding["text"] and "mask_values.txt" in finding["remedy"]


def test_names_alike_but_for_their_case_are_an_error(root):
    for name in ("Ab", "aB"):
        save_image(root, name, np.random.default_rng(len(name)).integers(0, 255, (20, 30, 3), dtype=np.uint8))
        (root / "Annotations" / f"{name}.xml").write_text("<annotation></annotation>")
    (root / "ImageSets/Segmentation/train.txt").write_text("Ab\naB\n")
    assert find(root, "ids")["examples"] == ["aB and Ab"]
    assert find(root, "ground truth")["is_error"] is False


def test_command_prints_a_table_or_json_and_fails_on_errors_alone(root, capsys):
    assert main(["data", "check", f"voc:{root}"]) == 0
    (root / "SegmentationClass" / f"{IDS[0]}.png").unlink()
    assert main(["data", "check", f"voc:{root}"]) == 0
    assert "1  note   images without a mask" in capsys.readouterr().out
    save_gt(root, IDS[0], np.zeros((9, 9)))
    assert main(["data", "check", f"voc:{root}", "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["errors"] == 1 and "masks of another size" in captured.err


def test_preview_shows_any_data_set(root, tmp_path, capsys):
    (root / "JPEGImages" / f"{IDS[1]}.jpg").write_bytes(b"\xff\xd8")
    sheet = draw_contact_sheet(load_dataset(f"voc:{root}", "train"), 3)
    assert sheet.width > 300 and len(sheet.getcolors(1 << 20)) > 50
    assert main(["data", "preview", f"voc:{root}", "--out", str(tmp_path / "sheet.jpg")]) == 0
    with Image.open(tmp_path / "sheet.jpg") as image:
        assert image.format == "JPEG"
    assert main(["data", "preview", f"voc:{root}", "--out", str(tmp_path / "sheet.txt")]) == 1
    with pytest.raises(DataError, match="ask for at least one"):
        draw_contact_sheet(load_dataset(f"voc:{root}", "train"), 0)
    assert VOC_CLASSES[0] == "background"
