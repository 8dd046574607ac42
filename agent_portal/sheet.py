"""Files for spreadsheets, as every page of the portal gives them. What a cell may be is said in
`core.base.sheets`."""

from __future__ import annotations

from flask import Response, g

from core.base import clock
from core.base.sheets import RISKY, Cell, Rows, amount

__all__ = ["RISKY", "Cell", "Sheet", "amount"]


class Sheet(Rows):
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
