"""What people type into the console's small forms, made safe to store: one line, no control
characters, cut.

Leaves amounts to `core.base.money` and numbers to `core.base.phones`.
"""

from __future__ import annotations

from core.base import text_input

LONGEST = 200
"""Characters of a reason or a search; longer is cut, nobody needs more on one line."""


def one_line(text: str, longest: int = LONGEST) -> str:
    """`text` on one line: runs of blanks become one, what cannot be seen, printed or stored goes
    away."""
    return text_input.one_line(text, longest)


def row_id(text: str) -> int | None:
    """A row number from an address such as `?before=120`; None when it is not one that PostgreSQL
    can hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
