"""What a body wears in a drawn scene."""

from dataclasses import dataclass

from amn_core.data.scenes.canvas import Colour


@dataclass(frozen=True)
class Coat:
    """What a body wears: three colours and a pattern (plain, stripes, spots, patches or two-tone)."""

    base: Colour
    second: Colour
    light: Colour
    pattern: str
