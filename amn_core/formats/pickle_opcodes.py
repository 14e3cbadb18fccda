"""What each opcode of a pickle does on a `PickleMachine`, protocols 0 to 5.

Not here, and so refused: extension codes, sets, out-of-band buffers. `INST`, `OBJ` and `NEWOBJ` make
instances of classes and are refused by the name of the class.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from amn_core.formats.pickle_parts import (
    MARK,
    MAX_DIGITS,
    SHORT_BYTES,
    FormatError,
    Known,
    RefusedError,
    parse_decimal,
    parse_int,
)

if TYPE_CHECKING:
    from amn_core.formats.pickle_machine import PickleMachine

Handler = Callable[["PickleMachine"], None]


def push_value(value: Any) -> Handler:
    """Build the handler that pushes a constant."""
    return lambda m: m.push(value)


def push_number(layout: str) -> Handler:
    """Build the handler that pushes a number of a `struct` layout."""
    return lambda m: m.push(m.number(layout))


def push_bytes(layout: str) -> Handler:
    """Build the handler that pushes bytes whose length comes first; many of them stay a view of the file."""

    def handler(m: "PickleMachine") -> None:
        content = m.take(m.number(layout))
        m.push(content if len(content) > SHORT_BYTES else bytes(content))

    return handler


def push_text(layout: str, encoding: str = "utf-8", errors: str = "surrogatepass") -> Handler:
    """Build the handler that pushes a text whose length comes first."""
    return lambda m: m.push(str(m.take(m.number(layout)), encoding, errors))


def push_integer(layout: str) -> Handler:
    """Build the handler that pushes an integer of any length, which comes first."""
    return lambda m: m.push(parse_int(m.take(m.number(layout))))


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
        raise FormatError(f"broken pickle: {text[:20]!r} is not a number") from None


def read_string(m: "PickleMachine") -> None:
    """STRING: a quoted text of Python 2 without escapes (longer ones come as BINSTRING)."""
    text = m.line()
    if len(text) < 2 or text[:1] not in b"'\"" or text[-1:] != text[:1] or b"\\" in text:
        raise FormatError("broken pickle: a quoted text is not closed, or has escapes")
    m.push(text[1:-1].decode("latin-1"))


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
    "V": lambda m: m.push(m.line().decode("raw-unicode-escape")),
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
