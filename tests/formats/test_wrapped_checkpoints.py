"""Checkpoints as training code wraps them are read like the bare ones; what stands in their place is named."""

import pytest
import torch

from amn_core.formats.checkpoints import load_state, read_checkpoint, unwrap
from amn_core.models.backbones import build_backbone
from amn_core.train.config import TrainConfig
from amn_core.train.stages import build_training_model
from tests.formats.official_models import OfficialCAM

WRAPPINGS = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model": lambda state: {"model": state, "optimizer": {"state": {}, "param_groups": []}},
    "module.": lambda state: {f"module.{key}": value for key, value in state.items()},
    "state_dict and module.": lambda state: {"state_dict": {f"module.{key}": v for key, v in state.items()}},
    "model in state_dict": lambda state: {"state_dict": {"model": state}},
}


@pytest.fixture(scope="module")
def official():
    """The state_dict of the official CAM network."""
    return OfficialCAM().state_dict()


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_official_checkpoint_is_read_however_it_is_wrapped(wrapping, official, tmp_path):
    torch.save(WRAPPINGS[wrapping](official), tmp_path / "m.pth")
    content = read_checkpoint(tmp_path / "m.pth")
    assert content["official"] and content["model"]["name"] == "cam"
    assert torch.equal(content["state"]["classifier.weight"], official["classifier.weight"])


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_weights_of_a_backbone_are_read_however_they_are_wrapped(wrapping, tmp_path):
    state = {"conv1.weight": torch.ones(2), "bn1.bias": torch.zeros(2)}
    torch.save(WRAPPINGS[wrapping](state), tmp_path / "w.pth")
    assert {key: value.tolist() for key, value in load_state(tmp_path / "w.pth").items()} == {
        "conv1.weight": [1, 1], "bn1.bias": [0, 0]}


@pytest.mark.parametrize("content,message", [
    (b"<!DOCTYPE html>", "an HTML page"), (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
    (b"", "empty"), (b"\x80\x02", "not a readable checkpoint"), (b"PK\x03\x04rest", "not a readable checkpoint"),
    (b"anything at all", "not a readable checkpoint"),
])
def test_what_stands_in_place_of_a_checkpoint_is_named_in_one_line(content, message, tmp_path):
    path = tmp_path / "m.pth"
    path.write_bytes(content)
    for load in (read_checkpoint, load_state):
        with pytest.raises(ValueError, match=message) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "resnet50"])
@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {"conv1.weight": torch.ones(1)}, {"_blocks.x": torch.ones(1)}])
def test_weights_of_something_else_end_in_one_line(backbone, content, tmp_path):
    torch.save(content, tmp_path / "w.pth")
    config = TrainConfig(method="cam", backbone=backbone, weights=str(tmp_path / "w.pth"), data="scenes", out="x")
    with pytest.raises(ValueError, match=r"w\.pth: (holds no tensors|the tensor .* is missing|.* has the shape)"):
        build_training_model(config, 21)
    assert build_backbone(backbone) is not None


def test_a_checkpoint_of_ours_is_not_unwrapped_and_must_be_whole(tmp_path):
    content = {"format": "amn-checkpoint", "model": {"name": "cam"}, "version": 1}
    assert unwrap(content) is content
    torch.save(content, tmp_path / "m.pth")
    with pytest.raises(ValueError, match="a checkpoint without class_names, state"):
        read_checkpoint(tmp_path / "m.pth")
    torch.save(content | {"version": "1", "state": {}, "class_names": []}, tmp_path / "m.pth")
    with pytest.raises(ValueError, match="a checkpoint without its version or weights"):
        read_checkpoint(tmp_path / "m.pth")
