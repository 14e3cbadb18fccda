"""Working memory that is kept: fresh pages would cost more than the sums that are made in them."""

import math
import threading

import numpy as np


class Scratch(threading.local):
    """Named arrays, kept from image to image in each thread; what one holds is left over from its last use."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[str, str], np.ndarray] = {}

    def take(self, name: str, dtype, *shape: int) -> np.ndarray:
        """Take the array of this name and dtype, cut to a shape."""
        key, size = (name, np.dtype(dtype).str), math.prod(shape)
        if key not in self._arrays or self._arrays[key].size < size:
            self._arrays[key] = np.empty(size, dtype=dtype)
        return self._arrays[key][:size].reshape(shape)


scratch = Scratch()
