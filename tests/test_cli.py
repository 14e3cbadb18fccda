"""Options from configs and back, work on several processes, benchmarks."""

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest

from amn_core import __version__, cli
from amn_core.__main__ import SPINS, run
from amn_core.cli import BENCHMARKS, COMMANDS, GROUPS, build_parser, format_report, load_name, main
from amn_core.commands.pipeline import ReproduceConfig, resolve_seed_thresholds
from amn_core.commands.refine import RefineConfig
from amn_core.commands.seed import SeedConfig
from amn_core.compute.parallel import run_chunks
from amn_core.options import add_options, format_command, read_options
from amn_core.train.config import TrainConfig
from amn_core.train.samples import count_steps


@pytest.mark.parametrize("config", [
    TrainConfig(method="amn", data="scenes", out="o", epochs=3, lr=0.5, resume=True),
    SeedConfig(run="r", out="o", crf=True, foreground=0.4), RefineConfig(run="r", out="o", method="crf"),
    ReproduceConfig(data="scenes", crf=False)])
def test_command_line_gives_its_config_again(config: object) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, type(config))
    words = format_command("x", config)
    assert read_options(parser.parse_args(words[1:]), type(config)) == config


@pytest.mark.parametrize("command", [*COMMANDS.values(), *BENCHMARKS.values()])
def test_every_field_of_every_config_has_a_help_text(command) -> None:
    for name in (command.run, command.show):
        assert not name or callable(load_name(name))
    for field in fields(load_name(command.config)):
        assert field.name in ("runs", "json") or len(field.metadata["help"]) > 5


@pytest.mark.parametrize(("given", "expected"), [(None, SPINS), ("7", "7")])
def test_threads_that_wait_leave_the_processor_to_others(given, expected, monkeypatch) -> None:
    seen = []
    monkeypatch.setenv("GOMP_SPINCOUNT", given or "")
    if given is None:
        monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setattr(cli, "main", lambda: seen.append(os.environ["GOMP_SPINCOUNT"]) or 1)
    assert run() == 1 and seen == [expected]


def test_reports_are_indented_by_depth() -> None:
    assert format_report({"a": {"b": 1.23456, "c": "x"}, "d": 2}) == "a:\n  b: 1.235\n  c: x\nd: 2"


def count_letters(ids: tuple[str, ...]) -> int:
    return sum(len(image_id) for image_id in ids)


@pytest.mark.parametrize("workers", [1, 2])
def test_chunks_keep_their_order_on_any_number_of_processes(workers: int) -> None:
    ids = tuple("x" * n for n in range(10))
    assert list(run_chunks(count_letters, ids, "count", workers, chunk=4)) == [6, 22, 17]
    assert list(run_chunks(count_letters, (), "count", workers)) == []


def test_seed_thresholds_come_from_the_preset_unless_given() -> None:
    assert resolve_seed_thresholds(ReproduceConfig(preset="paper")) == (0.30, 0.05)
    assert resolve_seed_thresholds(ReproduceConfig(preset="minutes", foreground=0.6))[0] == 0.6


@pytest.mark.parametrize(("images", "batch", "steps"), [(8, 4, 2), (9, 4, 2), (3, 4, 1)])
def test_last_incomplete_batch_is_dropped_unless_alone(images: int, batch: int, steps: int) -> None:
    assert count_steps(images, batch) == steps


def test_bench_maps_reports_both_forms(tiny_cam: TrainConfig, capsys) -> None:
    from amn_core.train.loop import train

    path = train(tiny_cam)
    capsys.readouterr()
    assert main(["bench", "maps", "--checkpoint", str(path), "--data", tiny_cam.data, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["images"] == 8 and result["ratio"] > 1
    assert abs(result["full"]["peak_miou"] - result["stored"]["peak_miou"]) < 0.05


def test_preview_draws_a_sheet_and_check_names_what_is_broken(tmp_path: Path, capsys) -> None:
    assert main(["data", "preview", "scenes:size=64,n=6", "--n", "4", "--out", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    assert main(["data", "check", "scenes:size=64,n=2"]) == 0
    assert "2 images" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_a_checkpoint_and_exits_with_130(number: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "amn_core", "train", "cam", "--data", "scenes:size=64,n=8,seed=3", "--out",
               str(tmp_path), "--epochs", "4000", "--batch", "4", "--crop", "32", "--device", "cpu"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    metrics = tmp_path / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not metrics.is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(number)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130 and "--resume goes on" in error
    assert (tmp_path / "last.pth").is_file() and not (tmp_path / "model.pth").exists()


def test_alone_it_prints_every_command_once_with_an_example_that_parses(capsys) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = [line.split()[0] for line in lines if re.match(r"  \w", line)]
    assert sorted(named) == sorted([*COMMANDS, "bench", *GROUPS])
    examples = [line.partition("$ python -m amn_core ")[2] for line in lines if "$" in line]
    for name, example in zip(named, examples, strict=True):
        assert example.split()[0] == name and build_parser().parse_args(shlex.split(example)).command == name


def test_version_and_citation_are_printed(capsys) -> None:
    assert main(["cite"]) == 0
    assert "Threshold Matters" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"amn_core {__version__}\n"


def test_no_command_needs_torch_before_it_runs():
    code = (
        "import sys\n"
        "from amn_core.cli import COMMANDS, GROUPS, build_parser, load_name\n"
        "build_parser()\n"
        "for command in COMMANDS.values(): load_name(command.config)\n"
        "for module, _ in GROUPS.values(): load_name(f'{module}:add_to')\n"
        "assert 'torch' not in sys.modules\n")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
