"""Paying into the wallet online, by the pages: what is said before the press, where it leads, and
what people of the platform see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from visitors import Visitor

from core import disputes
from core.base import config
from core.base.db import transaction
from tests.support.settings import Using
from tests.support.till import Till

PATH = "/wallet/online"


@pytest.fixture
def offered(app: Flask, superuser: Any, using: Using) -> None:
    """Online payment is on, at a gateway that nobody asks here."""
    using(paystack_secret_key="sk_test_x", paystack_mode="test")
    superuser.execute("INSERT INTO settings (key, value) VALUES ('pay_online', '{}')")


def test_amount_and_fee_are_said_before_the_press(
    offered: None, ama_agent: Visitor
) -> None:
    wallet = ama_agent.get("/wallet").text
    assert "Pay online" in wallet and "/wallet/funding" in wallet
    page = ama_agent.get(f"{PATH}?amount=100")
    for said in ("You pay", "Your wallet gets", "Fee, paid by Makola", "1.95"):
        assert said in page.text
    assert page.text.count("100.00") == 3


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "amount"),
        ("ten", "like"),
        ("-5", "10.00"),
        ("9.99", "from GH₵ 10.00"),
        ("5000.01", "to GH₵ 5,000.00"),
        ("1" * 60, "amount"),
    ],
)
def test_what_cannot_be_paid_is_said_and_kept(
    offered: None, ama_agent: Visitor, superuser: Any, typed: str, said: str
) -> None:
    for answer in (
        ama_agent.post(PATH, {"amount": typed}),
        *([ama_agent.get(f"{PATH}?amount={typed}")] if typed else []),
    ):
        assert answer.status_code == 422
        assert said in answer.text.replace("\N{NO-BREAK SPACE}", " ")
        assert f'value="{typed[:40]}"' in answer.text
    assert superuser.execute("SELECT count(*) FROM online_payments").fetchone() == (0,)


def test_it_is_not_offered_where_it_cannot_be_had(
    ama_agent: Visitor, superuser: Any
) -> None:
    assert "Pay online" not in ama_agent.get("/wallet").text
    assert "not funded online now" in ama_agent.get(PATH).text
    assert ama_agent.post(PATH, {"amount": "50"}).status_code == 422
    assert superuser.execute("SELECT count(*) FROM online_payments").fetchone() == (0,)


def test_a_viewer_sees_and_may_not(
    offered: None, logged_in: Callable[..., Visitor]
) -> None:
    viewer = logged_in("viewer@example.test", "portal", "ama")
    assert "Pay online" not in viewer.get("/wallet").text
    assert "Only the store’s owner and cashiers" in viewer.get(f"{PATH}?amount=50").text
    assert viewer.post(PATH, {"amount": "50"}).status_code == 403


@pytest.mark.slow(seconds=1)
def test_the_walk_through_the_gateway_and_back(
    till: Till, ama_agent: Visitor, owner: Visitor
) -> None:
    pressed = ama_agent.post(PATH, {"amount": "50"})
    assert pressed.status_code == 303
    here = pressed.location
    first = ama_agent.get(here)
    assert first.headers["Refresh"] == f"2;url={here}" and "One moment" in first.text
    assert ama_agent.post(PATH, {"amount": "50"}).location == here
    till.work()
    opened = ama_agent.get(here)
    assert opened.headers["Refresh"] == f"0;url={here}?go=1"
    gone = ama_agent.get(f"{here}?go=1")
    assert gone.status_code == 303 and "no-store" in gone.headers["Cache-Control"]
    payment = till.attempt(int(here.rpartition("/")[2]))
    assert gone.location == payment.authorization_url
    asked = till.tools.get("/sandbox/state").json()["payments"][0]
    assert asked["callback_url"] == f"{config.current().address('portal')}{here}/back"
    back = ama_agent.get(f"{here}/back?reference=of-somebody&trxref=x")
    assert back.location == f"{here}?back=1"
    waits = ama_agent.get(back.location)
    assert "being asked whether" in waits.text
    assert waits.headers["Refresh"] == f"2;url={here}?back=1", (
        "led away by a press only"
    )
    till.pay(payment.reference)
    till.pass_by(61)
    done = ama_agent.get(f"{here}?back=1")
    assert "is in your wallet since" in done.text and "Refresh" not in done.headers
    assert "In your wallet" in ama_agent.get("/wallet").text
    listed = owner.get("/payments?for=wallet").text
    assert payment.reference in listed and "A wallet" in listed
    assert payment.reference not in owner.get("/payments?for=order").text
    assert payment.reference in owner.get("/stores/ama").text
    file = owner.get("/payments.csv")
    assert f"wallet,{payment.reference},Paid,50.00,50.00,0.98" in file.text
    assert file.mimetype == "text/csv"
    till.proven()


@pytest.mark.slow(seconds=1)
def test_a_store_that_owes_reads_why_and_what_helps(
    till: Till, ama_agent: Visitor, owner: Visitor, place: Callable[..., str]
) -> None:
    reference = till.funded(5_000).reference
    till.empty_wallet()
    till.lose(reference)
    with till.across(), transaction():
        disputes.hearing.heard(None, reference, "charge.dispute.resolve")
    till.pass_by(4)
    said = "was taken back after it was spent"
    assert said in ama_agent.get("/wallet").text
    assert said in ama_agent.get("/").text
    code = place("ama")
    answer = ama_agent.post(f"/orders/{code}/process", {}, follow_redirects=True)
    assert said in answer.text
    page = owner.get("/stores/ama").text
    assert "It may process no orders" in page and "Taken back" in page
    assert "Taken back" in owner.get("/payments").text
    case = till.case("funding_reversed")
    shown = owner.get(f"/cases/{case.id}").text
    assert "Bear the loss of" in shown and "is not possible" in shown
    form = {"resolution": "ours", "seen": "5000", "confirm": "bear_loss"}
    asked = owner.post(f"/cases/{case.id}/bear_loss", {**form, "confirm": ""})
    assert "may process orders again" in asked.text
    assert owner.post(f"/cases/{case.id}/bear_loss", form).status_code == 303
    assert said not in ama_agent.get("/wallet").text
    till.proven()
