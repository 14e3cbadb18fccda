"""What goes wrong with files, as one family of errors; each message names the file and the remedy."""

SHOWN_NAME = 80


class DataError(ValueError):
    """Something is wrong with the data; the message names the file and the remedy."""


class FormatError(DataError):
    """A file is broken, of no known layout, or larger than is reasonable; the message says which."""


class RefusedError(FormatError):
    """A pickle asks for something that may run code; `wanted` is the name that it asked for."""

    def __init__(self, wanted: str):
        self.wanted = wanted[:SHOWN_NAME]
        super().__init__(
            f"the file asks for {self.wanted!r}, which may run code; only plain numbers, texts, lists, dicts, "
            "numpy arrays and torch tensors are read: save the maps again in one of these"
        )
