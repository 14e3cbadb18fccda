"""The short list: the names that a pickle of maps may use, and our own code for each of them.

numpy's arrays, dtypes and scalars, torch's tensors and storages, and the ordered dict of a state_dict.
Every shape is checked against the bytes that are really there before anything is allocated. Tensors
become numpy arrays; torch is not needed, and where a tensor lay (``cuda:0``) plays no part.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from amn_core.formats.errors import FormatError, RefusedError
from amn_core.formats.pickles.parts import PENDING, Budget, Known, Pending

MAX_DIMENSIONS = 8
PLAIN_DTYPE = re.compile(r"[<>=|]?([?]|b1|i[1248]|u[1248]|f[248]|U\d{1,6}|S\d{1,6})")
TORCH_DTYPES = {
    "Double": "<f8", "Float": "<f4", "Half": "<f2", "BFloat16": "bfloat16", "Long": "<i8", "Int": "<i4",
    "Short": "<i2", "Char": "i1", "Byte": "u1", "Bool": "?",
}
TORCH_DTYPE_NAMES = {
    "float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "bfloat16", "int64": "<i8", "int32": "<i4",
    "int16": "<i2", "int8": "i1", "uint8": "u1", "uint16": "<u2", "uint32": "<u4", "uint64": "<u8", "bool": "?",
}


@dataclass(frozen=True)
class Storage:
    """The numbers of a tensor, in a row; `content` is None while only the outline of a file is read."""

    dtype: str
    content: bytes | memoryview | None

    def as_array(self, dtype: str = "") -> np.ndarray:
        """View the numbers, read-only; bfloat16 comes as its 16 bits."""
        dtype = dtype or self.dtype
        return np.frombuffer(self.content, dtype="<u2" if dtype == "bfloat16" else dtype)


def check_shape(shape: Any) -> tuple[int, ...]:
    """Check a shape: at most `MAX_DIMENSIONS` non-negative integers."""
    if not isinstance(shape, (tuple, list)) or len(shape) > MAX_DIMENSIONS:
        raise FormatError(f"a shape is a {type(shape).__name__}; expected at most {MAX_DIMENSIONS} sizes")
    if not all(isinstance(size, int) and 0 <= size < 1 << 40 for size in shape):
        raise FormatError("a shape holds something else than sizes of 0 or more")
    return tuple(int(size) for size in shape)


def parse_dtype(text: Any) -> np.dtype:
    """Parse the text of a plain dtype: booleans, integers, floats of up to 64 bits, texts."""
    if isinstance(text, str) and text in ("O", "O8", "O4", "|O"):
        return np.dtype(object)
    if not isinstance(text, str) or not PLAIN_DTYPE.fullmatch(text):
        shown = f"the dtype {text[:20]!r}" if isinstance(text, str) else f"a dtype given by a {type(text).__name__}"
        raise FormatError(f"{shown} is not read; only plain numbers and texts are")
    return np.dtype(text)


def make_dtype(arguments: tuple, budget: Budget) -> Pending:
    """Stand for ``numpy.dtype(text, …)``; its byte order comes with its state."""
    budget.charge(PENDING)
    dtype = parse_dtype(arguments[0])

    def finish(state: Any) -> np.dtype:
        order = state[1]
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise FormatError("a dtype has fields or an unknown byte order; only plain numbers are read")
        return dtype if order == "|" else dtype.newbyteorder(order)

    return Pending(finish)


def make_array(arguments: tuple, budget: Budget) -> Pending:
    """Stand for ``numpy.…._reconstruct(ndarray, …)``; shape and numbers come with the state."""
    if not isinstance(arguments[0], Known) or arguments[0].name != "numpy.ndarray":
        raise RefusedError("array of another class than numpy.ndarray")
    budget.charge(PENDING)

    def finish(state: Any) -> np.ndarray:
        shape, dtype, is_fortran, content = state[-4:]
        if dtype == np.dtype(object):
            return fill_objects(check_shape(shape), content, budget)
        return view_array(content, dtype, shape, "F" if is_fortran else "C", budget)

    return Pending(finish)


def fill_objects(shape: tuple[int, ...], values: Any, budget: Budget) -> np.ndarray:
    """Fill an array of objects from the list of its values."""
    if not isinstance(values, list) or len(values) != math.prod(shape):
        raise FormatError(f"an array of objects has shape {shape} but {len(values)} values")
    budget.charge(8 * len(values))
    array = np.empty(len(values), dtype=object)
    for index, value in enumerate(values):
        array[index] = value
    return array.reshape(shape)


def view_array(content: Any, dtype: Any, shape: Any, order: str, budget: Budget) -> np.ndarray:
    """View bytes as an array, after checking that they are as many as shape and dtype need."""
    shape, dtype = check_shape(shape), as_dtype(dtype)
    content = as_bytes(content, budget)
    if dtype.itemsize == 0 or math.prod(shape) * dtype.itemsize != len(content):
        raise FormatError(f"an array of shape {shape} and dtype {dtype} cannot have {len(content):,} bytes")
    return np.frombuffer(content, dtype=dtype).reshape(shape, order=order)


def as_dtype(dtype: Any) -> np.dtype:
    """Take a dtype that was built from a pickle, with or without a state of its own."""
    if isinstance(dtype, Pending):
        dtype = dtype.finish((3, "|", None, None, None))
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufUS":
        raise FormatError("an array of another dtype than plain numbers and texts; only these are read")
    return dtype


def as_bytes(content: Any, budget: Budget) -> bytes | memoryview:
    """Take bytes, or the text that Python 2 wrote for them."""
    if isinstance(content, str):
        budget.charge(len(content))
        return encode_latin((content, "latin1"), budget)
    if not isinstance(content, (bytes, memoryview)):
        raise FormatError(f"an array's numbers are a {type(content).__name__}; expected bytes")
    return content


def encode_latin(arguments: tuple, budget: Budget) -> bytes:
    """Stand for ``_codecs.encode(text, "latin1")``, the bytes of the old protocols."""
    text, encoding = arguments
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise RefusedError("_codecs.encode to another encoding than latin1")
    budget.charge(len(text))
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise FormatError("bytes written as text hold characters above 255; the file is broken") from None


def make_empty_bytes(arguments: tuple, budget: Budget) -> bytes:
    """Stand for ``bytes()``, which the old protocols write for no bytes at all; nothing may be given to it."""
    if arguments:
        raise RefusedError("bytes with arguments")
    return b""


def make_scalar(arguments: tuple, budget: Budget) -> Any:
    """Stand for ``numpy.…scalar(dtype, bytes)``."""
    dtype, content = arguments
    return view_array(content, dtype, (1,), "C", budget)[0]


def make_from_buffer(arguments: tuple, budget: Budget) -> np.ndarray:
    """Stand for ``numpy.…._frombuffer(buffer, dtype, shape, order)``, the arrays of protocol 5."""
    content, dtype, shape, order = arguments
    return view_array(content, dtype, shape, "F" if order == "F" else "C", budget)


def make_tensor(arguments: tuple, budget: Budget) -> np.ndarray:
    """Stand for ``torch._utils._rebuild_tensor_v2(storage, offset, size, stride, …)``."""
    return view_storage(*arguments[:4], "", budget)


def make_tensor_with_dtype(arguments: tuple, budget: Budget) -> np.ndarray:
    """Stand for ``torch._utils._rebuild_tensor_v3``, whose dtype comes apart from the storage."""
    dtype = arguments[6]
    if not isinstance(dtype, Known) or not isinstance(dtype.value, str):
        raise RefusedError("tensor of an unknown dtype")
    return view_storage(*arguments[:4], dtype.value, budget)


def view_storage(storage: Any, offset: Any, size: Any, stride: Any, dtype: str, budget: Budget) -> np.ndarray:
    """View a part of a storage as an array, after checking that shape and strides stay inside of it."""
    shape, strides = check_shape(size), check_shape(stride)
    if not isinstance(storage, Storage) or not isinstance(offset, int) or offset < 0 or len(shape) != len(strides):
        raise FormatError("a tensor without a storage, or with an offset or strides that make no sense")
    if storage.content is None:
        return np.empty(0, dtype=np.float32)
    numbers = storage.as_array(dtype)
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    count = math.prod(shape)
    if count and (last >= len(numbers) or count > len(numbers)):
        raise FormatError(f"a tensor of shape {shape} reaches beyond its storage of {len(numbers):,} numbers")
    if not count:
        return np.empty(shape, dtype=numbers.dtype)
    steps = [step * numbers.itemsize for step in strides]
    view = np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False)
    return widen_bfloat16(view, budget) if (dtype or storage.dtype) == "bfloat16" else view


def widen_bfloat16(bits: np.ndarray, budget: Budget) -> np.ndarray:
    """Widen bfloat16 to float32: its 16 bits are the upper half."""
    budget.charge(4 * bits.size)
    return (bits.astype(np.uint32) << 16).view(np.float32)


def make_parameter(arguments: tuple, budget: Budget) -> np.ndarray:
    """Stand for ``torch._utils._rebuild_parameter(tensor, …)``."""
    if not isinstance(arguments[0], np.ndarray):
        raise FormatError("a parameter without a tensor")
    return arguments[0]


def make_size(arguments: tuple, budget: Budget) -> tuple[int, ...]:
    """Stand for ``torch.Size(sizes)``."""
    return check_shape(arguments[0])


def make_ordered_dict(arguments: tuple, budget: Budget) -> dict:
    """Stand for ``collections.OrderedDict()``; with arguments, it is filled from a list of pairs."""
    pairs = arguments[0] if arguments else []
    if not isinstance(pairs, list) or not all(isinstance(p, (list, tuple)) and isinstance(p[0], str) for p in pairs):
        raise FormatError("an ordered dict is filled with something else than pairs")
    return dict(pairs)


def list_names(names: Iterable[str], call: Callable[[tuple, Budget], Any]) -> dict[str, Known]:
    """List several names for the same thing."""
    return {name: Known(name, call) for name in names}


def name_numpy(*names: str) -> list[str]:
    """Name something of numpy's core as it is called before and since numpy 2."""
    return [f"numpy.{core}.{name}" for core in ("core", "_core") for name in names]


