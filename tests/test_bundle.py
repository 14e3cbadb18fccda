"""The bundled runs are whole, small, free of paths, and show what the README says."""

import json
import re
from pathlib import Path

import pytest

from amn_core.comparing import compare
from amn_core.configs import CompareConfig
from amn_core.formats.checkpoints import load_checkpoint
from amn_core.formats.files import hash_file
from amn_core.formats.runs import find_runs, load_run

ROOT = Path(__file__).resolve().parents[1] / "checkpoints"
RUNS = find_runs(ROOT)
VOC = tuple(str(ROOT / "voc-animals" / method) for method in ("cam", "amn-without-lcm", "amn"))


def test_three_methods_are_bundled_for_each_data_set() -> None:
    methods = {run.path.parent.name: set() for run in RUNS}
    for run in RUNS:
        methods[run.path.parent.name].add(run.method)
    assert methods == {name: {"cam", "amn-without-lcm", "amn"} for name in ("scenes", "voc-animals")}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.path.parent.name}-{run.method}")
def test_bundled_run_is_what_its_description_says(run) -> None:
    assert run.checkpoint_path.stat().st_size < 12e6
    assert hash_file(run.checkpoint_path) == run.meta["model"]["sha256"]
    assert hash_file(run.counts_path) == run.meta["counts"]["sha256"]
    model, content = load_checkpoint(run.checkpoint_path)
    assert model.method == run.method and tuple(content["class_names"]) == run.class_names
    assert len(run.counts().image_ids) == run.meta["images"]
    described = json.dumps(run.meta) + json.dumps(content["config"])
    assert not run.meta["data_root"] and not re.search(r'[" ](/|[A-Z]:\\\\)\w', described)


def test_voc_runs_hold_tables_only() -> None:
    for path in (ROOT / "voc-animals").rglob("*"):
        assert path.is_dir() or path.name in ("model.pth", "run.json", "counts.npz")


def test_scenes_runs_hold_the_map_of_every_counted_image() -> None:
    for method in ("cam", "amn"):
        run = load_run(ROOT / "scenes" / method)
        assert set(run.map_ids) == set(run.counts().image_ids)


@pytest.mark.parametrize("part", ["all", "even", "odd"])
def test_amn_gains_on_real_images_and_loses_less_to_the_one_threshold(part: str) -> None:
    cam, without_lcm, amn = compare(CompareConfig(runs=VOC, part=part))["runs"]
    assert amn["peak_miou"] - cam["peak_miou"] > 0.10
    assert amn["peak_miou"] > without_lcm["peak_miou"] > cam["peak_miou"]
    assert amn["oracle_miou"] - amn["peak_miou"] < cam["oracle_miou"] - cam["peak_miou"] - 0.02
    assert amn["imbalance"] < without_lcm["imbalance"] < 0.7 * cam["imbalance"]
    assert amn["gap"] > cam["gap"] and amn["auc"] > cam["auc"]


def test_readme_prints_what_compare_gives() -> None:
    readme = (ROOT.parent / "README.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[3:-1]]
            for line in readme.splitlines() if re.match(r"\| (CAM|AMN|AMN without LCM) \| (divided|softmax)", line)}
    for run in compare(CompareConfig(runs=VOC))["runs"]:
        percent = [run["peak_miou"], run["oracle_miou"], run["oracle_miou"] - run["peak_miou"], run["mean_miou"]]
        peak, oracle, lost, mean = (f"{100 * value:.1f}" for value in percent)
        rest = [f"{run[key]:.3f}" for key in ("plateau", "plateau_share", "gap", "auc", "imbalance")]
        assert rows[run["name"]] == [peak, f"{run['peak_threshold']:.3f}", oracle, lost, mean, *rest]
