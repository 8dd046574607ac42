"""A shop moves to another address, and what becomes of the one it had."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import tables_owner
from flask import Flask
from visitors import Visitor

from core import audit, onboarding, renaming, signing_up, slugs
from core.accounts import users
from core.audit import SYSTEM
from core.base import tenancy
from core.stores import BadStore
from http_server import Head, Ready

pytestmark = pytest.mark.slow(seconds=0.1)

PATH = "/store/address"
AMA, KOFI = 1, 2
"""As the seed numbers them."""
TAKEN = "The address {} is taken."


def slug_of(store_id: int) -> str:
    return tables_owner.read(f"SELECT slug FROM stores WHERE id = {store_id}")[0]


def move(agent: Visitor, slug: str) -> Any:
    answer = agent.post(PATH, {"slug": slug})
    assert (answer.status_code, answer.location) == (303, PATH), answer.text
    return answer


def platform(app: Flask, deed: Callable[[], Any]) -> Any:
    with app.app_context(), tenancy.across_stores():
        return deed()


@pytest.mark.parametrize(
    "path",
    ["/", "/tw/", "/?bundle=3", "/track?code=K7QM2XR94T", "/tw/orders/K7QM2XR94T/receipt",
     "/a%23b%3Fc?d=%26", "/robots.txt", "/preview.png?v=1"],
)  # fmt: skip
def test_what_is_read_at_the_old_address_is_at_the_new_one(
    ama_agent: Visitor, visitor: Callable[[str], Visitor], path: str
) -> None:
    move(ama_agent, "akwaaba-data")
    old = visitor("ama")
    answer = old.get(path)
    assert answer.status_code == 301
    assert answer.location == f"http://akwaaba-data.localhost{path}"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert not answer.headers.getlist("Set-Cookie")
    assert old.client.head(path, base_url=old.base_url).status_code == 301


def test_an_order_and_its_page_that_is_open_come_along(
    ama_agent: Visitor, visitor: Callable[[str], Visitor], place: Callable[..., str]
) -> None:
    code = place()
    move(ama_agent, "akwaaba-data")
    old = visitor("ama").get(f"/orders/{code}").location
    new = visitor("akwaaba-data")
    assert new.get(urlsplit(old).path).status_code == 200
    poll = f"/orders/{code}/status?v=1&s=00000000"
    told = visitor("ama").get(poll, headers={"HX-Request": "true"})
    assert told.headers["HX-Redirect"] == f"http://akwaaba-data.localhost/orders/{code}"
    assert told.data == b""
    assert "akwaaba-data.localhost" in ama_agent.get("/share").text


def test_what_is_sent_to_the_old_address_does_nothing_and_says_where(
    ama_agent: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    move(ama_agent, "akwaaba-data")
    for path in ("/orders", "/tw/orders", "/track/number"):
        answer = visitor("ama").post(path, {"recipient": "024 123 4567", "bundle": "1"})
        assert answer.status_code == 410
        assert 'href="http://akwaaba-data.localhost' in answer.text
    assert tables_owner.read("SELECT count(*) FROM orders") == [0]
    assert tables_owner.read("SELECT count(*) FROM order_drafts") == [0]


def test_a_move_is_done_once_and_is_a_line_of_the_audit(
    app: Flask, ama_agent: Visitor
) -> None:
    for said in ("at akwaaba-data.localhost now. ama.localhost leads", "there already"):
        move(ama_agent, " Akwaaba-Data ")
        assert said in ama_agent.get(PATH).text
    lines = platform(app, lambda: audit.recent(10))
    (line,) = [one for one in lines if one.action == "rename_store"]
    assert line.subject == f"store:{AMA}"
    assert line.detail == {"address": "akwaaba-data", "before": "ama"}


def test_a_former_address_is_nobody_else_s_even_when_it_leads_nowhere(
    app: Flask, ama_agent: Visitor, kofi_agent: Visitor, visitor: Any
) -> None:
    move(ama_agent, "akwaaba-data")
    tables_owner.execute(
        "UPDATE former_addresses SET left_at = left_at - interval '366 days'"
    )
    assert visitor("ama").get("/").status_code == 404
    assert TAKEN.format("ama") in kofi_agent.post(PATH, {"slug": "ama"}).text
    alike = kofi_agent.post(PATH, {"slug": "a-ma"})
    assert alike.status_code == 422 and "looks too much like another" in alike.text
    assert 'value="a-ma"' in alike.text
    sent = visitor("portal").post(
        "/sign-up",
        {"name": "Esi", "phone": "024 555 0101", "password": "four words that part",
         "store_name": "Ama", "slug": "ama"},
    )  # fmt: skip
    assert sent.status_code == 422 and TAKEN.format("ama") in sent.text

    def by_the_platform() -> None:
        owner = users.by_email("kofi@example.test")
        assert owner is not None
        onboarding.open_store(slug="ama", name="Ama", owner=owner, actor=SYSTEM)

    with pytest.raises(BadStore, match="The address ama is taken"):
        platform(app, by_the_platform)
    assert slug_of(KOFI) == "kofi"
    move(ama_agent, "ama")  # its own store's it stays


def test_a_shop_may_come_back_and_no_link_leads_in_a_circle(
    ama_agent: Visitor, visitor: Any
) -> None:
    for slug in ("akwaaba-data", "ama", "akwaaba-data", "ama", "akwaaba-data"):
        move(ama_agent, slug)
    assert visitor("ama").get("/").location == "http://akwaaba-data.localhost/"
    assert visitor("akwaaba-data").get("/").status_code == 200


def test_new_addresses_have_a_limit_a_year(
    ama_agent: Visitor,
) -> None:
    for n in range(renaming.MOST_A_YEAR):
        move(ama_agent, f"akwaaba-{'xyz'[n] * 4}")
    refused = ama_agent.post(PATH, {"slug": "akwaaba-four"})
    assert (
        refused.status_code == 422 and "3 new addresses within a year" in refused.text
    )
    check = ama_agent.get(f"{PATH}/check?slug=akwaaba-four").text
    assert "3 new addresses" in check
    move(ama_agent, "akwaaba-xxxx")
    assert slug_of(AMA) == "akwaaba-xxxx"
    tables_owner.execute(
        "UPDATE former_addresses SET left_at = left_at - interval '366 days'"
    )
    move(ama_agent, "akwaaba-four")


@pytest.mark.parametrize(
    ("slug", "said"),
    [("", "Use 3 to 32 letters"), ("a b", "Use 3 to 32 letters"), ("kofi", "is taken"),
     ("k0fi", "looks too much like"), ("admin", "reserved"), ("makola-gh", "Makola’s own"),
     ("x" * 61, "Use 3 to 32 letters"), ("<b>", "Use 3 to 32 letters")],
)  # fmt: skip
def test_an_address_that_may_not_be_had_is_a_sentence(
    ama_agent: Visitor, slug: str, said: str
) -> None:
    answer = ama_agent.post(PATH, {"slug": slug})
    assert answer.status_code == 422 and said in answer.text
    assert slug_of(AMA) == "ama"


def test_before_anybody_has_been_there_an_address_goes_back(
    app: Flask, ama_agent: Visitor, kofi_agent: Visitor, visitor: Any
) -> None:
    tables_owner.execute(
        "UPDATE stores SET approval = 'waiting', status = 'closed' WHERE slug = 'ama'"
    )
    for slug in ("akwaaba-one", "akwaaba-two", "akwaaba-three", "akwaaba-four"):
        move(ama_agent, slug)
    assert visitor("ama").get("/").status_code == 404
    move(kofi_agent, "ama")


def test_a_store_that_was_refused_and_never_seen_keeps_no_name_from_others(
    app: Flask, kofi_agent: Visitor
) -> None:
    for approval, approved in (("waiting", "NULL"), ("refused", "now()")):
        tables_owner.execute(
            f"UPDATE stores SET approval = '{approval}', approved_at = {approved},"
            f" status = 'closed' WHERE id = {AMA}"
        )
        assert kofi_agent.post(PATH, {"slug": "ama"}).status_code == 422, approval
    tables_owner.execute(f"UPDATE stores SET approved_at = NULL WHERE id = {AMA}")
    move(kofi_agent, "ama")
    assert (slug_of(KOFI), slug_of(AMA)) == ("ama", f"refused-{AMA}")
    lines = platform(app, lambda: audit.recent(10))
    assert [one.subject for one in lines if one.action == "take_address"] == [
        f"store:{AMA}"
    ]


@pytest.mark.parametrize("slug", [f"refused-{AMA}", "refused-99", "Refused-x"])
def test_what_stands_in_place_of_a_given_up_address_is_nobody_s_to_choose(
    kofi_agent: Visitor, visitor: Callable[[str], Visitor], slug: str
) -> None:
    """Whoever had it would keep a refused store's name from everybody."""
    answer = kofi_agent.post(PATH, {"slug": slug})
    assert answer.status_code == 422 and "reserved" in answer.text
    said = visitor("portal").get(f"/sign-up/address?slug={slug}").text
    assert "reserved" in said


