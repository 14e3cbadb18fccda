"""Runs shown together have names that differ, the shortest that do."""

from pathlib import Path

from amn_core.commands.compare import CompareConfig, compare
from amn_core.figures.config import FigureConfig
from amn_core.figures.material import load_material
from amn_core.formats.run_names import name_fully, name_runs
from amn_core.formats.runs import Run

BUNDLED = Path(__file__).resolve().parents[2] / "checkpoints"


def make(path: str, name: str, backbone: str = "") -> Run:
    return Run(Path(path), {"name": name, "model": {"backbone": backbone}})


def test_names_are_as_short_as_they_can_be():
    runs = [make("a/cam", "CAM", "ResNet50"), make("b/cam", "CAM", "EfficientNetLite0"), make("a/amn", "AMN")]
    assert name_runs(runs) == ["CAM, ResNet-50", "CAM, Lite0", "AMN"]
    assert [name_fully(run) for run in runs] == ["CAM, ResNet-50", "CAM, Lite0", "AMN"]


def test_runs_alike_are_told_apart_by_place_then_by_number():
    assert name_runs([make("x/a/cam", "CAM"), make("x/b/cam", "CAM")]) == ["CAM (a/cam)", "CAM (b/cam)"]
    assert name_runs([make("x/a/cam", "CAM"), make("y/a/cam", "CAM")]) == ["CAM (a/cam) 1", "CAM (a/cam) 2"]


def test_table_and_figure_call_a_run_the_same():
    runs = tuple(str(BUNDLED / folder / "amn") for folder in ("voc-animals", "voc-resnet50"))
    table = [row["name"] for row in compare(CompareConfig(runs=runs))["runs"]]
    figure = [source.look.label for source in load_material(FigureConfig("miou", runs)).sources]
    assert table == figure == ["AMN, Lite0", "AMN, ResNet-50"]
