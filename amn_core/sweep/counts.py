"""The counts of a run: the integer table from which every figure is computed, small and additive."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from amn_core.constants import DEFAULT_THRESHOLDS, VOC_CLASSES
from amn_core.sweep.binning import check_thresholds
from amn_core.sweep.bins import Bins, take_rows
from amn_core.sweep.count import count_image
from amn_core.sweep.pixels import ImageCounts

DECISION, SEPARATION = ("image", "gt", "class", "bins"), ("image", "class", "bins", "moments")


@dataclass(frozen=True)
class Counts:
    """Pixels by image, ground truth, strongest class and threshold bin, with what separation needs.

    Rows are sorted by image, then ground truth, then class; pairs without a pixel have no row. Bin b holds the
    values above exactly b thresholds, so a pixel is foreground at ``thresholds[j]`` where its bin exceeds j. Of masks
    refined anew at each threshold the bins are steps, which may be below 0 (`amn_core.sweep.refined`).

    Attributes:
        thresholds: (T,) float64, strictly increasing.
        class_names: (C,) names, background first.
        image_ids: (N,) distinct ids, also of images without a row.
        decision_image: (R,) int32 index into image_ids.
        decision_gt, decision_class: (R,) uint8: ground truth, strongest class (0: no class present).
        decision_bins: (R, T+1) uint32 or int64, pixels; ground truth 255 is left out. `Bins` of a large data set.
        separation_image, separation_class: (S,) int32, uint8: one row for each class present in an image.
        separation_bins: (S, 3, T+1) pixels by bin of the class's own map, on its own ground truth, on
            background, and on other classes. `Bins` of a large data set.
        separation_moments: (S, 3, 2) float64, sum and sum of squares of the class's own map there.

    Raises:
        ValueError: if the arrays do not fit together, or a count is negative.
    """

    thresholds: np.ndarray
    class_names: tuple[str, ...]
    image_ids: tuple[str, ...]
    decision_image: np.ndarray
    decision_gt: np.ndarray
    decision_class: np.ndarray
    decision_bins: np.ndarray | Bins
    separation_image: np.ndarray
    separation_class: np.ndarray
    separation_bins: np.ndarray | Bins
    separation_moments: np.ndarray

    def __post_init__(self) -> None:
        check_counts(self)

    @property
    def n_classes(self) -> int:
        """Number of classes, background counted."""
        return len(self.class_names)

    @property
    def is_refined(self) -> bool:
        """Whether these are of masks refined anew at each threshold: no class has a map of its own behind it."""
        return not len(self.separation_class) and bool((self.decision_class > 0).any())

    def select(self, images: Iterable[int] | Iterable[str] | np.ndarray) -> "Counts":
        """Keep some images, by index, id or boolean mask (N,), in the order given.

        Raises:
            ValueError: if an id is unknown, or an image is named twice.
        """
        return select_images(self, find_images(self, images))


def check_counts(counts: Counts) -> None:
    """Check that the arrays of counts fit together; raise ValueError with the first thing that does not."""
    check_thresholds(counts.thresholds)
    n_bins, n_images = len(counts.thresholds) + 1, len(counts.image_ids)
    if len(set(counts.image_ids)) != n_images:
        raise ValueError("image_ids name an image twice: count each image once, or merge its counts")
    for kind, tail in (("decision", (n_bins,)), ("separation", (3, n_bins))):
        image, bins = getattr(counts, f"{kind}_image"), getattr(counts, f"{kind}_bins")
        if bins.shape != (len(image), *tail) or not np.issubdtype(bins.dtype, np.integer):
            raise ValueError(f"{kind}_bins is {bins.dtype} {bins.shape}, not integers {(len(image), *tail)}")
        if not isinstance(bins, Bins) and has_negative(bins, may_step=kind == "decision" and counts.is_refined):
            raise ValueError(f"{kind}_bins holds negative counts: the file or the subtraction is wrong")
        if len(image) and not (image.min() >= 0 and image.max() < n_images):
            raise ValueError(f"{kind}_image points outside the {n_images} images")
    for name, rows in (("decision_gt", "decision"), ("decision_class", "decision"), ("separation_class", "separation")):
        values = getattr(counts, name)
        if values.shape != getattr(counts, f"{rows}_image").shape:
            raise ValueError(f"{name} has {values.shape} entries, not one for each row of {rows}_bins")
        if len(values) and values.max() >= counts.n_classes:
            raise ValueError(f"{name} holds class {values.max()}, but there are {counts.n_classes} class names")


def has_negative(bins: np.ndarray, may_step: bool) -> bool:
    """Tell whether bins (R, ..., B) hold a negative count; of steps, whether what they leave above a threshold is."""
    if not bins.size or not np.issubdtype(bins.dtype, np.signedinteger):
        return False
    return bool((np.cumsum(bins[..., ::-1], axis=-1) if may_step else bins).min() < 0)


class CountsBuilder:
    """Adds up counts image by image; nothing else is kept, so memory does not follow the pixels.

    An image that is added twice (tiles, say) is added up. For totals alone, `pool_counts` keeps one table.
    """

    def __init__(self, class_names: Sequence[str] = VOC_CLASSES, thresholds=DEFAULT_THRESHOLDS) -> None:
        self.class_names = tuple(class_names)
        self.thresholds = check_thresholds(thresholds)
        self._parts: list[tuple[str, ImageCounts]] = []

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, image_id: str, cam, class_ids, gt, background=None) -> ImageCounts:
        """Count one image (see `count_image`), keep its counts, and return them."""
        return self.add_counts(
            image_id,
            count_image(cam, class_ids, gt, self.thresholds, len(self.class_names), background),
        )

    def add_counts(self, image_id: str, counts: ImageCounts) -> ImageCounts:
        """Keep counts that were made elsewhere, with the same thresholds."""
        if not np.array_equal(counts.thresholds, self.thresholds):
            raise ValueError(f"counts of {image_id} have other thresholds than the builder")
        self._parts.append((str(image_id), counts))
        return counts

    def build(self) -> Counts:
        """Build the counts of all images added so far, in the order in which they were first added."""
        names = dict.fromkeys(image_id for image_id, _ in self._parts)
        index = {image_id: i for i, image_id in enumerate(names)}
        images = np.array([index[image_id] for image_id, _ in self._parts], dtype=np.int32)
        parts = [part for _, part in self._parts]
        columns = {
            f"{kind}_image": np.repeat(images, [len(getattr(p, f"{kind}_bins")) for p in parts])
            for kind in ("decision", "separation")
        }
        tails = {"bins": (len(self.thresholds) + 1,), "class": (), "gt": ()}
        for name in (f.name for f in fields(ImageCounts) if f.name != "thresholds"):
            tail = tails.get(name.partition("_")[2], ())
            tail = {"separation_bins": (3, *tail), "separation_moments": (3, 2)}.get(name, tail)
            dtype = np.float64 if name.endswith("moments") else np.int64 if name.endswith("bins") else np.uint8
            columns[name] = np.concatenate([np.zeros((0, *tail), dtype), *(getattr(p, name) for p in parts)])
        return sum_rows(self.thresholds, self.class_names, tuple(names), columns)


def sum_rows(
    thresholds: np.ndarray, class_names: tuple[str, ...], image_ids: tuple[str, ...],
    columns: dict[str, np.ndarray],
) -> Counts:
    """Sort rows by image, ground truth and class, add up those that share all three, and make counts of them."""
    decision_keys = ("decision_image", "decision_gt", "decision_class")
    decision = add_up(columns, decision_keys, ("decision_bins",))
    separation = add_up(
        columns, ("separation_image", "separation_class"), ("separation_bins", "separation_moments")
    )
    return Counts(thresholds, class_names, image_ids, **decision, **separation)


def add_up(
    columns: dict[str, np.ndarray], keys: tuple[str, ...], values: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Add up the rows of some columns that have the same keys; the result is sorted by the keys."""
    order = np.lexsort([columns[key] for key in reversed(keys)])
    sorted_keys = np.stack([columns[key][order].astype(np.int64) for key in keys])
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = (np.diff(sorted_keys, axis=1) != 0).any(axis=0)
    starts = np.flatnonzero(is_first)
    dtypes = {"image": np.int32}
    added = {
        key: sorted_keys[i, starts].astype(dtypes.get(key.partition("_")[2], np.uint8))
        for i, key in enumerate(keys)
    }
    for name in values:
        rows = columns[name][order]
        wide = np.float64 if rows.dtype == np.float64 else np.int64
        total = np.add.reduceat(rows, starts, axis=0, dtype=wide) if len(starts) else rows.astype(wide)
        added[name] = total if wide is np.float64 else narrow(total)
    return added


