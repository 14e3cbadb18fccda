"""The probe: what is looked at after each epoch, and that the training does not notice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from amn_core.commands.estimate import estimate, format_estimate
from amn_core.commands.pipeline import ReproduceConfig
from amn_core.commands.reproduce import Stages, choose_methods, remember_config
from amn_core.data import load_dataset
from amn_core.formats.checkpoints import load_checkpoint, read_checkpoint
from amn_core.formats.maps import load_map
from amn_core.formats.trainings import load_probe
from amn_core.sweep import count_image
from amn_core.train.config import TrainConfig
from amn_core.train.loop import train
from amn_core.train.probe import choose_images, evaluate


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training of two epochs with a probe of five images."""
    out = tmp_path_factory.mktemp("probed")
    return train(TrainConfig(
        data="scenes:size=64,n=8,seed=3", out=str(out), epochs=2, batch=4, crop=32, long_side_min=32, long_side_max=48,
        device="cpu", probe=5)).parent


def test_probe_does_not_change_the_weights(probed: Path, tmp_path: Path) -> None:
    config = read_checkpoint(probed / "model.pth")["config"]
    without = train(replace(TrainConfig(**config), probe=0, out=str(tmp_path)))
    first, second = (read_checkpoint(path)["state"] for path in (probed / "model.pth", without))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not (tmp_path / "probe").exists()


def test_probe_keeps_counts_maps_and_pictures_of_each_epoch(probed: Path) -> None:
    probe = load_probe(probed)
    assert probe.epochs == (0, 1, 2)
    assert len(probe.meta["images"]) == 5 and probe.shown == tuple(probe.meta["images"][:4])
    dataset = load_dataset(probe.meta["data"], probe.meta["split"])
    counts = probe.counts(2)
    assert counts.image_ids == tuple(probe.meta["images"])
    for image_id in probe.shown:
        assert probe.picture_path(image_id).is_file()
        cam, class_ids = load_map(probe.map_path(2, image_id))
        alone = count_image(cam, class_ids, dataset.gt(image_id), n_classes=11)
        assert np.array_equal(counts.select([image_id]).decision_bins, alone.decision_bins)
    assert not np.array_equal(probe.counts(0).decision_bins.sum(0), counts.decision_bins.sum(0))


def test_probe_of_an_epoch_that_was_cut_off_is_made_on_resume(probed: Path) -> None:
    path = probed / "probe" / "epoch-002" / "counts.npz"
    before = path.read_bytes()
    path.unlink()
    train(replace(TrainConfig(**read_checkpoint(probed / "last.pth")["config"]), resume=True))
    assert path.read_bytes() == before


def test_probe_images_are_spread_and_have_ground_truth() -> None:
    dataset = load_dataset("scenes:size=32,n=40,seed=1", "train")
    assert choose_images(dataset, 4) == tuple(f"scene_{i:06d}" for i in (0, 10, 20, 30))
    assert choose_images(dataset, 0) == () and len(choose_images(dataset, 100)) == 40

    class WithoutSome(type(dataset)):
        def gt(self, image_id: str) -> np.ndarray | None:
            return None if image_id < "scene_000015" else super().gt(image_id)

    partly = WithoutSome(dataset.config, dataset.ids)
    assert choose_images(partly, 4) == tuple(f"scene_{i:06d}" for i in (15, 16, 20, 30))


@pytest.mark.parametrize("is_training", [True, False])
def test_mode_is_put_back_even_after_an_error(is_training: bool, probed: Path) -> None:
    model = load_checkpoint(probed / "model.pth")[0].train(is_training)
    with pytest.raises(RuntimeError), evaluate(model):
        assert not model.training
        raise RuntimeError
    assert model.training is is_training


def test_metrics_name_the_memory(probed: Path) -> None:
    from amn_core.jobs import read_metrics

    assert read_metrics(probed / "metrics.jsonl")[-1]["memory"] > 1e8


def test_methods_of_a_reproduction_are_chosen_in_order(tmp_path: Path) -> None:
    assert choose_methods(ReproduceConfig(methods="amn, cam")) == ("cam", "amn")
    assert choose_methods(ReproduceConfig(methods="irn,cam")) == ("cam", "amn", "irn")  # which goes on from AMN
    for methods in ("", "cam,grad-cam"):
        with pytest.raises(ValueError, match="expected some of"):
            choose_methods(ReproduceConfig(methods=methods))
    remember_config(Stages(ReproduceConfig(data="scenes", out=str(tmp_path), methods="cam")))
    remember_config(Stages(ReproduceConfig(data="scenes", out=str(tmp_path), methods="cam,amn", probe=3)))
    with pytest.raises(ValueError, match="batch=None, not 2"):
        remember_config(Stages(ReproduceConfig(data="scenes", out=str(tmp_path), batch=2)))


def test_estimate_measures_every_stage_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = estimate(ReproduceConfig(
        data="scenes:size=32,n=4,seed=3", train_split="train", split="val", methods="cam,amn", batch=2, crop=32,
        device="cpu"))
    names = ["train cam", "seeds", "train amn", "measure cam", "measure amn"]
    assert [stage["name"] for stage in result["stages"]] == names
    assert all(stage["seconds"] > 0 for stage in result["stages"]) and result["memory"] > 1e8
    assert np.isclose(result["seconds"], sum(stage["seconds"] for stage in result["stages"]))
    assert "train amn" in format_estimate(result) and not list(tmp_path.iterdir())
