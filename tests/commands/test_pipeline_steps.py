"""The stages of the pipeline, and what is taken where an option is left open."""

import pytest

from amn_core.commands.pipeline import (
    METHODS,
    STEPS,
    ReproduceConfig,
    describe_open,
    find_due,
    plan_steps,
    resolve_reproduce_config,
)
from amn_core.presets import PRESET_NAMES


def test_every_step_stands_behind_what_it_needs():
    names = [step.name for step in STEPS]
    assert len(set(names)) == len(names)
    for place, step in enumerate(STEPS):
        assert all(names.index(need) < place for need in step.needs)


@pytest.mark.parametrize("method", METHODS)
def test_a_plan_is_closed_and_ends_with_what_was_asked_for(method):
    steps = plan_steps((method,))
    names = {step.name for step in steps}
    assert all(need in names for step in steps for need in step.needs)
    assert f"measure {method}" in names and "train cam" in names


def test_labels_are_not_made_again_for_a_model_that_is_there():
    steps = plan_steps(("cam", "amn"))
    done = {"train cam", "train amn", "measure cam"}
    assert [step.name for step in find_due(steps, lambda step: step.name in done)] == ["measure amn"]
    assert [step.name for step in find_due(steps, lambda step: step.name in done - {"train amn"})] == [
        "seeds", "train amn", "measure amn"]


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_resolved_options_leave_nothing_open_but_what_differs_between_stages(preset):
    config = resolve_reproduce_config(ReproduceConfig(data="voc:x", preset=preset))
    assert {name for name, value in vars(config).items() if value is None} == {"batch", "crop"}
    assert resolve_reproduce_config(config) == config


def test_open_masks_follow_data_and_normalisation():
    paper = ReproduceConfig(data="coco:x", preset="paper")
    assert describe_open(paper, "mask_threshold") == "0.22"
    assert describe_open(ReproduceConfig(data="voc:x", preset="paper"), "mask_threshold") == "0.25"
    assert describe_open(ReproduceConfig(data="voc:x", walk_normalisation="largest"), "mask_threshold") == "0.25"
    assert describe_open(ReproduceConfig(data="voc:x"), "mask_threshold") == "0.5"


def test_a_batch_that_differs_between_stages_is_described_by_stage():
    config = ReproduceConfig(data="voc:x", preset="paper", methods="cam,amn,irn")
    assert describe_open(config, "batch") == "16, irn 32"
    assert describe_open(ReproduceConfig(data="voc:x", methods="cam"), "batch") == "16"
