"""Two processes give what one gives: trainings within tolerance, maps, seeds, masks and counts bit for bit."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from amn_core.bench.serving import find_port
from amn_core.cli import main
from amn_core.compute import distributed
from amn_core.compute.distributed import take_shard
from amn_core.data import load_dataset
from amn_core.formats.checkpoints import read_checkpoint
from amn_core.formats.masks import save_mask
from amn_core.models.heads import SharedDropout
from amn_core.train.config import TrainConfig, resolve_train_config
from amn_core.train.losses import per_pixel_classification_loss
from amn_core.train.samples import build_batches, take_share

SPEC = "scenes:size=64,n=9,seed=3"
SIZES = ("--epochs", "3", "--batch", "4", "--crop", "32", "--device", "cpu", "--precision", "fp32")
# SGD: Adam's first steps have the size of the learning rate whatever that of the gradient, so that a rounding
# error in a gradient near 0 turns a step around. The other stages take AdamW all the same, as their presets do.
TRAIN_CAM = ("train", "cam", "--data", SPEC, "--long-side-min", "32", "--long-side-max", "48", *SIZES,
             "--optimizer", "sgd", "--lr", "0.01")
RUN_COMMANDS = "import json, sys; from amn_core.cli import main; sys.exit(max(map(main, json.loads(sys.argv[1]))))"


def list_trainings(out: Path, labels: Path) -> list[list[str]]:
    """List trainings of all kinds, the probe of one included."""
    seeds = ("--data", SPEC, "--seeds", labels, *SIZES)
    return [list(map(str, words)) for words in (
        (*TRAIN_CAM, "--out", out / "cam", "--probe", 2),
        *(("train", method, *seeds, "--out", out / method) for method in ("amn", "irn", "segmentation")))]


def list_uses(out: Path, given: Path) -> list[list[str]]:
    """List commands that share out images, with the models of a folder."""
    run, walked, refined = out / "run", out / "walked", out / "refined"
    there = ("--device", "cpu", "--precision", "fp32")
    return [list(map(str, words)) for words in (
        ("extract", "--checkpoint", given / "cam" / "model.pth", "--data", SPEC, "--out", run, "--scales", "1", *there),
        ("seed", "--run", run, "--out", out / "seeds", "--workers", 1), ("count", "--run", run),
        ("refine", "--run", run, "--method", "irn", "--checkpoint", given / "irn" / "model.pth", "--out", walked,
         *there),
        ("count", "--run", walked),
        ("refine", "--run", run, "--method", "crf", "--threshold", 0.3, "--out", refined, "--workers", 1, *there[:2]),
        ("segment", "--checkpoint", given / "segmentation" / "model.pth", "--data", SPEC, "--out", out / "segmented",
         "--scales", "1", *there))]


def start_processes(words: list[str], world: int = 2) -> list[subprocess.Popen]:
    """Start one process a rank, as torchrun does."""
    shared = os.environ | {"WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world), "MASTER_ADDR": "localhost",
                           "MASTER_PORT": str(find_port()), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen([sys.executable, *words], env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for rank in range(world)]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of the same commands on one process and on two; maps and masks are made with the same models."""
    root = tmp_path_factory.mktemp("both")
    dataset = load_dataset(SPEC, "train")
    for image_id in dataset.ids:
        save_mask(root / "labels" / f"{image_id}.png", dataset.gt(image_id), palette=False)
    one, two = root / "one", root / "two"
    commands = [(*list_trainings(out, root / "labels"), *list_uses(out, one)) for out in (one, two)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the others: sums in another order differ in their last bits
    try:
        assert [main(words) for words in commands[0]] == [0] * 11
    finally:
        torch.set_num_threads(threads)
    processes = start_processes(["-c", RUN_COMMANDS, json.dumps(commands[1])])
    said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert "train amn" in said[0] and not said[1]  # one progress bar
    return one, two


@pytest.mark.parametrize("method", ["cam", "amn", "irn", "segmentation"])
def test_two_processes_learn_what_one_learns(both: tuple[Path, Path], method: str) -> None:
    one, two = (read_checkpoint(folder / method / "model.pth") for folder in both)
    assert one["step"] == two["step"] == 6
    assert one["metrics"]["loss"] == pytest.approx(two["metrics"]["loss"], rel=1e-5)
    for key, value in one["state"].items():
        assert torch.allclose(value, two["state"][key], atol=2e-5), key


def test_metrics_and_probe_are_written_once(both: tuple[Path, Path]) -> None:
    lines = [(folder / "cam" / "metrics.jsonl").read_text().splitlines() for folder in both]
    assert len(lines[0]) == len(lines[1]) == 2
    one, two = (folder / "cam" / "probe" / "epoch-000" / "counts.npz" for folder in both)
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("pattern", [
    "run/maps/*.npz", "run/counts.npz", "seeds/*.png", "walked/maps/*.npz", "walked/counts.npz", "refined/maps/*.npz",
    "segmented/maps/*.npz", "segmented/counts.npz"])
def test_shards_are_together_what_one_process_makes(both: tuple[Path, Path], pattern: str) -> None:
    one, two = ({path.name: path.read_bytes() for path in folder.glob(pattern)} for folder in both)
    assert one and one == two
    assert not list(both[1].rglob(".*"))


def test_training_goes_on_with_another_number_of_processes(tmp_path: Path) -> None:
    undisturbed, resumed = tmp_path / "undisturbed", tmp_path / "resumed"
    longer = [*TRAIN_CAM, "--epochs", "8"]
    processes = start_processes(["-m", "amn_core", *longer, "--out", str(resumed), "--probe", "2"])
    wait_for_file(resumed / "probe" / "epoch-000" / "counts.npz", processes[0])
    processes[1].send_signal(signal.SIGTERM)  # any of them may be asked
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [130, 130], said
    assert all("--resume goes on" in text for text in said)
    assert 0 < read_checkpoint(resumed / "last.pth")["step"] < 16
    assert main([*longer, "--out", str(undisturbed)]) == main([*longer, "--out", str(resumed), "--resume"]) == 0
    one, two = (read_checkpoint(folder / "model.pth")["state"] for folder in (undisturbed, resumed))
    assert all(torch.allclose(one[key], two[key], atol=2e-5) for key in one)


def wait_for_file(path: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not path.is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)


def test_bad_loss_on_one_process_stops_all_and_names_the_whole_batch(tmp_path: Path) -> None:
    spoil = (
        "import os, sys; from amn_core.cli import main; from amn_core.train import loop; calls = []; real = "
        "loop.compute_loss\n"
        "def compute(*arguments):\n"
        "    calls.append(1); is_bad = len(calls) == 4 and os.environ['RANK'] == '1'\n"
        "    return real(*arguments) * (float('nan') if is_bad else 1)\n"
        "loop.compute_loss = compute; sys.exit(main(sys.argv[1:]))")
    processes = start_processes(["-c", spoil, *TRAIN_CAM, "--out", str(tmp_path)])
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [1, 1], said
    for text in said:
        assert "loss is nan at step 3 (images " in text and text.count("scene_") == 4
    content = read_checkpoint(tmp_path / "last.pth")
    assert content["step"] == 2 and all(torch.isfinite(value).all() for value in content["state"].values())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_torchrun_ends_with_one_message(tmp_path: Path, number: int) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = subprocess.Popen(
        [*launcher, "-m", "amn_core", *TRAIN_CAM, "--epochs", "4000", "--out", str(tmp_path)],
        stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, process_group=0)
    wait_for_file(tmp_path / "metrics.jsonl", command)
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()
    if number == signal.SIGKILL:
        os.kill(int(children[-1]), number)
    else:
        os.killpg(command.pid, number)  # as a terminal does
    said = command.communicate(timeout=120)[1]
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert command.returncode == 1 and len(errors) == 1, said
    assert "--resume" in errors[0]
    if number == signal.SIGKILL:
        assert "another of the processes has died" in errors[0]
    else:
        assert errors[0].startswith("error: stopped after step ")
        assert read_checkpoint(tmp_path / "last.pth")["step"] == int(errors[0].split()[4])


@pytest.fixture
def rank(monkeypatch: pytest.MonkeyPatch):
    """Pretend to be one of several processes."""

    def pretend(number: int, world: int) -> None:
        monkeypatch.setenv("RANK", str(number))
        monkeypatch.setenv("WORLD_SIZE", str(world))

    return pretend


@pytest.mark.parametrize("world", [1, 2, 3, 7])
@pytest.mark.parametrize("number", [0, 1, 5, 12])
def test_shards_in_order_are_the_whole(rank, number: int, world: int) -> None:
    items, shards = list(range(number)), []
    for one in range(world):
        rank(one, world)
        shards.append(take_shard(items))
    assert [*chain(*shards)] == items
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_shares_in_order_are_the_batch(rank, tiny_cam: TrainConfig) -> None:
    config = resolve_train_config(tiny_cam)
    batches, shares = build_batches(8, config, 1), []
    for one in range(4):
        rank(one, 4)
        shares.append(take_share(batches, config))
    assert [[*chain(*parts)] for parts in zip(*shares, strict=True)] == batches


def test_batch_that_cannot_be_shared_is_refused_with_one_that_can(rank, tiny_cam: TrainConfig) -> None:
    rank(0, 3)
    with pytest.raises(ValueError, match=r"batch of 4 .* 3 processes: use --batch 3"):
        distributed.share_batch(4)
    config = resolve_train_config(replace(tiny_cam, batch=9))
    with pytest.raises(ValueError, match="8 images are fewer than a batch of 9"):
        take_share(build_batches(8, config, 0), config)


@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (4, 64, 9, 9)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_parts_of_a_batch_lose_to_dropout_what_the_whole_loses(shape, memory_format) -> None:
    x = torch.rand(shape).contiguous(memory_format=memory_format)
    torch.manual_seed(5)
    whole = SharedDropout(0.4)(x)
    parts = []
    for number in range(2):
        dropout = SharedDropout(0.4)
        dropout.set_part(number, 2)
        torch.manual_seed(5)
        half = len(x) // 2
        parts.append(dropout(x[number * half:(number + 1) * half].contiguous(memory_format=memory_format)))
    assert 0 < (whole == 0).float().mean() < 1
    assert torch.allclose(torch.cat(parts), whole)


@pytest.mark.parametrize("background", [0.0, 0.3, 1.0])
def test_mean_of_the_shares_losses_is_the_loss_of_the_batch(monkeypatch, background: float) -> None:
    rng = np.random.default_rng(3)
    logits = torch.from_numpy(rng.normal(size=(4, 5, 6, 6))).requires_grad_()
    seed = torch.from_numpy(rng.choice([0, 1, 3, 255], (4, 6, 6), p=[background, *[(1 - background) / 3] * 3]))
    seed[:2] = seed[:2].masked_fill(seed[:2] == 1, 255)  # the shares differ in what they see
    whole = per_pixel_classification_loss(logits, seed)
    (expected,) = torch.autograd.grad(whole, logits)
    counts = iter([torch.tensor(float(mask.sum()) / 2) for _ in range(2) for mask in (
        seed == 0, (seed != 0) & (seed != 255))])
    monkeypatch.setattr("amn_core.train.losses.average_over_processes", lambda number: next(counts))
    monkeypatch.setattr("amn_core.train.losses.get_world_size", lambda: 2)
    shares = [per_pixel_classification_loss(logits[part], seed[part]) for part in (slice(2), slice(2, 4))]
    loss = sum(shares) / 2
    assert loss.item() == pytest.approx(whole.item(), rel=1e-6)
    assert torch.allclose(torch.autograd.grad(loss, logits)[0], expected, atol=1e-7)
