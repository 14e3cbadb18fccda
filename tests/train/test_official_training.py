"""``train --official``: what learns, how fast and on which labels, as in the official code."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from amn_core.cli import main
from amn_core.formats.checkpoints import read_checkpoint
from amn_core.models import build_model
from amn_core.train.config import TrainConfig, resolve_train_config
from amn_core.train.stages import build_optimizer, build_training_model, compute_amn_loss, compute_loss

SPEC = "scenes:size=64,n=2,seed=3"
CAM = TrainConfig(method="cam", data=SPEC, out="x", preset="paper", backbone="resnet50", weights="none", official=True)
AMN = replace(CAM, method="amn", seeds="seeds")


class MistakenSGD(torch.optim.SGD):
    """Passes the weight decay on by place, where SGD expects the momentum, as the official optimiser does."""

    def __init__(self, groups: list, lr: float, weight_decay: float) -> None:
        super().__init__(groups, lr, weight_decay)


def test_cam_learns_with_the_momentum_and_weight_decay_that_the_official_optimiser_ends_up_with() -> None:
    theirs = MistakenSGD(
        [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr, "weight_decay": 1e-4} for lr in (0.1, 1.0)], 0.1, 1e-4)
    ours = build_optimizer(build_model("cam", "resnet50", 21), resolve_train_config(CAM))
    for own, group in zip(ours.param_groups, theirs.param_groups, strict=True):
        for key in ("lr", "momentum", "weight_decay", "dampening", "nesterov"):
            assert own[key] == group[key]
    assert ours.param_groups[0]["momentum"] == ours.param_groups[0]["weight_decay"] == 1e-4
    plain = resolve_train_config(replace(CAM, official=False))
    assert (plain.momentum, plain.weight_decay, plain.precision) == (1e-4, 0.0, "auto")
    assert resolve_train_config(CAM).precision == "fp32"


@pytest.mark.parametrize("changes", [{"preset": "minutes"}, {"backbone": "efficientnet_lite0"}])
def test_official_training_of_something_else_is_refused(changes: dict) -> None:
    with pytest.raises(ValueError, match="pass --preset paper --backbone resnet50"):
        resolve_train_config(replace(CAM, **changes))


def test_official_irn_has_the_constants_of_the_preset() -> None:
    config = replace(CAM, method="irn", seeds="seeds")
    official, plain = resolve_train_config(config), resolve_train_config(replace(config, official=False))
    assert replace(official, official=False, precision="auto") == replace(plain, label_at="centre")


def list_learning(config: TrainConfig) -> set[str]:
    """List the parameters that get a gradient in one step, and that the optimiser has."""
    config = resolve_train_config(config)
    model, _ = build_training_model(config, 21)
    model.train()
    seed = torch.zeros(2, 64, 64, dtype=torch.int64)
    seed[:, 20:] = 3
    compute_loss(model, (torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8), torch.eye(20)[:2], seed),
                 config).backward()
    has = {id(p) for group in build_optimizer(model, config).param_groups for p in group["params"]}
    assert not any(module.training for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    return {name for name, p in model.named_parameters() if p.grad is not None and id(p) in has}


def test_norms_of_cam_learn_behind_the_stopped_gradient() -> None:
    official, ours = list_learning(CAM), list_learning(replace(CAM, official=False))
    assert ours < official
    assert official - ours == {
        name for name in official if ".bn" in name or ".downsample.1." in name}
    assert not any(name.startswith("backbone.early") for name in official)


def test_all_of_amn_learns_but_the_stem() -> None:
    official, ours = list_learning(AMN), list_learning(replace(AMN, official=False))
    every = {name for name, _ in build_model("amn", "resnet50", 21).named_parameters()}
    assert every - official == {f"backbone.early.{name}" for name in ("conv1.weight", "bn1.weight", "bn1.bias")}
    assert not any(name.startswith("backbone.early") or ".bn" in name for name in ours)


class Fixed(nn.Module):
    """A network whose logits are given."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.logits


def compute_loss_plainly(logits: np.ndarray, seed: np.ndarray, epsilon: float = 0.4) -> float:
    """Compute the official loss pixel by pixel, the seed resized with Pillow."""
    _, classes, height, width = logits.shape
    means = {"background": [], "foreground": []}
    for scores, label in zip(logits, seed):
        small = np.asarray(Image.fromarray(label.astype(np.float32)).resize((width, height), Image.Resampling.NEAREST))
        for y in range(height):
            for x in range(width):
                if small[y, x] == 255:
                    continue
                target = np.full(classes, epsilon / (classes - 1))
                target[int(small[y, x])] = 1 - epsilon
                pixel = scores[:, y, x] - np.log(np.exp(scores[:, y, x]).sum())
                means["foreground" if small[y, x] else "background"].append(-(target * pixel).sum())
    return (np.mean(means["background"]) + np.mean(means["foreground"])) / 2


def test_amn_loss_is_the_official_one_on_labels_at_the_centre_of_cells() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 21, 4, 4)).astype(np.float32)
    seed = np.kron(rng.choice([0, 4, 255], (2, 8, 8)), np.ones((8, 8), int))  # cells of two labels and more
    expected = compute_loss_plainly(logits, seed)
    batch = (torch.zeros(2, 3, 64, 64), torch.zeros(2, 20), torch.from_numpy(seed))
    model = Fixed(torch.from_numpy(logits))
    config = resolve_train_config(AMN)
    assert float(compute_amn_loss(model, batch, config)) == pytest.approx(expected, abs=1e-5)
    assert float(compute_amn_loss(model, batch, replace(config, label_at="first"))) != pytest.approx(expected, abs=1e-3)


def test_official_training_starts_from_the_first_of_torchvisions_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import ResNet50_Weights, resnet50

    asked, state = [], resnet50(weights=None).state_dict()

    def give(self, *args, **more):
        asked.append(self.name)
        return state

    monkeypatch.setattr(ResNet50_Weights, "get_state_dict", give)
    for config in (CAM, replace(CAM, official=False)):
        build_training_model(resolve_train_config(replace(config, weights="imagenet")), 21)
    assert asked == ["IMAGENET1K_V1", "IMAGENET1K_V2"]


def test_official_training_runs_and_its_checkpoint_says_so(tmp_path: Path) -> None:
    assert main(["train", "cam", "--data", SPEC, "--out", str(tmp_path), "--preset", "paper", "--backbone", "resnet50",
                 "--weights", "none", "--official", "--epochs", "1", "--batch", "2", "--crop", "32", "--lr", "1e-6",
                 "--device", "cpu"]) == 0
    content = read_checkpoint(tmp_path / "model.pth")
    assert content["config"]["official"] is True and content["config"]["weight_decay"] == 1e-4
    fresh, _ = build_training_model(resolve_train_config(CAM), content["model"]["n_classes"])
    moved = {key for key, value in fresh.state_dict().items() if not torch.equal(value, content["state"][key])}
    assert "backbone.late.layer4.2.bn3.bias" in moved and not any("running" in key for key in moved)
