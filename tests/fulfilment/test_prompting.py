"""Prompts on a phone: one call for one reference, whatever is lost on the way; what the phone's owner
is told; and money by the look-up alone."""

from __future__ import annotations

from typing import Any

import pytest

from core import online, orders, taking
from core.audit import CUSTOMER, Actor
from core.base import config, tenancy
from core.online import OnlinePayment, Payer
from core.orders import Order
from core.taking import prompts
from tests.support.settings import Using
from tests.support.till import SETTINGS, Till

pytestmark = pytest.mark.slow(seconds=0.3)

OWNER = Actor("owner", "Owner")
MTN = Payer("+233241234567", "mtn")


def payer(ending: str, network: str = "mtn") -> Payer:
    """A number that the sandbox plays by its ending."""
    return Payer(f"+2332412345{ending}", network)


@pytest.fixture
def phones_on(till: Till) -> Till:
    with till.app.app_context():
        online.prompts.switch(True, OWNER)
    return till


def ask(till: Till, whom: Payer = MTN) -> Order:
    """An order whose customer asks for a prompt on this phone."""
    order = till.order(by_prompt=True)
    with till.inside():
        taking.prompts.ask(order.code, 0, whom)
    return order


def asked(till: Till, whom: Payer = MTN) -> Order:
    order = ask(till, whom)
    till.work()
    return order


def charged(till: Till) -> int:
    """How often the gateway was told to ask a phone."""
    return int(till.fake.gateway.calls["charge"])


def now(till: Till, order: Order) -> OnlinePayment:
    return till.attempts(order)[0]


def again(till: Till, order: Order, whom: Payer = MTN) -> int:
    """Its customer asks once more; how many attempts there are then."""
    with till.inside():
        taking.prompts.ask(order.code, now(till, order).id, whom)
    return len(till.attempts(order))


def test_a_prompt_that_is_approved_pays_its_order(phones_on: Till) -> None:
    till = phones_on
    order = ask(till)
    assert charged(till) == 0, "no page waits for the gateway"
    till.work()
    attempt = now(till, order)
    assert (attempt.state, attempt.prompt_step) == ("open", "approve_on_phone")
    assert attempt.payer_number == "+23324xxx4567", "the number was used"
    assert attempt.amount_pesewas == order.price_pesewas, "one price, whichever way"
    till.pass_by(31)
    assert till.state(order) == "queued"
    assert charged(till) == 1 and till.initialised() == 0
    till.proven()


def test_off_nobody_is_asked(till: Till) -> None:
    order = till.order(by_prompt=True)
    assert now(till, order).way == "page", "its customer pays by the page"
    with till.inside(), pytest.raises(orders.WrongState, match="not possible now"):
        taking.prompts.ask(order.code, now(till, order).id, MTN)
    till.work()
    assert charged(till) == 0


ENDINGS = {
    # ending: what the phone's owner is told at first, state of attempt and order after four minutes
    "02": ("approve_on_phone", "failed", "awaiting_payment"),
    "04": ("approve_on_phone", "failed", "awaiting_payment"),
    "06": ("approve_on_phone", "open", "awaiting_payment"),
    "10": ("waiting", "paid", "queued"),
}


def test_whatever_the_phone_does_has_an_end(phones_on: Till) -> None:
    till = phones_on
    made = {ending: ask(till, payer(ending)) for ending in ENDINGS}
    till.work()
    steps = {ending: now(till, order).prompt_step for ending, order in made.items()}
    assert steps == {ending: told[0] for ending, told in ENDINGS.items()}
    till.pass_by(241)
    ends = {
        ending: (now(till, order).state, till.state(order))
        for ending, order in made.items()
    }
    assert ends == {ending: told[1:] for ending, told in ENDINGS.items()}
    assert till.cases() == []
    till.pass_by(5_400)
    states = {till.state(order) for order in made.values()}
    assert states == {"queued", "expired"}
    assert till.cases() == ["paid_late"], "45 minutes later one is approved after all"
    assert charged(till) == len(ENDINGS)
    till.proven()


LOST = ("http_500_after", "http_503", "html", "truncated")


def test_an_answer_that_is_lost_asks_no_phone_again(phones_on: Till) -> None:
    till = phones_on
    made = {fault: ask(till) for fault in LOST}
    till.plan_each(
        {"fault": fault, "call": "charge", "reference": till.reference(order)}
        for fault, order in made.items()
    )
    till.work()
    for order in made.values():
        assert now(till, order).prompt_step in ("unknown", "approve_on_phone")
        assert again(till, order) == 1, "one may be on the phone"
    till.pass_by(230)
    assert charged(till) == len(LOST)
    paid = [fault for fault, order in made.items() if till.state(order) == "queued"]
    assert paid == ["http_500_after", "truncated"]
    till.pass_by(11)
    order = made["http_503"]
    assert again(till, order, payer("01")) == 2
    till.pass_by(31)
    assert till.state(order) == "queued"
    till.proven()


