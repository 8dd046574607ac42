"""The hosted page as a customer uses it, and the gateway's own page, both without scripts."""

from __future__ import annotations

import html5lib
import httpx
import pytest
from paystack_kit import BACK, REF, Pair, page, payout, refund

from integrations.payment_shapes import Started, Transfer

pytestmark = pytest.mark.slow(seconds=0.3)


def press(pair: Pair, started: Started, act: str, **fields: str) -> httpx.Response:
    answer = pair.http.post(started.url, data={"act": act, **fields})
    assert pair.gateway.webhooks.drain()
    return answer


def test_a_customer_types_a_number_and_approves(pair: Pair) -> None:
    started = pair.start(label="Ama's <shop>")
    shown = pair.http.get(started.url)
    assert "GHS 5.00" in shown.text and "Ama&#39;s &lt;shop&gt;" in shown.text
    assert "<script" not in shown.text
    html5lib.HTMLParser(strict=True).parse(shown.text)
    wrong = press(pair, started, "momo", phone="12", provider="mtn")
    assert wrong.status_code == 422 and "ten digits" in wrong.text
    assert 'value="12"' in wrong.text  # what was typed is kept
    asked = press(pair, started, "momo", phone="024 123 4567", provider="vod")
    assert (asked.status_code, asked.headers["Location"]) == (
        303,
        f"/checkout/{started.access_code}",
    )
    waits = pair.http.get(started.url)
    assert "Approve the request on your phone" in waits.text
    html5lib.HTMLParser(strict=True).parse(waits.text)
    pair.pass_(20)
    paid = pair.http.get(started.url)
    assert "This payment is made" in paid.text and "Back to the shop" in paid.text
    found = pair.verify()
    assert (found.status, found.payer.bank) == ("paid", "Vodafone Cash")
    assert found.payer.last4 == "X567"


def test_a_voucher_code_on_the_page(pair: Pair) -> None:
    started = pair.start()
    press(pair, started, "momo", phone="0241234505", provider="vod")
    assert "Voucher code" in pair.http.get(started.url).text
    done = press(pair, started, "otp", otp="123456")
    assert done.headers["Location"] == f"{BACK}&trxref={REF}&reference={REF}"
    assert pair.verify().status == "paid"


def test_declined_and_tried_again(pair: Pair) -> None:
    started = pair.start()
    press(pair, started, "decline")
    assert pair.verify().status == "failed"
    assert "Not paid: Declined" in pair.http.get(started.url).text
    press(pair, started, "approve")
    assert pair.verify().status == "paid"
    assert pair.ear.events == ["charge.success"]


def test_walking_away_says_nothing_and_a_link_stays_payable(pair: Pair) -> None:
    cancel = "http://127.0.0.1:9/gave-up"
    started = pair.start(metadata={"cancel_action": cancel})
    assert press(pair, started, "walk_away").headers["Location"] == cancel
    assert pair.verify().raw_status == "abandoned"
    late = pair.start(reference="MK-P-LATER")
    assert press(pair, late, "approve_later").status_code == 303
    pair.pass_(44 * 60)
    assert pair.verify("MK-P-LATER").raw_status == "abandoned" and pair.ear.heard == []
    pair.pass_(60)
    assert pair.verify("MK-P-LATER").status == "paid"
    assert press(pair, started, "approve").status_code == 303
    assert pair.verify().status == "paid"


def test_two_open_tabs_pay_once(pair: Pair) -> None:
    started = pair.start()
    press(pair, started, "approve")
    again = press(pair, started, "approve")
    assert again.status_code == 200 and "This payment is made" in again.text
    pair.act("payment", "approve")  # nor does a prompt that is answered late
    assert pair.books(REF)["taken"] == 500 and pair.ear.events == ["charge.success"]


def test_the_time_for_a_page_may_be_up(pair: Pair) -> None:
    pair.knobs(session_timeout_s=30)
    told = pair.raw("GET", "/integration/payment_session_timeout").json()
    assert told["data"] == {"payment_session_timeout": 30}
    started = pair.start()
    pair.pass_(31)
    assert "time for this page is up" in pair.http.get(started.url).text
    press(pair, started, "approve")
    assert pair.verify().status == "waiting"


def test_hostile_ways_back_and_pages_of_nobody(pair: Pair) -> None:
    said = pair.raw(
        "POST",
        "/transaction/initialize",
        {
            "email": "a@b.co",
            "amount": 500,
            "reference": REF,
            "callback_url": "javascript:alert(1)",
            "metadata": {"cancel_action": "data:text/html,x"},
        },
    ).json()
    started = Started(
        REF, said["data"]["authorization_url"], said["data"]["access_code"]
    )
    for act in ("walk_away", "approve"):
        assert press(pair, started, act).headers["Location"] == (
            f"/checkout/{started.access_code}"
        )
    assert "javascript:" not in pair.http.get(started.url).text
    nobody = pair.http.get("/checkout/nobody")
    assert nobody.status_code == 404 and "no such payment" in nobody.text
    huge = pair.http.post(started.url, data={"act": "x" * 20_000})
    assert huge.status_code == 413
    evil = pair.http.post(started.url, headers={"Host": "evil.example"}, data={})
    assert evil.status_code == 403
    foreign = pair.http.post(
        "/sandbox/press", headers={"Origin": "http://evil.example"}, data={"act": "x"}
    )
    assert foreign.status_code == 403


