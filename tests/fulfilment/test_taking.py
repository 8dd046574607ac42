"""Taking money online, by the stories of the contract (§13): what people do at the gateway, what
gets lost, and where the order and the money are afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from visitors import Visitor

from core import orders, outbox, settling, taking
from core.audit import CUSTOMER, Actor
from core.base import clock, config
from core.orders import Order
from fulfilment import housekeeping, paying
from tests.support.settings import Using
from tests.support.till import Till, webhook

pytestmark = pytest.mark.slow(seconds=0.25)

OWNER = Actor("owner", "Owner")
Visit = Callable[[str], Visitor]


def told(till: Till, order: Order) -> list[str]:
    with till.inside():
        return [line.text for line in orders.timeline(till.read(order))]


def ring(visitor: Visit, reference: str, **data: object) -> int:
    body, headers = webhook(reference, **data)  # type: ignore[arg-type]
    hooks = visitor("hooks").client
    answer = hooks.post(
        "/paystack", base_url="http://hooks.localhost", data=body, headers=headers
    )
    return answer.status_code


def test_a_paid_order_goes_in_line_by_itself(till: Till) -> None:
    order = till.opened()
    assert till.state(order) == "awaiting_payment"
    till.pay(till.reference(order))
    till.pass_by(61)
    paid = till.read(order)
    assert paid.state == "queued" and paid.paid_online
    price, agent = paid.price_pesewas, paid.agent_price_pesewas
    books = till.balances()
    fee = till.attempts(order)[0].fees_pesewas
    assert fee
    assert books == {
        "gateway": price - fee,
        "gateway_fees": fee,
        "held": -agent,
        "earnings_pending": agent - price,
    }
    till.proven()
    with till.inside():
        assert outbox.of_order(order.id) is not None, "nobody would buy it"


def test_story_1_seen_and_never_paid_is_not_paid_yet(till: Till) -> None:
    order = till.opened()
    with till.inside():
        taking.returned(order, till.reference(order))
    till.work()
    assert till.state(order) == "awaiting_payment"
    till.pass_by(29 * 60)
    assert till.state(order) == "awaiting_payment"
    till.pass_by(70)
    assert till.state(order) == "expired"
    assert till.attempts(order)[0].state == "watched"
    assert till.balances() == {}
    till.proven()


def test_story_2_the_webhook_alone_completes_the_order(
    till: Till, visitor: Visit
) -> None:
    order = till.opened()
    till.pay(till.reference(order))
    assert ring(visitor, till.reference(order)) == 200
    assert till.state(order) == "awaiting_payment", "a webhook moves nothing"
    till.pass_by(3.1)
    assert till.state(order) == "queued"


def test_story_3_without_a_webhook_the_ladder_finds_it_within_three_minutes(
    till: Till,
) -> None:
    order = till.opened()
    till.pass_by(61)
    till.pay(till.reference(order))
    till.pass_by(120)
    assert till.state(order) == "queued"


def test_story_4_webhook_and_return_at_once_are_one_posting(
    till: Till, visitor: Visit
) -> None:
    order = till.opened()
    reference = till.reference(order)
    till.pay(reference)
    ring(visitor, reference)
    with till.inside():
        taking.returned(order, reference)
    ring(visitor, reference)
    till.pass_by(200)
    assert till.state(order) == "queued"
    look = till.attempts(order)[0].id
    with till.inside():
        said = till.client.verify(reference)
        assert taking.take(look, paying.verified(said)) == "known"  # type: ignore[arg-type]
    till.proven()


def test_story_5_paid_after_the_order_expired_is_a_case(till: Till) -> None:
    order = till.opened()
    reference = till.reference(order)
    till.pay(reference, "leave")
    till.pass_by(45 * 60)
    assert till.state(order) == "expired"
    till.pay(reference)
    till.pass_by(60 * 60)
    late = till.attempts(order)[0]
    assert (till.state(order), late.state, late.pays_order_id) == (
        "expired",
        "paid",
        None,
    )
    assert till.cases() == ["paid_late"]
    assert till.balances()["customer_funds"] == -order.price_pesewas
    till.proven()
    case = till.case("paid_late")
    with till.across(), pytest.raises(settling.ActionRefused, match="words"):
        settling.settle(case.id, "owe_back", OWNER, seen_pesewas=order.price_pesewas)
    with till.across():
        settling.settle(
            case.id, "owe_back", OWNER, words="late", seen_pesewas=order.price_pesewas
        )
    assert till.balances()["refund_due"] == -order.price_pesewas
    assert till.cases() == []
    assert case.id and till.settled("paid_late").posting_ids
    till.proven()


def test_story_6_two_attempts_both_paid_are_one_order_and_one_case(
    till: Till,
) -> None:
    order = till.opened()
    first = till.attempts(order)[0]
    till.pass_by(241)
    with till.inside():
        taking.try_again(order.code, first.id)
    till.work()
    second = till.attempts(order)[0]
    assert second.reference != first.reference
    assert till.attempts(order)[1].state == "watched"
    till.pay(first.reference)
    till.pay(second.reference)
    till.pass_by(4 * 60)
    paid = till.attempts(order)
    assert till.state(order) == "queued"
    assert sorted(one.pays_order_id or 0 for one in paid) == [0, order.id]
    assert till.cases() == ["paid_twice"]
    assert till.balances()["refund_due"] == -order.price_pesewas
    till.proven()


def test_story_7_a_press_made_twice_is_one_attempt(till: Till) -> None:
    order = till.opened()
    first = till.attempts(order)[0]
    with till.inside():
        taking.try_again(order.code, first.id)
    assert len(till.attempts(order)) == 1, "a prompt of it may still be on the phone"
    till.pass_by(241)
    with till.inside():
        taking.try_again(order.code, first.id)
        taking.try_again(order.code, first.id)
    assert len(till.attempts(order)) == 2


def test_story_8_a_lost_answer_opens_another_attempt_and_watches_the_first(
    till: Till,
) -> None:
    till.plan("http_500_after", "initialize")
    order = till.order()
    till.work()
    first = till.attempts(order)[0]
    assert first.state == "asked", "nobody knows whether it was opened"
    till.pass_by(10)
    second, old = till.attempts(order)
    assert (second.state, old.state, old.id) == ("open", "watched", first.id)
    assert second.reference != old.reference
    till.pay(old.reference)
    till.pass_by(60)
    assert till.state(order) == "queued", "whichever is paid pays it"
    assert till.attempts(order)[0].state == "watched"
    till.proven()


def test_a_page_that_was_never_made_is_asked_for_under_the_same_reference(
    till: Till,
) -> None:
    till.plan("http_500", "initialize")
    order = till.order()
    till.work()
    till.pass_by(10)
    (only,) = till.attempts(order)
    assert only.state == "open"


@pytest.mark.parametrize(
    ("changes", "kind", "state"),
    [
        ({"amount": 1}, "paid_short", "paid"),
        ({"currency": "NGN"}, "paid_unfit", "refused"),
        ({"domain": "live"}, "paid_unfit", "refused"),
    ],
)
def test_story_9_less_or_another_currency_or_world_delivers_nothing(
    till: Till, changes: dict[str, object], kind: str, state: str
) -> None:
    order = till.opened()
    if "amount" in changes:
        changes = {"amount": order.price_pesewas - 1}
    till.pay(till.reference(order), **changes)
    till.pass_by(61)
    assert till.state(order) == "awaiting_payment"
    assert till.attempts(order)[0].state == state
    assert till.cases() == [kind]
    owed = till.balances().get("refund_due", 0)
    assert owed == (1 - order.price_pesewas if state == "paid" else 0)
    till.proven()
    till.pass_by(31 * 60)
    assert till.state(order) == "expired"
    till.proven()


def test_story_10_more_than_asked_is_accepted_and_kept(till: Till) -> None:
    order = till.opened()
    till.pay(till.reference(order), "approve_raised")
    till.pass_by(61)
    paid = till.attempts(order)[0]
    assert till.state(order) == "queued"
    assert (paid.charged_pesewas or 0) > paid.amount_pesewas == order.price_pesewas
    till.proven()


def test_story_11_a_reference_of_another_shop_is_kept_and_answered(
    till: Till, visitor: Visit
) -> None:
    assert ring(visitor, "SHOP-OF-SOMEBODY-1") == 200
    assert till.work() == 0
    assert till.cases() == []


def test_story_12_only_the_very_bytes_signed_by_a_key_of_ours_count(
    till: Till, visitor: Visit, using: Using
) -> None:
    order = till.opened()
    body, headers = webhook(till.reference(order))
    hooks = visitor("hooks").client

    def post(data: bytes, head: dict[str, str]) -> int:
        return hooks.post(
            "/paystack", base_url="http://hooks.localhost", data=data, headers=head
        ).status_code

    assert post(body.replace(b'","', b'", "'), headers) == 400
    assert post(body, {}) == 400
    assert post(body, headers | {"X-Paystack-Signature": "0" * 128}) == 400
    assert post(b"x" * 2_000_000, headers) == 413
    assert post(*webhook(till.reference(order), key="sk_test_of_before")) == 400
    till.app.extensions["payments"] = _with_previous(till, "sk_test_of_before")
    assert post(*webhook(till.reference(order), key="sk_test_of_before")) == 200
    assert post(body, headers) == 200
    assert till.state(order) == "awaiting_payment"


def _with_previous(till: Till, key: str) -> object:
    from integrations.paystack.client import Paystack
    from tests.support.till import TEST_KEY

    return Paystack(
        TEST_KEY, mode="test", previous_key=key, on_call=None, clock=clock.now
    )


@pytest.mark.parametrize("metadata", ["", 0, None, "a text", [], {"order": "K"}])
def test_story_13_whatever_the_metadata_is_nothing_breaks(
    till: Till, visitor: Visit, metadata: object
) -> None:
    order = till.opened()
    till.pay(till.reference(order))
    assert ring(visitor, till.reference(order), metadata=metadata) == 200
    till.pass_by(4)
    assert till.state(order) == "queued"


@pytest.mark.parametrize("amount", ["five", "5.00", -1, None, 10**30])
def test_what_a_webhook_says_of_amounts_is_not_believed(
    till: Till, visitor: Visit, amount: object
) -> None:
    order = till.opened()
    assert ring(visitor, till.reference(order), amount=amount) == 200
    till.pass_by(4)
    assert till.state(order) == "awaiting_payment"
    assert till.balances() == {}


def test_a_failed_attempt_may_be_tried_again_and_paid_after_all(till: Till) -> None:
    order = till.opened()
    first = till.attempts(order)[0]
    till.pay(first.reference, "decline")
    till.pass_by(61)
    assert till.attempts(order)[0].state == "failed"
    assert till.state(order) == "awaiting_payment", "an order is not its attempt"
    with till.inside():
        taking.try_again(order.code, first.id)
    till.work()
    assert till.attempts(order)[0].state == "open"
    till.pay(till.reference(order))
    till.pass_by(61)
    assert till.state(order) == "queued"


def test_a_customer_cancels_and_pays_all_the_same(till: Till) -> None:
    order = till.opened()
    with till.inside():
        orders.cancel(order.code, CUSTOMER)
    till.pay(till.reference(order))
    till.pass_by(61)
    assert till.state(order) == "cancelled"
    assert till.cases() == ["paid_late"]
    till.proven()


def test_an_attempt_that_is_never_paid_is_watched_for_three_days_and_ends(
    till: Till,
) -> None:
    order = till.opened()
    till.pass_by(80 * 3_600)
    assert till.attempts(order)[0].state == "ended"
    assert till.next_at() is None
    assert till.verified() < 20, "a ladder, not a loop"


def test_a_ring_is_followed_for_three_minutes(till: Till) -> None:
    """Who comes back a moment before the money: no webhook, no second return."""
    order = till.opened()
    till.pass_by(10)
    with till.inside():
        taking.returned(order, till.reference(order))
    till.work()
    assert till.state(order) == "awaiting_payment"
    till.pay(till.reference(order))
    till.pass_by(6)
    assert till.state(order) == "queued"


def test_a_fee_that_comes_late_is_booked_when_it_is_known(till: Till) -> None:
    till.knobs(fees_late_s=1_800)
    order = till.opened()
    till.pay(till.reference(order))
    till.pass_by(61)
    assert till.state(order) == "queued"
    assert till.attempts(order)[0].fees_pesewas is None
    till.pass_by(2 * 3_600)
    fee = till.attempts(order)[0].fees_pesewas
    assert fee and till.balances()["gateway_fees"] == fee
    till.proven()


def test_while_the_gateway_is_silent_nothing_expires(till: Till) -> None:
    order = till.opened()
    till.plan("http_503", "verify", times=0)
    till.pass_by(45 * 60)
    assert till.state(order) == "awaiting_payment", "no answer is no answer"
    till.plan("http_503", "verify", nth=10**6)
    till.pay(till.reference(order))
    till.pass_by(61)
    assert till.state(order) == "queued"


def test_nothing_is_asked_where_it_is_not_switched_on(
    till: Till, superuser: object
) -> None:
    superuser.execute("DELETE FROM settings WHERE key = 'pay_online'")  # type: ignore[attr-defined]
    with pytest.raises(orders.NotPaidOnline):
        till.order()
    assert till.initialised() == 0


def test_nothing_is_asked_for_what_the_fee_would_eat(till: Till, using: Using) -> None:
    using(gateway_fee_bp=4_999, **_key())
    with pytest.raises(orders.NotPaidOnline):
        till.order()


def test_nothing_is_asked_for_what_cannot_be_bought(
    till: Till, superuser: object
) -> None:
    superuser.execute(  # type: ignore[attr-defined]
        "UPDATE buying SET short = (SELECT jsonb_object_agg(id, now()) FROM bundles)"
    )
    with pytest.raises(orders.NotBuyable):
        till.order()
    assert till.initialised() == 0


def test_no_attempt_more_for_what_cannot_be_bought_any_more(
    till: Till, superuser: object
) -> None:
    order = till.opened()
    first = till.attempts(order)[0]
    till.pass_by(241)
    superuser.execute(  # type: ignore[attr-defined]
        "UPDATE buying SET short = (SELECT jsonb_object_agg(id, now()) FROM bundles)"
    )
    with till.inside(), pytest.raises(orders.NotPaidOnline):
        taking.try_again(order.code, first.id)
    assert len(till.attempts(order)) == 1


def test_no_more_than_a_few_attempts_for_one_order(till: Till, using: Using) -> None:
    using(payment_tries=2, **_key())
    order = till.opened()
    till.pass_by(241)
    with till.inside():
        taking.try_again(order.code, till.attempts(order)[0].id)
    till.pass_by(241)
    with till.inside(), pytest.raises(orders.WrongState, match="too often"):
        taking.try_again(order.code, till.attempts(order)[0].id)


def test_a_paid_order_that_cannot_be_bought_goes_back_after_two_hours(
    till: Till, superuser: object
) -> None:
    order = till.opened()
    till.pay(till.reference(order))
    superuser.execute(  # type: ignore[attr-defined]
        "UPDATE buying SET short = (SELECT jsonb_object_agg(id, now()) FROM bundles)"
    )
    till.pass_by(61)
    assert till.state(order) == "queued", "a paid order is never refused"
    with till.across():
        assert orders.expire_pending() == orders.end_unbuyable() == 0
    till.jump(2 * 3_600)
    with till.across():
        housekeeping.expire()  # as the relay does in each round
    assert till.state(order) == "cancelled"
    assert till.balances()["refund_due"] == -order.price_pesewas
    till.proven()


def test_a_paid_order_whose_cost_has_passed_its_price_goes_back_at_once(
    till: Till, superuser: object
) -> None:
    order = till.opened()
    till.pay(till.reference(order))
    till.pass_by(61)
    with till.across():
        orders.wait(order.id, "cost")
        assert orders.end_unbuyable() == 1
    assert till.state(order) == "cancelled"
    till.proven()


def test_what_waits_for_a_payment_counts_as_ordered(till: Till, using: Using) -> None:
    using(orders_open_per_device=1, **_key())
    caller = orders.Caller("a device")

    def place() -> None:
        from core import catalog

        with till.inside():
            orders.place(
                bundle_id=catalog.shelf()[0].bundle_id,
                recipient_msisdn="+233241234567",
                idempotency_key=f"crowd-{clock.now().timestamp()}",
                repeat_confirmed=True,
                caller=caller,
                online=True,
            )

    place()
    with pytest.raises(orders.TooManyOpen):
        place()


def _key() -> dict[str, str]:
    from tests.support.till import SETTINGS

    return SETTINGS


def test_an_order_makes_no_more_attempts_by_itself_than_its_customer_could(
    till: Till,
) -> None:
    """Every answer of the gateway is lost, and every repeat is a duplicate."""
    till.plan("http_500_after", "initialize", times=0)
    order = till.order()
    till.pass_by(29 * 60)
    assert len(till.attempts(order)) <= config.current().payment_tries
    till.pass_by(40 * 60)
    assert till.state(order) == "expired"
    assert len(till.attempts(order)) <= config.current().payment_tries


def test_coming_back_to_an_old_order_asks_the_gateway_seldom(till: Till) -> None:
    order = till.opened()
    till.pass_by(2 * 3_600)
    asked = till.verified()
    for _ in range(60):
        with till.inside():
            taking.returned(order, till.reference(order))
        till.pass_by(4)
    assert till.verified() - asked <= len(config.current().payment_rung_ladder_s) + 2


def test_a_wait_for_a_turn_cancels_no_paid_order(till: Till, superuser: Any) -> None:
    order = till.opened()
    till.pay(till.reference(order))
    till.pass_by(61)
    superuser.execute("UPDATE orders SET wait_reason = 'rate'")
    till.jump(3 * 3_600)
    with till.across():
        assert orders.end_unbuyable() == 0
