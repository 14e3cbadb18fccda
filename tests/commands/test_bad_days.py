"""Bad days: each ends with one message that says what helps, and costs nothing that was done."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from amn_core.cli import main
from amn_core.compute.parallel import run_chunks
from amn_core.formats.checkpoints import load_checkpoint, read_checkpoint, save_checkpoint
from amn_core.formats.files import write_bytes
from amn_core.formats.maps import load_map
from amn_core.formats.runs import load_run
from amn_core.train import loop
from amn_core.train.config import TrainConfig
from amn_core.train.failures import describe_out_of_memory
from amn_core.train.loop import train

SPEC = "scenes:size=64,n=8,seed=3"
MANY = "scenes:size=64,n=160,seed=3"


def fail_at(monkeypatch: pytest.MonkeyPatch, step: int, error: BaseException) -> None:
    """Let the step of this number raise an error."""
    original = loop.run_step

    def run(training, *rest):
        if training.step == step:
            raise error
        return original(training, *rest)

    monkeypatch.setattr(loop, "run_step", run)


def write_arguments(config: TrainConfig, *more: str) -> list[str]:
    return ["train", "cam", "--data", config.data, "--out", config.out, "--epochs", "3", "--batch", "4", "--crop", "32",
            "--long-side-min", "32", "--long-side-max", "48", "--device", "cpu", *more]


@pytest.mark.parametrize("error", [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), MemoryError()])
def test_memory_that_runs_out_suggests_half(tiny_cam, monkeypatch, capsys, error: BaseException) -> None:
    fail_at(monkeypatch, 2, error)
    assert main(write_arguments(tiny_cam)) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1 and "with --batch 4 and --crop 32: use --batch 2" in said[0]
    assert "last.pth is whole" in said[0]
    assert read_checkpoint(Path(tiny_cam.out) / "last.pth")["step"] == 2


def test_suggested_sizes_need_about_half(monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(batch=6, crop=512)
    assert "use --batch 3, or --crop 352 " in describe_out_of_memory(config, MemoryError())
    assert "use --crop 352 " in describe_out_of_memory(replace(config, batch=1), MemoryError())
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "use --batch 2," in describe_out_of_memory(config, MemoryError())


def test_decoding_process_that_dies_is_named_and_costs_no_checkpoint(tmp_path: Path) -> None:
    config = TrainConfig(data=SPEC, out=str(tmp_path))
    command = [sys.executable, "-m", "amn_core", *write_arguments(config, "--workers", "1"), "--epochs", "4000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (tmp_path / "metrics.jsonl").is_file() or process.poll() is not None)
    os.kill(find_children(process.pid)[0], signal.SIGKILL)
    said = process.communicate(timeout=120)[1]
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert process.returncode == 1 and "Traceback" not in said, said
    assert len(errors) == 1 and "--workers 0" in errors[0] and "last.pth is whole: --resume" in errors[0]
    assert load_checkpoint(tmp_path / "last.pth")[1]["step"] > 0


def find_children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(is_so) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_broken_image_met_by_a_decoding_process_is_one_clear_line(tmp_path: Path, capsys) -> None:
    from PIL import Image

    for number in range(4):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(np.full((40, 40, 3), 9 * number, np.uint8)).save(tmp_path / "images" / f"{number}.png")
    (tmp_path / "labels.csv").write_text("image,labels\n" + "".join(f"{number},cat\n" for number in range(4)))
    (tmp_path / "images" / "2.png").write_bytes(b"no picture")
    config = TrainConfig(data=f"folder:{tmp_path}", out=str(tmp_path / "out"))
    assert main(write_arguments(config, "--workers", "1", "--split", "all")) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said and "error: " in said
    assert f"{tmp_path / 'images' / '2.png'}: not an image that can be read" in said.splitlines()[-1]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_bad_loss_names_every_image_of_the_batch(tiny_cam, monkeypatch, precision: str) -> None:
    original = loop.compute_loss
    monkeypatch.setattr(loop, "compute_loss", lambda model, batch, config: original(model, batch, config) * (
        torch.nan if calls.append(1) or len(calls) == 4 else 1))
    calls: list[int] = []
    with pytest.raises(FloatingPointError, match=r"step 3 \(images (scene_\d+, ){3}scene_\d+\).*last good checkpoint"):
        train(replace(tiny_cam, precision=precision))
    assert read_checkpoint(Path(tiny_cam.out) / "last.pth")["step"] == 2


def test_weights_that_went_bad_do_not_replace_a_good_checkpoint(tiny_cam, monkeypatch) -> None:
    original = loop.run_step

    def run(training, *rest):
        loss = original(training, *rest)
        if training.step == 3:  # the last of the second epoch
            with torch.no_grad():
                training.model.classifier.weight[0, 0] = torch.inf
        return loss

    monkeypatch.setattr(loop, "run_step", run)
    with pytest.raises(FloatingPointError, match=r"classifier.weight is no longer a number at step 4.*last.pth"):
        train(tiny_cam)
    content = read_checkpoint(Path(tiny_cam.out) / "last.pth")
    assert content["step"] == 2 and torch.isfinite(content["state"]["classifier.weight"]).all()


def test_truncated_checkpoint_is_refused_with_a_remedy(tiny_cam, capsys) -> None:
    train(replace(tiny_cam, epochs=1))
    last = Path(tiny_cam.out) / "last.pth"
    last.write_bytes(last.read_bytes()[:5000])
    assert main(write_arguments(tiny_cam, "--resume")) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"error: {last}: not a readable checkpoint") and "remove it and start anew" in said


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch):
    """Make the disk full from now on."""

    def fill() -> None:
        def refuse(handle: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("os.fsync", refuse)

    return fill


def test_full_disk_keeps_the_old_file_and_says_how_to_go_on(tmp_path: Path, full_disk) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    full_disk()
    with pytest.raises(OSError, match=r"the disk is full .*Make room") as caught:
        write_bytes(path, b"new")
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(path)
    assert path.read_bytes() == b"old" and [*tmp_path.iterdir()] == [path]


def test_full_disk_costs_no_checkpoint_and_no_map(tiny_cam, monkeypatch, full_disk, capsys, tmp_path) -> None:
    model = train(replace(tiny_cam, epochs=1))
    extract = ["extract", "--checkpoint", str(model), "--data", SPEC, "--out", str(tmp_path / "run"), "--scales", "1",
               "--device", "cpu"]
    assert main(extract) == 0
    maps = sorted((tmp_path / "run" / "maps").iterdir())
    maps[5].unlink()
    full_disk()
    monkeypatch.setattr("amn_core.commands.extract.save_run", lambda path, meta: load_run(path))
    assert main(extract) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said and f"error: {maps[5]}: the disk is full" in said
    assert sorted((tmp_path / "run" / "maps").iterdir()) == maps[:5] + maps[6:]
    content = read_checkpoint(Path(tiny_cam.out) / "last.pth")
    with pytest.raises(OSError, match="disk is full"):
        save_checkpoint(Path(tiny_cam.out) / "last.pth", load_checkpoint(model)[0], {"step": 9})
    assert read_checkpoint(Path(tiny_cam.out) / "last.pth")["step"] == content["step"]


def die(ids: tuple[str, ...]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_process_of_a_pool_that_dies_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"share the work died.*--workers 1"):
        list(run_chunks(die, tuple("abcd"), "die", 2, chunk=2))


@pytest.fixture(scope="module")
def cam_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model")
    return train(TrainConfig(
        data=SPEC, out=str(out), epochs=1, batch=4, crop=32, long_side_min=32, long_side_max=48, device="cpu"))


def start_in_terminal(command: list[str]) -> subprocess.Popen:
    """Start a command as a terminal does: in a group of its own, with Ctrl-C heard even if the tests do not hear it."""
    return subprocess.Popen(
        [sys.executable, "-m", "amn_core", *command], stderr=subprocess.PIPE, text=True, process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))


def interrupt(command: list[str], folder: Path, pattern: str, number: int) -> str:
    """Start a command, send the signal to its whole group as a terminal does once files appear; what it said."""
    process = start_in_terminal(command)
    wait_until(lambda: len(list(folder.glob(pattern))) >= 3 or process.poll() is not None)
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130, said
    wait_until(lambda: not is_group(process.pid))
    return said


def is_group(group: int) -> bool:
    """Tell whether a process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_extraction_and_seeding_leave_whole_files_and_go_on(
    cam_model: Path, tmp_path: Path, number: int
) -> None:
    run, seeds = tmp_path / "run", tmp_path / "seeds"
    extract = ["extract", "--checkpoint", str(cam_model), "--data", MANY, "--out", str(run), "--scales", "1",
               "--device", "cpu"]
    said = interrupt(extract, run, "maps/[!.]*.npz", number)
    check_message(said)
    made = check_maps(run)
    assert 3 <= len(made) < 160
    assert main([*extract[:4], SPEC.replace("n=8", "n=160"), *extract[5:]]) == 0 and len(check_maps(run)) == 160
    assert all((run / "maps" / name).stat().st_mtime_ns == time_made for name, time_made in made.items())

    command = ["seed", "--run", str(run), "--out", str(seeds), "--workers", "2"]
    said = interrupt(command, seeds, "[!.]*.png", number)
    check_message(said)
    assert not list(seeds.glob(".*")) and 3 <= len(list(seeds.glob("*.png"))) < 160
    assert main([*command[:-1], "1"]) == 0 and len(list(seeds.glob("*.png"))) == 160


