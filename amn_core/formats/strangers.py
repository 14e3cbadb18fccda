"""Files that stand in place of what was wanted: a page of a failed download, a pointer, a picture, an empty file."""

STARTS = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the file (run `git lfs pull`)"),
    (b"/annex/objects/", "a pointer of git-annex, not the file (run `git annex get`)"),
    (b"<!doctype html", "an HTML page, as a failed download leaves"),
    (b"<html", "an HTML page, as a failed download leaves"),
    (b"<?xml", "an XML text, as a failed download leaves"),
    (b"{\"", "a JSON text"),
    (b"\x89png", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x1f\x8b", "a gzip archive (unpack it first)"),
    (b"bzh", "a bzip2 archive (unpack it first)"),
    (b"7z\xbc\xaf", "a 7z archive (unpack it first)"),
    (b"rar!", "a RAR archive (unpack it first)"),
    (b"%pdf", "a PDF document"),
    (b"\x89hdf", "an HDF5 file"),
)


def describe_stranger(content: bytes) -> str:
    """Describe a file that cannot be what was wanted, by its first bytes; empty if nothing speaks against it."""
    if not content:
        return "empty"
    start = bytes(content[:64]).lstrip().lower()
    return next((f"is {text}" for sign, text in STARTS if start.startswith(sign)), "")


def take_first_line(error: BaseException, most: int = 120) -> str:
    """Take the first line of what a decoder says, cut to a length; its name if it says nothing."""
    return (str(error).splitlines() or [""])[0][:most] or type(error).__name__
