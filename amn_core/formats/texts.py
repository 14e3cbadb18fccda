"""Text files of strangers: UTF-8 with or without a byte-order mark, or UTF-16 with one."""

import codecs
from pathlib import Path

from amn_core.formats.errors import FormatError

MAX_TEXT_BYTES = 256 << 20
WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    """Read a text file; a byte-order mark is dropped.

    Raises:
        FormatError: no such file, too large, or another encoding; names the file.
    """
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise FormatError(f"{path}: larger than {MAX_TEXT_BYTES >> 20} MB, which no list is")
        content = path.read_bytes()
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file") from None
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        text = content.decode("utf-16" if content.startswith(WIDE_MARKS) else "utf-8-sig")
    except UnicodeDecodeError:
        raise FormatError(f"{path}: not text in UTF-8 or UTF-16; save it as UTF-8") from None
    if "\0" in text:
        raise FormatError(f"{path}: holds zero bytes, as UTF-16 without its mark or a binary file; save it as UTF-8")
    return text
