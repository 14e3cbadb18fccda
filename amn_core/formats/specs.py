"""What a data set is called: ``kind:ROOT``, behind some roots options; the one place that takes such a text apart."""

import re
from pathlib import Path
from typing import NamedTuple

# The kinds of data set that lie in a folder of this machine.
IN_FOLDERS = ("voc", "coco", "pets", "folder")
# Options that may follow a root; a comma in the name of a folder is no option.
WITH_OPTIONS = {"pets": re.compile(r"(?:,(?:classes|n|seed)=[^,/]*)*\Z")}


class Spec(NamedTuple):
    """A spec of a data set in a folder, taken apart; ``options`` begins with its comma where there are any."""

    kind: str
    root: str
    options: str = ""

    def __str__(self) -> str:
        """Put it together again."""
        return f"{self.kind}:{self.root}{self.options}"


def split_spec(text: str) -> Spec | None:
    """Take apart the spec of a data set that lies in a folder; None for any other text.

    >>> split_spec("pets:/data/pets,classes=species")
    Spec(kind='pets', root='/data/pets', options=',classes=species')
    >>> split_spec("scenes:size=64") is None
    True
    """
    kind, colon, rest = text.partition(":")
    if not colon or not rest or kind not in IN_FOLDERS:
        return None
    at = WITH_OPTIONS[kind].search(rest).start() if kind in WITH_OPTIONS else len(rest)
    return Spec(kind, rest[:at], rest[at:])


def make_whole(text: str) -> str:
    """Write a spec with the whole path of its folder, links resolved; a text without a folder stays as it is."""
    spec = split_spec(text)
    return text if spec is None else str(spec._replace(root=str(Path(spec.root).expanduser().resolve())))


def hide_root(text: str) -> str:
    """Write a spec with the name of its folder alone, as it may be shown anywhere: ``voc:VOC2012``."""
    spec = split_spec(text)
    return text if spec is None else str(spec._replace(root=Path(spec.root).resolve().name))


def place_root(text: str, root: str) -> str:
    """Put the folder in which a data set lies here into its spec, options kept."""
    spec = split_spec(text)
    return text if spec is None or not root else str(spec._replace(root=root))
