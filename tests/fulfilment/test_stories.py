"""Stories of the contract (§13) that are told nowhere else: a refund that finds no payer, a dispute
that nobody answers, a key that was changed on one side. `docs/stories.md` names those of all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from visitors import Visitor

from admin_console import own_problems
from core import orders, taking
from core.audit import Actor
from core.base import clock, config, tenancy
from core.base.db import db, transaction
from core.online import GatewayRefund, refunds
from core.orders import Order
from integrations.payments_port import Dispute
from integrations.paystack_sandbox.disputes import business_due
from tests.support.till import Till, webhook

pytestmark = pytest.mark.slow(seconds=0.3)

AMA = Actor("agent", "Ama")
OWNER = Actor("owner", "Owner")
Visit = Callable[[str], Visitor]


def paid(till: Till) -> Order:
    """An order that is paid online and in line."""
    order = till.opened()
    till.pay(till.reference(order))
    till.pass_by(61)
    return order


def refund_of(till: Till) -> GatewayRefund:
    with till.across():
        return db.session.scalars(db.select(GatewayRefund)).one()


def test_story_16_needs_attention_then_the_payers_number_then_processed(
    till: Till,
) -> None:
    till.knobs(refund_outcome="needs-attention")
    order = paid(till)
    with till.inside():
        orders.cancel(order.code, AMA)
    till.pass_by(2 * 3_600)
    refund = refund_of(till)
    assert (refund.state, till.cases()) == ("needs_details", ["refund_details"])
    with till.across():
        refunds.send_to(refund.id, "0241234567", "mtn", OWNER)
    till.pass_by(3 * 3_600)
    (there,) = till.fake.gateway.store.newest("refund", "test", 10)
    assert (refund_of(till).state, there.status) == ("done", "processed")
    assert till.fake.gateway.calls["refund_retry"] == 1
    assert till.balances().get("refund_due", 0) == 0
    till.proven()


def asked(till: Till, number: str) -> Dispute:
    """What the gateway says of a dispute."""
    with till.across():
        found = till.client.dispute(number)
    assert isinstance(found, Dispute)
    return found


def test_story_20_due_on_tuesday_and_unanswered_it_is_a_break_with_a_name(
    till: Till,
) -> None:
    friday = datetime(2026, 2, 6, 18, 0, tzinfo=UTC)
    tuesday = datetime(2026, 2, 10, 18, 0, tzinfo=UTC)
    assert business_due(friday.timestamp(), 48) == tuesday.timestamp()
    order = paid(till)
    reference, before = till.reference(order), till.balances()
    answer = till.tools.post("/sandbox/dispute", json={"reference": reference})
    assert answer.status_code == 200, answer.text
    number = str(answer.json()["id"])
    now = till.fake.gateway.clock.now()
    shown = asked(till, number)
    assert shown.due_at is not None
    assert abs(shown.due_at.timestamp() - business_due(now, 48)) < 5
    till.pass_by(6 * 86_400)
    assert asked(till, number).resolution == "auto-accepted"
    with till.across(), transaction():
        taking.ring(reference)
    till.pass_by(10)
    assert "payment_reversed" in till.cases()
    assert till.balances()["gateway"] == before["gateway"], "nothing moves by itself"
    held = till.tools.get("/sandbox/books").json()
    taken_back = held["holds"] + held["settled"] - held["topped_up"]
    assert till.balances()["gateway"] - taken_back == order.price_pesewas


def test_story_21_a_key_changed_in_the_dashboard_alone_is_said_to_the_owner(
    till: Till, visitor: Visit
) -> None:
    sender = config.current().gateway_addresses[1]
    hooks = visitor("hooks").client

    def post(address: str) -> int:
        body, headers = webhook("MK-P-7Q2M9X4K", key="sk_test_of_later")
        return hooks.post(
            "/paystack", base_url="http://hooks.localhost", data=body, headers=headers,
            environ_overrides={"REMOTE_ADDR": address},
        ).status_code  # fmt: skip

    def said() -> list[str]:
        with till.app.app_context(), tenancy.across_stores():
            return [one.sentence for one in own_problems.of_gateway()]

    assert (post("203.0.113.9"), said()) == (400, []), "a stranger's noise is no news"
    assert post(sender) == 400
    (sentence,) = said()
    assert "no good signature" in sentence and "PAYSTACK_SECRET_KEY" in sentence
    till.jump(config.current().gateway_unsigned_s + clock.seconds(1))
    assert said() == []
