"""What a number was measured under, so that it can be shown beside the number."""

from dataclasses import dataclass

from amn_core.sweep.confusion import AVERAGINGS, check_averaging


@dataclass(frozen=True)
class Protocol:
    """How a data set's mIoU is averaged.

    Attributes:
        name: short name. averaging: ``union``, ``all`` or ``present``, see `score_miou`.
        description: one sentence for people.
    """

    name: str
    averaging: str = "union"
    description: str = ""

    def __post_init__(self) -> None:
        check_averaging(self.averaging)


_UNION = "mean over the classes with a pixel in ground truth or prediction"
_ALL = "mean over all classes, an absent class as 0"
_PRESENT = "mean over the classes in the ground truth"

PROTOCOLS = {
    p.name: p
    for p in (
        Protocol("irn", "union", _UNION),
        Protocol("weaktr", "union", _UNION),
        Protocol("seam", "all", _ALL),
        Protocol("mctformer", "all", _ALL),
        Protocol("toco", "present", _PRESENT),
        Protocol("clip-es", "present", _PRESENT),
    )
}


def find_protocol(protocol: str | Protocol) -> Protocol:
    """Find a protocol by its name, or by that of an averaging rule; a protocol is returned as it is.

    Raises:
        ValueError: if there is none of that name.

    >>> find_protocol("seam").averaging, find_protocol("present").name
    ('all', 'present')
    """
    if isinstance(protocol, Protocol):
        return protocol
    if protocol in AVERAGINGS:
        return Protocol(protocol, protocol)
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol is {protocol!r}: choose one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[protocol]


def parse_classes(text: str, class_names: tuple[str, ...]) -> list[str] | None:
    """Parse class names or ids, separated by commas; the empty text and ``all`` mean all, which is None.

    Raises:
        ValueError: a class that the data set does not have.

    >>> parse_classes("cat, 0", ("background", "cat", "dog"))
    ['cat', 'background']
    """
    if text in ("", "all"):
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    names = [class_names[int(p)] if p.isdigit() and int(p) < len(class_names) else p for p in parts]
    unknown = [name for name in names if name not in class_names]
    if unknown:
        raise ValueError(f"class {unknown[0]!r} is unknown; the classes are {', '.join(class_names)}")
    return names
