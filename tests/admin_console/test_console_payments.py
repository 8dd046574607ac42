"""The owner's page of online payments: what moved by day, how attempts ended, lists of them, and all
that is known of one."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
import tables_owner
from flask import Flask
from visitors import Visitor

from core import orders, taking
from core.audit import Actor
from core.base import tenancy
from core.base.db import transaction
from core.orders import Order
from tests.support.asked import asked
from tests.support.settings import Using
from tests.support.till import Till, webhook

pytestmark = pytest.mark.slow(seconds=0.3)
AMA = Actor("agent", "Ama")
PAYMENT = (
    "INSERT INTO online_payments (store_id, purpose, order_id, pays_order_id, reference, mode,"
    " amount_pesewas, state, charged_pesewas, created_at, paid_at, funded_at, failed_at)"
    " SELECT store_id, :purpose, CASE WHEN :purpose = 'order' THEN id END,"
    " CASE WHEN :pays THEN id END, :reference, 'test', 500, :state, :charged, now(),"
    " CASE WHEN :state = 'paid' THEN now() END, CASE WHEN :purpose = 'wallet' AND :state = 'paid'"
    " THEN now() END, CASE WHEN :failed THEN now() END FROM orders WHERE id = :order"
)
# reference → state, charged, whether it pays its order, whether it failed, what it was for
ENDED: dict[str, tuple[str, int | None, bool, bool, str]] = {
    "open": ("open", None, False, False, "order"),
    "asked": ("asked", None, False, False, "order"),
    "paid": ("paid", 500, True, False, "order"),
    "paid-wallet": ("paid", 500, False, False, "wallet"),
    "paid-after-failing": ("paid", 500, True, True, "order"),
    "failed": ("failed", None, False, True, "order"),
    "failed-and-over": ("ended", None, False, True, "order"),
    "abandoned-watched": ("watched", None, False, False, "order"),
    "abandoned-over": ("ended", None, False, False, "order"),
    "late": ("paid", 500, False, False, "order"),
    "short": ("paid", 499, False, False, "order"),
    "unfit": ("refused", None, False, False, "order"),
}


def text_of(visitor: Visitor, path: str = "/payments") -> str:
    answer = visitor.get(path)
    assert answer.status_code == 200, path
    return unescape(answer.text).replace("\N{NO-BREAK SPACE}", " ")


def figures(page: str) -> dict[str, str]:
    return dict(re.findall(r"<span>([^<]+)</span><b>([^<]*)</b>", page))


def listed(visitor: Visitor, query: str = "") -> list[str]:
    return re.findall(
        r'href="/payments/(MK-P-[^"?#]+)"', text_of(visitor, f"/payments{query}")
    )


def attempt(till: Till, name: str, order: Order | None = None) -> None:
    state, charged, pays, failed, purpose = ENDED[name.split(":")[0]]
    tables_owner.execute(
        PAYMENT,
        purpose=purpose,
        pays=pays,
        reference=f"MK-P-{name}",
        state=state,
        charged=charged,
        failed=failed,
        order=(order or till.order()).id,
    )


def paid(till: Till) -> Order:
    order = till.opened()
    till.pay(till.reference(order))
    till.pass_by(61)
    assert till.state(order) == "queued"
    return order


def test_each_end_is_counted_and_opens_into_its_list(
    till: Till, owner: Visitor
) -> None:
    orders_ = [till.order() for _ in ENDED]
    tables_owner.execute("DELETE FROM online_payments")
    for name, order in zip(ENDED, orders_, strict=True):
        attempt(till, name, order)
    # of the order that is paid, a second one: double
    tables_owner.execute(
        "INSERT INTO online_payments (store_id, purpose, order_id, reference, mode,"
        " amount_pesewas, state, charged_pesewas, created_at, paid_at) SELECT store_id, 'order',"
        " order_id, 'MK-P-double', 'test', 500, 'paid', 500, now(), now() FROM online_payments"
        " WHERE reference = 'MK-P-paid'"
    )
    shown = figures(text_of(owner))
    for end, name in {
        "open": "Under way",
        "paid": "Paid",
        "failed": "Failed",
        "abandoned": "Abandoned",
        "late": "Paid late",
        "double": "Paid twice",
        "short": "Other amount",
        "unfit": "Unfit",
    }.items():
        expected = [f"MK-P-{one}" for one in (*ENDED, "double") if one.startswith(end)]
        expected += ["MK-P-asked"] if end == "open" else []
        assert sorted(listed(owner, f"?end={end}")) == sorted(expected)
        assert shown[name] == str(len(expected)), end
    assert len(listed(owner, "?end=moon")) == len(ENDED) + 1, "an odd one means all"


def test_an_end_is_of_the_days_that_are_shown(till: Till, owner: Visitor) -> None:
    attempt(till, "late")
    tables_owner.execute(
        "UPDATE online_payments SET created_at = created_at - interval '15 days'"
    )
    assert listed(owner, "?end=late") == []
    assert "MK-P-late" in listed(owner)


def test_what_moved_is_shown_by_day_as_a_picture_and_as_a_table(
    till: Till, logged_in: Callable[..., Visitor]
) -> None:
    till.knobs(refund_s=50.0)
    order = paid(till)
    back = paid(till)
    with till.inside():
        orders.cancel(back.code, AMA)
    till.pass_by(130)
    owner = logged_in("owner@example.test", "console")
    page = text_of(owner)
    price = order.price_pesewas
    fee = till.attempts(order)[0].fees_pesewas or 0
    days = page.split('id="moved"')[1].split("</section>")[0]
    shown = figures(days)
    assert shown["Taken"] == f"{2 * price / 100:.2f}"
    assert shown["Fees of the gateway"] == f"{2 * fee / 100:.2f}"
    assert shown["Given back"] == f"{price / 100:.2f}" and shown["Paid out"] == "0.00"
    for kind in ("day-taken", "day-fee", "day-back"):
        assert f'<path class="{kind}" d="M9' in days, "today is the last"
    assert days.count('<tr><th scope="row">') == 1
    assert 'class="day-out" d="M9' not in days
    tables_owner.execute(
        "INSERT INTO payouts (store_id, reference, amount_pesewas, fee_pesewas, way, account,"
        " account_name, requested_by, requested_at, approved_by, approved_at, paid_at, state)"
        " SELECT id, 'mk-w-of-the-store-paid', 5000, 100, 'momo', '+233240000001', 'x', 'x',"
        " now(), 'x', now(), now(), 'paid' FROM stores WHERE slug = 'ama'"
    )
    assert figures(text_of(owner))["Paid out"] == "50.00"


def test_a_payment_is_found_by_what_people_have_of_it(
    till: Till, owner: Visitor
) -> None:
    order, _other = paid(till), till.opened()
    payment = till.attempts(order)[0]
    code = order.code
    for typed in (
        payment.reference,
        payment.reference.lower(),
        f"  {payment.gateway_id} ",
        code,
        f"{code[:4]}-{code[4:8]}-{code[8:]}",
    ):
        assert listed(owner, f"?q={typed}") == [payment.reference], typed
    answer = owner.get(f"/payments/{payment.reference.lower()}")
    assert answer.location.endswith(payment.reference)
    for typed in ("nothing like it", "9" * 60, "\u0663" * 30, "MK-P-", "<b>"):
        page = text_of(owner, f"/payments?q={typed}")
        assert "No such payment" in page, typed
        assert owner.get(f"/payments/{typed}").status_code == 404


def test_the_list_goes_on_where_the_page_before_ended(
    till: Till, owner: Visitor, using: Using
) -> None:
    from tests.support.till import SETTINGS

    using(page_size=2, **SETTINGS)
    for _ in range(3):
        till.opened()
    for end in ("", "&end=open", "&for=order"):
        found: list[str] = []
        query = f"?x=1{end}"
        while query:
            page = text_of(owner, f"/payments{query}")
            found += re.findall(r'href="/payments/(MK-P-[^"?#]+)"', page)
            older = re.search(r'href="/payments(\?[^"]+)" rel="next"', page)
            query = older[1] if older else ""
            assert end.lstrip("&") in (query or end), "the filter stays"
        assert len(found) == len(set(found)) == 3, end
    assert "/payments?for=order" in text_of(
        owner, "/payments?for=order&before=99999999"
    )


def test_one_payment_with_its_whole_story(
    till: Till, logged_in: Callable[..., Visitor], visitor: Any
) -> None:
    till.knobs(refund_s=50.0)
    order = paid(till)
    payment = till.attempts(order)[0]
    body, headers = webhook(payment.reference)
    visitor("hooks").client.post(
        "/paystack", base_url="http://hooks.localhost", data=body, headers=headers
    )
    with till.inside():
        orders.cancel(order.code, AMA)
    till.pass_by(130)
    with till.inside(), transaction():
        taking.deeds.ask_person("paid_late", payment, till.read(order), FOUND)  # type: ignore[arg-type]
    owner = logged_in("owner@example.test", "console")
    page = text_of(owner, f"/payments/{payment.reference}")
    for said in (
        "asked for.",
        "Its page was opened.",
        "is to go back.",
        "The gateway was asked to send",
        "went back.",
        "Gone back",
        "Paid online",  # the postings
        "Refunded to the customer",
        "charge.success",  # the webhook
        "See the case",
        str(payment.gateway_id),
        f"/orders/{order.code}",
        "/calls/",
    ):
        assert said in page, said
    assert "owed back" not in page and "no payout yet" not in page


class Found:
    """What a case about a payment says of the gateway's record."""

    charged_pesewas = requested_pesewas = 500
    currency, mode, raw_word = "GHS", "test", "success"


