"""The switches of online payment: the platform's at the console, the store's own in the portal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from visitors import Visitor

from core import online, requirements, stores, taking
from core.base import tenancy
from core.requirements import Facts
from core.taking import Covered
from tests.support.settings import Using
from tests.support.till import SETTINGS, Till

PATH = "/store/pay-online"


def on_of(app: Flask, slug: str = "ama") -> bool:
    with app.app_context():
        store = stores.by_slug(slug)
        assert store is not None
        return store.pay_online


def audited(superuser: Any) -> list[str]:
    rows = superuser.execute(
        "SELECT action FROM audit WHERE action LIKE 'pay_online%' ORDER BY id"
    )
    return [action for (action,) in rows]


def test_everything_is_off_until_both_have_switched_it_on(
    app: Flask,
    owner: Visitor,
    ama_agent: Visitor,
    superuser: Any,
    using: Using,
) -> None:
    using(**SETTINGS)
    superuser.execute("UPDATE store_bundles SET price_pesewas = price_pesewas + 200")
    page = ama_agent.get(PATH)
    assert "does not take online payments now" in page.text and "Off" in page.text
    refused = ama_agent.post(PATH, {"on": "1"}, follow_redirects=True)
    assert "Customers cannot pay online yet" in refused.text
    assert not on_of(app) and audited(superuser) == []
    assert "On: stores" in owner.post("/payments/on", {}, follow_redirects=True).text
    assert "Let customers pay online" in ama_agent.get(PATH).text
    said = ama_agent.post(PATH, {"on": "1"}, follow_redirects=True)
    assert "On: customers can pay online" in said.text and on_of(app)
    assert not on_of(app, "kofi")
    ama_agent.post(PATH, {"on": "0"})
    assert not on_of(app)
    assert (
        "Off: no payment" in owner.post("/payments/off", {}, follow_redirects=True).text
    )
    assert audited(superuser) == [
        "pay_online_on",
        "pay_online_on",
        "pay_online_off",
        "pay_online_off",
    ]
    with app.app_context(), tenancy.across_stores():
        assert not online.platform_is_on()


def test_prompts_are_a_switch_of_the_owner_s_own(
    app: Flask, owner: Visitor, superuser: Any, using: Using
) -> None:
    assert "Prompts on phones" not in owner.get("/payments").text, "there is no key"
    using(**SETTINGS)
    assert "Switch prompts on" in owner.get("/payments").text
    on = owner.post("/payments/prompts/on", {}, follow_redirects=True).text
    assert "On: whoever pays online" in on and "Switch prompts off" in on
    with app.app_context(), tenancy.across_stores():
        assert online.prompts.are_on() and not online.platform_is_on()
    off = owner.post("/payments/prompts/off", {}, follow_redirects=True).text
    assert "Off: no phone" in off and "Switch prompts on" in off
    rows = superuser.execute("SELECT action FROM audit WHERE action LIKE 'pay_by%'")
    assert [row[0] for row in rows] == ["pay_by_prompt_on", "pay_by_prompt_off"]


def test_without_a_key_nothing_is_switched_on(owner: Visitor) -> None:
    said = owner.post("/payments/on", {}, follow_redirects=True)
    assert "PAYSTACK_SECRET_KEY" in said.text and "Nothing was changed" in said.text


@pytest.mark.parametrize("on", ["", "2", "yes", "1 "])
def test_another_word_switches_nothing(app: Flask, ama_agent: Visitor, on: str) -> None:
    said = ama_agent.post(PATH, {"on": on}, follow_redirects=True)
    assert "Nothing was changed" in said.text and not on_of(app)


def test_switching_on_asks_once_more_who_it_is(
    owner: Visitor, ama_agent: Visitor, jump: Callable[[float], None], app: Flask
) -> None:
    jump(700)
    console = ((owner, "/payments/on"), (owner, "/payments/prompts/on"))
    for visitor, path in (*console, (ama_agent, PATH)):
        answer = visitor.post(path, {"on": "1"})
        assert answer.location.startswith("/account/confirm"), path
    off = owner.post("/payments/off", {})
    assert off.location.endswith("/payments"), "a kill switch is one press"


def test_only_the_owners_switch(logged_in: Callable[..., Visitor], app: Flask) -> None:
    cashier = logged_in("cashier@example.test", "portal", "ama")
    assert cashier.get(PATH).status_code == 200
    assert cashier.post(PATH, {"on": "1"}).status_code == 403


def test_the_page_of_payments_shows_what_became_of_each(
    till: Till, owner: Visitor
) -> None:
    order = till.opened()
    till.pay(till.reference(order))
    till.pass_by(61)
    page = owner.get("/payments")
    assert order.code in page.text and "Paid" in page.text
    assert till.reference(order) in page.text
    assert owner.get("/payments?before=1").status_code == 200
    assert owner.get("/payments?before=x").status_code == 200


def facts(**changes: Any) -> Facts:
    given: dict[str, Any] = {
        "approval": "approved",
        "approval_note": "",
        "has_whatsapp": True,
        "phone": "confirmed",
        "email": "none",
        "can_send": True,
        "networks": ("MTN",),
        "has_catalogue": True,
        "wallet_pesewas": 0,
        "wants_terms": True,
        "has_terms": True,
    }
    return Facts(**given | changes)


@pytest.mark.parametrize(
    ("changes", "covered", "is_offered", "missing"),
    [
        ({}, Covered(2, 3), True, []),
        ({}, Covered(2, 3), False, ["platform"]),
        ({"approval": "waiting"}, Covered(2, 3), True, ["approval"]),
        ({}, Covered(0, 3), True, ["prices"]),
        ({"has_terms": False}, Covered(2, 3), True, ["terms"]),
        ({"has_terms": False, "wants_terms": False}, Covered(2, 3), True, []),
    ],
)
def test_a_fact_that_goes_flips_its_item(
    changes: dict[str, Any], covered: Covered, is_offered: bool, missing: list[str]
) -> None:
    found = taking.items(facts(**changes), covered, is_offered=is_offered)
    assert [item.key for item in found if item.state != "done"] == missing
    assert {item.blocks for item in found} == {"pay_online"}
    assert requirements.missing(found) == [], "none of it keeps a store from selling"


@pytest.mark.parametrize(
    ("agent_price", "floor"), [(1, 2), (98, 100), (981, 1_001), (10_000, 10_199)]
)
def test_the_floor_leaves_the_agent_price_after_the_fee(
    app: Flask, using: Using, agent_price: int, floor: int
) -> None:
    using(gateway_fee_bp=195)
    found = online.floor_of(agent_price)
    assert found == floor
    assert found * (10_000 - 195) >= agent_price * 10_000 > (found - 1) * (10_000 - 195)
