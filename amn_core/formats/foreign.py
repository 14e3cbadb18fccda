"""One file of another method's activation maps, taken apart into planes and keys; every layout of the field.

Which key stands for which class, and whether a plane is background, is decided later and for a whole
folder at once (`amn_core.formats.recognise`): one file alone often does not tell.
"""

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.formats.archives import ArchiveError, list_members, peek, unpack
from amn_core.formats.errors import FormatError
from amn_core.formats.map_arrays import MAX_PLANES, build_planes, looks_empty, looks_like_maps
from amn_core.formats.map_keys import KEY_ENTRIES, describe_kind, parse_keys, parse_name, require_keys
from amn_core.formats.pickles.files import PICKLE_STARTS, load_npy_bytes, name_errors, parse_npy_header, read_file
from amn_core.formats.pickles.names import as_dtype, parse_dtype
from amn_core.formats.pickles.parts import DEFAULT_RIGHT, Budget, build_budget
from amn_core.formats.pickles.torch_files import is_archive, is_torch_archive, is_torch_pickle, load_torch_bytes
from amn_core.formats.strangers import describe_stranger

SLACK = 16 << 20
HEAD_BYTES = 1 << 10
NO_PLANES = np.zeros((0, 1, 1), dtype=np.float32)
NO_KEYS = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Layout:
    """A known way of writing maps: its name, and the habits to assume where the content does not decide.

    Attributes:
        name: as it is shown; the methods that write so.
        key_base: number that its keys give to the first foreground class.
        background: "none", "plane" (an extra first plane), "key 0" (a plane with key 0) or "padded keys".
    """

    name: str
    key_base: int = 0
    background: str = "none"


# By the entry that holds the maps, in the order in which entries are preferred: full size before reduced.
LAYOUTS: dict[str, Layout] = {
    "high_res": Layout("IRN dict"),
    "hr_cam": Layout("PuzzleCAM dict", 1, "padded keys"),
    "rw": Layout("PuzzleCAM dict after its random walk", 1, "padded keys"),
    "attn_highres": Layout("CLIP-ES dict"),
    "valid_lam": Layout("ExCEL dict", 0, "plane"),
    "valid_cam": Layout("dict of the maps of present classes"),
    "prob": Layout("WeakTr dict of step 2"),
    "msc_seg": Layout("scores of a segmentation network at several scales", 1, "plane"),
    "cam": Layout("IRN dict, reduced maps only"),
}
NPZ_LAYOUTS: dict[str, Layout] = {
    "fg_cls": Layout("FMA-WSSS archive"),
    "class_ids": Layout("compact archive of this package", 1),
}
CLASS_DICT = Layout("dict by class (SEAM, MCTformer, WeakTr, S2C)")
BARE_ARRAY = Layout("bare array (wsolevaluation)")
CLASS_IMAGES = Layout("one PNG for each class (WSSS-BED)", 1)
KEYS_ONLY = Layout("keys without maps: an image without a class")
OTHER_DICT = Layout("dict of an unknown method")


@dataclass(frozen=True)
class RawMap:
    """The maps of one image as they were written.

    Attributes:
        layout: what it looks like.
        entry: name of the entry that held the maps; empty where there are no names.
        planes: (P, h, w), or (h, w, P) in some folders: floats, integers or booleans; P may be 0.
        keys: (n,) int64 as written, or None where the file names no classes.
    """

    layout: Layout
    entry: str
    planes: np.ndarray
    keys: np.ndarray | None


def read_raw_map(
    path: str | Path, entry: str = "auto", class_names: Sequence[str] = (), right: int = DEFAULT_RIGHT
) -> RawMap:
    """Read the maps of one image from a ``.npy``, ``.npz``, pickle or torch file, recognised from its content.

    Args:
        entry: name of the entry that holds the maps; "auto" takes the first known one.
        class_names: names by class index, for files that name classes by texts or by a vector of 0 and 1.
        right: bytes that its maps may take by right: planes × pixels of its image, in float32. The file may be
            twice as large, and memory go up to four times that, besides 64 MB.

    Raises:
        RefusedError: the file asks for something that may run code.
        FormatError: broken, too large, or no layout that is known; the message names the file.
    """
    return name_errors(path, lambda: parse_raw_map(read_file(path, 2 * right + SLACK), entry, class_names, right))


