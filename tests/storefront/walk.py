"""Every page that a customer may meet, in one language: by name, as it was answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import tables_owner
import walk_paying
import walk_telling
from flask import Flask
from sqlalchemy import text
from store_customers import OTHER_NUMBER, Shop, fields, set_order
from werkzeug.test import TestResponse

from core import catalog
from core.audit import SYSTEM
from core.base import clock
from core.orders import not_received

MORE = {
    "tracking": (
        walk_telling.told,
        walk_telling.not_there,
        walk_telling.found,
        walk_telling.timed,
        walk_paying.paid_online,
    )
}
"""By the part they come after."""
Answers = Iterator[tuple[str, TestResponse]]


class Walk:
    """A customer of ama's who meets everything, in the language of `root`."""

    def __init__(
        self, app: Flask, in_store: Callable[..., Any], change: Any, root: str
    ) -> None:
        self.app, self.in_store, self.change, self.root = app, in_store, change, root
        self.shop = Shop(app, "ama", root)

    def pages(self) -> Answers:
        for part in (
            self.ordering,
            self.refused,
            self.orders,
            self.tracking,
            self.crowded,
            self.shut,
        ):
            yield from part()
            for more in MORE.get(part.__name__, ()):
                yield from more(self)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.shop.get(self.root + path, **more)

    def post(self, path: str, data: Any, **more: Any) -> TestResponse:
        return self.shop.post(self.root + path, data, **more)

    def bundle(self, network: str = "mtn") -> int:
        return int(
            self.in_store(
                "ama",
                lambda: next(
                    line.bundle_id
                    for line in catalog.shelf()
                    if line.network == network
                ),
            )
        )

    def ordering(self) -> Answers:
        yield "shop", self.get("/")
        yield "what was chosen is gone", self.get("/?bundle=999")
        review = self.shop.review(self.bundle())
        yield "review", review
        yield "changing", self.post("/orders?change=1", fields(review.text))
        yield "mismatch", self.shop.review(self.bundle("telecel"))
        placed = self.post("/orders", fields(review.text))
        yield "order placed", placed
        self.code = placed.location.rpartition("/")[2]
        yield "order", self.get(f"/orders/{self.code}")
        yield "repeat", self.shop.review(self.bundle())
        stranger = Shop(self.app, "ama", self.root)
        yield "repeat of somebody's", stranger.review(self.bundle())
        first = self.post(
            "/orders", {"bundle": self.bundle(), "recipient": OTHER_NUMBER}
        )
        yield "to the review", first
        last_look = self.shop.get(first.location)
        yield "another review", last_look
        self.post("/orders", fields(last_look.text))
        yield "what Back shows", self.shop.get(first.location)
        yield "manifest", self.get("/manifest.webmanifest")

    def refused(self) -> Answers:
        for number in ("", "O24 123 4567", "024", "0", "abc", "024+1", "0302123456",
                       "0281234567", "0211234567", "+44 20 7946 0958", "1241234567",
                       "1" * 40):  # fmt: skip
            form = {"bundle": self.bundle(), "recipient": number}
            yield f"number {number}", self.post("/orders", form)
        yield "no bundle", self.post("/orders", {"recipient": OTHER_NUMBER})
        both = {"bundle": "x", "recipient": ""}
        yield "two mistakes", self.post("/orders", both)
        gone = {"bundle": "99999", "recipient": OTHER_NUMBER}
        yield "no such bundle", self.post("/orders", gone)
        yield "review gone", self.get("/review/nothing")
        form = fields(self.shop.review(self.bundle("at"), "026 123 4567").text)
        for name, other in {
            "token": {"csrf_token": "x"},
            "unreadable": {"price": "x"},
            "price moved": {"price": "1"},
            "no price": {"price": ""},
        }.items():
            yield name, self.post("/orders", {**form, **other})
        bare = self.app.test_client(use_cookies=False)
        headers = {"Origin": self.shop.base}
        yield (
            "no cookies",
            bare.post(
                f"{self.root}/orders",
                data=form,
                base_url=self.shop.base,
                headers=headers,
            ),
        )
        yield "not found", self.get("/nothing/here")
        refused = self.shop.client.put(
            f"{self.root}/track", base_url=self.shop.base, headers=headers
        )
        yield "wrong method", refused
        yield "too large", self.post("/orders", {"recipient": "1" * 200_000})
        yield "forged", self.post(f"/orders/{self.code}/cancel", {"csrf_token": "x"})
        yield (
            "foreign",
            self.post(
                f"/orders/{self.code}/cancel",
                {},
                headers={"Origin": "http://evil.test"},
            ),
        )

    def orders(self) -> Answers:
        now = clock.now()
        for state, values in {
            "awaiting_payment": {}, "pending": {}, "queued": {},
            "submitting": {"submitted_at": now},
            "submitting, unclear": {"unknown_since": now, "submitted_at": now},
            "processing": {"processing_at": now}, "completed": {"completed_at": now},
            "failed": {"failed_since": now}, "expired": {}, "cancelled": {},
            "cancelled, owed": {"confirmed_at": now},
            "refunded": {"processing_at": now, "submitted_at": now},
            "refunded, number": {"processing_at": None, "failure_reason": "bad number"},
            **{
                f"refunded, {how}": {"given_back_at": now, "given_back_by": "Ama", "given_back_how": how}
                for how in ("momo", "cash", "other", "unpaid", "delivered")
            },
        }.items():  # fmt: skip
            set_order(
                self.app, "ama", self.code, state=state.partition(",")[0], **values
            )
            yield f"order {state}", self.get(f"/orders/{self.code}")
            yield f"part {state}", self.get(f"/orders/{self.code}/status?v=0")
        self.tell_everything()
        yield "every line", self.get(f"/orders/{self.code}")

    def tell_everything(self) -> None:
        """Every line that a timeline of a customer may have."""
        lines = (
            "Ordered", "Payment confirmed", "Sent to the network", "Delivered", "Cancelled",
            "Checking with the network", "Not delivered", "It could not be sent",
            "Expired: nothing was sent", "The network reports a problem; we keep checking",
            "Cancelled. Nothing was sent.", "Given back by MoMo", "Given back in cash",
            "Given back in another way", "Not given back yet", "Settled with the store",
            "The store has not answered: Makola was asked", "You said that you have paid",
            "The store looked: your payment is not there yet", "You said that it has not come",
            "The store answered:", *not_received.ANSWERS.values(),
        )  # fmt: skip
        for line in lines:
            tables_owner.execute(
                text(
                    "INSERT INTO order_events (store_id, order_id, at, who, who_name, kind, text,"
                    " customer_text) SELECT store_id, id, now(), 'system', '', 'note', '', :line"
                    " FROM orders WHERE code = :code"
                ).bindparams(line=line, code=self.code)
            )

    def tracking(self) -> Answers:
        yield "track", self.get("/track")
        yield "track nothing", self.get("/track?code=")
        yield "track unknown", self.get("/track?code=ZZZ")
        yield "track a number", self.get("/track?code=024%20123%204567")
        yield "track found", self.get(f"/track?code={self.code}")
        yield "unknown order", self.get("/orders/ZZZZZZZZZZ")
        yield "unknown part", self.get("/orders/ZZZZZZZZZZ/status?v=1")
        code = self.shop.order(self.bundle("at"), "026 765 4321")
        stranger = Shop(self.app, "ama", self.root)
        page = stranger.review(self.bundle("at"), "057 765 4321").text
        token = {"csrf_token": fields(page)["csrf_token"]}
        yield (
            "cancel of a stranger",
            stranger.post(f"{self.root}/orders/{code}/cancel", token),
        )
        page = self.get(f"/orders/{code}").text
        set_order(self.app, "ama", code, state="queued", queued_at=clock.now())
        cancel = self.post(f"/orders/{code}/cancel", fields(page))
        yield "to the order", cancel
        yield "cancel too late", self.shop.get(cancel.location)
        set_order(self.app, "ama", code, state="expired")
        self.post(f"/orders/{code}/cancel", fields(page))
        yield "cancel after the end", self.get(f"/orders/{code}")

    def crowded(self) -> Answers:
        """More of one device than may wait; more for one number than were taken in an hour."""
        customer, elsewhere = (
            Shop(self.app, "ama", self.root),
            {"REMOTE_ADDR": "196.201.0.9"},
        )
        for last in range(6):
            form = fields(customer.review(self.bundle(), f"055 765 430{last}").text)
            answer = customer.post(
                f"{self.root}/orders", form, environ_overrides=elsewhere
            )
        yield "too many of one device", answer
        tables_owner.execute(
            "UPDATE orders SET queued_at = :now, recipient_msisdn = '+233541112222'",
            now=clock.now(),
        )
        yield (
            "too many for a number",
            self.shop.review(self.bundle("at"), "054 111 2222"),
        )

    def shut(self) -> Answers:
        code = self.shop.order(self.bundle("at"), "027 765 4321")
        review = fields(self.shop.review(self.bundle("mtn"), "025 765 4321").text)
        wish = {"bundle": self.bundle(), "recipient": OTHER_NUMBER}
        pause, go_on = catalog.pause_network, catalog.resume_network
        self.in_store("ama", lambda: pause("mtn", "test", SYSTEM))
        yield "a network is paused", self.get("/")
        yield "refused: paused", self.post("/orders", wish)
        self.in_store("ama", lambda: go_on("mtn", SYSTEM))
        self.in_store("ama", lambda: catalog.pause_sales("test", SYSTEM))
        yield "sales are paused", self.get("/")
        yield "refused: sales are paused", self.post("/orders", wish)
        self.in_store("ama", lambda: catalog.resume_sales(SYSTEM))
        for change in ("unlisted_since = now()", "agent_price_pesewas = 90000"):
            tables_owner.execute(f"UPDATE bundles SET {change}")
            for state in ("pending", "queued"):
                set_order(self.app, "ama", code, state=state)
                yield f"{state}, {change}", self.get(f"/orders/{code}")
            tables_owner.execute("UPDATE bundles SET unlisted_since = NULL")
        tables_owner.execute(
            "UPDATE bundles SET agent_price_pesewas = cost_pesewas + 1"
        )
        set_order(self.app, "ama", code, state="pending")
        for reason in (
            "supplier_unreachable", "supplier_silent", "breaker", "rate", "credentials",
            "balance_break", "unwatched",
        ):  # fmt: skip
            self.stop(reason)
            yield f"stopped: {reason}", self.get("/")
        yield "order while stopped", self.get(f"/orders/{code}")
        set_order(self.app, "ama", code, state="queued")
        yield "in line while stopped", self.get(f"/orders/{code}")
        yield "refused: stopped", self.post("/orders", wish)
        yield "confirmed: stopped", self.post("/orders", review)
        self.stop(None)
        self.stop(None, short=True)
        yield "sold out", self.get("/")
        yield "refused: sold out", self.post("/orders", wish)
        self.stop(None)
        self.change("ama", status="closed", closed_note="")
        yield "closed", self.get("/")
        yield "refused: closed", self.post("/orders", wish)
        self.change("ama", status="open")
        tables_owner.execute(text("UPDATE store_bundles SET hidden = true"))
        yield "nothing on the shelf", self.get("/")

    def stop(self, reason: str | None, short: bool = False) -> None:
        since = clock.now() - timedelta(minutes=5)
        every = "(SELECT jsonb_object_agg(id, CAST(:short AS text)) FROM bundles)"
        tables_owner.execute(
            "UPDATE buying SET renewed_at = :now, stopped = :reason, stopped_since = :since,"
            f" short = CASE WHEN :is_short THEN {every} ELSE '{{}}' END",
            now=clock.now(),
            reason=reason,
            since=since,
            short=since.isoformat(),
            is_short=short,
        )
