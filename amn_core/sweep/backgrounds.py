"""Backgrounds that are not a constant: those made from the maps, and those that a network learnt.

An exponent background ``(1 - max)^a`` falls as the strongest map rises, so the two cross once: it is the same
as one threshold, and its value for each exponent is found here to the last bit. A learnt background channel is
given to `count_image` as ``background``, with OFFSETS for thresholds.
"""

from collections.abc import Sequence

import numpy as np

# What is added to a learnt background channel, which lies in [0, 1] as the maps do; 0 is the network's own word.
OFFSETS = np.arange(-200, 201) / 200
OFFSETS.setflags(write=False)


def find_exponent_threshold(exponent: float, dtype=np.float32) -> float:
    """Find the threshold that acts as the background ``(1 - max)^exponent`` (CLIP-ES), to the last bit.

    Args:
        exponent: above 0. dtype: of the maps in [0, 1], float16, float32 or float64.

    Returns:
        The largest number of that dtype which does not exceed its own background, so that a map is foreground
        if and only if it is strictly above. Exponent 1 gives 0.5, 2 gives 0.382, 4 gives 0.2755.

    Raises:
        ValueError: if the exponent is not above 0.
    """
    if not (np.isfinite(exponent) and exponent > 0):
        raise ValueError(f"exponent is {exponent}: give a number above 0")
    dtype = np.dtype(dtype)
    # Positive numbers are ordered as their bits are: halve the range of bits between 0 and 1.
    bits = np.dtype(f"u{dtype.itemsize}")
    low, high = 0, int(np.ones(1, dtype=dtype).view(bits)[0])
    while high - low > 1:
        middle = (low + high) // 2
        value = np.array([middle], dtype=bits).view(dtype)
        is_foreground = bool(value[0] > np.power(1 - value, dtype.type(exponent))[0])
        low, high = (low, middle) if is_foreground else (middle, high)
    return float(np.array([low], dtype=bits).view(dtype)[0])


def build_exponent_thresholds(exponents: Sequence[float], dtype=np.float32) -> np.ndarray:
    """Build the thresholds (T,) that act as exponent backgrounds, one for each exponent in the order given.

    Thresholds must rise, so exponents must fall.

    Raises:
        ValueError: if the exponents do not fall strictly, or two of them give the same threshold.

    >>> build_exponent_thresholds([2, 1], np.float64).round(3).tolist()
    [0.382, 0.5]
    """
    thresholds = np.array([find_exponent_threshold(exponent, dtype) for exponent in exponents])
    if (np.diff(thresholds) <= 0).any():
        raise ValueError(f"exponents are {list(exponents)}: give them from the largest down, each once")
    return thresholds
