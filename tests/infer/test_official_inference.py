"""``--official`` makes the maps that the official code makes, and its dropout the same twice."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from amn_core.cli import main
from amn_core.data import load_dataset
from amn_core.formats.checkpoints import save_checkpoint
from amn_core.formats.files import hash_file
from amn_core.formats.maps import compute_map_size, load_map
from amn_core.formats.runs import load_run
from amn_core.infer.extractor import load_extractor, normalise_scores
from amn_core.models import build_model
from tests.data.voc_maker import make_voc
from tests.formats.official_models import OfficialAMN, OfficialCAM

SPEC = "scenes:size=64,n=3,seed=3"
SCALES = (1.0, 0.5, 1.5, 2.0)
CLASS_IDS = np.array([4, 15])


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A small photograph-like image, (46, 61, 3), whose sides no scale divides evenly."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(noise).resize((61, 46), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> dict[str, tuple[nn.Module, Path]]:
    """Random networks of the official structure, and their files."""
    torch.manual_seed(3)
    root, made = tmp_path_factory.mktemp("official"), {}
    for name, build in {"cam": OfficialCAM, "amn": OfficialAMN}.items():
        network = build().eval().requires_grad_(False)
        torch.save(network.state_dict(), root / f"res50_{name}.pth")
        made[name] = network, root / f"res50_{name}.pth"
    return made


def build_views(image: np.ndarray) -> list[torch.Tensor]:
    """Build a pair of image and mirror image a scale, resized with Pillow."""
    views = []
    for scale in SCALES:
        size = [int(np.round(side * scale)) for side in image.shape[:2]]
        pixels = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC))
        pixels = np.ascontiguousarray(np.stack([pixels, pixels[:, ::-1]]).transpose(0, 3, 1, 2))
        views.append(torch.from_numpy(pixels).float())
    return views


def resize(scores: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(scores[None], size, mode="bilinear", align_corners=False)[0]


def test_official_cam_is_summed_over_views_and_divided_by_its_maximum(networks, image) -> None:
    network, path = networks["cam"]
    total = 0
    for pair in build_views(image):
        plain, mirrored = network(pair)
        total = total + resize(plain + mirrored.flip(-1), (12, 16))
    chosen = total[CLASS_IDS - 1]
    expected = (chosen / (chosen.amax((1, 2), keepdim=True) + 1e-5)).numpy()
    extractor = load_extractor(path, "cpu", "fp32", SCALES, official=True)
    assert np.abs(extractor.infer_map(image, CLASS_IDS) - expected).max() <= 1e-5


def infer_official_amn(network: nn.Module, image: np.ndarray, seed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Infer AMN's maps step by step, as the official code is described; also by how much each was spread before."""
    labels = torch.zeros(2, 20)
    labels[:, CLASS_IDS - 1] = 1
    outputs = [network(pair, labels) for pair in build_views(image)]
    outputs = [(plain + mirrored.flip(-1)) / 2 for plain, mirrored in outputs]
    logits = sum(resize(output, (12, 16)) for output in outputs) / len(SCALES)
    raw = torch.softmax(logits, 0)[CLASS_IDS].numpy()
    low, high = raw.min((1, 2), keepdims=True), raw.max((1, 2), keepdims=True)
    small = np.asarray(Image.fromarray(seed).resize((16, 12), Image.Resampling.NEAREST))
    return np.where(small == 0, raw, (raw - low) / (high - low + 1e-5)), high - low


def test_official_amn_is_stretched_but_where_the_seed_is_background(networks, image) -> None:
    network, path = networks["amn"]
    seed = np.random.default_rng(1).choice(np.array([0, 4, 255], np.uint8), image.shape[:2])
    extractor = load_extractor(path, "cpu", "fp32", SCALES, official=True)
    found = extractor.infer_map(image, CLASS_IDS, seed)
    expected, spread = infer_official_amn(network, image, seed)
    assert (np.abs(found - expected) <= 1e-5 / spread).all()  # stretching magnifies a processor's rounding as well
    assert not np.allclose(found, load_extractor(path, "cpu", "fp32", SCALES).infer_map(image, CLASS_IDS), atol=0.05)


@pytest.mark.parametrize("size", [(12, 16), (75, 125), (47, 64), (5, 9)])
def test_seeds_are_resized_as_pillow_does(size: tuple[int, int]) -> None:
    seed = np.random.default_rng(2).choice(np.array([0, 1], np.uint8), (187, 250))
    logits = torch.zeros(2, *size)
    logits[1, 0, 0] = 3.0  # stretched to 0 elsewhere, where the seed says background it stays at one half
    found = normalise_scores(logits, np.array([1]), "official", seed)[0].numpy()
    small = np.asarray(Image.fromarray(seed).resize(size[::-1], Image.Resampling.NEAREST))
    expected = small == 0
    assert np.array_equal(found[1:] > 0.25, expected[1:])


@pytest.fixture(scope="module")
def amn_file(tmp_path_factory) -> Path:
    """An AMN with random new layers on trained features, for the classes of the scenes."""
    names, path = list(load_dataset(SPEC, "train").class_names), tmp_path_factory.mktemp("amn") / "model.pth"
    arguments = {"name": "amn", "backbone": "efficientnet_lite0_small", "n_classes": len(names), "backbone_options": {}}
    torch.manual_seed(0)
    model = build_model(**arguments)
    model.backbone.load_imagenet()
    save_checkpoint(path, model, {
        "model": arguments, "class_names": names, "config": {}, "step": 0, "metrics": {}})
    return path


