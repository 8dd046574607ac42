"""Paths to go back to: what of a typed or sent text is a plain path of this host."""

from __future__ import annotations

LONGEST = 500


def own_path(text: str | None) -> str | None:
    """`text` when it is a plain path of this host, else None: a link must not lead to another
    site."""
    if (
        not text
        or len(text) > LONGEST
        or not text.startswith("/")
        or text.startswith("//")
    ):
        return None
    if "\\" in text or any(ord(sign) <= 32 or ord(sign) == 127 for sign in text):
        return None
    return text
