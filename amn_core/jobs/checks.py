"""What job.json and status.json must look like before anything else reads them; anybody may have written them."""

from collections.abc import Callable
from typing import Any

from amn_core.formats.run_checks import shorten

STATES = ("queued", "running", "done", "failed", "stopped", "interrupted")
MOST_GPUS = 1024
LATEST = 2**35  # seconds since 1970; what is later is no date of ours
Check = Callable[[Any], bool]


def is_text(value: Any) -> bool:
    """Whether a value is a text that can be written down again, without a zero byte."""
    return isinstance(value, str) and "\0" not in value and not any(0xD800 <= ord(c) < 0xE000 for c in value)


def is_integer(value: Any, low: int, high: int) -> bool:
    """Whether a value is a whole number from `low` to `high`, no truth value."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_time(value: Any) -> bool:
    """Whether a value is a moment, in seconds since 1970."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < LATEST


def is_moment(value: Any) -> bool:
    """Whether a value is a moment, or none yet."""
    return value is None or is_time(value)


def is_processes(value: Any) -> bool:
    """Whether a value describes processes by their role (`amn_core.jobs.processes`)."""
    return isinstance(value, dict) and all(
        isinstance(one, dict) and is_integer(one.get("pid"), 1, 2**31) and is_text(one.get("began")) and one["began"]
        for one in value.values())


def is_words(value: Any) -> bool:
    """Whether a value is a command and its options: some words, two at least for a training, which names its method."""
    return isinstance(value, list) and bool(value) and all(map(is_text, value)) and (
        value[0] != "train" or len(value) > 1)


def is_texts(value: Any) -> bool:
    """Whether a value is a list of texts."""
    return isinstance(value, list) and all(map(is_text, value))


JOB: dict[str, tuple[Check, str]] = {
    "title": (lambda value: is_text(value) and len(value) <= 1000, "a text"),
    "words": (is_words, "a list of words"),
    "device": (is_text, "a text"),
    "gpus": (lambda value: is_integer(value, 1, MOST_GPUS), f"a whole number from 1 to {MOST_GPUS}"),
    "config": (lambda value: isinstance(value, dict), "an object"),
    "created": (is_time, "seconds since 1970"),
}
STATUS: dict[str, tuple[Check, str]] = {
    "state": (lambda value: isinstance(value, str) and value in STATES, f"one of {', '.join(STATES)}"),
    "processes": (is_processes, "processes, each with its id and its beginning"),
    "error": (lambda value: value is None or is_text(value), "a text"),
    "queued": (is_moment, "seconds since 1970"), "began": (is_moment, "seconds since 1970"),
    "ended": (is_moment, "seconds since 1970"),
    "attempt": (lambda value: is_integer(value, 0, 2**31), "a whole number"),
    "devices": (is_texts, "a list of names"),
}


def describe_job_fault(meta: dict[str, Any]) -> str:
    """Describe what is wrong with the content of a job.json; empty if nothing is."""
    missing = [key for key in JOB if key not in meta]
    return f"lacks {', '.join(missing)}" if missing else describe_entries(meta, JOB)


def describe_status_fault(status: Any) -> str:
    """Describe what is wrong with the content of a status.json; empty if nothing is. One may lack anything."""
    return describe_entries(status, STATUS) if isinstance(status, dict) else f"is {shorten(status)}, not an object"


def describe_entries(meta: dict[str, Any], checks: dict[str, tuple[Check, str]]) -> str:
    """Describe the first entry that fails its check."""
    wrong = next((key for key, (check, _) in checks.items() if key in meta and not check(meta[key])), None)
    return f"{wrong} is {shorten(meta[wrong])}: it must be {checks[wrong][1]}" if wrong else ""
