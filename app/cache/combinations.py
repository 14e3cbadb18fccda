"""Two runs combined as Explore shows them, by the same function as the command ``combine``."""

from dataclasses import dataclass

import numpy as np

from amn_core.commands.combine import CombineConfig, combine_image, describe_combination, name_combined
from amn_core.constants import METHOD_COLOURS, METHOD_DASHES
from amn_core.formats.runs import Run
from app import afterwards
from app.cache import runs as cached
from app.charts.styles import RunStyle

KEY = "~combined"  # no run's key; '~' joins keys in the URL


@dataclass(frozen=True)
class Mix:
    """What is combined: one of `WAYS`, one or two keys of runs, and perhaps a folder of masks."""

    by: str
    keys: tuple[str, ...]
    masks: str = ""
    overlap: float = 0.5


def list_runs(mix: Mix, group: dict[str, Run]) -> list[Run]:
    """List the runs that are combined."""
    return [group[key] for key in mix.keys]


def build_config(mix: Mix, group: dict[str, Run]) -> CombineConfig:
    """Build the config of the command that makes the run of it; without the place of its data if that is not here."""
    runs = list_runs(mix, group)
    dataset = cached.get_dataset(runs[0])
    return afterwards.build_combine(runs, dataset.spec if dataset else "", mix.by, mix.masks, mix.overlap)


def name_mix(mix: Mix, group: dict[str, Run]) -> str:
    """Name what comes out, as the command names its run."""
    return name_combined(list_runs(mix, group), mix.by, bool(mix.masks))


def style_mix(mix: Mix, group: dict[str, Run]) -> RunStyle:
    """Style what comes out: as the run that was made of it, else in the colour of the method."""
    found = find_combined(mix, group)
    if found is not None:
        return cached.style_runs(group)[found]
    return RunStyle(name_mix(mix, group), METHOD_COLOURS["combined"], METHOD_DASHES["combined"], "hexagram")


def is_masks(mix: Mix, group: dict[str, Run]) -> bool:
    """Whether what comes out are finished masks, as those of two runs of masks are but for their mean."""
    return all(run.is_masks for run in list_runs(mix, group)) and (len(mix.keys) == 1 or mix.by != "mean")


def find_combined(mix: Mix, group: dict[str, Run]) -> str | None:
    """Find the run that the command made of the same, with counts, by its key; None if there is none."""
    wanted = describe_combination(build_config(mix, group), list_runs(mix, group))
    return next((key for key, run in group.items() if run.has_counts and run.meta.get("combination") == wanted), None)


def load_mixed(
    mix: Mix, group: dict[str, Run], image_id: str, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Load the combined maps of an image, cam (K, *size) float32 in [0, 1] and class_ids (K,).

    Raises:
        ValueError: a run has neither map nor model, or the two do not fit each other; names the image.
    """
    runs = list_runs(mix, group)
    maps = [cached.load_map(run, image_id, size) for run in runs]
    return combine_image(image_id, maps, runs, build_config(mix, group))
