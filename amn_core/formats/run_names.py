"""What a run is called: one short and one full name, the same in legends, tables, lists, figures and messages."""

from collections.abc import Sequence

from amn_core.formats.runs import Run

BACKBONES = {
    "ResNet50": "ResNet-50", "ResNet101": "ResNet-101", "EfficientNetLite0": "Lite0",
    "EfficientNetLite0Small": "Lite0 small"}


def name_backbone(run: Run) -> str:
    """Name the backbone of a run's model for people; nothing where it is not known."""
    kind = run.meta.get("model", {}).get("backbone", "")
    return BACKBONES.get(kind, kind)


def name_fully(run: Run) -> str:
    """Give the full name of a run: its own and its backbone's, as in ``CAM, ResNet-50``."""
    return ", ".join(filter(None, (run.name, name_backbone(run))))


def name_runs(runs: Sequence[Run], places: Sequence[str] | None = None) -> list[str]:
    """Give the short names of runs that are shown together, each another.

    A run keeps its own name where no other has it; else the full one is taken, and where that does not help either,
    its own with the place where it lies, and a number if all that is alike.

    Args:
        runs: shown together. places: of each; by default the last two folders of its path.
    """
    places = ["/".join(run.path.parts[-2:]) for run in runs] if places is None else places
    own, full = [run.name for run in runs], [name_fully(run) for run in runs]
    names = [
        name if own.count(name) == 1 else longer if full.count(longer) == 1 else f"{name} ({place})"
        for name, longer, place in zip(own, full, places, strict=True)]
    return [name if names.count(name) == 1 else f"{name} {i}" for i, name in enumerate(names, start=1)]
