"""What the pickle reader is made of: its limits, its errors, and the things that lie on its stack."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from amn_core.formats.errors import FormatError

MAX_STEPS = 8_000_000
MAX_CONTAINERS = 4_000_000
MAX_INT_BYTES = 16
MAX_LINE = 1 << 20
MAX_DIGITS = 40
SHORT_BYTES = 1 << 10
MARK = object()


@dataclass
class Budget:
    """Bytes that one file may still claim in memory beyond its own size."""

    left: int

    def charge(self, amount: int) -> None:
        """Take `amount` bytes off.

        Raises:
            FormatError: that is more than is left, as with a forged shape.
        """
        self.left -= amount
        if amount < 0 or self.left < 0:
            raise FormatError(f"the file describes {amount:,} bytes more than it can hold; it is broken or forged")


@dataclass
class Pending:
    """An object whose state comes later; `finish(state)` makes it, and it is then put where it was noted."""

    finish: Callable[[Any], Any]
    memo_keys: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Known:
    """A name on the short list: its text, and what to do when the pickle calls it (None: not callable)."""

    name: str
    call: Callable[[tuple, Budget], Any] | None = None
    value: Any = None


def check_key(key: Any) -> Any:
    """Check the key of a dict: a text, bytes, or an integer of 64 bits (numpy's become Python's)."""
    if isinstance(key, memoryview):
        return bytes(key)
    if isinstance(key, (str, bytes)):
        return key
    if hasattr(key, "dtype") and getattr(key, "ndim", 1) == 0 and key.dtype.kind in "iu":
        key = int(key)
    if isinstance(key, int) and -(1 << 63) <= key < 1 << 64:
        return key
    raise FormatError(f"a dict has a key of type {type(key).__name__}; only texts and integers are read")


def parse_int(content: bytes | memoryview) -> int:
    """Parse a little-endian two's complement integer of at most `MAX_INT_BYTES` bytes."""
    if len(content) > MAX_INT_BYTES:
        raise FormatError(f"an integer of {len(content):,} bytes; the file is broken or forged")
    return int.from_bytes(content, "little", signed=True)


def parse_decimal(text: bytes) -> int:
    """Parse a short decimal integer; a long one would take time that grows with its square."""
    try:
        if len(text) <= MAX_DIGITS:
            return int(text.rstrip(b"L"))
    except ValueError:
        pass
    raise FormatError(f"broken pickle: {text[:20]!r} is not an integer")
