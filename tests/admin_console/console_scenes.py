"""Puts the platform into the states the console must show, through core's own verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import tables_owner
from flask import Flask
from sqlalchemy import update

from core import cases, catalog, disputes, orders, reconcile, settling, stores
from core.audit import Actor
from core.base import clock, tenancy
from core.base.db import db, transaction
from core.online import refund_lists
from core.orders import News, Order
from core.supplier import records, supply, webhook_events
from tests.support.claims import claim_one

AGENT = Actor("agent", "Ama")
NUMBER = "+233241234567"
PAID_ONLINE = (
    "INSERT INTO online_payments (store_id, purpose, order_id, reference, mode, amount_pesewas,"
    " state, charged_pesewas, created_at, paid_at) SELECT store_id, 'order', id, :reference, 'test',"
    " price_pesewas, 'paid', price_pesewas, now(), now() FROM orders WHERE code = :code"
)
GOES_BACK = (
    "INSERT INTO gateway_refunds (store_id, payment_id, n, amount_pesewas, reason, state, asked_by,"
    " asked_at) SELECT p.store_id, p.id, 1, p.amount_pesewas, 'cancelled', :state, 'Makola', now()"
    " FROM online_payments p JOIN orders o ON o.id = p.order_id WHERE o.code = :code"
)

_MANY = ", ".join(f'"MK-P-{n:016X}"' for n in range(7_000_000, 7_000_010))
WEEK = """
INSERT INTO gateway_days (day, begun_at, done_at, ours_count, ours_pesewas, theirs_count, theirs_pesewas,
  settled_count, settled_pesewas)
SELECT date '2026-11-25' + n, now(), now(), 200, 90000 + 1000 * n, 200, 90000 + 1000 * n, 200, 90000 + 1000 * n
FROM generate_series(0, 4) n
"""
LAST_DAY = f"""
INSERT INTO gateway_days (day, begun_at, done_at, is_open, ours_count, ours_pesewas, theirs_count,
  theirs_pesewas, settled_count, settled_pesewas, causes)
VALUES ('2026-11-30', now(), now(), true, 212, 123450, 214, 125150, 180, 98000, jsonb_build_object(
  'lost', '{{"count": 2, "pesewas": 1700, "differs": -1700, "named": ["MK-P-1", "MK-P-2"]}}'::jsonb,
  'not_settled_yet', '{{"count": 34, "pesewas": 27150, "differs": 0, "named": [{_MANY}]}}'::jsonb,
  'foreign', '{{"count": 1, "pesewas": 4500, "differs": 0, "named": ["shop-17"]}}'::jsonb))
"""
SETTLED = """
INSERT INTO gateway_settlements (gateway_id, raw_word, currency, total_pesewas, fees_pesewas, deductions_pesewas,
  effective_pesewas, settled_at, read_at, went, closed_at)
SELECT (9007199254740993 + n)::text, 'success', 'GHS', 98000, 1911, 500, 95589, '2026-11-30 10:00Z', now(),
  CASE n WHEN 0 THEN 'nowhere' ELSE 'balance' END, now() FROM generate_series(0, 1) n
