"""The share kit: link, QR code, poster, words, picture."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
import segno
import tables_owner
from sqlalchemy import update
from visitors import Visitor

from core.catalog import StoreBundle
from core.stores import Store
from tests.support import looks
from tests.support.chromium import NEEDED


def test_the_page_has_link_words_picture_and_paper(ama_agent: Visitor) -> None:
    page = ama_agent.get("/share").text
    assert 'data-copy="http://ama.localhost"' in page
    assert "http://ama.localhost/prices.png" in page
    for path in ("/share/poster", "/share/qr.svg"):
        assert f'href="{path}"' in page and ama_agent.get(path).status_code == 200
    assert 'href="/share"' in ama_agent.get("/").text


def test_the_words_have_the_cheapest_and_the_link(ama_agent: Visitor) -> None:
    found = re.search(r"<pre>([^<]*)</pre>", ama_agent.get("/share").text)
    assert found
    lines = found[1].replace("&#39;", "'").splitlines()
    assert lines[0] == "Data bundles from Ama's Data"
    assert [line.partition(":")[0] for line in lines[1:4]] == ["MTN", "Telecel", "AT"]
    assert re.fullmatch(r"MTN: 1 GB GHS \d+\.\d\d, 2 GB GHS .*, 5 GB GHS .*", lines[1])
    assert lines[4] == "http://ama.localhost"


def test_the_code_leads_to_the_store(ama_agent: Visitor) -> None:
    answer = ama_agent.get("/share/qr.svg")
    assert answer.mimetype == "image/svg+xml"
    assert "ama-qr.svg" in answer.headers["Content-Disposition"]
    ElementTree.fromstring(answer.data)
    wanted = io.BytesIO()
    code = segno.make("http://ama.localhost", error="m", micro=False)
    code.save(wanted, kind="svg", scale=10, border=4, light="#fff")
    assert answer.data == wanted.getvalue()


def test_the_poster_has_prices_and_says_how_many_more(ama_agent: Visitor) -> None:
    page = ama_agent.get("/share/poster").text
    assert "Ama&#39;s Data" in page and "ama.localhost" in page
    assert page.count("<h2>") == 3 and page.count("<li>") == 9
    assert "WhatsApp 024 000 0001" in page.replace("\N{NO-BREAK SPACE}", " ")


def test_of_another_store_nothing_is_shown(ama_agent: Visitor) -> None:
    for path in ("/share", "/share/poster"):
        assert "Kofi" not in ama_agent.get(path).text


def test_an_empty_shelf_and_a_store_that_is_hidden_are_no_fault(
    ama_agent: Visitor,
) -> None:
    tables_owner.execute(update(StoreBundle).values(hidden=True))
    tables_owner.execute(
        update(Store)
        .where(Store.slug == "ama")
        .values(status="closed", approval="waiting")
    )
    page = ama_agent.get("/share").text
    assert "once your store is approved" in page and "not open yet" in page
    assert "prices.png" not in page
    assert ama_agent.get("/share/poster").status_code == 200


@pytest.mark.browser
@NEEDED
@pytest.mark.parametrize("path", ["/share", "/share/poster"])
@pytest.mark.parametrize(("width", "dark"), [(360, False), (1280, True)])
def test_it_looks_right(
    open_page: Callable[..., Any], path: str, width: int, dark: bool
) -> None:
    page = open_page(width=width, height=800, dark=dark)
    page.wait_for_url("**/")
    page.goto(path)
    looks.fits(page)
