"""Lists in pages end with a page that is short or empty, whatever they say of their length."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from core.base import clock
from integrations.payments_port import TOO_MANY_PAGES, Rows
from integrations.paystack import money
from integrations.paystack.asking import PAGE
from integrations.paystack.client import Paystack
from integrations.ports import NoAnswer

KEY = "sk_test_pages"


class Lists(httpx.BaseTransport):
    """A gateway of settlements, so many, whose answers name their pages as they like."""

    def __init__(self, rows: int, meta: Any, cap: int = PAGE) -> None:
        self.rows, self.meta, self.cap, self.asked = rows, meta, cap, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        begin = (int(request.url.params["page"]) - 1) * self.cap
        numbers = range(begin + 1, min(begin + self.cap, self.rows) + 1)
        shown = [{"id": one, "status": "success", "currency": "GHS"} for one in numbers]
        body = {"status": True, "message": "", "data": shown, "meta": self.meta}
        return httpx.Response(200, content=json.dumps(body))


def read(lists: Lists) -> tuple[int, NoAnswer | None]:
    """How many rows a reader got who went on to the end, and what stopped them."""
    client = Paystack(
        KEY,
        mode="test",
        on_call=None,
        clock=clock.now,
        base_url="http://127.0.0.1:9",
        transport=lists,
    )
    page, got = 1, 0
    while True:
        found = client.settlements(page=page)
        if isinstance(found, NoAnswer):
            return got, found
        assert isinstance(found, Rows)
        got += len(found.rows)
        if found.after is None:
            return got, None
        page = int(found.after)


@pytest.mark.parametrize(
    "meta",
    [
        None,
        {},
        [],
        {"pageCount": None},
        {"pageCount": "many"},
        {"pageCount": -3},
        {"pageCount": 0},
        {"pageCount": 1},
        {"pageCount": 2},
        {"pageCount": 99},
    ],
    ids=str,
)
@pytest.mark.parametrize("rows", [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_a_list_is_read_to_its_end_whatever_it_says(rows: int, meta: Any) -> None:
    lists = Lists(rows, meta)
    assert read(lists) == (rows, None)
    assert lists.asked <= rows // PAGE + 2


def test_shorter_pages_than_asked_for_are_followed_while_more_are_named() -> None:
    assert read(Lists(95, {"pageCount": 4}, cap=25)) == (95, None)


def test_a_list_without_an_end_has_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(money, "MOST_PAGES", 3)
    assert read(Lists(3 * PAGE - 1, None)) == (3 * PAGE - 1, None)
    got, said = read(Lists(10 * PAGE, None))
    assert (got, said) == (2 * PAGE, NoAnswer("broken", TOO_MANY_PAGES))
