"""A run refined by the command as a user types it: masks and maps, counted, compared, exported, resumed, refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from amn_core.cli import main
from amn_core.data import load_dataset
from amn_core.formats.checkpoints import save_checkpoint
from amn_core.formats.maps import LEVELS, compute_map_size, load_stored_map, resize_maps, save_levels
from amn_core.formats.masks import load_mask
from amn_core.formats.runs import load_run, save_run
from amn_core.infer.walker import load_walker
from amn_core.models import build_model
from amn_core.refine import CRFFilters, pamr_labels
from amn_core.refine.random_walk import WalkConfig, spread_maps
from amn_core.sweep.seeds import build_labels

SPEC = "scenes:size=64,n=4,seed=3"


def run_refine(source: Path, out: Path, method: str, *more: str) -> int:
    return main(["refine", "--run", str(source), "--method", method, "--out", str(out), "--device", "cpu", *more])


@pytest.mark.parametrize("method", ["crf", "pamr"])
def test_masks_are_the_cut_maps_refined(method: str, source: Path, tmp_path: Path, capsys) -> None:
    assert run_refine(source, tmp_path / "out", method) == 0
    assert "cut at 0.25, the constant of AMN's code for AMN" in capsys.readouterr().err
    run, dataset = load_run(tmp_path / "out"), load_dataset(SPEC, "train")
    assert run.is_masks and run.method == "amn" and run.name == f"AMN + {method.upper()}"
    assert run.meta["refinement"]["parameters"]["threshold"] == 0.25
    assert run.scored_classes == load_run(source).scored_classes
    for image_id in dataset.ids:
        image, (cam, class_ids) = dataset.image(image_id), load_run(source).map(image_id)
        labels = build_labels(cam, 0.25)
        n = len(class_ids) + 1
        expected = (CRFFilters(image).refine_labels(labels, n) if method == "crf" else pamr_labels(image, labels, n))
        found, found_ids = run.map(image_id)
        assert set(np.unique(found)) <= {0, 1} and found.shape[1:] == labels.shape
        for threshold in (0.0, 0.5, 0.995):
            table = np.concatenate([[0], found_ids])
            assert np.array_equal(table[build_labels(found, threshold)], np.concatenate([[0], class_ids])[expected])


def test_walk_spreads_the_maps_between_the_edges(source: Path, irn: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run_refine(source, out, "irn", "--checkpoint", str(irn), "--steps", "9", "--batch", "3") == 0
    run, dataset, walker = load_run(out), load_dataset(SPEC, "train"), load_walker(irn, "cpu")
    assert run.method == "irn" and run.name == "AMN + IRN" and not run.is_masks
    assert run.meta["refinement"]["parameters"]["power"] == 1.3
    for image_id in dataset.ids:
        cam, class_ids, size = load_stored_map(load_run(source).map_path(image_id))
        found, found_ids, _ = load_stored_map(run.map_path(image_id))
        edge = walker.infer_edge(dataset.image(image_id))
        assert edge.shape == compute_map_size(*size) and edge.std() > 0.01 and edge.min() > 0 and edge.max() < 1
        expected = spread_maps([torch.from_numpy(cam / np.float32(LEVELS))], [edge], WalkConfig(steps=9))[0]
        assert np.array_equal(found_ids, class_ids) and found.shape == cam.shape
        assert np.abs(found / LEVELS - expected.numpy()).max() < 0.5 / LEVELS + 1e-4


def test_walk_on_a_finer_grid_is_kept_there_and_leaves_thresholds_their_meaning(source, irn, tmp_path) -> None:
    out, more = tmp_path / "out", ("--normalisation", "mean", "--scale", "1.5", "--steps", "9")
    assert run_refine(source, out, "irn", "--checkpoint", str(irn), *more) == 0
    run, image_id, walker = load_run(out), "scene_000001", load_walker(irn, "cpu")
    assert run.meta["refinement"]["parameters"]["power"] == 1 and "mean" in run.meta["protocol"]["normalisation"]
    cam, _, size = load_stored_map(load_run(source).map_path(image_id))
    found = load_stored_map(run.map_path(image_id))[0]
    edge = walker.infer_edge(load_dataset(SPEC, "train").image(image_id), 1.5)
    assert found.shape[1:] == edge.shape == compute_map_size(*(round(1.5 * side) for side in size))
    start = torch.from_numpy(resize_maps(cam / np.float32(LEVELS), *edge.shape))
    expected = spread_maps([start], [edge], WalkConfig(steps=9, power=1, normalisation="mean"))[0]
    assert np.abs(found / LEVELS - expected.numpy()).max() < 0.5 / LEVELS + 1e-4
    assert cam.min() <= found.min() and found.max() <= cam.max()
    assert run.map(image_id)[0].shape[1:] == size  # at the image's size, as every map


@pytest.mark.parametrize(("option", "value"), [("--scale", "0"), ("--scale", "99"), ("--power", "-1")])
def test_walk_out_of_range_is_refused(source, irn, tmp_path, capsys, option: str, value: str) -> None:
    assert run_refine(source, tmp_path / "out", "irn", "--checkpoint", str(irn), option, value) == 1
    assert f"{option[2:]} is {value}" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_edges_of_a_mirrored_image_are_mirrored(irn: Path) -> None:
    walker, image = load_walker(irn, "cpu"), load_dataset(SPEC, "train").image("scene_000001")
    torch.testing.assert_close(walker.infer_edge(image[:, ::-1]).flip(-1), walker.infer_edge(image))


def test_refined_runs_are_counted_compared_and_exported_as_masks(source, irn, tmp_path, capsys) -> None:
    crf, walk = tmp_path / "crf", tmp_path / "irn"
    assert run_refine(source, crf, "crf") == 0
    assert run_refine(source, walk, "irn", "--checkpoint", str(irn), "--steps", "4") == 0
    for run in (source, crf, walk):
        assert main(["count", "--run", str(run)]) == 0
    capsys.readouterr()
    assert main(["compare", str(source), str(crf), str(walk), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["runs"]
    assert [row["name"] for row in rows] == ["AMN", "AMN + CRF", "AMN + IRN"]
    assert all(0 < row["peak_miou"] <= 1 for row in rows)
    assert rows[1]["plateau"] is None and rows[2]["plateau"] is not None  # no threshold changes finished masks
    dataset = load_dataset(SPEC, "train")
    for run in (crf, walk):
        masks = tmp_path / f"{run.name}-masks"
        assert main(["export", str(run), "--format", "masks", "--threshold", "0.25", "--out", str(masks)]) == 0
        assert sorted(path.stem for path in masks.glob("*.png")) == sorted(dataset.ids)
        for image_id in dataset.ids:
            cam, class_ids = load_run(run).map(image_id)
            labels = load_mask(masks / f"{image_id}.png")
            assert np.array_equal(labels, np.concatenate([[0], class_ids])[build_labels(cam, 0.25)])
            assert labels.shape == dataset.image(image_id).shape[:2]


def test_refining_goes_on_where_it_was_and_mixes_nothing(source, irn, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert run_refine(source, out, "crf", "--threshold", "0.4") == 0
    first, second, *_ = sorted((out / "maps").glob("*.npz"))
    levels, kept = load_stored_map(first)[0], second.stat().st_mtime_ns
    first.write_bytes(first.read_bytes()[:40])
    assert run_refine(source, out, "crf", "--threshold", "0.4") == 0
    assert np.array_equal(load_stored_map(first)[0], levels) and second.stat().st_mtime_ns == kept
    assert run_refine(source, out, "crf", "--threshold", "0.5") == 1
    assert "another refinement" in capsys.readouterr().err
    assert run_refine(source, out, "irn", "--checkpoint", str(irn)) == 1
    assert "another refinement" in capsys.readouterr().err


def test_image_without_classes_becomes_background(source: Path, irn: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    run = save_run(empty, load_run(source).meta)
    for image_id in load_dataset(SPEC, "train").ids:
        save_levels(run.map_path(image_id), np.zeros((0, 16, 16), np.uint8), np.zeros(0, int), (64, 64))
    for method, more in (("crf", ()), ("pamr", ()), ("irn", ("--checkpoint", str(irn)))):
        assert run_refine(empty, tmp_path / method, method, *more) == 0
        assert load_run(tmp_path / method).map("scene_000001")[0].shape == (0, 64, 64)


@pytest.mark.parametrize(("more", "message"), [
    (("--threshold", "1"), "threshold is 1.0"), (("--batch", "0"), "batch is 0"),
    (("--data", "scenes:size=64,n=6,seed=3"), "no map for 2 of 6 images")])
def test_wrong_options_are_named(more, message, source, tmp_path, capsys) -> None:
    assert run_refine(source, tmp_path / "out", "crf", *more) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_walk_asks_for_an_irn(source: Path, tmp_path: Path, capsys) -> None:
    assert run_refine(source, tmp_path / "out", "irn") == 1
    assert "train irn" in capsys.readouterr().err
    arguments = {"name": "cam", "backbone": "efficientnet_lite0_small", "n_classes": 6, "backbone_options": {}}
    save_checkpoint(tmp_path / "cam.pth", build_model(**arguments), {"model": arguments, "class_names": []})
    assert run_refine(source, tmp_path / "out", "irn", "--checkpoint", str(tmp_path / "cam.pth")) == 1
    assert "is CAM" in capsys.readouterr().err
