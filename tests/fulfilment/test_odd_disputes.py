"""A dispute that does not fit ours, until a person says what holds: the gateway's word, or that it is
nothing of ours. Then refunds of its payment are free again, or forbidden by what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core import disputes, orders, settling
from core.audit import Actor
from core.base.db import transaction
from integrations.payment_shapes import NotFound
from tests.support.disputes_desk import Desk
from tests.support.till import AMA, Till

pytestmark = pytest.mark.slow(seconds=0.4)

OWNER = Actor("owner", "Owner")
HOUR = 3_600
Odd = Callable[[Any], Any]


@pytest.fixture
def desk(till: Till) -> Desk:
    till.knobs(refund_s=60)
    return Desk(till)


def so(**odd: Any) -> Odd:
    return lambda true: replace(true, **odd)


@pytest.fixture
def says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[[Odd], None]:
    """The gateway's record of disputes is so from now on."""
    true = desk.till.client.dispute

    def say(odd: Odd) -> None:
        monkeypatch.setattr(desk.till.client, "dispute", lambda id_: odd(true(id_)))

    return say


def press(desk: Desk, action: str, words: str = "Asked Paystack.") -> str:
    case = desk.till.case("dispute_odd")
    with desk.till.across():
        return settling.settle(case.id, action, OWNER, words=words)


def offered(desk: Desk) -> list[str]:
    case = desk.till.case("dispute_odd")
    with desk.till.across():
        return [one.action for one in settling.choices(settling.facts_of(case))]


def cancel(desk: Desk) -> None:
    with desk.till.inside():
        orders.cancel(desk.order.code, AMA)


def owed(desk: Desk) -> int:
    return -desk.till.store_balance("refund_due")


ANOTHER = so(payment_reference="mk-p-another-00000000")
NAIRA = so(currency="NGN", amount_pesewas=10**6)


@pytest.mark.parametrize(
    "odd",
    [ANOTHER, NAIRA, so(needs_person=True), so(amount_pesewas=None)],
    ids=["payment", "currency", "word", "amount"],
)
def test_what_is_nothing_of_ours_keeps_refunds_from_nothing(
    desk: Desk, says: Callable[[Odd], None], odd: Odd
) -> None:
    says(odd)
    desk.open()
    cancel(desk)
    desk.till.pass_by(8 * HOUR)
    assert owed(desk) == desk.order.price_pesewas, "until somebody says what holds"
    assert offered(desk) == ["take_word", "disown", "close"]
    with pytest.raises(settling.ActionRefused, match="few words"):
        press(desk, "disown", "  ")
    assert "may be refunded again" in press(desk, "disown")
    assert (desk.state, desk.till.cases()) == ("unknown", [])
    assert "Owner says" in desk.timeline()
    desk.till.pass_by(HOUR)
    assert owed(desk) == 0, "it went back by itself"
    for _day in range(2):  # its list and its news name it again, unchanged
        with desk.till.across():
            disputes.swept(str(desk.gateway_id), desk.reference, is_over=False)
        desk.hear()
        desk.till.work()
    assert (desk.state, desk.till.cases()) == ("unknown", [])
    desk.till.proven()


def test_when_the_gateway_says_something_else_it_is_taken_up_again(
    desk: Desk, says: Callable[[Odd], None]
) -> None:
    desk.deliver()
    says(NAIRA)
    desk.open()
    press(desk, "disown")
    assert desk.state == "unknown"
    says(so())
    desk.hear()
    desk.till.work()
    assert (desk.state, desk.till.cases()) == ("needs_answer", ["payment_disputed"])
    desk.bank("expire")
    assert desk.state == "auto_accepted"
    assert desk.till.balances()["dispute_loss"] == desk.order.price_pesewas
    desk.till.proven()


def test_the_gateways_word_holds_and_it_is_answered_as_any_other(
    desk: Desk, says: Callable[[Odd], None]
) -> None:
    """It names more than was paid, in another currency: all of the payment, at most."""
    says(NAIRA)
    desk.open()
    cancel(desk)
    assert "asked anew" in press(desk, "take_word")
    desk.till.work()
    whole = desk.order.price_pesewas
    assert (desk.state, desk.dispute.amount_pesewas) == ("needs_answer", whole)
    desk.till.pass_by(HOUR)
    assert owed(desk) == whole, "by what the dispute says it is still disputed"
    assert desk.till.cases() == ["payment_disputed"]
    desk.bank("expire")
    assert (desk.state, owed(desk)) == ("auto_accepted", 0)
    assert desk.dispute.taken_pesewas == whole
    assert desk.till.cases() == []
    desk.till.proven()


@pytest.mark.parametrize("odd", [ANOTHER, lambda _: NotFound("77")])
def test_by_the_gateways_word_it_is_of_another_payment_or_none(
    desk: Desk, says: Callable[[Odd], None], odd: Odd
) -> None:
    says(NAIRA)
    desk.open()
    cancel(desk)
    press(desk, "take_word")
    says(odd)
    desk.till.pass_by(HOUR)
    assert (desk.state, desk.till.cases(), owed(desk)) == ("unknown", [], 0)
    desk.till.proven()


def test_a_word_that_nobody_knows_asks_again(
    desk: Desk, says: Callable[[Odd], None]
) -> None:
    says(so(needs_person=True, raw_status="moonlit"))
    desk.open()
    press(desk, "take_word")
    desk.till.work()
    assert sorted(desk.till.cases()) == ["dispute_odd", "payment_disputed"]
    assert desk.state == "heard"


@pytest.mark.parametrize(
    ("resolution", "payment_is", "state", "taken"),
    [
        ("merchant-accepted", "paid", "accepted", True),
        ("declined", "failed", "won", False),
    ],
)
def test_one_that_is_over_and_not_seen_at_its_payment_ends_by_its_own_word(
    desk: Desk,
    says: Callable[[Odd], None],
    monkeypatch: pytest.MonkeyPatch,
    resolution: str,
    payment_is: str,
    state: str,
    taken: bool,
) -> None:
    desk.deliver()
    desk.open()
    over = {"status": "resolved", "raw_status": "resolved", "resolved_at": None}
    said = so(**over, resolution=resolution)
    true = desk.till.client.verify
    seen_as = lambda reference: replace(true(reference), status=payment_is)
    monkeypatch.setattr(desk.till.client, "verify", seen_as)
    says(said)
    desk.till.pass_by(4 * 24 * HOUR)
    assert "dispute_odd" in desk.till.cases()
    press(desk, "take_word")
    desk.till.work()
    assert (desk.state, bool(desk.dispute.taken_pesewas)) == (state, taken)
    assert "payment_disputed" not in desk.till.cases()
    assert "dispute_odd" not in desk.till.cases()
    desk.till.proven()


def test_what_was_answered_is_ours_and_what_is_over_is_only_closed(
    desk: Desk, says: Callable[[Odd], None]
) -> None:
    desk.deliver()
    desk.open()
    desk.give("contest", "It came.")
    desk.till.pass_by(5)
    says(NAIRA)
    desk.till.pass_by(7 * HOUR)
    assert offered(desk) == ["take_word", "close"]
    with pytest.raises(settling.ActionRefused, match="answer of ours was given"):
        press(desk, "disown")
    with desk.till.across(), transaction():
        found = disputes.odd.lock(f"dispute:{desk.dispute.id}")
        assert found is not None
        found.dispute.state = "won"
    assert offered(desk) == ["close"]
    for action in ("take_word", "disown"):
        with pytest.raises(settling.ActionRefused, match="is over"):
            press(desk, action)
