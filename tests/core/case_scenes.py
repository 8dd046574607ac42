"""Cases of every kind, brought about through core's own verbs, for tests of settling."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import select, text, update

from core import cases, ledger, orders, reconcile, settling
from core.audit import Actor
from core.base import clock, tenancy
from core.base.db import db, transaction
from core.cases import Case
from core.orders import News, Order
from core.outbox import OutboxRow
from tests.support.claims import claim_one

AMA = Actor("agent", "Ama")
ESI = Actor("owner", "Esi")
WORDS = "asked Kwame at the supplier"


@dataclass
class Desk:
    """Orders of ama's store and their cases; every read and press sees all stores, as the console
    does."""

    store_id: int
    place: Callable[..., Order]
    jump: Callable[[float], None]

    def order(
        self, state: str, *, news: News | None = None, charged: int | None = None
    ) -> Order:
        """A released order taken to `state`; `unknown` is submitting without a clear answer."""
        with tenancy.inside(self.store_id):
            order = orders.release(self.place().code, AMA)
            if state == "queued":
                return order
            claim = claim_one(order.id)
            assert claim is not None
            if state == "unknown":
                orders.mark_unknown(order.id, claim.attempt, "read timeout")
            elif state == "refunded":  # refused as invalid: nothing was ever charged
                assert orders.advance(
                    order.id,
                    "refunded",
                    text="Refused.",
                    news=News(raw_status="INVALID"),
                )
            elif state != "submitting":
                said = News("sent", "SUP-1", charged)
                assert orders.advance(
                    order.id, "processing", text="The supplier has it.", news=said
                )
                if (
                    state == "given_back"
                ):  # failed, and the watch ended without its money being seen
                    assert orders.advance(order.id, "failed", text="Failed.")
                    assert orders.advance(
                        order.id, "refunded", text="The watch is over."
                    )
                elif state == "reversed":
                    assert orders.advance(
                        order.id,
                        "refunded",
                        text="Reversed.",
                        news=News(money_back=True),
                    )
                elif state != "processing":
                    assert orders.advance(
                        order.id, state, text=f"{state}.", news=news or News()
                    )  # type: ignore[arg-type]
        return self.read(order)

    def open(self, order: Order, kind: str, **evidence: Any) -> int:
        """Open a case about an order. Returns its id."""
        with tenancy.inside(self.store_id):
            orders.raise_case(order.id, kind, evidence)
        return self.case_of(order, kind).id

    def float_off_by(self, difference: int) -> int:
        """Two reads of the balance see this difference. Returns the case's id."""
        with tenancy.across_stores():
            balance = reconcile.float_pesewas() + difference
            reconcile.note_balance(balance)
            self.jump(61)
            assert "a break" in reconcile.note_balance(balance)
            return cases.open_of_kind(
                "unexpected_charge" if difference < 0 else "float_funded"
            )[-1].id

    def press(
        self, case_id: int, action: str, seen: int | None = None, words: str = WORDS
    ) -> str:
        with tenancy.across_stores():
            return settling.settle(case_id, action, ESI, words=words, seen_pesewas=seen)

    def choices(self, case_id: int) -> dict[str, int | None]:
        with tenancy.across_stores():
            found = settling.choices(settling.facts_of(self.case(case_id)))
            return {choice.action: choice.amount_pesewas for choice in found}

    def read(self, order: Order) -> Order:
        with tenancy.across_stores():
            return db.session.scalars(select(Order).where(Order.id == order.id)).one()

    def row(self, order: Order) -> OutboxRow:
        with tenancy.across_stores():
            return db.session.scalars(
                select(OutboxRow).where(OutboxRow.order_id == order.id)
            ).one()

    def waits(self, order: Order, reason: str, seconds: float) -> None:
        """A worker found that the order cannot be sent now, and looks again after so long."""
        with tenancy.inside(self.store_id):
            orders.wait(order.id, reason)
        due_at = clock.after(seconds)
        with tenancy.across_stores(), transaction() as session:
            session.execute(
                update(OutboxRow)
                .where(OutboxRow.order_id == order.id)
                .values(due_at=due_at)
            )

    def finish_row(self, order: Order) -> None:
        """The order's row is done, as after its last look."""
        with tenancy.across_stores(), transaction() as session:
            session.execute(
                update(OutboxRow)
                .where(OutboxRow.order_id == order.id)
                .values(done_at=clock.now())
            )

    def case(self, case_id: int) -> Case:
        with tenancy.across_stores():
            return db.session.scalars(select(Case).where(Case.id == case_id)).one()

    def case_of(self, order: Order, kind: str) -> Case:
        with tenancy.across_stores():
            return cases.of_kind(order.id, kind)[-1]

    def balances(self) -> dict[str, int]:
        with tenancy.across_stores():
            assert ledger.books().hold
            return ledger.platform_balances()

    def wallet(self) -> tuple[int, int]:
        with tenancy.inside(self.store_id):
            wallet = ledger.wallet()
            return wallet.available_pesewas, wallet.held_pesewas

    def kinds(self, order: Order) -> list[str]:
        """The postings of an order, as words."""
        with tenancy.across_stores():
            return [posting.kind for posting, _legs in ledger.postings_of(order.id)]

    def told(self, order: Order) -> list[str]:
        with tenancy.across_stores():
            return [event.text for event in orders.timeline(self.read(order))]

    def everything(self) -> dict[str, Any]:
        """All rows that a press may change, to see that a refused one changed none."""
        tables = (
            "orders",
            "order_events",
            "postings",
            "entries",
            "accounts",
            "outbox",
            "audit",
            "cases",
            "supplier_state",
        )
        one = "(SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {0} t) {0}"
        all_of_them = ", ".join(map(one.format, tables))
        with tenancy.across_stores(), transaction() as session:
            return dict(session.execute(text(f"SELECT {all_of_them}")).mappings().one())


def at_once(app: Flask, deeds: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do these at the same moment, each in a thread with a context of its own. A refusal is given
    back, not raised."""
    start = threading.Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> Any:
        with app.app_context():
            start.wait(10)
            try:
                return deed()
            except settling.ActionRefused as refusal:
                return refusal
            finally:
                tenancy.clear()
                db.session.remove()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return [
            future.result(30) for future in [pool.submit(run, deed) for deed in deeds]
        ]
