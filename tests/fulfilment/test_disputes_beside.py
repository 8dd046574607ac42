"""A dispute beside everything else that moves the same money: refunds on their way, another dispute,
a payment that came late, a look that has no answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tables_owner
from sqlalchemy import select

from core import disputes, orders, outbox, settling
from core.audit import SYSTEM, Actor
from core.base.db import db, transaction
from core.online import GatewayRefund, Unfit, refunds
from core.orders import Order
from core.settling import ActionRefused
from integrations.payment_shapes import NotFound, Refused, Unclear
from tests.support.disputes_desk import Desk
from tests.support.till import AMA, TEST_KEY, Till, ring_in

pytestmark = pytest.mark.slow(seconds=0.4)

OWNER = Actor("owner", "Owner")
POOR = Refused("insufficient_balance", "insufficient_balance", "Too little")


@pytest.fixture
def desk(till: Till) -> Desk:
    return Desk(till)


@pytest.fixture
def asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], list[int]]:
    """Answer every refund so; the amounts that were asked for."""

    def answer(said: Any) -> list[int]:
        sent: list[int] = []

        def refund(request: Any) -> Any:
            sent.append(request.amount_pesewas)
            return said

        monkeypatch.setattr(desk.till.client, "refund", refund)
        return sent

    return answer


def cancel(desk: Desk) -> None:
    with desk.till.inside():
        orders.cancel(desk.order.code, AMA)


def rows(till: Till) -> list[tuple[str, int]]:
    with till.across():
        db.session.rollback()
        found = db.session.scalars(select(GatewayRefund).order_by(GatewayRefund.id))
        return [(one.state, one.amount_pesewas) for one in found]


def press(till: Till, kind: str, action: str, seen: int | None = None) -> str:
    with till.across():
        case = till.case(kind)
        return settling.settle(case.id, action, OWNER, words="x", seen_pesewas=seen)


def late(till: Till) -> tuple[Order, str]:
    """A payment that came after its order's end."""
    order = till.opened()
    reference = till.reference(order)
    till.pass_by(2 * 3_600)
    till.pay(reference)
    ring_in(till, reference)
    till.pass_by(70)
    assert till.cases() == ["paid_late"]
    return order, reference


def dispute(till: Till, reference: str) -> int:
    gateway_id = till.dispute(reference)
    with till.across(), transaction():
        disputes.heard(str(gateway_id), reference, "charge.dispute.create")
    till.work()
    return gateway_id


@pytest.mark.parametrize("part", [None, 100])
def test_a_refund_that_waits_is_not_sent_for_what_a_dispute_took(
    desk: Desk, asked: Callable[[Any], list[int]], part: int | None
) -> None:
    sent = asked(POOR)
    cancel(desk)
    desk.till.pass_by(60)
    whole = sent[0]
    desk.open(**({} if part is None else {"amount": part}))
    desk.give("accept")
    desk.till.pass_by(60)
    assert desk.state == "accepted"
    before = len(sent)
    desk.till.pass_by(4 * 3_600)
    owed = set() if part is None else {whole - part}
    assert set(sent[before:]) == owed
    desk.till.proven()


def test_a_refund_that_may_have_gone_is_not_sent_again_while_it_is_disputed(
    desk: Desk, asked: Callable[[Any], list[int]]
) -> None:
    sent = asked(Unclear("lost"))
    cancel(desk)
    desk.till.pass_by(5)
    assert len(sent) == 1
    desk.open()
    desk.till.pass_by(20 * 60)
    assert (len(sent), desk.state) == (1, "needs_answer")
    assert [state for state, _amount in rows(desk.till)] == ["requested"]


def test_news_that_comes_between_the_look_and_the_sending_counts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = desk.till.client.refunds_of

    def slow(payment_id: str) -> Any:
        said = listed(payment_id)
        if not desk.gateway_id:
            desk.gateway_id = desk.till.dispute(desk.reference)
            desk.hear()
        return said

    monkeypatch.setattr(desk.till.client, "refunds_of", slow)
    cancel(desk)
    desk.till.pass_by(5)
    assert desk.called("refund") == 0


def test_no_number_is_taken_for_a_refund_while_it_is_disputed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.till.knobs(refund_outcome="needs-attention", refund_s=2)
    cancel(desk)
    desk.till.pass_by(600)
    assert desk.till.cases() == ["refund_details"]
    with desk.till.across():
        refund_id = db.session.scalars(select(GatewayRefund.id)).one()
    monkeypatch.setattr(
        desk.till.client, "refund_again", lambda *_: pytest.fail("sent")
    )
    with desk.till.inside():
        refunds.send_to(refund_id, "0241234567", "mtn", OWNER)
    desk.open()
    desk.till.pass_by(400)
    with desk.till.inside(), pytest.raises(Unfit, match="disputed"):
        refunds.send_to(refund_id, "0241234567", "mtn", OWNER)


@pytest.mark.parametrize("second", ["won", "lost"])
def test_two_disputes_of_one_payment_take_it_once(desk: Desk, second: str) -> None:
    desk.till.knobs(dispute_verdict=second)
    desk.deliver()
    desk.open()
    desk.bank("expire")
    books = desk.till.balances()
    desk.open()
    desk.give("contest")
    desk.till.pass_by(5)
    desk.bank("verdict")
    assert [one.state for one in desk.every()] == ["auto_accepted", second]
    assert desk.till.balances() == books
    desk.till.proven()