def test_the_gateways_own_page_shows_and_acts(pair: Pair) -> None:
    assert "None yet" in pair.http.get("/").text
    paid = pair.paid()
    pair.client.refund(refund(200))
    sent = pair.client.transfer(payout(pair.whom()))
    assert isinstance(sent, Transfer)
    pair.tool("/dispute", reference=REF)
    shown = pair.http.get("/sandbox")
    html5lib.HTMLParser(strict=True).parse(shown.text)
    assert "<script" not in shown.text and REF in shown.text
    assert "GHS 5.00" in shown.text and "charge.success" in shown.text
    form = {"kind": "transfer", "id": sent.gateway_id, "act": "success"}
    assert pair.http.post("/sandbox/press", data=form).status_code == 303
    late = pair.http.post("/sandbox/press", data=form)
    assert late.status_code == 409 and "not possible any more" in late.text
    form = {"kind": "payment", "id": paid.gateway_id, "act": "approve_raised"}
    assert pair.http.post("/sandbox/press", data=form).status_code == 409
    assert pair.http.get("/sandbox/nowhere").status_code == 404
    assert (
        pair.http.get("/sandbox/style.css")
        .headers["Content-Type"]
        .startswith("text/css")
    )
    state = pair.http.get("/sandbox/state").json()
    assert [row["reference"] for row in state["payments"]] == [REF]
    assert state["books"]["refunded"] == 200 and state["calls"]["refund"] == 1


def test_calls_that_our_client_does_not_make(pair: Pair) -> None:
    paid = pair.paid()
    number = paid.gateway_id
    steps = pair.raw("GET", f"/transaction/timeline/{REF}").json()["data"]["history"]
    assert [step["message"] for step in steps] == ["Paid"]
    assert pair.raw("GET", f"/transaction/timeline/{number}").status_code == 200
    assert pair.raw("GET", f"/dispute/transaction/{number}").status_code == 404
    opened = pair.tool("/dispute", reference=REF)["id"]
    found = pair.raw("GET", f"/dispute/transaction/{number}").json()["data"]
    assert (found["id"], found["transaction_reference"]) == (opened, None)
    assert found["attachments"] == "[]"
    changed = pair.raw("PUT", f"/dispute/{opened}", {"refund_amount": 300}).json()
    assert [row["refund_amount"] for row in changed["data"]] == [300]  # an array
    pair.client.refund(refund(100))
    listed = pair.raw("GET", "/refund").json()["data"]
    assert [row["transaction"] for row in listed] == [int(number or 0)]
    form = {"email": "a@b.co", "amount": "500", "reference": "MK-P-FORM"}
    key = {"Authorization": f"Bearer {pair.key}"}
    posted = pair.http.post("/transaction/initialize", data=form, headers=key)
    assert posted.json()["status"] is True  # a form, and an amount that is text
    lost = pair.raw("GET", "/no/such/call")
    assert lost.status_code == 404 and lost.json()["status"] is False
    assert pair.raw("POST", "/charge", [1]).status_code == 400
    big = pair.http.post("/charge", content=b"x" * 2_000_000, headers=key)
    assert big.status_code == 413


def test_the_api_for_tests_says_what_it_does_not_take(pair: Pair) -> None:
    pair.client.initialise(page())
    for path, body in (
        ("/act", {"kind": "payment", "act": "explode", "reference": REF}),
        ("/act", {"kind": "payment", "act": "approve", "reference": "MK-P-NOBODY"}),
        ("/act", {"kind": "payment", "act": "approve", "world": "moon"}),
        ("/dispute", {"reference": REF}),
        ("/clock", {"seconds": -1}),
        ("/clock", {"seconds": "x"}),
        ("/knobs", {"no_such": 1}),
        ("/webhook", {"url": "http://example.com/"}),
        ("/rotate", {"key": "sk_live_0123456789"}),
        ("/top_up", {"amount": 1.5}),
        ("/act", [1]),
    ):
        answer = pair.http.post(f"/sandbox{path}", json=body)
        assert answer.status_code == 400 and answer.json()["error"], (path, body)
    assert pair.http.post("/sandbox/clock", content=b"{").status_code == 400
    moved = pair.tool("/clock", seconds=3_600)
    assert moved["now"].startswith("2026-02-04T10:00")
