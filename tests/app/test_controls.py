"""Which runs are marked before anybody chose."""

from pathlib import Path

from amn_core.formats.runs import Run
from app import roots
from app.cache.runs import name_runs
from app.controls import mark_at_first


def name_run(*parts: str, root: Path = roots.REPOSITORY / "checkpoints") -> Run:
    """Name a run by where it lies; nothing of it is read."""
    return Run(root.joinpath(*parts), {"name": parts[-1]})


def test_of_several_bundles_only_the_first_is_marked() -> None:
    runs = {"a/cam": name_run("a", "cam"), "b/cam": name_run("b", "cam"), "a/amn": name_run("a", "amn")}
    assert mark_at_first(runs) == ["a/cam", "a/amn"]


def test_runs_that_did_not_come_with_the_project_are_always_marked(tmp_path: Path) -> None:
    own = name_run("mine", root=tmp_path)
    runs = {"mine": own, "a/cam": name_run("a", "cam"), "b/cam": name_run("b", "cam")}
    assert mark_at_first(runs) == ["mine", "a/cam"]
    assert mark_at_first({"mine": own}) == ["mine"]


def test_runs_of_one_name_are_told_apart_by_backbone_else_by_key() -> None:
    def make(name: str, backbone: str = "") -> Run:
        return Run(Path(name), {"name": name, "model": {"backbone": backbone}})

    assert name_runs({"a": make("CAM", "ResNet50"), "b": make("CAM", "EfficientNetLite0"), "c": make("AMN", "ResNet50")}
                     ) == {"a": "CAM, ResNet-50", "b": "CAM, Lite0", "c": "AMN"}
    assert name_runs({"x/cam": make("CAM", "ResNet50"), "y/cam": make("CAM", "ResNet50"), "z": make("CAM")}
                     ) == {"x/cam": "CAM (x/cam)", "y/cam": "CAM (y/cam)", "z": "CAM"}


def test_photographs_to_look_at_are_no_data_set_to_judge_by(monkeypatch):
    from types import SimpleNamespace

    from app import controls

    run = SimpleNamespace(method="cam", has_counts=True)
    groups = {"photos/all": {"a": run}, "scenes/val": {"b": run}}
    monkeypatch.setattr(controls.cached, "group_runs", lambda: groups)
    assert list(controls.find_groups()) == ["scenes/val"]
    monkeypatch.setattr(controls.cached, "group_runs", lambda: {"photos/all": {"a": run}})
    assert list(controls.find_groups()) == ["photos/all"]
