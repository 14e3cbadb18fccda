"""Maps, runs and checkpoints survive the disk; what is broken is named."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from amn_core.formats.checkpoints import load_checkpoint, read_checkpoint, save_checkpoint
from amn_core.formats.files import write_bytes, write_json
from amn_core.formats.maps import compute_map_size, load_map, resize_maps, save_map
from amn_core.formats.runs import describe_data, find_runs, load_run, resolve_spec, save_run
from amn_core.models import build_model

META = {
    "name": "CAM", "method": "cam", "data": "scenes:n=2", "split": "train", "class_names": ["background", "a"],
    "protocol": {"normalisation": "max"}}


def test_map_round_trip_is_within_half_a_level(tmp_path: Path) -> None:
    cam = np.random.default_rng(0).random((2, 5, 7), dtype=np.float32)
    save_map(tmp_path / "x.npz", cam, np.array([3, 20]), (5, 7))
    loaded, class_ids = load_map(tmp_path / "x.npz")
    assert class_ids.tolist() == [3, 20] and loaded.dtype == np.float32
    assert np.abs(loaded - cam).max() <= 0.5 / 255 + 1e-6


def test_map_without_classes_round_trips(tmp_path: Path) -> None:
    save_map(tmp_path / "x.npz", np.zeros((0, 2, 2), np.float32), np.array([], int), (8, 8))
    loaded, class_ids = load_map(tmp_path / "x.npz")
    assert loaded.shape == (0, 8, 8) and len(class_ids) == 0


def test_resizing_is_torchs_bilinear_without_aligned_corners() -> None:
    cam = np.random.default_rng(1).random((2, 6, 9), dtype=np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(cam)[None], size=(23, 34), mode="bilinear", align_corners=False)[0].numpy()
    assert np.abs(resize_maps(cam, 23, 34) - expected).max() < 1e-5


def test_map_size_is_a_quarter_rounded_up() -> None:
    assert compute_map_size(375, 500) == (94, 125)


def test_wrong_maps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 maps but 1 class"):
        save_map(tmp_path / "x.npz", np.zeros((2, 2, 2)), np.array([1]), (8, 8))
    for bad in (1.5, -0.1, np.nan):
        with pytest.raises(ValueError, match="outside"):
            save_map(tmp_path / "x.npz", np.full((1, 2, 2), bad), np.array([1]), (8, 8))
    with pytest.raises(ValueError, match="no such map"):
        load_map(tmp_path / "x.npz")
    save_map(tmp_path / "x.npz", np.zeros((1, 2, 2)), np.array([1]), (8, 8))
    content = (tmp_path / "x.npz").read_bytes()
    for cut in (0, 10, len(content) // 2, len(content) - 5):
        (tmp_path / "x.npz").write_bytes(content[:cut])
        with pytest.raises(ValueError, match="broken map"):
            load_map(tmp_path / "x.npz")


def test_run_round_trip_and_search(tmp_path: Path) -> None:
    save_run(tmp_path / "b" / "one", META)
    save_run(tmp_path / "a", META | {"name": "other"})
    write_json(tmp_path / "c" / "run.json", {"format": "something else"})
    assert [run.name for run in find_runs(tmp_path)] == ["other", "CAM"]
    run = load_run(tmp_path / "b" / "one")
    assert run.meta["versions"]["numpy"] == np.__version__ and not run.has_maps and not run.has_counts
    assert resolve_spec(run) == "scenes:n=2"


@pytest.mark.parametrize(
    ("change", "message"),
    [({"method": "magic"}, "unknown method 'magic'"), ({"version": 99}, "newer version"), ({"format": "x"}, "not the")])
def test_wrong_run_json_is_named(change: dict, message: str, tmp_path: Path) -> None:
    save_run(tmp_path, META)
    description = json.loads((tmp_path / "run.json").read_text())
    write_json(tmp_path / "run.json", description | change)
    with pytest.raises(ValueError, match=message):
        load_run(tmp_path)


def test_run_json_that_lacks_something_says_what(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"format": "amn-run", "version": 1, "name": "x"})
    with pytest.raises(ValueError, match="lacks method, data"):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match="not readable as JSON"):
        load_run(tmp_path)
    with pytest.raises(ValueError, match="no counts yet"):
        save_run(tmp_path, META).counts()


@pytest.mark.parametrize("image_id", ["", "..", "a/b", "..\\x", "a\0b"])
def test_image_ids_cannot_leave_the_run(image_id: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a file name"):
        save_run(tmp_path, META).map_path(image_id)


def test_data_is_described_without_the_machines_path(tmp_path: Path) -> None:
    assert describe_data(f"voc:{tmp_path}/VOC2012") == ("voc:VOC2012", str(tmp_path / "VOC2012"))
    assert describe_data("scenes:n=3") == ("scenes:n=3", "")


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes(tmp_path / "x", b"old")
    monkeypatch.setattr("os.fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_bytes(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


@pytest.fixture(scope="module")
def amn():
    return build_model("amn", "efficientnet_lite0", 5)


def save_amn(path: Path, model, half: bool) -> None:
    arguments = {"name": "amn", "backbone": "efficientnet_lite0", "n_classes": 5, "backbone_options": {}}
    save_checkpoint(path, model, {"model": arguments, "class_names": list("abcde"), "config": {}, "step": 3,
                                  "metrics": {}}, half=half)


@pytest.mark.parametrize("half", [False, True])
def test_checkpoint_builds_its_model_again(half: bool, amn, tmp_path: Path) -> None:
    save_amn(tmp_path / "m.pth", amn, half)
    model, content = load_checkpoint(tmp_path / "m.pth")
    assert content["step"] == 3 and not model.training
    for ours, theirs in zip(amn.state_dict().values(), model.state_dict().values(), strict=True):
        assert torch.allclose(ours.float(), theirs.float(), atol=1e-3 if half else 0, rtol=1e-3 if half else 0)


def test_half_checkpoint_of_voc_is_under_12_mb(tmp_path: Path) -> None:
    model = build_model("amn", "efficientnet_lite0", 21)
    save_checkpoint(tmp_path / "m.pth", model, {"model": {}}, half=True)
    assert (tmp_path / "m.pth").stat().st_size < 12e6


def test_broken_checkpoints_are_named(amn, tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    save_amn(path, amn, True)
    content = path.read_bytes()
    for broken in (b"", content[:1000], content[: len(content) // 2], b"x" * 100):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"m\.pth: not a readable checkpoint"):
            read_checkpoint(path)
    torch.save({"weights": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="not a checkpoint of this project"):
        read_checkpoint(path)


def test_checkpoint_with_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return print, ("code ran",)

    torch.save({"format": "amn-checkpoint", "version": 1, "state": Evil()}, tmp_path / "m.pth")
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "m.pth")
