"""A refund that somebody ordered at the gateway itself: a person counts it as given back, once and
only as far as it is owed; what is left goes back by itself."""

from __future__ import annotations

import pytest

from core import orders, settling
from core.audit import Actor
from core.base.db import db
from core.online import GatewayRefund
from core.orders import Order
from tests.support.gateway_days import HEAD
from tests.support.till import Till

pytestmark = pytest.mark.slow(seconds=0.4)

OWNER, AMA = Actor("owner", "Owner"), Actor("agent", "Ama")
WORDS = "Given back in the dashboard."


def given_back(till: Till, pesewas: int | None, *more: int) -> Order:
    """A paid order that was cancelled, after somebody had given so much back by hand; None: all."""
    till.knobs(refund_s=60)
    order = till.opened()
    till.pay(till.reference(order))
    till.pass_by(61)
    by_hand(till, order, order.price_pesewas if pesewas is None else pesewas)
    with till.inside():
        orders.cancel(order.code, AMA)
    till.pass_by(4)
    assert till.cases() == ["refund_strange"]
    return order


def by_hand(till: Till, order: Order, pesewas: int) -> None:
    body = {"transaction": till.reference(order), "amount": pesewas}
    said = till.tools.post("/refund", json=body | {"merchant_note": "me"}, headers=HEAD)
    assert said.status_code == 200


def press(till: Till, pesewas: int) -> str:
    case = till.case("refund_strange")
    with till.across():
        return settling.settle(
            case.id, "adopt_refund", OWNER, words=WORDS, seen_pesewas=pesewas
        )


def offered(till: Till) -> dict[str, int | None]:
    with till.across():
        facts = settling.facts_of(till.case("refund_strange"))
        return {one.action: one.amount_pesewas for one in settling.choices(facts)}


def states(till: Till, order: Order) -> list[tuple[str, int]]:
    with till.inside():
        db.session.rollback()
        rows = db.session.query(GatewayRefund).order_by(GatewayRefund.n)
        payment = till.attempts(order)[0].id
        return [
            (one.state, one.amount_pesewas)
            for one in rows.filter(GatewayRefund.payment_id == payment)
        ]


def sent(till: Till) -> int:
    return till.fake.gateway.store.count("refund", "test")


def test_all_of_it_is_booked_when_the_gateway_says_so(till: Till) -> None:
    order = given_back(till, None)
    whole = order.price_pesewas
    assert offered(till) == {"adopt_refund": whole, "close": None}
    assert press(till, whole) == f"{_cedis(whole)} counts as given back."
    assert till.balances()["refund_due"] == -whole, "nothing moves by the press"
    till.proven()
    till.pass_by(200)
    assert states(till, order) == [("failed", whole), ("done", whole)]
    assert "refund_due" not in till.balances()
    assert (sent(till), till.cases()) == (1, [])
    till.proven()
    # and never a second one, however often it is looked at
    till.pass_by(20 * 24 * 3_600)
    assert (sent(till), len(states(till, order))) == (1, 2)


def test_what_is_owed_beyond_it_goes_back_by_itself(till: Till) -> None:
    order = given_back(till, 100)
    rest = order.price_pesewas - 100
    press(till, 100)
    till.pass_by(400)
    assert states(till, order)[1:] == [("done", 100), ("done", rest)]
    assert (sent(till), till.cases()) == (2, [])
    assert "refund_due" not in till.balances()
    till.proven()


def test_a_second_one_asks_again(till: Till) -> None:
    order = given_back(till, 100)
    press(till, 100)
    by_hand(till, order, 50)
    till.pass_by(200)
    assert till.cases() == ["refund_strange"]
    assert offered(till) == {"adopt_refund": 50, "close": None}
    press(till, 50)
    till.pass_by(400)
    assert sent(till) == 3
    assert "refund_due" not in till.balances()
    till.proven()


def test_one_that_fails_there_after_all_is_owed_and_asked_about(till: Till) -> None:
    till.knobs(refund_outcome="failed")
    order = given_back(till, None)
    press(till, order.price_pesewas)
    till.pass_by(200)
    assert till.cases() == ["refund_failed"]
    assert till.balances()["refund_due"] == -order.price_pesewas
    till.proven()


def test_no_more_than_is_owed_and_only_once(till: Till, superuser: object) -> None:
    order = given_back(till, 100)
    case = till.case("refund_strange")
    press(till, 100)
    with pytest.raises(settling.ActionRefused, match="closed already"), till.across():
        settling.settle(case.id, "adopt_refund", OWNER, words=WORDS, seen_pesewas=100)
    assert len(states(till, order)) == 2
    superuser.execute("UPDATE cases SET closed_at = NULL WHERE id = %s", (case.id,))  # type: ignore[attr-defined]
    with pytest.raises(settling.ActionRefused, match="is counted already"):
        press(till, 100)


def test_more_than_is_owed_is_our_loss_and_not_adopted(
    till: Till, superuser: object
) -> None:
    order = given_back(till, None)
    superuser.execute(  # type: ignore[attr-defined]
        "UPDATE cases SET evidence = jsonb_set(evidence, '{0,refunded_there_pesewas}', %s::jsonb)",
        (str(order.price_pesewas + 1),),
    )
    assert offered(till) == {"close": None}
    with pytest.raises(settling.ActionRefused, match="more than is owed"):
        press(till, order.price_pesewas + 1)
    assert len(states(till, order)) == 1


def test_while_ours_may_be_on_its_way_it_waits_until_absence_is_proven(
    till: Till,
) -> None:
    """Ours was lost on its way there; meanwhile somebody did it by hand."""
    till.knobs(refund_s=60)
    order = till.opened()
    till.pay(till.reference(order))
    till.pass_by(61)
    till.plan("http_503", "refund")
    with till.inside():
        orders.cancel(order.code, AMA)
    till.pass_by(4)
    assert states(till, order)[0][0] == "submitting"
    by_hand(till, order, order.price_pesewas)
    till.pass_by(61)
    assert till.cases() == ["refund_strange"]
    with pytest.raises(settling.NotYet, match="may be on its way"):
        press(till, order.price_pesewas)
    till.pass_by(200)
    assert states(till, order)[0][0] == "requested"
    press(till, order.price_pesewas)
    till.pass_by(200)
    assert (sent(till), "refund_due" in till.balances()) == (1, False)
    till.proven()


def _cedis(pesewas: int) -> str:
    return f"GH₵\N{NO-BREAK SPACE}{pesewas / 100:.2f}"
