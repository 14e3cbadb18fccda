"""The preset `paper` is the paper's pipeline: the table of its constants, row by row."""

from inspect import signature

import pytest
import torch

from amn_core.constants import COCO_CLASSES, VOC_CLASSES
from amn_core.infer.extractor import CAM_EPSILON
from amn_core.models.heads import ASPP_RATES
from amn_core.models.networks import DROPOUT
from amn_core.presets import FIXED, OFFICIAL_SCALES, PRESET_SCALES, PRESETS, SEED_THRESHOLDS
from amn_core.refine.dense_crf import CRFConfig, CRFFilters
from amn_core.refine.random_walk import WalkConfig
from amn_core.train.config import TrainConfig, resolve_train_config
from amn_core.train.stages import POLYNOMIAL_POWER, build_schedule

TABLE = {
    "cam": {
        "epochs": 5, "batch": 16, "crop": 512, "long_side_min": 320, "long_side_max": 640, "optimizer": "sgd",
        "lr": 0.1, "head_factor": 10, "schedule": "polynomial", "momentum": 1e-4, "weight_decay": 0},
    "amn": {
        "epochs": 5, "batch": 16, "crop": 512, "scale_min": 0.5, "scale_max": 1.5, "optimizer": "adam",
        "lr": 5e-6, "head_factor": 20, "schedule": "constant", "weight_decay": 1e-4, "epsilon": 0.4},
    "irn": {"epochs": 3, "batch": 32, "lr": 0.1, "crop": 512},
}


@pytest.mark.parametrize("method", TABLE)
def test_training_has_the_constants_of_the_paper(method: str) -> None:
    config = resolve_train_config(TrainConfig(method=method, data="x", out="x", preset="paper", seeds="x"))
    assert {key: getattr(config, key) for key in TABLE[method]} == TABLE[method]


def test_amns_new_layers_learn_at_1e_4_and_cams_rate_falls_with_power_0_9() -> None:
    assert PRESETS["paper", "amn"]["lr"] * PRESETS["paper", "amn"]["head_factor"] == pytest.approx(1e-4)
    config = resolve_train_config(TrainConfig(method="cam", data="x", out="x", preset="paper"))
    assert POLYNOMIAL_POWER == 0.9 and build_schedule(config, 100)(50) == pytest.approx(0.5**0.9)


def test_maps_and_seeds_have_the_constants_of_the_paper() -> None:
    assert PRESET_SCALES["paper"] == OFFICIAL_SCALES == "1,0.5,1.5,2" and CAM_EPSILON == 1e-5
    assert SEED_THRESHOLDS["paper"] == (0.30, 0.05)


def test_amn_has_the_papers_layers() -> None:
    from amn_core.models import build_model

    assert (ASPP_RATES, DROPOUT) == ((6, 12, 18, 24), 0.1)
    torch.manual_seed(0)
    for classes, names in ((21, VOC_CLASSES), (81, COCO_CLASSES)):  # COCO differs in its number of classes
        model = build_model("amn", "resnet50", classes)
        assert len(names) == classes and model.label_enc.weight.shape == (2048, classes - 1)
        for branch, rate in zip(model.aspp, (6, 12, 18, 24), strict=True):
            assert branch.weight.shape == (classes, 2048, 3, 3) and branch.dilation == branch.padding == (rate, rate)
            assert abs(float(branch.weight.detach().std()) - 0.01) < 1e-3 and not branch.bias.any()


def test_dense_crf_has_the_constants_of_the_paper() -> None:
    assert CRFConfig() == CRFConfig(
        iterations=10, gaussian_sxy=3, gaussian_compat=3, bilateral_sxy=50, bilateral_srgb=5, bilateral_compat=10)
    assert signature(CRFFilters.refine_labels).parameters["gt_prob"].default == 0.7


def test_thresholds_are_those_of_the_paper() -> None:
    fixed = {name: values for name, (_, _, values) in FIXED.items()}
    assert fixed["paper"]["cam"] == 0.15 and fixed["paper"]["amn"] == 0.25 and fixed["paper"]["irn"] == 0.25
    assert fixed["amn-foreground"]["amn"] == 0.45


def test_random_walk_has_the_constants_of_the_paper() -> None:
    assert WalkConfig() == WalkConfig(beta=10, steps=2**8, radius=5, power=1.3)
