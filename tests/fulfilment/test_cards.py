"""Cards beside mobile money: off until the owner names what they may bring a store a day, and then
that much a day, each store for itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from visitors import Visitor

from core import online
from core.audit import Actor
from core.orders import Order
from tests.support.settings import Using
from tests.support.till import Till

pytestmark = pytest.mark.slow(seconds=0.4)

OWNER = Actor("owner", "Owner")
PATH = "/payments/cards"


def limit(till: Till, pesewas: int) -> None:
    with till.across():
        online.set_daily_limit(pesewas, OWNER)


def asks(till: Till, order: Order) -> list[str]:
    """What the gateway was asked to offer for the newest attempt."""
    found = till.fake.gateway.store.named("payment", "test", till.reference(order))
    assert found is not None
    assert till.attempts(order)[0].by_card_too == ("card" in found.doc["channels"])
    return list(found.doc["channels"])


def pay_by_card(till: Till, order: Order) -> int:
    """At the hosted page. Returns what it answers."""
    code = till.attempts(order)[0].access_code
    return till.tools.post(f"/checkout/{code}", data={"act": "card"}).status_code


def test_no_card_is_offered_until_the_owner_says_how_much(till: Till) -> None:
    order = till.opened()
    assert asks(till, order) == ["mobile_money"]
    pay_by_card(till, order)
    till.pass_by(61)
    assert till.state(order) == "awaiting_payment", "the page offers none"


def test_cards_bring_a_store_no_more_a_day_than_the_owner_said(till: Till) -> None:
    price = till.order().price_pesewas
    limit(till, 2 * price + 1)
    till.work()
    first, second = till.opened(), till.opened()
    assert asks(till, first) == ["mobile_money", "card"]
    assert asks(till, second) == ["mobile_money"], "one was asked for before, one waits"
    assert pay_by_card(till, first) == 303
    till.pass_by(61)
    assert till.state(first) == "queued"
    assert till.attempts(first)[0].channel == online.CARD
    till.pass_by(3_600)
    # nobody can pay the others any more; one was paid
    third, fourth = till.opened(), till.opened()
    assert "card" in asks(till, third) and "card" not in asks(till, fourth)
    till.pay(till.reference(third))
    till.pass_by(61)
    assert "card" in asks(till, till.opened()), "that one came by mobile money"
    till.pass_by(86_400)
    assert "card" in asks(till, till.opened()), "another day"
    till.proven()


def test_what_may_still_be_paid_by_card_counts(till: Till) -> None:
    price = till.order().price_pesewas
    limit(till, price)
    till.work()
    order = till.opened()
    assert asks(till, order) == ["mobile_money"], "the first has all of it"
    limit(till, 0)
    assert asks(till, till.opened()) == ["mobile_money"]
    limit(till, 3 * price)
    assert "card" in asks(till, till.opened())


def test_money_into_a_wallet_is_never_by_card(till: Till, superuser: object) -> None:
    with pytest.raises(Exception, match="ck_online_payments_card"):
        superuser.execute(  # type: ignore[attr-defined]
            "INSERT INTO online_payments (store_id, purpose, reference, mode, amount_pesewas,"
            " by_card_too, created_at) VALUES ((SELECT id FROM stores WHERE slug = 'ama'),"
            " 'wallet', 'MK-P-X', 'test', 500, true, now())"
        )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("200", "200.00 a store and day"),
        ("0", "No card is taken"),
        ("", "No card is taken"),
    ],
)
def test_the_owner_says_how_much(till: Till, owner: Visitor, typed: str, said: str):
    answer = owner.post(PATH, {"limit": typed}, follow_redirects=True)
    assert said in answer.text
    with till.across():
        assert online.daily_limit_pesewas() == (20_000 if typed == "200" else 0)
    assert "pay by card" in owner.get("/audit").text


@pytest.mark.parametrize("typed", ["-5", "abc", "1.234", "9999999999", "1e9"])
def test_an_odd_limit_is_said_and_kept(till: Till, owner: Visitor, typed: str) -> None:
    limit(till, 500)
    answer = owner.post(PATH, {"limit": typed})
    assert answer.status_code == 422 and typed in answer.text
    assert 'id="limit-error"' in answer.text
    with till.across():
        assert online.daily_limit_pesewas() == 500


def test_naming_it_asks_once_more_who_it_is(
    till: Till, owner: Visitor, jump: Callable[[float], None], using: Using
) -> None:
    jump(700)
    assert "/account/confirm" in owner.post(PATH, {"limit": "200"}).location
    with till.across():
        assert online.daily_limit_pesewas() == 0
