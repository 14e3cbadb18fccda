"""``apply``: the models of a bundle over other data, as runs side by side."""

from pathlib import Path

import numpy as np
import pytest

from amn_core.commands.apply import ApplyConfig, apply_bundle
from amn_core.commands.extract import ExtractConfig, extract
from amn_core.formats.runs import load_run
from amn_core.presets import PRESET_SCALES

BUNDLE = Path(__file__).resolve().parents[2] / "checkpoints" / "scenes"
DATA = "scenes:size=96,n=4,seed=21"


def test_every_model_of_a_bundle_is_applied_as_for_its_own_run(tmp_path):
    out = apply_bundle(ApplyConfig(bundle=str(BUNDLE), data=DATA, split="train", out=str(tmp_path / "out"),
                                   device="cpu", precision="fp32"))
    assert sorted(path.name for path in out.iterdir()) == ["amn", "amn-without-lcm", "cam"]
    for method in ("cam", "amn-without-lcm", "amn"):
        run, bundled = load_run(out / method), load_run(BUNDLE / method)
        assert run.has_counts and run.method == method and run.name == bundled.name
        assert run.meta["protocol"]["scales"] == bundled.meta["protocol"]["scales"]
        assert run.meta["protocol"]["normalisation"] == bundled.meta["protocol"]["normalisation"]


def test_maps_are_those_of_extract_and_are_kept(tmp_path):
    config = ApplyConfig(bundle=str(BUNDLE), data=DATA, split="train", out=str(tmp_path / "out"), device="cpu",
                         precision="fp32")
    apply_bundle(config)
    run = load_run(tmp_path / "out" / "cam")
    extract(ExtractConfig(checkpoint=str(BUNDLE / "cam" / "model.pth"), data=DATA, out=str(tmp_path / "one"),
                          scales=PRESET_SCALES["scenes"], device="cpu", precision="fp32"))
    first = run.map_ids[0]
    assert np.array_equal(run.map(first)[0], load_run(tmp_path / "one").map(first)[0])
    before = run.map_path(first).stat().st_mtime_ns
    apply_bundle(config)
    assert run.map_path(first).stat().st_mtime_ns == before


def test_a_folder_without_checkpoints_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no run with a checkpoint of CAM or AMN in it"):
        apply_bundle(ApplyConfig(bundle=str(tmp_path), data=DATA, out=str(tmp_path / "out")))