NUMPY_NAMES: dict[str, Known] = {
    "numpy.ndarray": Known("numpy.ndarray"),
    **list_names(["numpy.dtype"], make_dtype),
    **list_names(name_numpy("multiarray._reconstruct"), make_array),
    **list_names(name_numpy("multiarray.scalar"), make_scalar),
    **list_names(name_numpy("numeric._frombuffer"), make_from_buffer),
    **list_names(["_codecs.encode"], encode_latin),
    **list_names(["collections.OrderedDict"], make_ordered_dict),
    **list_names(["builtins.bytes", "__builtin__.bytes"], make_empty_bytes),
}
TENSOR_NAMES: dict[str, Known] = {
    **list_names(["torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"], make_tensor),
    **list_names(["torch._utils._rebuild_tensor_v3"], make_tensor_with_dtype),
    **list_names(["torch._utils._rebuild_parameter"], make_parameter),
    **list_names(["torch.Size"], make_size),
    **{f"torch.{kind}Storage": Known(f"torch.{kind}Storage", value=dtype) for kind, dtype in TORCH_DTYPES.items()},
    **{f"torch.cuda.{kind}Storage": Known(f"torch.cuda.{kind}Storage", value=dtype)
       for kind, dtype in TORCH_DTYPES.items()},
    **{f"torch.{name}": Known(f"torch.{name}", value=dtype) for name, dtype in TORCH_DTYPE_NAMES.items()},
    "torch.storage.UntypedStorage": Known("torch.storage.UntypedStorage", value="u1"),
}
