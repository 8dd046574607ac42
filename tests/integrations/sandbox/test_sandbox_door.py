"""Who gets in, how often, and what a request that cannot be read is told."""

from __future__ import annotations

import json

import pytest
from sandbox_kit import FIRST, SECOND, Reseller
from werkzeug.test import Client

from integrations.sandbox.app import Supplier
from integrations.sandbox.store import DEFAULT_KEY

DOOR = [
    ({}, 401, "API credentials required"),
    ({"X-API-Key": DEFAULT_KEY}, 401, "API credentials required"),
    ({**FIRST, "X-API-Key": "pk_wrong"}, 401, "Invalid API key"),
    ({**FIRST, "X-API-Secret": "sk_wrong"}, 401, "Invalid API credentials"),
    ({**FIRST, "X-API-Secret": SECOND["X-API-Secret"]}, 401, "Invalid API credentials"),
]


@pytest.mark.parametrize("path", ["/v1/balance", "/v1/nothing", "/nothing"])
@pytest.mark.parametrize("headers, status, message", DOOR)
def test_the_door_comes_before_the_routes(supplier, headers, status, message, path):
    reply = Reseller(supplier, headers).get(path)
    assert reply.status_code == status
    assert reply.json == {"success": False, "message": message}


def test_a_suspended_account_reads_like_a_wrong_key(ama):
    ama.client.post("/sandbox/account/status", data={"status": "suspended"})
    reply = ama.get("/v1/balance")
    assert (reply.status_code, reply.json) == (
        401,
        {"success": False, "message": "Invalid API key"},
    )


def test_a_body_that_names_another_webhook_is_forbidden(ama):
    ama.supplier.sandbox.store.set_account(1, webhook_url="http://127.0.0.1:9/a")
    reply = ama.buy(webhookUrl="http://127.0.0.1:9/b")
    assert (reply.status_code, reply.json) == (
        403,
        {"success": False, "message": "Webhook URL mismatch"},
    )
    assert ama.buy(webhookUrl="http://127.0.0.1:9/a").status_code == 201


def test_an_unknown_endpoint_lists_those_that_exist(make):
    reply = Reseller(make("published")).send("POST", "/v1/bulk", {})
    error = reply.json["error"]
    assert error["endpoint"] == "/api/v1/bulk" and error["method"] == "POST"
    assert "POST /v1/purchase/bulk" in error["available_endpoints"]
    assert "POST /v1/bulk" not in error["available_endpoints"]
    assert "GET /v1/capacities" not in error["available_endpoints"]


@pytest.mark.parametrize(
    "raw, message",
    [
        (b"{", "Unexpected end of JSON input"),
        (b'{"capacity": }', "Unexpected token } in JSON at position 13"),
        (b'"text"', 'Unexpected token " in JSON at position 0'),
        (b"\xff\xfe", None),
        (b'{"capacity": NaN}', None),
        (b"[" * 200_000, None),
    ],
)
def test_malformed_json_has_the_short_envelope(supplier, raw, message):
    headers = {**FIRST, "Content-Type": "application/json"}
    reply = Client(supplier).post("/api/v1/purchase", data=raw, headers=headers)
    assert reply.status_code == 400
    assert set(reply.json) == {"success", "message"} and message in (
        None,
        reply.json["message"],
    )


def test_a_body_above_ten_megabytes_is_refused(supplier):
    body = json.dumps({"capacity": "x" * (10 * 1024 * 1024)})
    headers = {**FIRST, "Content-Type": "application/json"}
    reply = Client(supplier).post("/api/v1/purchase", data=body, headers=headers)
    assert (reply.status_code, reply.json["success"]) == (413, False)


def test_outside_the_api_the_answer_is_shorter_still(supplier):
    client = Client(supplier)
    assert client.get("/elsewhere").json == {
        "success": False,
        "message": "Route not found",
        "path": "/elsewhere",
    }
    assert client.get("/health").json["status"] == "ok"
    assert set(client.get("/").json) == {"message", "version", "timestamp"}


# The rate limit


def test_the_rate_limit_is_a_fixed_window_of_bare_text(make):
    supplier = make(rate_limit=3, rate_window=60)
    ama = Reseller(supplier)
    remaining = [
        ama.get("/v1/balance").headers["X-RateLimit-Remaining"] for _ in range(3)
    ]
    assert remaining == ["2", "1", "0"]
    reply = ama.look_up()
    assert reply.status_code == 429 and reply.text == "API rate limit exceeded"
    assert reply.content_type == "text/html; charset=utf-8"
    assert 0 < int(reply.headers["Retry-After"]) <= 60
    now = supplier.sandbox.clock.now()
    assert now < int(reply.headers["X-RateLimit-Reset"]) <= now + 61
    supplier.sandbox.clock.advance(61)
    assert ama.get("/v1/balance").status_code == 200


