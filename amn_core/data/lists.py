"""Lists of image ids: bare ids, pairs of paths, or ids followed by classes."""

from pathlib import Path

from amn_core.formats.errors import DataError


def read_id_list(path: Path) -> tuple[str, ...]:
    """Read the image ids of a list file.

    Each line starts with an id (``2007_000032``) or a path (``/JPEGImages/2007_000032.jpg``); whatever
    follows on the line is ignored. Empty lines and lines that start with ``#`` are skipped. Ids stay
    text: read as numbers, underscores would vanish.

    Raises:
        DataError: no such file, no id in it, or an id that appears twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{path}: no such list of images") from None
    ids = tuple(Path(line.split()[0]).stem for line in lines if line.strip() and not line.startswith("#"))
    if not ids:
        raise DataError(f"{path}: the list is empty")
    if len(set(ids)) != len(ids):
        twice = next(image_id for i, image_id in enumerate(ids) if image_id in ids[:i])
        raise DataError(f"{path}: {twice} is listed twice; remove one of the lines")
    return ids
