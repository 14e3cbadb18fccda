"""``bench all``: every check and every benchmark on one device, in one call that writes one report.

Each part is a process of its own with a limit of its own: one that fails or hangs is reported and leaves the others
alone. All data are drawn by the package and weights are random, so that nothing has to be there or be downloaded.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from amn_core.formats.files import write_json
from amn_core.formats.runs import collect_versions
from amn_core.options import option

ROOT = Path(__file__).resolve().parents[2]
TESTED_ROOMS = ("sweep", "refine", "models", "infer", "train", "bench")
KEPT_WORDS = 600  # of what a part that failed said last
# Sizes on a GPU, as the paper trains, and on a CPU, where the report is a rehearsal.
SIZES = {
    "cuda": {"train": "--batch 16 --crop 512 --steps 8", "extract": "--images 64", "crf": "--images 20 --batch 8"},
    "cpu": {"train": "--batch 2 --crop 64 --steps 1", "extract": "--images 1", "crf": "--images 2"},
}


@dataclass(frozen=True)
class BenchAllConfig:
    """What `bench all` needs."""

    device: str = option("cuda", "where to compute", choices=("cuda", "cpu"))
    out: str = option("report.json", "file for the report")
    only: str = option("", "names of parts, separated by commas; by default all of them")
    minutes: float = option(8.0, "time for everything; parts that do not begin in it are named as left out")


@dataclass(frozen=True)
class Part:
    """A part of the report: its name, the words behind ``python -m``, and the seconds that it may take."""

    name: str
    words: str
    limit: float


def list_parts(device: str, work: Path) -> tuple[Part, ...]:
    """List the parts, what matters most first; `work` is a folder that goes away afterwards."""
    sizes, at = SIZES[device], f"--device {device} --json"

    def compare_networks(name: str) -> list[Part]:
        return [Part(f"{name} {backbone}", f"amn_core bench {name} --backbone {backbone} --weights none "
                     f"{sizes[name]} {at}", 120) for backbone in ("resnet50", "efficientnet_lite0")]

    return (
        Part("tests", f"pytest -q -o addopts= -p no:cacheprovider -m cuda --junitxml {work}/tests.xml "
             + " ".join(f"tests/{room}" for room in TESTED_ROOMS), 150),
        Part("sweep", f"amn_core bench sweep {at}", 60),
        Part("scores", "amn_core bench scores --json", 60),
        Part("crf", f"amn_core bench crf {sizes['crf']} {at}", 90),
        *compare_networks("train"),
        *compare_networks("extract"),
        Part("torchrun", "torch.distributed.run --standalone --nproc-per-node=1 -m amn_core train cam --data "
             "scenes:size=96,n=32 --preset scenes --backbone efficientnet_lite0_small --weights none --epochs 1 "
             f"--device {device} --out {work}/torchrun", 120),
    )


def bench_all(config: BenchAllConfig) -> dict[str, Any]:
    """Run every part and write the report.

    Returns:
        ``device``, ``versions``, ``seconds``, and ``parts``: by name, ``ok``, ``seconds``, and ``result`` (what the
        part printed as JSON, or the counts of the tests) or ``error``. Also written to ``out`` after each part.

    Raises:
        ValueError: an unknown part, or parts that failed; the report is written all the same.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        parts = choose_parts(list_parts(config.device, work), config.only)
        report: dict[str, Any] = {"device": name_device(config.device), "versions": collect_versions(), "parts": {}}
        for part in parts:
            left = config.minutes * 60 - (time.monotonic() - began)
            report["parts"][part.name] = run_part(part, work, left) if left > 0 else {
                "ok": False, "error": f"left out: {config.minutes:g} minutes were over"}
            report["seconds"] = time.monotonic() - began
            write_json(Path(config.out), report)
    failed = [name for name, part in report["parts"].items() if not part["ok"]]
    if failed:
        raise ValueError(f"failed: {', '.join(failed)}; {config.out} says how")
    return report


def choose_parts(parts: tuple[Part, ...], only: str) -> tuple[Part, ...]:
    """Choose some of the parts by name; the empty text means all.

    Raises:
        ValueError: an unknown name.
    """
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in {part.name for part in parts}]
    if unknown:
        raise ValueError(f"part {unknown[0]!r} is unknown; the parts are {', '.join(part.name for part in parts)}")
    return tuple(part for part in parts if part.name in wanted or not wanted)


def name_device(device: str) -> str:
    """Name the device as its maker does; a GPU that torch cannot reach is an error before anything runs.

    Raises:
        ValueError: no GPU.
    """
    import torch

    if device == "cpu":
        return f"cpu, {os.cpu_count()} cores"
    if not torch.cuda.is_available():
        raise ValueError("device cuda: torch finds no GPU; pass --device cpu for a rehearsal")
    return torch.cuda.get_device_name()


def run_part(part: Part, work: Path, left: float) -> dict[str, Any]:
    """Run one part as a process; whatever goes wrong with it is in what is returned."""
    began, limit = time.monotonic(), min(part.limit, left)
    try:
        done = subprocess.run([sys.executable, "-m", *part.words.split()], cwd=ROOT, capture_output=True, text=True,
                              timeout=limit, check=False, env=os.environ | {"AMN_PROGRESS": ""})
    except subprocess.TimeoutExpired:
        return {"ok": False, "seconds": limit, "error": f"not done in {limit:.0f} s"}
    found: dict[str, Any] = {"ok": done.returncode == 0, "seconds": time.monotonic() - began}
    if part.name == "tests":
        found |= read_tests(work / "tests.xml", done.returncode)
    elif found["ok"] and "--json" in part.words:
        found["result"] = json.loads(done.stdout.strip().splitlines()[-1])
    if not found["ok"]:
        found.setdefault("error", (done.stderr or done.stdout)[-KEPT_WORDS:])
    return found


def read_tests(path: Path, status: int) -> dict[str, Any]:
    """Read a report of pytest: how many passed, failed and were skipped, and what the failed ones said.

    Without a GPU every test of this part is skipped, which is no failure.
    """
    if not path.is_file():
        return {"ok": False, "error": f"pytest ended with status {status} and no report; is it installed?"}
    cases = list(ElementTree.parse(path).iter("testcase"))
    wrong = {f"{case.get('classname')}::{case.get('name')}": (case.find(kind).get("message") or "")[:KEPT_WORDS]
             for case in cases for kind in ("failure", "error") if case.find(kind) is not None}
    skipped = sum(case.find("skipped") is not None for case in cases)
    result = {"passed": len(cases) - len(wrong) - skipped, "failed": wrong, "skipped": skipped}
    return {"ok": bool(cases) and not wrong, "result": result} | (
        {"error": f"{len(wrong)} tests failed"} if wrong else {})
