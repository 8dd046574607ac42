"""Tables for spreadsheets: CSV in UTF-8 with its mark.

Decides what a cell may be: a text is never taken for a formula, an amount is a number. Pages hand
over texts and `amount`s and never write a cell themselves.
"""

from __future__ import annotations

import csv
import io
from decimal import Decimal

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
Cell = str | int | Decimal


def amount(pesewas: int) -> Decimal:
    """An amount in cedis as a spreadsheet reads it: a plain minus, no thousands separator."""
    return Decimal(pesewas).scaleb(-2)


class Table:
    """A file that grows by rows."""

    def __init__(self, *head: str) -> None:
        self._out = io.StringIO()
        self._rows = csv.writer(self._out)
        self.row(*head)

    def row(self, *cells: Cell) -> None:
        """One row, of no cells for an empty line."""
        self._rows.writerow([_safe(cell) for cell in cells])

    def text(self) -> str:
        """The whole file."""
        return _MARK + self._out.getvalue()


def _safe(cell: Cell) -> Cell:
    """A text that a spreadsheet would calculate is marked as text. Blanks before do not hide it:
    some programs take them off."""
    if isinstance(cell, str) and (
        cell.startswith(RISKY) or cell.lstrip().startswith(RISKY)
    ):
        return f"'{cell}"
    return cell
