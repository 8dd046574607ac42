"""Cursors that tell no more of an answer than is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult


class _Columns(Sequence[tuple[str, int]]):
    """Name and type of each column of an answer, looked up when somebody asks.

    SQLAlchemy asks once for each statement, and of every answer only whether it has columns.
    """

    def __init__(self, answer: PGresult) -> None:
        self._answer = answer

    def __len__(self) -> int:
        return self._answer.nfields

    def __getitem__(self, place: Any) -> Any:
        answer = self._answer
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        return (answer.fname(place) or b"").decode(), answer.ftype(place)


class Cursor(psycopg.Cursor[Any]):
    @property
    def description(self) -> Any:
        answer = self.pgresult
        has_columns = answer is not None and (
            answer.nfields or answer.status == ExecStatus.TUPLES_OK
        )
        return _Columns(answer) if answer is not None and has_columns else None
