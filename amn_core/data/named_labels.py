"""Image labels that stand in the names of the files, read by a pattern: ROOT/names.txt with one line.

=============== =========================================================== =====================================
in the pattern  stands for                                                  read as
=============== =========================================================== =====================================
``*``           anything                                                    nothing
``{flags}``     0 and 1, one a class, alone or with blanks, commas, ``_``   the classes of classes.txt that are 1
``{names}``     names of classes with ``+``, ``,`` or ``;`` between         these classes; ``none`` for no class
``{numbers}``   numbers of classes from 1, likewise; 0 for no class         the classes of classes.txt
=============== =========================================================== =====================================

Everything else is as it stands: ``*-[{flags}]`` reads ``1031280-2300-[1 0 0 1]`` as the first and the fourth class.
"""

import re
from collections.abc import Collection
from pathlib import Path

from amn_core.data.lists import read_list_text
from amn_core.formats.errors import DataError

NAME = "names.txt"
PARTS = {"{flags}": r"([01](?:[ ,_]?[01])*)", "{names}": r"([^/]+?)", "{numbers}": r"(\d+(?:[+,; ]\d+)*)"}
NONE = ("none", "0", "")
LONGEST = 200


def read_named_labels(folder: Path, ids: Collection[str], classes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Read the classes of each image from its name; empty if there is no names.txt.

    Args:
        ids: of the images. classes: of classes.txt, without background; empty where there is no such file.

    Raises:
        DataError: a pattern that reads no labels, or a name that does not fit it, or a class that is none.
    """
    path = folder / NAME
    if not path.is_file():
        return {}
    pattern = read_list_text(path).strip()
    kind, form = compile_pattern(pattern, path)
    if kind != "{names}" and not classes:
        raise DataError(f"{path}: {kind} needs classes.txt, one class a line, to say which class is which")
    found = {}
    for image_id in ids:
        match = form.fullmatch(image_id)
        if match is None:
            raise DataError(f"{path}: the name {image_id[:80]} does not fit the pattern {pattern}")
        found[image_id] = parse_labels(kind, match[1], classes, f"{path}: the name {image_id[:80]}")
    return found


def compile_pattern(pattern: str, path: Path) -> tuple[str, re.Pattern]:
    """Compile a pattern: which labels it reads, and how."""
    kinds = [kind for kind in PARTS if kind in pattern]
    if len(kinds) != 1 or pattern.count(kinds[0]) != 1 or "\n" in pattern or len(pattern) > LONGEST:
        raise DataError(f"{path}: must hold one line with one of {', '.join(PARTS)}, such as *-[{{flags}}]")
    pieces = re.split(r"(\*+|\{\w+\})", pattern)
    return kinds[0], re.compile("".join(
        PARTS[piece] if piece in PARTS else ".*" if piece.startswith("*") else re.escape(piece) for piece in pieces))


def parse_labels(kind: str, text: str, classes: tuple[str, ...], place: str) -> tuple[str, ...]:
    """Parse what stands in a name to the names of its classes."""
    if kind == "{flags}":
        flags = re.sub(r"[ ,_]", "", text)
        if len(flags) != len(classes):
            raise DataError(f"{place} has {len(flags)} flags, but classes.txt {len(classes)} classes")
        return tuple(name for name, flag in zip(classes, flags, strict=True) if flag == "1")
    words = [word.strip() for word in re.split(r"[+,;]" if kind == "{names}" else r"[+,; ]", text)]
    words = [word for word in words if word.lower() not in NONE]
    if kind == "{names}":
        return tuple(words)
    wrong = next((word for word in words if not 1 <= int(word) <= len(classes)), None)
    if wrong is not None:
        raise DataError(f"{place} names class {wrong}, but classes.txt has 1 to {len(classes)}")
    return tuple(classes[int(word) - 1] for word in words)
