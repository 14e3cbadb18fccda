"""Training: reproducible, resumable at any step to the same weights, and clear when something is wrong."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from amn_core.compute.failures import Stopped
from amn_core.data import load_dataset
from amn_core.formats.checkpoints import load_checkpoint, read_checkpoint
from amn_core.formats.masks import save_mask
from amn_core.train import loop
from amn_core.train.config import TrainConfig, resolve_train_config
from amn_core.train.loop import train
from amn_core.train.samples import Samples, build_batches


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(path)["state"]


def are_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch):
    """Make the training be asked to stop after some steps, as a signal would ask."""

    def arrange(steps: int) -> None:
        class Signals(loop.StopSignals):
            seen = 0

            @property
            def is_stopping(self) -> bool:
                return type(self).seen >= steps

            @is_stopping.setter
            def is_stopping(self, value: bool) -> None:
                pass

        original = loop.report_step

        def report(*args: object) -> None:
            Signals.seen += 1
            original(*args)

        monkeypatch.setattr(loop, "StopSignals", Signals)
        monkeypatch.setattr(loop, "report_step", report)

    return arrange


@pytest.fixture
def seeds(tmp_path: Path, tiny_cam: TrainConfig) -> Path:
    dataset = load_dataset(tiny_cam.data, "train")
    for image_id in dataset.ids:
        save_mask(tmp_path / "seeds" / f"{image_id}.png", dataset.gt(image_id), palette=False)
    return tmp_path / "seeds"


@pytest.mark.parametrize("method", ["cam", "amn", "segmentation"])
def test_resumed_training_ends_at_the_same_weights(
    method: str, tiny_cam: TrainConfig, tmp_path: Path, seeds: Path, stop_after
) -> None:
    config = replace(tiny_cam, method=method, seeds="" if method == "cam" else str(seeds))
    undisturbed = load_weights(train(replace(config, out=str(tmp_path / "whole"))))
    with pytest.MonkeyPatch.context():
        stop_after(3)  # in the middle of the second epoch of two steps
        with pytest.raises(Stopped, match="after step 3 of 6"):
            train(config)
    stop_after(10**6)
    resumed = load_weights(train(replace(config, resume=True)))
    assert are_equal(undisturbed, resumed)


def test_training_learns_and_logs(tiny_cam: TrainConfig) -> None:
    path = train(replace(tiny_cam, epochs=12, lr=1e-3))
    lines = [json.loads(line) for line in (path.parent / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [5, 10, 15, 20, 24]
    assert lines[-1]["loss"] < lines[0]["loss"]
    model, content = load_checkpoint(path)
    assert content["step"] == 24 and content["config"]["batch"] == 4 and not model.training


def test_different_seeds_of_the_draws_give_different_weights(tiny_cam: TrainConfig, tmp_path: Path) -> None:
    first = load_weights(train(replace(tiny_cam, epochs=1)))
    other = load_weights(train(replace(tiny_cam, epochs=1, seed=1, out=str(tmp_path / "other"))))
    assert not are_equal(first, other)


def test_existing_checkpoint_is_not_overwritten_unasked(tiny_cam: TrainConfig) -> None:
    train(replace(tiny_cam, epochs=1))
    with pytest.raises(ValueError, match="--resume"):
        train(replace(tiny_cam, epochs=1))
    with pytest.raises(ValueError, match="epochs=1, not 2"):
        train(replace(tiny_cam, epochs=2, resume=True))


def test_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(
    tiny_cam: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = loop.compute_loss, []

    def compute(*args: object) -> torch.Tensor:
        calls.append(1)
        loss = original(*args)
        return loss * math.nan if len(calls) == 4 else loss

    monkeypatch.setattr(loop, "compute_loss", compute)
    with pytest.raises(FloatingPointError, match=r"step 3 .images scene_"):
        train(tiny_cam)
    state = load_weights(Path(tiny_cam.out) / "last.pth")
    assert all(torch.isfinite(value).all() for value in state.values() if value.is_floating_point())


def test_amn_without_seeds_is_refused(tiny_cam: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--seeds"):
        resolve_train_config(replace(tiny_cam, method="amn"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no seed label for 8 of 8 images"):
        train(replace(tiny_cam, method="amn", seeds=str(tmp_path / "empty")))


@pytest.mark.parametrize(("field", "value"), [("epochs", 0), ("batch", 0), ("lr", 0.0), ("epsilon", 1.0)])
def test_numbers_out_of_range_are_named(field: str, value: float, tiny_cam: TrainConfig) -> None:
    with pytest.raises(ValueError, match=field):
        resolve_train_config(replace(tiny_cam, **{field: value}))


def test_samples_depend_only_on_seed_epoch_and_index(tiny_cam: TrainConfig) -> None:
    config = resolve_train_config(tiny_cam)
    dataset = load_dataset(config.data, "train")
    first, again = Samples(dataset, config), Samples(dataset, config)
    again[0, 5]  # another draw in between changes nothing
    assert torch.equal(first[1, 2][0], again[1, 2][0])
    assert not torch.equal(first[1, 2][0], first[2, 2][0])


def test_batches_from_a_step_on_are_the_tail_of_all(tiny_cam: TrainConfig) -> None:
    config = resolve_train_config(tiny_cam)
    batches = build_batches(8, config, 0)
    assert len(batches) == 6
    for step in range(6):
        assert build_batches(8, config, step) == batches[step:]
    assert sorted(index for batch in batches[:2] for _, index in batch) == list(range(8))


def test_paper_preset_has_the_constants_of_the_paper() -> None:
    cam = resolve_train_config(TrainConfig(method="cam", preset="paper"))
    assert (cam.epochs, cam.batch, cam.crop, cam.lr, cam.head_factor) == (5, 16, 512, 0.1, 10)
    amn = resolve_train_config(TrainConfig(method="amn", preset="paper", seeds="x"))
    assert np.isclose(amn.lr * amn.head_factor, 1e-4) and amn.lr == 5e-6 and amn.epsilon == 0.4
