"""A settlement that took more than is ours, or brought more: said once, accepted by one press."""

from __future__ import annotations

import pytest

from core import orders, settling
from core.audit import Actor
from core.cases import Case
from tests.fulfilment.test_gateway_days import net
from tests.support.gateway_days import Calendar
from tests.support.till import Till

pytestmark = pytest.mark.slow(seconds=0.4)

OWNER = Actor("owner", "Owner")
WORDS = "Another shop's refund was taken off."


@pytest.fixture
def days(till: Till) -> Calendar:
    return Calendar(till)


def offered(till: Till, case: Case) -> dict[str, int | None]:
    with till.across():
        facts = settling.facts_of(case)
        return {one.action: one.amount_pesewas for one in settling.choices(facts)}


def press(till: Till, case: Case, action: str, seen: int | None) -> str:
    with till.across():
        return settling.settle(case.id, action, OWNER, words=WORDS, seen_pesewas=seen)


def taken_off(days: Calendar, pesewas: int, *, besides: int = 0) -> None:
    """The settlement of the night has so much less than what was paid less fees."""
    whole = days.till.balances()["gateway"] + besides
    days.thing(
        "settlement",
        "settlement-1",
        deductions=max(0, pesewas) + besides,
        effective=whole - besides - pesewas,
    )


@pytest.mark.parametrize(
    ("less", "action", "other"),
    [
        (300, "settled_less", "settled_more"),
        (-200, "settled_more", "settled_less"),
        (1, "settled_less", "settled_more"),
    ],
)
def test_what_is_not_ours_of_a_settlement_is_accepted_by_one_press(
    till: Till, days: Calendar, less: int, action: str, other: str
) -> None:
    order = days.paid()
    days.night(2)
    taken_off(days, less)
    days.compare()
    (settlement,) = days.settlements()
    assert settlement.booked_pesewas == net(order) - less
    assert till.balances()["gateway"] == less
    assert till.cases() == ["settlement_differs"]
    case = till.case("settlement_differs")
    assert case.seen[0]["differs_pesewas"] == less
    assert offered(till, case) == {action: abs(less), "close": None}
    before = till.balances()
    for wrong, seen in ((action, abs(less) + 1), (action, None), (other, abs(less))):
        with pytest.raises(settling.ActionRefused):
            press(till, case, wrong, seen)
    assert (till.balances(), till.cases()) == (before, ["settlement_differs"])
    assert "is accepted as a" in press(till, case, action, abs(less))
    with pytest.raises(settling.ActionRefused, match="closed already"):
        press(till, case, action, abs(less))
    assert "gateway" not in till.balances()
    assert till.balances()["dispute_loss"] == less
    assert len(till.settled("settlement_differs").posting_ids) == 1
    days.anew(days.day)
    assert till.cases() == [], "a day explained so is not said again"
    till.proven()


def test_what_is_left_of_a_settlement_that_brought_nothing_can_be_accepted(
    till: Till, days: Calendar
) -> None:
    order = days.paid()
    days.night(2)
    days.thing("settlement", "settlement-1", effective=-5)
    days.compare()
    case = till.case("settlement_differs")
    assert offered(till, case)["settled_less"] == net(order)
    press(till, case, "settled_less", net(order))
    assert "gateway" not in till.balances()
    till.proven()


def test_refunds_of_ours_explain_what_was_taken_off_and_nobody_is_asked(
    till: Till, days: Calendar
) -> None:
    """Beside another shop's, of which alone a person is asked."""
    till.knobs(refund_s=60)
    days.paid()
    back = days.paid()
    with till.inside():
        orders.cancel(back.code, Actor("agent", "Ama"))
    till.pass_by(200)
    days.night(2)
    taken_off(days, 120, besides=back.price_pesewas)
    days.compare()
    (settlement,) = days.settlements()
    assert settlement.explained_pesewas == back.price_pesewas
    case = till.case("settlement_differs")
    assert offered(till, case) == {"settled_less": 120, "close": None}
    press(till, case, "settled_less", 120)
    assert "gateway" not in till.balances()
    till.proven()


def test_what_a_refund_explains_by_now_is_accepted_by_nobody(
    till: Till, days: Calendar
) -> None:
    """The refund was made in the dashboard, and is known here only after the settlement."""
    till.knobs(refund_s=60)
    order = days.paid()
    days.night(2)
    taken_off(days, order.price_pesewas)
    days.compare()
    case = till.case("settlement_differs")
    with till.inside():
        orders.cancel(order.code, Actor("agent", "Ama"))
    till.pass_by(200)
    assert offered(till, case) == {"close": None}
    with pytest.raises(settling.ActionRefused, match="Nothing of ours is missing"):
        press(till, case, "settled_less", order.price_pesewas)
    press(till, case, "close", None)
    till.proven()


def test_a_refund_explains_one_settlement_and_not_another(
    till: Till, days: Calendar
) -> None:
    till.knobs(refund_s=60)
    days.paid()
    back = days.paid()
    with till.inside():
        orders.cancel(back.code, Actor("agent", "Ama"))
    till.pass_by(200)
    days.night(2)
    days.compare()
    assert (till.cases(), till.balances().get("gateway")) == ([], None)
    days.paid()
    days.night(7)
    whole = till.balances()["gateway"]
    off = back.price_pesewas // 2
    days.thing("settlement", "settlement-2", deductions=off, effective=whole - off)
    days.compare()
    assert len(days.settlements()) == 2
    assert offered(till, till.case("settlement_differs"))["settled_less"] == off
