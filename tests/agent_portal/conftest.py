"""Fixtures of the agents' side: orders in any state, what must not change when something is
refused, a real browser."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.serving import make_server

from core import catalog, ledger, orders
from core.audit import SUPPLIER, SYSTEM, Actor
from core.base import tenancy
from core.base.db import db
from core.catalog import PriceLine
from core.orders import News, Order
from tests.support import chromium as support
from tests.support.claims import claim_one
from tests.support.till import till  # noqa: F401 - a fixture

AMA = Actor("agent", "Ama")
Placer = Callable[..., str]


@pytest.fixture
def place(in_store: Callable[..., Any]) -> Placer:
    """Place an order and bring it to a state; returns its code.

    `place("ama", network="mtn", gb=5, number="0241234567", state="processing")`
    """

    def make(
        slug: str = "ama", *, network: str = "mtn", gb: int = 5, number: str = "0241234567",
        name: str = "",
        state: str = "pending",
    ) -> str:  # fmt: skip

        def deed() -> str:
            line = next(
                l for l in catalog.shelf() if l.network == network and l.mb == gb * 1024
            )
            order = orders.place(
                bundle_id=line.bundle_id, recipient_msisdn="+233" + number[1:],
                repeat_confirmed=True,
                idempotency_key=secrets.token_urlsafe(16), customer_name=name,
            ).order  # fmt: skip
            bring(order.code, state)
            return order.code

        return str(in_store(slug, deed))

    return make


@pytest.fixture
def wallet(in_store: Callable[..., Any]) -> Callable[..., tuple[int, int]]:
    """Available and held, in pesewas."""

    def read(slug: str = "ama") -> tuple[int, int]:
        found = in_store(slug, ledger.wallet)
        return found.available_pesewas, found.held_pesewas

    return read


@pytest.fixture
def nearly_empty(
    place: Any, line_of: Any, wallet: Any, in_store: Any, app: Any
) -> Callable[[], tuple[int, int]]:
    """Leave ama one pesewa less than MTN 10 GB costs her. Returns what it costs and what is
    left."""

    def spend() -> tuple[int, int]:
        dear = line_of("mtn", 10).agent_price_pesewas
        for index in range(50):
            if wallet()[0] < dear:
                break
            place(gb=10, number=f"05400000{index:02}", state="queued")
        store_id, missing = (
            in_store("ama", tenancy.current_store_id),
            dear - 1 - wallet()[0],
        )
        if missing:
            with app.app_context(), tenancy.across_stores():
                ledger.fund_wallet(store_id, missing, "to the last pesewa", SYSTEM)
        return dear, wallet()[0]

    return spend


def bring(code: str, state: str) -> None:
    """Walk an order to a state along the legal moves, in the current store."""
    if state == "pending":
        return
    if state == "cancelled":
        orders.cancel(code, AMA)
        return
    order = orders.release(code, AMA)
    road = {
        "queued": [], "submitting": [], "processing": ["processing"], "completed": ["processing",
        "completed"],
        "failed": ["processing", "failed"], "refunded": ["processing", "failed", "refunded"],
    }[state]  # fmt: skip
    if state != "queued":
        claim_one(order.id)
    for step in road:
        news = News(
            supplier_ref="SUP-4T",
            raw_status=step,
            amount_pesewas=order.cost_pesewas if step == "processing" else None,
        )
        back = News(raw_status="refunded", money_back=True)
        told = {
            "processing": "The supplier has it.",
            "completed": "Delivered, the supplier says.",
        }
        assert orders.advance(order.id, step, text=told.get(step, f"Supplier says {step}."),
        actor=SUPPLIER,
                              news=back if step == "refunded" else news)  # fmt: skip


@pytest.fixture
def order_of(in_store: Callable[..., Any]) -> Callable[..., Order]:
    """Read an order of a store as it is in the database now."""

    def read(code: str, slug: str = "ama") -> Order:
        found = in_store(slug, lambda: orders.by_code(code))
        assert found is not None
        return found  # type: ignore[no-any-return]

    return read


@pytest.fixture
def line_of(in_store: Callable[..., Any]) -> Callable[..., PriceLine]:
    """A bundle with its prices, as its agent sees it: `line_of("mtn", 5)`."""

    def find(network: str, gb: int, slug: str = "ama") -> PriceLine:
        def deed() -> PriceLine:
            return next(
                l
                for l in catalog.price_table()
                if (l.network, l.mb) == (network, gb * 1024)
            )

        return in_store(slug, deed)  # type: ignore[no-any-return]

    return find


@pytest.fixture
def counts(app: Flask) -> Callable[[], tuple[int, ...]]:
    """How many rows the tables that matter hold on the whole platform, and the sum of all states'
    versions."""

    def count() -> tuple[int, ...]:
        with app.app_context(), tenancy.across_stores():
            found = tuple(
                db.session.execute(text(query)).scalar_one()
                for query in (
                    "SELECT count(*) FROM orders", "SELECT count(*) FROM order_events",
                    "SELECT count(*) FROM postings",
                    "SELECT count(*) FROM entries", "SELECT count(*) FROM outbox",
                    "SELECT count(*) FROM sessions",
                    "SELECT coalesce(sum(version), 0) FROM orders",
                    "SELECT sum(price_pesewas) FROM store_bundles",
                )
            )  # fmt: skip
            db.session.remove()
            return found

    return count


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    """The application on a real socket; the portal's address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    yield f"http://portal.localhost:{server.server_port}"
    server.shutdown()
    thread.join(5)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for a file of tests."""
    if support.PROGRAM is None:
        pytest.skip("no Chromium here")
    with support.launched() as browser:
        yield browser


@pytest.fixture
def open_page(chromium: Any, served: str) -> Iterator[Callable[..., Any]]:
    """A page at the portal, logged in as `who` through the log-in form (None: not logged in)."""
    contexts = []

    def open_(
        who: str | None = "ama",
        *,
        width: int = 360,
        height: int = 740,
        dark: bool = False,
        js: bool = True,
    ) -> Any:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light",
            java_script_enabled=js, base_url=served, reduced_motion="reduce",
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        if who:
            page.goto("/login")
            page.fill("#email", f"{who}@example.test")
            page.fill("#password", "correct horse battery")
            page.click("text=Log in >> nth=-1")
        return page

    yield open_
    for context in contexts:
        context.close()
