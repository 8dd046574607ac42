"""A shop speaks the language of its address: each text of it, each link, and nothing that is stored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any
from urllib.parse import unquote

import html5lib
import pytest
import tables_owner
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_customers import Shop, fields, parse_clean
from visitors import Visitor
from walk import Walk

from core.base import language
from edge import stored_pages
from edge.templates import SpokenEnvironment
from http_server import Head
from storefront import drawn

pytestmark = pytest.mark.slow(seconds=0.1)

SPOKEN = (
    "title", "aria-label", "placeholder", "alt", "data-news", "data-last", "data-like",
    "data-stays", "data-forget", "data-copied", "data-text", "href",
)  # fmt: skip
"""Attributes that people read or hear, or send on."""
NO_TEXTS = re.compile(
    r"Ama[’']s Data|\bama\b|Kofi[’']s Data|MTN|Telecel|\bAT\b|WhatsApp|Makola|Back tomorrow|[0-9]+ [GM]B"
    r"|GH₵|\b(?:[0-9]+ )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"
    r"|\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}\b|https?://\S+"
)
"""What is the same in every language: names, sizes, sums, times, codes, addresses."""
OWN = re.compile(
    r'(?:href|action|formaction|data-hx-get|data-at|src)="(/[^"]*|http://ama\.localhost[^"]*)"'
    r"|;url=(/[^\"]*)"
)


@pytest.fixture
def walk(
    app: Flask, in_store: Callable[..., Any], change_store: Callable[..., None]
) -> Callable[[str], Walk]:
    return lambda root: Walk(app, in_store, change_store, root)


@pytest.fixture
def bracketed(app: Flask) -> Iterator[None]:
    """A language in which every text is itself in brackets."""
    bracketed = {english: f"⟦{english}⟧" for english in language.texts("tw")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "texts", lambda _code: bracketed)
        forget(app)
        yield
    forget(app)


def forget(app: Flask) -> None:
    """No template has its texts already, and no page was drawn with others."""
    assert isinstance(app.jinja_env, SpokenEnvironment)
    app.jinja_env.forget()
    drawn.forget()


def bare(text: str) -> str:
    """What of `text` stands in no brackets."""
    depth, left = 0, []
    for sign in text:
        depth += (sign == "⟦") - (sign == "⟧")
        if not depth and sign != "⟧":
            left.append(sign)
    assert depth == 0, text
    return "".join(left)


def read_aloud(html: str) -> list[str]:
    """What a page says: its text in one piece, and what its attributes say. Without the name of
    another language, which is written in that language."""
    tree = html5lib.parse(html, treebuilder="etree", namespaceHTMLElements=False)
    flowing, said = [], []
    for element in tree.iter():
        if not isinstance(element.tag, str) or element.tag in ("style", "script"):
            continue
        if element.get("hreflang"):
            element.text = ""
        for name in SPOKEN:
            value = element.get(name, "")
            if name == "href":
                value = unquote(value.partition("text=")[2])
            said.append(value)
        if element.tag == "meta" and element.get("name") != "htmx-config":
            named = element.get("name") or element.get("property") or ""
            if named in ("description", "og:title", "og:description"):
                said.append(element.get("content", ""))
    for element in tree.iter():
        if isinstance(element.tag, str) and element.tag in ("style", "script"):
            element.text = ""
    flowing.append(" ".join(tree.itertext()))
    return flowing + said


@pytest.mark.matrix
def test_every_text_of_a_page_is_known_by_its_name(
    walk: Callable[[str], Walk], bracketed: None
) -> None:
    """Each text in brackets, so what stands outside of them was not asked for by its name."""
    found, seen = {}, 0
    for name, answer in walk("/tw").pages():
        if "html" not in answer.content_type or answer.status_code == 303:
            continue
        seen += answer.text.count("⟦")
        left = [
            word
            for said in read_aloud(answer.text)
            for word in re.findall(r"[^\W\d_]{2,}.*", NO_TEXTS.sub(" ", bare(said)))
        ]
        if left:
            found[name] = left[:4]
    assert found == {} and seen > 1_500


@pytest.mark.matrix
@pytest.mark.parametrize(("root", "tag"), [("", "en"), ("/tw", "tw")])
def test_every_page_is_whole(walk: Callable[[str], Walk], root: str, tag: str) -> None:
    for name, answer in walk(root).pages():
        if "html" not in answer.content_type or answer.status_code == 303:
            continue
        parse_clean(answer.text)
        if "<html" in answer.text:
            assert f'<html lang="{tag}' in answer.text, name
        assert "%(" not in answer.text, name


@pytest.mark.matrix
@pytest.mark.parametrize("root", ["", "/tw"])
def test_every_address_on_a_page_stays_in_its_language(
    walk: Callable[[str], Walk], root: str
) -> None:
    """But for the link to the other language, which only a page that was asked for has."""
    checked = 0
    for name, answer in walk(root).pages():
        if answer.status_code == 303:
            assert re.match(r"/(tw/)?\w", answer.location), answer.location
            assert answer.location.startswith("/tw/") == bool(root), name
            continue
        if "html" not in answer.content_type:
            assert answer.get_json()["start_url"] == f"{root}/"
            continue
        switch = re.findall(r'<[^>]*hreflang="[^>]*>', answer.text)
        posted = answer.request.method != "GET"
        assert any("<a " in one for one in switch) != (
            posted or "<footer" not in answer.text
        ), name
        page = re.sub(r'<[^>]*hreflang="[^>]*>', "", answer.text)
        for address in (a or b for a, b in OWN.findall(page)):
            path = address.removeprefix("http://ama.localhost")
            if not path.startswith("/static/"):
                assert path.startswith("/tw/") == bool(root), f"{name}: {address}"
                checked += 1
        for shared in re.findall(r'wa\.me/\?text=([^"]+)', page):
            assert f"http://ama.localhost{root}/orders/" in unquote(shared), name
    assert checked > 150


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("/", "/tw/"),
        ("/tw/", "/"),
        ("/tw", "/"),
        ("/track?code=zz%22%3C", "/tw/track?code=zz%22%3C"),
        ("/tw/?bundle=3&recipient=0241234567", "/?bundle=3"),
        ("/tw//evil.test/x", "/evil.test/x"),
        ("/nothing%3Fx%23y", "/tw/nothing%3Fx%23y"),
    ],
)
def test_the_same_page_in_the_other_language(
    customer: Visitor, path: str, other: str
) -> None:
    page = customer.get(path).text
    found = re.findall(r'<a href="([^"]*)" lang="(\w+)" hreflang="(\w+)">(\w+)<', page)
    tag = "en" if path.startswith("/tw") else "tw"
    assert [(unescape(a), *rest) for a, *rest in found] == [
        (other, tag, tag, language.NAMES[tag])
    ]


def test_finders_are_told_of_both(customer: Visitor) -> None:
    told = [
        re.findall(r'rel="alternate" hreflang="(\w+)" href="([^"]+)"', page)
        for page in (customer.get("/").text, customer.get("/tw/").text)
    ]
    ama = "http://ama.localhost/"
    assert told[0] == told[1] == [("en", ama), ("tw", f"{ama}tw/")]
    assert f'og:url" content="{ama}tw/"' in customer.get("/tw/").text
    assert "Disallow: /tw/orders\n" in customer.get("/robots.txt").text


@pytest.mark.parametrize("path", ["/tw/", "/tw/track", "/tw/orders/ZZZZZZZZZZ"])
def test_only_the_address_chooses(customer: Visitor, path: str) -> None:
    """No cookie and no header of the browser: a stored page is the same for everybody."""
    twi = customer.get(path, headers={"Accept-Language": "en-GB,en"})
    english = customer.get(path[3:], headers={"Accept-Language": "tw,ak"})
    assert '<html lang="tw"' in twi.text and '<html lang="en"' in english.text
    assert "Track an order" in english.text and "Track an order" not in twi.text
    assert language.texts("tw")["Track an order"] in twi.text
    for answer in (twi, english):
        assert "Set-Cookie" not in answer.headers
        assert "Language" not in answer.headers.get("Vary", "")


@pytest.mark.parametrize("path", ["/twi/", "/tw2/", "/TW/", "/en/", "/xtw/", "/tw/tw/"])
def test_nothing_else_is_a_language(customer: Visitor, path: str) -> None:
    assert customer.get(path).status_code == 404


@pytest.mark.parametrize("host", ["portal", "admin", "hooks", "nobody"])
def test_only_shops_have_languages(app: Flask, host: str) -> None:
    """What is said of no shop is one page, whatever was asked for."""
    visitor = Visitor(app, host)
    answer = visitor.get("/tw/login")
    assert answer.status_code == 404 and 'lang="en-GH"' in answer.text
    assert language.current() == "en", "the next request is English"


def test_a_flood_page_of_an_unknown_shop_is_in_english_for_all(app: Flask) -> None:
    stored: stored_pages.Pages = app.extensions["stored_pages"]
    stored.forget()
    Visitor(app, "nobody").get("/tw/")
    sent = [(b"host", b"nobody.localhost")]
    page = stored.answer(Head("GET", "/", "/", "", "1.1", sent))
    assert page is not None and b"There is no shop at this address." in page.body
    assert b'lang="en-GH"' in page.body and b"Nothing here" in page.body


def test_nothing_in_twi_is_stored(
    app: Flask, shop: Callable[..., Shop], bundle: Callable[..., int]
) -> None:
    """Two customers do the same in two languages: the same lines are kept."""
    for root in ("", "/tw"):
        customer = shop("ama", root)
        code = customer.order(bundle(), "024 123 4567" if root else "024 765 4321")
        page = customer.get(f"{root}/orders/{code}")
        ended = customer.post(f"{root}/orders/{code}/cancel", fields(page.text))
        assert ended.location == f"{root}/orders/{code}"
    lines = tables_owner.read(
        "SELECT concat(order_id, text, ' / ', customer_text) FROM order_events ORDER BY id"
    )
    said = [re.sub(r"^\d+", "", line) for line in lines]
    assert len(said) == 4 and said[:2] == said[2:]
    assert "Cancelled. Nothing was sent." in said[1]


def test_a_timeline_is_read_in_the_language_of_the_page(
    shop: Callable[..., Shop], bundle: Callable[..., int]
) -> None:
    customer = shop("ama")
    code = customer.order(bundle())
    twi = customer.get(f"/tw/orders/{code}").text
    assert "<span>Ordered</span>" in customer.get(f"/orders/{code}").text
    assert f"<span>{language.texts('tw')['Ordered']}</span>" in twi
    assert "024\xa0123\xa04567" in twi.replace(" ", "\xa0"), "the same device's order"


@pytest.mark.parametrize("root", ["", "/tw"])
def test_what_is_filled_in_is_escaped(
    shop: Callable[..., Shop],
    bundle: Callable[..., int],
    change_store: Callable[..., None],
    root: str,
) -> None:
    """A name of many signs: in a text, in an attribute, and no part of a pattern."""
    change_store("ama", name='<i>"5%(x)s {y}')
    customer = shop("ama", root)
    code = customer.order(bundle())
    for path in ("/", f"/orders/{code}", "/orders/ZZZZZZZZZZ"):
        page = customer.get(root + path).text
        parse_clean(page)
        assert "<i>" not in page and "&lt;i&gt;&#34;5%(x)s {y}" in page


# The stored pages


@pytest.fixture
def pages(app: Flask) -> stored_pages.Pages:
    made: stored_pages.Pages = app.extensions["stored_pages"]
    made.forget()
    return made


def asked(pages: stored_pages.Pages, target: str) -> bytes | None:
    sent = [(b"host", b"ama.localhost")]
    path, _, query = target.partition("?")
    found = pages.answer(Head("GET", target, path, query, "1.1", sent))
    return bytes(found.body) if found else None


def test_each_language_of_a_front_page_is_stored_by_itself(
    customer: Visitor, pages: stored_pages.Pages
) -> None:
    twi = customer.get("/tw/").data
    assert asked(pages, "/") is None and asked(pages, "/tw/") == twi
    english = customer.get("/").data
    assert asked(pages, "/") == english != twi and asked(pages, "/tw/") == twi
    for other in ("/tw", "/tw/?x", "/tw//", "/tw/tw/", "//tw/", "/%74w/", "/TW/"):
        customer.get(other)
        assert asked(pages, other) is None, other
    pages.forget()
    assert asked(pages, "/tw/") is None


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.sampled_from(["/", "/tw/", "/tw", "/%74w/", "/?x=/tw/", "//tw/"]), max_size=5
    )
)
def test_whatever_comes_before_no_address_shows_the_other_language(
    app: Flask, order: list[str]
) -> None:
    stored: stored_pages.Pages = app.extensions["stored_pages"]
    stored.forget()
    visitor = Visitor(app, "ama")
    for path in order:
        visitor.get(path)
        for target, tag in (("/", b'lang="en"'), ("/tw/", b'lang="tw"')):
            page = asked(stored, target)
            assert page is None or b"<html " + tag in page


def test_a_poll_is_stored_in_its_language(
    shop: Callable[..., Shop], bundle: Callable[..., int], pages: stored_pages.Pages
) -> None:
    customer = shop("ama", "/tw")
    code = customer.order(bundle())
    page = customer.get(f"/tw/orders/{code}").text
    poll = unescape(re.search(r'data-hx-get="([^"]+)"', page)[1])  # type: ignore[index]
    assert poll.startswith(f"/tw/orders/{code}/status?")
    assert customer.get(poll, headers={"HX-Request": "true"}).status_code == 204
    sent = [(b"host", b"ama.localhost"), (b"hx-request", b"true")]
    for target, is_stored in ((poll, True), (poll.removeprefix("/tw"), False)):
        path, _, query = target.partition("?")
        head = Head("GET", target, path, query, "1.1", sent)
        assert (pages.answer(head) is not None) == is_stored
