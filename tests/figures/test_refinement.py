"""The figure of curves before and after refinement."""

import numpy as np
import pytest

from amn_core.cli import main
from amn_core.data import load_dataset
from amn_core.figures.config import FigureConfig
from amn_core.figures.make import build_output
from amn_core.figures.material import load_material
from amn_core.figures.refinement import find_gain, find_pairs
from amn_core.formats.maps import save_map
from amn_core.formats.runs import load_run, save_run

SPEC = "scenes:size=48,n=4,seed=3"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run and the same refined at every threshold of a coarse grid."""
    folder, dataset = tmp_path_factory.mktemp("runs"), load_dataset(SPEC, "train")
    rng = np.random.default_rng(0)
    run = save_run(folder / "cam", {
        "name": "CAM", "method": "cam", "data": SPEC, "split": "train", "class_names": list(dataset.class_names),
        "protocol": {}})
    for image_id in dataset.ids:
        gt, class_ids = dataset.gt(image_id), dataset.class_ids(image_id)
        cam = np.stack([(gt == c)[::4, ::4] * 0.6 for c in class_ids]) + rng.random((len(class_ids), 12, 12)) * 0.4
        save_map(run.map_path(image_id), cam.astype(np.float32), class_ids, gt.shape)
    every = folder / "every"
    assert main(["count", "--run", str(run.path)]) == 0
    assert main(["refine", "--run", str(run.path), "--method", "crf", "--every", "--thresholds", "11", "--out",
                 str(every), "--device", "cpu"]) == 0
    return str(run.path), str(every)


def test_after_refinement_draws_both_curves_and_says_what_refinement_adds(runs):
    config = FigureConfig("after-refinement", runs, out="a.svg", resamples=20)
    output = build_output(config)
    assert output.content == build_output(config).content
    assert "CAM + CRF" in output.caption and "refinement adds" in output.caption and "11 thresholds" in output.note
    material = load_material(config)
    assert find_pairs(material.sources) == {1: 0}
    gain = find_gain(material, 0, 1)
    curves = [load_run(path).counts() for path in runs]
    assert len(gain) == 11 == len(curves[1].thresholds) and np.isfinite(gain).all()


def test_after_refinement_asks_for_both_runs(runs):
    for given, message in ((runs[:1], "refine --every"), (runs[1:], "was made from CAM: give that run too")):
        with pytest.raises(ValueError, match=message):
            build_output(FigureConfig("after-refinement", given, out="a.svg"))
