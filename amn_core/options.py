"""A config dataclass to the options of a command, and back."""

import argparse
import dataclasses
from dataclasses import MISSING, asdict, fields
from typing import Any, get_args, get_type_hints

TYPES = (int, float, str)



class UsageError(ValueError):
    """A command was asked in a way that means nothing: the exit status is 2, as of an unknown option."""


def add_options(parser: argparse.ArgumentParser, config_class: type) -> None:
    """Add an option for each field of a config; its metadata gives help, choices, and whether it is positional."""
    hints = get_type_hints(config_class)
    for field in fields(config_class):
        meta = field.metadata
        default = field.default if field.default is not MISSING else None
        flags, text = name_flag(field), describe_default(meta.get("help", ""), None)
        if hints[field.name] is bool:
            parser.add_argument(flags, action=argparse.BooleanOptionalAction, default=default, help=text)
        elif str(hints[field.name]).startswith("tuple"):
            parser.add_argument(field.name, nargs=meta.get("nargs", "+"), help=text)
        elif meta.get("positional"):
            parser.add_argument(
                field.name, nargs=meta.get("nargs"), choices=meta.get("choices"), help=text)
        else:
            parser.add_argument(
                flags, dest=field.name, type=find_type(hints[field.name]), default=default, choices=meta.get("choices"),
                required=bool(meta.get("required")), help=describe_default(meta.get("help", ""), default))


def name_flag(field: Any) -> str:
    """Name the flag of a field: its own name, unless its metadata gives another (``--from`` is no name in Python)."""
    return field.metadata.get("flag", f"--{field.name.replace('_', '-')}")


def find_type(hint: Any) -> type:
    """Find the type of an option; of ``int | None`` it is int."""
    for candidate in (hint, *get_args(hint)):
        if candidate in TYPES:
            return candidate
    return str


def describe_default(help_text: str, default: Any) -> str:
    """Add the default to a help text where there is one."""
    text = help_text.replace("%", "%%")
    return text if default in (None, "") else f"{text} (default: {default})"


def read_options(namespace: argparse.Namespace, config_class: type) -> Any:
    """Build a config from parsed options."""
    values = {field.name: getattr(namespace, field.name) for field in fields(config_class)}
    return config_class(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def format_command(name: str, config: Any) -> list[str]:
    """Format a config as the command line that gives it, defaults left out unless the option must be given."""
    words = [name]
    for field in fields(config):
        value, flag = getattr(config, field.name), name_flag(field)
        if isinstance(value, tuple):
            words += [str(part) for part in value]
        elif field.metadata.get("positional"):
            words.append(str(value))
        elif value == field.default and not (field.metadata.get("required") and value):
            continue
        elif isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words += [flag, str(value)]
    return words


def read_unit(text: str) -> float | None:
    """Read a number from 0 to 1; None where the text is none.

    >>> read_unit("0.3"), read_unit("1.2"), read_unit("x")
    (0.3, None, None)
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def option(default: Any, help_text: str, **more: Any) -> Any:
    """Declare a field with its help text; `choices` and `positional` steer the command line."""
    return dataclasses.field(default=default, metadata={"help": help_text, **more})


def describe_config(config: Any) -> dict[str, Any]:
    """Describe a config as a dict, as it is saved with a result."""
    return asdict(config)
