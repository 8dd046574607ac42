"""What a visit weighs in bytes, as it goes out to a browser that takes brotli: who buys data has little
of it left."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import brotli
import psycopg
import pytest
from flask import Flask
from PIL import Image
from store_customers import Shop

from core import logos
from tests.support.deliveries import deliver, estimate, renew

LINKED = re.compile(r'<(?:link|script)[^>]*?(?:href|src)="(/[^"]+)"')
PAGE, FIRST_LOAD, PURCHASE = 6_000, 9_000, 27_000
"""A store's page with its style; everything that it makes a browser load; a purchase from the first
look to the order's page, with ten questions of it that find nothing new."""
POLL = 200
BOTH = pytest.mark.parametrize("root", ["", "/tw"])
ASIDE = 3_000
"""A page that only who wants it asks for, with all that stands in it."""


def weigh(shop: Shop, path: str) -> tuple[int, str]:
    """Bytes of an answer, and what they say."""
    answer = shop.get(path, headers={"Accept-Encoding": "br"})
    body = answer.data
    answer.close()
    assert answer.status_code == 200, path
    if answer.headers.get("Content-Encoding") == "br":
        return len(body), brotli.decompress(body).decode()
    return len(body), body.decode()


def load(shop: Shop, path: str, known: dict[str, int]) -> str:
    """A page with what it links, each file once. Fills `known`: path → bytes."""
    known[path], text = weigh(shop, path)
    for linked in LINKED.findall(text):
        if linked not in known and not linked.startswith(("/orders", "/tw/orders")):
            known[linked] = weigh(shop, linked)[0]
    return text


@pytest.fixture
def store(shop: Callable[[str], Shop]) -> Shop:
    return shop("ama")


@BOTH
def test_the_first_load_of_a_store(
    app: Flask, store: Shop, bundle: Callable[[], int], root: str
) -> None:
    deliver(store.order(bundle()), [21] * 12)
    renew(app)
    for network, minutes in (("mtn", 40), ("telecel", 90), ("at", 180)):
        estimate(network, minutes=minutes, in_time=90 + minutes // 20)
    loaded: dict[str, int] = {}
    text = load(store, f"{root}/", loaded)
    assert text.count("<small>") >= 3 and "12" in text
    assert "<style" in text, "its style comes with it"
    assert loaded[f"{root}/"] <= PAGE, loaded
    assert sum(loaded.values()) <= FIRST_LOAD, loaded
    assert not any("htmx" in path or "manifest" in path for path in loaded), loaded


def test_a_logo_is_within_the_first_load(
    store: Shop, superuser: psycopg.Connection[Any]
) -> None:
    """Of the worst of pictures, noise, which no encoder makes small."""
    noise = io.BytesIO()
    Image.effect_noise((400, 300), 200).convert("RGB").save(noise, "PNG")
    made = logos.encoded(noise.getvalue())
    logo = made.small
    assert len(logo) <= logos.MOST_BYTES
    assert len(made.large or b"") <= logos.MOST_LARGE_BYTES
    superuser.execute(
        "INSERT INTO store_logos (store_id, mark, picture, made_at)"
        " SELECT id, 'aa', %s, now() FROM stores WHERE slug = 'ama'",
        [logo],
    )
    superuser.execute("UPDATE stores SET logo = 'aa' WHERE slug = 'ama'")
    # once, though it is the icon of the page as well
    loaded = {"/logo/aa.webp": len(store.get("/logo/aa.webp").data)}
    assert loaded["/logo/aa.webp"] == len(logo)
    text = load(store, "/", loaded)
    assert 'src="/logo/aa.webp"' in text and 'href="/logo/aa.webp"' in text
    assert loaded["/"] <= PAGE and sum(loaded.values()) <= FIRST_LOAD, loaded
    assert sum(loaded.values()) > FIRST_LOAD // 2, loaded


@BOTH
def test_a_whole_purchase(
    shop: Callable[..., Shop], bundle: Callable[[], int], root: str
) -> None:
    store = shop("ama", root)
    loaded: dict[str, int] = {}
    load(store, f"{root}/", loaded)
    review = store.post(
        f"{root}/orders", {"bundle": bundle(), "recipient": "024 123 4567"}
    )
    load(store, review.location, loaded)
    order = f"{root}/orders/{store.order(bundle(), '020 765 4321')}"
    text = load(store, order, loaded)
    assert "manifest" in text and any("htmx" in path for path in loaded)
    assert sum(loaded.values()) + 10 * POLL <= PURCHASE, loaded


def test_a_receipt_with_its_qr_code(store: Shop, bundle: Callable[[], int]) -> None:
    receipt = f"/orders/{store.order(bundle())}/receipt"
    weight, text = weigh(store, receipt)
    assert "<svg" in text and "<style" in text, "both come with it"
    assert weight <= ASIDE
    asked = LINKED.findall(text)
    assert len(asked) == 1 and "/static/store-" in asked[0], "which the order page has"


def test_what_the_worker_brings(store: Shop) -> None:
    """Once for each version, after an order's page: its script, and the page that it keeps."""
    assert weigh(store, "/sw.js")[0] <= 600
    assert weigh(store, "/offline")[0] <= ASIDE
