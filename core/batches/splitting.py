"""A pasted text or the text of a file as lines: which are empty, which are the heads of columns.

With heads, each line is put into the words that `reading` knows: number, size, network, name. What
stands in other columns is left out, and said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.base import text_input
from core.base.refusal import Refusal

MOST_LINES = 1_000
"""Of one batch."""
_HEADS = {
    "number": (
        "number", "phone", "phone number", "phone no", "mobile", "mobile number", "msisdn",
        "recipient", "beneficiary", "contact", "tel", "telephone", "customer number",
    ),
    "size": (
        "size", "gb", "mb", "data", "data size", "bundle", "bundle size", "package", "volume",
        "plan", "gig", "gigs", "data gb", "data mb", "size gb", "size mb",
    ),
    "network": ("network", "net", "operator", "provider"),
    "name": ("name", "customer", "customer name", "client"),
}  # fmt: skip
_SIGNS = "\t;|,"
"""What parts columns, the likeliest first."""
_COLUMN_OF = {head: column for column, heads in _HEADS.items() for head in heads}


class BadList(Refusal):
    """What came is no list that can be read. `sentence` says how to fix it."""


@dataclass(frozen=True)
class Split:
    """The lines with something on them, by their place from 1, and what was left out."""

    lines: dict[int, str]
    note: str = ""


def split(text: str) -> Split:
    """The lines of a text. Raises `BadList` when there are none, or too many."""
    lines = {
        n: line.strip(" ")
        for n, line in enumerate(text.splitlines(), 1)
        if text_input.visible(line).strip(" \t,;|\"'")
    }
    if not lines:
        raise BadList(
            "There is nothing in this list. Write a line for each order, like 0241234567 5."
        )
    first, head = next(iter(lines.items()))
    cells = _cells(head)
    columns = _columns(cells)
    note = ""
    if columns:
        del lines[first]
        if len(cells) > 1 and "\t" in head or re.search("[;|,]", head):
            lines = {n: _in_order(line, columns, cells) for n, line in lines.items()}
            note = _left_out(columns, cells)
    if not lines:
        raise BadList(
            "This list has heads of columns and no line below them. Add a line for each order."
        )
    if len(lines) > MOST_LINES:
        raise BadList(
            f"This list has {len(lines):,} lines; {MOST_LINES:,} is the most at once. Split it, and"
            " bring the parts one after the other."
        )
    return Split(lines, note)


def _cells(line: str) -> list[str]:
    """A line by the sign that parts its columns; by blanks when there is none."""
    for sign in _SIGNS:
        if sign in line:
            return [cell.strip(" \"'") for cell in line.split(sign)]
    return line.split()


def _columns(cells: list[str]) -> dict[str, int]:
    """Which cell of a head is what; empty when this is no head with number and size."""
    found: dict[str, int] = {}
    for at, cell in enumerate(cells):
        plain = " ".join(re.sub(r"[^a-z]+", " ", cell.lower()).split())
        column = _COLUMN_OF.get(plain)
        if column is not None:
            found.setdefault(column, at)
    return found if {"number", "size"} <= found.keys() else {}


def _in_order(line: str, columns: dict[str, int], heads: list[str]) -> str:
    """A line's number, size, network and name, in this order. One whose cells do not fit under the
    heads is left as it is."""
    cells = _cells(line)
    if len(cells) <= max(columns["number"], columns["size"]):
        return line
    size = cells[columns["size"]]
    unit = re.search(r"\b(gb|mb)\b", heads[columns["size"]].lower())
    is_by_blanks = not any(sign in line for sign in _SIGNS)
    # blanks stand in numbers too; under a head of MB a figure alone would become GB
    if is_by_blanks and len(cells) != len(heads) and not (unit and unit[1] == "mb"):
        return line
    if unit and re.fullmatch(r"\d+(\.\d+)?", size):
        size = f"{size} {unit[1].upper()}"
    others = [
        cells[columns[name]]
        for name in ("network", "name")
        if name in columns and columns[name] < len(cells)
    ]
    return "\t".join([cells[columns["number"]], size, *others]).strip()


def _left_out(columns: dict[str, int], cells: list[str]) -> str:
    others = [
        f"“{cell[:30]}”"
        for at, cell in enumerate(cells)
        if at not in columns.values() and cell
    ]
    if not others:
        return ""
    return (
        f"Not read: {', '.join(others[:8])}. Only number, size, network and name are."
    )
