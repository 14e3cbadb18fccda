"""Maps that are made while one looks lie where the maps of their run lie."""

import json
from dataclasses import replace

import numpy as np
import pytest

from amn_core.data import load_dataset
from amn_core.formats.runs import load_run
from app.cache import runs as cached
from app.roots import REPOSITORY

BUNDLE = REPOSITORY / "checkpoints" / "scenes" / "amn"


def build_run(registration: str | None):
    """Build the bundled AMN of the scenes as a run without maps, drawn in one way."""
    run = load_run(BUNDLE)
    meta = json.loads(json.dumps(run.meta))
    meta["protocol"] |= {"scales": [1.0]}
    meta["protocol"].pop("registration", None)
    if registration:
        meta["protocol"]["registration"] = registration
    return replace(run, meta=meta)


@pytest.fixture(scope="module")
def picture():
    dataset = load_dataset(load_run(BUNDLE).meta["data"], load_run(BUNDLE).meta["split"])
    image_id = dataset.ids[0]
    return dataset.image(image_id), dataset.class_ids(image_id)


def test_live_map_is_drawn_as_its_run_was_and_may_be_asked_for_otherwise(picture) -> None:
    image, class_ids = picture
    old, new = build_run(None), build_run("features")
    assert (old.is_registered, build_run("cells").is_registered, new.is_registered) == (False, False, True)
    at_cells, at_features = (cached.infer_map(old, image, class_ids, run.is_registered)[0] for run in (old, new))
    assert np.abs(at_cells - at_features).max() > 0.05
    assert np.array_equal(cached.infer_map(new, image, class_ids, False)[0], at_cells)