def check_message(said: str) -> None:
    assert "Traceback" not in said, said
    assert said.splitlines()[-1].startswith("error: interrupted; what is done is kept")


def check_maps(run: Path) -> dict[str, int]:
    """Make sure that every map is whole and that nothing else lies there; when each was made."""
    assert not list((run / "maps").glob(".*"))
    paths = sorted((run / "maps").glob("*.npz"))
    assert all(load_map(path)[0].ndim == 3 for path in paths)
    return {path.name: path.stat().st_mtime_ns for path in paths}


def test_interrupted_count_leaves_no_counts_and_no_process(cam_model: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main(["extract", "--checkpoint", str(cam_model), "--data", SPEC, "--out", str(run), "--scales", "1",
                 "--device", "cpu"]) == 0
    meta = json.loads((run / "run.json").read_text())
    for number in range(8, 800):  # as if there were many
        (run / "maps" / f"scene_{number:06d}.npz").hardlink_to(run / "maps" / "scene_000001.npz")
    command = ["count", "--run", str(run), "--data", SPEC.replace("n=8", "n=800"), "--workers", "2"]
    process = start_in_terminal(command)
    wait_until(lambda: len(find_children(process.pid)) >= 3 or process.poll() is not None)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130 and not (run / "counts.npz").exists()
    check_message(said)
    assert json.loads((run / "run.json").read_text()) == meta
    wait_until(lambda: not is_group(process.pid))
