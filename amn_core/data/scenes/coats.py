"""How a body looks in a drawn scene: its coat and its build."""

from dataclasses import dataclass

from amn_core.data.scenes.canvas import Colour


@dataclass(frozen=True)
class Coat:
    """What a body wears: three colours and a pattern (plain, stripes, spots, patches or two-tone)."""

    base: Colour
    second: Colour
    light: Colour
    pattern: str


@dataclass(frozen=True)
class Build:
    """The proportions of a body: length and girth as factors of its family's, and the tail of an animal.

    tail: long, tuft or bob of four-legged animals; fan, plume or short of birds; of cars and boats it is empty.
    """

    length: float = 1.0
    girth: float = 1.0
    tail: str = ""


@dataclass(frozen=True)
class Look:
    """All of an object but its small part: what it wears and how it is built."""

    coat: Coat
    build: Build
