"""The logs of the wire: what we asked the supplier, what it answered, what it sent us."""

from __future__ import annotations

import re

import pytest
from console_scenes import Scene
from visitors import Visitor

from core.supplier import records
from tests.support.settings import Using


def listed(html: str) -> list[int]:
    return [int(text) for text in re.findall(r'href="/calls/(\d+)"', html)]


@pytest.fixture
def ids(scene: Scene) -> list[int]:
    """Five calls, newest first."""
    code = scene.order("processing")
    scene.call(endpoint="balance")
    scene.call(endpoint="products")
    scene.call(code, "status")
    scene.call(
        endpoint="balance", outcome="no_answer", http_status=None, duration_ms=30_120
    )
    return [call.id for call in scene.ask(lambda: records.calls(limit=50))]


def test_calls_are_listed_newest_first(owner: Visitor, ids: list[int]) -> None:
    page = owner.get("/calls").text
    assert listed(page) == ids
    assert len(ids) == 5
    assert "30.1\N{NO-BREAK SPACE}s" in page
    assert "Nothing to use" in page


def test_calls_are_filtered_by_endpoint_and_reference(
    owner: Visitor, scene: Scene, ids: list[int]
) -> None:
    order = scene.ask(lambda: records.calls(endpoint="status", limit=1))[0].order_refs[
        0
    ]
    assert len(listed(owner.get("/calls?endpoint=balance").text)) == 2
    assert len(listed(owner.get(f"/calls?q={order}").text)) == 2
    assert len(listed(owner.get(f"/calls?q=+{order.lower()}+").text)) == 2
    assert len(listed(owner.get(f"/calls?q={order}&endpoint=purchase").text)) == 1
    assert listed(owner.get("/calls?endpoint=nonsense").text) == ids, (
        "an endpoint that does not exist filters nothing"
    )
    nothing = owner.get("/calls?q=MK-NOBODY")
    assert listed(nothing.text) == []
    assert "No such call" in nothing.text


@pytest.mark.parametrize(
    "query",
    [
        "before=x",
        "before=" + "9" * 40,
        "q=%00",
        "q=%FF",
        "q=" + "A" * 3_000,
        "endpoint[]=x",
    ],
)
def test_odd_questions_get_a_page(owner: Visitor, ids: list[int], query: str) -> None:
    assert owner.get(f"/calls?{query}").status_code in (200, 400)


def test_calls_follow_by_keyset(owner: Visitor, ids: list[int], using: Using) -> None:
    using(page_size=3)
    page = owner.get("/calls?endpoint=").text
    assert listed(page) == ids[:3]
    older = re.search(r'href="(/calls\?[^"]*before=\d+[^"]*)"', page)
    assert older
    assert listed(owner.get(older[1].replace("&amp;", "&")).text) == ids[3:]


def test_one_call_shows_both_bodies_folded(owner: Visitor, scene: Scene) -> None:
    scene.call(
        endpoint="balance", request_body="what we sent", response_body="what came back"
    )
    call = scene.ask(lambda: records.calls(limit=1))[0]
    page = owner.get(f"/calls/{call.id}").text
    assert re.search(
        r"<details[^>]*><summary>What we sent</summary><pre[^>]*>what we sent</pre></details>",
        page,
    )
    assert re.search(
        r"<details[^>]*><summary>What came back</summary><pre[^>]*>what came back</pre></details>",
        page,
    )
    assert "GET /v1/balance" in page


def test_a_call_that_was_never_answered_says_so(owner: Visitor, scene: Scene) -> None:
    code = scene.order("submitting")
    call = scene.ask(lambda: records.calls(limit=1))[0]
    page = owner.get(f"/calls/{call.id}").text
    assert "not yet, or the worker died during the call" in page
    assert scene.find(code).order_ref in page


@pytest.mark.parametrize(
    "path",
    [
        "/calls/0",
        "/calls/999999999999999999",
        "/calls/9999999999999999999999",
        "/calls/x",
    ],
)
def test_an_unknown_call_is_404(owner: Visitor, path: str) -> None:
    assert owner.get(path).status_code == 404


def test_webhooks_show_what_they_said_and_whether_they_were_verified(
    owner: Visitor, scene: Scene
) -> None:
    code = scene.order("processing")
    scene.webhook(code, b'{"a":1}', verified_by="platform_data_secret")
    scene.webhook(code, b'{"a":1}', verified_by="platform_data_secret")
    scene.webhook(None, b"\xff\x00 not text", event="", raw_status=None)
    page = owner.get("/webhooks").text
    assert page.count("transaction.status_update") == 1
    assert "came 2×" in page
    assert "signed with our API secret" in page and "Not verified" in page
    assert "names no order" in page and "no event name" in page
    assert scene.find(code).order_ref in page


def test_webhooks_follow_by_keyset(owner: Visitor, scene: Scene, using: Using) -> None:
    for n in range(5):
        scene.webhook(None, f"body {n} end".encode())
    using(page_size=3)
    page = owner.get("/webhooks").text
    assert re.findall(r"body (\d) end", page) == ["4", "3", "2"]
    older = re.search(r'href="(/webhooks\?before=\d+)"', page)
    assert older
    assert re.findall(r"body (\d) end", owner.get(older[1]).text) == ["1", "0"]


def test_empty_logs_say_why(owner: Visitor) -> None:
    assert "No calls yet" in owner.get("/calls").text
    assert "No webhooks yet" in owner.get("/webhooks").text
