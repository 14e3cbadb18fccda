"""One file of another method's activation maps, taken apart into planes and keys; every layout of the field.

Which key stands for which class, and whether a plane is background, is decided later and for a whole
folder at once (`amn_core.formats.recognise`): one file alone often does not tell.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.formats.errors import FormatError
from amn_core.formats.pickles.files import load_npy_bytes, name_errors, parse_npy_header, read_file
from amn_core.formats.pickles.names import as_dtype, check_shape, parse_dtype

MAX_PLANES = 512
MAX_PIXELS = 50_000_000
MAX_MEMBERS = 64
MAX_MEMBER_BYTES = 1 << 28
KEY_ENTRIES = ("keys", "keys_gt", "fg_cls", "class_ids", "label", "labels", "classes")


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
    "prob": Layout("WeakTr dict of step 2"),
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
        planes: (P, h, w) float16, float32 or float64, or integers; P may be 0.
        keys: (n,) int64 as written, or None where the file names no classes.
    """

    layout: Layout
    entry: str
    planes: np.ndarray
    keys: np.ndarray | None


def read_raw_map(path: str | Path, entry: str = "auto") -> RawMap:
    """Read the maps of one image from a ``.npy``, ``.npz`` or pickle file, recognised from its content.

    Args:
        entry: name of the entry that holds the maps; "auto" takes the first known one.

    Raises:
        RefusedError: the file asks for something that may run code.
        FormatError: broken, too large, or no layout that is known; the message names the file.
    """
    return name_errors(path, lambda: parse_raw_map(read_file(path), entry))


def parse_raw_map(content: bytes, entry: str = "auto") -> RawMap:
    """Take the content of a file of maps apart; see `read_raw_map`."""
    if content[:2] == b"PK":
        arrays = load_npz_bytes(content)
        layout = next((NPZ_LAYOUTS[key] for key in NPZ_LAYOUTS if key in arrays), None)
        return parse_named(arrays, entry, layout)
    value = load_npy_bytes(content)
    if isinstance(value, dict):
        value = {key.decode("latin-1") if isinstance(key, bytes) else key: item for key, item in value.items()}
        if value and all(isinstance(key, int) for key in value):
            return parse_class_dict(value)
        return parse_named(value, entry)
    if isinstance(value, np.ndarray) and value.dtype != object and value.ndim in (2, 3):
        return RawMap(BARE_ARRAY, "", check_planes(value if value.ndim == 3 else value[None]), None)
    raise FormatError(f"holds {describe(value)} instead of maps; expected a dict, or an array of 2 or 3 dimensions")


def parse_class_dict(table: Mapping[int, Any]) -> RawMap:
    """Take a dict of one (H, W) map for each class apart; the planes are put in the order of the classes."""
    keys = sorted(table)
    planes = [table[key] for key in keys]
    if not all(isinstance(plane, np.ndarray) and plane.ndim == 2 for plane in planes):
        raise FormatError("a dict with numbers as keys must hold one (H, W) array for each class")
    if len({plane.shape for plane in planes}) > 1 or len(planes) > MAX_PLANES:
        raise FormatError(f"the maps of a dict differ in size, or are more than {MAX_PLANES}")
    checked = [check_planes(plane[None]) for plane in planes]
    return RawMap(CLASS_DICT, "", np.concatenate(checked), np.array(keys, dtype=np.int64))


def parse_named(table: Mapping[Any, Any], entry: str, layout: Layout | None = None) -> RawMap:
    """Take a dict with named entries apart: one of maps, one of keys."""
    keys = find_keys(table)
    name = find_entry(table, entry)
    if name is None:
        if keys is not None and not keys.size:
            return RawMap(KEYS_ONLY, "", np.zeros((0, 1, 1), dtype=np.float32), keys)
        raise FormatError(f"no maps among the entries {', '.join(map(repr, list(table)[:8]))}; name theirs with entry")
    planes = table[name]
    planes = check_planes(planes if planes.ndim == 3 else planes[None])
    layout = layout or LAYOUTS.get(name, OTHER_DICT)
    if name == "high_res" and "cam" not in table:
        layout = Layout("ToCo dict")
    return RawMap(layout, str(name), planes, keys)