def test_a_window_made_shorter_while_it_is_open_ends_that_much_sooner(make):
    supplier = make(rate_limit=1, rate_window=60)
    ama = Reseller(supplier)
    ama.get("/v1/balance")
    ama.door("/knobs", {"rate_window": 6})
    assert 0 < int(ama.get("/v1/balance").headers["Retry-After"]) <= 6
    supplier.sandbox.clock.advance(7)
    assert ama.get("/v1/balance").status_code == 200


def test_it_tells_when_each_counted_request_came_and_in_which_window(make):
    supplier = make(rate_limit=3, rate_window=60)
    ama, stranger = Reseller(supplier), Reseller(supplier, dict(SECOND))
    began = supplier.sandbox.clock.now()
    stranger.get("/v1/balance")
    for path in ("/v1/balance", "/v1/transactions/X", "/v1/nothing", "/v1/products"):
        ama.get(path)
    Reseller(supplier, {**FIRST, "X-API-Secret": "wrong"}).get("/v1/balance")
    supplier.sandbox.clock.advance(61)
    ama.get("/v1/account")
    told = ama.door("/requests")["requests"]
    assert [one["endpoint"] for one in told] == [
        "balance",
        "status",
        "unknown",
        "products",
        "account",
    ]
    assert [one["exceeded"] for one in told] == [False, False, False, True, False]
    first, *_, last = (one["window"] for one in told)
    assert [one["window"] for one in told] == [first] * 4 + [last] and last > first
    assert began <= told[0]["at"] <= told[3]["at"] < told[4]["at"] - 60
    assert [
        one["endpoint"] for one in ama.door(f"/requests?since={began + 30}")["requests"]
    ] == ["account"]
    assert ama.client.get("/sandbox/requests?since=soon").status_code == 400


def test_the_default_limit_is_sixty_a_minute_for_everything_together(ama):
    paths = ["/v1/balance", "/v1/nothing", "/v1/transactions/X"]
    codes = [ama.get(paths[number % 3]).status_code for number in range(61)]
    assert 429 not in codes[:60] and codes[60] == 429


def test_refused_credentials_use_up_no_quota(make):
    supplier: Supplier = make(rate_limit=1)
    wrong = Reseller(supplier, {**FIRST, "X-API-Secret": "wrong"})
    assert [wrong.get("/v1/balance").status_code for _ in range(3)] == [401, 401, 401]
    assert Reseller(supplier).get("/v1/balance").status_code == 200


def test_each_key_has_its_own_window(make):
    supplier = make(rate_limit=1)
    assert Reseller(supplier).get("/v1/balance").status_code == 200
    assert Reseller(supplier, dict(SECOND)).get("/v1/balance").status_code == 200


ODD_BODIES = [
    b'{"capacity":"2GB","product_name":"YELLOW","beneficiary_number":"\\ud800"}',
    b'{"capacity":"2GB","product_name":"YELLOW","beneficiary_number":"0241234567","reference":"\\ud800"}',
    b'{"capacity":"2GB","product_name":"YELLOW","beneficiary_number":"0241234567","reference":"\\u0000"}',
    b'{"capacity":"2GB","product_name":1e999,"beneficiary_number":"0241234567"}',
    b'{"capacity":"'
    + b"9" * 400
    + b'GB","product_name":"YELLOW","beneficiary_number":"0241234567"}',
    b'{"orders":[null,1,"x",{"beneficiary_number":{}}]}',
]


@pytest.mark.parametrize(
    "path", ["/api/v1/purchase", "/api/v1/purchase/bulk", "/api/v1/webhook"]
)
@pytest.mark.parametrize("raw", ODD_BODIES)
def test_odd_bodies_get_an_envelope(supplier, capfd, path, raw):
    method = "PUT" if path.endswith("webhook") else "POST"
    reply = Client(supplier).open(
        path,
        method=method,
        data=raw,
        headers={**FIRST, "Content-Type": "application/json"},
    )
    assert reply.json["success"] is (reply.status_code == 201)
    assert reply.status_code < 500 or reply.json["error"]["code"] == "INTERNAL_ERROR"


@pytest.mark.parametrize("host", ["[", "", "a b", "localhost:x", "[::1]:80"])
@pytest.mark.parametrize(
    "path",
    [
        "/sandbox",
        "/sandbox/state",
        "/api/v1/balance",
        "/",
        "/sandbox?page=99999999999999999999",
    ],
)
def test_odd_hosts_are_answered(supplier, path, host):
    reply = Client(supplier).get(
        path, headers={**FIRST, "Host": host, "Accept": "text/html"}
    )
    assert reply.status_code in (200, 403)
