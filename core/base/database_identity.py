"""Whether this database is the one Makola wrote to last, or a copy of its past: a restored backup,
a promoted replica.

A copy has forgotten what was bought after it was taken, so nothing is bought on it before every
open order has been marked (`orders.note_restore`). One row of `settings` names the database it was
written in and the transaction that wrote it; a copy cannot have both. The one way back it cannot
see is files put back under the same server, such as a disk's snapshot or a base backup started
without recovery: for those there is `flask --app wsgi restored`.
"""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import column, text


class UnknownDatabase(RuntimeError):
    """A purchase was about to begin on a database that is not the one we wrote to last."""


class Executor(Protocol):
    """A session or a connection."""

    def execute(self, statement: Any, /) -> Any: ...


_HERE = """
  SELECT system_identifier::text AS cluster,
         (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
         left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline
  FROM pg_control_system()
"""
"""The cluster, the database in it, and the timeline: a new one begins with each promotion and each
recovery to a point in time. Taken from the log's own position, since the control file learns of it
later, at the next checkpoint."""

REMEMBER = f"""
  INSERT INTO settings (key, value)
  SELECT 'database.lineage', to_jsonb(here) || jsonb_build_object('written_by', pg_current_xact_id()::xid::text)
  FROM ({_HERE}) AS here
  ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""  # noqa: S608 - both texts stand above

_COMPARE = text(f"""
  SELECT here.cluster = s.value ->> 'cluster', here.database = s.value ->> 'database',
         here.timeline = s.value ->> 'timeline', s.xmin::text = s.value ->> 'written_by'
  FROM ({_HERE}) AS here LEFT JOIN settings s ON s.key = 'database.lineage'
""").columns(*map(column, ("server", "database", "timeline", "written_by")))  # noqa: S608

_WORDS = (
    "another server",
    "another database",
    "another timeline of the server",
    "written again by a restore",
)


def differences(executor: Executor) -> tuple[str, ...]:
    """In what this database is not the one we wrote to last; empty when it is that one."""
    same = executor.execute(_COMPARE).one()
    if same[0] is None:
        return ("it never said which database it is",)
    return tuple(word for word, equal in zip(_WORDS, same, strict=True) if not equal)


def refuse_restored_copy(executor: Executor) -> None:
    """Raise `UnknownDatabase` unless this is the database we wrote to last. Called before every
    purchase."""
    found = differences(executor)
    if found:
        raise UnknownDatabase(", ".join(found))


def remember(executor: Executor) -> None:
    """From now on this database is ours, inside the caller's transaction."""
    executor.execute(text(REMEMBER))
