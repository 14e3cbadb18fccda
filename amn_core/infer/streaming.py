"""Images through a model: read ahead and written behind in threads, those of one size together in a batch."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

Key, Result = TypeVar("Key"), TypeVar("Result")
AHEAD = 4  # items that each thread may be ahead, or behind
WAITING = 8  # batches' worth of images that may wait for others of their size
FULL_PIXELS = 512 * 512  # a batch of larger images has fewer


@dataclass(frozen=True)
class Item:
    """An image on its way to its map.

    Attributes:
        image: (H, W, 3) uint8; None if there is nothing to do.
        class_ids: (K,). seed: (H, W) labels, if the normalisation asks for them.
        is_broken: it could not be read and is left out.
    """

    image_id: str
    image: np.ndarray | None = None
    class_ids: np.ndarray | None = None
    seed: np.ndarray | None = None
    is_broken: bool = False


def skip_idle(items: Iterable[Item], bar: Any, broken: list[str]) -> Iterator[Item]:
    """Pass on the items with something to do; note those that are broken."""
    for item in items:
        if item.image is not None:
            yield item
            continue
        bar.update(1)
        broken += [item.image_id] if item.is_broken else []


def read_ahead(load: Callable[[Key], Result], keys: Iterable[Key], workers: int) -> Iterator[Result]:
    """Load items in order, in some threads a little ahead of who takes them; 0 threads load when asked.

    Raises:
        Exception: what `load` raises, when the turn of that item comes.
    """
    if workers < 1:
        yield from map(load, keys)
        return
    pool, waiting = ThreadPoolExecutor(workers), deque()
    try:
        for key in keys:
            waiting.append(pool.submit(load, key))
            if len(waiting) > AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def group_by_size(items: Iterable[Item], batch: int) -> Iterator[list[Item]]:
    """Group images of one size into batches; one whose size is rare waits no longer than memory allows.

    Args:
        batch: the most images of up to 512×512 pixels in a group; of larger ones fewer.
    """
    groups: dict[tuple[int, int], list[Item]] = {}
    for item in items:
        size = item.image.shape[:2]
        groups.setdefault(size, []).append(item)
        if len(groups[size]) >= count_fitting(size, batch):
            yield groups.pop(size)
        elif sum(map(len, groups.values())) >= WAITING * batch:
            yield groups.pop(max(groups, key=lambda size: len(groups[size])))
    yield from groups.values()


def count_fitting(size: tuple[int, int], batch: int) -> int:
    """Count the images of a size that take no more memory than a batch of 512×512; one at least."""
    return max(1, batch * FULL_PIXELS // max(FULL_PIXELS, size[0] * size[1]))


class WriteBehind:
    """Runs writes in some threads while the next images are computed; 0 threads write at once.

    Leaving the block waits for all of them. Where one fails, its error is raised by a later `write` or at the end.
    """

    def __init__(self, workers: int) -> None:
        self.pool = ThreadPoolExecutor(workers) if workers else None
        self.most = AHEAD * workers
        self.waiting: deque[Future] = deque()

    def __enter__(self) -> "WriteBehind":
        return self

    def write(self, work: Callable[..., object], *arguments: Any) -> None:
        """Run one write, now or soon."""
        if self.pool is None:
            work(*arguments)
            return
        self.waiting.append(self.pool.submit(work, *arguments))
        while len(self.waiting) > self.most:
            self.waiting.popleft().result()

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=kind is not None)
        while kind is None and self.waiting:
            self.waiting.popleft().result()