def infer(path: Path, image: np.ndarray, dropout_seed: int | None, device: str = "cpu") -> np.ndarray:
    return load_extractor(
        path, device, "fp32", (1.0, 0.5), normalisation="softmax", dropout_seed=dropout_seed).infer_map(image, [1, 2])


def test_dropout_with_a_seed_is_the_same_twice_and_differs_from_none(amn_file, image) -> None:
    first, second, other, off = (infer(amn_file, image, seed) for seed in (0, 0, 1, None))
    assert np.array_equal(first, second)
    assert np.abs(first - off).max() > 1e-4 and np.abs(first - other).max() > 1e-4


def test_dropout_of_two_images_differs_and_other_draws_are_left_alone(amn_file, image) -> None:
    extractor = load_extractor(amn_file, "cpu", "fp32", (1.0,), normalisation="softmax", dropout_seed=0)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = extractor.infer_map(image, [1])
    assert torch.equal(torch.rand(3), expected) and not extractor.model.training
    assert not any(module.training for module in extractor.model.modules())
    almost = image.copy()
    almost[0, 0] ^= 1
    assert np.abs(extractor.infer_map(almost, [1]) - first).max() > 1e-4  # a dot alone moves nothing by that much
    off = load_extractor(amn_file, "cpu", "fp32", (1.0,), normalisation="softmax")
    assert np.abs(off.infer_map(almost, [1]) - off.infer_map(image, [1])).max() < 1e-4


@pytest.mark.cuda
def test_dropout_with_a_seed_is_the_same_twice_on_cuda(amn_file, image) -> None:
    assert np.array_equal(infer(amn_file, image, 0, "cuda"), infer(amn_file, image, 0, "cuda"))


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> Path:
    """Seeds of the scenes, half of them background."""
    folder = tmp_path_factory.mktemp("seeds")
    for image_id in load_dataset(SPEC, "train").ids:
        label = np.zeros((64, 64), np.uint8)
        label[:, 32:] = 255
        Image.fromarray(label).save(folder / f"{image_id}.png")
    return folder


def test_official_run_says_so_and_is_the_same_twice(amn_file, seeds, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert main(["extract", "--checkpoint", str(amn_file), "--data", SPEC, "--out", str(tmp_path / name),
                     "--official", "--seeds", str(seeds), "--device", "cpu"]) == 0
    first, second = (load_run(tmp_path / name) for name in ("one", "two"))
    protocol = first.meta["protocol"]
    assert protocol["official"] is True and protocol["dropout"] == "on, seed 0" and protocol["registration"] == "cells"
    assert protocol["normalisation"] == "official" and protocol["scales"] == list(SCALES)
    assert protocol["seeds"] == seeds.name and "--official" in first.meta["command"]
    for image_id in first.map_ids:
        assert np.array_equal(load_map(first.map_path(image_id))[0], load_map(second.map_path(image_id))[0])


def test_run_without_the_switch_says_nothing_of_it(amn_file, tmp_path: Path) -> None:
    assert main(["extract", "--checkpoint", str(amn_file), "--data", SPEC, "--out", str(tmp_path), "--device",
                 "cpu"]) == 0
    protocol = load_run(tmp_path).meta["protocol"]
    assert not {"official", "dropout", "seeds"} & set(protocol) and protocol["scales"] == [0.5, 1.0, 1.5]


@pytest.mark.parametrize(("more", "message"), [
    ([], "needs the seeds of the CAM: pass --seeds"),
    (["--normalisation", "min-max"], "leave out --normalisation min-max"),
    (["--no-flip"], "leave out --no-flip")])
def test_official_without_what_it_needs_is_refused_before_the_first_image(
    more: list[str], message: str, amn_file, tmp_path: Path, capsys
) -> None:
    assert main(["extract", "--checkpoint", str(amn_file), "--data", SPEC, "--out", str(tmp_path / "run"),
                 "--official", "--device", "cpu", *more]) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_official_checkpoint_is_extracted_as_it_is(networks, tmp_path: Path) -> None:
    data, run = f"voc:{make_voc(tmp_path / 'VOC2012', with_table=True)}", tmp_path / "run"
    path = networks["cam"][1]
    assert main(["extract", "--checkpoint", str(path), "--data", data, "--out", str(run), "--device", "cpu",
                 "--precision", "fp32", "--scales", "1"]) == 0
    assert load_run(run).meta["model"] == {
        "checkpoint": "res50_cam.pth", "sha256": hash_file(path), "backbone": "ResNet50"}
    image = load_dataset(data, "train").image("2007_000002")
    cam, class_ids = load_map(run / "maps" / "2007_000002.npz", compute_map_size(*image.shape[:2]))
    expected = load_extractor(path, "cpu", "fp32", (1.0,)).infer_map(image, class_ids)
    assert class_ids.tolist() == [8, 15] and np.abs(cam - expected).max() <= 0.5 / 255 + 1e-6


def test_official_checkpoint_on_other_classes_is_refused(networks, tmp_path: Path, capsys) -> None:
    assert main(["extract", "--checkpoint", str(networks["cam"][1]), "--data", SPEC, "--out", str(tmp_path / "run"),
                 "--device", "cpu"]) == 1
    assert "knows other classes than scenes" in capsys.readouterr().err
