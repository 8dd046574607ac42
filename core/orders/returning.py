"""Money the supplier was seen to give back for a failed order, without having said so.

What was seen, and which order it speaks of, is decided in `core.reconcile`; here it is written down
for one order.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Select, select

from core import cases, ledger
from core.audit import SYSTEM
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.cases import Case
from core.orders.advancing import locked
from core.orders.model import Order
from core.orders.timeline import log


@inside_use_case
def lock_for_money_back(order_ids: Collection[int]) -> list[Order]:
    """Lock these orders, before anything else of it is locked; in id order, as everywhere."""
    return [locked(order_id) for order_id in sorted(order_ids)]


def lock_questions(order_ids: Collection[int]) -> None:
    """Lock what is asked about the supplier's money for these locked orders: after the link's row,
    before accounts."""
    if order_ids:
        db.session.scalars(_questions(order_ids).with_for_update()).all()


def book_money_back(order_id: int, text: str) -> None:
    """Post *supplier_refund* for an order locked as above; the question about its money closes
    itself.

    The order keeps its state: a failed one is watched on, and charged again when the supplier takes
    it up again.
    """
    order = db.session.get_one(Order, order_id)
    charged = (
        order.charged_pesewas
        if order.charged_pesewas is not None
        else order.cost_pesewas
    )
    ledger.supplier_refund(
        order, charged, ledger.count(order.id, "supplier_refund") + 1, SYSTEM
    )
    log(order, SYSTEM, "money", text)
    for question in db.session.scalars(_questions([order_id])):
        cases.close_row(question, text, SYSTEM)
        log(
            order,
            SYSTEM,
            "case",
            "The question about the supplier's money has closed itself.",
        )


def _questions(order_ids: Collection[int]) -> Select[Case]:
    return (
        select(Case)
        .where(
            Case.order_id.in_(order_ids),
            Case.kind == "supplier_money",
            Case.closed_at.is_(None),
        )
        .order_by(Case.id)
    )
