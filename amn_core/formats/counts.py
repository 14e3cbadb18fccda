"""Counts on disk: one small ``.npz``, checked by its own sum, written in one step.

``numpy.load`` opens it. Its arrays are those of `Counts` by name, with two exceptions: ``decision_bins`` and
``separation_bins`` hold a byte a count, and 255 stands for the next of ``decision_bins_large`` and
``separation_bins_large``. ``format`` names the version, ``sha256`` is the SHA-256 of the bytes before it.

Counts of masks refined anew at each threshold are a format of their own: in column 0 of ``decision_bins`` stand all
pixels of a row, in column j + 1 those that its class has at threshold j.

Files of version 1 are read too: the line ``amn-counts 1``, a line with the SHA-256 of the rest, a line of JSON
(names, and the shape of each array), then the arrays, compressed together.
"""

import hashlib
import json
import os
import zlib
from math import prod
from pathlib import Path

import numpy as np

from amn_core.formats.archives import ArchiveError, check_seal, list_members, pack_arrays, read_arrays
from amn_core.formats.errors import FormatError
from amn_core.formats.files import write_bytes
from amn_core.sweep.bins import Bins, join_bins, pack_bins, settle_bins
from amn_core.sweep.counts import Counts

MAGIC = b"amn-counts"
VERSION = 2
REFINED, REFINED_VERSION = "amn-refined-counts", 1
LEVEL = 6
BINS = ("decision_bins", "separation_bins")
NAMES = ("class_names", "image_ids")
# The dtypes and axes of each array; of several dtypes the first that holds the numbers is written.
TYPES = {
    "thresholds": (("<f8",), 1), "decision_image": (("<i4",), 1), "decision_gt": (("|u1",), 1),
    "decision_class": (("|u1",), 1), "separation_image": (("<i4",), 1), "separation_class": (("|u1",), 1),
    "separation_moments": (("<f8",), 3), "decision_bins": (("|u1",), 2), "separation_bins": (("|u1",), 3),
    "decision_bins_large": (("<u4", "<i8"), 1), "separation_bins_large": (("<u4", "<i8"), 1),
}
# What a file may hold: real counts shrink to a tenth, those of masks to a fortieth.
MAX_BYTES, MIN_BYTES, MAX_RATIO = 1 << 31, 1 << 26, 200


class CountsFileError(FormatError):
    """A file of counts that cannot be read: not one, cut short, changed, forged, or of a later version."""


def save_counts(path: str | os.PathLike, counts: Counts) -> None:
    """Save counts to a file, which appears whole or not at all.

    Args:
        path: the file to write; folders are made. counts: what to write.
    """
    write_bytes(Path(path), encode_counts(counts))


def load_counts(path: str | os.PathLike) -> Counts:
    """Load counts from a file that `save_counts` wrote.

    Raises:
        CountsFileError: if the file is not one of counts, was cut short or changed, or is of a later version.
        FileNotFoundError: if there is no such file.
    """
    data = Path(path).read_bytes()
    try:
        return build_counts(decode_old(data) if data.startswith(MAGIC) else decode_arrays(data))
    except CountsFileError as error:
        raise CountsFileError(f"{path} {error}") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError,
            zlib.error) as error:
        raise CountsFileError(f"{path} was not written by this program ({error}): count the run again") from None


def encode_counts(counts: Counts) -> bytes:
    """Turn counts into the bytes of a file."""
    kind = f"{REFINED} {REFINED_VERSION}" if counts.is_refined else f"{MAGIC.decode()} {VERSION}"
    arrays = {"format": np.array(kind)}
    arrays |= {name: np.array(getattr(counts, name), dtype=np.str_) for name in NAMES}
    for name in (name for name in TYPES if hasattr(counts, name)):
        values = getattr(counts, name)
        if name == "decision_bins" and counts.is_refined:
            values = np.cumsum(values[:, ::-1], axis=1, dtype=np.int64)[:, ::-1]
        if name in BINS:
            packed = values if isinstance(values, Bins) else pack_bins(values)
            arrays[name], arrays[f"{name}_large"] = packed.small, packed.large
        else:
            arrays[name] = values.astype(TYPES[name][0][0])
    return pack_arrays(arrays, LEVEL, is_sealed=True)