def test_of_two_who_want_one_address_one_has_it(
    app: Flask, ama_agent: Visitor, kofi_agent: Visitor
) -> None:
    with ThreadPoolExecutor(2) as pool:
        sent = [
            pool.submit(agent.post, PATH, {"slug": "akwaaba-data"})
            for agent in (ama_agent, kofi_agent)
        ]
    assert sorted(one.result().status_code for one in sent) == [303, 422]
    assert "akwaaba-data" in (slug_of(AMA), slug_of(KOFI))


def test_who_signs_up_is_looked_at_again_in_their_turn(app: Flask) -> None:
    """Between the look at a form and its store somebody may have moved to that address."""
    typed = signing_up.Wanted("Esi", "+233245550101", "", "four words that part",
                              "Esi", "a-ma")  # fmt: skip
    with app.app_context(), pytest.raises(signing_up.Taken) as taken:
        signing_up.sign_up(typed)
    assert "looks too much like" in taken.value.by_field["slug"]


def test_only_the_store_s_owner_moves_it(
    logged_in: Callable[..., Visitor],
) -> None:
    for who in ("cashier", "viewer"):
        agent = logged_in(f"{who}@example.test", "portal", "ama")
        assert "Only the store’s owner may change this" in agent.get(PATH).text
        assert agent.post(PATH, {"slug": "akwaaba-data"}).status_code == 403
        assert agent.get(f"{PATH}/check?slug=kofi").status_code == 403
    assert slug_of(AMA) == "ama"


