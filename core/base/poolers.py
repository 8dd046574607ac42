"""Whether a pooler stands between this program and PostgreSQL, by what the wire says: such an
address is refused at start.

A pooler that gives each transaction another server process (PgBouncer's pool_mode=transaction)
leaves the wallet's lock behind on a process that nobody asks again, drops the limits of every wait,
and breaks what is signed for one connection.
"""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

_NO_SUCH_PARAMETER = "unsupported startup parameter"
_NO_TRANSACTIONS = "statement pooling mode"
ADVICE = (
    "Makola needs a server process of its own for each connection: its locks, limits and signatures"
    " belong to it. Give the address of PostgreSQL itself; each process keeps a pool of its own, so"
    " none is needed in between. See docs/operate.md, 'No pooler before PostgreSQL'."
)


class PooledConnection(psycopg.OperationalError):
    """A connection that a pooler answers: it is not used, as if nobody had answered."""


class Pooled(RuntimeError):
    """An address of the database leads to a pooler; the message is a sentence with what to do."""


def refuse(engine: Engine, setting: str) -> None:
    """Raise `Pooled` when `engine` does not keep one server process for each connection. `setting`
    names its address.

    Looks at two connections, at the first again while the second is inside a transaction. Any other
    trouble flies on.
    """
    try:
        with engine.connect() as one, engine.connect() as other:
            one = one.execution_options(isolation_level="AUTOCOMMIT")
            if _is_own(one) and _is_own(other) and _is_own(one):
                return
    except OperationalError as error:
        is_said = any(
            words in str(error.orig) for words in (_NO_SUCH_PARAMETER, _NO_TRANSACTIONS)
        )
        if not is_said and not isinstance(error.orig, PooledConnection):
            raise
    raise Pooled(
        f"{setting} leads to a connection pooler (PgBouncer or the like, whatever its pool_mode)"
        f" and not to PostgreSQL. {ADVICE}"
    )


def refuse_connection(connection: psycopg.Connection[Any], where: str) -> None:
    """Raise `PooledConnection` when this new connection leads to a pooler that was put in after the
    start."""
    try:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        connection.rollback()
        if row != (connection.info.backend_pid,):
            raise PooledConnection(
                f"{where} leads to a connection pooler now and not to PostgreSQL. {ADVICE}"
            )
    except psycopg.Error:
        connection.close()
        raise


def _is_own(connection: Connection) -> bool:
    """Whether the process that answers is the one that PostgreSQL named when the connection was
    made.

    A pooler cannot know at that moment which process will answer, so it names one of its own
    making.
    """
    answering = connection.scalar(text("SELECT pg_backend_pid()"))
    return bool(answering == named_pid(connection))


def named_pid(connection: Connection) -> int:
    """The process of PostgreSQL that serves this connection, as named when it was made."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver.info.backend_pid
