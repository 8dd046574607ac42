"""Files for spreadsheets that the console gives. What a cell may be is decided in
`core.base.sheets`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response

from core.base import clock
from core.base.sheets import Cell, Rows, amount
from core.gateway_days.exporting import GHS


class Sheet(Rows):
    """A file that grows by rows, whose columns in GHS are amounts."""

    def __init__(self, *head: str) -> None:
        self._head = head
        super().__init__(*head)

    def add(self, values: tuple[Any, ...]) -> None:
        """One row as it was read."""
        self.row(
            *(_cell(name, one) for name, one in zip(self._head, values, strict=True))
        )

    def answer(self, name: str) -> Response:
        return Response(
            self.text(),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
        )


def _cell(name: str, value: Any) -> Cell:
    if value is None:
        return ""
    if name.endswith(GHS):
        return amount(int(value))
    if isinstance(value, datetime):
        return f"{value.astimezone(clock.ACCRA):%Y-%m-%d %H:%M:%S}"
    return value if isinstance(value, int) else str(value)
