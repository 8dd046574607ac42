"""Stores that signed up: the owner sees who waits, says yes, or no with a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tables_owner
from console_scenes import Scene
from flask import Flask
from sqlalchemy import insert
from visitors import Visitor

from core import audit, onboarding, requirements, stores
from core.accounts import users
from core.accounts.confirmations import Confirmation
from core.audit import SYSTEM
from core.base import clock
from tests.support.settings import Using

ESI = {
    "name": "Esi Owusu",
    "phone": "024 555 0101",
    "password": "river stone lamp seven",
    "store_name": "Esi's Data",
}


@pytest.fixture
def esi(visitor: Callable[[str], Visitor]) -> Visitor:
    """Somebody who has just signed up."""
    portal = visitor("portal")
    assert portal.post("/sign-up", ESI).status_code == 303
    return portal


def store_now(scene: Scene) -> Any:
    return scene.ask(lambda: stores.by_slug("esis-data"))


def acts(scene: Scene) -> list[str]:
    return [line.action for line in scene.ask(lambda: audit.recent(20))]


def test_who_waits_is_said_first(owner: Visitor, esi: Visitor) -> None:
    assert "1 store waits for your approval" in owner.get("/").text
    page = owner.get("/stores").text
    assert "Waiting for your approval" in page and "Esi Owusu, +233245550101" in page
    assert "Confirm" not in owner.get("/stores/ama").text
    shown = owner.get("/stores/esis-data").text
    assert "Approve Esi&#39;s Data" in shown and "Fund your wallet" in shown


def test_yes_is_said_once_and_its_agent_opens_it(
    owner: Visitor, esi: Visitor, scene: Scene
) -> None:
    for _ in range(2):
        answer = owner.post("/stores/esis-data/approve", {"seen": "waiting"})
        assert answer.status_code == 303
    assert acts(scene).count("approve_store") == 1
    store = store_now(scene)
    assert (store.approval, store.status) == ("approved", "closed")
    assert "approval" not in owner.get("/").text
    assert "The owner of Makola approved the store" in esi.get("/").text


def test_no_has_a_reason_that_the_agent_reads_and_may_ask_again(
    owner: Visitor, esi: Visitor, scene: Scene
) -> None:
    empty = owner.post("/stores/esis-data/refuse", {"seen": "waiting", "reason": " "})
    assert empty.status_code == 422 and "Say why" in empty.text
    form = {"seen": "waiting", "reason": "Send your Ghana Card"}
    assert owner.post("/stores/esis-data/refuse", form).status_code == 303
    page = esi.get("/").text
    assert "Not approved: Send your Ghana Card" in page and "Ask again" in page
    for _ in range(2):
        assert esi.post("/approval").status_code == 303
    assert store_now(scene).approval == "waiting"
    found = acts(scene)
    assert found.count("refuse_store") == found.count("ask_approval") == 1


def test_the_second_of_two_who_decide_reads_what_the_first_did(
    owner: Visitor, esi: Visitor, scene: Scene
) -> None:
    form = {"seen": "waiting", "reason": "Send your Ghana Card"}
    owner.post("/stores/esis-data/refuse", form)
    answer = owner.post("/stores/esis-data/approve", {"seen": "waiting"})
    assert answer.status_code == 409 and "Somebody decided meanwhile" in answer.text
    assert store_now(scene).approval == "refused"


def test_the_console_opens_no_store_that_is_not_approved(
    owner: Visitor, esi: Visitor, scene: Scene
) -> None:
    answer = owner.post("/stores/esis-data/open")
    assert answer.status_code == 409 and "is not approved" in answer.text
    assert store_now(scene).status == "closed"


def test_an_approval_taken_back_closes_the_store(
    owner: Visitor, ama_agent: Visitor, scene: Scene
) -> None:
    form = {"seen": "approved", "reason": "Complaints"}
    assert owner.post("/stores/ama/refuse", form).status_code == 303
    store = scene.ask(lambda: stores.by_slug("ama"))
    assert (store.status, store.approval, store.is_hidden) == (
        "closed",
        "refused",
        False,
    )
    ama_agent.post("/open")
    assert scene.ask(lambda: stores.by_slug("ama")).status == "closed"
    assert "Not approved: Complaints" in ama_agent.get("/").text


def test_who_signs_up_is_approved_at_once_where_the_setting_says_so(
    app: Flask, visitor: Callable[[str], Visitor], using: Using, scene: Scene
) -> None:
    using(approve_by_itself=True)
    visitor("portal").post("/sign-up", ESI)
    assert store_now(scene).approval == "approved"


def test_a_suspended_store_is_not_opened_by_its_agent(
    ama_agent: Visitor, scene: Scene
) -> None:
    ama = scene.ask(lambda: stores.by_slug("ama"))
    user = scene.ask(lambda: users.by_email("ama@example.test"))
    tables_owner.execute(
        insert(Confirmation).values(
            user_id=user.id,
            kind="phone",
            address="+233240000001",
            tries=0,
            sends=0,
            confirmed_at=clock.now(),
        )
    )
    assert not requirements.missing(scene.ask(lambda: requirements.of_store(ama.id)))
    scene.ask(lambda: onboarding.set_store_status(ama.id, "suspended", "fraud", SYSTEM))
    ama_agent.post("/open")
    assert "Makola suspended your store" in ama_agent.get("/").text
    assert scene.ask(lambda: stores.by_slug("ama")).status == "suspended"
