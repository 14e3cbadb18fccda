"""Lists of image ids: bare ids, pairs of paths, or ids followed by classes; names with blanks and dots too."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from amn_core.data.images import IMAGE_SUFFIXES
from amn_core.formats.errors import DataError, FormatError
from amn_core.formats.texts import read_text

BLANK = re.compile(r"\s+")
CLASSES = re.compile(r"-?\d+(\s+-?\d+)*")
# Two paths in one text: a blank before a slash, or behind the suffix of an image.
PAIR = re.compile(rf"\s[/\\]|({'|'.join(re.escape(suffix) for suffix in IMAGE_SUFFIXES)})\s", re.IGNORECASE)


def read_id_list(
    path: Path, is_known: Callable[[str], bool] | None = None, has_classes: bool = True
) -> tuple[str, ...]:
    """Read the image ids of a list file.

    A line is an id (``2007_000032``) or a path (``/JPEGImages/2007_000032.jpg``); a second path, or numbers of
    classes, may follow. A name may hold blanks, dots and ``#``, so each line is held against the images that there
    are, the whole line first. Empty lines are skipped, and those that start with ``#`` unless they name an image.
    Ids stay text: read as numbers, underscores would vanish.

    Args:
        path: the list, in UTF-8 or UTF-16.
        is_known: tells whether an id is one of the data set.
        has_classes: whether numbers behind a blank are classes, where they are not part of a known name.

    Returns:
        The ids in order; of a line that names no known image, the shortest that it may mean.

    Raises:
        DataError: no such list, another encoding, no id in it, or an id that appears twice.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such list of images")
    lines = [line.strip() for line in read_list_text(path).splitlines() if line.strip()]
    found = [find_id(line, is_known, has_classes) for line in lines]
    ids = tuple(image_id for image_id in found if image_id is not None)
    if not ids:
        raise DataError(f"{path}: the list is empty")
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        twice = next(image_id for image_id in ids if image_id in seen or seen.add(image_id))
        raise DataError(f"{path}: {twice} is listed twice; remove one of the lines")
    return ids


def read_list_text(path: Path) -> str:
    """Read a text of a data set, in UTF-8 or UTF-16; another encoding is an error that names the file."""
    try:
        return read_text(path)
    except FormatError as error:
        raise DataError(str(error)) from None


def find_id(line: str, is_known: Callable[[str], bool] | None, has_classes: bool) -> str | None:
    """Find the id that a line names; None for a comment."""
    candidates = list(list_candidates(line, has_classes))
    for candidate in candidates if is_known is not None else ():
        if is_known(candidate):
            return candidate
    return None if line.startswith("#") else candidates[-1]


def list_candidates(line: str, has_classes: bool) -> Iterator[str]:
    """List the ids that a line may mean: the whole line, then without what may follow an id, the shortest last."""
    for blank in (None, *reversed([match.start() for match in BLANK.finditer(line)])):
        part, rest = line[:blank].rstrip(), "" if blank is None else line[blank:].strip()
        if not rest or is_path(rest) or (has_classes and CLASSES.fullmatch(rest)):
            yield part
            if not PAIR.search(part):
                yield strip_suffix(part.replace("\\", "/").rpartition("/")[2])


def is_path(text: str) -> bool:
    """Whether a text is the path of an image: it has a folder or the suffix of an image."""
    return "/" in text or "\\" in text or strip_suffix(text) != text


def strip_suffix(name: str) -> str:
    """Strip the suffix of an image from a name; other dots belong to it."""
    stem, dot, suffix = name.rpartition(".")
    return stem if stem and dot + suffix.lower() in IMAGE_SUFFIXES else name
