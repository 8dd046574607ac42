"""What the few statements that are written as text do to the simulation's rows, each beside the digest of that text.

They are the sums of `core.reconcile.doubts` and the moves of `core.leap`. Every other statement is read word by word. When
a text changes, `patching.Drifted` says so before the first event, and on PostgreSQL the same seeds run the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from chaos import patching
from chaos.sim_memory import Found, Reading, Session, changed
from chaos.sim_tables import TABLES
from chaos.sim_words import Row
from core import leap
from core.cases import Case
from core.ledger import Posting
from core.orders import WORK, Order
from core.outbox import OutboxRow
from core.reconcile.doubts import _ORDERS as DOUBTFUL_ORDERS
from core.supply import SupplierState

_ASKED = ("supplier_money", "contradiction", "late_success", "amount_differs", "resend_limit")
Values = Mapping[str, Any]


def texts() -> dict[str, Reading]:
    """Each text with what it does. Raises `patching.Drifted` when one is not the text that was read here."""
    for name, text, digest, _reading in _READINGS:
        patching.same_text(name, text, digest)
    return {text: reading for _name, text, _digest, reading in _READINGS}


def _doubtful_orders(session: Session, _values: Values) -> Found:
    database = session.database
    kinds: dict[int, list[str]] = {}
    for case in database.all(Case).values():
        if case["closed_at"] is None and case["order_id"] is not None and case["kind"] in _ASKED:
            kinds.setdefault(case["order_id"], []).append(case["kind"])
    found = Found()
    for order in database.all(Order).values():
        order_id = order["id"]
        if order["state"] in ("submitting", "failed") or order_id in kinds:
            postings = [row["kind"] for row in database.of(Posting, order_id)]
            charged = order["charged_pesewas"]
            found.append(
                SimpleNamespace(
                    id=order_id,
                    state=order["state"],
                    cost=order["cost_pesewas"],
                    charged=order["cost_pesewas"] if charged is None else charged,
                    kinds=kinds.get(order_id, []),
                    absent_since=order["absent_since"],
                    charge_is_open=postings.count("commit")
                    > postings.count("supplier_refund") + postings.count("write_off"),
                )
            )
    return found


def _move_orders(session: Session, values: Values) -> Found:
    def order(row: Row) -> Row:
        return {"version": row["version"] + 1} | _moved(row, leap._ORDER, lambda moment: _unless_new(moment, values))

    return _each(session, Order, lambda row: row["state"] in WORK, order)


def _move_rows(session: Session, values: Values) -> Found:
    def is_old(row: Row) -> bool:
        moments = [row[name] for name in ("created_at", "rung_at", "taken_at", "looked_at") if row[name] is not None]
        return row["done_at"] is None and not values["since"] <= max(moments) <= values["now"]

    return _each(session, OutboxRow, is_old, lambda row: _moved(row, leap._ROW, lambda one: one + values["by"]))


def _shorten_leases(session: Session, values: Values) -> Found:
    return _each(
        session,
        OutboxRow,
        lambda row: row["done_at"] is None and row["lease_until"] is not None and row["lease_until"] > values["leased"],
        lambda _row: {"lease_until": values["leased"]},
    )


def _move_link(session: Session, values: Values) -> Found:
    by: timedelta = values["by"]

    def link(row: Row) -> Row:
        new = _moved(row, leap._LINK, lambda moment: _unless_new(moment, values))
        new |= {name: [_unless_new(moment, values) for moment in row[name]] for name in leap._CALLS}
        for name, most in (("closed_until", values["closed"]), ("breaker_open_until", values["breaker"])):
            new[name] = None if row[name] is None else min(row[name] + by, most)
        return new

    return _each(session, SupplierState, lambda _row: True, link)


def _unless_new(moment: datetime, values: Values) -> datetime:
    """Moved, unless it may have been written by the new time already."""
    return moment if values["since"] <= moment <= values["now"] else moment + values["by"]  # type: ignore[no-any-return]


def _moved(row: Row, names: tuple[str, ...], move: Callable[[datetime], datetime]) -> Row:
    return {name: move(row[name]) for name in names if row[name] is not None}


def _each(session: Session, cls: type, chosen: Callable[[Row], bool], new: Callable[[Row], Row]) -> Found:
    table = TABLES[cls]
    rows = [row for row in session.database.rows[table].values() if chosen(row)]
    for row in rows:
        session.update(table, row[table.primary], new(row))
    return changed(len(rows))


_READINGS: tuple[tuple[str, str, str, Reading], ...] = (
    ("core.reconcile.doubts._ORDERS", DOUBTFUL_ORDERS.text, "f83a168cb8c0", _doubtful_orders),
    ("core.leap._MOVE_ORDERS", leap._MOVE_ORDERS, "aab9afa3d258", _move_orders),
    ("core.leap._MOVE_ROWS", leap._MOVE_ROWS, "9fbe9a10bb1e", _move_rows),
    ("core.leap._SHORTEN_LEASES", leap._SHORTEN_LEASES, "da129c94c3e2", _shorten_leases),
    ("core.leap._MOVE_LINK", leap._MOVE_LINK, "01ba1cd2c486", _move_link),
)
