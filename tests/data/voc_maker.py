"""A small VOC root in VOC's own layout, drawn by the tests."""

from pathlib import Path

import numpy as np
from PIL import Image

from amn_core.constants import VOC_CLASSES

IDS = ("2007_000001", "2007_000002", "2008_000003")
LABELS = {"2007_000001": (12,), "2007_000002": (8, 15), "2008_000003": (3,)}


def make_voc(
    root: Path, masks: str = "SegmentationClass", with_table: bool = False, with_xml: bool = False
) -> Path:
    """Make a VOC2012 folder with three images; labels are where the arguments say."""
    for folder in ("JPEGImages", masks, "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, image_id in enumerate(IDS):
        pixels = np.full((20 + number, 30, 3), 60 * number, np.uint8)
        Image.fromarray(pixels).save(root / "JPEGImages" / f"{image_id}.jpg")
        mask = np.zeros((20 + number, 30), np.uint8)
        for place, class_id in enumerate(LABELS[image_id]):
            mask[5:10, 5 + 8 * place:10 + 8 * place] = class_id
        mask[0] = 255
        Image.fromarray(mask).save(root / masks / f"{image_id}.png")
    (root / "ImageSets/Segmentation/train.txt").write_text("\n".join(IDS) + "\n")
    if with_table:
        from amn_core.formats.labels import save_cls_labels

        save_cls_labels(root / "cls_labels.npy", {i: np.array(c) for i, c in LABELS.items()}, 20)
    if with_xml:
        (root / "Annotations").mkdir()
        for image_id, class_ids in LABELS.items():
            objects = "".join(f"<object><name>{VOC_CLASSES[c]}</name></object>" for c in class_ids)
            (root / "Annotations" / f"{image_id}.xml").write_text(f"<annotation>{objects}</annotation>")
    return root
