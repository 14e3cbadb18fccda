"""Reading a pickle as data: an interpreter of its opcodes that imports nothing and calls nothing.

Python's own unpickler looks up any name that the file gives and calls it. This one knows a short list of
names (`amn_core.formats.pickles.names`) and its own code for each of them; whatever else a file asks for
is refused by name. It never recurses, and the number of its steps and the memory that it hands out are
bounded, so that a small file cannot stand for a large object.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any

from amn_core.formats.errors import FormatError, RefusedError
from amn_core.formats.pickles.parts import (
    ENTRY,
    FIRST_LINE,
    MARK,
    MAX_DIGITS,
    MAX_LINE,
    NOTE,
    NUMBER,
    OBJECT,
    SHORT_BYTES,
    SLOT,
    Budget,
    Known,
    Pending,
    check_key,
    parse_decimal,
    parse_int,
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
            raise FormatError(f"broken pickle at byte {self.position} ({type(error).__name__})") from None

    def _run(self) -> Any:
        opcodes, budget = OPCODES, self.budget
        while budget.steps > 0 and budget.left > 0:
            budget.steps -= 1
            budget.left -= SLOT
            code = self.content[self.position]
            self.position += 1
            if code == 0x2E:  # STOP
                return self.pop()
            handler = opcodes.get(code)
            if handler is None:
                raise FormatError(f"broken pickle: byte {code:#04x} at {self.position - 1} is not understood here")
            handler(self)
        raise FormatError("the pickle takes more steps or memory than a file of its size; it is broken or forged")

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
        """Take the bytes up to the next line break, which is consumed as well, without copying much more than them."""
        width = FIRST_LINE
        while width <= MAX_LINE:
            window = bytes(self.content[self.position:self.position + width])
            end = window.find(b"\n")
            if end >= 0:
                self.position += end + 1
                self.budget.charge(end)
                return window[:end]
            if len(window) < width:
                break
            width *= 4
        raise FormatError(f"broken pickle: no end of line after byte {self.position}")

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def push_container(self, value: Any) -> None:
        """Put a new list, dict, tuple or array on the stack, charged for itself and its places."""
        places = len(value) if isinstance(value, (list, tuple)) else 0
        self.budget.charge(OBJECT + SLOT * places)
        self.stack.append(value)

    def push_text(self, value: str | bytes | int) -> None:
        """Put a text, bytes or a number of any length on the stack, charged for it."""
        self.budget.charge(OBJECT + (4 * len(value) if isinstance(value, str) else 0))
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
        self.budget.charge(NOTE)
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
        self.budget.charge(ENTRY * len(values) // 2)
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[check_key(key)] = value

    def append_items(self, target: Any, values: list[Any]) -> None:
        """Append values to a list."""
        if not isinstance(target, list):
            raise FormatError(f"broken pickle at byte {self.position}: entries for something that is no list")
        self.budget.charge(SLOT * len(values))
        target.extend(values)


Handler = Callable[["PickleMachine"], None]


def push_value(value: Any) -> Handler:
    """Build the handler that pushes a constant."""
    return lambda m: m.push(value)


def push_number(layout: str) -> Handler:
    """Build the handler that pushes a number of a `struct` layout."""

    def handler(m: "PickleMachine") -> None:
        m.budget.left -= NUMBER
        m.push(m.number(layout))

    return handler


def push_bytes(layout: str) -> Handler:
    """Build the handler that pushes bytes whose length comes first; many of them stay a view of the file."""

    def handler(m: "PickleMachine") -> None:
        content = m.take(m.number(layout))
        m.push_text(content if len(content) > SHORT_BYTES else bytes(content))

    return handler


def push_text(layout: str, encoding: str = "utf-8", errors: str = "surrogatepass") -> Handler:
    """Build the handler that pushes a text whose length comes first."""
    return lambda m: m.push_text(str(m.take(m.number(layout)), encoding, errors))


def push_integer(layout: str) -> Handler:
    """Build the handler that pushes an integer of any length, which comes first."""
    return lambda m: m.push_text(parse_int(m.take(m.number(layout))))


def push_memo(layout: str) -> Handler:
    """Build the handler that pushes what was noted under a number."""
    return lambda m: m.push(m.memo[m.number(layout)])


def note_memo(layout: str) -> Handler:
    """Build the handler that notes the top of the stack under a number."""
    return lambda m: m.note(m.number(layout))


def push_tuple(length: int) -> Handler:
    """Build the handler that makes a tuple of the last `length` values."""

    def handler(m: "PickleMachine") -> None:
        values = [m.pop() for _ in range(length)]
        m.push_container(tuple(reversed(values)))

    return handler


def read_int(m: "PickleMachine") -> None:
    """INT: decimal text, or ``00`` and ``01`` for the booleans."""
    text = m.line()
    m.push({b"00": False, b"01": True}[text] if text in (b"00", b"01") else parse_decimal(text))


def read_float(m: "PickleMachine") -> None:
    """FLOAT: a number as text."""
    text = m.line()
    try:
        m.push(float(text[:MAX_DIGITS]))
    except ValueError:
        raise FormatError("broken pickle: a text that should be a number is none") from None


def read_string(m: "PickleMachine") -> None:
    """STRING: a quoted text of Python 2 without escapes (longer ones come as BINSTRING)."""
    text = m.line()
    if len(text) < 2 or text[:1] not in b"'\"" or text[-1:] != text[:1] or b"\\" in text:
        raise FormatError("broken pickle: a quoted text is not closed, or has escapes")
    m.push_text(text[1:-1].decode("latin-1"))


def read_global(m: "PickleMachine") -> None:
    """GLOBAL: module and name, a line each."""
    module, name = m.line().decode("utf-8"), m.line().decode("utf-8")
    m.push(m.find_global(module, name))


def read_stack_global(m: "PickleMachine") -> None:
    """STACK_GLOBAL: module and name from the stack."""
    name, module = m.pop(), m.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise FormatError("broken pickle: a global without a name")
    m.push(m.find_global(module, name))


def refuse_inst(m: "PickleMachine") -> None:
    """INST: an instance of a named class; always refused."""
    raise RefusedError(f"{m.line().decode('latin-1')}.{m.line().decode('latin-1')}")


def refuse_instance(m: "PickleMachine") -> None:
    """OBJ, NEWOBJ, NEWOBJ_EX: an instance of a class on the stack; always refused."""
    known = [value.name for value in m.stack if isinstance(value, Known)]
    raise RefusedError(f"instance of {known[-1] if known else 'something unnamed'}")


def read_persistent(m: "PickleMachine") -> None:
    """BINPERSID: an object that is stored beside the pickle (torch's storages)."""
    identity = m.pop()
    if m.load_persistent is None:
        raise RefusedError("persistent object")
    m.push_container(m.load_persistent(identity))


def append_one(m: "PickleMachine") -> None:
    """APPEND: one value to a list."""
    value = m.pop()
    m.append_items(m.stack[-1], [value])


def append_many(m: "PickleMachine") -> None:
    """APPENDS: the values above the mark to a list."""
    values = m.pop_to_mark()
    m.append_items(m.stack[-1], values)


def set_one(m: "PickleMachine") -> None:
    """SETITEM: one entry of a dict."""
    value, key = m.pop(), m.pop()
    m.set_items(m.stack[-1], [key, value])


def set_many(m: "PickleMachine") -> None:
    """SETITEMS: the entries above the mark to a dict."""
    values = m.pop_to_mark()
    m.set_items(m.stack[-1], values)


def make_dict(m: "PickleMachine") -> None:
    """DICT: a dict of the entries above the mark."""
    target: dict[Any, Any] = {}
    m.set_items(target, m.pop_to_mark())
    m.push_container(target)


OPCODES: dict[int, Handler] = {ord(code): handler for code, handler in {
    "\x80": lambda m: m.take(1), "\x95": lambda m: m.take(8) and None,  # PROTO, FRAME: nothing to do
    "(": lambda m: m.stack.append(MARK), "0": lambda m: m.stack.pop(), "1": lambda m: m.pop_to_mark(),
    "2": lambda m: m.push(m.stack[-1]),
    "N": push_value(None), "\x88": push_value(True), "\x89": push_value(False),
    "K": push_number("<B"), "M": push_number("<H"), "J": push_number("<i"), "G": push_number(">d"),
    "\x8a": push_integer("<B"), "\x8b": push_integer("<i"),
    "I": read_int, "L": lambda m: m.push(parse_decimal(m.line())), "F": read_float, "S": read_string,
    "U": push_text("<B", "latin-1"), "T": push_text("<i", "latin-1"),
    "V": lambda m: m.push_text(m.line().decode("raw-unicode-escape")),
    "X": push_text("<I"), "\x8c": push_text("<B"), "\x8d": push_text("<Q"),
    "C": push_bytes("<B"), "B": push_bytes("<I"), "\x8e": push_bytes("<Q"), "\x96": push_bytes("<Q"),
    ")": lambda m: m.push_container(()), "\x85": push_tuple(1), "\x86": push_tuple(2), "\x87": push_tuple(3),
    "t": lambda m: m.push_container(tuple(m.pop_to_mark())),
    "]": lambda m: m.push_container([]), "l": lambda m: m.push_container(m.pop_to_mark()),
    "a": append_one, "e": append_many,
    "}": lambda m: m.push_container({}), "d": make_dict, "s": set_one, "u": set_many,
    "p": lambda m: m.note(parse_decimal(m.line())), "q": note_memo("<B"), "r": note_memo("<I"),
    "\x94": lambda m: m.note(len(m.memo)),
    "g": lambda m: m.push(m.memo[parse_decimal(m.line())]), "h": push_memo("<B"), "j": push_memo("<I"),
    "c": read_global, "\x93": read_stack_global, "R": lambda m: m.reduce(), "b": lambda m: m.build(),
    "Q": read_persistent, "i": refuse_inst, "o": refuse_instance, "\x81": refuse_instance, "\x92": refuse_instance,
}.items()}