FOUND = Found()


def test_its_profit_s_payout_and_other_attempts(till: Till, owner: Visitor) -> None:
    order = till.opened()
    first = till.attempts(order)[0]
    till.pass_by(241)
    with till.inside():
        taking.try_again(order.code, first.id)
    till.work()
    till.pay(till.reference(order))
    till.pass_by(61)
    with till.across(), transaction():
        claim = orders.claim_together([order.id])[0]
        orders.advance(order.id, "processing", attempt=claim.attempt, text="Taken.")
        orders.advance(order.id, "completed", text="Delivered.")
    reference = till.attempts(order)[0].reference
    page = text_of(owner, f"/payments/{reference}")
    assert "no payout yet" in page and first.reference in page
    tables_owner.execute(
        "INSERT INTO payouts (store_id, reference, amount_pesewas, fee_pesewas, way, account,"
        " account_name, requested_by, requested_at, earned_until, approved_by, approved_at, state)"
        " SELECT store_id, 'mk-w-of-the-store-' || hours, 5000, 100, 'momo', '+233240000001', 'x',"
        " 'x', at, at + hours * interval '1 hour', 'x', at, CASE hours WHEN 1 THEN 'failed' WHEN 2 THEN"
        " 'paid' WHEN 3 THEN 'paid' ELSE 'cancelled' END FROM postings,"
        " unnest(ARRAY[-1, 1, 2, 3]) hours WHERE kind = 'capture'"
    )
    payout = tables_owner.read(
        "SELECT id FROM payouts WHERE reference = 'mk-w-of-the-store-2'"
    )[0]
    assert f"/payouts/{payout}" in text_of(owner, f"/payments/{reference}")


def test_the_pages_ask_the_same_however_many_payments_there_are(
    till: Till, owner: Visitor, app: Flask
) -> None:
    def many(path: str) -> int:
        with asked(app) as found:
            text_of(owner, path)
        return len(found.statements) + len(found.trips)

    order = paid(till)
    payment = f"/payments/{till.attempts(order)[0].reference}"
    paths = ["/payments", "/payments?end=paid", payment]
    few = {path: many(path) for path in paths}
    paid(till)
    assert {path: many(path) for path in paths} == few
    assert max(few.values()) <= 24, few
    tenancy.clear()


def test_how_payments_stand_is_found_by_index(superuser: Any) -> None:
    asked = str(taking.listing._STANDING).replace(":since", "now() - interval '1 day'")
    superuser.execute("BEGIN; SET LOCAL enable_seqscan = off")
    plan = str(superuser.execute(f"EXPLAIN {asked}").fetchall())
    superuser.execute("ROLLBACK")
    assert "Index" in plan and "Seq Scan" not in plan, plan
