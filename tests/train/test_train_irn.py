"""Training IRN through the one loop: it learns, resumes to the same weights, and keeps the mean displacement."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from amn_core.cli import main
from amn_core.data import load_dataset
from amn_core.formats.checkpoints import load_checkpoint, read_checkpoint
from amn_core.formats.masks import save_mask
from amn_core.train import loop, relations
from amn_core.train.config import TrainConfig, resolve_train_config
from amn_core.train.loop import train

SPEC = "scenes:size=64,n=8,seed=3"


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    dataset = load_dataset(SPEC, "train")
    for image_id in dataset.ids:
        save_mask(tmp_path / "seeds" / f"{image_id}.png", dataset.gt(image_id), palette=False)
    return TrainConfig(
        method="irn", data=SPEC, preset="scenes", backbone="efficientnet_lite0_small", out=str(tmp_path / "irn"),
        seeds=str(tmp_path / "seeds"), epochs=2, batch=4, crop=48, device="cpu")


def measure_loss(model: torch.nn.Module, config: TrainConfig) -> float:
    """Measure the loss on all images as they are, without augmentation."""
    dataset = load_dataset(SPEC, "train")
    images, seeds = (np.stack([read(i) for i in dataset.ids]) for read in (dataset.image, dataset.gt))
    batch = torch.from_numpy(images).permute(0, 3, 1, 2), torch.zeros(0), torch.from_numpy(seeds).long()
    with torch.no_grad():
        return float(relations.compute_irn_loss(model, batch, config))


def test_irn_learns_while_its_backbone_stays(config: TrainConfig) -> None:
    start, _ = loop.build_training_model(resolve_train_config(config), 11)
    model, _ = load_checkpoint(train(replace(config, epochs=14)))
    assert measure_loss(model, config) < 0.9 * measure_loss(start, config)
    for key, value in start.backbone.state_dict().items():
        assert torch.equal(value, model.backbone.state_dict()[key])


def test_mean_displacement_over_the_training_images_is_taken_off(config: TrainConfig) -> None:
    model, _ = load_checkpoint(train(config))
    dataset = load_dataset(SPEC, "train")
    with torch.no_grad():
        means = [model(torch.from_numpy(dataset.image(i).copy()).permute(2, 0, 1)[None])[1].mean((0, 2, 3))
                 for i in dataset.ids]
    assert model.displacement_mean.abs().max() > 1e-3
    assert torch.stack(means).mean(0).abs().max() < 1e-4


def test_resumed_irn_ends_at_the_same_weights(config: TrainConfig, tmp_path: Path, monkeypatch) -> None:
    whole = read_checkpoint(train(replace(config, out=str(tmp_path / "whole"))))["state"]
    original = loop.run_step

    def stop(training, *rest):
        if training.step == 3:
            raise KeyboardInterrupt
        return original(training, *rest)

    monkeypatch.setattr(loop, "run_step", stop)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    monkeypatch.setattr(loop, "run_step", original)
    resumed = read_checkpoint(train(replace(config, resume=True)))["state"]
    assert whole.keys() == resumed.keys() and all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_long_data_sets_are_measured_on_evenly_spaced_images(monkeypatch) -> None:
    monkeypatch.setattr(relations, "MEASURED_IMAGES", 4)
    assert relations.choose_evenly(tuple("abcdefgh")) == ["a", "c", "e", "g"]
    assert relations.choose_evenly(("a", "b")) == ["a", "b"]


def test_what_irn_cannot_do_is_refused(config: TrainConfig, tmp_path: Path, capsys) -> None:
    with pytest.raises(ValueError, match="--seeds"):
        resolve_train_config(replace(config, seeds=""))
    with pytest.raises(ValueError, match="--probe"):
        resolve_train_config(replace(config, probe=4))
    path = train(replace(config, epochs=1))
    assert main(["extract", "--checkpoint", str(path), "--data", SPEC, "--out", str(tmp_path / "run")]) == 1
    assert "refine --method irn" in capsys.readouterr().err


def test_paper_preset_has_the_constants_of_irn() -> None:
    config = resolve_train_config(TrainConfig(method="irn", preset="paper", seeds="x"))
    assert (config.epochs, config.batch, config.crop, config.lr, config.head_factor) == (3, 32, 512, 0.1, 10)
    assert (config.optimizer, config.schedule, config.weight_decay) == ("sgd", "polynomial", 1e-4)
