"""The bundled runs are whole, small, free of paths, and show what their README says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from amn_core.cli import main
from amn_core.commands.compare import CompareConfig, compare
from amn_core.commands.select import order_cams
from amn_core.formats.checkpoints import load_checkpoint
from amn_core.formats.consequences import load_consequences
from amn_core.formats.files import hash_file
from amn_core.formats.runs import find_runs, load_run

ROOT = Path(__file__).resolve().parents[1] / "checkpoints"
RUNS = find_runs(ROOT)
PATH = re.compile(r'[" ](/|[A-Z]:\\\\)\w')
RESNET = tuple(str(ROOT / "voc-resnet50" / name) for name in (
    "cam", "amn-without-lcm", "amn", "crf", "irn-largest", "irn", "segmentation"))
VOC = tuple(str(ROOT / "voc-animals" / method) for method in ("cam", "amn-without-lcm", "amn"))


def test_bundles_hold_the_methods_that_were_trained() -> None:
    methods = {run.path.parent.name: set() for run in RUNS}
    for run in RUNS:
        methods[run.path.parent.name].add(run.method)
    three = {"cam", "amn-without-lcm", "amn"}
    assert methods == {
        "scenes": three, "voc-animals": three, "voc-resnet50": three | {"irn", "segmentation"}, "voc-no-crf": {"amn"},
        "voc": three, "photos": {"cam", "amn"}}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.path.parent.name}-{run.path.name}")
def test_bundled_run_is_what_its_description_says(run) -> None:
    assert hash_file(run.counts_path) == run.meta["counts"]["sha256"]
    assert len(run.counts().image_ids) == run.meta["images"]
    assert not run.meta["data_root"] and not PATH.search(json.dumps(run.meta))


@pytest.mark.parametrize("run", [run for run in RUNS if run.path.parent.name in ("scenes", "voc-animals", "voc")],
                         ids=lambda run: f"{run.path.parent.name}-{run.method}")
def test_bundled_checkpoint_is_the_one_of_its_run(run) -> None:
    assert run.checkpoint_path.stat().st_size < 12e6
    assert hash_file(run.checkpoint_path) == run.meta["model"]["sha256"]
    model, content = load_checkpoint(run.checkpoint_path)
    assert model.method == run.method and tuple(content["class_names"]) == run.class_names
    assert not PATH.search(json.dumps(content["config"]))


@pytest.mark.parametrize(("bundle", "names"), [
    ("voc-animals", {"model.pth", "run.json", "counts.npz"}), ("voc-resnet50", {"run.json", "counts.npz"}),
    ("voc-no-crf", {"run.json", "counts.npz"}), ("voc", {"model.pth", "run.json", "counts.npz"})])
def test_voc_runs_hold_tables_only(bundle: str, names: set[str]) -> None:
    assert {path.name for path in (ROOT / bundle).rglob("*") if path.is_file()} == names


@pytest.mark.parametrize("bundle", ["scenes", "photos"])
def test_runs_whose_images_everybody_has_hold_the_map_of_every_counted_image(bundle: str) -> None:
    for method in ("cam", "amn"):
        run = load_run(ROOT / bundle / method)
        assert set(run.map_ids) == set(run.counts().image_ids)


@pytest.mark.parametrize("part", ["all", "even", "odd"])
def test_amn_gains_on_real_images_and_loses_less_to_the_one_threshold(part: str) -> None:
    cam, without_lcm, amn = compare(CompareConfig(runs=VOC, part=part))["runs"]
    assert amn["peak_miou"] - cam["peak_miou"] > 0.10
    assert amn["peak_miou"] > without_lcm["peak_miou"] > cam["peak_miou"]
    assert amn["oracle_miou"] - amn["peak_miou"] < cam["oracle_miou"] - cam["peak_miou"] - 0.02
    assert amn["imbalance"] < without_lcm["imbalance"] < 0.7 * cam["imbalance"]
    assert amn["gap"] > cam["gap"] and amn["auc"] > cam["auc"]


@pytest.mark.parametrize("part", ["all", "even", "odd"])
def test_resnet_meets_both_conditions_of_the_paper(part: str) -> None:
    cam, without_lcm, amn, crf, *_ = compare(CompareConfig(runs=RESNET, part=part))["runs"]
    assert crf["peak_miou"] > amn["peak_miou"] > without_lcm["peak_miou"] > cam["peak_miou"] + 0.15
    assert amn["imbalance"] < 0.6 * cam["imbalance"] and amn["gap"] > cam["gap"] + 0.1
    assert amn["plateau"] > 1.5 * cam["plateau"] and amn["auc"] > cam["auc"] + 0.05


@pytest.mark.parametrize("part", ["all", "even", "odd"])
def test_walk_that_stretches_no_image_loses_less_to_the_one_threshold(part: str) -> None:
    amn, _, largest, mean, _ = compare(CompareConfig(runs=RESNET[2:], part=part))["runs"]
    assert mean["peak_miou"] > max(amn["peak_miou"], largest["peak_miou"]) + 0.03
    assert mean["oracle_miou"] - mean["peak_miou"] < 0.7 * (largest["oracle_miou"] - largest["peak_miou"])


@pytest.mark.parametrize("part", ["all", "even", "odd"])
def test_seeds_refined_by_a_crf_train_a_better_amn(part: str) -> None:
    without = str(ROOT / "voc-no-crf" / "amn")
    first, second = compare(CompareConfig(runs=(without, VOC[2]), part=part, intervals=True))["runs"]
    assert first["name"] != second["name"] and second["gain_interval"][0] > 0.01


def test_readme_prints_what_compare_gives() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[3:-1]]
            for line in readme.splitlines() if re.match(r"\| (CAM|AMN|AMN without LCM) \| (divided|softmax)", line)}
    for run in compare(CompareConfig(runs=VOC))["runs"]:
        percent = [run["peak_miou"], run["oracle_miou"], run["oracle_miou"] - run["peak_miou"], run["mean_miou"]]
        peak, oracle, lost, mean = (f"{100 * value:.1f}" for value in percent)
        rest = [f"{run[key]:.3f}" for key in ("plateau", "plateau_share", "gap", "auc", "imbalance")]
        assert rows[run["name"]] == [peak, f"{run['peak_threshold']:.3f}", oracle, lost, mean, *rest]


def test_readme_prints_the_chain_with_resnet_as_compare_gives_it() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("| CAM (the seed)"))
    runs = compare(CompareConfig(runs=RESNET, intervals=True))["runs"]
    for run, line in zip(runs, lines[first:], strict=False):
        name, peak, interval, gain, *rest = [cell.strip() for cell in line.split("|")[1:-1]]
        assert name.split(",")[0].split(" (")[0] == run["name"].split(",")[0]
        assert peak == write_points(run["peak_miou"])
        assert interval == " to ".join(map(write_points, run["peak_interval"]))
        if run is not runs[0]:
            low, high = map(write_points, run["gain_interval"])
            assert gain == f"{write_points(run['gain'], '+')} ({low} to {high})"
        if run["plateau"] is None:  # no threshold changes finished masks
            assert not any(rest)
            continue
        keys = ("plateau", "gap", "auc", "imbalance")
        assert rest == [f"{run['peak_threshold']:.3f}", write_points(run["oracle_miou"] - run["peak_miou"]),
                        *(f"{run[key]:.3f}" for key in keys)]


def test_readme_prints_twenty_classes_as_compare_gives_them() -> None:
    paths = tuple(str(ROOT / "voc" / name) for name in ("cam", "amn-without-lcm", "amn"))
    runs = compare(CompareConfig(runs=paths, intervals=True))["runs"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("| run | at | peak mIoU | 95 % | oracle |")) + 2
    for word, run in zip(("(PCL) gives", "(LCM) another"), runs[1:], strict=True):
        low, high = (write_points(end) for end in run["gain_interval"])
        assert re.search(rf"{re.escape(word)} {write_points(run['gain'])}[^(]*\({low} to {high}\)", text)
    for run, line in zip(runs, lines[first:first + 3], strict=True):
        _, at, peak, interval, oracle, *rest = [cell.strip() for cell in line.split("|")[1:-1]]
        low, high = run["peak_interval"]
        assert (at, peak, oracle) == (
            f"{run['peak_threshold']:.3f}", write_points(run["peak_miou"]), write_points(run["oracle_miou"]))
        assert interval == f"{write_points(low)} to {write_points(high)}"
        assert rest == [f"{run[key]:.3f}" for key in ("plateau", "plateau_share", "gap", "auc", "imbalance")]


def write_points(value: float, sign: str = "") -> str:
    return f"{100 * value:{sign}.1f}".replace("-", "−")


def test_no_threshold_is_chosen_for_finished_masks(capsys) -> None:
    assert main(["select", *RESNET[2:4]]) == 1
    assert "crf: finished masks have no threshold to choose" in capsys.readouterr().err


def test_cam_that_lends_its_area_is_the_run_itself_or_of_the_same_backbone() -> None:
    runs = {place: load_run(ROOT / place) for place in (
        "voc-animals/cam", "voc-animals/amn", "voc-resnet50/cam", "voc-resnet50/amn")}
    cams = [run for run in runs.values() if run.method == "cam"]
    for place, run in runs.items():
        first = order_cams(run, cams)[0]
        assert first.path == runs[f"{place.partition('/')[0]}/cam"].path
        assert order_cams(run, cams[::-1])[0].path == first.path


@pytest.mark.parametrize(("bundle", "head"), [
    ("voc", "| CAM cut at | foreground | masks | precision | recall | network | 95 % |"),
    ("scenes", "| run | cut at | foreground | masks | precision | recall | network | 95 % |")])
def test_readme_prints_what_the_bundled_networks_came_to(bundle: str, head: str) -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    rows = iter(lines[lines.index(head) + 2:])
    for one in load_consequences(ROOT / "consequence" / bundle):
        for i, threshold in enumerate(one.thresholds):
            cells = [cell.strip() for cell in next(rows).split("|")[1:-1]]
            values = (one.shares[i], one.masks[i], one.precision[i], one.recall[i], one.network[i])
            interval = f"{write_points(one.network_low[i])} to {write_points(one.network_high[i])}"
            expected = [f"{threshold:.3f}", *(write_points(value) for value in values), interval]
            assert cells == ([one.name] if bundle == "scenes" else []) + expected


def test_best_masks_make_the_best_network_on_photographs() -> None:
    [one] = load_consequences(ROOT / "consequence" / "voc")
    assert one.thresholds[int(np.argmax(one.network))] == one.thresholds[int(np.argmax(one.masks))] == one.peak
