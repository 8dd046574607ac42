"""The proof of the books, read straight from the database as its owner, in transactions that may
not write.

Row-level security binds the owner too: each reading widens its scope for its own transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from tests.support.running import Running


@dataclass(frozen=True)
class Proof:
    """One snapshot of the books. Money in pesewas."""

    entries: int
    total_pesewas: int
    unbalanced: int
    """Postings whose legs do not sum to zero."""
    drifted: int
    """Accounts whose cached balance is not the sum of their entries."""
    balances: dict[str, int]
    """The platform's accounts, and `held` of all stores together."""

    @property
    def hold(self) -> bool:
        return (self.total_pesewas, self.unbalanced, self.drifted) == (0, 0, 0)

    def __str__(self) -> str:
        return (
            f"{self.entries} entries sum to {self.total_pesewas}, {self.unbalanced} unbalanced"
            f" postings, {self.drifted} drifted balances, held {self.balances['held']}, in flight"
            f" {self.balances['in_flight']}"
        )


def prove(running: Running) -> Proof:
    """Read everything in one snapshot."""
    with _reading(running) as connection:
        entries, total = connection.execute(
            "SELECT count(*), coalesce(sum(amount_pesewas), 0) FROM entries"
        ).fetchone()
        unbalanced = connection.execute(
            "SELECT count(*) FROM (SELECT posting_id FROM entries GROUP BY posting_id HAVING"
            " sum(amount_pesewas) <> 0) b"
        ).fetchone()[0]
        drifted = connection.execute(
            "SELECT count(*) FROM accounts a WHERE balance_pesewas <> "
            "(SELECT coalesce(sum(amount_pesewas), 0) FROM entries e WHERE e.account_id = a.id)"
        ).fetchone()[0]
        balances = dict(
            connection.execute(
                "SELECT name, sum(balance_pesewas)::bigint FROM accounts WHERE store_id IS NULL OR"
                " name = 'held' GROUP BY name"
            ).fetchall()
        )
    return Proof(entries, int(total), unbalanced, drifted, balances)


def postings_of(running: Running, code: str) -> list[str]:
    """The kinds of an order's postings, oldest first."""
    with _reading(running) as connection:
        rows = connection.execute(
            "SELECT p.kind FROM postings p JOIN orders o ON o.id = p.order_id WHERE o.code = %s"
            " ORDER BY p.id",
            (code,),
        ).fetchall()
    return [kind for (kind,) in rows]


def look_ups_of(running: Running, reference: str) -> int:
    """How often our side has asked the supplier about a reference and got an answer."""
    with _reading(running) as connection:
        found = connection.execute(
            "SELECT count(*) FROM supplier_calls WHERE endpoint <> 'purchase' AND %s ="
            " ANY(order_refs) AND http_status IS NOT NULL",
            (reference,),
        ).fetchone()
    return int(found[0])


def orders_of(running: Running, recipient: str) -> int:
    """How many orders there are for a number."""
    with _reading(running) as connection:
        found = connection.execute(
            "SELECT count(*) FROM orders WHERE right(recipient_msisdn, 9) = %s",
            (recipient[-9:],),
        ).fetchone()
    return int(found[0])


def _reading(running: Running) -> psycopg.Connection[Any]:
    """A connection whose one transaction sees every store and writes nothing. Close it by
    `with`."""
    connection = psycopg.connect(
        running.facts["database_admin_url"], connect_timeout=10
    )
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    return connection
