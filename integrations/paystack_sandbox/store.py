"""What the fake gateway remembers, in one SQLite file: its objects, its books, what falls due.

Decides that an object, its lines in the books and what falls due because of it are kept together.
What an object may do is left to its module.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEST_KEY = "sk_test_" + "5a" * 20
LIVE_KEY = "sk_live_" + "7b" * 20
WORLDS = ("test", "live")
FIRST_ID = 2**53
"""Every id is above what a float can hold."""
OPENING_PESEWAS = 100_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS things (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, world TEXT NOT NULL,
  reference TEXT NOT NULL, of INTEGER NOT NULL DEFAULT 0, at REAL NOT NULL, doc TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS things_reference ON things (kind, world, reference);
CREATE INDEX IF NOT EXISTS things_kind ON things (kind, world, id);
CREATE INDEX IF NOT EXISTS things_of ON things (kind, of);
CREATE TABLE IF NOT EXISTS books (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, world TEXT NOT NULL, kind TEXT NOT NULL,
  reference TEXT NOT NULL, thing INTEGER NOT NULL, purse TEXT NOT NULL, amount INTEGER NOT NULL,
  balance INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS books_reference ON books (world, reference);
CREATE INDEX IF NOT EXISTS books_purse ON books (world, purse, id);
CREATE TABLE IF NOT EXISTS due (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, thing INTEGER NOT NULL,
  act TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS due_at ON due (at);
CREATE TABLE IF NOT EXISTS hooks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, world TEXT NOT NULL, event TEXT NOT NULL,
  reference TEXT NOT NULL, body BLOB NOT NULL, began REAL NOT NULL, next REAL,
  tries INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, answers TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS hooks_next ON hooks (next) WHERE next IS NOT NULL;
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass
class Thing:
    """A payment, refund, recipient, transfer, settlement or dispute. `of` is the id of what it
    belongs to."""

    id: int
    kind: str
    world: str
    reference: str
    of: int
    at: float
    doc: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        return str(self.doc.get("status", ""))


class Store:
    """One gateway's memory. Safe to share between threads; one process at a time."""

    def __init__(
        self, path: str | Path, *, opening_pesewas: int = OPENING_PESEWAS
    ) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(
            str(path), check_same_thread=False, isolation_level=None
        )
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
        self._db.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'things', ?"
            " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'things')",
            (FIRST_ID,),
        )
        for world in WORLDS:
            if not self.rows("SELECT 1 FROM books WHERE world = ? LIMIT 1", world):
                with self.change():
                    self.book(0, world, "topped_up", "", 0, "balance", opening_pesewas)

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction; what is begun inside is part of it."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def write(self, sql: str, *values: Any) -> int:
        with self._lock:
            return self._db.execute(sql, values).lastrowid or 0

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # Things

    def add(
        self, kind: str, world: str, reference: str, at: float, of: int = 0, **doc: Any
    ) -> Thing:
        sql = "INSERT INTO things (kind, world, reference, of, at, doc) VALUES (?,?,?,?,?,?)"
        made = self.write(sql, kind, world, reference, of, at, json.dumps(doc))
        return Thing(made, kind, world, reference, of, at, doc)

    def save(self, thing: Thing) -> None:
        self.write(
            "UPDATE things SET doc = ? WHERE id = ?", json.dumps(thing.doc), thing.id
        )

    def named(self, kind: str, world: str, reference: str) -> Thing | None:
        where = "kind = ? AND world = ? AND reference = ?"
        return self._first(where, kind, world, reference)

    def numbered(self, kind: str, world: str, number: object) -> Thing | None:
        """The thing with this id, however it is written."""
        if (
            not str(number).isascii()
            or not str(number).isdigit()
            or len(str(number)) > 18
        ):
            return None
        return self._first(
            "kind = ? AND world = ? AND id = ?", kind, world, int(str(number))
        )

    def thing(self, number: int) -> Thing | None:
        return self._first("id = ?", number)

    def of(self, kind: str, number: int) -> list[Thing]:
        return self._all("kind = ? AND of = ? ORDER BY id", kind, number)

    def newest(
        self, kind: str, world: str, limit: int, *, below: int = 0, skip: int = 0
    ) -> list[Thing]:
        return self._all(
            "kind = ? AND world = ? AND (? = 0 OR id < ?) ORDER BY id DESC LIMIT ? OFFSET ?",
            kind, world, below, below, limit, skip,
        )  # fmt: skip

    def count(self, kind: str, world: str) -> int:
        sql = "SELECT count(*) AS n FROM things WHERE kind = ? AND world = ?"
        return int(self.rows(sql, kind, world)[0]["n"])

    def _first(self, where: str, *values: Any) -> Thing | None:
        found = self._all(f"{where} LIMIT 1", *values)
        return found[0] if found else None

    def _all(self, where: str, *values: Any) -> list[Thing]:
        sql = f"SELECT * FROM things WHERE {where}"  # noqa: S608 - written in this file
        return [
            Thing(**{**dict(row), "doc": json.loads(row["doc"])})
            for row in self.rows(sql, *values)
        ]

    # Books

    def book(
        self, at: float, world: str, kind: str, reference: str, thing: int, purse: str,
        amount: int,
    ) -> None:  # fmt: skip
        """One line of the books. `purse`: `pending` until it is settled, or `balance`."""
        balance = self.purse(world, purse) + amount
        self.write(
            "INSERT INTO books (at, world, kind, reference, thing, purse, amount, balance)"
            " VALUES (?,?,?,?,?,?,?,?)",
            at, world, kind, reference, thing, purse, amount, balance,
        )  # fmt: skip

    def purse(self, world: str, purse: str) -> int:
        """Pesewas in it now."""
        found = self.rows(
            "SELECT balance FROM books WHERE world = ? AND purse = ? ORDER BY id DESC LIMIT 1",
            world, purse,
        )  # fmt: skip
        return int(found[0]["balance"]) if found else 0

    # What falls due

    def later(self, at: float, thing: int, act: str) -> None:
        self.write("INSERT INTO due (at, thing, act) VALUES (?, ?, ?)", at, thing, act)

    def take_due(self, now: float) -> tuple[float, int, str] | None:
        """The first act that is due, which is then due no more."""
        found = self.rows(
            "SELECT * FROM due WHERE at <= ? ORDER BY at, id LIMIT 1", now
        )
        if not found:
            return None
        self.write("DELETE FROM due WHERE id = ?", found[0]["id"])
        return found[0]["at"], found[0]["thing"], found[0]["act"]

    # Notes

    def note(self, name: str, default: str = "") -> str:
        found = self.rows("SELECT value FROM notes WHERE name = ?", name)
        return str(found[0]["value"]) if found else default

    def keep_note(self, name: str, value: str) -> None:
        self.write(
            "INSERT OR REPLACE INTO notes (name, value) VALUES (?, ?)", name, value
        )
