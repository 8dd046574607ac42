"""What a test puts into the tables that no role of the application may: done as their owner, in a transaction of its own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Executable, NullPool, create_engine, text

from core import config


def execute(statement: str | Executable, **values: Any) -> None:
    """Run one statement as the owner of the tables, and commit."""
    address = "postgresql+psycopg://" + config.current().database_admin_url.partition("://")[2]
    engine = create_engine(address, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(statement) if isinstance(statement, str) else statement, values)
