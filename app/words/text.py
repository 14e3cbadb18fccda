"""Names are text: whatever a run, a class, an image or a data set is called is shown letter by letter.

Streamlit reads most labels as Markdown with mathematics, colours and icons; Plotly reads a little HTML. Every name that
somebody else may have chosen goes through here on its way to them.
"""

import html
import re

# Signs that begin something in Markdown, its mathematics or Streamlit's directives. A colon is among them, since
# `:material/…:` and `:red[…]` begin with one, and since `http://` would become a link.
SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&@=\"'^])")
INVISIBLE = re.compile("[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
SHOWN_FOR_INVISIBLE = "\ufffd"
LONGEST = 120  # characters of a name on a screen


def clean(text: object, longest: int = LONGEST) -> str:
    """Take away what cannot be seen, as signs that turn the direction of writing, and the end of what is too long."""
    visible = INVISIBLE.sub(SHOWN_FOR_INVISIBLE, str(text).encode("utf-8", "replace").decode())
    return visible if len(visible) <= longest else f"{visible[:longest - 1]}…"


def escape(text: object, longest: int = 2000) -> str:
    """Escape a text for Markdown of Streamlit, so that it is shown as it is.

    >>> escape("$a$") == chr(92) + "$a" + chr(92) + "$"
    True
    """
    return SPECIAL.sub(r"\\\1", clean(text, longest))


def escape_html(text: object) -> str:
    """Escape a text for the labels of Plotly, which read tags, entities, and placeholders for what is pointed at.

    >>> escape_html("<b>dog</b> %{x}")
    '&lt;b&gt;dog&lt;/b&gt; &#37;{x}'
    """
    return html.escape(clean(text), quote=False).replace("%{", "&#37;{")
