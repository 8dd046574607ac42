"""Buying many at once: the batch's own checks, codes and hazards."""

from __future__ import annotations

import pytest
from sandbox_kit import Reseller, error_code, lines, order

from integrations.sandbox.faults import ConnectionDropped
from integrations.sandbox.store import FIRST_ID


def bulk(reseller, orders, path="/v1/purchase/bulk", **members):
    return reseller.send("POST", path, {"orders": orders, **members})


@pytest.mark.parametrize("path", ["/v1/purchase/bulk", "/v1/bulk"])
def test_bulk_buys_every_order(ama, path):
    orders = [order(None, capacity="1GB"), order("MK-OWN")]
    reply = bulk(ama, orders, path, reference="MKB-19")
    assert reply.status_code == 201
    payload = reply.json["data"]
    assert payload["bulk_reference"] == "MKB-19"
    assert payload["summary"] == {
        "total_orders": 2,
        "successful_count": 2,
        "failed_count": 0,
        "total_requested": 13.6,
        "amount_charged": 13.6,
        "amount_saved": 0,
    }
    assert [row["reference"] for row in payload["successful_orders"]] == [
        "MKB-19-1",
        "MK-OWN",
    ]
    assert payload["failed_orders"] == [] and payload["balance_after"] == 4986.4
    assert ama.status("MK-OWN") == "pending"
    assert [line["reference"] for line in lines(ama.supplier, "charge")] == [
        "MKB-19-1",
        "MK-OWN",
    ]


BULK_REFUSALS = [
    ({}, "INVALID_PHONE_NUMBER", {"beneficiary_number": "12"}),
    ({}, "MISSING_CAPACITY", {"capacity": None}),
    ({}, "MISSING_PRODUCT_NAME", {"product_name": None}),
    ({}, "INVALID_CAPACITY_FORMAT", {"capacity": "five"}),
    ({}, "PRODUCT_NOT_FOUND", {"product_name": "GREEN"}),
    ({}, "CAPACITY_NOT_AVAILABLE", {"capacity": "7GB"}),
    ({}, "PRICING_UNAVAILABLE", {"capacity": "40GB"}),
]


@pytest.mark.slow(seconds=0.2)
@pytest.mark.parametrize(
    "members, code, changes", BULK_REFUSALS, ids=[row[1] for row in BULK_REFUSALS]
)
def test_one_bad_order_refuses_the_whole_batch(ama, members, code, changes):
    ama.supplier.sandbox.store.set_base_price("YELLOW_40GB", None)
    reply = bulk(ama, [order("MK-1"), order("MK-2", **changes)], **members)
    assert (
        reply.status_code,
        error_code(reply),
        reply.json["error"]["order_index"],
    ) == (
        400,
        code,
        1,
    )
    assert lines(ama.supplier, "charge") == []


@pytest.mark.parametrize("orders", [None, "all", {}, []])
def test_bulk_wants_a_list(ama, orders):
    assert error_code(bulk(ama, orders)) == "INVALID_ORDERS"


def test_bulk_takes_a_hundred(ama):
    error = bulk(ama, [order(None)] * 101).json["error"]
    assert error == {"code": "EXCEEDS_LIMIT", "max_allowed": 100, "provided": 101}


def test_bulk_weighs_the_whole_batch_against_the_wallet(make):
    reply = bulk(Reseller(make(wallet_pesewas=1_000)), [order("MK-1"), order("MK-2")])
    assert (reply.status_code, error_code(reply)) == (400, "INSUFFICIENT_BALANCE")
    assert reply.json["error"]["required_amount"] == 18


def test_quantity_multiplies_the_price(ama):
    row = bulk(ama, [order("MK-1", quantity=3)]).json["data"]["successful_orders"][0]
    assert (row["quantity"], row["amount"]) == (3, 27)


def test_resending_a_batch_buys_everything_twice(ama):
    sent = [bulk(ama, [order(None), order(None)], reference="MKB-1") for _ in range(2)]
    assert [reply.status_code for reply in sent] == [201, 201]
    assert len(lines(ama.supplier, "charge")) == 4


def test_a_used_reference_breaks_the_rest_of_the_batch(ama):
    ama.buy("MK-USED")
    payload = bulk(ama, [order("MK-1"), order("MK-USED"), order("MK-2")]).json["data"]
    assert [row["reference"] for row in payload["successful_orders"]] == ["MK-1"]
    assert len(payload["failed_orders"]) == 2 and all(
        "reference" not in row for row in payload["failed_orders"]
    )
    assert payload["summary"]["amount_saved"] == 18


def test_a_batch_that_fails_whole_is_a_refusal(ama):
    ama.buy("MK-USED")
    reply = bulk(ama, [order("MK-USED")])
    assert (reply.status_code, error_code(reply)) == (400, "ALL_ORDERS_FAILED")
    assert reply.json["error"]["balance_unchanged"] is True


def test_forwarded_bulk_keeps_references_of_failures(make):
    ama = Reseller(make("forwarding"))
    ama.buy("MK-USED")
    payload = bulk(ama, [order("MK-USED"), order("MK-2")]).json["data"]
    assert [row["reference"] for row in payload["failed_orders"]] == ["MK-USED"]
    assert [row["status"] for row in payload["successful_orders"]] == ["completed"]
    assert (
        payload["summary"]["amount_refunded"] == 9
        and "amount_saved" not in payload["summary"]
    )


def test_a_batch_meets_the_wallet_conflict_too(make):
    ama = Reseller(make("published"))
    with ama.supplier.sandbox.wallet(FIRST_ID):
        reply = bulk(ama, [order("MK-1")])
    assert (reply.status_code, error_code(reply)) == (500, "BULK_PROCESSING_ERROR")
    assert lines(ama.supplier, "charge") == []


def test_a_forwarded_batch_may_crash_half_way(make):
    ama = Reseller(make("forwarding", upstream="crash"))
    with pytest.raises(ConnectionDropped):
        bulk(ama, [order("MK-1"), order("MK-2")])
    assert [line["reference"] for line in lines(ama.supplier, "charge")] == ["MK-1"]
    assert ama.status("MK-1") == "pending"


def test_a_forwarded_batch_refunds_what_upstream_refuses(make):
    ama = Reseller(make("forwarding", upstream="fail"))
    payload = bulk(ama, [order("MK-1"), order("MK-2")]).json["data"]
    assert payload["summary"]["failed_count"] == 2 and payload["balance_after"] == 5000
    assert ama.status("MK-2") == "failed"