def find_keys(table: Mapping[Any, Any]) -> np.ndarray | None:
    """Find the entry of keys, (n,) int64; None if there is none."""
    for name in KEY_ENTRIES:
        if name not in table:
            continue
        keys = table[name]
        keys = np.atleast_1d(np.asarray(keys)) if isinstance(keys, (np.ndarray, list, tuple, int)) else np.empty((0, 0))
        if keys.ndim != 1 or len(keys) > MAX_PLANES or (keys.size and keys.dtype.kind not in "iu"):
            raise FormatError(f"the entry {name!r} is {describe(table[name])}; expected the numbers of the classes")
        return keys.astype(np.int64)
    return None


def find_entry(table: Mapping[Any, Any], entry: str) -> Any:
    """Find the name of the entry that holds the maps; None if no entry looks like maps."""
    if entry != "auto":
        if not looks_like_maps(table.get(entry)):
            raise FormatError(f"the entry {entry!r} is {describe(table.get(entry))}; expected maps (K, H, W)")
        return entry
    known = [name for name in LAYOUTS if looks_like_maps(table.get(name))]
    others = [name for name, value in table.items() if isinstance(value, np.ndarray) and value.ndim == 3]
    return (known or others or [None])[0]


def looks_like_maps(value: Any) -> bool:
    """Whether a value has the form of maps: a numeric array of 2 or 3 dimensions."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.ndim in (2, 3)


def check_planes(planes: np.ndarray) -> np.ndarray:
    """Check maps (P, h, w) for size, type and finite numbers, and return them aligned and contiguous."""
    count, height, width = planes.shape
    if count > MAX_PLANES or height * width > MAX_PIXELS or (count and not height * width):
        raise FormatError(f"maps of shape {planes.shape}; at most {MAX_PLANES} planes of 1–{MAX_PIXELS:,} pixels")
    if planes.dtype.kind not in "fiu":
        raise FormatError(f"maps of dtype {planes.dtype}; expected numbers")
    planes = np.require(planes, dtype=planes.dtype.newbyteorder("="), requirements=["C", "A"])
    if planes.dtype.kind == "f" and not np.isfinite(planes).all():
        raise FormatError("the maps hold NaN or infinity; check the division by the maximum of an empty map")
    return planes


def describe(value: Any) -> str:
    """Describe a value in a few words, for an error."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return "missing" if value is None else f"a {type(value).__name__}"


def load_npz_bytes(content: bytes) -> dict[str, Any]:
    """Load the arrays of an ``.npz`` archive; no more is decompressed than their headers announce.

    Raises:
        FormatError: broken, too many or too large members, or a header that does not fit its member.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            if not members or len(members) > MAX_MEMBERS:
                raise FormatError(f"an archive of {len(members)} arrays; expected 1 to {MAX_MEMBERS}")
            if sum(member.file_size for member in members) > MAX_MEMBER_BYTES:
                raise FormatError(f"an archive that unpacks to more than {MAX_MEMBER_BYTES >> 20} MB")
            return {member.filename.removesuffix(".npy"): load_member(archive, member) for member in members}
    except FormatError:
        raise
    except Exception as error:  # zipfile, zlib, bz2 and lzma raise many kinds; all of them mean a broken file
        raise FormatError(f"broken archive ({error or type(error).__name__})") from None


def load_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    """Load one array of an archive, unpacking its header first and then as much as that announces."""
    with archive.open(member) as file:
        start = file.read(128)
        if len(start) == 128 and b"|O" not in start:
            descr, _, shape, begin = parse_npy_header(start + file.read(max(0, header_size(start) - 128)))
            expected = begin + int(np.prod(check_shape(shape), dtype=object)) * as_dtype(parse_dtype(descr)).itemsize
            if expected != member.file_size:
                raise FormatError(f"the array {member.filename[:40]!r} does not have the size that it announces")
    with archive.open(member) as file:
        return load_npy_bytes(file.read(member.file_size))


def header_size(start: bytes) -> int:
    """Compute where the numbers of a ``.npy`` begin, from its first bytes."""
    wide = start[6] >= 2
    return min((12 if wide else 10) + int.from_bytes(start[8:12 if wide else 10], "little"), 1 << 17)
