"""What the portal and the console cost in data: pages as they go out, compressed, with what they
bring along."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Flask
from visitors import Visitor

BROWSER = {"Accept-Encoding": "gzip, deflate, br", "Sec-Fetch-Site": "same-origin"}
WITHOUT_TLS = {"Accept-Encoding": "gzip, deflate"}
QUEUE_BYTES, FIRST_VISIT_BYTES = 8_000, 26_000


def fill(app: Flask, place: Callable[..., str], count: int) -> None:
    """So many orders in the queue, no two alike in number, code or age."""
    for at in range(count):
        place(number=f"024{(at * 7_919_317) % 10_000_000:07}", gb=(1, 2, 5)[at % 3])


def weight(visitor: Visitor, path: str) -> int:
    with visitor.get(path, headers=BROWSER) as answer:
        return len(answer.data)


def brought_along(visitor: Visitor, path: str) -> set[str]:
    html = visitor.get(path).text
    return set(re.findall(r'(?:href|src)="(/static/[^"#]+)', html))


def first_visit(visitor: Visitor, path: str) -> dict[str, int]:
    """Bytes of a page and of everything it needs, for a browser that has never been here."""
    files = {file: weight(visitor, file) for file in brought_along(visitor, path)}
    return {path: weight(visitor, path), **files}


def test_a_page_of_fifty_orders_and_a_whole_first_visit_are_small(
    app: Flask,
    ama_agent: Visitor,
    visitor: Callable[[str], Visitor],
    place: Callable[..., str],
) -> None:
    fill(app, place, 50)
    page = ama_agent.get("/orders", headers=BROWSER)
    assert (
        page.headers["Content-Encoding"] == "br"
        and ama_agent.get("/orders").text.count("data-row ") == 50
    )
    assert len(page.data) <= QUEUE_BYTES
    assert len(ama_agent.get("/orders", headers=WITHOUT_TLS).data) <= QUEUE_BYTES
    for guest, path in (
        (visitor("portal"), "/login"),
        (ama_agent, "/"),
        (ama_agent, "/orders"),
    ):
        seen = first_visit(guest, path)
        assert len(seen) >= 5 and sum(seen.values()) <= FIRST_VISIT_BYTES, seen


def test_the_console_too(owner: Visitor, place: Callable[..., str], app: Flask) -> None:
    fill(app, place, 50)
    assert weight(owner, "/orders") <= QUEUE_BYTES
    for path in ("/", "/orders"):
        seen = first_visit(owner, path)
        assert sum(seen.values()) <= FIRST_VISIT_BYTES, seen