"""
DAYS = (WEEK, LAST_DAY, SETTLED)
"""A week beside the gateway, of which the last day asks."""
DISPUTED = (
    "INSERT INTO disputes (store_id, payment_id, gateway_id, amount_pesewas, category, state, made_at,"
    " opened_at, due_at, timeline) SELECT p.store_id, p.id, p.id + 9007199254740992, p.amount_pesewas,"
    " 'fraud', :state, :now, :begun, :due, jsonb_build_array(jsonb_build_object('at', cast(:at AS text), 'who',"
    " 'Makola', 'text', 'The payment is disputed.')) FROM online_payments p JOIN orders o"
    " ON o.id = p.order_id WHERE o.code = :code"
)


class Scene:
    """One platform under test. Every method works in a context of its own."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._keys = 0

    @contextmanager
    def inside(self, slug: str) -> Iterator[None]:
        with self.app.app_context():
            store = stores.by_slug(slug)
            assert store is not None
            with tenancy.inside(store.id):
                yield
            db.session.remove()

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        with self.app.app_context(), tenancy.across_stores():
            yield
            db.session.remove()

    def order(
        self,
        state: str = "pending",
        *,
        slug: str = "ama",
        number: str = NUMBER,
        name: str = "",
        gb: int = 5,
        network: str = "mtn",
        news: News | None = None,
    ) -> str:
        """An order of a store, taken to `state`. Returns its code."""
        self._keys += 1
        with self.inside(slug):
            line = next(
                x for x in catalog.shelf() if x.network == network and x.mb == gb * 1024
            )
            placed = orders.place(
                bundle_id=line.bundle_id,
                recipient_msisdn=number,
                idempotency_key=f"console-test-{slug}-{self._keys:04}",
                price_seen_pesewas=line.price_pesewas,
                repeat_confirmed=True,
                customer_name=name,
            )
            code, order_id = placed.order.code, placed.order.id
            self._take(
                code,
                order_id,
                state,
                news or News(raw_status=state, supplier_ref=f"SUP-{code}"),
            )
        return code

    def _take(self, code: str, order_id: int, state: str, news: News) -> None:
        if state == "pending":
            return
        if state == "cancelled":
            orders.cancel(code, AGENT)
            return
        orders.release(code, AGENT)
        if state == "queued":
            return
        claim = claim_one(order_id)
        assert claim is not None
        if state == "unknown":
            orders.mark_unknown(order_id, claim.attempt, "read timeout")
        elif state == "refunded":
            assert orders.advance(
                order_id, "refunded", text="Refused as invalid.", news=news
            )
        elif state != "submitting":
            assert orders.advance(
                order_id, "processing", text="The supplier has it.", news=news
            )
            if state != "processing":
                assert orders.advance(
                    order_id, state, text=f"The supplier says {state}.", news=news
                )  # type: ignore[arg-type]

    def change_order(self, code: str, **values: Any) -> None:
        tables_owner.execute(update(Order).where(Order.code == code).values(**values))

    def find(self, code: str) -> Order:
        with self.everywhere():
            order = orders.by_code(code)
            assert order is not None
            return order

    def refund(self, code: str, state: str = "needs_details") -> int:
        """What was paid online for this order, on its way back. Returns the refund's number."""
        tables_owner.execute(PAID_ONLINE, code=code, reference=f"mk-{code}".lower())
        tables_owner.execute(GOES_BACK, code=code, state=state)
        with self.everywhere():
            found = refund_lists.waiting(1_000)
            return next(one.id for one in found if one.order_code == code)

    def days(self) -> str:
        """Days beside the gateway, and what it settled. Returns the page of the last."""
        for statement in DAYS:
            tables_owner.execute(statement)
        return "/payments/days/2026-11-30"

    def dispute(
        self, code: str, state: str = "needs_answer", left_h: float = 40
    ) -> int:
        """What was paid online for this order is disputed, with so many hours left. Its number."""
        tables_owner.execute(
            "UPDATE orders SET paid_online = true WHERE code = :code", code=code
        )
        tables_owner.execute(PAID_ONLINE, code=code, reference=f"mk-{code}".lower())
        with self.everywhere():
            now = clock.now()
            due = disputes.deadline.due_at(now, left_h)
        begun = disputes.deadline.before(due, disputes.deadline.HOURS)
        tables_owner.execute(
            DISPUTED,
            code=code,
            state=state,
            now=now,
            begun=begun,
            due=due,
            at=now.isoformat(),
        )
        with self.everywhere():
            found = disputes.listing.listed("all", 1_000)
            return next(
                one.dispute.id for one in found if one.order and one.order.code == code
            )

    def balance(self, pesewas: int) -> str:
        """The supplier told us its balance."""
        with self.everywhere():
            return reconcile.note_balance(pesewas)

    def link(self, **values: Any) -> None:
        """Set fields of the supplier's state."""
        with self.everywhere(), transaction():
            row = supply.locked_state()
            for name, value in values.items():
                setattr(row, name, value)

    def look_anew(self) -> None:
        """The relay looks what can be bought, as it does each second."""
        with self.everywhere():
            reconcile.renew()

    def call(
        self, code: str | None = None, endpoint: str = "balance", **values: Any
    ) -> None:
        refs = (self.find(code).order_ref,) if code else ()
        given = {
            "at": clock.now(),
            "supplier": "datamart",
            "method": "GET",
            "path": f"/v1/{endpoint}",
            "request_body": "",
            "http_status": 200,
            "response_body": '{"success":true}',
            "outcome": "ok",
            "duration_ms": 41,
        }
        with self.everywhere():
            records.record_call(
                endpoint=endpoint, order_refs=refs, values={**given, **values}
            )

    def webhook(
        self, code: str | None, body: bytes = b'{"event":"x"}', **values: Any
    ) -> None:
        ref = self.find(code).order_ref if code else None
        given = {
            "event_key": webhook_events.event_key(
                "transaction.status_update", ref, "successful", body
            ),
            "body": body,
            "headers": {},
            "event": "transaction.status_update",
            "order_ref": ref,
            "raw_status": "successful",
            "status": "completed",
            "verified_by": None,
        }
        with self.everywhere(), transaction():
            webhook_events.keep({**given, **values})

    def case(
        self, kind: str = "unknown_word", subject: str = "thing:1", **more: Any
    ) -> int:
        with self.everywhere(), transaction():
            return cases.open_case(
                kind, subject, more.pop("evidence", {"word": "flabbergasted"}), **more
            ).id

    def case_of(self, code: str, kind: str = "contradiction") -> int:
        order = self.find(code)
        return self.case(
            kind, f"order:{order.id}", store_id=order.store_id, order_id=order.id
        )

    def settle(
        self, case_id: int, action: str, words: str, seen: int | None = None
    ) -> str:
        with self.everywhere():
            return settling.settle(
                case_id, action, Actor("owner", "Esi"), words=words, seen_pesewas=seen
            )

    def finish(self, row_id: int, ok: bool, sentence: str) -> None:
        """Fulfilment came back with the answer of a request."""
        self.sql(
            "UPDATE outbox SET done_at = :now, result_ok = :ok, result_text = :text WHERE id = :id",
            now=clock.now(),
            ok=ok,
            text=sentence,
            id=row_id,
        )

    def age(self, row_id: int, seconds: float) -> None:
        """a request was asked so long ago."""
        self.sql(
            "UPDATE outbox SET created_at = :at, due_at = :at WHERE id = :id",
            at=clock.now() - timedelta(seconds=seconds),
            id=row_id,
        )

    def sql(self, statement: str, **values: Any) -> None:
        """As the owner of the tables: what no role of the application may change."""
        tables_owner.execute(statement, **values)

    def ask(self, read: Callable[[], Any]) -> Any:
        """Read something, seeing every store."""
        with self.everywhere():
            return read()
