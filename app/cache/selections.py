"""Selections of images with a name: lists on disk, one id a line, that every command takes as ``--split``."""

import re
from pathlib import Path

from app import roots

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,39}")


def find_folder(group: str) -> Path:
    """Find the folder of the selections of a data set and split."""
    return roots.REPOSITORY / "runs" / "selections" / re.sub(r"[^A-Za-z0-9._-]+", "-", group)


def list_selections(group: str) -> list[str]:
    """List the names of the selections of a data set and split, sorted."""
    return sorted(path.stem for path in find_folder(group).glob("*.txt") if NAME.fullmatch(path.stem))


def save_selection(group: str, name: str, images: tuple[str, ...]) -> Path:
    """Save a selection, in place of an older one of the same name; returns the list.

    Raises:
        ValueError: a name that is no plain file name, or no image.
    """
    check_selection(name, images)
    path = find_folder(group) / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write_list(images, group), encoding="utf-8")
    return path


def check_selection(name: str, images: tuple[str, ...]) -> None:
    """Raise ValueError for a name that is no plain file name, or for no image."""
    if not NAME.fullmatch(name):
        raise ValueError("A selection is named with letters, digits, blanks, dashes or underscores, 40 at most.")
    if not images:
        raise ValueError("Mark images first: a selection needs one at least.")


def write_list(images: tuple[str, ...], group: str) -> str:
    """Write images as a list: one id a line; above those of drawn scenes stands of which split they are.

    >>> write_list(("scene_000001",), "scenes:n=8/val")
    '# split: val\\nscene_000001\\n'
    """
    kind, split = group.partition(":")[0], group.rpartition("/")[2]
    head = f"# split: {split}\n" if kind.startswith("scenes") else ""
    return head + "".join(f"{image_id}\n" for image_id in images)


def load_selection(group: str, name: str) -> tuple[str, ...]:
    """Load the images of a selection; none if it is not there."""
    if name not in list_selections(group):
        return ()
    lines = (find_folder(group) / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("# split: "))
