"""What several tests of the commands start from: a run with maps, and an IRN."""

from pathlib import Path

import numpy as np
import pytest
import torch

from amn_core.data import load_dataset
from amn_core.formats.checkpoints import save_checkpoint
from amn_core.formats.maps import save_map
from amn_core.formats.runs import save_run
from amn_core.models import build_model

SPEC = "scenes:size=64,n=4,seed=3"


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
