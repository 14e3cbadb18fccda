"""The lessons' material: the bundled runs, as the lessons find them."""

from pathlib import Path

import pytest

from amn_core.formats.runs import load_run
from app.lessons.data import Material

CHECKPOINTS = Path(__file__).resolve().parents[3] / "checkpoints"


def load_material(bundle: str) -> Material:
    """Load the runs of a bundle by method."""
    runs = [load_run(path.parent) for path in sorted((CHECKPOINTS / bundle).glob("*/run.json"))]
    return Material(f"{runs[0].meta['data']}/{runs[0].meta['split']}", {run.method: run for run in runs})


@pytest.fixture(scope="session")
def scenes_material() -> Material:
    """The bundled runs on drawn scenes."""
    return load_material("scenes")


@pytest.fixture(scope="session")
def voc_material() -> Material:
    """The bundled runs on photographs."""
    return load_material("voc")
