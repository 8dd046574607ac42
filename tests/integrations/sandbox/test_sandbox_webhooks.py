"""Webhooks as a receiver meets them: what is sent, when, with which signature, and what is never
sent."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time

import pytest
import requests
import responses
from sandbox_kit import Reseller, order

from integrations.sandbox import webhooks
from integrations.sandbox.store import DEFAULT_SECRET

URL = "http://127.0.0.1:9/datamart/token"
REF = "MK-0000000001"


@pytest.fixture
def wire():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add(responses.POST, URL, status=200)
        yield mock


@pytest.fixture
def listening(make, wire):
    """Build a reseller whose webhook address is set and whose test event is forgotten."""

    def build(profile="documented", **knobs):
        supplier = make(profile, **knobs)
        supplier.sandbox.store.set_account(1, webhook_url=URL)
        return Reseller(supplier)

    return build


def sent(reseller, wire):
    assert reseller.supplier.sandbox.webhooks.drain(5)
    return [json.loads(call.request.body) for call in wire.calls]


def events(reseller, wire):
    return [body["event"] for body in sent(reseller, wire)]


# What each profile sends for a purchase and for each of three buttons.
PROFILES = {
    "documented": ["transaction.created", *["transaction.status_update"] * 3],
    "published": ["transaction.created"],
    "forwarding": ["transaction.completed"],
}


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_sends_its_own_events(listening, wire, profile):
    ama = listening(profile)
    assert ama.buy().json["data"]["webhook_sent"] is True
    for word in ("sent", "successful", "failed"):
        ama.press(REF, status=word)
        ama.supplier.sandbox.webhooks.drain(5)
    assert events(ama, wire) == PROFILES[profile]


def test_a_status_update_has_the_documented_body_and_signature(listening, wire):
    ama = listening(webhook_created=False)
    ama.buy()
    ama.press(REF, status="successful")
    (body,) = sent(ama, wire)
    assert body["data"] == {
        "reference": REF,
        "old_status": "pending",
        "new_status": "successful",
        "amount": 9,
    }
    request = wire.calls[0].request
    assert request.headers["Content-Type"] == "application/json"
    assert (
        request.headers["X-Platform-Event"]
        == body["event"]
        == "transaction.status_update"
    )
    # Over the text of `data` as it stands in the body, not over the whole body.
    text = re.search(rb'"data":(\{.*?\}),"timestamp"', request.body)[1]
    expected = hmac.new(DEFAULT_SECRET.encode(), text, hashlib.sha256).hexdigest()
    assert request.headers["X-Platform-Signature"] == body["signature"] == expected


def test_the_published_signature_cannot_be_checked_with_the_secret(listening, wire):
    ama = listening("published")
    ama.buy()
    (body,) = sent(ama, wire)
    text = json.dumps(body["data"], separators=(",", ":")).encode()
    with_secret = hmac.new(DEFAULT_SECRET.encode(), text, hashlib.sha256).hexdigest()
    stored = webhooks.signature_key(DEFAULT_SECRET, "bcrypt_hash")
    assert re.fullmatch(r"\$2a\$10\$[./A-Za-z0-9]{53}", stored)
    assert body["signature"] != with_secret
    assert (
        body["signature"] == hmac.new(stored.encode(), text, hashlib.sha256).hexdigest()
    )


def test_without_a_key_there_is_no_signature(listening, wire):
    ama = listening(signature_key="none")
    ama.buy()
    (body,) = sent(ama, wire)
    assert (
        "signature" not in body
        and "X-Platform-Signature" not in wire.calls[0].request.headers
    )
    assert (
        ama.get("/v1/account").json["data"]["api"]["webhookSignatureEnabled"] is False
    )


def test_a_created_event_describes_the_order(listening, wire):
    ama = listening()
    ama.buy()
    (body,) = sent(ama, wire)
    assert set(body["data"]) == {
        "reference", "transaction_id", "status", "product", "beneficiary", "amount",
        "balance_after", "created_at",
    }  # fmt: skip


def test_a_failed_forward_says_so(listening, wire):
    ama = listening("forwarding", upstream="fail")
    ama.buy()
    (body,) = sent(ama, wire)
    assert body["event"] == "transaction.failed"
    assert (
        body["data"]["amount_refunded"] == 9 and body["data"]["balance_after"] == 5000
    )


def test_a_batch_sends_one_event(listening, wire):
    ama = listening()
    ama.send(
        "POST",
        "/v1/purchase/bulk",
        {"reference": "MKB-1", "orders": [order("MK-1"), order("MK-2")]},
    )
    (body,) = sent(ama, wire)
    assert (
        body["event"] == "bulk_purchase.completed"
        and body["data"]["bulk_reference"] == "MKB-1"
    )
    assert body["data"]["summary"]["total_requested_amount"] == 18
    assert len(body["data"]["successful_orders"]) == 2


def test_nothing_is_sent_again_after_an_error(listening, wire):
    wire.replace(responses.POST, URL, status=500, body="<html>")
    ama = listening()
    ama.buy()
    assert len(sent(ama, wire)) == 1
    (line,) = ama.door("/state")["webhooks"]
    assert (line["outcome"], line["http_status"], line["reference"]) == (
        "sent",
        500,
        REF,
    )


def test_a_slow_receiver_costs_five_seconds_once(listening, wire):
    wire.replace(responses.POST, URL, body=requests.ReadTimeout())
    ama = listening()
    ama.buy()
    sent(ama, wire)
    (call,) = wire.calls
    assert call.request.req_kwargs["timeout"] == 5.0
    (line,) = ama.door("/state")["webhooks"]
    assert (line["outcome"], line["http_status"], line["note"]) == (
        "failed",
        None,
        "ReadTimeout",
    )


def test_dropped_webhooks_are_in_the_log_only(listening, wire):
    ama = listening(webhook_drop_probability=1)
    ama.buy()
    ama.press(REF, status="sent")
    assert sent(ama, wire) == []
    assert [line["outcome"] for line in ama.door("/state")["webhooks"]] == [
        "dropped",
        "dropped",
    ]


def test_switched_off_webhooks_are_in_the_log_only(listening, wire):
    ama = listening(webhooks="off")
    ama.buy()
    assert sent(ama, wire) == []
    assert [line["outcome"] for line in ama.door("/state")["webhooks"]] == ["dropped"]


def test_duplicates_are_the_same_bytes(listening, wire):
    ama = listening(webhook_duplicate=True)
    ama.buy()
    first, second = sent(ama, wire)
    assert first == second


@pytest.mark.slow(seconds=0.4)
def test_reordered_events_overtake(listening, wire):
    ama = listening(webhook_reorder=True, webhook_created=False)
    ama.buy()
    ama.press(REF, status="sent")
    ama.press(REF, status="successful")
    assert [body["data"]["new_status"] for body in sent(ama, wire)] == [
        "successful",
        "sent",
    ]


def test_a_webhook_may_come_before_the_answer(listening, wire):
    order_of_things = []
    wire.replace(responses.POST, URL, status=200)
    wire.remove(responses.POST, URL)
    wire.add_callback(
        responses.POST,
        URL,
        callback=lambda request: (order_of_things.append("webhook"), (200, {}, ""))[1],
    )
    ama = listening(webhook_before_response=True)
    ama.buy()
    order_of_things.append("answer")
    assert order_of_things == ["webhook", "answer"]


def test_shares_of_webhooks_are_doubled_and_come_before_the_answer(listening, wire):
    ama = listening(webhook_duplicate_probability=0.5, webhook_before_probability=0.5)
    before = 0
    for number in range(40):
        ama.buy(f"MK-{number}")
        before += ama.supplier.sandbox.store.webhook_log(1)[0]["outcome"] == "sent"
    bodies = [json.dumps(body) for body in sent(ama, wire)]
    bent = ama.door("/counts")["webhooks_bent"]
    assert len(bodies) - len(set(bodies)) == bent["doubled"]
    assert 10 < bent["doubled"] < 30 and 10 < bent["before_answer"] < 30
    assert before >= bent["before_answer"] and bent["sent"] == 40


@pytest.mark.slow(seconds=0.4)
def test_shuffled_webhooks_overtake_each_other_and_hold_up_no_answer(listening, wire):
    ama = listening(webhook_shuffle_s=0.4)
    began = time.monotonic()
    for number in range(30):
        ama.buy(f"MK-{number}")
    assert time.monotonic() - began < 5
    references = [body["data"]["reference"] for body in sent(ama, wire)]
    assert len(references) == 30 and references != [
        f"MK-{number}" for number in range(30)
    ]


def test_a_person_may_change_a_status_and_tell_nobody(listening, wire):
    ama = listening(webhook_created=False)
    ama.buy()
    assert ama.press(REF, status="failed", quiet="1").status_code == 200
    assert ama.status() == "failed" and sent(ama, wire) == []


def test_the_answer_does_not_wait_for_the_receiver(listening, wire):
    release = threading.Event()
    wire.remove(responses.POST, URL)
    wire.add_callback(
        responses.POST,
        URL,
        callback=lambda request: (release.wait(5), (200, {}, ""))[1],
    )
    ama = listening()
    assert ama.buy().status_code == 201
    assert [line["outcome"] for line in ama.door("/state")["webhooks"]] == ["queued"]
    release.set()
    assert len(sent(ama, wire)) == 1


def test_without_an_address_nothing_is_sent(make, wire):
    ama = Reseller(make())
    assert ama.buy().json["data"]["webhook_sent"] is False
    assert sent(ama, wire) == [] and ama.door("/state")["webhooks"] == []


def test_the_same_status_again_is_no_news(listening, wire):
    ama = listening(webhook_created=False)
    ama.buy()
    ama.press(REF, status="pending")
    assert sent(ama, wire) == []


def test_a_callback_is_one_unsigned_post(make, wire):
    ama = Reseller(make())
    transaction_id = ama.buy(callback_url=URL).json["data"]["transaction_id"]
    (body,) = sent(ama, wire)
    assert set(body) == {"reference", "status", "message", "transaction_id"}
    assert (body["reference"], body["status"], body["transaction_id"]) == (
        REF,
        "pending",
        transaction_id,
    )
    assert "X-Platform-Signature" not in wire.calls[0].request.headers
    ama.press(REF, status="sent")
    assert len(sent(ama, wire)) == 1


def test_setting_the_address_tries_it_at_once(make, wire):
    ama = Reseller(make())
    reply = ama.send("PUT", "/v1/webhook", {"webhook_url": URL})
    assert reply.json["data"] == {
        "webhook_url": URL,
        "test_status": "successful",
        "signature_enabled": True,
    }
    assert [body["event"] for body in sent(ama, wire)] == ["webhook.test"]
    assert ama.get("/v1/account").json["data"]["api"]["webhookUrl"] == URL
    assert ama.send("POST", "/v1/webhook/test").status_code == 200
    assert len(wire.calls) == 2


def test_an_address_that_does_not_answer_is_kept_all_the_same(make, wire):
    wire.replace(responses.POST, URL, body=requests.ConnectionError())
    ama = Reseller(make())
    reply = ama.send("PUT", "/v1/webhook", {"webhook_url": URL})
    payload = reply.json["data"]
    assert reply.status_code == 200 and payload["test_status"] == "failed"
    assert (
        payload["test_error"] and payload["note"] and "signature_enabled" not in payload
    )
    assert ama.send("POST", "/v1/webhook/test").status_code == 200


@pytest.mark.parametrize(
    "url, code",
    [("", "MISSING_WEBHOOK_URL"), ("there", "INVALID_URL"), (5, "INVALID_URL")],
)
def test_an_address_must_be_absolute(ama, url, code):
    reply = ama.send("PUT", "/v1/webhook", {"webhook_url": url})
    assert (reply.status_code, reply.json["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    "url",
    ["http://example.test/x", "http://127.0.0.1.example.test/x", "http://10.0.0.1/x"],
)
def test_nobody_outside_this_machine_is_called(make, wire, url):
    wire.add(responses.POST, url, status=200)
    ama = Reseller(make())
    assert (
        ama.send("PUT", "/v1/webhook", {"webhook_url": url}).json["data"]["test_status"]
        == "failed"
    )
    assert len(wire.calls) == 0


@pytest.mark.parametrize(
    "url",
    ["http://[", "ftp://127.0.0.1/x", "nonsense", "http://example.test/x", 7, ["x"]],
)
def test_an_odd_callback_address_spoils_no_purchase(make, wire, url):
    ama = Reseller(make())
    assert ama.buy(callback_url=url).status_code == 201
    assert sent(ama, wire) == []
