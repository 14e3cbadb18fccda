"""Milliseconds of a function, by the run that other programs disturbed least."""

import time
from collections.abc import Callable
from typing import Any


def measure(function: Callable[[], Any], times: int) -> list[float]:
    """Run a function some times and return the milliseconds of each."""
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        durations.append(1000 * (time.perf_counter() - start))
    return durations


def find_fastest(function: Callable[[], Any], times: int) -> float:
    """Find the milliseconds of the fastest of some runs of a function."""
    return min(measure(function, times))
