"""More pages that a customer may meet: what they tell, the receipt, the offline page, estimates."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from store_customers import Shop, fields, set_order

from core.audit import Actor
from core.base import clock
from core.orders import not_received, telling
from tests.support.deliveries import deliver, estimate, renew

AGENT = Actor("agent", "Ama")


def told(walk: Any) -> Any:
    """ "I have paid", refused and taken, looked for and gone to Makola."""
    shop = Shop(walk.app, "ama", walk.root)
    code = shop.order(walk.bundle("at"), "026 765 4300")
    where = f"{walk.root}/orders/{code}"
    page = shop.get(f"{where}/paid")
    yield "paid", page
    token = fields(page.text)
    wrong = {**token, "time": "soon", "payer": "", "transaction": "1 2"}
    yield "paid, wrong", shop.post(f"{where}/paid", wrong)
    right = {**token, "time": "10:04", "payer": "055 123 4567"}
    yield "paid, told", shop.post(f"{where}/paid", right)
    yield "order told", shop.get(where)
    walk.in_store("ama", lambda: telling.note_not_found(code, AGENT))
    yield "order, payment not found", shop.get(where)
    set_order(walk.app, "ama", code, not_found_at=None, owner_asked_at=clock.now())
    yield "order told, Makola asked", shop.get(where)
    for state in ("queued", "cancelled"):
        set_order(walk.app, "ama", code, state=state, queued_at=None)
        shop.post(f"{where}/paid", {**right, "payer": state})
        yield f"paid, {state}", shop.get(where)
    set_order(walk.app, "ama", code, state="pending", owner_asked_at=None)
    for at in range(telling.MOST_TOLD):
        shop.post(f"{where}/paid", {**right, "payer": f"Kwame {at}"})
    yield "paid, too often", shop.get(where)


def not_there(walk: Any) -> Any:
    """ "It has not come", refused, taken and answered."""
    shop = Shop(walk.app, "ama", walk.root)
    code = shop.order(walk.bundle("at"), "026 765 4301")
    where = f"{walk.root}/orders/{code}"
    done = clock.now()
    set_order(walk.app, "ama", code, state="completed", queued_at=done, completed_at=done,
              final_at=done)  # fmt: skip
    yield "delivered just now", shop.get(where)
    token = fields(shop.get(f"{walk.root}/track/number").text)
    early = {**token, "balance": "none"}
    shop.post(f"{where}/not-received", early)
    yield "not received, too early", shop.get(where)
    done -= timedelta(hours=1)
    set_order(walk.app, "ama", code, completed_at=done, final_at=done)
    yield "delivered an hour ago", shop.get(where)
    yield "not received", shop.get(f"{where}/not-received")
    yield "not received, wrong", shop.post(f"{where}/not-received", token)
    shop.post(f"{where}/not-received", early)
    yield "order not received", shop.get(where)
    set_order(walk.app, "ama", code, owner_asked_at=clock.now())
    yield "order not received, Makola asked", shop.get(where)
    walk.in_store("ama", lambda: not_received.answer(code, "asked", "7", AGENT))
    yield "order answered", shop.get(where)
    set_order(
        walk.app, "ama", code, missing_since=None, final_at=done - timedelta(days=9)
    )
    shop.post(f"{where}/not-received", early)
    yield "not received, too late", shop.get(where)
    stranger = Shop(walk.app, "ama", walk.root)
    for page in ("paid", "not-received"):
        yield f"{page} of a stranger", stranger.get(f"{where}/{page}")
    yield "receipt", shop.get(f"{where}/receipt")
    for state, values in {
        "pending": {"final_at": None, "queued_at": None},
        "refunded": {"queued_at": done, "given_back_at": None},
        "cancelled": {"queued_at": None},
        "expired": {"confirmed_at": done, "given_back_at": done, "given_back_by": "Ama",
                    "given_back_how": "unpaid"},
        "refunded, given": {"given_back_how": "momo"},
    }.items():  # fmt: skip
        set_order(walk.app, "ama", code, state=state.partition(",")[0], **values)
        yield f"receipt {state}", shop.get(f"{where}/receipt")


def found(walk: Any) -> Any:
    """Orders by a phone number."""
    shop = Shop(walk.app, "ama", walk.root)
    shop.order(walk.bundle("at"), "026 765 4302")
    where = f"{walk.root}/track/number"
    page = shop.get(where)
    yield "by number", page
    token = fields(page.text)
    for number, pay_code in (("", ""), ("024", "123"), ("026 765 4302", ""),
                             ("026 765 4399", "")):  # fmt: skip
        form = {**token, "number": number, "pay_code": pay_code}
        yield f"by number {number}", shop.post(where, form)
    yield "offline", shop.get(f"{walk.root}/offline")


def timed(walk: Any) -> Any:
    """Estimates and the record, kept and passed."""
    shop = Shop(walk.app, "ama", walk.root)
    code = shop.order(walk.bundle(), "059 765 4310")
    deliver(code, [21] * 12)
    renew(walk.app)
    for network, minutes in (("mtn", 40), ("telecel", 60), ("at", 180)):
        estimate(network, minutes=minutes, in_time=90)
    yield "shop, timed", shop.get(f"{walk.root}/")
    yield "review, timed", shop.review(walk.bundle(), "059 765 4311")
    yield "order, timed", shop.get(f"{walk.root}/orders/{code}")
    now = clock.now()
    for ago, name in ((1, "in time"), (300, "overdue")):
        since = now - timedelta(minutes=ago)
        set_order(walk.app, "ama", code, state="processing", queued_at=since,
                  processing_at=since, estimate_minutes=40,
                  next_look_at=now + timedelta(minutes=5))  # fmt: skip
        yield f"order {name}", shop.get(f"{walk.root}/orders/{code}")
