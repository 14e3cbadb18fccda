"""What a number was measured under, so that it can be shown beside the number."""

from dataclasses import dataclass

from amn_core.sweep.confusion import check_averaging


@dataclass(frozen=True)
class Protocol:
    """How a data set's mIoU is averaged, and what an unsure prediction counts as.

    Attributes:
        name: short name. averaging: ``union``, ``all`` or ``present``, see `score_miou`.
        unsure: ``error`` or ``ignore``: what a prediction of 255 counts as in a seed or mask. A sweep has none.
        description: one sentence for people.
    """

    name: str
    averaging: str = "union"
    unsure: str = "error"
    description: str = ""

    def __post_init__(self) -> None:
        check_averaging(self.averaging)
        if self.unsure not in ("error", "ignore"):
            raise ValueError(f"unsure is {self.unsure!r}: choose 'error' or 'ignore'")


_UNION = "mean over the classes with a pixel in ground truth or prediction"
_ALL = "mean over all classes, an absent class as 0"
_PRESENT = "mean over the classes in the ground truth"

PROTOCOLS = {
    p.name: p
    for p in (
        Protocol("irn", "union", "error", _UNION),
        Protocol("weaktr", "union", "error", _UNION),
        Protocol("seam", "all", "error", _ALL),
        Protocol("mctformer", "all", "error", _ALL),
        Protocol("toco", "present", "error", _PRESENT),
        Protocol("clip-es", "present", "error", _PRESENT),
        Protocol("unsure-ignored", "union", "ignore", f"{_UNION}; unsure pixels left out"),
    )
}


def find_protocol(protocol: str | Protocol) -> Protocol:
    """Find a protocol by its name; a protocol is returned as it is.

    Raises:
        ValueError: if there is none of that name.
    """
    if isinstance(protocol, Protocol):
        return protocol
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol is {protocol!r}: choose one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[protocol]
