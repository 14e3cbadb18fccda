"""What is read of other people's files, as one table made from the lists that the readers themselves go by."""

from collections.abc import Iterator

from amn_core.formats.foreign import BARE_ARRAY, CLASS_DICT, CLASS_IMAGES, LAYOUTS, NPZ_LAYOUTS
from amn_core.formats.grey_images import GREY_SUFFIXES
from amn_core.formats.map_folder import MAP_SUFFIXES
from amn_core.formats.map_keys import KEY_ENTRIES
from amn_core.formats.numbering import NUMBERINGS, WORDS
from amn_core.formats.readings import Reading, list_readings

BACKGROUNDS = {
    "none": "none", "plane": "the first plane", "last": "the last plane", "key 0": "key 0",
    "padded keys": "keys padded with 0",
}


def list_kinds() -> Iterator[tuple[str, str]]:
    """List what is read: the thing, and its spellings."""
    yield "Files of maps", join(MAP_SUFFIXES) + ", pickle protocols 0 to 5, both layouts of `torch.save`, any content"
    yield "Their names", "the id, alone or with an image's suffix; COCO's number without its prefix; in sub-folders"
    yield "Dicts and archives by entry", "; ".join(f"`{name}` ({layout.name})" for name, layout in LAYOUTS.items())
    yield "Archives", "; ".join(f"with `{name}` ({layout.name})" for name, layout in NPZ_LAYOUTS.items())
    yield "Without entries", f"{CLASS_DICT.name}, by number or by name; {BARE_ARRAY.name}; a list of maps"
    yield "One file a class", (
        f"{CLASS_IMAGES.name}: {join(GREY_SUFFIXES)} or an array, named `ID_CLASS`, `ID-CLASS` or `CLASS/ID`")
    yield "Images without a class", "no keys, no planes, an empty dict, list or array, or None: background throughout"
    yield "Axes", "planes first or last, with axes of length one anywhere; one plane a key, or one for every class"
    yield "Numbers", "floats of 16, 32 and 64 bits in either byte order; integers and booleans, full at 1, 255 or 65535"
    yield "Keys", f"{join(KEY_ENTRIES)}: whole numbers of any type, texts, names, one-hot, booleans, (1, K)"
    yield "Classes count from", ", ".join(dict.fromkeys(str(reading.key_base) for reading in list_all()))
    yield "Background", ", ".join(BACKGROUNDS[name] for name in dict.fromkeys(r.background for r in list_all()))
    yield "Masks and ground truth", "PNG: palettes by VOC's colours or by index, grey of 8 or 16 bits, RGB, with alpha"
    yield "Numbers in masks", ", ".join(f"`{name}` ({WORDS[name]})" for name in NUMBERINGS)
    yield "Lists", "ids, paths, pairs of paths, ids with classes; UTF-8 or UTF-16; names with blanks, dots and #"
    yield "Data sets", "VOC 2012, COCO of any year, a folder of one's own, drawn scenes"
    yield "Checkpoints", "ours and the official code's, bare or in `state_dict` or `model`, with or without `module.`"


def list_all() -> list[Reading]:
    """List the readings of the longest list of classes, COCO's."""
    return list_readings(81)


def join(words: tuple[str, ...]) -> str:
    """Join words, each as code."""
    return ", ".join(f"`{word}`" for word in words)


def format_kinds() -> str:
    """Format the table in Markdown."""
    return "\n".join(["| what | read as |", "|---|---|", *(f"| {what} | {how} |" for what, how in list_kinds())])
