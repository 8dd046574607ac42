"""JSON that others wrote, read so that nothing in it is changed or believed too much.

Decides what is JSON at all, and what of a value a database and a page can hold. What a member means
is left to the folders of those who wrote it.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def loads(body: bytes) -> Any:
    """Strict JSON in UTF-8, fractions as `Decimal`: a float would change what was sent.

    Raises `ValueError` for anything else, also for NaN and for endless nesting.
    """
    try:
        return json.loads(
            body.decode("utf-8"), parse_constant=_no_constant, parse_float=Decimal
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def text(value: object, limit: int = 200) -> str:
    """A wire value as text that a database and a page can hold: no control characters, no half
    characters."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        return ""
    try:
        return _UNSAFE.sub("\ufffd", str(value))[:limit]
    except ValueError:  # an integer of thousands of digits
        return ""


def optional_text(value: object, limit: int = 200) -> str | None:
    """Like `text`, and None when there is nothing."""
    return text(value, limit) or None


def whole(value: object) -> int | None:
    """A count that fits a database column, or None."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return value
    return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
