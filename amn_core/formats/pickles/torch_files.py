"""Files of ``torch.save`` read without torch and without running them: the zip layout and the older one.

The zip layout holds a pickle (``data.pkl``) and one uncompressed member for each storage. The older one is
a row of pickles: a magic number, a version, the system, the object, the keys of the storages; then each
storage, its length first. The older layout is also what a tensor turns into inside of a numpy pickle.
"""

import io
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from amn_core.formats.errors import FormatError, RefusedError
from amn_core.formats.pickles.names import NUMPY_NAMES, TENSOR_NAMES, Storage
from amn_core.formats.pickles.parts import Budget, Known
from amn_core.formats.pickles.reader import PickleMachine

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001
MAX_MEMBERS = 20_000
LISTED = b"PK\x01\x02"  # before each member in the list of a zip archive
LEGACY_START = b"\x80\x02\x8a\x0a" + LEGACY_MAGIC.to_bytes(10, "little") + b"."


def is_archive(content: bytes | memoryview) -> bool:
    """Whether a file is a zip archive, by its first bytes."""
    return bytes(content[:4]) == b"PK\x03\x04"


def is_torch_archive(content: bytes) -> bool:
    """Whether a zip archive is of ``torch.save``: its first members, or its list, name the pickle ``data.pkl``."""
    return b"data.pkl" in content[:1 << 12] or b"data.pkl" in content[-(1 << 16):]


def is_torch_pickle(content: bytes | memoryview) -> bool:
    """Whether a file starts with the magic number of torch's older layout."""
    return bytes(content[:len(LEGACY_START)]) == LEGACY_START


def load_torch_bytes(content: bytes | memoryview, budget: Budget) -> Any:
    """Read what ``torch.save`` wrote; tensors become numpy arrays.

    Raises:
        RefusedError: it asks for something that may run code.
        FormatError: it is broken, or neither layout of torch.
    """
    if is_archive(content):
        return read_zip(content, budget)
    if bytes(content[:2]) == b"\x80\x02" or bytes(content[:1]) == b"\x80":
        return read_legacy(content, budget)
    raise FormatError("not a file of torch.save: neither a zip archive nor a row of pickles")


def read_zip(content: bytes | memoryview, budget: Budget) -> Any:
    """Read the zip layout."""
    if bytes(content).count(LISTED) > MAX_MEMBERS:
        raise FormatError(f"an archive of more than {MAX_MEMBERS:,} members; it is broken or forged")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {member.filename: member for member in archive.infolist()}
            names = [name for name in members if name.endswith("/data.pkl") or name == "data.pkl"]
            if len(names) != 1:
                raise FormatError("not a file of torch.save: the archive has no data.pkl")
            prefix = names[0].removesuffix("data.pkl")
            read = build_member_reader(archive, members, budget)
            if prefix + "byteorder" in members and bytes(read(prefix + "byteorder")) != b"little":
                raise FormatError("written on a big-endian machine, which is not read here")
            return PickleMachine(
                read(names[0]), NAMES, budget, build_storage_loader(lambda key: read(f"{prefix}data/{key}"))
            ).run()
    except FormatError:
        raise
    except Exception as error:  # zipfile, zlib, bz2 and lzma raise many kinds; all of them mean a broken file
        raise FormatError(f"broken archive ({type(error).__name__})") from None


def build_member_reader(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], budget: Budget
) -> Callable[[str], bytes]:
    """Build the function that reads a member, which must be uncompressed and within the budget."""

    def read(name: str) -> bytes:
        member = members.get(name)
        if member is None or member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise FormatError(f"the member {name[:80]!r} is missing or compressed; torch does not write such files")
        budget.charge(member.file_size)
        return archive.read(member)

    return read


def build_storage_loader(read: Callable[[str], bytes | None]) -> Callable[[Any], Storage]:
    """Build the function that turns a persistent id into a storage; each storage is read once."""
    storages: dict[str, Storage] = {}

    def load(identity: Any) -> Storage:
        kind, key, count, view = parse_identity(identity)
        if key not in storages:
            storages[key] = Storage(kind, read(key))
        return check_storage(storages[key], kind, count, view)

    return load


def parse_identity(identity: Any) -> tuple[str, str, int, Any]:
    """Parse ``("storage", class, key, place, count, view)`` into dtype, key, count of numbers and view."""
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] not in ("storage", b"storage"):
        raise RefusedError("persistent object that is no storage")
    kind, key, _, count = identity[1:5]
    if not isinstance(kind, Known) or not isinstance(kind.value, str):
        raise RefusedError("storage of an unknown class")
    if not isinstance(key, str) or not isinstance(count, int) or not 0 <= count < 1 << 40:
        raise FormatError("a storage without a key or with a size that makes no sense")
    return kind.value, key, count, identity[5] if len(identity) == 6 else None


