"""What the supplier remembers: accounts, products, orders, money and the log of webhooks, in one
SQLite file.

Decides that money and its line in the charge file move together. What an order may do is left to
`orders.py`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from integrations.sandbox import catalogue, charges
from integrations.sandbox.clock import Clock, iso

DEFAULT_KEY = "pk_" + "5a" * 32
DEFAULT_SECRET = "sk_" + "7b" * 32
SECOND_KEY = "pk_" + "c3" * 32
SECOND_SECRET = "sk_" + "d4" * 32
STRANGER_REFERENCE = "STRANGER-ORDER-0001"
"""An order of the second account that every new store holds: a reference that is taken and is not
yours."""
OPENING_WALLET_PESEWAS = 500_000

FIRST_ID = 1
SECOND_ID = 2
LOG_KEEP = 5_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
  id INTEGER PRIMARY KEY, slot TEXT NOT NULL UNIQUE, name TEXT NOT NULL, email TEXT NOT NULL, phone TEXT NOT NULL,
  role TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'active', api_key TEXT NOT NULL UNIQUE, api_secret TEXT NOT NULL,
  balance_pesewas INTEGER NOT NULL DEFAULT 0, balance_float REAL NOT NULL DEFAULT 0,
  webhook_url TEXT NOT NULL DEFAULT '', requests INTEGER NOT NULL DEFAULT 0, requests_ok INTEGER NOT NULL DEFAULT 0,
  total_ms REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS products (
  position INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, name TEXT NOT NULL, category TEXT NOT NULL,
  capacity_value REAL NOT NULL, capacity_unit TEXT NOT NULL, validity TEXT NOT NULL, base_pesewas INTEGER,
  active INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS orders (
  id INTEGER PRIMARY KEY, transaction_id TEXT NOT NULL UNIQUE, account_id INTEGER NOT NULL REFERENCES accounts(id),
  reference TEXT NOT NULL, product_name TEXT NOT NULL, product_code TEXT NOT NULL, capacity TEXT NOT NULL,
  validity TEXT NOT NULL, beneficiary TEXT NOT NULL, amount_pesewas INTEGER NOT NULL, paid_pesewas INTEGER NOT NULL,
  status TEXT NOT NULL, created_at REAL NOT NULL, changed_at REAL NOT NULL, visible_at REAL NOT NULL DEFAULT 0,
  completed_at REAL, failure_reason TEXT);
CREATE INDEX IF NOT EXISTS orders_reference ON orders (reference);
CREATE TABLE IF NOT EXISTS charges (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, kind TEXT NOT NULL, cause TEXT NOT NULL, reference TEXT,
  amount_pesewas INTEGER NOT NULL, balance_pesewas INTEGER NOT NULL, account TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS charges_reference ON charges (reference);
CREATE TABLE IF NOT EXISTS webhook_log (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, event TEXT NOT NULL, reference TEXT, url TEXT NOT NULL,
  outcome TEXT NOT NULL, http_status INTEGER, note TEXT NOT NULL DEFAULT '', body TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Account:
    """One reseller. `balance_float` is the same money as `balance_pesewas`, with the noise of
    binary floats."""

    id: int
    slot: str
    name: str
    email: str
    phone: str
    role: str
    status: str
    api_key: str
    api_secret: str
    balance_pesewas: int
    balance_float: float
    webhook_url: str
    requests: int
    requests_ok: int
    total_ms: float


class Store:
    """One supplier's memory. Safe to share between threads; one process at a time."""

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Clock | None = None,
        wallet_pesewas: int = OPENING_WALLET_PESEWAS,
        api_key: str = DEFAULT_KEY,
        api_secret: str = DEFAULT_SECRET,
    ) -> None:
        self.path = Path(path)
        self.clock = clock or Clock()
        self.charge_file = charges.ChargeFile(Path(f"{path}.charges.jsonl"))
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            self.path, check_same_thread=False, isolation_level=None
        )
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self._open_books(wallet_pesewas, api_key, api_secret)

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction; the charge file gets its lines under the same lock, after the commit."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            self._write_charges()

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def close(self) -> None:
        with self._lock:
            self._db.close()
            self.charge_file.close()

    # Accounts and money

    def account(self, account_id: int = FIRST_ID) -> Account:
        return Account(
            **self.rows("SELECT * FROM accounts WHERE id = ?", account_id)[0]
        )

    def account_by_key(self, api_key: str) -> Account | None:
        found = self.rows("SELECT * FROM accounts WHERE api_key = ?", api_key)
        return Account(**found[0]) if found else None

    def set_account(
        self,
        account_id: int,
        *,
        status: str | None = None,
        webhook_url: str | None = None,
    ) -> None:
        with self.change() as db:
            db.execute(
                "UPDATE accounts SET status = coalesce(?, status), webhook_url = coalesce(?,"
                " webhook_url) WHERE id = ?",
                (status, webhook_url, account_id),
            )

    def count_request(self, account_id: int, *, ok: bool, duration_ms: float) -> None:
        with self.change() as db:
            db.execute(
                "UPDATE accounts SET requests = requests + 1, requests_ok = requests_ok + ?,"
                " total_ms = total_ms + ? WHERE id = ?",
                (int(ok), duration_ms, account_id),
            )

    def top_up(self, amount_pesewas: int, account_id: int = FIRST_ID) -> Account:
        """Add money to a wallet; a negative amount takes some out. Raises ValueError below zero."""
        with self.change() as db:
            move_money(
                db, account_id, "topup", "admin", None, amount_pesewas, self.clock.now()
            )
        return self.account(account_id)

    def charge_counts(self, kind: str, cause: str = "%") -> dict[str, int]:
        """How many lines of that kind each reference has."""
        found = self.rows(
            "SELECT reference, count(*) AS n FROM charges WHERE kind = ? AND cause LIKE ? AND"
            " reference IS NOT NULL GROUP BY reference",
            kind,
            cause,
        )
        return {row["reference"]: row["n"] for row in found}

    # Products

    def products(self, names: tuple[str, ...]) -> list[catalogue.Product]:
        """The active products of these names, in catalogue order; also those without a price."""
        found = self.rows("SELECT * FROM products WHERE active = 1 ORDER BY position")
        return [
            catalogue.Product(
                **{
                    name: value
                    for name, value in dict(row).items()
                    if name != "position"
                }
            )
            for row in found
            if row["name"] in names
        ]

    def set_base_price(self, code: str, base_pesewas: int | None) -> bool:
        """Change a base price in pesewas, or leave the product without one. False for an unknown
        code."""
        with self.change() as db:
            changed = db.execute(
                "UPDATE products SET base_pesewas = ? WHERE code = ?",
                (base_pesewas, code),
            )
            return changed.rowcount == 1

    # Webhook log

    def log_webhook(
        self, event: str, reference: str | None, url: str, outcome: str, body: str
    ) -> int:
        with self.change() as db:
            row = db.execute(
                "INSERT INTO webhook_log (at, event, reference, url, outcome, body) VALUES (?, ?,"
                " ?, ?, ?, ?)",
                (self.clock.now(), event, reference, url, outcome, body),
            )
            db.execute(
                "DELETE FROM webhook_log WHERE id <= ?",
                ((row.lastrowid or 0) - LOG_KEEP,),
            )
            return int(row.lastrowid or 0)

    def finish_webhook(
        self, log_id: int, outcome: str, http_status: int | None, note: str
    ) -> None:
        with self.change() as db:
            db.execute(
                "UPDATE webhook_log SET outcome = ?, http_status = ?, note = ? WHERE id = ?",
                (outcome, http_status, note[:200], log_id),
            )

    def webhook_log(self, limit: int = 500) -> list[dict[str, Any]]:
        """Newest first."""
        found = self.rows("SELECT * FROM webhook_log ORDER BY id DESC LIMIT ?", limit)
        return [{**dict(row), "at": iso(row["at"])} for row in found]

    # Opening

    def _open_books(self, wallet_pesewas: int, api_key: str, api_secret: str) -> None:
        now = self.clock.now()
        with self.change() as db:
            if db.execute("SELECT 1 FROM accounts LIMIT 1").fetchone():
                db.execute(
                    "UPDATE accounts SET api_key = ?, api_secret = ? WHERE id = ?",
                    (api_key, api_secret, FIRST_ID),
                )
            else:
                _insert_accounts(db, api_key, api_secret)
                for account_id in (FIRST_ID, SECOND_ID):
                    move_money(
                        db, account_id, "opening", "opening", None, wallet_pesewas, now
                    )
                for product in catalogue.opening():
                    insert(db, "products", asdict(product))
                insert(db, "orders", _stranger_order(now))

    def _write_charges(self) -> None:
        missing = self._db.execute(
            "SELECT * FROM charges WHERE seq > ? ORDER BY seq",
            (self.charge_file.last_seq,),
        ).fetchall()
        self.charge_file.append([dict(row) for row in missing])