def narrow(values: np.ndarray) -> np.ndarray:
    """Store counts as uint32 where they fit: half the memory, and four thousand million pixels a cell."""
    fits = not values.size or (values.min() >= 0 and values.max() < 1 << 32)
    return values.astype(np.uint32) if fits else values


def find_images(counts: Counts, images) -> np.ndarray:
    """Turn ids, indices or a boolean mask into indices (n,) of images.

    Raises:
        ValueError: if an id is unknown, an index is out of range, or an image is named twice.
    """
    n_images = len(counts.image_ids)
    chosen = np.asarray(images if isinstance(images, np.ndarray) else list(images))
    if chosen.dtype == bool:
        if chosen.shape != (n_images,):
            raise ValueError(f"images is a mask of {chosen.shape}, but there are {n_images} images")
        return np.flatnonzero(chosen)
    if chosen.dtype.kind in "UO":
        index = {image_id: i for i, image_id in enumerate(counts.image_ids)}
        unknown = [str(i) for i in chosen.tolist() if str(i) not in index]
        if unknown:
            raise ValueError(f"{len(unknown)} images are not in the counts, such as {unknown[0]!r}")
        chosen = np.array([index[str(i)] for i in chosen.tolist()], dtype=np.int64)
    chosen = chosen.astype(np.int64)
    if (wrong := chosen[(chosen < 0) | (chosen >= n_images)]).size:
        raise ValueError(f"images holds index {wrong[0]}, but there are {n_images} images: give 0 or more")
    if len(np.unique(chosen)) != len(chosen):
        raise ValueError("images names an image twice: name each once")
    return chosen


