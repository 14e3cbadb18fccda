"""What is to be diagnosed, opened with its data set: a folder of maps or masks, a run with maps, or counts alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from amn_core.data import DataError, Dataset, load_dataset, name_ground_truth
from amn_core.data.voc import MASK_FOLDERS, find_voc_folder
from amn_core.diagnose.readings import spread
from amn_core.formats.errors import FormatError
from amn_core.formats.foreign import Layout, RawMap
from amn_core.formats.map_folder import MapFolder, open_map_folder
from amn_core.formats.maps import LEVELS, load_stored_map
from amn_core.formats.masks import load_mask, load_swapped_mask
from amn_core.formats.numbering import load_numbered
from amn_core.formats.readings import Reading as Keys
from amn_core.formats.readings import find_size, plan_planes
from amn_core.formats.recognise import Recognised, recognise, scale_integers
from amn_core.formats.runs import Run, load_run, resolve_spec
from amn_core.sweep import Counts

SAMPLES = 48
OWN_LAYOUT = Layout("maps of a run", 1)


@dataclass(frozen=True)
class Source:
    """Files and the data set they belong to.

    Attributes:
        path: of the folder or run. spec, split: of the data set.
        kind: ``maps`` or ``masks``.
        datasets: a data set for each list whose images all have a file; the first is the one asked for.
        masks: for each name of ground truth the folder it lies in, None for what the data set gives by itself.
        folder: the files; None for a run. run: None for a folder.
        missing: ids of the list asked for that have no file or no ground truth.
        counts: of a run whose maps or whose data are not here; None where pixels can be counted.
    """

    path: str
    spec: str
    split: str
    kind: str
    datasets: dict[str, Dataset] = field(repr=False)
    masks: dict[str, Path | None]
    folder: MapFolder | None = field(repr=False)
    run: Run | None = field(repr=False)
    missing: tuple[str, ...] = field(repr=False, default=())
    counts: Counts | None = field(repr=False, default=None)

    @property
    def dataset(self) -> Dataset:
        """The data set and list asked for."""
        return self.datasets[self.split]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class index, background first."""
        return self.dataset.class_names

    @property
    def is_masks(self) -> bool:
        """Whether these are finished masks."""
        return self.kind == "masks"

    @cached_property
    def lists(self) -> dict[str, tuple[str, ...]]:
        """Ids of each list."""
        return {name: dataset.ids for name, dataset in self.datasets.items()}

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of all lists, each once, those asked for first."""
        return tuple(dict.fromkeys(image_id for ids in self.lists.values() for image_id in ids))

    @cached_property
    def home(self) -> dict[str, Dataset]:
        """The data set that knows each image."""
        return {i: dataset for dataset in reversed(self.datasets.values()) for i in dataset.ids}

    def labels(self, image_id: str) -> np.ndarray:
        """Look up the classes of an image, (L,) int64."""
        return self.home[image_id].class_ids(image_id)

    def gt(self, image_id: str, name: str) -> np.ndarray | None:
        """Load the ground truth of an image, (H, W) uint8; None if it has none of this name."""
        folder = self.masks[name]
        if folder is None:
            return self.home[image_id].gt(image_id)
        path = folder / f"{image_id}.png"
        return load_numbered(path, len(self.class_names)) if path.is_file() else None

    def read(self, image_id: str) -> RawMap:
        """Read the maps of an image as they are written; integers and booleans as float32 in [0, 1]."""
        if self.run is None:
            raw = self.folder.read(image_id, self.class_names)
            return replace(raw, planes=scale_planes(raw.planes))
        levels, class_ids, _ = load_stored_map(self.run.map_path(image_id))
        return RawMap(OWN_LAYOUT, "cam", levels.astype(np.float32) / np.float32(LEVELS), class_ids)

    def read_mask(self, image_id: str, numbering: str) -> np.ndarray:
        """Read a finished mask under a numbering, (h, w) uint8.

        Raises:
            FormatError: broken, or values without a place in this numbering.
        """
        if self.run is None:
            path = self.folder.files[image_id][0][1]
            if numbering == "stored":  # strange values are no error here: they are what is looked for
                return load_strange_mask(path)
            return load_numbered(path, len(self.class_names), numbering, self.labels(image_id))
        levels, class_ids, _ = load_stored_map(self.run.map_path(image_id))
        padded = np.concatenate([np.zeros((1, *levels.shape[1:]), np.uint8), levels])
        return np.concatenate([[0], class_ids])[padded.argmax(axis=0)].astype(np.uint8)


def load_strange_mask(path: Path) -> np.ndarray:
    """Load a mask as it is written; colours that are VOC's with red and blue exchanged give what they look like.

    255 in such colours looks like nothing: it becomes a value that no list of classes has.
    """
    try:
        return load_mask(path)
    except FormatError:
        return SWAPPED[load_swapped_mask(path)]


def build_swapped() -> np.ndarray:
    """Build the table (256,) uint8 from a label to the one whose colour of VOC has its red and blue exchanged."""
    labels = np.arange(256)
    red, blue = labels & 0b001001, labels & 0b100100
    table = (labels & 0b010010) | (red << 2) | (blue >> 2)
    return np.where(labels < 64, table, STRANGE).astype(np.uint8)


STRANGE = 254
SWAPPED = build_swapped()


def scale_planes(planes: np.ndarray) -> np.ndarray:
    """Scale maps of integers or booleans to [0, 1], float32; floats stay as they are."""
    if planes.dtype.kind == "f" or not planes.size:
        return planes
    high = planes.max()
    return scale_integers(planes, 1 if high <= 1 else 255 if high <= 255 else 65535)


@lru_cache(maxsize=4)
def open_source(path: str, spec: str = "", split: str = "", kind: str = "auto") -> Source:
    """Open a folder of maps or masks, or a run, with its data set and every list whose images all have a file.

    Args:
        spec, split: of the data set; of a run, by default those it was made from. kind: as in `import`.

    Raises:
        ValueError: nothing that can be read, or a folder without ``spec`` and ``split``.
    """
    run = load_run(path) if (Path(path) / "run.json").is_file() else None
    if run is None and not (spec and split):
        raise ValueError(f"{path} is not a run: say with --data and --split which images its files belong to")
    split = split or run.meta["split"]
    if run is not None and not (run.has_maps and (spec or has_data(run))):
        return open_counts(path, run, split)
    spec = spec or resolve_spec(run)
    dataset = load_dataset(spec, split, skip_broken=True)
    if run is not None and dataset.class_names != run.class_names:
        raise ValueError(f"{spec} has other classes than the run {path}")
    others = {name: load_other(spec, name) for name in list_splits(spec) if name != split}
    others = {name: other for name, other in others.items() if other is not None}
    every = tuple(dict.fromkeys((*dataset.ids, *(i for other in others.values() for i in other.ids))))
    folder = None if run else open_map_folder(path, every, dataset.class_names, kind)
    present = set(folder.files) if folder else set(run.map_ids)
    kept = tuple(i for i in dataset.ids if i in present and has_truth(dataset, i))
    if not kept:
        raise DataError(f"{path}: no image of the split {split} has both a file and ground truth; "
                        "check the data and the split")
    missing = tuple(i for i in dataset.ids if i not in set(kept))
    datasets = {split: replace(dataset, ids=kept)}
    datasets |= {name: other for name, other in others.items() if other.ids and set(other.ids) <= present
                 and set(other.ids) != set(kept) and all(has_truth(other, i) for i in other.ids)}
    is_masks = folder.kind == "masks" if folder else run.is_masks
    return Source(path, spec, split, "masks" if is_masks else "maps", datasets, find_truths(spec, dataset), folder,
                  run, missing)


def has_data(run: Run) -> bool:
    """Tell whether the data of a run are on this machine."""
    try:
        load_dataset(resolve_spec(run), run.meta["split"], skip_broken=True)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Counted:
    """The images of counts, where there is no data set to ask."""

    ids: tuple[str, ...]
    class_names: tuple[str, ...]


def open_counts(path: str, run: Run, split: str) -> Source:
    """Open the counts of a run whose maps, or whose data, are not here.

    Raises:
        ValueError: it has none.
    """
    counts = run.counts()
    name = run.meta["protocol"].get("ground_truth") or "its ground truth"
    return Source(path, run.meta["data"], split, "masks" if run.is_masks else "maps",
                  {split: Counted(counts.image_ids, run.class_names)}, {name: None}, None, run, (), counts)


def load_other(spec: str, split: str) -> Dataset | None:
    """Open another list of a data set; None where it cannot be."""
    try:
        return load_dataset(spec, split, skip_broken=True)
    except DataError:
        return None


def has_truth(dataset: Dataset, image_id: str) -> bool:
    """Tell whether an image has ground truth, without reading it where the data set knows its files."""
    masks = getattr(dataset, "mask_paths", None)
    return image_id in masks if masks is not None else True


def list_splits(spec: str) -> list[str]:
    """List the names of the lists that a data set has; empty where they cannot be listed."""
    kind, _, root = spec.partition(":")
    if kind == "voc":
        folder = find_voc_folder(Path(root).expanduser()) / "ImageSets" / "Segmentation"
        return sorted(path.stem for path in folder.glob("*.txt"))
    if kind == "folder":
        return ["all", *sorted(path.stem for path in (Path(root).expanduser() / "splits").glob("*.txt"))]
    return {"coco": ["train", "val"], "pets": ["trainval", "test"]}.get(kind, [])


def find_truths(spec: str, dataset: Dataset) -> dict[str, Path | None]:
    """Find the folders of ground truth; the one that the data set takes by itself comes first and stands for None."""
    own = name_ground_truth(dataset)
    kind, _, root = spec.partition(":")
    folder = find_voc_folder(Path(root).expanduser()) if kind == "voc" else None
    others = [name for name in MASK_FOLDERS if name != own] if folder else []
    return {own: None} | {name: folder / name for name in others if (folder / name).is_dir()}


def recognise_source(
    source: Source, ids: Sequence[str]
) -> tuple[Recognised, tuple[str, ...], list[RawMap], list[np.ndarray]]:
    """Recognise what maps mean from a sample; returns the sample's readable images, files and labels, too.

    Raises:
        FormatError: none of them can be read.
    """
    read, name = [], next(iter(source.masks))
    for image_id in ids:
        try:
            read.append((image_id, source.read(image_id), source.labels(image_id), source.gt(image_id, name).shape))
        except DataError:  # FormatError is one
            continue
    if not read:
        source.read(ids[0])  # raises what is wrong with it
    known, raws, labels, sizes = ([row[i] for row in read] for i in range(4))
    return recognise(raws, labels, sizes, len(source.class_names)), tuple(known), raws, labels


def choose_sample(source: Source, most: int = SAMPLES) -> tuple[str, ...]:
    """Choose some images of the list asked for, spread over it."""
    return spread(source.dataset.ids, most)


@dataclass(frozen=True)
class Assigned:
    """The planes of a file that are classes, and what names them.

    Attributes:
        planes: (K, h, w) as stored. keys: (K,) as written, or the classes themselves where ``fixed``.
        ground: (h, w) the plane of background, or None.
    """

    planes: np.ndarray
    keys: np.ndarray
    ground: np.ndarray | None


def assign_planes(raw: RawMap, plane: str, known: Recognised, labels: np.ndarray, n_classes: int) -> Assigned | None:
    """Assign the planes of a file to keys, given where the background is; None where the shapes do not allow it."""
    planes = np.moveaxis(raw.planes, 2, 0) if known.is_last else raw.planes
    if raw.keys is not None and not raw.keys.size:
        size = find_size(raw, known.reading)
        return Assigned(np.zeros((0, *size), np.float32), raw.keys, None)
    if is_fixed(raw, known):
        planned = plan_planes(raw, Keys(known.key_base, plane, known.is_full, known.is_last), labels, n_classes)
        return None if planned is None else Assigned(planes[planned[0]], planned[1], find_ground(planes, plane))
    keys, n = raw.keys, len(planes)
    if plane in ("key 0", "padded keys"):
        if keys[0] != 0 or not (keys[1:] > 0).all():
            return None
        keys = keys[1:]
    places = slice(int(plane in ("plane", "key 0")), n - (plane == "last"))
    taken = planes[places]
    if len(taken) != len(keys) or len(set(keys.tolist())) < len(keys):
        return None
    order = np.argsort(keys, kind="stable")
    taken = taken if (np.diff(order) > 0).all() else taken[order]
    return Assigned(taken, keys[order], find_ground(planes, plane))


def is_fixed(raw: RawMap, known: Recognised) -> bool:
    """Whether a file's keys do not name its planes, so that the image labels must."""
    return raw.keys is None or known.is_full


def find_ground(planes: np.ndarray, plane: str) -> np.ndarray | None:
    """Find the plane of background, if there is one."""
    at = {"plane": 0, "key 0": 0, "last": -1}.get(plane)
    return None if at is None or not len(planes) else planes[at]