def compute_item_size(dtype: str) -> int:
    """Compute the bytes of one number."""
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def check_storage(storage: Storage, dtype: str, count: int, view: Any) -> Storage:
    """Check that a storage has the announced size, and cut a view out of it where one is asked for."""
    if storage.content is None:
        return storage
    size = compute_item_size(dtype)
    if len(storage.content) < count * size:
        raise FormatError(f"a storage of {count:,} numbers has only {len(storage.content):,} bytes; cut short")
    start, length = 0, count
    if isinstance(view, tuple) and len(view) == 3:
        _, start, length = view
    if not isinstance(start, int) or not isinstance(length, int) or start < 0 or length < 0:
        raise FormatError("a view of a storage makes no sense")
    return Storage(dtype, memoryview(storage.content)[start * size:(start + length) * size])


def read_legacy(content: bytes | memoryview, budget: Budget) -> Any:
    """Read the older layout; the object is read twice, first for its outline, then with its storages."""
    position = read_legacy_header(content, budget)
    outline: dict[str, tuple[str, int]] = {}

    def note(identity: Any) -> Storage:
        kind, key, count, _ = parse_identity(identity)
        outline.setdefault(key, (kind, count))
        return Storage(kind, None)

    machine = PickleMachine(content, NAMES, budget, note, position)
    machine.run()
    keys, end = run_pickle(content, budget, machine.position)
    storages = read_legacy_storages(content, keys, outline, end)
    return PickleMachine(content, NAMES, budget, build_storage_loader(storages.__getitem__), position).run()


def run_pickle(content: bytes | memoryview, budget: Budget, position: int) -> tuple[Any, int]:
    """Run one pickle of plain values and return it with the position of its end."""
    machine = PickleMachine(content, NUMPY_NAMES, budget, None, position)
    return machine.run(), machine.position


def read_legacy_header(content: bytes | memoryview, budget: Budget) -> int:
    """Check magic number, version and byte order, and return where the object starts."""
    magic, position = run_pickle(content, budget, 0)
    if magic != LEGACY_MAGIC:
        raise FormatError("not a file of torch.save: the magic number is missing")
    version, position = run_pickle(content, budget, position)
    system, position = run_pickle(content, budget, position)
    if version != LEGACY_VERSION or not isinstance(system, dict) or not system.get("little_endian", True):
        raise FormatError("written by an unknown version of torch or on a big-endian machine")
    return position


def read_legacy_storages(
    content: bytes | memoryview, keys: Any, outline: dict[str, tuple[str, int]], position: int
) -> dict[str, memoryview]:
    """Cut the storages out of the rest of the file, in the order of their keys."""
    storages: dict[str, memoryview] = {}
    view = memoryview(content)
    for key in keys if isinstance(keys, list) else []:
        if not isinstance(key, str) or key not in outline or position + 8 > len(view):
            raise FormatError("a storage is missing or belongs to no tensor")
        kind, count = outline[key]
        announced = struct.unpack("<q", view[position:position + 8])[0]
        end = position + 8 + announced * compute_item_size(kind)
        if announced < count or end > len(view):
            raise FormatError(f"a storage of {count:,} numbers is cut short")
        storages[key], position = view[position + 8:end], end
    if set(storages) != set(outline):
        raise FormatError("the storage of a tensor is missing")
    return storages


def load_from_bytes(arguments: tuple, budget: Budget) -> Any:
    """Stand for ``torch.storage._load_from_bytes(bytes)``: a storage in a file of its own."""
    content = arguments[0]
    if isinstance(content, str):
        content = content.encode("latin-1", "strict")
    if not isinstance(content, (bytes, memoryview)):
        raise FormatError("a storage that is not bytes")
    budget.charge(len(content))
    loaded = load_torch_bytes(content, budget)
    if not isinstance(loaded, Storage):
        raise FormatError("a nested file of torch holds something else than a storage")
    return loaded


NAMES: dict[str, Known] = {**NUMPY_NAMES, **TENSOR_NAMES}
# Nested files may use everything but a further nested file: that would be a way to recurse.
NAMES_IN_NUMPY: dict[str, Known] = {
    **NAMES, "torch.storage._load_from_bytes": Known("torch.storage._load_from_bytes", load_from_bytes),
}
