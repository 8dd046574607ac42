"""Faults on real sockets: what the wire shows, what was charged all the same, and requests held
open."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sandbox_kit import FIRST, Reseller, balance_pesewas, lines, order

from integrations.sandbox import app

pytestmark = pytest.mark.slow(seconds=0.1)

REF = "MK-0000000001"
JSON = {**FIRST, "Content-Type": "application/json"}


def plan(ama: Reseller, *entries, **options) -> None:
    ama.door("/faults", {"plan": list(entries), **options})


def purchase(live, reference=REF, timeout=5.0) -> httpx.Response:
    host, port = live
    return httpx.post(
        f"http://{host}:{port}/api/v1/purchase",
        json=order(reference),
        headers=FIRST,
        timeout=timeout,
    )


# What a client sees of each fault, and whether the wallet was charged.
ANSWERS = [
    ("html_502", 502, "text/html", 0),
    ("empty_503", 503, "", 0),
    ("text_429", 429, "text/html", 0),
    ("http_401", 401, "application/json", 0),
    ("http_500_auth", 500, "application/json", 0),
    ("http_500_before", 500, "application/json", 0),
    ("http_500_after", 500, "application/json", 1),
    ("html_200_after", 200, "text/html", 1),
    ("html_502_after", 502, "text/html", 1),
    ("empty_503_after", 503, "", 1),
    ("truncated_json", 201, "application/json", 1),
]


@pytest.mark.parametrize(
    "fault, status, kind, charges", ANSWERS, ids=[row[0] for row in ANSWERS]
)
def test_faults_that_answer(ama, live, fault, status, kind, charges):
    plan(ama, {"endpoint": "purchase", "fault": fault})
    reply = purchase(live)
    assert reply.status_code == status
    assert reply.headers.get("Content-Type", "").split(";")[0] in (
        kind,
        "text/plain" if not kind else kind,
    )
    assert len(lines(ama.supplier, "charge")) == charges
    if fault in ("html_502", "html_200_after", "truncated_json"):
        with pytest.raises(json.JSONDecodeError):
            reply.json()
    if kind == "":
        assert reply.content == b""
    if fault == "text_429":
        assert (reply.text, reply.headers["Retry-After"]) == (
            "API rate limit exceeded",
            "60",
        )
    assert purchase(live, "MK-2").status_code == 201  # once only


LOST = [
    ("drop_before", httpx.RemoteProtocolError, 0),
    ("drop_after", httpx.RemoteProtocolError, 1),
    ("reset_before", httpx.ReadError, 0),
    ("reset_after", httpx.ReadError, 1),
    ("short_body", httpx.RemoteProtocolError, 1),
]


@pytest.mark.parametrize("fault, error, charges", LOST, ids=[row[0] for row in LOST])
def test_faults_that_lose_the_connection(ama, live, fault, error, charges):
    plan(ama, {"endpoint": "purchase", "fault": fault})
    with pytest.raises(error):
        purchase(live)
    assert len(lines(ama.supplier, "charge")) == charges
    assert purchase(live, "MK-2").status_code == 201


@pytest.mark.parametrize(
    "fault, error", [("drop_after", b""), ("reset_after", ConnectionResetError)]
)
def test_a_close_is_an_end_and_a_reset_is_a_reset(ama, live, fault, error):
    plan(ama, {"fault": fault})
    with socket.create_connection(live, 5) as connection:
        headers = "".join(f"{name}: {value}\r\n" for name, value in FIRST.items())
        connection.sendall(
            f"GET /api/v1/balance HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode()
        )
        if isinstance(error, bytes):
            assert connection.recv(1) == error
        else:
            with pytest.raises(error):
                connection.recv(1)


def test_a_short_body_promises_more_than_it_sends(ama, live):
    plan(ama, {"fault": "short_body"})
    connection = http.client.HTTPConnection(*live, timeout=5)
    connection.request("GET", "/api/v1/balance", headers=FIRST)
    with pytest.raises(http.client.IncompleteRead) as caught:
        connection.getresponse().read()
    assert caught.value.expected and len(caught.value.partial) > 0
    connection.close()


@pytest.mark.slow(seconds=0.4)
def test_a_trickle_arrives_whole_and_late(ama, live):
    plan(ama, {"endpoint": "balance", "fault": "trickle", "seconds": 0.6})
    connection = http.client.HTTPConnection(*live, timeout=5)
    connection.request("GET", "/api/v1/balance", headers=FIRST)
    reply = connection.getresponse()
    first = reply.read1()
    rest = reply.read()
    assert first and rest and json.loads(first + rest)["data"]["balance"] == 5000
    connection.close()


@pytest.mark.slow(seconds=0.3)
def test_a_hang_charges_and_never_answers(ama, live, until):
    plan(ama, {"endpoint": "purchase", "fault": "hang_after"})
    with pytest.raises(httpx.ReadTimeout):
        purchase(live, timeout=0.3)
    until(lambda: len(lines(ama.supplier, "charge")) == 1)
    # noticed that nobody listens any more
    until(lambda: ama.door("/inflight")["inflight"] == [])


# Held open


@pytest.mark.parametrize("stage, charged", [("before", 0), ("after", 1)])
def test_a_held_purchase_is_reported_and_goes_on_when_released(
    ama, live, until, stage, charged
):
    plan(ama, {"endpoint": "purchase", "fault": f"hold_{stage}"})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(purchase, live)
        (held,) = until(lambda: ama.door("/inflight")["inflight"])
        assert (held["reference"], held["stage"], held["endpoint"]) == (
            REF,
            stage,
            "purchase",
        )
        assert held["charged"] == charged == len(lines(ama.supplier, "charge"))
        assert (
            held["client_gone"] is False
            and ama.door("/state")["inflight"][0]["reference"] == REF
        )
        assert ama.door("/release", {"reference": "OTHER"}) == {"released": 0}
        assert ama.door("/release", {"reference": REF}) == {"released": 1}
        assert answer.result(5).status_code == 201
    assert len(lines(ama.supplier, "charge")) == 1


@pytest.mark.parametrize("abandon, charges", [(False, 1), (True, 0)])
def test_a_request_whose_client_died_is_charged_when_released(
    ama, live, until, abandon, charges
):
    # The worst case: the client is gone before the charge, and the supplier charges all the same.
    ama.door("/knobs", {"abandon_on_disconnect": abandon})
    plan(ama, {"endpoint": "purchase", "fault": "hold_before"})
    connection = http.client.HTTPConnection(*live, timeout=5)
    connection.request("POST", "/api/v1/purchase", json.dumps(order()), JSON)
    until(lambda: ama.door("/inflight")["inflight"])
    # A killed client's kernel resets the connection.
    connection.sock.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    connection.close()
    until(lambda: ama.door("/inflight")["inflight"][0]["client_gone"])
    assert balance_pesewas(ama.supplier) == 500_000
    ama.door("/release", {})
    until(lambda: ama.door("/inflight")["inflight"] == [])
    until(lambda: len(lines(ama.supplier, "charge")) == charges)
    # The next request waits for nothing, so what the released one does is done.
    assert ama.look_up().status_code == (200 if charges else 404)


@pytest.mark.parametrize(
    "fault, stage",
    [
        ("hold_before", "before"),
        ("hang_after", "after"),
        ("hold_after", "after"),
        (None, None),
    ],
)
def test_a_purchase_whose_client_is_gone_is_on_record(ama, live, until, fault, stage):
    if fault:
        plan(ama, {"endpoint": "purchase", "fault": fault})
    connection = http.client.HTTPConnection(*live, timeout=5)
    connection.request("POST", "/api/v1/purchase", json.dumps(order()), JSON)
    port = connection.sock.getsockname()[1]
    if fault is None:
        connection.getresponse().read()
        connection.close()
        assert ama.door("/abandoned") == {"abandoned": []}
        return
    until(lambda: ama.door("/inflight")["inflight"])
    (open_now,) = ama.door("/buying")["buying"]
    assert (open_now["reference"], open_now["peer_port"]) == (REF, port)
    connection.close()
    if fault != "hang_after":
        until(lambda: ama.door("/inflight")["inflight"][0]["client_gone"])
        ama.door("/release", {})
    (record,) = until(lambda: ama.door("/abandoned")["abandoned"])
    until(lambda: ama.door("/buying") == {"buying": []})
    assert {**record, "at": 0} == {
        "at": 0,
        "endpoint": "purchase",
        "reference": REF,
        "stage": stage,
        "faults": [fault],
        "peer_port": port,
    }


@pytest.mark.slow(seconds=0.4)
def test_a_purchase_may_be_answered_long_after_its_charge(ama, live, until):
    ama.door("/knobs", {"answer_s": 0.5})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(purchase, live)
        until(lambda: lines(ama.supplier, "charge"))
        assert not answer.done() and ama.door("/buying")["buying"]
        assert answer.result(5).status_code == 201
    plan(ama, {"endpoint": "purchase", "fault": "http_500_before"})
    began = time.monotonic()
    assert purchase(live, "MK-2").status_code == 500
    assert time.monotonic() - began < 0.5


def test_a_client_that_left_before_a_refusal_was_not_charged(ama, live, until):
    plan(ama, {"endpoint": "purchase", "fault": "hold_before"})
    connection = http.client.HTTPConnection(*live, timeout=5)
    connection.request(
        "POST", "/api/v1/purchase", json.dumps(order(capacity="3000GB")), JSON
    )
    until(lambda: ama.door("/inflight")["inflight"])
    connection.close()
    ama.door("/release", {})
    (record,) = until(lambda: ama.door("/abandoned")["abandoned"])
    assert record["stage"] == "uncharged"


def test_a_hold_ends_by_itself(ama, live):
    plan(ama, {"endpoint": "purchase", "fault": "hold_before", "seconds": 0.1})
    assert purchase(live).status_code == 201


def test_a_stop_lets_nobody_wait_and_charges_nobody(ama, live, until):
    plan(ama, {"endpoint": "purchase", "fault": "hold_before"})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(purchase, live)
        until(lambda: ama.door("/inflight")["inflight"])
        ama.supplier.sandbox.holds.stop()
        with pytest.raises(httpx.RemoteProtocolError):
            answer.result(5)
    assert lines(ama.supplier, "charge") == []


# The plan


def test_faults_aim_at_endpoints_and_references(ama):
    plan(
        ama,
        {"endpoint": "status", "fault": "html_502", "times": 2},
        {"endpoint": "purchase", "fault": "http_401", "match_reference": "MK-2"},
    )
    assert ama.get("/v1/balance").status_code == 200
    assert ama.buy("MK-1").status_code == 201
    assert [ama.look_up("MK-1").status_code for _ in range(3)] == [502, 502, 200]
    assert [ama.buy("MK-2").status_code for _ in range(2)] == [401, 201]
    assert ama.door("/state")["fired"] == {"html_502": 2, "http_401": 1}


def test_a_fault_may_aim_at_all_that_buys(ama):
    plan(ama, {"endpoint": "buying", "fault": "empty_503", "times": None})
    assert ama.buy("MK-1").status_code == 503
    assert (
        ama.send(
            "POST", "/v1/purchase/bulk", {"orders": [order("MK-1"), order("MK-2")]}
        ).status_code
        == 503
    )
    assert ama.get("/v1/balance").status_code == 200
    assert ama.door("/counts")["fired_at"] == {
        "purchase.empty_503": 1,
        "bulk.empty_503": 1,
    }
    assert ama.door("/counts")["struck_at"] == {
        "purchase.empty_503": 1,
        "bulk.empty_503": 2,
    }


def test_a_fault_may_aim_at_one_order_of_a_batch(ama):
    plan(ama, {"endpoint": "bulk", "fault": "empty_503", "match_reference": "MK-2"})
    for path in ("/v1/purchase/bulk", "/v1/bulk"):
        plan(ama, {"endpoint": "bulk", "fault": "empty_503", "match_reference": "MK-2"})
        assert (
            ama.send(
                "POST", path, {"orders": [order("MK-1"), order("MK-2")]}
            ).status_code
            == 503
        )


def test_chance_is_repeatable(ama):
    def draw():
        plan(
            ama,
            {"endpoint": "balance", "fault": "html_502", "probability": 0.5},
            seed=7,
        )
        return [ama.get("/v1/balance").status_code for _ in range(12)]

    first = draw()
    assert set(first) == {200, 502} and draw() == first


def test_every_strikes_once_in_each_block_and_gives_way_to_another_fault(ama):
    """Ten of twenty requests are spoken for, yet each kind strikes once in each block of four."""
    plan(
        ama,
        {"endpoint": "balance", "fault": "html_502", "every": 4},
        {"endpoint": "balance", "fault": "empty_503", "every": 4},
        seed=4,
    )
    said = [ama.get("/v1/balance").status_code for _ in range(24)]
    for start in range(0, 24, 4):
        assert said[start : start + 4].count(502) == 1
    assert [said.count(code) for code in (200, 502, 503)] == [12, 6, 6]
    places = [said[start : start + 4].index(502) for start in range(0, 24, 4)]
    assert len(set(places)) > 1
    assert ama.door("/counts")["fired_at"] == {
        "balance.html_502": 6,
        "balance.empty_503": 6,
    }


def test_every_is_a_whole_number(ama):
    answer = ama.client.post("/sandbox/faults", json=[{"fault": "delay", "every": 0}])
    assert (answer.status_code, answer.json) == (
        400,
        {"error": "entry 0: every is a whole number from 1 up"},
    )


def test_a_delay_may_come_before_another_fault(ama):
    plan(ama, {"fault": "delay", "seconds": 0.01}, {"fault": "html_502"})
    assert ama.get("/v1/balance").status_code == 502
    assert ama.door("/state")["fired"] == {"delay": 1, "html_502": 1}


def test_a_new_plan_replaces_the_old_one_unless_it_is_kept(ama):
    plan(ama, {"endpoint": "status", "fault": "html_502"})
    plan(ama, {"endpoint": "balance", "fault": "html_502"}, keep=True)
    assert (ama.get("/v1/balance").status_code, ama.look_up().status_code) == (502, 502)
    plan(ama, {"endpoint": "status", "fault": "html_502"})
    assert ama.door("/faults", []) == {"faults": []}
    assert ama.look_up().status_code == 404


def test_lookup_lag_follows_one_purchase_or_one_look_up(ama):
    plan(ama, {"endpoint": "purchase", "fault": "lookup_lag", "seconds": 30})
    ama.buy("MK-1")
    ama.buy("MK-2")
    assert (
        ama.look_up("MK-1").status_code == 404
        and ama.look_up("MK-2").status_code == 200
    )
    ama.door("/clock", {"seconds": 31})
    assert ama.look_up("MK-1").status_code == 200
    plan(ama, {"endpoint": "status", "fault": "lookup_lag"})
    assert [ama.look_up("MK-2").status_code for _ in range(2)] == [404, 200]


def test_a_provider_error_is_charged_and_refunded(ama):
    plan(ama, {"endpoint": "purchase", "fault": "provider_error"})
    assert ama.buy().json["error"]["code"] == "PROVIDER_ERROR"
    assert balance_pesewas(ama.supplier) == 500_000 and ama.status() == "failed"


def test_any_member_of_a_good_answer_can_be_edited_or_left_out(ama):
    members = {"amount": -4.6, "reference": None, "product": {"capacity": "1"}}
    plan(ama, {"endpoint": "purchase", "fault": "edited_answer", "members": members})
    said = ama.buy().json["data"]
    assert (said["amount"], said["product"]["capacity"], "reference" in said) == (
        -4.6,
        "1",
        False,
    )
    assert said["product"]["name"] == "YELLOW"
    assert len(lines(ama.supplier, "charge")) == 1


def test_any_refusal_charges_nothing(ama):
    plan(
        ama,
        {
            "endpoint": "purchase",
            "fault": "refused",
            "status": 409,
            "says": "OUT_OF_STOCK",
        },
    )
    reply = ama.buy()
    assert (reply.status_code, reply.json["error"]["code"]) == (409, "OUT_OF_STOCK")
    assert lines(ama.supplier, "charge") == []


@pytest.mark.parametrize(
    "body",
    [
        {"plan": "all"},
        [{"fault": "edited_answer", "members": [1]}],
        [{"fault": "refused", "status": 200}],
        [{"fault": "refused", "status": "x"}],
        [{"fault": "flood"}],
        [{"endpoint": "moon", "fault": "delay"}],
        [{"fault": "delay", "times": -1}],
        [{"fault": "delay", "seconds": "1"}],
        [{"fault": "delay", "often": 1}],
        [7],
        {"plan": [], "seed": "x"},
        {},
    ],
)
def test_a_plan_that_cannot_be_read_changes_nothing(ama, body):
    plan(ama, {"endpoint": "status", "fault": "html_502"})
    reply = ama.client.post("/sandbox/faults", json=body)
    assert reply.status_code == 400 and reply.json["error"]
    assert len(ama.door("/state")["faults"]) == 1


def test_mounted_without_a_socket_a_lost_connection_is_the_callers_exception(tmp_path):
    supplier = app.create_sandbox(tmp_path / "s.db", dropped=httpx.ReadError)
    plan(Reseller(supplier), {"endpoint": "purchase", "fault": "drop_after"})
    with (
        httpx.Client(
            transport=httpx.WSGITransport(app=supplier), base_url="http://supplier.test"
        ) as client,
        pytest.raises(httpx.ReadError),
    ):
        client.post("/api/v1/purchase", json=order(), headers=FIRST)
    assert len(lines(supplier, "charge")) == 1
    supplier.close()
