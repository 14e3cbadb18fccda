"""Reading a pickle as data: an interpreter of its opcodes that imports nothing and calls nothing.

Python's own unpickler looks up any name that the file gives and calls it. This one knows a short list of
names (`amn_core.formats.pickle_globals`) and its own code for each of them; whatever else a file asks for
is refused by name. It never recurses, and the number of its steps and the memory that it hands out are
bounded, so that a small file cannot stand for a large object.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any

from amn_core.formats.pickle_opcodes import OPCODES
from amn_core.formats.pickle_parts import (
    MARK,
    MAX_CONTAINERS,
    MAX_LINE,
    MAX_STEPS,
    Budget,
    FormatError,
    Known,
    Pending,
    RefusedError,
    check_key,
)


class PickleMachine:
    """Runs the opcodes of one pickle.

    Args:
        content: the bytes that hold it.
        names: ``"module.name"`` to what stands for it.
        budget: memory that may be claimed.
        load_persistent: what to do with a persistent id (torch's storages); refused by default.
        position: where the pickle starts. After `run`, `position` is where it ended.
    """

    def __init__(
        self, content: bytes | memoryview, names: Mapping[str, Known], budget: Budget,
        load_persistent: Callable[[Any], Any] | None = None, position: int = 0,
    ):
        self.content = memoryview(content)
        self.names = names
        self.budget = budget
        self.load_persistent = load_persistent
        self.position = position
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.containers = 0

    def run(self) -> Any:
        """Run to the end of the pickle and return the object.

        Raises:
            RefusedError: the pickle asks for a name that is not on the list.
            FormatError: it is cut short, malformed, or exceeds a limit.
        """
        try:
            return self._run()
        except FormatError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, MemoryError, struct.error) as error:
            raise FormatError(f"broken pickle at byte {self.position} ({error or type(error).__name__})") from None

    def _run(self) -> Any:
        opcodes = OPCODES
        for _ in range(MAX_STEPS):
            code = self.content[self.position]
            self.position += 1
            if code == 0x2E:  # STOP
                return self.pop()
            handler = opcodes.get(code)
            if handler is None:
                raise FormatError(f"broken pickle: byte {code:#04x} at {self.position - 1} is not understood here")
            handler(self)
        raise FormatError(f"the pickle takes more than {MAX_STEPS:,} steps; it is broken or forged")

    def take(self, length: int) -> memoryview:
        """Take the next bytes, without copying them."""
        end = self.position + length
        if length < 0 or end > len(self.content):
            raise FormatError(f"cut short: {length:,} bytes announced at byte {self.position}, fewer are there")
        part = self.content[self.position:end]
        self.position = end
        return part

    def number(self, layout: str) -> int:
        """Take one little-endian number of a `struct` layout."""
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def line(self) -> bytes:
        """Take the bytes up to the next line break, which is consumed as well."""
        window = bytes(self.content[self.position:self.position + MAX_LINE])
        end = window.find(b"\n")
        if end < 0:
            raise FormatError(f"broken pickle: no end of line after byte {self.position}")
        self.position += end + 1
        return window[:end]

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def push_container(self, value: Any) -> None:
        """Put a new list, dict or tuple on the stack; there may be only so many of them."""
        self.containers += 1
        if self.containers > MAX_CONTAINERS:
            raise FormatError(f"the pickle holds more than {MAX_CONTAINERS:,} containers; it is broken or forged")
        self.stack.append(value)

    def pop(self) -> Any:
        """Take a value from the stack."""
        value = self.stack.pop()
        if value is MARK:
            raise FormatError(f"broken pickle at byte {self.position}: a value is missing")
        return value

    def pop_to_mark(self) -> list[Any]:
        """Take the values above the last mark, and the mark."""
        for start in range(len(self.stack) - 1, -1, -1):
            if self.stack[start] is MARK:
                values = self.stack[start + 1:]
                del self.stack[start:]
                return values
        raise FormatError(f"broken pickle at byte {self.position}: a mark is missing")

    def note(self, key: int) -> None:
        """Note the top of the stack under a number."""
        value = self.stack[-1]
        if value is MARK:
            raise FormatError(f"broken pickle at byte {self.position}: a value is missing")
        if isinstance(value, Pending):
            value.memo_keys.append(key)
        self.memo[key] = value

    def find_global(self, module: Any, name: Any) -> Known:
        """Look a name up in the short list; anything else is refused."""
        known = self.names.get(f"{module}.{name}")
        if known is None:
            raise RefusedError(f"{module}.{name}")
        return known

    def reduce(self) -> None:
        """Call what a known name stands for with the arguments on the stack."""
        arguments, known = self.pop(), self.pop()
        if not isinstance(known, Known) or known.call is None or not isinstance(arguments, tuple):
            raise RefusedError(f"call of {known.name if isinstance(known, Known) else type(known).__name__}")
        self.push_container(known.call(arguments, self.budget))

    def build(self) -> None:
        """Give a pending object its state; an ordered dict's attributes (``_metadata``) are passed over."""
        state, target = self.pop(), self.pop()
        if isinstance(target, dict) and isinstance(state, dict):
            self.push(target)
            return
        if not isinstance(target, Pending):
            raise RefusedError(f"state of {type(target).__name__}")
        finished = target.finish(state)
        for key in target.memo_keys:
            self.memo[key] = finished
        self.push(finished)

    def set_items(self, target: Any, values: list[Any]) -> None:
        """Set keys and values alternating in `values`; keys are texts, bytes or 64-bit integers."""
        if not isinstance(target, dict) or len(values) % 2:
            raise FormatError(f"broken pickle at byte {self.position}: entries for something that is no dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[check_key(key)] = value

    def append_items(self, target: Any, values: list[Any]) -> None:
        """Append values to a list."""
        if not isinstance(target, list):
            raise FormatError(f"broken pickle at byte {self.position}: entries for something that is no list")
        target.extend(values)
