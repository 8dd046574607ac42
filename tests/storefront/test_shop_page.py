"""The store page: what it shows, that it is the same for everyone, and how little it weighs."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import re
from pathlib import Path

import pytest
from store_customers import NUMBER, fields, parse_clean

from core import catalog
from core.audit import SYSTEM
from core.base import clock, colours, phones
from storefront import theme

PAGE_LIMIT, VIEW_LIMIT, CSS_LIMIT = 6_000, 20_000, 3_000
STATIC = Path(__file__).resolve().parents[2] / "static"


def compressed(content: bytes) -> int:
    return len(gzip.compress(content, 6))


def test_bundles_stand_under_their_network_with_their_price(shop, in_store):
    html = shop("ama").get("/").text
    shelf = in_store("ama", catalog.shelf)
    assert {line.network for line in shelf} == {"mtn", "telecel", "at"}
    for network in phones.NETWORKS:
        part = re.search(rf'<div class="net" id="{network}".*?</ul>', html, re.DOTALL)[
            0
        ]
        shown = re.findall(
            r'value="(\d+)".*?<span class="n">(GH₵\s[\d.,]+)</span>', part
        )
        assert [int(bundle_id) for bundle_id, _ in shown] == [
            l.bundle_id for l in shelf if l.network == network
        ]
        assert [price.split()[1] for _, price in shown] == [
            f"{l.price_pesewas / 100:,.2f}" for l in shelf if l.network == network
        ]


def test_the_number_field_takes_any_spelling_and_the_page_names_whom_to_pay(
    shop, change_store
):
    change_store(
        "ama", momo_number="+233240000001", whatsapp="+233240000002", name="Ama's Data"
    )
    html = shop("ama").get("/").text
    assert re.search(
        r'<input id="recipient" name="recipient" type="tel" inputmode="tel" autocomplete="tel"',
        html,
    )
    assert "pattern=" not in html
    assert "024\xa0000\xa00001" in html
    assert 'href="https://wa.me/233240000002"' in html
    assert "Ama&#39;s Data" in html


def test_the_page_is_the_same_bytes_for_everyone_and_sets_no_cookie(shop, bundle):
    stranger, customer = shop("ama"), shop("ama")
    customer.order(bundle())
    assert customer.client.get_cookie("__Host-device", "ama.localhost") is not None
    first, second = stranger.get("/"), customer.get("/")
    assert first.data == second.data
    for response in (first, second):
        assert "Set-Cookie" not in response.headers
        assert "Cookie" not in response.headers.get("Vary", "")
        assert "csrf" not in response.text


def test_an_unchanged_page_is_answered_without_its_bytes(shop):
    first = shop("ama").get("/")
    again = shop("ama").get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_first_view_fits_the_budget_all_in(shop):
    """The page with its styles in 6 KB, and with every file it asks for in 20 KB."""
    page = shop("ama").get("/")
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)[1]
    asked = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    files = [
        shop("ama").get(path, headers={"Accept-Encoding": "gzip"}, buffered=True)
        for path in asked
    ]
    assert asked and all(file.status_code == 200 for file in files)
    weights = {"page": compressed(page.data), "css": compressed(style.encode())}
    whole = weights["page"] + sum(len(file.data) for file in files)
    assert weights["page"] <= PAGE_LIMIT, weights
    assert weights["css"] <= CSS_LIMIT, weights
    assert whole <= VIEW_LIMIT, whole
    assert "htmx" not in page.text


def test_the_inlined_style_is_allowed_by_its_hash_and_nothing_else_is(shop):
    page = shop("ama").get("/")
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = page.headers["Content-Security-Policy"]
    assert f"style-src 'self' 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\sstyle=|\son\w+=", page.text)


def test_each_store_wears_its_own_colour(shop, change_store):
    change_store("ama", colour="#ffcc00")
    change_store("kofi", colour="#0b3d91")
    assert "--c:#ffcc00;--on:#000000" in shop("ama").get("/").text
    assert "--c:#0b3d91;--on:#ffffff" in shop("kofi").get("/").text


COLOURS = [
    "#" + "".join(f"{part:02x}" for part in parts)
    for parts in itertools.product((0, 64, 119, 128, 200, 255), repeat=3)
]


@pytest.mark.parametrize("ground", [colours.PAPER, colours.INK])
def test_text_can_be_read_whatever_colour_a_store_chose(ground):
    for colour in COLOURS:
        assert colours.contrast(colours.text_on(colour), colour) >= 4.5, colour
        assert colours.contrast(colours.readable(colour, ground), ground) >= 4.5, colour


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#ffffff", 4.48),
        ("#ffcc00", "#000000", 13.89),
    ],
)
def test_contrast_is_what_wcag_computes(one, other, ratio):
    assert colours.contrast(one, other) == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize(
    "colour", ["", None, "red", "#12345", "#12345g", "#fff;}body{display:none"]
)
def test_a_colour_that_is_none_never_reaches_the_stylesheet(colour):
    assert theme.valid(colour) == "#1f4d3a"


def test_a_closed_store_says_so_before_anyone_orders(
    shop, change_store, bundle, counts
):
    change_store("ama", status="closed", closed_note="Back at 07:00 tomorrow.")
    before = counts()
    page = shop("ama").get("/")
    assert page.status_code == 200
    assert "is closed now" in page.text and "Back at 07:00 tomorrow." in page.text
    assert "<form" not in page.text and 'type="radio"' not in page.text
    assert "GH₵" in page.text  # the prices stay readable
    refused = shop("ama").review(bundle("mtn", "kofi"))
    assert refused.status_code == 422 and "is closed now" in refused.text
    assert counts() == before


def test_a_paused_network_says_since_when_and_what_works(
    shop, in_store, bundle, counts
):
    mtn = bundle("mtn")
    in_store("ama", lambda: catalog.pause_network("mtn", "test", SYSTEM))
    before = counts()
    html = shop("ama").get("/").text
    part = re.search(r'<div class="net" id="mtn".*?</div>', html, re.DOTALL)[0]
    now = clock.now().astimezone(clock.ACCRA)
    assert "MTN is paused since" in part and f"{now:%H:}" in part
    assert "Telecel and AT work." in part
    assert 'type="radio"' not in part
    assert html.count('type="radio"') > 0
    refused = shop("ama").review(mtn)
    assert refused.status_code == 422 and "MTN is paused since" in refused.text
    assert counts() == before


def test_a_paused_network_names_only_what_this_store_sells_instead(
    shop, in_store, bundle
):
    mtn, customer = bundle("mtn"), shop("ama")
    form = fields(customer.review(mtn).text)
    hidden = in_store(
        "ama",
        lambda: [line for line in catalog.shelf() if line.network in ("telecel", "at")],
    )
    for line in hidden[:-1] if hidden[-1].network == "at" else hidden:
        in_store(
            "ama",
            lambda line=line: catalog.save_price(
                line.bundle_id, line.price_pesewas, True, SYSTEM
            ),
        )
    in_store("ama", lambda: catalog.pause_network("mtn", "test", SYSTEM))
    for answer in (shop("ama").review(mtn), customer.post("/orders", form)):
        said = re.search(r'role="alert".*?</div>', answer.text, re.DOTALL)[0]
        assert (
            answer.status_code == 422 and "AT works." in said and "Telecel" not in said
        )
    in_store(
        "ama",
        lambda: catalog.save_price(
            hidden[-1].bundle_id, hidden[-1].price_pesewas, True, SYSTEM
        ),
    )
    said = re.search(r'role="alert".*?</div>', shop("ama").review(mtn).text, re.DOTALL)[
        0
    ]
    assert "MTN is paused since" in said and "work" not in said


def test_a_shop_that_sells_nothing_just_now_opens_by_itself_with_and_without_javascript(
    shop, in_store, bundle
):
    mtn, customer = bundle("mtn"), shop("ama")
    assert (
        "data-look" not in customer.get("/").text
        and "refresh" not in customer.get("/").text
    )
    form = fields(customer.review(mtn).text)
    where = customer.client.post(
        "/orders",
        data={"bundle": mtn, "recipient": NUMBER},
        base_url=customer.base,
        headers={"Origin": customer.base},
    ).location
    in_store("ama", lambda: catalog.pause_sales("test", SYSTEM))
    for page in (
        customer.get("/"),
        customer.get(where),
        customer.post("/orders", form),
    ):
        assert (
            '<noscript><meta http-equiv="refresh" content="60"></noscript>' in page.text
        )
        assert (
            'data-look="60" data-at=""' in page.text
            and "store.js" not in page.text.split("</head>")[1]
        )
        assert re.search(r'<script src="[^"]*store[^"]*\.js"', page.text)
        assert "opens again by itself" in page.text
    answered = customer.post("/orders", {"bundle": mtn, "recipient": NUMBER})
    assert 'content="60;url=/"' in answered.text and 'data-at="/"' in answered.text
    parse_clean(answered.text)


def test_paused_sales_are_said_before_anyone_orders(shop, in_store, bundle, counts):
    mtn = bundle("mtn")
    in_store("ama", lambda: catalog.pause_sales("test", SYSTEM))
    before = counts()
    html = shop("ama").get("/").text
    assert "Sales are paused since" in html and "<form" not in html
    assert shop("ama").review(mtn).status_code == 422
    assert counts() == before


def test_an_empty_shelf_says_what_to_do(shop, in_store):
    table = in_store("ama", catalog.price_table)
    prices = {
        line.bundle_id: line.price_pesewas for line in table if line.price_pesewas
    }
    in_store(
        "ama",
        lambda: catalog.save_prices({i: (p, True) for i, p in prices.items()}, SYSTEM),
    )
    page = shop("ama").get("/")
    assert page.status_code == 200
    assert "No bundles yet" in page.text and "<form" not in page.text
    parse_clean(page.text)
    assert 'type="radio"' in shop("kofi").get("/").text


def test_a_link_may_choose_the_bundle_but_never_carries_a_number(shop, bundle):
    html = shop("ama").get(f"/?bundle={bundle('at')}&recipient=0241234567").text
    assert html.count(" checked") == 1
    assert re.search(rf'value="{bundle("at")}" required checked', html)
    assert "0241234567" not in html


@pytest.mark.parametrize("wanted", ["999999", "0", "x", "hidden", "paused"])
def test_a_chosen_bundle_that_is_not_sold_is_said_and_not_forgotten_silently(
    shop, bundle, in_store, wanted
):
    mtn = bundle("mtn")
    if wanted == "hidden":
        in_store("ama", lambda: catalog.save_price(mtn, 1_000, True, SYSTEM))
    if wanted == "paused":
        in_store("ama", lambda: catalog.pause_network("mtn", "test", SYSTEM))
    page = shop("ama").get(
        f"/?bundle={wanted if wanted not in ('hidden', 'paused') else mtn}"
    )
    assert (
        page.status_code == 200
        and "The bundle you chose is not on sale here now." in page.text
    )
    assert " checked" not in page.text
    parse_clean(page.text)
    assert "The bundle you chose" not in shop("ama").get("/").text
    assert (
        "The bundle you chose" not in shop("ama").get(f"/?bundle={bundle('at')}").text
    )


@pytest.mark.parametrize(
    "query",
    [
        "bundle=%FF",
        "bundle=٣",
        "bundle=-1",
        "bundle=99999999999",
        "bundle=1&bundle=2",
        "x" * 4000,
    ],
)
def test_a_strange_link_shows_the_plain_shop(shop, query):
    page = shop("ama").get("/?" + query)
    assert page.status_code == 200
    parse_clean(page.text)


def test_link_previews_name_the_store_and_the_cheapest_bundles(shop, in_store):
    html = shop("ama").get("/").text
    cheapest = min(
        (l for l in in_store("ama", catalog.shelf) if l.network == "mtn"),
        key=lambda l: l.price_pesewas,
    )
    described = re.search(r'property="og:description" content="([^"]+)"', html)[1]
    assert (
        f"MTN {cheapest.size_text} GH₵ {cheapest.price_pesewas / 100:.2f}" in described
    )
    assert re.search(r'property="og:url" content="[a-z]+://ama\.localhost[^"]*/"', html)


def test_manifest_and_robots(shop):
    manifest = shop("ama").get("/manifest.webmanifest")
    assert manifest.mimetype == "application/manifest+json"
    assert manifest.json["name"] and re.fullmatch(
        "#[0-9a-f]{6}", manifest.json["theme_color"]
    )
    assert "Disallow: /orders" in shop("ama").get("/robots.txt").text


def test_an_unknown_page_is_not_found_in_the_stores_theme(shop):
    page = shop("ama").get("/no/such/page")
    assert page.status_code == 404
    assert "See the bundles" in page.text and "<style>:root{--c:" in page.text
    assert "Set-Cookie" not in page.headers
    parse_clean(page.text)


def test_a_name_with_markup_in_it_stays_text(shop, change_store):
    change_store("ama", name='<b>Ama</b> & "Co"', welcome="<script>alert(1)</script>")
    page = shop("ama").get("/")
    assert "<b>Ama" not in page.text and "<script>alert" not in page.text
    parse_clean(page.text)
