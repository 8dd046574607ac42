"""Buying: the order of the checks, each refusal, what is charged, and the quirks of each
profile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sandbox_kit import (
    NUMBER,
    SECOND,
    Reseller,
    balance_pesewas,
    error_code,
    lines,
    order,
)

from integrations.sandbox.faults import ConnectionDropped
from integrations.sandbox.store import FIRST_ID, STRANGER_REFERENCE


def test_a_purchase_is_charged_once_and_waits(ama):
    reply = ama.buy()
    assert reply.status_code == 201
    payload = reply.json["data"]
    assert len(payload.pop("transaction_id")) == 24
    assert payload == {
        "reference": "MK-0000000001",
        "product": {
            "name": "YELLOW",
            "capacity": "2GB",
            "validity": "30 days",
            "product_code": "YELLOW_2GB",
        },
        "beneficiary": NUMBER,
        "amount": 9,
        "price_tier": "dealer",
        "currency": "GHS",
        "status": "pending",
        "balance_after": 4991,
        "webhook_sent": False,
    }
    (charge,) = lines(ama.supplier, "charge")
    assert charge["reference"] == "MK-0000000001" and charge["amount_pesewas"] == -900
    assert charge["balance_pesewas"] == balance_pesewas(ama.supplier) == 499_100


# Each row breaks one rule and every later one, so that the answer shows which check comes first.
LATER = {"capacity": "7GB", "product_name": "GREEN", "beneficiary_number": "030"}
CHECKS = [
    (
        {**LATER, "capacity": None, "product_name": None, "beneficiary_number": None},
        400,
        "MISSING_CAPACITY",
    ),
    (
        {**LATER, "product_name": None, "beneficiary_number": None},
        400,
        "MISSING_PRODUCT_NAME",
    ),
    ({**LATER, "beneficiary_number": None}, 400, "MISSING_BENEFICIARY"),
    (LATER, 400, "INVALID_PHONE_NUMBER"),
    (
        {**LATER, "beneficiary_number": NUMBER, "capacity": "five"},
        404,
        "INVALID_CAPACITY_FORMAT",
    ),
    ({**LATER, "beneficiary_number": NUMBER}, 404, "CAPACITY_NOT_AVAILABLE"),
    ({"product_name": "GREEN"}, 404, "PRODUCT_NOT_FOUND"),
    ({"capacity": "40GB"}, 400, "PRICING_UNAVAILABLE"),
    ({"capacity": "50GB"}, 400, "INSUFFICIENT_BALANCE"),
    ({}, 400, "DUPLICATE_REFERENCE"),
]


@pytest.mark.parametrize(
    "changes, status, code", CHECKS, ids=[row[2] for row in CHECKS]
)
def test_the_checks_keep_their_order(make, changes, status, code):
    supplier = make(wallet_pesewas=2_000)
    supplier.sandbox.store.set_base_price("YELLOW_40GB", None)
    ama = Reseller(supplier)
    assert ama.buy().status_code == 201  # takes the reference that every row repeats
    reply = ama.buy(**changes)
    assert (reply.status_code, error_code(reply)) == (status, code)
    assert balance_pesewas(supplier) == 1_100 and len(lines(supplier, "charge")) == 1


EXTRAS = [
    ({"capacity": None}, {"example": "1GB"}),
    ({"product_name": None}, {"available": ["YELLOW", "TELECEL", "AT_PREMIUM"]}),
    (
        {"beneficiary_number": "1"},
        {"format": "0XXXXXXXXX or +233XXXXXXXXX", "provided": "1"},
    ),
    ({"capacity": "7GB"}, {"requested_capacity": "7GB"}),
    (
        {"capacity": "20GB", "product_name": "GREEN"},
        {
            "requested": {"name": "GREEN", "capacity": "20GB"},
            "available_alternatives": [
                {"name": "YELLOW", "product_code": "YELLOW_20GB"},
                {"name": "TELECEL", "product_code": "TELECEL_20GB"},
            ],
        },
    ),
    ({"reference": STRANGER_REFERENCE}, {"reference": STRANGER_REFERENCE}),
]


@pytest.mark.parametrize("changes, extra", EXTRAS)
def test_refusals_carry_their_own_members(ama, changes, extra):
    error = ama.buy(**changes).json["error"]
    assert {name: value for name, value in error.items() if name != "code"} == extra


def test_insufficient_balance_counts_the_shortage(make):
    error = Reseller(make(wallet_pesewas=500)).buy().json["error"]
    assert (error["required_amount"], error["current_balance"], error["shortage"]) == (
        9,
        5,
        4,
    )


@pytest.mark.parametrize(
    "changes, status, code",
    [
        ({"beneficiary_number": 241234567}, 500, "PROCESSING_ERROR"),
        ({"capacity": 2}, 404, "PRODUCT_LOOKUP_ERROR"),
        ({"product_name": ["YELLOW"]}, 404, "PRODUCT_LOOKUP_ERROR"),
        ({"reference": {"$ne": None}}, 500, "PROCESSING_ERROR"),
        ({"capacity": "2 GB"}, 404, "INVALID_CAPACITY_FORMAT"),
        ({"capacity": "٢GB"}, 404, "INVALID_CAPACITY_FORMAT"),
        ({"product_name": 7}, 404, "PRODUCT_NOT_FOUND"),
    ],
)
def test_wrong_types_break_as_the_supplier_breaks(ama, changes, status, code):
    reply = ama.buy(**changes)
    assert (reply.status_code, error_code(reply)) == (status, code)
    assert lines(ama.supplier, "charge") == []


@pytest.mark.parametrize("body", [[], [order()], {}])
def test_a_body_without_members_misses_its_capacity(ama, body):
    assert error_code(ama.send("POST", "/v1/purchase", body)) == "MISSING_CAPACITY"


@pytest.mark.parametrize("name", ["YELLOW", "yello", "Y", "ellow"])
def test_names_match_by_substring_in_any_case(ama, name):
    product = ama.buy(product_name=name, capacity="2gb").json["data"]["product"]
    assert product["name"] == "YELLOW" and product["capacity"] == "2gb"


@pytest.mark.parametrize("name", ["YELLOW", "TELECEL", "AT_PREMIUM"])
def test_whole_names_hit_one_product_only(ama, name):
    names = {row["name"] for row in ama.get("/v1/products").json["data"]["products"]}
    assert [other for other in names if name in other] == [name]


@pytest.mark.parametrize(
    "number, a2, a3",
    [
        ("0241234567", True, True),
        ("+233241234567", True, True),
        ("0201234567", True, False),
        ("0301234567", True, False),
        ("233241234567", False, False),
        ("241234567", False, False),
        ("024 123 4567", False, False),
        ("0741234567", False, False),
        ("02412345678", False, False),
        ("0241234567\n", False, False),
        ("٠241234567", False, False),
    ],
)
def test_numbers_are_judged_by_generation(make, number, a2, a3):
    accepted = [
        Reseller(make(profile)).buy(beneficiary_number=number)
        for profile in ("published", "forwarding")
    ]
    assert [reply.status_code == 201 for reply in accepted] == [a2, a3]


def test_references_are_unique_across_all_resellers(supplier, ama):
    reply = ama.buy(STRANGER_REFERENCE)
    assert (reply.status_code, error_code(reply)) == (400, "DUPLICATE_REFERENCE")
    ama.buy("MK-MINE")
    assert (
        error_code(Reseller(supplier, dict(SECOND)).buy("MK-MINE"))
        == "DUPLICATE_REFERENCE"
    )


def test_a_missing_reference_is_made_up(ama):
    made = {ama.buy(None).json["data"]["reference"] for _ in range(2)} | {
        ama.buy("").json["data"]["reference"]
    }
    assert len(made) == 3 and all(reference.startswith("API") for reference in made)


def test_without_dedupe_a_repeated_reference_buys_again(make):
    supplier = make(dedupe=False)
    ama = Reseller(supplier)
    assert [ama.buy().status_code for _ in range(2)] == [201, 201]
    assert ama.door("/state")["purchases"] == {"MK-0000000001": 2}


def test_simultaneous_copies_of_one_purchase_charge_once(ama):
    barrier = threading.Barrier(8)

    def submit(_):
        barrier.wait(5)
        return ama.buy().status_code

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(submit, range(8)))
    assert codes == [201] + [400] * 7 and len(lines(ama.supplier, "charge")) == 1


def test_two_purchases_at_once_on_one_wallet_conflict(make):
    # Two writes met on one wallet: the second got a 500 and was not charged.
    supplier = make("published")
    ama = Reseller(supplier)
    with supplier.sandbox.wallet(FIRST_ID):
        late = ama.buy("MK-1")
        assert (late.status_code, error_code(late)) == (500, "PROCESSING_ERROR")
        assert Reseller(supplier, dict(SECOND)).buy("MK-2").status_code == 201
    assert lines(supplier, "charge") == []
    assert ama.buy("MK-1").status_code == 201


def test_without_the_conflict_knob_purchases_queue(make):
    ama = Reseller(make(transaction_s=0.05))
    with ThreadPoolExecutor(4) as pool:
        codes = list(
            pool.map(lambda number: ama.buy(f"MK-{number}").status_code, range(4))
        )
    assert codes == [201] * 4


# Forwarding


def test_forwarding_answers_completed_at_once(make):
    ama = Reseller(make("forwarding"))
    payload = ama.buy().json["data"]
    assert payload["status"] == "completed" and payload["network"] == "YELLO"
    assert len(payload["provider_reference"]) == 24
    row = ama.look_up().json["data"]
    assert (
        row["status"] == "completed"
        and row["network"] == "YELLO"
        and "completed_at" in row
    )
    assert "provider_reference" not in row


def test_forwarding_refunds_when_upstream_refuses(make):
    supplier = make("forwarding", upstream="fail")
    ama = Reseller(supplier)
    reply = ama.buy()
    assert reply.status_code == 500
    assert reply.json["error"] == {
        "code": "PROVIDER_ERROR",
        "reference": "MK-0000000001",
        "error": "Upstream provider could not process the order",
        "amount_refunded": 9,
        "balance_after": 5000,
    }
    assert [line["amount_pesewas"] for line in lines(supplier)] == [500_000, -900, 900]
    assert ama.status() == "failed"


def test_forwarding_may_crash_after_its_commit(make):
    supplier = make("forwarding", upstream="crash")
    ama = Reseller(supplier)
    with pytest.raises(ConnectionDropped):
        ama.buy()
    assert ama.status() == "pending" and len(lines(supplier, "charge")) == 1