class Killed(BaseException):
    """The worker dies here."""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_worker_leaves_one_call_at_most(
    phones_on: Till, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    till = phones_on
    order = ask(till)
    real = till.client.charge

    def die(request: Any) -> Any:
        if when == "after":
            real(request)
        raise Killed

    monkeypatch.setattr(till.client, "charge", die)
    with pytest.raises(Killed):
        till.work()
    monkeypatch.undo()
    till.pass_by(230)
    assert charged(till) == (when == "after")
    assert till.state(order) == ("queued" if when == "after" else "awaiting_payment")
    assert len(till.attempts(order)) == 1


def test_two_workers_at_one_row_ask_once(phones_on: Till) -> None:
    till = phones_on
    order = ask(till)
    with till.inside():
        first = prompts.claim(now(till, order).id)
        assert first is not None and first.number == MTN.number
        assert prompts.claim(now(till, order).id) is None
        prompts.came(now(till, order).id, "unknown")
        prompts.not_sent(now(till, order).id)  # too late: another has looked
        assert prompts.claim(now(till, order).id) is None


@pytest.mark.parametrize("fault", ["http_429", "http_401"])
def test_what_certainly_was_not_sent_is_sent_later_under_its_reference(
    phones_on: Till, fault: str
) -> None:
    till = phones_on
    till.plan(fault, "charge")
    order = asked(till)
    assert (now(till, order).state, now(till, order).prompted_at) == ("asked", None)
    till.pass_by(65)
    assert charged(till) == 2 and len(till.attempts(order)) == 1
    till.pass_by(31)
    assert till.state(order) == "queued"


def test_no_other_attempt_while_a_prompt_may_be_on_the_phone(phones_on: Till) -> None:
    """Counted from the call, not from the press: the gateway may have been away between."""
    till = phones_on
    till.plan("http_429", "charge", seconds=60, times=3)
    order = asked(till, payer("04"))
    till.pass_by(181)
    assert charged(till) == 4
    till.pass_by(170)
    assert now(till, order).state == "open"
    assert again(till, order) == 1
    with till.inside():
        taking.try_again(order.code, now(till, order).id)
    assert len(till.attempts(order)) == 1
    till.pass_by(75)
    assert again(till, order) == 2


def test_two_prompts_that_are_both_approved_pay_one_order(phones_on: Till) -> None:
    till = phones_on
    order = asked(till, payer("07"))
    till.pass_by(31)
    assert now(till, order).state == "failed"
    assert again(till, order, payer("01")) == 2
    till.pass_by(300)
    assert till.state(order) == "queued"
    assert till.cases() == ["paid_twice"]
    assert sum(one.pays_order_id == order.id for one in till.attempts(order)) == 1
    till.proven()


def test_who_is_at_the_page_may_ask_a_phone_once_the_page_is_over(
    phones_on: Till,
) -> None:
    till = phones_on
    order = till.opened()
    assert again(till, order) == 1
    till.pass_by(241)
    assert again(till, order) == 2
    till.work()
    assert [one.state for one in till.attempts(order)] == ["open", "watched"]


# The voucher


def test_a_voucher_is_taken_to_the_gateway_once_and_kept_by_nobody(
    phones_on: Till, superuser: Any, caplog: pytest.LogCaptureFixture
) -> None:
    till = phones_on
    order = asked(till, payer("05", "telecel"))
    assert now(till, order).prompt_step == "enter_otp"
    for _ in range(2):
        with till.inside():
            prompts.give_voucher(order, now(till, order).id, " 123-456 ")
    assert now(till, order).voucher == "123456"
    till.pass_by(4)
    assert now(till, order).voucher is None
    till.pass_by(20)
    assert till.state(order) == "queued"
    assert till.fake.gateway.calls["submit_otp"] == 1
    for table in (
        "online_payments",
        "outbox",
        "order_events",
        "supplier_calls",
        "audit",
    ):
        rows = superuser.execute(f"SELECT t::text FROM {table} t").fetchall()
        assert not [row for row in rows if "123456" in row[0]], table
        assert not [row for row in rows if "0241234505" in row[0]], table
    assert "123456" not in caplog.text


def test_a_wrong_voucher_ends_the_attempt_and_another_may_be_made(
    phones_on: Till,
) -> None:
    till = phones_on
    order = asked(till, payer("05", "telecel"))
    with till.inside():
        prompts.give_voucher(order, now(till, order).id, "999999")
    till.pass_by(4)
    assert now(till, order).state == "failed"
    assert again(till, order, payer("01")) == 2


@pytest.mark.parametrize("fault", ["http_500_after", "http_503"])
def test_a_voucher_whose_answer_is_lost_is_not_sent_again(
    phones_on: Till, fault: str
) -> None:
    till = phones_on
    till.plan(fault, "submit_otp")
    order = asked(till, payer("05", "telecel"))
    with till.inside():
        prompts.give_voucher(order, now(till, order).id, "123456")
    till.pass_by(30)
    assert till.fake.gateway.calls["submit_otp"] == 1
    if fault == "http_500_after":
        assert till.state(order) == "queued"
    else:
        assert now(till, order).prompt_step == "enter_otp", (
            "the gateway still waits for it"
        )


def test_a_few_vouchers_and_no_more(
    phones_on: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = phones_on
    till.plan("http_503", "submit_otp", times=0)
    order = asked(till, payer("05", "telecel"))
    for _ in range(config.current().voucher_tries):
        with till.inside():
            prompts.give_voucher(order, now(till, order).id, "123456")
        till.pass_by(4)
    with till.inside(), pytest.raises(orders.WrongState, match="Too many codes"):
        prompts.give_voucher(order, now(till, order).id, "123456")
    assert till.fake.gateway.calls["submit_otp"] == config.current().voucher_tries


def test_a_voucher_that_reached_nobody_is_asked_for_again(phones_on: Till) -> None:
    till = phones_on
    till.plan("http_429", "submit_otp")
    order = asked(till, payer("05", "telecel"))
    with till.inside():
        prompts.give_voucher(order, now(till, order).id, "123456")
    till.pass_by(4)
    attempt = now(till, order)
    assert (attempt.prompt_step, attempt.voucher_tries, attempt.voucher) == (
        "enter_otp",
        0,
        None,
    )


def test_what_cannot_be_a_voucher_is_not_kept(phones_on: Till) -> None:
    till = phones_on
    order = asked(till, payer("05", "telecel"))
    for typed in ("", "12", "1" * 13, "12 34 5!", "ⅷⅷⅷⅷ", "<b>1234"):
        with till.inside(), pytest.raises(prompts.BadVoucher):
            prompts.give_voucher(order, now(till, order).id, typed)
    assert now(till, order).voucher is None


def test_a_voucher_nobody_could_take_is_dropped(phones_on: Till) -> None:
    till = phones_on
    order = asked(till, payer("05", "telecel"))
    with till.inside():
        prompts.give_voucher(order, now(till, order).id, "123456")
    till.jump(301)
    with till.across():
        assert online.prompts.forget() == 1
    assert now(till, order).voucher is None
    till.pass_by(1)
    assert till.fake.gateway.calls["submit_otp"] == 0


def test_no_code_is_taken_where_none_is_asked_for(phones_on: Till) -> None:
    till = phones_on
    order = asked(till)
    with till.inside(), pytest.raises(orders.WrongState, match="No code is asked"):
        prompts.give_voucher(order, now(till, order).id, "123456")


# Who may be asked


def test_a_phone_is_asked_a_few_times_an_hour(phones_on: Till, using: Using) -> None:
    till = phones_on
    using(prompts_per_number_hour=2, **SETTINGS)
    for _ in range(2):
        ask(till)
    order = till.order(by_prompt=True)
    with till.inside(), pytest.raises(orders.WrongState, match="very often"):
        taking.prompts.ask(order.code, 0, MTN)
    with till.inside():
        taking.prompts.ask(order.code, 0, payer("01"))
    till.jump(3_601)
    other = till.order(by_prompt=True)
    with till.inside():
        taking.prompts.ask(other.code, 0, MTN)


def test_a_press_made_twice_is_one_attempt(phones_on: Till) -> None:
    till = phones_on
    order = ask(till)
    with till.inside():
        taking.prompts.ask(order.code, 0, MTN)
    assert len(till.attempts(order)) == 1


def test_a_number_that_was_never_asked_is_masked_with_its_order(
    phones_on: Till,
) -> None:
    till = phones_on
    order = ask(till)
    with till.inside():
        orders.cancel(order.code, CUSTOMER)
        assert prompts.claim(now(till, order).id) is None
    till.work()
    assert charged(till) == 0, "nobody is asked for an order that is over"
    till.jump(31 * 60)
    with till.across():
        online.prompts.forget()
    assert now(till, order).payer_number == "+23324xxx4567"


def test_another_store_gives_no_voucher(phones_on: Till) -> None:
    till = phones_on
    order = asked(till, payer("05", "telecel"))
    with till.inside():
        other = order.store_id + 1
        with pytest.raises(tenancy.ForeignRow):
            prompts._keep_voucher(other, order.code, now(till, order).id, "123456")