def test_every_process_knows_within_two_seconds(
    app: Flask, visitor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has the old front page, and believes that nobody is at the new address."""
    pages = app.extensions["stored_pages"]
    pages.forget()
    slugs.forget()
    later, real = [0.0], slugs.monotonic
    monkeypatch.setattr(slugs, "OVERLAP", 0)  # as in a place of thousands of stores
    for module in ("core.slugs.monotonic", "edge.stored_pages.monotonic"):
        monkeypatch.setattr(module, lambda: real() + later[0])

    def found(slug: str) -> Any:
        sent = [(b"host", f"{slug}.localhost".encode())]
        return pages.answer(Head("GET", "/", "/", "", "1.1", sent))

    assert visitor("ama").get("/").status_code == 200
    assert visitor("akwaaba-data").get("/").status_code == 404
    assert isinstance(found("ama"), Ready) and isinstance(found("akwaaba-data"), Ready)
    platform(app, lambda: renaming.rename(AMA, "akwaaba-data", SYSTEM))
    later[0] = 1.5
    look = found("ama")
    assert not isinstance(look, Ready) and look() is None
    assert visitor("ama").get("/").status_code == 301
    assert found("akwaaba-data") is None
    assert visitor("akwaaba-data").get("/").status_code == 200
    assert visitor("nobody-here").get("/").status_code == 404  # they are asked anew
    assert not slugs.is_missing("akwaaba-data") and not slugs.is_missing("ama")
    assert slugs.is_missing("nobody-here")
