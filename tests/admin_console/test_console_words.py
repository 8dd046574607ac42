"""Nobody reads the program's own words in the console: audit, calls, webhooks, details."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from console_scenes import AGENT, Scene
from visitors import Visitor

from admin_console import calls, words
from core import audit, cases, catalog, outbox
from core.audit import Kind
from core.cases import KINDS
from core.settling import ACTIONS
from fulfilment import gateway_hooks
from integrations.datamart import webhook

CODE = re.compile(r"\b[a-z]+_[a-z_]+\b|\bTrue\b|\bFalse\b|\bNone\b|\berrand \d|outbox")


def seen(page: str) -> str:
    """What a person reads of a page."""
    body = page.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_every_word_of_a_closed_list_has_a_person_s_word() -> None:
    assert set(words.CALLS) == set(calls.ENDPOINTS)
    assert set(words.ACTIONS) == set(ACTIONS)
    assert set(words.ACTORS) == set(get_args(Kind))
    of_supplier = set(webhook.MODES) - {"none"}
    assert set(words.SIGNATURES) == of_supplier | set(gateway_hooks.SIGNED_BY.values())


def test_the_audit_is_in_people_s_words(owner: Visitor, scene: Scene) -> None:
    with scene.inside("ama"):
        line = catalog.price_table()[0]
        for hidden in (True, False):
            catalog.save_price(
                line.bundle_id, line.agent_price_pesewas + 77, hidden, AGENT
            )
    scene.settle(scene.case(), "close", "it means pending")
    with scene.everywhere():
        for kind in outbox.KINDS[1:]:
            outbox.request(kind, AGENT)
        catalog.pause_sales("stock-taking", AGENT)
        audit.write(
            AGENT,
            "close_case",
            "case:9",
            {"kind": "float_funded", "action": "confirm_funding"},
        )
    page = seen(owner.get("/audit").text)
    assert CODE.findall(page) == []
    for said in (
        "on sale",
        "hidden from customers",
        "asked for the balance",
        "about: Float funded?",
        "all sales",
    ):
        assert said in page, said


@pytest.mark.parametrize("outcome", [*words.OUTCOMES])
def test_calls_and_webhooks_are_in_people_s_words(
    owner: Visitor, scene: Scene, outcome: str
) -> None:
    code = scene.order("completed")
    for endpoint in calls.ENDPOINTS:
        scene.call(endpoint=endpoint, outcome=outcome, path="/v1/x")
    for signed in words.SIGNATURES:
        scene.webhook(
            code, signed.encode(), event="order", verified_by=signed, raw_status="done"
        )
    for path in ("/calls", "/webhooks"):
        page = re.sub(
            r"Body, \d+ bytes.*?(?= [a-z]+ “done”|$)", "", seen(owner.get(path).text)
        )
        assert CODE.findall(page) == [], path


def test_details_of_an_order_s_timeline_are_lines(owner: Visitor, scene: Scene) -> None:
    page = seen(owner.get(f"/orders/{scene.order('completed')}").text)
    assert "the supplier&#39;s word: completed" in page
    assert "raw_status" not in page and "{" not in page


def test_each_kind_of_case_has_a_short_name() -> None:
    from admin_console.case_words import SHORT

    assert set(SHORT) == set(KINDS) == set(cases.KINDS)
