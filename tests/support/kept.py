"""Scenes that are built once: what building them changed in the tables is kept, and put back for
the next test that asks for the same.

For scenes that are rows in PostgreSQL alone. A scene begins from the seed; where another fixture
has changed one of its tables before, it is built anew, so a test names its scene before who logs
in. It is built anew as well when it is older than `OLD_S`, so no test finds a moment of it further
away than a slow machine would have it. Ids are those of the first building, since sequences never
go back.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg

OLD_S = 20.0
"""The age at which a scene is built anew, in seconds of the machine's clock."""

_IDENTITY = (
    "database.lineage"  # the row that says which database this is stays as it is
)

T = TypeVar("T")
Keep = Callable[[str, Callable[[], T]], T]
"""The fixture `kept`: `kept("three orders", build)`."""
Rows = list[bytes]
Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class _Scene:
    built_at: float
    found: dict[str, Rows]
    """The tables that it changed, as they were before."""
    left: dict[str, Rows]
    """The same tables as it left them."""
    told: Any
    passed_s: tuple[float, float]
    """By how many seconds its builder moved the wall clock and the steady clock."""


class Kept:
    """The scenes of one file."""

    def __init__(self, connection: Connection, tables: list[str]) -> None:
        self._connection, self._tables = connection, tables
        self._scenes: dict[object, _Scene] = {}

    def scene(self, key: object, build: Callable[[], T], clocks: Any) -> T:
        """What `build` answers, with its rows in the tables; built, or put back. The answer is plain
        values, of which each test gets its own copy."""
        scene = self._scenes.get(key)
        if scene is None or time.monotonic() - scene.built_at > OLD_S:
            scene = None
        if scene is None or self._read(scene.found) != scene.found:
            return self._build(key, build, clocks)
        self._put(scene.left)
        wall_s, steady_s = scene.passed_s
        if steady_s:
            clocks.pass_by(steady_s)
        if wall_s != steady_s:
            clocks.set_wall(wall_s - steady_s)
        return copy.deepcopy(scene.told)  # type: ignore[no-any-return]

    def _build(self, key: object, build: Callable[[], T], clocks: Any) -> T:
        before, passed_s = self._read(self._tables), clocks.passed_s
        told = build()
        after = self._read(self._tables)
        changed = [name for name in self._tables if before[name] != after[name]]
        assert "buying" not in changed, "a scene leaves the switches of buying alone"
        wall_s, steady_s = (
            now - then for now, then in zip(clocks.passed_s, passed_s, strict=True)
        )
        self._scenes[key] = _Scene(
            time.monotonic(),
            {name: before[name] for name in changed},
            {name: after[name] for name in changed},
            copy.deepcopy(told),
            (wall_s, steady_s),
        )
        return told

    def _read(self, tables: Any) -> dict[str, Rows]:
        """The rows of each, in the order of their bytes."""
        found = {}
        with self._connection.cursor() as cursor:
            for table in tables:
                with cursor.copy(f"COPY {_rows(table)} TO STDOUT") as rows:
                    found[table] = sorted(b"".join(map(bytes, rows)).split(b"\n"))
        return found

    def _put(self, tables: dict[str, Rows]) -> None:
        """These tables as they were, past triggers and references."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for table in tables:
                but = f" WHERE key <> '{_IDENTITY}'" if table == "settings" else ""
                cursor.execute(f"DELETE FROM {table}{but}")
            for table, rows in tables.items():
                with cursor.copy(f"COPY {table} FROM STDIN") as copied:
                    copied.write(b"\n".join(row for row in rows if row) + b"\n")


def _rows(table: str) -> str:
    """What is compared and kept of a table."""
    if table == "settings":
        return f"(SELECT * FROM settings WHERE key <> '{_IDENTITY}')"
    if table == "buying":  # each restore says that a relay lives
        return "(SELECT to_jsonb(buying) - 'renewed_at' FROM buying)"
    return table
