"""What a page asks of the database: by the session, and in round trips."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from core.base import round_trip
from core.base.db import db


@dataclass
class Asked:
    """`statements` of the session but for the beginnings of its transactions; for each trip, its
    statements."""

    statements: list[str] = field(default_factory=list)
    trips: list[list[str]] = field(default_factory=list)


@contextmanager
def asked(app: Flask) -> Iterator[Asked]:
    """What is asked inside."""
    found = Asked()
    send = round_trip._send

    def hear(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "set_config" not in statement:
            found.statements.append(statement)

    def heard(connection: Any, store_id: int | None, asks: Any) -> Any:
        found.trips.append([one.statement for one in asks])
        return send(connection, store_id, asks)

    with app.app_context():
        engines = list(db.engines.values())
    for engine in engines:
        event.listen(engine, "before_cursor_execute", hear)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(round_trip, "_send", heard)
            yield found
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", hear)
