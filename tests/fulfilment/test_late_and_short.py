"""What becomes of payments that came late or short, and of orders that nobody looks after: each ends
in a named state or with a person."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from core import cases, disputes, online, orders, outbox, settling, taking
from core.audit import CUSTOMER, Actor
from core.base.db import db, transaction
from core.orders import Order
from fulfilment import housekeeping
from tests.support.settings import Using
from tests.support.till import SETTINGS, Till

pytestmark = pytest.mark.slow(seconds=0.3)

OWNER = Actor("owner", "Owner")


def late(till: Till, **changes: Any) -> Order:
    """An order that its customer cancelled and paid all the same: its case is open."""
    order = till.opened()
    with till.inside():
        orders.cancel(order.code, CUSTOMER)
    till.pay(till.reference(order), **changes)
    till.pass_by(61)
    assert till.cases() == ["paid_late"]
    return order


def press(
    till: Till, action: str, seen: int | None = None, kind: str = "paid_late"
) -> str:
    case = till.case(kind)
    with till.across():
        return settling.settle(
            case.id, action, OWNER, words="they want it", seen_pesewas=seen
        )


def refused(till: Till, action: str, seen: int | None, kind: str = "paid_late") -> str:
    before = till.balances()
    with pytest.raises(settling.ActionRefused) as refusal:
        press(till, action, seen, kind)
    assert till.balances() == before and till.cases() == [kind]
    return refusal.value.sentence


def offered(till: Till, kind: str = "paid_late") -> list[str]:
    with till.across():
        facts = settling.facts_of(till.case(kind))
        return [one.action for one in settling.choices(facts)]


def paid_by(till: Till, order: Order) -> Order:
    """The order that the newest payment for `order` pays."""
    id_ = till.attempts(order)[0].pays_order_id
    assert id_ is not None
    with till.inside():
        return orders.by_id(id_)


# Deliver it now


def test_a_late_payment_pays_a_new_order_which_is_bought_as_every_other(
    till: Till,
) -> None:
    order = late(till)
    assert offered(till) == ["owe_back", "deliver", "close"]
    said = press(till, "deliver", order.price_pesewas)
    fresh = paid_by(till, order)
    assert fresh.shown_code in said
    assert (fresh.state, till.state(order)) == ("queued", "cancelled")
    assert fresh.price_pesewas == order.price_pesewas and fresh.paid_online
    assert fresh.recipient_msisdn == order.recipient_msisdn
    assert till.balances()["held"] == -fresh.agent_price_pesewas
    assert "customer_funds" not in till.balances()
    with till.inside():
        assert outbox.of_order(fresh.id) is not None, "nobody would buy it"
    assert till.cases() == [] and till.settled("paid_late").action == "deliver"
    assert till.settled("paid_late").posting_ids
    till.proven()
    # delivered or not, its money goes where that of every order goes
    with till.inside():
        orders.cancel(fresh.code, Actor("agent", "Ama"))
    till.pass_by(2 * 3_600)
    assert "refund_due" not in till.balances()
    till.proven()


def test_it_costs_what_was_charged_also_above_what_was_asked(till: Till) -> None:
    order = late(till, act="approve_raised")
    charged = till.attempts(order)[0].charged_pesewas
    assert charged and charged > order.price_pesewas
    refused(till, "deliver", order.price_pesewas)
    press(till, "deliver", charged)
    assert paid_by(till, order).price_pesewas == charged
    till.proven()


def test_pressed_twice_and_by_two_people_it_is_one_order(till: Till) -> None:
    order = late(till)
    case = till.case("paid_late")
    said: list[str] = []

    def one(name: str) -> None:
        try:
            with till.across():
                settling.settle(
                    case.id,
                    "deliver",
                    Actor("owner", name),
                    words="they want it",
                    seen_pesewas=order.price_pesewas,
                )
            said.append("done")
        except settling.ActionRefused as refusal:
            said.append(refusal.sentence)

    people = [threading.Thread(target=one, args=(name,)) for name in ("Esi", "Kojo")]
    for person in people:
        person.start()
    for person in people:
        person.join(30)
    second, first = sorted(said)
    assert first == "done" and "closed already" in second
    with till.inside():
        made = db.session.query(Order).filter(
            Order.idempotency_key.like("late-payment-%")
        )
        assert made.count() == 1
    till.proven()


def test_nothing_is_delivered_for_money_that_is_owed_or_may_be_taken(
    till: Till,
) -> None:
    order = late(till)
    payment = till.attempts(order)[0]
    with till.across(), transaction():
        disputes.hearing.heard(None, payment.reference, "charge.dispute.create")
    case = till.case("paid_late")
    with till.across(), pytest.raises(settling.ActionRefused, match="that case first"):
        settling.settle(
            case.id, "deliver", OWNER, words="x", seen_pesewas=order.price_pesewas
        )
    with till.across(), transaction():
        cases.close_row(db.session.merge(till.case("payment_disputed")), "won", OWNER)
    with till.across(), transaction():
        online.owe(online.locked_payment(payment.id), OWNER)
    assert "owed back already" in refused(till, "deliver", order.price_pesewas)
    assert offered(till) == ["close"]


UNBUYABLE = {
    # what the owner of the platform reads: what has changed since
    "Wait until it can be bought": "UPDATE buying SET short = (SELECT jsonb_object_agg(id, now()) FROM bundles)",
    "costs GH₵": "UPDATE bundles SET agent_price_pesewas = agent_price_pesewas + 1000",
    "is not offered now": "UPDATE bundles SET unlisted_since = now()",
    "is not known any more": (
        "UPDATE orders SET recipient_msisdn = '+23324xxx4567' WHERE state = 'cancelled'"
    ),
}


@pytest.mark.parametrize("sentence", UNBUYABLE)
def test_what_cannot_be_bought_for_it_is_not_delivered(
    till: Till, superuser: Any, sentence: str
) -> None:
    order = late(till)
    superuser.execute(UNBUYABLE[sentence])
    assert sentence in refused(till, "deliver", order.price_pesewas)
    assert "deliver" not in offered(till)
    assert "owe_back" in offered(till)


# A payment that is too short


def short(till: Till) -> Order:
    order = till.opened()
    till.pay(till.reference(order), amount=order.price_pesewas - 1)
    till.pass_by(61)
    assert till.cases() == ["paid_short"]
    press(till, "refund", order.price_pesewas - 1, "paid_short")
    return order


def test_an_order_that_was_paid_short_may_be_paid_anew(till: Till) -> None:
    till.knobs(refund_s=120)
    order = short(till)
    till.pass_by(600)
    assert "refund_due" not in till.balances(), "it went back"
    with till.inside():
        assert taking.may_try(online.of_order(order.id))
        taking.try_again(order.code, till.attempts(order)[0].id)
    till.work()
    till.pay(till.reference(order))
    till.pass_by(61)
    assert till.state(order) == "queued"
    till.proven()


def test_an_order_that_was_paid_short_expires_in_its_time(till: Till) -> None:
    """Also while its money is still on its way back."""
    till.knobs(refund_s=86_400)
    order = short(till)
    till.pass_by(28 * 60)
    assert till.state(order) == "awaiting_payment"
    till.pass_by(120)
    assert till.state(order) == "expired"
    till.proven()


# Nobody to ask


def tidy(till: Till) -> None:
    """As the relay does in each round."""
    with till.across():
        housekeeping.expire()


def test_an_order_for_which_no_phone_was_named_expires_in_its_time(till: Till) -> None:
    with till.app.app_context():
        online.prompts.switch(True, OWNER)
    order, other = till.order(by_prompt=True), till.order(by_prompt=True)
    assert till.attempts(order) == []
    till.jump(29 * 60)
    with till.inside():
        taking.try_again(other.code, 0)
    till.jump(62)
    tidy(till)
    assert till.state(order) == "expired"
    assert till.state(other) == "awaiting_payment", "its attempt ends it"


def test_without_a_gateway_what_was_never_asked_for_expires(
    till: Till, using: Using
) -> None:
    order = till.order()
    using(**SETTINGS | {"paystack_secret_key": ""})
    till.jump(29 * 60)
    tidy(till)
    assert till.state(order) == "awaiting_payment"
    till.jump(62)
    tidy(till)
    assert till.state(order) == "expired"
    assert till.cases() == []


@pytest.mark.parametrize("way", ["page", "prompt"])
def test_without_a_gateway_what_may_have_been_paid_is_a_person_s(
    till: Till, using: Using, way: str
) -> None:
    with till.app.app_context():
        online.prompts.switch(True, OWNER)
    order = till.order(by_prompt=way == "prompt")
    if way == "prompt":
        with till.inside():
            taking.prompts.ask(order.code, 0, online.Payer("+233241234567", "mtn"))
            claimed = taking.prompts.claim(till.attempts(order)[0].id)
            assert claimed, "a worker that dies here may have asked the phone"
    else:
        till.work()
    till.pay(till.reference(order)) if way == "page" else None
    kind = "payment_unwatched"
    using(**SETTINGS | {"paystack_secret_key": ""})
    till.jump(30 * 60 + 2)
    for _ in range(2):
        tidy(till)
    assert till.state(order) == "awaiting_payment"
    assert till.cases() == [kind]
    assert offered(till, kind) == ["expire", "close"]
    if way == "prompt":
        press(till, "expire", None, kind)
        assert (till.state(order), till.cases()) == ("expired", [])
        return
    using(**SETTINGS)
    refused(till, "expire", None, kind)
    till.pass_by(400)
    assert till.state(order) == "queued", "the gateway is there again, and knows"
    till.proven()
