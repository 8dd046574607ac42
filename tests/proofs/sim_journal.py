"""What every commit wrote, told by PostgreSQL itself: triggers notify, and that comes with it.

So nothing of it depends on how the shipped code writes: a row of the ORM, a statement as text and
a function of the database are told alike, in their order, and what is rolled back is not told at
all. The rows told are kept here for the checks, which ask at each event and so must not ask the
database; `compare` shows that none was missed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import psycopg

CHANNEL = "sim"
WATCHED = {
    "orders": (
        "id",
        "code",
        "state",
        "order_ref",
        "ever_unknown",
        "claimed_at",
        "steady_marks",
        "wait_reason",
        "charged_pesewas",
    ),
    "order_events": ("id", "order_id", "kind", "text"),
    "outbox": ("id", "kind", "created_at", "due_at", "lease_until", "done_at"),
    "accounts": ("id", "name", "store_id", "balance_pesewas"),
    "postings": ("id", "order_id", "kind", "actor_name"),
    "entries": ("id", "posting_id", "account_id", "amount_pesewas"),
}
"""The tables and columns told, as JSON. A notification holds at most 8,000 bytes."""

Row = dict[str, Any]
Listener = Callable[[Row | None, Row], None]
"""Told the row before, None for a new one, and after."""


class Missed(AssertionError):
    """The tables hold what no commit told: a connection nobody hears, or a trigger that is gone."""


def install(connection: psycopg.Connection[Any]) -> None:
    """Add the triggers to the database of `connection`, as a superuser."""
    for table in WATCHED:
        # The row's place makes each change unlike every other: the same words twice are told once.
        words = f"jsonb_build_array('{table}', NEW.ctid, {_row(table, 'NEW')})::text"
        connection.execute(
            f"CREATE FUNCTION sim_tell_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"PERFORM pg_notify('{CHANNEL}', {words}); RETURN NULL; END $$"
        )
        connection.execute(
            f"CREATE TRIGGER sim_tells AFTER INSERT OR UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION sim_tell_{table}()"
        )


class Journal:
    """Hears the connections it is given. `rows` are those of the tables, by table and id."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[int, Row]] = {}
        self._heard: list[str] = []
        self._listeners: dict[str, list[Listener]] = defaultdict(list)

    def begin(self, connection: psycopg.Connection[Any]) -> None:
        """Forget everything but what the tables hold now."""
        self._heard.clear()
        self._listeners.clear()
        self.rows = _read(connection)

    def listen(self, table: str, listener: Listener) -> None:
        """Tell `listener` of every row of `table` that a commit wrote, right after the commit."""
        assert table in WATCHED
        self._listeners[table].append(listener)

    def hear(self, connection: psycopg.Connection[Any]) -> None:
        """Hear what this connection commits, which must be in no transaction now."""
        pid = connection.info.backend_pid

        def heard(notify: psycopg.Notify) -> None:
            if notify.pid == pid:  # what others commit, they tell themselves
                self._heard.append(notify.payload)

        connection.add_notify_handler(heard)
        connection.execute(f"LISTEN {CHANNEL}")
        connection.commit()

    def tell(self) -> None:
        """Keep what was heard and pass it on. To be called right after every commit."""
        heard, self._heard = self._heard, []
        for words in heard:
            table, _place, row = json.loads(words)
            rows = self.rows[table]
            before = rows.get(row["id"])
            rows[row["id"]] = row
            for listener in self._listeners[table]:
                listener(before, row)

    def compare(self, connection: psycopg.Connection[Any]) -> None:
        """Raise `Missed` unless the rows kept are those of the tables."""
        for table, rows in _read(connection).items():
            told = self.rows[table]
            if rows != told:
                ids = [
                    key for key in rows.keys() | told if rows.get(key) != told.get(key)
                ]
                raise Missed(f"{table}: {sorted(ids)[:10]}")


def _read(connection: psycopg.Connection[Any]) -> dict[str, dict[int, Row]]:
    rows: dict[str, dict[int, Row]] = {}
    for table in WATCHED:
        found = connection.execute(f"SELECT {_row(table, table)} FROM {table}")
        rows[table] = {row["id"]: row for (row,) in found}
    return rows


def _row(table: str, prefix: str) -> str:
    columns = ", ".join(f"'{name}', {prefix}.{name}" for name in WATCHED[table])
    return f"jsonb_build_object({columns})"
