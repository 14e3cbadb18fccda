"""The whole pipeline in one command on a few tiny scenes: from CAM to segmentation, resumable, estimated, bundled."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from amn_core.commands.bundle import strip_path
from amn_core.commands.estimate import estimate, format_estimate
from amn_core.commands.pipeline import (
    ReproduceConfig,
    plan_steps,
    resolve_mask_thresholds,
    resolve_refine_thresholds,
    resolve_walk_normalisation,
)
from amn_core.commands.reproduce import choose_methods, reproduce
from amn_core.formats.checkpoints import load_checkpoint
from amn_core.formats.masks import load_mask
from amn_core.formats.runs import load_run

TINY = ReproduceConfig(
    data="scenes:size=64,n=4,seed=3", measure_data="scenes:size=64,n=2,seed=3", preset="scenes",
    backbone="efficientnet_lite0_small", methods="cam,crf,irn,segmentation", cam_epochs=1, amn_epochs=1, irn_epochs=1,
    segmentation_epochs=1, batch=2, crop=48, crf=False, device="cpu")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReproduceConfig, dict]:
    """The whole pipeline, run once."""
    folder = tmp_path_factory.mktemp("pipeline")
    config = replace(TINY, out=str(folder / "all"), bundle=str(folder / "bundle"))
    return config, reproduce(config)


def test_pipeline_measures_every_method_with_what_it_goes_on_from(done) -> None:
    config, result = done
    assert [run["name"] for run in result["runs"]] == ["CAM", "AMN", "AMN + CRF", "AMN + IRN", "Segmentation"]
    assert [run["method"] for run in result["runs"]] == ["cam", "amn", "amn", "irn", "segmentation"]
    assert [run["images"] for run in result["runs"]] == [2] * 5
    assert all(run["peak_miou"] > 0 for run in result["runs"][:4])  # segmentation may be all wrong after one step
    is_masks = [load_run(Path(config.out) / method).is_masks for method in choose_methods(config)]
    assert is_masks == [False, False, True, False, True]


def test_every_planned_step_leaves_what_says_that_it_is_done(done) -> None:
    config, _ = done
    for step in plan_steps(choose_methods(config)):
        assert (Path(config.out) / step.folder / step.done).is_file(), step


def test_pseudo_masks_are_the_walked_maps_cut_at_the_threshold(done) -> None:
    config, _ = done
    walked, threshold = load_run(Path(config.out) / "irn-train"), resolve_mask_thresholds(config)[1]
    for image_id in walked.map_ids:
        cam, class_ids = walked.map(image_id)
        labels = load_mask(Path(config.out) / "pseudo-masks" / f"{image_id}.png")
        assert ((labels > 0) == (cam.max(0) > threshold)).all() and set(labels.flat) <= {0, *class_ids.tolist()}


def test_second_start_does_nothing_again_and_gives_the_same(done) -> None:
    config, result = done
    stamps = {path: path.stat().st_mtime_ns for path in Path(config.out).rglob("model.pth")}
    assert len(stamps) == 4
    again = reproduce(config)
    assert json.dumps(again["runs"]) == json.dumps(result["runs"])
    assert stamps == {path: path.stat().st_mtime_ns for path in Path(config.out).rglob("model.pth")}
    with pytest.raises(ValueError, match=r"irn_epochs=1, not 2"):
        reproduce(replace(config, irn_epochs=2))


def test_bundle_names_no_path_and_holds_the_models_that_are_runs_own(done) -> None:
    config, _ = done
    bundle = Path(config.bundle)
    for method in choose_methods(config):
        text = (bundle / method / "run.json").read_text()
        assert str(Path(config.out).parent) not in text
        assert load_run(bundle / method).has_counts
        assert (bundle / method / "model.pth").is_file() == (method != "crf")
    assert load_checkpoint(bundle / "irn" / "model.pth")[0].method == "irn"
    reproduce(replace(config, bundle=str(bundle.with_name("tables")), bundle_models=False))
    assert not list(bundle.with_name("tables").rglob("model.pth"))


def test_estimate_has_every_planned_step(tmp_path: Path) -> None:
    config = replace(TINY, out=str(tmp_path))
    result = estimate(config)
    assert [stage["name"] for stage in result["stages"]] == [step.name for step in plan_steps(choose_methods(config))]
    assert all(stage["seconds"] > 0 for stage in result["stages"])
    assert result["seconds"] == pytest.approx(sum(stage["seconds"] for stage in result["stages"]))
    assert "pseudo masks" in format_estimate(result) and not list(tmp_path.iterdir())


def test_scale_of_the_walk_is_checked_before_any_training(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scale is 0; it must lie between"):
        reproduce(replace(TINY, out=str(tmp_path), walk_scale=0.0))
    assert not list(tmp_path.iterdir())


def test_thresholds_of_the_refinement_are_the_papers_under_its_preset() -> None:
    paper = ReproduceConfig(preset="paper")
    assert resolve_refine_thresholds(paper) == (0.45, 0.15) and resolve_mask_thresholds(paper) == (0.25, 0.25)
    assert resolve_mask_thresholds(ReproduceConfig(preset="paper", data="coco:ROOT")) == (0.25, 0.22)
    assert resolve_walk_normalisation(paper) == "largest"
    ours = ReproduceConfig(preset="minutes", crf_threshold=0.3)
    assert resolve_walk_normalisation(ours) == "mean" and resolve_mask_thresholds(ours) == (0.3, 0.3)
    given = ReproduceConfig(preset="paper", refine_background=0.0, mask_threshold=0.4)
    assert resolve_refine_thresholds(given) == (0.45, 0.0) and resolve_mask_thresholds(given) == (0.25, 0.4)


@pytest.mark.parametrize(("text", "expected"), [
    ("/data/VOC2012", "VOC2012"), ("voc:/data/VOC2012", "voc:VOC2012"), ("imagenet", "imagenet"), ("0.5,1", "0.5,1")])
def test_folders_are_stripped_and_other_texts_kept(text: str, expected: str) -> None:
    assert strip_path(text) == expected