def test_a_part_of_a_wallet_payment_leaves_it_once_whoever_looks_first(
    till: Till,
) -> None:
    paid = till.funded(5_000)
    before = till.wallet()
    gateway_id = till.dispute(paid.reference, amount=2_000)
    with till.across(), transaction():
        disputes.heard(str(gateway_id), paid.reference, "charge.dispute.create")
    till.work()
    till.bank(gateway_id, "expire")
    ring_in(till, paid.reference)
    till.work()
    till.pass_by(5)
    with till.across(), transaction():
        disputes.heard(str(gateway_id), paid.reference, "charge.dispute.resolve")
    till.pass_by(600)
    assert before - till.wallet() == 2_000
    till.proven()


def test_one_that_was_won_and_is_lost_after_all_is_booked(desk: Desk) -> None:
    desk.deliver()
    desk.open()
    desk.give("contest")
    desk.till.pass_by(5)
    desk.bank("verdict")
    assert desk.state == "won" and "dispute_loss" not in desk.till.balances()
    desk.till.lose_again(desk.gateway_id)
    # its row is past its keeping time
    tables_owner.execute("DELETE FROM outbox WHERE kind = 'watch_dispute'")
    desk.hear("charge.dispute.resolve")
    desk.till.work()
    assert desk.state == "lost"
    assert desk.till.balances()["dispute_loss"] == desk.dispute.amount_pesewas
    assert desk.till.cases() == []
    desk.till.proven()


def test_a_late_payment_that_is_disputed_buys_nothing(till: Till) -> None:
    order, reference = late(till)
    dispute(till, reference)
    press(till, "payment_disputed", "close")
    with pytest.raises(ActionRefused, match="may get this money back"):
        press(till, "paid_late", "deliver", order.price_pesewas)


def test_a_late_payment_that_was_taken_back_is_settled(till: Till) -> None:
    order, reference = late(till)
    gateway_id = dispute(till, reference)
    till.bank(gateway_id, "expire")
    with till.across(), transaction():
        disputes.heard(str(gateway_id), reference, "charge.dispute.resolve")
    till.pass_by(60)
    with pytest.raises(ActionRefused, match="taken this money back"):
        press(till, "paid_late", "deliver", order.price_pesewas)
    said = press(till, "paid_late", "owe_back", order.price_pesewas)
    assert "given it back already" in said
    left = till.balances()
    assert "customer_funds" not in left and "dispute_loss" not in left
    till.proven()


def test_one_that_the_gateway_did_not_know_is_found_by_the_sweep(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.deliver()
    desk.gateway_id = desk.till.dispute(desk.reference)
    with monkeypatch.context() as patched:
        patched.setattr(desk.till.client, "dispute", lambda _id: NotFound("no such"))
        desk.hear()
        desk.till.pass_by(700)
    assert desk.state == "unknown"
    with desk.till.across():
        outbox.request("sweep_disputes", SYSTEM)
    desk.till.work()
    desk.till.pass_by(60)
    assert desk.state == "needs_answer"


def test_a_person_is_asked_where_the_payment_is_not_to_be_seen(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.deliver()
    desk.open()
    monkeypatch.setattr(desk.till.client, "verify", lambda _ref: NotFound("no such"))
    desk.bank("expire")
    desk.till.pass_by(10 * 86_400)
    assert "dispute_odd" in desk.till.cases()


def test_an_agent_s_sixth_attempt_takes_the_place_of_the_open_one(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = till.fund(5_000)
    till.work()
    till.pass_by(241)
    with monkeypatch.context() as patched:
        no = Refused("invalid", "invalid", "no")
        patched.setattr(till.client, "initialise", lambda _asked: no)
        for _ in range(5):
            till.fund(5_000)
            till.work()
    newest = till.fund(5_000)
    till.work()
    states = (till.attempt(first).state, till.attempt(newest).state)
    assert states == ("watched", "open") and till.cases() == []


def test_no_whole_number_stays_in_the_evidence(desk: Desk) -> None:
    number = desk.till.read(desk.order).recipient_msisdn
    desk.deliver()
    desk.open()
    desk.give("contest")
    desk.till.pass_by(5)
    assert number[4:] in str(desk.sent_pack()), "the bank gets it"
    desk.bank("verdict")
    assert number[4:] not in str(desk.sent_pack())


@pytest.mark.parametrize("to", [None, "completed"])
def test_what_was_given_back_in_the_dashboard_is_booked_by_a_press(
    desk: Desk, to: str | None
) -> None:
    """Delivered it is our loss; not bought yet it is cancelled, and was owed."""
    till = desk.till
    if to is not None:
        desk.deliver(to)
    paid = desk.payment()
    till.knobs(refund_s=1)
    body = {"transaction": desk.reference, "amount": paid.charged_pesewas}
    key = {"Authorization": f"Bearer {TEST_KEY}"}
    assert till.tools.post("/refund", json=body, headers=key).status_code == 200
    till.pass_by(30)
    ring_in(till, desk.reference)
    till.pass_by(60)
    assert till.cases() == ["payment_reversed"]
    press(till, "payment_reversed", "book_taken", paid.charged_pesewas)
    books = till.balances()
    assert books.get("gateway", 0) == -(paid.fees_pesewas or 0)
    lost = paid.charged_pesewas if to == "completed" else 0
    assert books.get("dispute_loss", 0) == lost
    assert till.state(desk.order) == (to or "cancelled")
    before = desk.called("refund")
    till.pass_by(3 * 86_400)
    assert desk.called("refund") == before, "what was given is not given again"
    assert till.cases() == []
    till.proven()