def move_money(
    db: sqlite3.Connection,
    account_id: int,
    kind: str,
    cause: str,
    reference: str | None,
    pesewas: int,
    now: float,
) -> None:
    """Add `pesewas` (negative for a charge) to a wallet and note it. Raises ValueError when the
    wallet has less."""
    row = db.execute(
        "UPDATE accounts SET balance_pesewas = balance_pesewas + ?, balance_float = balance_float +"
        " ? WHERE id = ? AND balance_pesewas + ? >= 0 RETURNING slot, balance_pesewas",
        (pesewas, pesewas / 100, account_id, pesewas),
    ).fetchone()
    if row is None:
        raise ValueError("the wallet holds less than that")
    line = {
        "at": iso(now),
        "kind": kind,
        "cause": cause,
        "reference": reference,
        "amount_pesewas": pesewas,
    }
    insert(
        db,
        "charges",
        {**line, "balance_pesewas": row["balance_pesewas"], "account": row["slot"]},
    )


def insert(db: sqlite3.Connection, table: str, values: dict[str, Any]) -> int:
    """Insert one row, column names from our own code, and return its row id."""
    columns = ", ".join(values)
    marks = ", ".join("?" * len(values))
    statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - our own names
    row = db.execute(statement, tuple(values.values()))
    return int(row.lastrowid or 0)


