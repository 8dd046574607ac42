"""One answer in other spellings: sizes and references as careless, older or other servers write
them.

Decides how each is written. The charge, the order and everything else of the answer stay as they
are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Response

from integrations.sandbox import wire

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(MB|GB)", re.IGNORECASE)


def respell(response: Response, name: str) -> Response:
    """The same answer with every member of `data` and `error` spelled as the fault `name` says."""
    try:
        body = json.loads(response.get_data())
    except ValueError:
        return response
    member, write = SPELLINGS[name]
    response.set_data(wire.compact(_written(body, member, write)).encode())
    return response


def _written(
    value: Any,
    member: str,
    write: Callable[[str], Any],
) -> Any:
    if isinstance(value, list):
        return [_written(one, member, write) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: write(one)
        if key == member and isinstance(one, str)
        else _written(one, member, write)
        for key, one in value.items()
    }


def _parts(size: str) -> tuple[float, str]:
    found = _SIZE.fullmatch(size)
    if found:
        return (float(found[1]), found[2].upper())
    return (0.0, "GB")


def _in_mb(size: str) -> str:
    amount, unit = _parts(size)
    if unit == "GB":
        return f"{round(amount * 1024)}MB"
    return f"{amount / 1024:g}GB"


SPELLINGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "size_bare": ("capacity", lambda size: f"{_parts(size)[0]:g}"),
    "size_in_mb": ("capacity", _in_mb),
    "size_in_words": (
        "capacity",
        lambda size: (
            f"{_parts(size)[0]:g} {'Gig' if 'G' in size.upper() else 'Megabytes'}"
        ),
    ),
    "size_as_number": ("capacity", lambda size: wire.number(_parts(size)[0])),
    "size_left_out": ("capacity", lambda _size: ""),
    "size_of_another": (
        "capacity",
        lambda size: f"{_parts(size)[0] + 1:g}{_parts(size)[1]}",
    ),
    "reference_lower": ("reference", str.lower),
    "reference_padded": ("reference", lambda reference: f" {reference} "),
}
