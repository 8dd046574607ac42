"""Every page, empty and full: it answers, it is well-formed, and it says what it should."""

from __future__ import annotations

import html5lib
import pytest
from console_scenes import Scene
from visitors import Visitor

from core.supplier import records

PAGES = (
    "/", "/?hours=168", "/supplier", "/catalogue", "/orders", "/orders?state=stuck",
    "/orders?day=today&store=ama",
    "/calls", "/calls?endpoint=purchase", "/webhooks", "/stores", "/stores/ama", "/cases",
    "/books", "/audit", "/refunds", "/disputes", "/disputes?show=answer",
)  # fmt: skip


@pytest.fixture
def full(scene: Scene) -> dict[str, str]:
    """One order in each state in two stores, calls, webhooks, cases, balance reads."""
    states = (
        "pending",
        "queued",
        "unknown",
        "processing",
        "completed",
        "failed",
        "refunded",
        "cancelled",
    )
    codes = {
        state: scene.order(state, number=f"+23324000{n:04}")
        for n, state in enumerate(states)
    }
    codes["kofi"] = scene.order("completed", slug="kofi")
    for pesewas in (200_000, 190_000, 250_000):
        scene.balance(pesewas)
    scene.call(
        codes["completed"],
        "purchase",
        method="POST",
        request_body='{"phone":"0•••567"}',
    )
    scene.call(outcome="no_answer", http_status=None)
    scene.webhook(codes["completed"], verified_by="platform_data_secret")
    scene.webhook(None, b"\xff\xfe not json", raw_status=None)
    scene.case_of(codes["completed"])
    scene.refund(codes["cancelled"])
    scene.refund(codes["refunded"], "open")
    scene.case("float_funded", "float", evidence={"difference_pesewas": 50_000})
    return codes


def parses_clean(html: str) -> None:
    parser = html5lib.HTMLParser(strict=True)
    parser.parse(html)


@pytest.mark.parametrize("path", PAGES)
def test_an_empty_platform_has_pages_that_explain_themselves(
    owner: Visitor, path: str
) -> None:
    answer = owner.get(path)
    assert answer.status_code == 200
    parses_clean(answer.text)


@pytest.mark.slow(seconds=0.3)
def test_full_pages_are_well_formed(
    owner: Visitor, full: dict[str, str], scene: Scene
) -> None:
    call_id = scene.ask(lambda: records.calls(limit=1)[0].id)
    for path in (
        *PAGES,
        *(f"/orders/{code}" for code in full.values()),
        f"/calls/{call_id}",
        "/orders?q=024",
    ):
        answer = owner.get(path)
        assert answer.status_code == 200, path
        parses_clean(answer.text)
        assert "style=" not in answer.text, f"{path}: the policy forbids inline styles"
