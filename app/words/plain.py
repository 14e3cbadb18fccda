"""Texts from files, names among them, as plain words in Streamlit's Markdown; no Streamlit."""

SIGNS = "\\`*_[]<>|$~#:!"


def escape(text: object) -> str:
    """Escape every sign that Markdown or Streamlit would take for markup, so that a text is shown as it is.

    >>> escape("![p](http://x)")
    '\\\\!\\\\[p\\\\](http\\\\://x)'
    """
    text = " ".join(str(text).split())
    return "".join(f"\\{sign}" if sign in SIGNS else sign for sign in text)
