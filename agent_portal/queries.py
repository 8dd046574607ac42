"""What addresses of the portal carry: row ids, paths to go back to.

Decides what text from an address bar is fit to be used. Leaves what it then finds, and how a search is read, to `core`.
"""

from __future__ import annotations

PATH_LENGTH = 2_000


def row_id(text: str | None) -> int | None:
    """A row id, or None for whatever is not one: a page then starts from its beginning."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None


def own_path(text: str | None) -> str | None:
    """`text` when it is a plain path of this host, else None: a link must not lead to another site."""
    if not text or len(text) > PATH_LENGTH or not text.startswith("/") or text.startswith("//"):
        return None
    if "\\" in text or any(ord(sign) <= 32 or ord(sign) == 127 for sign in text):
        return None
    return text
