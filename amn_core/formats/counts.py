"""Counts on disk: one small file, checked by its own sum, written in one step.

Layout: the line ``amn-counts 1``, a line with the SHA-256 of the rest, a line of JSON (names, and the shape of
each array), then the arrays, compressed together. Counts below 255 take one byte, the others five.
"""

import hashlib
import json
import os
import zlib
from pathlib import Path

import numpy as np

from amn_core.formats.files import write_bytes
from amn_core.sweep.counts import Counts

MAGIC = b"amn-counts"
VERSION = 1
ESCAPE = 255
BINS = ("decision_bins", "separation_bins")
PLAIN = (
    "thresholds", "decision_image", "decision_gt", "decision_class", "separation_image", "separation_class",
    "separation_moments",
)
PLAIN_TYPES = {"thresholds": "<f8", "separation_moments": "<f8", "decision_image": "<i4", "separation_image": "<i4"}


class CountsFileError(ValueError):
    """A file of counts that cannot be read: not one, cut short, changed, or of a later version."""


def save_counts(path: str | os.PathLike, counts: Counts) -> None:
    """Save counts to a file, which appears whole or not at all.

    Args:
        path: the file to write; folders are made. counts: what to write.
    """
    body = encode_counts(counts)
    digest = hashlib.sha256(body).hexdigest().encode()
    write_bytes(Path(path), b"%s %d\n%s\n" % (MAGIC, VERSION, digest) + body)


def load_counts(path: str | os.PathLike) -> Counts:
    """Load counts from a file that `save_counts` wrote.

    Raises:
        CountsFileError: if the file is not one of counts, was cut short or changed, or is of a later version.
        FileNotFoundError: if there is no such file.
    """
    path = Path(path)
    magic, _, rest = path.read_bytes().partition(b"\n")
    digest, _, body = rest.partition(b"\n")
    name, _, version = magic.partition(b" ")
    if name != MAGIC or not version.isdigit():
        raise CountsFileError(f"{path} is not a file of counts: make one with `python -m amn_core count`")
    if int(version) > VERSION:
        raise CountsFileError(f"{path} has version {int(version)}, this program reads {VERSION}: update it")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise CountsFileError(f"{path} was cut short or changed after it was written: count the run again")
    return decode_counts(body)


def encode_counts(counts: Counts) -> bytes:
    """Turn counts into bytes: a line of JSON, then the compressed arrays."""
    arrays = {name: getattr(counts, name).astype(PLAIN_TYPES.get(name, "u1")) for name in PLAIN}
    for name in BINS:
        arrays[name], arrays[f"{name}_large"] = split_large(getattr(counts, name))
    head = {
        "class_names": counts.class_names, "image_ids": counts.image_ids,
        "arrays": {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items()},
    }
    data = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays.values())
    return json.dumps(head, ensure_ascii=True).encode() + b"\n" + zlib.compress(data, 1)


def decode_counts(body: bytes) -> Counts:
    """Turn the bytes of `encode_counts` back into counts."""
    text, _, packed = body.partition(b"\n")
    head, data, offset, arrays = json.loads(text), zlib.decompress(packed), 0, {}
    for name, (dtype, shape) in head["arrays"].items():
        array = np.frombuffer(data, dtype=dtype, count=int(np.prod(shape)), offset=offset)
        offset += array.nbytes
        arrays[name] = array.reshape(shape)
    for name in BINS:
        arrays[name] = join_large(arrays[name], arrays.pop(f"{name}_large"))
    return Counts(class_names=tuple(head["class_names"]), image_ids=tuple(head["image_ids"]), **arrays)


def split_large(bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split counts into one byte each, and the list of those that do not fit into a byte."""
    large = bins[bins >= ESCAPE]
    fits = not large.size or large.max() < 1 << 32
    return np.minimum(bins, ESCAPE).astype(np.uint8), large.astype("<u4" if fits else "<i8")


def join_large(small: np.ndarray, large: np.ndarray) -> np.ndarray:
    """Undo `split_large`."""
    bins = small.astype(np.int64 if large.dtype.itemsize == 8 else np.uint32)
    bins[small == ESCAPE] = large
    return bins