def parse_raw_map(
    content: bytes, entry: str = "auto", class_names: Sequence[str] = (), right: int = DEFAULT_RIGHT
) -> RawMap:
    """Take the content of a file of maps apart; see `read_raw_map`."""
    budget = build_budget(len(content), right)
    if is_archive(content) and not is_torch_archive(content):
        arrays = load_npz_bytes(content, budget)
        layout = next((NPZ_LAYOUTS[key] for key in NPZ_LAYOUTS if key in arrays), None)
        value = next(iter(arrays.values())) if len(arrays) == 1 else arrays
        return parse_value(arrays if is_named(arrays) else value, entry, class_names, budget, layout)
    return parse_value(load_content(content, budget), entry, class_names, budget)


def load_content(content: bytes, budget: Budget) -> Any:
    """Load one object from the content of a torch file, a ``.npy`` or a pickle."""
    stranger = describe_stranger(content)
    if stranger:
        raise FormatError(f"{stranger}; get the file itself")
    if is_archive(content) or is_torch_pickle(content):
        return load_torch_bytes(content, budget)
    return load_npy_bytes(content, budget)


def is_named(arrays: Mapping[str, Any]) -> bool:
    """Whether the names of an archive say something: not numpy's own ``arr_0``."""
    return len(arrays) > 1 or next(iter(arrays)) != "arr_0"


def parse_value(
    value: Any, entry: str, class_names: Sequence[str], budget: Budget, layout: Layout | None = None
) -> RawMap:
    """Take an object that was loaded apart: a dict by class or by entry, an array, or a list of arrays."""
    if isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        value = value.ravel()[0]
    if isinstance(value, Mapping):
        table = {key.decode("latin-1") if isinstance(key, bytes) else key: item for key, item in value.items()}
        numbers = find_class_keys(table, class_names) if entry == "auto" else None
        if numbers is not None:
            return parse_class_dict(table, numbers, budget)
        return parse_named(table, entry, class_names, budget, layout)
    if looks_like_maps(value):
        return RawMap(BARE_ARRAY, "", build_planes(value, budget), None)
    if isinstance(value, (list, tuple, np.ndarray)) and looks_empty(value):
        return RawMap(KEYS_ONLY, "", NO_PLANES, NO_KEYS)
    raise FormatError(f"holds {describe_kind(value)} instead of maps; expected a dict, an array or a list of arrays")


def find_class_keys(table: Mapping[Any, Any], class_names: Sequence[str]) -> list[int] | None:
    """Find the classes that the keys of a dict name; None if they name something else."""
    if any(key in LAYOUTS or key in KEY_ENTRIES for key in table):
        return None
    numbers = [key if isinstance(key, int) else parse_name(key, class_names) for key in table]
    return numbers if table and None not in numbers else None


def parse_class_dict(table: Mapping[Any, Any], numbers: Sequence[int], budget: Budget) -> RawMap:
    """Take a dict of one map for each class apart; the planes are put in the order of the classes."""
    planes = [table_value for _, table_value in sorted(zip(numbers, table.values(), strict=True), key=lambda p: p[0])]
    if not all(isinstance(plane, np.ndarray) and looks_like_maps(plane) for plane in planes):
        raise FormatError("a dict by class must hold one (H, W) array for each class")
    if len({plane.shape for plane in planes}) > 1 or len(planes) > MAX_PLANES:
        raise FormatError(f"the maps of a dict differ in size, or are more than {MAX_PLANES}")
    built = build_planes(planes, budget)
    if len(built) != len(planes):
        raise FormatError("a dict by class must hold one (H, W) array for each class")
    return RawMap(CLASS_DICT, "", built, np.array(sorted(numbers), dtype=np.int64))


