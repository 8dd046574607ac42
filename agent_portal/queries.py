"""What addresses of the portal carry: row ids, paths to go back to.

Decides what text from an address bar is fit to be used. Leaves what it then finds, and how a search
is read, to `core`.
"""

from __future__ import annotations


def row_id(text: str | None) -> int | None:
    """A row id, or None for whatever is not one: a page then starts from its beginning."""
    return (
        int(text)
        if text and text.isascii() and text.isdigit() and len(text) <= 18
        else None
    )
