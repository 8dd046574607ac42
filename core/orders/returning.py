"""Money the supplier was seen to give back for a failed order, without having said so.

What was seen, and which order it speaks of, is decided in `core.reconcile`; here it is written down for one order.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Select, select

from core import cases, ledger
from core.audit import SYSTEM
from core.cases import Case
from core.db import db
from core.orders.advancing import locked
from core.orders.model import Order
from core.orders.timeline import log


def lock_for_money_back(order_ids: Iterable[int]) -> None:
    """Lock these orders and then their questions about the supplier's money, as `advance` does, in the open use case."""
    for order_id in sorted(order_ids):
        locked(order_id)
        db.session.scalar(_question(order_id).with_for_update())


def book_money_back(order_id: int, text: str) -> None:
    """Post *supplier_refund* for an order locked by `lock_for_money_back`; its question about the money closes itself.

    The order keeps its state: a failed one is watched on, and charged again when the supplier takes it up again.
    """
    order = db.session.get_one(Order, order_id)
    charged = order.charged_pesewas if order.charged_pesewas is not None else order.cost_pesewas
    ledger.supplier_refund(order, charged, ledger.count(order.id, "supplier_refund") + 1, SYSTEM)
    log(order, SYSTEM, "money", text)
    question = db.session.scalar(_question(order_id))
    if question is not None:
        cases.close_row(question, text, SYSTEM)
        log(order, SYSTEM, "case", "The question about the supplier's money has closed itself.")


def _question(order_id: int) -> Select[Case]:
    return select(Case).where(Case.order_id == order_id, Case.kind == "supplier_money", Case.closed_at.is_(None))
