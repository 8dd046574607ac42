"""What the supplier may have taken or given back without our knowing it yet: the width of the
expected balance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from core import catalog
from core.base.db import db

# A charge is open in our books while the order has more commits than postings that closed one.
_ORDERS = text(
    "WITH asked AS (SELECT order_id, array_agg(kind) AS kinds FROM cases WHERE closed_at IS NULL"
    " AND order_id IS NOT NULL AND kind IN ('supplier_money', 'contradiction', 'late_success',"
    " 'amount_differs', 'resend_limit') GROUP BY order_id) SELECT o.id, o.state, o.cost_pesewas AS"
    " cost, coalesce(o.charged_pesewas, o.cost_pesewas) AS charged, coalesce(asked.kinds, '{}') AS"
    " kinds, o.absent_since, (SELECT count(*) FILTER (WHERE kind = 'commit') - count(*) FILTER"
    " (WHERE kind IN ('supplier_refund', 'write_off')) FROM postings p WHERE p.order_id = o.id) > 0"
    " AS charge_is_open FROM orders o LEFT JOIN asked ON asked.order_id = o.id WHERE o.id IN"
    " (SELECT id FROM orders WHERE state IN ('submitting', 'failed') UNION SELECT order_id FROM"
    " asked) ORDER BY o.id"
)


# A case that a person closed no longer asks; then what the balance holds more is asked about until
# somebody has booked it.
_NO_PRICE = text(
    "SELECT coalesce(sum(o.charged_pesewas - o.cost_pesewas), 0) FROM orders o CROSS JOIN LATERAL"
    " (SELECT max(at) FILTER (WHERE kind = 'commit') AS charged_at, count(*) FILTER (WHERE kind ="
    " 'commit') - count(*) FILTER (WHERE kind IN ('supplier_refund', 'write_off')) AS open FROM"
    " postings WHERE order_id = o.id) p WHERE o.id IN (SELECT order_id FROM cases WHERE kind ="
    " 'amount_differs') AND o.charged_pesewas >= :times * o.cost_pesewas AND p.open > 0 AND"
    " p.charged_at < :told_at AND (EXISTS (SELECT 1 FROM cases c WHERE c.order_id = o.id AND c.kind"
    " = 'amount_differs' AND c.closed_at IS NULL) OR NOT EXISTS (SELECT 1 FROM postings s WHERE"
    " s.kind IN ('float_difference', 'fund_float') AND s.at > p.charged_at))"
)


def never_taken_pesewas(told_at: datetime) -> int:
    """What is booked above the cost for charges that can be no price, such as pesewas for cedis:
    those before `told_at`.

    The supplier's balance of that moment shows whether they were taken all the same. Needs
    `across_stores`.
    """
    return int(
        db.session.execute(
            _NO_PRICE, {"times": catalog.MISTAKEN, "told_at": told_at}
        ).scalar_one()
    )


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


def doubts() -> Doubts:
    """What is in doubt now. Needs `across_stores`.

    A failed order stays in flight while it is watched, and after that while its case is open: the
    supplier may have returned the money at once, or never. It also revives failed orders and
    charges them again, and charged some we only ever saw as failed; so one without an open charge
    may be paid for all the same. An order whose final state the supplier contradicts is in doubt
    until a person settled it, and so is a charge that differs from the quote: the supplier may have
    taken the quoted amount.
    """
    unresolved: list[int] = []
    returnable: list[tuple[int, int]] = []
    back: list[int] = []
    again: list[int] = []
    for order in db.session.execute(_ORDERS):
        contradicted = not {"contradiction", "late_success"}.isdisjoint(order.kinds)
        if order.state == "submitting":
            # Proven absent as for a resend, and only not sent again: the supplier has not got it.
            if order.absent_since is None or "resend_limit" not in order.kinds:
                unresolved.append(order.cost)
        elif order.charge_is_open and (
            order.state == "failed"
            or (
                order.state == "refunded"
                and "supplier_money" in order.kinds
                and not contradicted
            )
        ):
            returnable.append((order.id, order.charged))
        elif order.charge_is_open and contradicted:
            back.append(order.charged)
        elif order.charge_is_open and "amount_differs" in order.kinds:
            (back if order.charged > order.cost else again).append(
                abs(order.charged - order.cost)
            )
        elif not order.charge_is_open and (order.state == "failed" or contradicted):
            again.append(order.charged)
    return Doubts(tuple(unresolved), tuple(returnable), tuple(back), tuple(again))