def _insert_accounts(db: sqlite3.Connection, api_key: str, api_secret: str) -> None:
    first = {
        "id": FIRST_ID,
        "slot": "first",
        "name": "Sandbox Shop",
        "email": "shop@example.test",
    }
    insert(
        db,
        "accounts",
        {
            **first,
            "phone": "0240000001",
            "role": "dealer",
            "api_key": api_key,
            "api_secret": api_secret,
        },
    )
    second = {
        "id": SECOND_ID,
        "slot": "second",
        "name": "Other Shop",
        "email": "other@example.test",
    }
    keys = {"api_key": SECOND_KEY, "api_secret": SECOND_SECRET}
    insert(db, "accounts", {**second, "phone": "0240000002", "role": "agent", **keys})


def _stranger_order(now: float) -> dict[str, Any]:
    # Paid before the books were opened, so it has no line in the charge file.
    product = {
        "product_name": "YELLOW",
        "product_code": "YELLOW_1GB",
        "capacity": "1GB",
        "validity": "30 days",
    }
    money = {"amount_pesewas": 480, "paid_pesewas": 480}
    times = {"created_at": now, "changed_at": now, "completed_at": now}
    owner = {
        "account_id": SECOND_ID,
        "reference": STRANGER_REFERENCE,
        "transaction_id": "66aa00000000000000000001",
    }
    return {
        **owner,
        **product,
        **money,
        **times,
        "beneficiary": "0240000002",
        "status": "successful",
    }
