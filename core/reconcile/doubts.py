"""What the supplier may have taken or given back without our knowing it yet: the width of the
expected balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import BigInteger, ScalarSelect, column, select, text
from sqlalchemy.dialects.postgresql import JSONB

from core import catalog
from core.base.db import db
from core.base.preconditions import needs_across_stores

_Order = Mapping[str, Any]

# A charge is open in our books while the order has more commits than postings that closed one.
_ORDERS = (
    "WITH asked AS (SELECT order_id, array_agg(kind) AS kinds FROM cases WHERE closed_at IS NULL"
    " AND order_id IS NOT NULL AND kind IN ('supplier_money', 'contradiction', 'late_success',"
    " 'amount_differs', 'resend_limit') GROUP BY order_id) SELECT o.id, o.state, o.cost_pesewas AS"
    " cost, coalesce(o.charged_pesewas, o.cost_pesewas) AS charged, coalesce(asked.kinds, '{}') AS"
    " kinds, o.absent_since, (SELECT count(*) FILTER (WHERE kind = 'commit') - count(*) FILTER"
    " (WHERE kind IN ('supplier_refund', 'write_off')) FROM postings p WHERE p.order_id = o.id) > 0"
    " AS charge_is_open FROM orders o LEFT JOIN asked ON asked.order_id = o.id WHERE o.id IN"
    " (SELECT id FROM orders WHERE state IN ('submitting', 'failed') UNION SELECT order_id FROM"
    " asked) AND NOT o.is_test"
)
DOUBTFUL = (
    text(f"SELECT jsonb_agg(to_jsonb(d) ORDER BY d.id) FROM ({_ORDERS}) d")  # noqa: S608 - it stands above
    .columns(column("orders", JSONB))
    .scalar_subquery()
)
"""The orders that may be in doubt, the oldest first, for `doubts_of`; NULL for none."""


# A case that a person closed no longer asks; then what the balance holds more is asked about until
# somebody has booked it.
_NEVER_TAKEN = (
    "SELECT coalesce(sum(o.charged_pesewas - o.cost_pesewas), 0) FROM orders o CROSS JOIN LATERAL"
    " (SELECT max(at) FILTER (WHERE kind = 'commit') AS charged_at, count(*) FILTER (WHERE kind ="
    " 'commit') - count(*) FILTER (WHERE kind IN ('supplier_refund', 'write_off')) AS open FROM"
    " postings WHERE order_id = o.id) p WHERE o.id IN (SELECT order_id FROM cases WHERE kind ="
    " 'amount_differs') AND o.charged_pesewas >= :times * o.cost_pesewas AND p.open > 0 AND"
    " p.charged_at < {told_at} AND (EXISTS (SELECT 1 FROM cases c WHERE c.order_id = o.id AND"
    " c.kind = 'amount_differs' AND c.closed_at IS NULL) OR NOT EXISTS (SELECT 1 FROM postings s"
    " WHERE s.kind IN ('float_difference', 'fund_float') AND s.at > p.charged_at))"
)


def never_taken(told_at: str) -> ScalarSelect[int]:
    """In a statement: what is booked above the cost for charges that can be no price, such as
    pesewas for cedis: those before `told_at`, which is SQL.

    The supplier's balance of that moment shows whether they were taken all the same.
    """
    said = text(_NEVER_TAKEN.format(told_at=told_at))
    limited = said.bindparams(times=catalog.MISTAKEN)
    return limited.columns(column("pesewas", BigInteger)).scalar_subquery()


@needs_across_stores
def never_taken_pesewas(told_at: datetime) -> int:
    """`never_taken` before a moment."""
    query = select(never_taken(":told_at"))
    return int(db.session.execute(query, {"told_at": told_at}).scalar_one())


@dataclass(frozen=True)
class Doubts:
    """Amounts in pesewas, each by the order it is about, oldest order first."""

    unresolved: tuple[int, ...] = ()
    """Costs of orders sent and not answered for, unless their absence is proven: the supplier may
    have taken them."""
    returnable: tuple[tuple[int, int], ...] = ()
    """(order id, charge) of failed orders whose charge is open: the supplier may have given it
    back."""
    back_otherwise: tuple[int, ...] = ()
    """The same for orders that only a person may settle: no rise of the balance books anything for
    them."""
    charged_again: tuple[int, ...] = ()
    """Charges of orders whose charge is not open: the supplier may have taken them, or taken them
    again."""

    @property
    def may_be_gone_pesewas(self) -> int:
        return sum(self.unresolved) + sum(self.charged_again)

    @property
    def may_be_back_pesewas(self) -> int:
        return sum(amount for _, amount in self.returnable) + sum(self.back_otherwise)


@needs_across_stores
def doubts() -> Doubts:
    """What is in doubt now.

    A failed order stays in flight while it is watched, and after that while its case is open: the
    supplier may have returned the money at once, or never. It also revives failed orders and
    charges them again, and charged some we only ever saw as failed; so one without an open charge
    may be paid for all the same. An order whose final state the supplier contradicts is in doubt
    until a person settled it, and so is a charge that differs from the quote: the supplier may have
    taken the quoted amount.
    """
    return doubts_of(db.session.scalar(select(DOUBTFUL)) or [])


def doubts_of(orders: Sequence[_Order]) -> Doubts:
    """What is in doubt, by what `DOUBTFUL` says of orders."""
    found: dict[_Kind, list[tuple[int, int]]] = {kind: [] for kind in _KINDS}
    for order in orders:
        about = _doubt_about(order)
        if about is not None:
            kind, amount = about
            found[kind].append((order["id"], amount))
    return Doubts(
        unresolved=_amounts(found["unresolved"]),
        returnable=tuple(found["returnable"]),
        back_otherwise=_amounts(found["back_otherwise"]),
        charged_again=_amounts(found["charged_again"]),
    )


_Kind = Literal["unresolved", "returnable", "back_otherwise", "charged_again"]
_KINDS: tuple[_Kind, ...] = get_args(_Kind)
_CONTRADICTED = frozenset({"contradiction", "late_success"})
"""Kinds of cases in which the supplier says otherwise than our final state."""


def _doubt_about(order: _Order) -> tuple[_Kind, int] | None:
    """Which doubt an order of `DOUBTFUL` is, and of how many pesewas; None when none is."""
    if order["state"] == "submitting":
        return None if _was_never_bought(order) else ("unresolved", order["cost"])
    if order["charge_is_open"]:
        return _doubt_about_charge(order)
    if order["state"] == "failed" or _is_contradicted(order):
        return "charged_again", order["charged"]
    return None


def _doubt_about_charge(order: _Order) -> tuple[_Kind, int] | None:
    """The same for an order whose charge is open."""
    is_contradicted = _is_contradicted(order)
    state, kinds = order["state"], order["kinds"]
    is_written_back = state == "refunded" and "supplier_money" in kinds
    if state == "failed" or (is_written_back and not is_contradicted):
        return "returnable", order["charged"]
    if is_contradicted:
        return "back_otherwise", order["charged"]
    if "amount_differs" in kinds:
        more = order["charged"] - order["cost"]
        if more > 0:
            return ("back_otherwise", more)
        return ("charged_again", -more)
    return None


def _was_never_bought(order: _Order) -> bool:
    """Proven absent as for a resend, and only not sent again: the supplier has not got it."""
    return order["absent_since"] is not None and "resend_limit" in order["kinds"]


def _is_contradicted(order: _Order) -> bool:
    return not _CONTRADICTED.isdisjoint(order["kinds"])


def _amounts(found: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    return tuple(amount for _, amount in found)
