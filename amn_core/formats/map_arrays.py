"""The numbers of a file of maps: axes of length one dropped, lists stacked, sizes and values checked."""

from typing import Any

import numpy as np

from amn_core.formats.errors import FormatError
from amn_core.formats.map_keys import describe_kind
from amn_core.formats.pickles.parts import Budget

MAX_PLANES = 512
MAX_NUMBERS = 1 << 28
MOST_AXES = 5


def looks_like_maps(value: Any) -> bool:
    """Whether a value has the form of maps: numbers with 2 to 5 axes, or a list of arrays of 2 or 3."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.dtype.kind in "fiub" and 2 <= value.ndim <= MOST_AXES
    parts = value.ravel().tolist() if isinstance(value, np.ndarray) and value.size <= MAX_PLANES else value
    if not isinstance(parts, (list, tuple)) or not 0 < len(parts) <= MAX_PLANES:
        return False
    return all(isinstance(part, np.ndarray) and part.dtype.kind in "fiub" and part.ndim in (2, 3) for part in parts)


def looks_empty(value: Any) -> bool:
    """Whether a value stands for no maps at all: None, or a list or array without content."""
    if isinstance(value, np.ndarray):
        return value.shape[:1] == (0,)
    return value is None or (isinstance(value, (list, tuple)) and not value)


def build_planes(value: Any, budget: Budget) -> np.ndarray:
    """Build the planes of a file from what looks like maps.

    Returns:
        Three axes of numbers, aligned and contiguous: planes first, or last (that is decided for a whole folder).

    Raises:
        FormatError: too large, no numbers, NaN or infinity, or more axes than planes, rows and columns.
    """
    if isinstance(value, np.ndarray) and value.dtype != object:
        return check_planes(drop_axes(value), budget)
    parts = [drop_axes(part) for part in (value.ravel().tolist() if isinstance(value, np.ndarray) else value)]
    if len({part.shape for part in parts}) > 1:
        raise FormatError("the maps of a list differ in size; save them at one size")
    check_size((len(parts) * parts[0].shape[0], *parts[0].shape[1:]))
    budget.charge(len(parts) * parts[0].nbytes)
    return check_planes(np.concatenate(parts))


def drop_axes(array: np.ndarray) -> np.ndarray:
    """Drop axes of length one until planes, rows and columns are left; a single map gets an axis."""
    if array.ndim == 2:
        return array[None]
    while array.ndim > 3:
        singles = [axis for axis, size in enumerate(array.shape) if size == 1]
        if not singles:
            raise FormatError(f"maps of shape {array.shape}: {array.ndim} axes; expected planes, rows and columns")
        array = array.squeeze(singles[0])
    return array


def check_size(shape: tuple[int, int, int]) -> None:
    """Refuse planes that are too many or too large, whichever axis counts them."""
    count, numbers = min(shape[0], shape[2]), int(np.prod(shape, dtype=np.int64))
    if count > MAX_PLANES or numbers > MAX_NUMBERS or (shape[0] and not numbers):
        raise FormatError(f"maps of shape {shape}; at most {MAX_PLANES} planes and {MAX_NUMBERS:,} numbers are read")


def check_planes(planes: np.ndarray, budget: Budget | None = None) -> np.ndarray:
    """Check maps of three axes for size, type and finite numbers, and return them aligned and contiguous.

    A copy is charged to the budget; an array may repeat few numbers without end.
    """
    check_size(planes.shape)
    if planes.dtype.kind not in "fiub":
        raise FormatError(f"the maps are {describe_kind(planes)}; expected numbers")
    is_copied = not (planes.flags.c_contiguous and planes.flags.aligned and planes.dtype.isnative)
    if budget is not None and is_copied:
        budget.charge(planes.size * planes.itemsize)
    planes = np.require(planes, dtype=planes.dtype.newbyteorder("="), requirements=["C", "A"])
    if planes.dtype.kind == "f" and not np.isfinite(planes).all():
        raise FormatError("the maps hold NaN or infinity; check the division by the maximum of an empty map")
    return planes
