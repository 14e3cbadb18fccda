"""What a run.json must look like before anything else reads it; a stranger may have written it."""

import json
from collections.abc import Callable
from typing import Any

from amn_core.constants import METHODS

REQUIRED = ("name", "method", "data", "split", "class_names", "protocol")
LONGEST_NAME = 300  # of a name, in characters
LONGEST_TEXT = 4096  # of a path, as the system takes it
MOST_CLASSES = 4096
Check = Callable[[Any], bool]


def is_line(value: Any, longest: int = LONGEST_NAME) -> bool:
    """Whether a value is one line of text, not too long, without control characters; it may be empty."""
    return isinstance(value, str) and len(value) <= longest and not any(ord(c) < 32 or ord(c) == 127 for c in value)


def is_name(value: Any) -> bool:
    """Whether a value is a line of text with something in it."""
    return is_line(value) and bool(value.strip())


def is_text(value: Any) -> bool:
    """Whether a value is a line of text that may be a path, or nothing."""
    return value is None or is_line(value, LONGEST_TEXT)


def is_word(value: Any) -> bool:
    """Whether a value is a line of text, or nothing."""
    return value is None or is_line(value)


def is_count(value: Any) -> bool:
    """Whether a value is a number of things, or nothing."""
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53)


def is_names(value: Any) -> bool:
    """Whether a value is a list of names, each once."""
    return isinstance(value, list) and len(value) <= MOST_CLASSES and all(map(is_name, value)) and (
        len(set(value)) == len(value))


def is_class_names(value: Any) -> bool:
    """Whether a value names background and a class or more."""
    return is_names(value) and len(value) >= 2


def is_averaging(value: Any) -> bool:
    """Whether a value names a protocol or an averaging rule, or nothing."""
    from amn_core.sweep.confusion import AVERAGINGS
    from amn_core.sweep.protocols import PROTOCOLS

    return value is None or (isinstance(value, str) and (value == "" or value in PROTOCOLS or value in AVERAGINGS))


def is_table(**checks: Check) -> Check:
    """Build a check of an object: each of its entries that has a check must pass it; nothing passes."""
    def check(value: Any) -> bool:
        return value is None or (isinstance(value, dict) and all(
            test(value[key]) for key, test in checks.items() if key in value))

    return check


def is_command(value: Any) -> bool:
    """Whether a value is a command, as a text or as a list of words, or nothing."""
    return value is None or isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(word, str) for word in value))


is_model = is_table(backbone=is_word, checkpoint=is_text, sha256=is_word, head=is_word)
PROTOCOL_TEXTS = ("name", "normalisation", "resize", "ground_truth", "ignore", "registration", "seeds", "crf",
                  "image_labels", "dropout")
is_protocol = is_table(
    classes=lambda value: value is None or is_names(value), averaging=is_averaging,
    scales=lambda value: value is None or (isinstance(value, list) and all(
        isinstance(one, (int, float)) and not isinstance(one, bool) for one in value)),
    **dict.fromkeys(PROTOCOL_TEXTS, is_text))
CHECKS: dict[str, tuple[Check, str]] = {
    "name": (is_name, f"one line of text, at most {LONGEST_NAME} characters"),
    "method": (lambda value: isinstance(value, str) and value in METHODS, f"one of {', '.join(METHODS)}"),
    "data": (is_name, "one line of text"),
    "split": (is_name, "one line of text"),
    "class_names": (is_class_names, "a list of names, background first, each once"),
    "protocol": (lambda value: value is not None and is_protocol(value), "an object of texts, lists and numbers"),
    "kind": (is_word, "a word"),
    "data_root": (is_text, "a path"),
    "images": (is_count, "a number of images"),
    "label_source": (is_text, "one line of text"),
    "model": (is_model, "an object of texts"),
    "versions": (is_table(), "an object"),
    "counts": (is_table(data=is_text, split=is_text, images=is_count, sha256=is_word), "an object of texts"),
    "import": (is_table(report=is_table(), plan=is_table(maps=is_text)), "an object with a report and a plan"),
    "refinement": (is_table(source=is_table(name=is_word, method=is_word)), "an object that names its source"),
    "combination": (is_table(by=is_word, masks=is_word), "an object that names its sources"),
    "created": (is_word, "a date"),
    "command": (is_command, "a text or a list of words"),
}


def describe_fault(meta: dict[str, Any], newest: int) -> str:
    """Describe what is wrong with the content of a run.json, empty if nothing is: `newest` is the version we know."""
    version = meta.get("version", 0)
    if not isinstance(version, int) or isinstance(version, bool):
        return f"has the version {shorten(version)}: it must be a whole number"
    if version > newest:
        return "written by a newer version; update this package"
    missing = [key for key in REQUIRED if key not in meta]
    if missing:
        return f"lacks {', '.join(missing)}"
    if isinstance(meta["method"], str) and meta["method"] not in METHODS:
        return f"has the unknown method {shorten(meta['method'])}"
    wrong = next((key for key, (check, _) in CHECKS.items() if key in meta and not check(meta[key])), None)
    if wrong is not None:
        return f"{wrong} is {shorten(meta[wrong])}: it must be {CHECKS[wrong][1]}"
    return describe_whole(meta)


def describe_whole(meta: dict[str, Any]) -> str:
    """Describe what is wrong between entries, or with all text: strings that cannot be written down again."""
    strange = sorted(set(meta["protocol"].get("classes") or ()) - set(meta["class_names"]))
    if strange:
        return f"averages over {shorten(strange[0])}, which is none of its classes"
    try:
        json.dumps(meta, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return "holds text that is no Unicode, or lists within lists without end"
    return ""


def shorten(value: Any, longest: int = 60) -> str:
    """Write a value for a message, the beginning of it if it is long."""
    text = ascii(value)
    return text if len(text) <= longest else f"{text[:longest]}…"
