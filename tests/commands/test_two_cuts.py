"""Seeds and exports with two cuts: what is written is what the plane of both cuts scores, exactly."""

from pathlib import Path

import numpy as np
import pytest

from amn_core.cli import main
from amn_core.commands.count import CountConfig, count
from amn_core.commands.export import ExportConfig, run_export
from amn_core.commands.seed import SeedConfig, make_seeds
from amn_core.data import load_dataset
from amn_core.formats.files import read_json
from amn_core.formats.maps import save_map
from amn_core.formats.masks import load_mask
from amn_core.formats.runs import Run, load_run, save_run
from amn_core.scoring import score_run_cuts
from amn_core.sweep import score_miou
from amn_core.sweep.confusion import count_mask
from amn_core.sweep.two_cuts import score_pair

SCENES = "scenes:size=48,n=6,seed=3"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run on drawn scenes whose maps are the ground truth with noise, counted."""
    dataset, draw = load_dataset(SCENES, "train"), np.random.default_rng(2)
    made = save_run(tmp_path / "run", {
        "name": "CAM", "method": "cam", "data": SCENES, "split": "train", "images": len(dataset.ids),
        "class_names": list(dataset.class_names), "protocol": {}})
    for image_id in dataset.ids:
        gt, class_ids = dataset.gt(image_id), dataset.class_ids(image_id)
        noise = draw.random((len(class_ids), *gt.shape), dtype=np.float32)
        save_map(made.map_path(image_id), 0.4 * (gt == class_ids[:, None, None]) + 0.6 * noise, class_ids, gt.shape)
    count(CountConfig(run=str(made.path), workers=1))
    return load_run(made.path)


def check_labels(run: Run, folder: Path, high: float, low: float) -> None:
    """Hold label images against the ground truth one by one, and against what the plane says of them."""
    dataset = load_dataset(SCENES, "train")
    masks = {image_id: load_mask(folder / f"{image_id}.png") for image_id in dataset.ids}
    counted = sum(count_mask(mask, dataset.gt(image_id), len(dataset.class_names)) for image_id, mask in masks.items())
    score = score_pair(score_run_cuts(run), high, low)
    assert score.miou == pytest.approx(float(score_miou(counted[:, :-1])))
    assert score.coverage == pytest.approx(counted[:, :-1].sum() / counted.sum()) and 0 < score.coverage < 1


@pytest.mark.parametrize(("cuts", "high", "low"), [("toco-voc", 0.7, 0.25), ("0.6,0.35", 0.6, 0.35), ("", 0.3, 0.05)])
def test_seeds_and_exports_are_what_the_plane_scores(run, tmp_path, cuts, high, low):
    make_seeds(SeedConfig(run=str(run.path), cuts=cuts, out=str(tmp_path / "seeds"), workers=1))
    check_labels(run, tmp_path / "seeds", high, low)
    settings = read_json(tmp_path / "seeds" / "seeds.json")
    assert (settings["foreground"], settings["background"]) == (high, low)
    run_export(ExportConfig(run=str(run.path), format="seeds", cuts=cuts, out=str(tmp_path / "out"), workers=1))
    check_labels(run, tmp_path / "out", high, low)


def test_masks_are_cut_by_the_threshold_of_the_strongest_class(run, tmp_path):
    rows = [f"{c},{0.3 + 0.05 * c:.2f}" for c in range(1, len(run.class_names))]
    (tmp_path / "cuts.csv").write_text("\n".join(["class,threshold", *rows]))
    given = {"run": str(run.path), "thresholds": str(tmp_path / "cuts.csv"), "out": str(tmp_path / "out"), "workers": 1}
    run_export(ExportConfig(format="masks", **given))
    for image_id in run.map_ids:
        cam, class_ids = run.map(image_id)
        expected = np.zeros(cam.shape[1:], np.uint8)
        for at in np.ndindex(expected.shape):
            k = int(cam[(slice(None), *at)].argmax())
            if cam[(k, *at)] > np.float32(round(0.3 + 0.05 * int(class_ids[k]), 2)):
                expected[at] = class_ids[k]
        np.testing.assert_array_equal(load_mask(tmp_path / "out" / f"{image_id}.png"), expected)
    with pytest.raises(ValueError, match="for --format masks, and the format is seeds"):
        run_export(ExportConfig(format="seeds", **given))


def test_cuts_that_are_none_are_refused_in_one_line(run, tmp_path, capsys):
    for words in (["seed", "--run", str(run.path)], ["export", str(run.path), "--format", "seeds"]):
        assert main([*words, "--cuts", "high", "--out", str(tmp_path / "none")]) == 1
        assert "one of toco-voc, toco-coco" in capsys.readouterr().err
