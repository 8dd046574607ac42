"""What only the owner of the tables may: the migrations, and what a test puts there that no role of
the application may."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Engine, Executable, NullPool, create_engine, text

from core.base import config

ROOT = Path(__file__).resolve().parent.parent
SECRET_KEY = "a secret for tests, thirty-two characters or more"


def migrate(
    urls: dict[str, str], secret_key: str = SECRET_KEY, fallbacks: str = ""
) -> None:
    """`db upgrade` with these keys: `admin`, `app` and `store` name the roles."""
    alembic = AlembicConfig(str(ROOT / "migrations" / "alembic.ini"))
    alembic.attributes.update(
        database_admin_url=urls["admin"],
        database_url=urls["app"],
        database_store_url=urls["store"],
        secret_key=secret_key,
        secret_key_fallbacks=fallbacks,
    )
    command.upgrade(alembic, "head")


def execute(statement: str | Executable, **values: Any) -> None:
    """Run one statement as the owner of the tables, and commit."""
    with _engine().begin() as connection:
        connection.execute(
            text(statement) if isinstance(statement, str) else statement, values
        )


def execute_many(statement: str, rows: Sequence[dict[str, Any]]) -> None:
    """As `execute`, once for each of `rows`."""
    with _engine().begin() as connection:
        connection.execute(text(statement), rows)


def read(statement: str) -> list[Any]:
    """The first column of every row, whatever role may see it."""
    with _engine().begin() as connection:
        return list(connection.execute(text(statement)).scalars())


def _engine() -> Engine:
    address = (
        "postgresql+psycopg://"
        + config.current().database_admin_url.partition("://")[2]
    )
    return create_engine(address, poolclass=NullPool)