def select_images(counts: Counts, indices: np.ndarray) -> Counts:
    """Keep the images of these indices (n,), in this order."""
    position = np.full(len(counts.image_ids), -1, dtype=np.int32)
    position[indices] = np.arange(len(indices), dtype=np.int32)
    columns = {}
    for kind, names in (("decision", DECISION), ("separation", SEPARATION)):
        moved = position[getattr(counts, f"{kind}_image")]
        rows = np.flatnonzero(moved >= 0)
        rows = rows[np.argsort(moved[rows], kind="stable")]
        columns |= {f"{kind}_{name}": take_rows(getattr(counts, f"{kind}_{name}"), rows) for name in names}
        columns[f"{kind}_image"] = moved[rows]
    image_ids = tuple(counts.image_ids[i] for i in indices)
    return Counts(counts.thresholds, counts.class_names, image_ids, **columns)


def merge_counts(parts: Sequence[Counts]) -> Counts:
    """Add up counts of parts of a data set, made in any order by any number of processes.

    Images keep the order of the parts; one that occurs in several is added up.

    Raises:
        ValueError: if there is no part, or thresholds or class names differ.

    >>> halves = [counts.select(["a"]), counts.select(["b"])]
    >>> merge_counts(halves).image_ids
    ('a', 'b')
    """
    if not parts:
        raise ValueError("parts is empty: give at least one set of counts")
    first = parts[0]
    for part in parts[1:]:
        if not np.array_equal(part.thresholds, first.thresholds) or part.class_names != first.class_names:
            raise ValueError("counts to merge have different thresholds or classes: count them alike")
    image_ids = tuple(dict.fromkeys(i for part in parts for i in part.image_ids))
    index = {image_id: i for i, image_id in enumerate(image_ids)}
    moves = [np.array([index[i] for i in part.image_ids], dtype=np.int32) for part in parts]
    columns = {}
    for kind, names in (("decision", DECISION), ("separation", SEPARATION)):
        for name in (f"{kind}_{name}" for name in names):
            columns[name] = np.concatenate([getattr(part, name) for part in parts])
        columns[f"{kind}_image"] = np.concatenate(
            [move[getattr(part, f"{kind}_image")] for move, part in zip(moves, parts)]
        )
    return sum_rows(first.thresholds, first.class_names, image_ids, columns)


def pool_counts(counts: Counts, name: str = "all") -> Counts:
    """Add all images up to one, which has the same data set scores but none that belong to an image."""
    columns = {
        f"{kind}_{column}": getattr(counts, f"{kind}_{column}")
        for kind, names in (("decision", DECISION), ("separation", SEPARATION)) for column in names
    }
    for kind in ("decision", "separation"):
        columns[f"{kind}_image"] = np.zeros_like(columns[f"{kind}_image"])
    return sum_rows(counts.thresholds, counts.class_names, (name,), columns)
