"""More pages that a customer may meet: an order that is paid online, from its review to what goes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import tables_owner
from store_customers import Shop, fields, set_order

from core.base import clock
from tests.support.settings import using
from tests.support.till import SETTINGS, SWITCH

PROMPTS = "INSERT INTO settings (key, value) VALUES ('pay_by_prompt', '{}') ON CONFLICT DO NOTHING"
OFF = (
    "DELETE FROM settings WHERE key IN ('pay_online', 'pay_by_prompt')",
    "UPDATE stores SET pay_online = false",
)


def paid_online(walk: Any) -> Any:
    """Each page on the way to the gateway and back, with the attempt as its worker would leave it."""
    with using(**SETTINGS):
        for statement in (*SWITCH[:2], PROMPTS):
            tables_owner.execute(statement)
        yield from _pages(walk)
        yield from _prompts(walk)
        for statement in OFF:
            tables_owner.execute(statement)
    review = Shop(walk.app, "ama", walk.root).review(walk.bundle("at"), "026 765 4310")
    form = fields(review.text) | {"pay": "online"}
    yield (
        "online, off",
        Shop(walk.app, "ama", walk.root).post(f"{walk.root}/orders", form),
    )


def _pages(walk: Any) -> Any:
    shop = Shop(walk.app, "ama", walk.root)
    review = shop.review(walk.bundle("at"), "026 765 4311")
    yield "online, review", review
    form = fields(review.text) | {"pay": "online"}
    code = shop.post(f"{walk.root}/orders", form).location.split("/")[-2]
    where = f"{walk.root}/orders/{code}"
    yield "online, being opened", shop.get(f"{where}/pay")
    attempt(created_at=clock.now() - timedelta(minutes=1))
    yield "online, slow", shop.get(f"{where}/pay")
    attempt(state="open", authorization_url="http://127.0.0.1:9/checkout/x")
    yield "online, open", shop.get(f"{where}/pay")
    yield "online, order", shop.get(where)
    attempt(created_at=clock.now() - timedelta(minutes=5))
    page = shop.get(where)
    yield "online, another page", page
    stranger = Shop(walk.app, "ama", walk.root)
    token = fields(stranger.review(walk.bundle("at"), "057 765 4312").text)
    again = {"csrf_token": token["csrf_token"], "after": "1"}
    yield "online, another's", stranger.post(f"{where}/pay", again)
    attempt(state="failed")
    yield "online, failed", shop.get(where)
    paid = {"state": "paid", "charged_pesewas": 5_000, "paid_at": clock.now()}
    attempt(**paid)
    set_order(walk.app, "ama", code, state="expired", final_at=clock.now())
    yield "online, late", shop.get(where)
    shop.post(f"{where}/pay", fields(page.text))
    yield "online, over", shop.get(where)
    attempt(owed_pesewas=5_000)
    yield "online, owed back", shop.get(where)
    now = clock.now()
    for state in ("queued", "cancelled", "refunded"):
        final = None if state == "queued" else now
        set_order(walk.app, "ama", code, state=state, queued_at=now, final_at=final)
        yield f"online, {state}", shop.get(where)
        yield f"online, {state}, receipt", shop.get(f"{where}/receipt")


def _prompts(walk: Any) -> Any:
    shop = Shop(walk.app, "ama", walk.root)
    form = fields(shop.review(walk.bundle("at"), "026 765 4313").text)
    where = shop.post(f"{walk.root}/orders", form | {"pay": "prompt"}).location
    order = where.removesuffix("/prompt")
    yield "prompt, not begun", shop.get(order)
    page = shop.get(where)
    yield "prompt, which phone", page
    token = fields(page.text)
    yield "prompt, bad number", shop.post(where, token | {"number": "1"})
    bad = token | {"number": "0241234567", "network": "x"}
    yield "prompt, bad network", shop.post(where, bad)
    stranger = Shop(walk.app, "ama", walk.root)
    yield "prompt, another's", stranger.get(where)
    shop.post(where, token | {"number": "020 123 4567", "network": ""})
    yield "prompt, asked", shop.get(where)
    for step in ("approve_on_phone", "waiting", "unknown", "enter_otp"):
        attempt(state="open", prompt_step=step, prompted_at=clock.now())
        yield f"prompt, {step}", shop.get(where)
    token["after"] = fields(shop.get(where).text)["after"]
    yield "prompt, bad code", shop.post(f"{order}/voucher", token | {"voucher": "1"})
    attempt(payer_network="mtn", prompt_words="Approve it")
    yield "prompt, another code", shop.get(where)
    shop.post(f"{order}/voucher", token | {"voucher": "123456"})
    yield "prompt, code is looked at", shop.get(where)
    attempt(voucher=None, voucher_at=None, voucher_tries=3)
    shop.post(f"{order}/voucher", token | {"voucher": "123456"})
    yield "prompt, too many codes", shop.get(order)
    attempt(prompt_step="approve_on_phone")
    yield "prompt, order", shop.get(order)
    shop.post(f"{order}/voucher", token | {"voucher": "123456"})
    yield "prompt, no code asked", shop.get(order)
    attempt(prompted_at=clock.now() - timedelta(minutes=5))
    yield "prompt, no answer", shop.get(where)
    attempt(state="failed")
    yield "prompt, failed", shop.get(where)
    yield "prompt, order failed", shop.get(order)
    tables_owner.execute("DELETE FROM settings WHERE key = 'pay_by_prompt'")
    yield "prompt, off", shop.post(where, token | {"number": "0241234567"})


def attempt(**values: Any) -> None:
    """What its worker would have written of the newest attempt."""
    said = ", ".join(f"{name} = :{name}" for name in values)
    newest = "(SELECT max(id) FROM online_payments)"
    tables_owner.execute(
        f"UPDATE online_payments SET {said} WHERE id = {newest}",
        **values,
    )
