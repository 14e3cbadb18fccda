"""Images, image-level labels and ground truth, behind one interface; free of torch.

``load_dataset(spec, split)`` opens any of them. A spec is ``voc:ROOT``, ``coco:ROOT``, ``pets:ROOT`` (Oxford-IIIT Pet,
its 37 breeds; ``pets:ROOT,classes=species`` for cat and dog), ``folder:ROOT``, ``photos`` (six photographs of other
packages) or ``scenes[:key=value,…]`` (pictures drawn by the package, exact masks included).
"""

from dataclasses import replace
from importlib import import_module

from amn_core.data.base import Dataset, FileDataset, Problem, describe_problems, find_problems, name_ground_truth
from amn_core.data.images import load_image
from amn_core.formats.errors import DataError
from amn_core.formats.masks import load_label_image

__all__ = [
    "DataError", "Dataset", "FileDataset", "Problem", "choose_first_split", "describe_problems", "find_problems",
    "load_dataset", "load_image", "load_label_image", "name_ground_truth", "parse_options", "select_ids",
]

SPECS = "voc:ROOT, coco:ROOT, pets:ROOT[,classes=species], folder:ROOT"  # those that lie in a folder
# What opens the data sets that lie in a folder: imported when one is asked for.
OPENERS = {"voc": "voc:open_voc", "folder": "folder:open_folder", "coco": "coco.dataset:open_coco",
           "pets": "pets:open_pets"}


def load_dataset(spec: str, split: str, skip_broken: bool = False) -> Dataset:
    """Open a data set by its spec.

    Args:
        spec: ``voc:ROOT``, ``coco:ROOT``, ``pets:ROOT[,classes=species]``, ``folder:ROOT``, ``photos`` or
            ``scenes[:key=value,…]``.
        split: name of a split, or the path of a list of ids.
        skip_broken: leave out listed images that have no file, instead of refusing.

    Raises:
        DataError: an unknown kind, or what the kind's reader finds missing.
    """
    kind, _, rest = spec.partition(":")
    if kind == "scenes":
        return import_module("amn_core.data.scenes.dataset").open_scenes(parse_options(rest), split)
    if spec == "photos":
        return import_module("amn_core.data.photos").open_photos(split)
    if kind not in OPENERS or not rest:
        raise DataError(f"data {spec!r}: expected {SPECS}, photos or scenes[:key=value,…]")
    module, _, opener = OPENERS[kind].partition(":")
    return getattr(import_module(f"amn_core.data.{module}"), opener)(rest, split, skip_broken)


def choose_first_split(spec: str) -> str:
    """Choose the split of a data set that is looked at where none is named: ``trainval`` of pets, else ``train``."""
    return "trainval" if spec.startswith("pets:") else "train"


def parse_options(text: str) -> dict[str, str]:
    """Parse ``key=value,key=value`` into a dict; the empty text gives an empty dict."""
    options: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise DataError(f"option {part!r}: expected key=value")
        options[key.strip()] = value.strip()
    return options


def select_ids(dataset: Dataset, ids: tuple[str, ...]) -> Dataset:
    """Restrict a data set to some of its ids, in the order given."""
    known = set(dataset.ids)
    unknown = [image_id for image_id in ids if image_id not in known]
    if unknown:
        raise DataError(f"{unknown[0]} is not in the split {dataset.split} of {dataset.spec}")
    return replace(dataset, ids=tuple(ids))  # every data set is a frozen dataclass
