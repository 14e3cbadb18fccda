"""What several tests of the commands start from: a run with maps, an IRN, and files to import."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amn_core.constants import VOC_CLASSES
from amn_core.data import load_dataset
from amn_core.formats.checkpoints import save_checkpoint
from amn_core.formats.maps import save_map
from amn_core.formats.masks import save_mask
from amn_core.formats.runs import save_run
from amn_core.models import build_model
from tests.formats.layouts import make_maps, write_irn

SPEC = "scenes:size=64,n=4,seed=3"
IDS = [f"2007_{number:06d}" for number in range(6)]
LABELS = [[3], [1, 12], [20], [5, 6], [8], [1, 20]]
SHAPE = (12, 16)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of AMN whose maps are the ground truth, blurred by being stored small, with noise."""
    path, dataset = tmp_path_factory.mktemp("source") / "amn", load_dataset(SPEC, "train")
    rng = np.random.default_rng(0)
    run = save_run(path, {
        "name": "AMN", "method": "amn", "data": SPEC, "split": "train", "class_names": list(dataset.class_names),
        "model": {"checkpoint": "model.pth", "sha256": "0" * 64, "backbone": "x"},
        "protocol": {"normalisation": "image-softmax", "classes": ["background", dataset.class_names[1]]}})
    for image_id in dataset.ids:
        gt, class_ids = dataset.gt(image_id), dataset.class_ids(image_id)
        cam = np.stack([(gt == c)[::4, ::4] * 0.7 for c in class_ids]) + rng.random((len(class_ids), 16, 16)) * 0.3
        save_map(run.map_path(image_id), cam.astype(np.float32), class_ids, gt.shape)
    return path


@pytest.fixture(scope="module")
def irn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An IRN with random branches, whose edges are between 0 and 1."""
    torch.manual_seed(0)
    arguments = {"name": "irn", "backbone": "efficientnet_lite0_small", "n_classes": 6, "backbone_options": {}}
    model = build_model(**arguments)
    model.backbone.load_imagenet()
    path = tmp_path_factory.mktemp("irn") / "model.pth"
    save_checkpoint(path, model, {"model": arguments, "class_names": [], "config": {}, "step": 0, "metrics": {}})
    return path


@pytest.fixture
def data(tmp_path):
    """A folder data set of six small images with VOC's classes; returns its spec."""
    root = tmp_path / "data"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    draw = np.random.default_rng(5)
    rows = ["image,labels"]
    for image_id, ids in zip(IDS, LABELS, strict=True):
        Image.fromarray(draw.integers(0, 256, (*SHAPE, 3), dtype=np.uint8)).save(root / "images" / f"{image_id}.png")
        gt = draw.choice([0, 255, *ids], SHAPE).astype(np.uint8)
        save_mask(root / "masks" / f"{image_id}.png", gt)
        rows.append(f"{image_id},{';'.join(VOC_CLASSES[i] for i in ids)}")
    (root / "labels.csv").write_text("\n".join(rows))
    (root / "classes.txt").write_text("\n".join(VOC_CLASSES[1:]))
    return f"folder:{root}"


@pytest.fixture
def maps(tmp_path):
    """A folder of IRN dicts for the images of `data`."""
    folder = tmp_path / "maps"
    folder.mkdir()
    for i, (image_id, ids) in enumerate(zip(IDS, LABELS, strict=True)):
        write_irn(folder / f"{image_id}.npy", make_maps(len(ids), *SHAPE, seed=i), np.array(ids))
    return folder