def parse_named(
    table: Mapping[Any, Any], entry: str, class_names: Sequence[str], budget: Budget, layout: Layout | None = None
) -> RawMap:
    """Take a dict with named entries apart: one of maps, one of keys."""
    keys = find_keys(table, class_names)
    name = find_entry(table, entry)
    if name is None:
        inner = [value for value in table.values() if isinstance(value, Mapping)]
        if len(inner) == 1 and keys is None and find_class_keys(inner[0], class_names) is not None:
            return parse_class_dict(inner[0], find_class_keys(inner[0], class_names), budget)
        if not table or (keys is not None and not keys.size):
            return RawMap(KEYS_ONLY, "", NO_PLANES, NO_KEYS)
        raise FormatError(describe_missing_maps(table))
    if not len(table[name]):
        return RawMap(KEYS_ONLY, str(name), NO_PLANES, NO_KEYS if keys is None else keys)
    layout = layout or LAYOUTS.get(name, OTHER_DICT)
    if name == "high_res" and "cam" not in table:
        layout = Layout("ToCo dict")
    return RawMap(layout, str(name), build_planes(table[name], budget), keys)


def describe_missing_maps(table: Mapping[Any, Any]) -> str:
    """Word the error of a dict without maps: its entries and what they are."""
    names = [(repr(key[:40]) if isinstance(key, str) else "a number", table[key]) for key in list(table)[:6]]
    entries = ", ".join(f"{name} ({describe_kind(value)})" for name, value in names)
    return f"no maps among the entries {entries}; expected planes, rows and columns, or name the entry of the maps"


def find_keys(table: Mapping[Any, Any], class_names: Sequence[str] = ()) -> np.ndarray | None:
    """Find the entry of keys, (n,) int64; None if there is none.

    Without a known name, the one entry of an archive of unnamed arrays that can be keys is taken.
    """
    for name in KEY_ENTRIES:
        if name in table and table[name] is not None:
            return require_keys(table[name], name, class_names)
    rows = [name for name, value in table.items()
            if isinstance(name, str) and name.startswith("arr_") and getattr(value, "ndim", 0) == 1]
    return parse_keys(table[rows[0]], class_names) if len(rows) == 1 else None


def find_entry(table: Mapping[Any, Any], entry: str) -> Any:
    """Find the name of the entry that holds the maps; None if no entry looks like maps."""
    if entry != "auto":
        if not looks_like_maps(table.get(entry)):
            raise FormatError(f"the entry {entry!r} is {describe_kind(table.get(entry))}; expected maps (K, H, W)")
        return entry
    known = [name for name in LAYOUTS if looks_like_maps(table.get(name))]
    others = [name for name, value in table.items() if name not in KEY_ENTRIES and looks_like_maps(value)]
    deepest = max((getattr(table[name], "ndim", 3) for name in others), default=0)
    return (known or [name for name in others if getattr(table[name], "ndim", 3) == deepest] or [None])[0]


def load_npz_bytes(content: bytes, budget: Budget) -> dict[str, Any]:
    """Load the arrays of an ``.npz`` archive within one budget; the list says the sizes before anything is unpacked.

    Raises:
        FormatError: broken, too many or too large members, or a sum that does not fit.
    """
    try:
        members = list_members(content)
        sizes = [size for *_, size in members.values()]
        if not members:
            raise FormatError("an archive without arrays; save the maps with np.savez")
        budget.charge(sum(sizes) + max(sizes))  # the largest is there twice while it is unpacked
        budget.left += max(sizes)
        for member in members.values():
            check_head(content, member)
        budget.steps += 2 * sum(sizes)
        return {name: load_npy_bytes(unpack(content, *member), budget) for name, member in members.items()}
    except (ArchiveError, KeyError, struct.error, UnicodeDecodeError, zlib.error) as error:
        what = str(error) if isinstance(error, ArchiveError) else type(error).__name__
        raise FormatError(f"broken archive ({what})") from None


def check_head(content: bytes, member: tuple[int, int, int, int, int]) -> None:
    """Check from the head of an array alone that it has the size which the list of the archive gives it.

    Raises:
        FormatError: it has another.
    """
    head = peek(content, HEAD_BYTES, *member)
    if head[:1] in PICKLE_STARTS or b"|O" in head[:128]:
        return
    descr, _, shape, start = parse_npy_header(head)
    if start + math.prod(shape) * as_dtype(parse_dtype(descr)).itemsize != member[-1]:
        raise FormatError("an array of the archive does not have the size that it announces")
