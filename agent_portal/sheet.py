"""Files for spreadsheets, as every page of the portal gives them. What a cell may be is decided in
`core.base.cells`."""

from __future__ import annotations

from flask import Response, g

from core.base import clock
from core.base.cells import Cell, Table, amount

__all__ = ["Cell", "Sheet", "amount"]


class Sheet(Table):
    """A file that grows by rows."""

    def answer(self, what: str) -> Response:
        """The file, named after the store, `what` is in it, and the day."""
        today = clock.now().astimezone(clock.ACCRA).date()
        name = f"{g.store.slug}-{what}-{today}.csv"
        return Response(
            self.text(),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
