"""What stands below a figure or a table: a caption of a few lines, and the protocol as a note of its own."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Caption:
    """A caption, and a note for a footnote: what the numbers are taken over, and what the marks are made from."""

    text: str
    note: str = ""

    def add_note(self, *sentences: str) -> "Caption":
        """Add sentences to the note; empty ones are left out."""
        return replace(self, note=" ".join(part for part in (self.note, *sentences) if part))
