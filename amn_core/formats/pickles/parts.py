"""What the pickle reader is made of: its limits, its errors, and the things that lie on its stack."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from amn_core.formats.errors import FormatError

MAX_INT_BYTES = 16
MAX_LINE = 1 << 28
FIRST_LINE = 1 << 8
MAX_DIGITS = 40
SHORT_BYTES = 1 << 10
MARK = object()


# What things on the stack of a pickle take, in bytes, rounded up.
SLOT, NUMBER, OBJECT, NOTE, ENTRY, PENDING = 8, 32, 64, 100, 100, 400
ALLOWANCE = 32 << 20
FEW_STEPS = 20_000
DEFAULT_RIGHT = 256 << 20


@dataclass
class Budget:
    """What one file may still claim, with all that is packed in it.

    Attributes:
        left: bytes of memory beyond the file's own size. steps: opcodes of pickles.
    """

    left: int
    steps: int = FEW_STEPS

    def charge(self, amount: int) -> None:
        """Take `amount` bytes off.

        Raises:
            FormatError: that is more than is left, as with a forged shape.
        """
        self.left -= amount
        if amount < 0 or self.left < 0:
            raise FormatError("the file describes more than it may hold; it is broken or forged, or not of this image")


def build_budget(size: int, right: int = DEFAULT_RIGHT) -> Budget:
    """Build the budget of a file.

    Args:
        size: its bytes; a pickle has at most one step a byte, and some are read twice.
        right: bytes that its maps may take by right: planes × pixels of the image it belongs to, in float32.
    """
    return Budget(2 * right + ALLOWANCE, FEW_STEPS + 2 * size)


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
    if isinstance(key, float) and key == key // 1 and abs(key) < 1 << 53:
        return int(key)
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
    raise FormatError("broken pickle: a text that should be an integer is none")
