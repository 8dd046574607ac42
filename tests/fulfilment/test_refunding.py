"""Money that goes back to who paid online: by itself where our facts prove it, once, whatever is
lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from visitors import Visitor

from core import audit, online, orders, settling, taking
from core.audit import CUSTOMER, Actor
from core.base import config
from core.base.db import db, transaction
from core.online import GatewayRefund, refunds
from core.orders import Order
from fulfilment import paying, refunding
from integrations.payment_shapes import Refunds, Refused
from tests.support.till import SETTINGS, TEST_KEY, Till, webhook

pytestmark = pytest.mark.slow(seconds=0.3)

OWNER = Actor("owner", "Owner")
AMA = Actor("agent", "Ama")


class Crash(BaseException):
    """The process ends here."""


def paid(till: Till) -> Order:
    """An order that is paid online and in line."""
    order = till.opened()
    till.pay(till.reference(order))
    till.pass_by(61)
    assert till.state(order) == "queued"
    return order


def cancelled(till: Till) -> Order:
    order = paid(till)
    with till.inside():
        orders.cancel(order.code, AMA)
    return order


def of(till: Till, order: Order) -> list[GatewayRefund]:
    with till.inside():
        db.session.rollback()
        return list(
            db.session.query(GatewayRefund)
            .filter(GatewayRefund.payment_id == till.attempts(order)[0].id)
            .order_by(GatewayRefund.n)
        )


def states(till: Till, order: Order) -> list[str]:
    return [one.state for one in of(till, order)]


def sent(till: Till) -> int:
    """How many refunds the gateway has."""
    return till.fake.gateway.store.count("refund", "test")


def owed(till: Till) -> int:
    return -till.balances().get("refund_due", 0)


def test_a_cancelled_order_s_money_goes_back_by_itself(till: Till) -> None:
    order = cancelled(till)
    assert owed(till) == order.price_pesewas
    till.pass_by(4)
    assert (states(till, order), sent(till)) == (["open"], 1)
    till.pass_by(2 * 3_600)
    assert (states(till, order), owed(till)) == (["done"], 0)
    assert of(till, order)[0].reason == "cancelled"
    till.proven()
    till.pass_by(20 * 86_400)
    assert (states(till, order), sent(till)) == (["done"], 1)
    assert till.next_at() is None


def test_what_is_refunded_by_the_supplier_goes_back_too(till: Till) -> None:
    order = paid(till)
    with till.across(), transaction():
        claim = orders.claim_together([order.id])[0]
        orders.advance(order.id, "refunded", attempt=claim.attempt, text="Refused.")
    till.pass_by(2 * 3_600)
    assert (states(till, order), owed(till)) == (["done"], 0)
    assert of(till, order)[0].reason == "refunded"


def test_nothing_goes_back_of_an_order_that_goes_on(till: Till) -> None:
    order = paid(till)
    till.pass_by(3_600)
    assert (states(till, order), sent(till)) == ([], 0)


@pytest.mark.parametrize("fault", ["http_500_after", "html_after", "truncated"])
def test_story_14_an_answer_that_is_lost_is_one_refund(till: Till, fault: str) -> None:
    till.plan(fault, "refund")
    order = cancelled(till)
    till.pass_by(4)
    assert (states(till, order), sent(till)) == (["submitting"], 1)
    till.pass_by(3 * 3_600)
    assert (states(till, order), sent(till), owed(till)) == (["done"], 1, 0)
    till.proven()


@pytest.mark.parametrize("fault", ["http_503", "http_500", "html"])
def test_what_never_came_there_is_sent_once_absence_is_proven(
    till: Till, fault: str
) -> None:
    till.plan(fault, "refund")
    order = cancelled(till)
    till.pass_by(4)
    assert (states(till, order), sent(till)) == (["submitting"], 0)
    till.pass_by(config.current().refund_absence_s + 2)
    assert sent(till) == 0, "seen absent once"
    till.pass_by(3 * 3_600)
    assert (states(till, order), sent(till), owed(till)) == (["done"], 1, 0)


def test_a_list_that_is_not_whole_or_not_there_proves_nothing(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.plan("http_500_after", "refund")
    order = cancelled(till)
    till.pass_by(4)
    with monkeypatch.context() as blind:
        blind.setattr(
            till.client, "refunds_of", lambda _id: Refunds((), is_whole=False)
        )
        till.pass_by(3_600)
    assert (states(till, order), sent(till)) == (["submitting"], 1)
    till.pass_by(3_600)
    assert (states(till, order), sent(till)) == (["done"], 1)


@pytest.mark.parametrize("after_call", [False, True])
def test_a_worker_that_dies_around_the_call_sends_one(
    till: Till, monkeypatch: pytest.MonkeyPatch, after_call: bool
) -> None:
    order = cancelled(till)
    real = till.client.refund

    def dies(request: object) -> None:
        if after_call:
            real(request)  # type: ignore[arg-type]
        raise Crash

    with monkeypatch.context() as once:
        once.setattr(till.client, "refund", dies)
        with pytest.raises(Crash):
            till.pass_by(4)
    assert (states(till, order), sent(till)) == (["submitting"], int(after_call))
    till.pass_by(3 * 3_600)
    assert (states(till, order), sent(till), owed(till)) == (["done"], 1, 0)
    till.proven()


def test_a_refund_that_a_backup_forgot_is_found_and_not_sent_again(till: Till) -> None:
    order = cancelled(till)
    till.pass_by(4)
    refund = of(till, order)[0]
    with till.inside(), transaction():
        row = online.locked(GatewayRefund, refund.id)
        row.state, row.gateway_refund_id, row.sent_at = "requested", None, None
    till.pass_by(2 * 3_600)
    assert (states(till, order), sent(till), owed(till)) == (["done"], 1, 0)


def test_without_money_at_the_gateway_it_waits_and_a_person_is_told(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = cancelled(till)
    poor = Refused("insufficient_balance", "insufficient_balance", "Too little")
    with monkeypatch.context() as now:
        now.setattr(till.client, "refund", lambda _request: poor)
        till.pass_by(4)
        assert (states(till, order), till.cases()) == (["requested"], ["refund_poor"])
    till.pass_by(3 * 3_600)
    assert (states(till, order), owed(till)) == (["done"], 0)


def test_a_failed_refund_is_a_person_s_and_is_asked_again_by_their_press(
    till: Till,
) -> None:
    till.knobs(refund_outcome="failed")
    order = cancelled(till)
    till.pass_by(2 * 3_600)
    assert (states(till, order), owed(till)) == (["failed"], order.price_pesewas)
    till.pass_by(3 * 86_400)
    assert states(till, order) == ["failed"], "never a second one by itself"
    till.knobs(refund_outcome="processed")
    case = till.case("refund_failed")
    with till.across():
        settling.settle(
            case.id, "refund", OWNER, words="again", seen_pesewas=order.price_pesewas
        )
    till.pass_by(2 * 3_600)
    assert (states(till, order), owed(till)) == (["failed", "done"], 0)
    till.proven()


def test_story_22_it_goes_where_it_came_from_until_the_payer_names_a_number(
    till: Till,
) -> None:
    till.knobs(refund_outcome="needs-attention")
    order = cancelled(till)
    till.pass_by(2 * 3_600)
    assert states(till, order) == ["needs_details"]
    assert till.cases() == ["refund_details"]
    till.pass_by(6 * 3_600)
    assert states(till, order) == ["needs_details"]
    with till.inside():
        refunds.send_to(of(till, order)[0].id, "0241234567", "mtn", OWNER)
    till.pass_by(3 * 3_600)
    assert (states(till, order), sent(till), owed(till)) == (["done"], 1, 0)


def test_story_15_no_more_goes_back_than_is_owed(till: Till) -> None:
    order = cancelled(till)
    till.pass_by(2 * 3_600)
    payment = till.attempts(order)[0]
    with (
        till.inside(),
        transaction(),
        pytest.raises(online.Unfit, match="0.00 is owed"),
    ):
        online.ask_refund(online.locked_payment(payment.id), 1, "cancelled", OWNER)
    assert sent(till) == 1


def test_a_refund_of_somebody_else_stops_ours_until_a_person_has_looked(
    till: Till,
) -> None:
    order = paid(till)
    payment = till.attempts(order)[0]
    head = {"Authorization": f"Bearer {TEST_KEY}"}
    body = {"transaction": payment.reference, "amount": 100, "merchant_note": "by hand"}
    assert till.tools.post("/refund", json=body, headers=head).status_code == 200
    with till.inside():
        orders.cancel(order.code, AMA)
    till.pass_by(4)
    assert (states(till, order), sent(till)) == (["requested"], 1)
    assert "refund_strange" in till.cases()


def test_one_that_comes_back_after_it_was_done_is_owed_again(till: Till) -> None:
    order = cancelled(till)
    till.pass_by(2 * 3_600)
    refund = of(till, order)[0]
    with till.inside():
        assert refunds.take(refund.id, "1", "failed", "failed") == "returned"
    assert owed(till) == order.price_pesewas
    assert till.cases() == ["refund_failed"]
    till.proven()


def test_its_webhook_has_it_looked_at_and_moves_nothing(
    till: Till, visitor: Callable[[str], object]
) -> None:
    order = cancelled(till)
    till.pass_by(4)
    till.pass_by(3_500)
    body, headers = webhook(
        till.reference(order),
        "refund.processed",
        transaction_reference=till.reference(order),
        status="processed",
        amount="999999",
    )
    hooks = visitor("hooks").client  # type: ignore[attr-defined]
    answer = hooks.post(
        "/paystack", base_url="http://hooks.localhost", data=body, headers=headers
    )
    assert answer.status_code == 200
    assert states(till, order) == ["open"], "a webhook moves nothing"
    before = till.fake.gateway.calls["refund_record"]
    till.pass_by(3.1)
    assert till.fake.gateway.calls["refund_record"] == before + 1


def test_a_customer_who_cancels_before_paying_gets_nothing_back(till: Till) -> None:
    order = till.opened()
    with till.inside():
        orders.cancel(order.code, CUSTOMER)
    till.pass_by(3_600)
    assert (states(till, order), sent(till)) == ([], 0)


def test_networks_have_their_names_at_the_gateway(till: Till) -> None:
    with till.across():
        banks = till.client.banks("mobile_money")
    codes = {row.code for row in banks.rows}  # type: ignore[union-attr]
    assert set(refunding.NETWORKS.values()) <= codes


@pytest.mark.parametrize(("bearer", "by", "bears"), [
    ("owner", AMA, False), ("agent", AMA, True), ("agent", CUSTOMER, False), ("agent", OWNER, False),
])  # fmt: skip
def test_who_bears_the_lost_fee_is_a_setting(
    till: Till, using: Callable[..., object], bearer: str, by: Actor, bears: bool
) -> None:
    using(**SETTINGS, refund_fee_bearer=bearer)
    order = till.opened()
    till.pay(till.reference(order))
    with till.inside():
        fee = int(0.0195 * order.price_pesewas)
        taken = till.client.verify(till.reference(order))
        taking.take(till.attempts(order)[0].id, paying.verified(taken))  # type: ignore[arg-type]
        assert orders.advance(order.id, "cancelled", text="Cancelled.", actor=by)
    till.pass_by(2 * 3_600)
    assert states(till, order) == ["done"]
    earnings = till.store_balance("earnings")
    assert (earnings > 0) == bears and abs(earnings - fee * bears) <= 1
    till.proven()


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("processed", "was sent back at"),
        ("failed", "to which number it shall go"),
        ("needs-attention", "to which number it shall go"),
    ],
)
def test_the_order_s_page_says_how_its_money_stands(
    till: Till, visitor: Callable[[str], Visitor], outcome: str, said: str
) -> None:
    till.knobs(refund_outcome=outcome)
    order = cancelled(till)
    page = f"/orders/{order.code}"
    assert "goes back to where you paid from" in visitor("ama").get(page).text
    till.pass_by(4)
    version = till.read(order).version
    assert "We asked for your money back at" in visitor("ama").get(page).text
    till.pass_by(2 * 3_600)
    text = visitor("ama").get(page).text
    assert said in text and "nstantly" not in text
    assert till.read(order).version > version, "who waits at the page would not see it"


def test_what_the_books_do_not_owe_is_not_sent(till: Till, superuser: Any) -> None:
    """Whoever slips a state into the database gets no money for it."""
    order = paid(till)
    with till.across(), transaction():
        claim = orders.claim_together([order.id])[0]
        orders.advance(order.id, "processing", attempt=claim.attempt, text="It has it.")
        orders.advance(order.id, "completed", text="Delivered.")
    superuser.execute("UPDATE orders SET state = 'cancelled'")
    superuser.execute("UPDATE outbox SET due_at = now(), done_at = NULL")
    till.pass_by(3_600)
    assert (states(till, order), sent(till)) == ([], 0)
    superuser.execute("UPDATE orders SET state = 'completed'")


def test_a_number_that_is_refused_there_is_asked_for_again(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.knobs(refund_outcome="needs-attention")
    order = cancelled(till)
    till.pass_by(2 * 3_600)
    refund = of(till, order)[0]
    no = Refused("invalid", "invalid_params", "No such account")
    with monkeypatch.context() as once:
        once.setattr(till.client, "refund_again", lambda *_: no)
        with till.inside():
            refunds.send_to(refund.id, "0241234567", "mtn", OWNER)
        till.pass_by(400)
    assert of(till, order)[0].to_number is None
    assert "No such account" in str(till.case("refund_details").evidence)
    with till.inside():
        refunds.send_to(refund.id, "0241234568", "mtn", OWNER)
    till.pass_by(3 * 3_600)
    assert states(till, order) == ["done"]
    with till.across():
        told = [line for line in audit.recent(20) if line.action == "refund_sent_to"]
    assert len(told) == 2 and "0241234568" not in str(told[0].detail), "masked"


def test_a_disputed_payment_is_not_refunded_before_a_person_has_answered(
    till: Till, visitor: Callable[[str], Visitor]
) -> None:
    order = paid(till)
    reference = till.reference(order)
    body, headers = webhook(
        reference, "charge.dispute.create", transaction={"reference": reference}
    )
    hooks = visitor("hooks").client
    answer = hooks.post(
        "/paystack", base_url="http://hooks.localhost", data=body, headers=headers
    )
    assert (answer.status_code, till.cases()) == (200, ["payment_disputed"])
    with till.inside():
        orders.cancel(order.code, AMA)
    till.pass_by(2 * 3_600)
    assert sent(till) == 0
    case = till.case("payment_disputed")
    with till.across():
        settling.settle(case.id, "close", OWNER, words="answered there, and won")
    till.pass_by(3 * 3_600)
    assert (states(till, order), sent(till)) == (["done"], 1)


def test_a_fee_that_comes_after_the_refund_is_booked(till: Till) -> None:
    till.knobs(fees_late_s=5 * 3_600)
    order = cancelled(till)
    till.pass_by(2 * 3_600)
    assert till.attempts(order)[0].fees_pesewas is None
    till.pass_by(20 * 86_400)
    fee = till.attempts(order)[0].fees_pesewas
    assert fee and till.balances() == {"gateway": -fee, "gateway_fees": fee}
    till.proven()


def test_an_order_whose_payment_went_back_ends_in_its_time(till: Till) -> None:
    """What the kill test found: money of another amount that was given back before the order's end
    kept the order waiting for two weeks."""
    order = till.opened()
    till.pay(till.reference(order), amount=order.price_pesewas - 1)
    till.pass_by(61)
    case = till.case("paid_short")
    with till.across():
        settling.settle(
            case.id,
            "refund",
            OWNER,
            words="again",
            seen_pesewas=order.price_pesewas - 1,
        )
    till.knobs(refund_s=60)
    till.pass_by(15 * 60)
    assert (states(till, order), till.state(order)) == (["done"], "awaiting_payment")
    till.pass_by(15 * 60)
    assert till.state(order) == "expired"
    till.proven()
