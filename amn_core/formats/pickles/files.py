"""Opening pickled ``.npy`` and ``.pth`` files of strangers: nothing is imported, nothing is run.

What is read: numbers, texts, lists, dicts, numpy arrays, torch tensors of plain dtypes (those saved on a
GPU too; they come as numpy arrays). What is refused: everything else, by its name. How:
`amn_core.formats.pickles.reader`. Memory stays below a small multiple of the file's own size.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from amn_core.formats.errors import FormatError, RefusedError
from amn_core.formats.pickles.names import as_dtype, check_shape, parse_dtype, view_array
from amn_core.formats.pickles.parts import Budget, build_budget
from amn_core.formats.pickles.reader import PickleMachine
from amn_core.formats.pickles.torch_files import NAMES_IN_NUMPY, load_torch_bytes

__all__ = ["FormatError", "RefusedError", "load_npy_bytes", "load_pickled_npy", "load_torch_file", "read_file"]

NPY_MAGIC = b"\x93NUMPY"
# What a pickle starts with: PROTO since protocol 2; before that a mark, a container or a global.
PICKLE_STARTS = (b"\x80", b"(", b"]", b"}", b")", b"c")
MAX_FILE_BYTES = 1 << 30
MAX_CHECKPOINT_BYTES = 8 << 30
MAX_HEADER_BYTES = 1 << 16
HEADER = re.compile(
    r"\s*\{\s*'descr':\s*'(?P<descr>[^']{1,16})',\s*'fortran_order':\s*(?P<fortran>True|False),"
    r"\s*'shape':\s*\((?P<shape>(?:\s*\d{1,13}L?\s*,){0,9}(?:\s*\d{1,13}L?\s*)?)\),?\s*\}\s*"
)


def load_pickled_npy(path: str | Path) -> Any:
    """Load a ``.npy`` file, pickled or plain, without running it; its many small objects may take 16 times its size.

    Returns:
        A plain array as (…) ndarray; of a pickled one the object that was saved (a dict, mostly), with
        torch tensors as numpy arrays. Arrays are read-only views of the file's content.

    Raises:
        RefusedError: it asks for something that may run code; the message names it.
        FormatError: no such file, broken, or too large; the message names the file.
    """
    def load() -> Any:
        content = read_file(path)
        return load_npy_bytes(content, build_budget(len(content), 8 * len(content)))

    return name_errors(path, load)


def load_torch_file(path: str | Path) -> Any:
    """Load a file of ``torch.save`` (either layout) without torch and without running it.

    Returns:
        The object that was saved, mostly a dict; tensors are numpy arrays (bfloat16 widened to float32),
        read-only.

    Raises:
        RefusedError: it asks for something that may run code; the message names it.
        FormatError: no such file, broken, or too large; the message names the file.
    """

    def load() -> Any:
        content = read_file(path, MAX_CHECKPOINT_BYTES)
        return load_torch_bytes(content, build_budget(len(content), len(content)))

    return name_errors(path, load)


def name_errors(path: str | Path, load: Any) -> Any:
    """Call `load` and put the file's name in front of what goes wrong."""
    try:
        return load()
    except RefusedError as error:
        named = RefusedError(error.wanted)
        named.args = (f"{path}: {error}",)
        raise named from None
    except FormatError as error:
        raise FormatError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None
    except Exception as error:  # whatever a decoder raises on a broken file
        raise FormatError(f"{path}: cannot be read ({type(error).__name__}); it is broken, save it again") from None


def read_file(path: str | Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """Read a whole file of at most `limit` bytes.

    Raises:
        FormatError: no such file, not a file, or larger.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise FormatError(f"{path}: no such file")
        if path.stat().st_size > limit:
            shown = f"{limit / 1e9:.1f} GB" if limit >= 1e9 else f"{limit / 1e6:.0f} MB"
            raise FormatError(f"{path}: larger than {shown}, which no file of this kind is; check what it holds")
        return path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None


def load_npy_bytes(content: bytes | memoryview, budget: Budget | None = None) -> Any:
    """Load the content of a ``.npy`` file, or of a bare pickle; see `load_pickled_npy`."""
    budget = budget or build_budget(len(content))
    if bytes(content[:1]) in PICKLE_STARTS:
        return unpack(PickleMachine(content, NAMES_IN_NUMPY, budget).run())
    descr, is_fortran, shape, start = parse_npy_header(content)
    dtype = parse_dtype(descr)
    if dtype == np.dtype(object):
        return unpack(PickleMachine(content, NAMES_IN_NUMPY, budget, position=start).run())
    body = memoryview(content)[start:]
    return view_array(body, as_dtype(dtype), shape, "F" if is_fortran else "C", budget)


def parse_npy_header(content: bytes | memoryview) -> tuple[str, bool, tuple[int, ...], int]:
    """Parse the header of a ``.npy`` file by its pattern, never as code.

    Returns:
        descr, whether in Fortran order, shape, and where the numbers (or the pickle) start.
    """
    if bytes(content[:6]) != NPY_MAGIC or len(content) < 12:
        raise FormatError("not a .npy file: it does not start with numpy's magic bytes")
    wide = content[6] >= 2
    length = int.from_bytes(content[8:12 if wide else 10], "little")
    start = (12 if wide else 10) + length
    if length > MAX_HEADER_BYTES or start > len(content):
        raise FormatError("the .npy header is cut short")
    header = HEADER.fullmatch(bytes(content[start - length:start]).decode("latin-1"))
    if header is None:
        raise FormatError("the .npy header is not one of a plain array (structured arrays are not read)")
    shape = tuple(int(size.strip().rstrip("L")[:12]) for size in header["shape"].split(",") if size.strip())
    return header["descr"], header["fortran"] == "True", check_shape(shape), start


def unpack(value: Any) -> Any:
    """Take the one object out of a 0-dimensional array of objects, as ``np.load(…).item()`` does."""
    if isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 0:
        return value[()]
    return value
