"""What a viewer of a classroom makes: held in memory for that viewer's page alone, within limits of size and time.

It is never written on the server and leaves by download. What is small (answers, selections) lies in the page's own
session, which ends with the page; what is large (the maps of a photograph) lies here, and goes when it is old or when
others need the room.
"""

import json
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

import streamlit as st

from amn_core.formats.answers import Entry

MOST_ANSWERS = 1000
MOST_SELECTIONS, MOST_SELECTED = 20, 20_000  # selections, and images of one
MOST_HELD, HELD_FOR = 60, "30m"  # pages that hold the maps of a photograph
UPLOAD_MB, LONGEST, MOST_CLASSES = 8, 512, 4  # of a viewer's photograph
SESSION, ANSWERS, SELECTIONS = "own-session", "own-answers", "own-selections"


@dataclass
class OwnAnswers:
    """A viewer's answers at pixels, and where they lie on each run (`app.cache.answers`)."""

    entries: list[Entry] = field(default_factory=list)
    places: dict[tuple[str, int], dict] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Add an answer, if there is room."""
        if len(self.entries) < MOST_ANSWERS:
            self.entries.append(entry)

    def remove(self, entry_id: str) -> None:
        """Take an answer back."""
        self.entries[:] = [entry for entry in self.entries if entry.id != entry_id]

    def write(self) -> bytes:
        """Write the answers as the file that ``select --answers`` reads."""
        return "".join(json.dumps(asdict(entry)) + "\n" for entry in self.entries).encode()


def get_answers() -> OwnAnswers:
    """Get the answers of this page."""
    return st.session_state.setdefault(ANSWERS, OwnAnswers())


def get_shelf() -> dict[str, Any]:
    """Get what holds the maps of this page's photograph; an empty one once it is too old."""
    return hold(st.session_state.setdefault(SESSION, uuid.uuid4().hex))


@st.cache_resource(ttl=HELD_FOR, max_entries=MOST_HELD, show_spinner=False)
def hold(session: str) -> dict[str, Any]:
    """Hold what a page keeps, for a time."""
    return {}


def list_selections(group: str) -> dict[str, tuple[str, ...]]:
    """List this page's selections of images of a data set and split, by name."""
    return st.session_state.setdefault(SELECTIONS, {}).setdefault(group, {})


def save_selection(group: str, name: str, images: tuple[str, ...]) -> None:
    """Keep a selection in this page, in place of an older one of the same name.

    Raises:
        ValueError: there are too many, or too many images in it.
    """
    found = list_selections(group)
    if len(images) > MOST_SELECTED or (name not in found and len(found) >= MOST_SELECTIONS):
        raise ValueError(f"A page keeps {MOST_SELECTIONS} selections of up to {MOST_SELECTED:,} images: use a name "
                         "again, or mark fewer.")
    found[name] = images