def decode_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Turn the bytes of `encode_counts` back into arrays; sizes are looked at before anything large is unpacked."""
    if not data.startswith(b"PK"):
        raise CountsFileError("is not a file of counts: make one with `python -m amn_core count`")
    try:
        check_seal(data)
    except ArchiveError as error:
        raise CountsFileError(f"was cut short or changed after it was written ({error}): count the run again") from None
    members, limit = list_members(data), find_limit(len(data))
    kind, _, version = str(read_arrays(data, limit, ("format",))["format"]).partition(" ")
    if kind not in (MAGIC.decode(), REFINED) or not version.isdecimal():
        raise CountsFileError("is not a file of counts: make one with `python -m amn_core count`")
    check_version(int(version), REFINED_VERSION if kind == REFINED else VERSION)
    is_refined = kind == REFINED
    small = read_arrays(data, limit, [name for name in members if not name.startswith(BINS)])
    for kind in ("decision", "separation"):
        cells = len(small[f"{kind}_image"]) * (3 if kind == "separation" else 1) * (len(small["thresholds"]) + 1)
        if not cells <= members[f"{kind}_bins"][-1] <= cells + 1000:
            raise CountsFileError(f"holds {kind}_bins of another size than its rows say: count the run again")
    arrays = small | read_arrays(data, limit, [name for name in members if name.startswith(BINS)])
    return arrays | {"is_refined": np.array(is_refined)}


def decode_old(data: bytes) -> dict[str, np.ndarray]:
    """Turn the bytes of a file of version 1 into arrays."""
    magic, _, rest = data.partition(b"\n")
    digest, _, body = rest.partition(b"\n")
    name, _, version = magic.partition(b" ")
    if name != MAGIC or not version.isdigit():
        raise CountsFileError("is not a file of counts: make one with `python -m amn_core count`")
    check_version(int(version))
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise CountsFileError("was cut short or changed after it was written: count the run again")
    text, _, packed = body.partition(b"\n")
    head, arrays, offset = json.loads(text), {}, 0
    sizes = {name: np.dtype(dtype).itemsize * prod(map(int, shape)) for name, (dtype, shape) in head["arrays"].items()}
    total = sum(sizes.values())
    if min(sizes.values()) < 0 or total > find_limit(len(data)):
        raise CountsFileError(f"asks for {total:,} bytes, more than a file of {len(data):,} bytes may")
    content = zlib.decompressobj().decompress(packed, total + 1)
    if len(content) != total:
        raise CountsFileError("holds less or more than its head says: count the run again")
    for name, (dtype, shape) in head["arrays"].items():
        arrays[name] = np.frombuffer(content, dtype, prod(shape), offset).reshape(shape)
        offset += sizes[name]
    return arrays | {name: np.array(head[name], dtype=np.str_) for name in NAMES}


def check_version(version: int, known: int = VERSION) -> None:
    """Check that a version is one that this program reads."""
    if version > known:
        raise CountsFileError(f"has version {version}, this program reads {known}: update it")


def find_limit(size: int) -> int:
    """Find the most bytes that the arrays of a file of this size may take."""
    return min(MAX_BYTES, max(MIN_BYTES, MAX_RATIO * size))


def build_counts(arrays: dict[str, np.ndarray]) -> Counts:
    """Build counts from the arrays of a file.

    Raises:
        ValueError: an array is missing, of another kind than it should be, or does not fit the others.
    """
    for name, (dtypes, ndim) in TYPES.items():
        if arrays[name].dtype.str not in dtypes or arrays[name].ndim != ndim:
            raise ValueError(f"{name} is {arrays[name].dtype} with {arrays[name].ndim} axes")
    columns = {name: arrays[name] for name in TYPES if not name.startswith(BINS)}
    for name in BINS:
        columns[name] = settle_bins(join_bins(arrays[name], arrays[f"{name}_large"]))
    if arrays.get("is_refined", False):
        above = np.pad(columns["decision_bins"][:].astype(np.int64), ((0, 0), (0, 1)))
        columns["decision_bins"] = above[:, :-1] - above[:, 1:]
    names = {name: tuple(arrays[name].tolist()) for name in NAMES}
    if not all(arrays[name].ndim == 1 and all(isinstance(text, str) for text in names[name]) for name in NAMES):
        raise ValueError("class_names or image_ids are no list of names")
    for name in ("decision_image", "separation_image"):
        if (np.diff(columns[name]) < 0).any():
            raise ValueError(f"{name} is not in order")
    if columns["separation_moments"].shape[1:] != (3, 2) or not np.isfinite(columns["separation_moments"]).all():
        raise ValueError(f"separation_moments is {columns['separation_moments'].shape}, or not finite")
    return Counts(**names, **columns)
