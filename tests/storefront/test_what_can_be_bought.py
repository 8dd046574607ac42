"""What cannot be bought is not offered, not reviewed and not placed, and every page of the store
says why and since when."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from flask import Flask
from seed import FLOAT_PESEWAS, offers
from sqlalchemy import event, text
from store_customers import NUMBER, fields, parse_clean, set_order

import core.shop
import core.stores
from core import availability, catalog, ledger, orders, reconcile, stores
from core.audit import SYSTEM, Actor
from core.base import clock, round_trip, tenancy
from core.base.db import PLATFORM, STORE, db, transaction
from core.supplier import supply
from tests.support.deliveries import estimate

AMA = Actor("agent", "Ama")


@pytest.fixture
def platform(app: Flask) -> Callable[..., None]:
    """Something happens at the supplier or to our float; then the relay makes its round."""

    def happen(deed: Callable[[], Any] = lambda: None) -> None:
        with app.app_context(), tenancy.across_stores():
            deed()
            reconcile.renew()

    return happen


def away() -> None:
    with transaction():
        supply.locked_state().unreachable_since = clock.now()


def back() -> None:
    with transaction():
        supply.locked_state().unreachable_since = None


def refused() -> None:
    with transaction():
        supply.locked_state().credentials_refused_since = clock.now()


def float_of(pesewas: int) -> Callable[[], None]:
    def deed() -> None:
        with transaction():
            ledger.fund_float(
                pesewas - ledger.platform_balances()["supplier_float"],
                "for a test",
                SYSTEM,
            )

    return deed


def part(html: str, network: str) -> str:
    found = re.search(rf'<div class="net" id="{network}".*?</div>', html, re.DOTALL)
    assert found is not None
    return found[0]


def test_with_a_low_balance_the_dear_sizes_are_sold_out_and_the_cheap_ones_stay(
    shop, bundle, platform, counts
):
    cheap = bundle("mtn")
    platform(float_of(885))  # the smallest MTN bundle costs 460, the next 900
    html = shop("ama").get("/").text
    parse_clean(html)
    mtn = part(html, "mtn")
    assert mtn.count('type="radio"') == 1 and f'value="{cheap}"' in mtn
    said = re.sub(r"<[^>]+>", "", mtn)
    assert re.search(
        r"Sold out since \d\d:\d\d: 2 GB and larger\. Look again later\.", said
    )
    assert 'type="radio"' not in part(html, "telecel")  # it has no bundle as cheap
    assert "GH₵" not in part(html, "telecel")
    assert shop("ama").review(cheap).status_code == 200
    before = counts()
    assert html.count("8.85") == 0  # no sum of ours
    platform(float_of(FLOAT_PESEWAS))
    assert "Sold out" not in shop("ama").get("/").text
    assert counts()[0] == before[0]


def test_a_sold_out_size_is_neither_reviewed_nor_placed(
    shop, in_store, platform, counts
):
    dear = in_store(
        "ama",
        lambda: next(
            l.bundle_id for l in catalog.shelf() if (l.network, l.mb) == ("mtn", 10_240)
        ),
    )
    customer = shop("ama")
    review = customer.review(dear)
    platform(float_of(885))
    before = counts()
    again = customer.post("/orders", fields(review.text))
    assert again.status_code == 422 and re.search(
        r"MTN 10 GB: sold out since \d\d:\d\d\. Choose another", again.text
    )
    assert NUMBER in again.text  # what was typed stays
    assert shop("ama").review(dear).status_code == 422
    assert counts() == before
    platform(float_of(FLOAT_PESEWAS))
    assert customer.post("/orders", fields(review.text)).status_code == 303


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (away, "supplier has been out of reach"),
        (refused, "Sending is stopped while something is settled with the supplier"),
    ],
)
def test_while_nothing_can_be_sent_the_shop_says_so_before_anyone_orders(
    what, said, shop, bundle, platform, counts
):
    estimate()
    mtn, customer = bundle("mtn"), shop("ama")
    review = customer.review(mtn)
    platform(what)
    before = counts()
    html = shop("ama").get("/").text
    parse_clean(html)
    assert re.search(rf"<b>[^<]*{said} since \d\d:\d\d\.</b>", html)
    assert "<form" not in html and 'type="radio"' not in html
    assert "Usually" not in html
    for answer in (
        shop("ama").review(mtn),
        customer.post("/orders", fields(review.text)),
    ):
        assert (
            answer.status_code == 422 and said in answer.text and "since" in answer.text
        )
    assert counts() == before


def test_everything_comes_back_by_itself(shop, bundle, platform):
    mtn = bundle("mtn")
    fresh = shop("ama").get("/").data
    platform(away)
    assert shop("ama").get("/").data != fresh
    platform(back)
    assert shop("ama").get("/").data == fresh
    assert shop("ama").order(mtn)


def test_nobody_is_asked_to_pay_for_an_order_that_could_not_be_sent(
    shop, bundle, platform
):
    customer = shop("ama")
    code = customer.order(bundle())
    page = customer.get(f"/orders/{code}").text
    assert "You pay" in page
    mark = re.search(r'data-hx-get="([^"]+)"', page)[1].replace("&amp;", "&")
    assert customer.get(mark).status_code == 204
    platform(away)
    moved = customer.get(mark)
    assert moved.status_code == 200
    for html in (moved.text, customer.get(f"/orders/{code}").text):
        assert "You pay" not in html and "Reference" not in html
        assert re.search(
            r"has been out of reach since \d\d:\d\d\. Please do not pay yet", html
        )
        assert "If you have paid already, nothing is lost" in html
    platform(back)
    assert "You pay" in customer.get(f"/orders/{code}").text


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        (lambda: offers()[1:], r"MTN 1 GB is not offered at the moment\."),
        (
            lambda: [replace(offers()[0], cost_pesewas=900), *offers()[1:]],
            r"price for MTN 1 GB has risen\.",
        ),
    ],
)
def test_nobody_is_asked_to_pay_for_what_the_list_has_no_more_or_only_dearer(
    shop, bundle, platform, as_store, listed, why
):
    customer = shop("ama")
    code = customer.order(bundle())
    mark = re.search(r'data-hx-get="([^"]+)"', customer.get(f"/orders/{code}").text)[
        1
    ].replace("&amp;", "&")
    platform(lambda: catalog.apply_sync("datamart", listed()))
    moved = customer.get(mark)
    assert moved.status_code == 200
    for html in (moved.text, customer.get(f"/orders/{code}").text):
        assert "You pay" not in html and re.search(
            why + r" Please do not pay now: ask Ama", html
        )
    platform(lambda: catalog.apply_sync("datamart", offers()))
    assert "You pay" in customer.get(f"/orders/{code}").text
    as_store("ama", lambda: orders.release(code, AMA))
    platform(lambda: catalog.apply_sync("datamart", listed()))
    assert re.search(
        rf"Accepted\. [^<]*{why} [^<]* sends it when that is over",
        customer.get(f"/orders/{code}").text,
    )


def test_a_risen_cost_that_the_price_still_covers_is_the_agent_s_to_decide(
    shop, bundle, platform
):
    customer = shop("ama")
    code = customer.order(bundle())
    dearer = [replace(offers()[0], cost_pesewas=472), *offers()[1:]]
    platform(
        lambda: catalog.apply_sync("datamart", dearer)
    )  # within three in a hundred: agents pay 482 of 508
    assert "You pay" in customer.get(f"/orders/{code}").text


def test_an_order_in_line_says_why_it_waits(shop, bundle, platform, as_store):
    customer = shop("ama")
    code = customer.order(bundle())
    platform(away)
    as_store("ama", lambda: orders.release(code, AMA))
    html = customer.get(f"/orders/{code}").text
    assert re.search(
        r"Accepted\. [^<]*has been out of reach since \d\d:\d\d\. It is sent by itself when that is"
        r" over\.",
        html,
    )
    platform(back)
    platform(float_of(100))
    assert (
        "new stock" not in customer.get(f"/orders/{code}").text
    )  # that is not what this one waits for


def test_an_order_in_line_for_float_waits_for_new_stock(
    shop, bundle, platform, as_store
):
    customer = shop("ama")
    code = customer.order(bundle())
    platform(float_of(100))
    as_store("ama", lambda: orders.release(code, AMA))
    assert re.search(
        r"It has been waiting for new stock since \d\d:\d\d\.",
        customer.get(f"/orders/{code}").text,
    )


@pytest.mark.slow(seconds=0.3)
def test_estimates_are_silent_while_buying_stands_still(shop, bundle, platform, clocks):
    customer, mtn = shop("ama"), bundle("mtn")
    estimate()
    order = f"/orders/{customer.order(mtn)}"
    shown = "within 40 min"
    assert all(shown in customer.get(path).text for path in ("/", order))
    assert shown in customer.review(mtn).text
    platform(away)
    assert not any(shown in customer.get(path).text for path in ("/", order))
    platform(back)
    assert all(shown in customer.get(path).text for path in ("/", order))
    clocks.relay_lives = False
    clocks.pass_by(20)
    assert not any(shown in customer.get(path).text for path in ("/", order))
    assert shown not in customer.review(mtn).text


def test_a_relay_that_is_away_is_said(shop, bundle, platform, clocks):
    estimate()
    platform()
    fresh = shop("ama").get("/").text
    clocks.relay_lives = False
    clocks.pass_by(20)
    html = shop("ama").get("/").text
    said = re.sub(r"<[^>]+>", "", html)
    assert "Delivery may take longer than usual." in html and re.search(
        r"We last looked at \d\d:\d\d whether", said
    )
    assert "Usually" not in html and "Usually" in fresh and 'type="radio"' in html
    clocks.pass_by(60)
    html = shop("ama").get("/").text
    assert (
        "We have not known whether data can be sent since" in html
        and 'type="radio"' not in html
    )
    assert shop("ama").review(bundle()).status_code == 422
    platform()
    assert shop("ama").get("/").text == fresh


def test_an_order_page_offers_to_buy_again_only_what_can_be_bought(
    shop, bundle, platform, app
):
    customer = shop("ama")
    code = customer.order(bundle())
    set_order(
        app,
        "ama",
        code,
        state="completed",
        completed_at=clock.now(),
        final_at=clock.now(),
    )
    assert "Buy again for this number" in customer.get(f"/orders/{code}").text
    platform(float_of(100))
    html = customer.get(f"/orders/{code}").text
    assert "Buy again for this number" not in html and "?bundle=" not in html


def statements(app, ask):
    """What the database was asked by this, without who asks."""
    heard: list[str] = []
    hear = lambda conn, cursor, statement, *rest: heard.append(statement)
    with app.app_context():
        engines = [db.engines[STORE], db.engines[PLATFORM]]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", hear)
    try:
        assert ask().status_code in (200, 204)
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", hear)
    return [one for one in heard if "set_config" not in one]


@pytest.fixture
def trips(monkeypatch):
    """How many statements went out in each round trip of `round_trip`."""
    made: list[list[str]] = []
    send = round_trip._send
    monkeypatch.setattr(
        round_trip,
        "_send",
        lambda connection, store_id, asks: (
            made.append([one.statement for one in asks])
            or send(connection, store_id, asks)
        ),
    )
    return made


def test_a_pending_order_is_read_in_one_trip_and_its_bundle_once(
    app, shop, bundle, trips
):
    """However often its page asks whether it could be sent, and its poll too."""
    customer = shop("ama")
    code = customer.order(bundle())
    page = customer.get(f"/orders/{code}").text
    where = re.search(r'data-hx-get="([^"]+)"', page)[1].replace("&amp;", "&")
    for path, many in ((f"/orders/{code}", [3]), (where, [2])):
        del trips[:]
        asked = statements(app, lambda path=path: customer.get(path))
        assert asked == []
        assert [len(trip) for trip in trips] == many
        of_bundles = [one for one in trips[0] if "JOIN bundles ON" in one]
        assert len(of_bundles) == 1, trips
    del trips[:]
    asked = statements(app, lambda: customer.get(f"/orders/{code}/status"))
    assert (asked, [len(trip) for trip in trips]) == ([], [2, 3]), "news: the whole"


def test_a_draft_and_its_review_are_read_in_few_trips(app, shop, bundle, trips):
    """The store with what the order is checked by; the store with its draft and order."""
    customer = shop("ama")
    chosen = {"bundle": bundle(), "recipient": "024 123 4567"}
    customer.post("/orders", data=chosen)
    del trips[:]
    first = customer.post("/orders", data=chosen)
    assert [len(trip) for trip in trips] == [5]
    del trips[:]
    assert statements(app, lambda: customer.get(first.headers["Location"])) == []
    assert [len(trip) for trip in trips] == [3, 5]


def test_the_store_page_makes_one_statement(app, shop, trips):
    """The store of this host, what can be bought with all pauses, and the shelf. A shop that this
    process has not met is looked up first."""
    core.stores._known.clear()
    assert len(statements(app, lambda: shop("ama").get("/"))) == len(trips) == 1
    assert statements(app, lambda: shop("ama").get("/")) == []
    assert [len(trip) for trip in trips] == [1, 1]


@pytest.mark.parametrize("slug", ["ama", "kofi"])
def test_the_one_statement_says_what_the_rules_say_one_by_one(app, slug, bundle):
    """With one bundle hidden and another that costs more than its price."""
    hidden, below = bundle("mtn", slug), bundle("telecel", slug)
    with app.app_context():
        store = stores.by_slug(slug)
        with tenancy.inside(store.id), transaction() as session:
            session.execute(
                text("UPDATE store_bundles SET hidden = true WHERE bundle_id = :id"),
                {"id": hidden},
            )
            session.execute(
                text(
                    "UPDATE store_bundles SET price_pesewas = 1 WHERE bundle_id = :id"
                ),
                {"id": below},
            )
        shown = core.shop.by_slug(slug)
        tenancy.use(store.id)
        assert shown.shelf == catalog.shelf() and len(shown.shelf) > 3
        assert not {hidden, below} & {line.bundle_id for line in shown.shelf}
        assert shown.now == availability.now()
        read = stores.columns()
        assert all(getattr(shown.store, key) == getattr(store, key) for key in read)
        assert core.shop.by_slug("nobody") is None


def test_a_connection_that_died_in_the_pool_costs_one_more_and_no_page(
    app, shop, postgres
):
    """Nothing asks it for a sign of life first: the page is asked for again on another one."""
    customer = shop("ama")
    assert customer.get("/").status_code == 200
    with psycopg.connect(postgres["super"]) as session:
        ended = session.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename ="
            " 'makola_store'"
        ).fetchone()
    assert ended != (0,)
    assert customer.get("/").status_code == 200
