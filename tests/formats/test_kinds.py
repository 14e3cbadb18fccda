"""The table of what is read, in amn_core's README, is the one that the readers' own lists make."""

from pathlib import Path

from amn_core.formats.foreign import LAYOUTS
from amn_core.formats.kinds import format_kinds, list_kinds
from amn_core.formats.map_folder import MAP_SUFFIXES
from amn_core.formats.numbering import NUMBERINGS

README = Path(__file__).resolve().parents[2] / "amn_core" / "README.md"


def test_readme_has_the_table_that_the_code_makes():
    assert format_kinds() in README.read_text(encoding="utf-8"), "paste amn_core.formats.kinds.format_kinds()"


def test_table_names_every_layout_suffix_and_numbering():
    text = format_kinds()
    assert all(f"`{name}`" in text for name in (*LAYOUTS, *MAP_SUFFIXES, *NUMBERINGS))
    assert all(how.strip() for _, how in list_kinds())
