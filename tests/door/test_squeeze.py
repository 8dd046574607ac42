"""The customers' pages go out compressed; nobody else's do."""

from __future__ import annotations

import gzip

from visitors import Visitor


def test_a_store_page_is_gzipped_when_the_browser_takes_it(customer: Visitor) -> None:
    plain, packed = customer.get("/"), customer.get("/", headers={"Accept-Encoding": "gzip, deflate"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < 6_000
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_small_answers_and_the_portal_stay_plain(customer: Visitor, ama_agent: Visitor) -> None:
    headers = {"Accept-Encoding": "gzip"}
    assert "Content-Encoding" not in customer.get("/robots.txt", headers=headers).headers
    assert "Content-Encoding" not in ama_agent.get("/orders", headers=headers).headers
