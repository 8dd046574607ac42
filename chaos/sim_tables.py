"""The tables of the simulation's database and the rules the real one keeps about them.

The rules are those of the migrations: a posting sums to zero, no wallet and no hold is overdrawn, one posting of a kind
for an order, capture and release exclude each other, a reference exists once. Breaking one raises `RuleBroken`, as the
real database would raise an IntegrityError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.sim_memory import Database, Reading
from chaos.sim_words import Row, Table
from core.audit import AuditLine
from core.cases import Case
from core.catalog import Bundle
from core.catalog.bundles import Setting
from core.ledger import Account, Entry, Posting
from core.orders import Order, OrderEvent
from core.outbox import OutboxRow
from core.pulse import Pulse
from core.supply import BalanceRead, SupplierCall, SupplierState, WebhookEvent

PLATFORM_ACCOUNTS = ("supplier_float", "in_flight", "bank", "margin", "price_variance", "write_off")


class RuleBroken(RuntimeError):
    """The real database would refuse this write. `invariant` is the one that it guards (`sim_checks.INVARIANTS`)."""

    def __init__(self, invariant: str, said: str) -> None:
        super().__init__(said)
        self.invariant = invariant


def refuse_unbalanced(entries: list[Row]) -> None:
    """The trigger on entries: what one statement writes to a posting sums to zero."""
    sums: dict[int, int] = {}
    for entry in entries:
        sums[entry["posting_id"]] = sums.get(entry["posting_id"], 0) + entry["amount_pesewas"]
    if any(sums.values()):
        raise RuleBroken("books_sum_to_zero", f"unbalanced posting {sums}")


def _entries(_database: Database, rows: list[Row]) -> None:
    refuse_unbalanced(rows)
    if any(row["amount_pesewas"] == 0 for row in rows):
        raise RuleBroken("books_sum_to_zero", "an entry of nothing")


def _accounts(_database: Database, rows: list[Row]) -> None:
    for row in rows:
        name, balance = row["name"], row["balance_pesewas"]
        if (name in ("wallet", "held") and balance > 0) or (name == "in_flight" and balance < 0):
            raise RuleBroken("no_overdraft", f"{name} at {balance}")


def _postings(database: Database, rows: list[Row]) -> None:
    for row in rows:
        if row["order_id"] is None:
            continue
        for other in database.of(Posting, row["order_id"]):
            if other is row:
                continue
            if (other["kind"], other["n"]) == (row["kind"], row["n"]):
                raise RuleBroken(
                    "one_hold_one_capture_or_release", f"a second {row['kind']} {row['n']} of order {row['order_id']}"
                )
            if {other["kind"], row["kind"]} <= {"capture", "release"}:
                raise RuleBroken(
                    "one_hold_one_capture_or_release", f"{row['kind']} after {other['kind']} of order {row['order_id']}"
                )


def _twin(column: str, value: Any) -> RuleBroken:
    return RuleBroken("one_reference", f"a second {column} {value!r}")


_RULES = {"Entry": _entries, "Account": _accounts, "Posting": _postings}
_UNIQUE = {"Order": "order_ref", "OutboxRow": "order_id"}

TABLES = {
    cls: Table(cls, by=by)
    for cls, by in (
        (Order, None),
        (OrderEvent, "order_id"),
        (OutboxRow, "order_id"),
        (Case, "subject"),
        (Bundle, None),
        (Setting, None),
        (Account, None),
        (Posting, "order_id"),
        (Entry, "account_id"),
        (SupplierState, None),
        (SupplierCall, None),
        (WebhookEvent, "order_ref"),
        (BalanceRead, None),
        (AuditLine, None),
        (Pulse, None),
    )
}


def fresh(texts: Mapping[str, Reading]) -> Database:
    """An empty database with the platform's accounts, as the migrations leave it. `texts`: see `sim_texts`."""
    database = Database(list(TABLES.values()), _RULES, _UNIQUE, _twin, texts)
    accounts = TABLES[Account]
    for number, name in enumerate(PLATFORM_ACCOUNTS, 1):
        database.rows[accounts][number] = accounts.filled({"id": number, "name": name, "balance_pesewas": 0})
    database.numbers[accounts] = len(PLATFORM_ACCOUNTS)
    return database
