"""What each endpoint answers, profile by profile, and who gets past the door."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_kit import SECOND, Reseller, error_code

from integrations.sandbox.store import STRANGER_REFERENCE

# method, path, then what documented, published and forwarding answer: HTTP code, error code or
# None.
TABLE: list[tuple[str, str, Any, Any, Any]] = [
    ("GET", "/v1/account", (200, None), (200, None), (200, None)),
    ("GET", "/v1/balance", (200, None), (200, None), (200, None)),
    ("GET", "/v1/products", (200, None), (200, None), (200, None)),
    (
        "GET",
        "/v1/products/YELLOW_2GB",
        (200, None),
        (404, "ENDPOINT_NOT_FOUND"),
        (404, "ENDPOINT_NOT_FOUND"),
    ),
    (
        "GET",
        "/v1/capacities",
        (200, None),
        (404, "ENDPOINT_NOT_FOUND"),
        (404, "ENDPOINT_NOT_FOUND"),
    ),
    (
        "GET",
        "/v1/statistics",
        (200, None),
        (500, "STATISTICS_ERROR"),
        (500, "STATISTICS_ERROR"),
    ),
    ("GET", "/v1/transactions", (200, None), (200, None), (200, None)),
    ("GET", "/v1/transactions/NONE", *[(404, "TRANSACTION_NOT_FOUND")] * 3),
    ("POST", "/v1/purchase", *[(400, "MISSING_CAPACITY")] * 3),
    ("POST", "/v1/purchase/bulk", *[(400, "INVALID_ORDERS")] * 3),
    (
        "POST",
        "/v1/bulk",
        (400, "INVALID_ORDERS"),
        (404, "ENDPOINT_NOT_FOUND"),
        (404, "ENDPOINT_NOT_FOUND"),
    ),
    ("PUT", "/v1/webhook", *[(400, "MISSING_WEBHOOK_URL")] * 3),
    ("POST", "/v1/webhook/test", *[(400, "NO_WEBHOOK")] * 3),
    ("GET", "/v1/purchase", *[(404, "ENDPOINT_NOT_FOUND")] * 3),
    ("DELETE", "/v1/webhook", *[(404, "ENDPOINT_NOT_FOUND")] * 3),
    ("GET", "/v1/nothing", *[(404, "ENDPOINT_NOT_FOUND")] * 3),
]


@pytest.mark.parametrize(
    "column, profile", [(2, "documented"), (3, "published"), (4, "forwarding")]
)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} {row[1]}")
def test_every_endpoint_answers_as_its_profile_says(make, row, column, profile):
    reply = Reseller(make(profile)).send(row[0], row[1])
    body = reply.json
    assert (reply.status_code, body.get("error", {}).get("code")) == row[column]
    assert body["success"] is (reply.status_code < 400)
    assert reply.content_type == "application/json; charset=utf-8"
    assert len(body["timestamp"]) == 24 and body["timestamp"].endswith("Z")


def test_account_speaks_camel_case_in_its_api_block_only(ama):
    payload = ama.get("/v1/account").json["data"]
    assert payload["account"]["role"] == "dealer"
    assert payload["wallet"] == {"balance": 5000, "currency": "GHS"}
    assert (
        payload["api"]["rateLimit"] == 100
        and payload["api"]["webhookSignatureEnabled"] is True
    )
    assert "supported_networks" not in payload


def test_forwarding_names_its_one_network(make):
    ama = Reseller(make("forwarding"))
    assert ama.get("/v1/account").json["data"]["supported_networks"] == ["YELLO"]
    products = ama.get("/v1/products").json["data"]
    assert products["supported_network"] == "YELLO"
    assert {row["network"] for row in products["products"]} == {"YELLO"}


def test_balances_are_numbers_as_javascript_prints_them(ama):
    assert '"balance":5000,' in ama.get("/v1/balance").text
    ama.buy(capacity="1GB")
    assert (
        '"balance":4995.4,"currency":"GHS","formatted":"GHS 4995.40"'
        in ama.get("/v1/balance").text
    )


def test_float_noise_shows_in_balances(make):
    supplier = make(float_noise="always")
    supplier.sandbox.store.top_up(-1_000)
    assert '"balance":4990.000000000001,' in Reseller(supplier).get("/v1/balance").text


def test_natural_float_noise_comes_from_subtracting(make):
    ama = Reseller(make())
    seen = {
        ama.buy(f"MK-{number}", capacity="1GB").json["data"]["balance_after"]
        for number in range(40)
    }
    assert any(len(str(amount).partition(".")[2]) > 6 for amount in seen)


def test_catalogue_has_three_networks_at_this_roles_price(ama):
    payload = ama.get("/v1/products").json["data"]
    sizes: dict[str, list[int]] = {}
    for row in payload["products"]:
        sizes.setdefault(row["name"], []).append(row["capacity_value"])
    assert sizes["YELLOW"] == [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30, 40, 50]
    assert sizes["TELECEL"][:4] == [5, 10, 15, 20]
    assert sizes["AT_PREMIUM"][:8] == [1, 2, 3, 4, 5, 6, 8, 10]
    assert payload["total"] == len(payload["products"])
    assert next(
        row for row in payload["products"] if row["product_code"] == "YELLOW_2GB"
    ) == {
        "product_code": "YELLOW_2GB",
        "name": "YELLOW",
        "category": "monthly",
        "capacity": "2GB",
        "capacity_value": 2,
        "capacity_unit": "GB",
        "validity": "30 days",
        "price": 9,
        "currency": "GHS",
        "status": "active",
    }


def test_price_depends_on_the_role(supplier):
    dealer, agent = Reseller(supplier), Reseller(supplier, dict(SECOND))
    prices = [
        shop.get("/v1/products").json["data"]["products"][0]["price"]
        for shop in (dealer, agent)
    ]
    assert prices == [4.6, 4.8]


@pytest.mark.parametrize(
    "query, expected",
    [
        ({"min_capacity": "40960"}, {"40GB", "50GB", "100GB"}),
        ({"max_capacity": "1024"}, {"1GB"}),
        ({"min_capacity": "2048", "max_capacity": "3072"}, {"2GB", "3GB"}),
        ({"category": "daily"}, set()),
        ({"min_capacity": "lots"}, None),
    ],
)
def test_product_filters_count_in_megabytes(ama, query, expected):
    shown = {
        row["capacity"]
        for row in ama.get("/v1/products", query_string=query).json["data"]["products"]
    }
    assert shown == expected if expected is not None else len(shown) > 10


def test_products_without_a_price_are_left_out(ama):
    ama.supplier.sandbox.store.set_base_price("YELLOW_2GB", None)
    codes = {
        row["product_code"] for row in ama.get("/v1/products").json["data"]["products"]
    }
    assert "YELLOW_1GB" in codes and "YELLOW_2GB" not in codes


def test_capacities_group_products_by_size(ama):
    payload = ama.get("/v1/capacities").json["data"]
    assert payload["price_tier"] == "dealer" and payload["total"] == len(
        payload["capacities"]
    )
    five = next(row for row in payload["capacities"] if row["capacity"] == "5GB")
    assert {line["name"] for line in five["products"]} == {
        "YELLOW",
        "TELECEL",
        "AT_PREMIUM",
    }
    assert set(five["products"][0]) == {"name", "validity", "price"}


def test_list_is_newest_first_with_pages_and_filters(ama):
    for number in range(3):
        ama.buy(f"MK-{number}")
    ama.press("MK-1", status="successful")
    page = ama.get("/v1/transactions", query_string={"limit": "2"}).json["data"]
    assert [row["reference"] for row in page["transactions"]] == ["MK-2", "MK-1"]
    assert page["pagination"] == {"page": 1, "limit": 2, "total": 3, "pages": 2}
    assert (
        page["transactions"][1]["product_name"] == "YELLOW"
        and "completed_at" in page["transactions"][1]
    )
    assert "completed_at" not in page["transactions"][0]
    done = ama.get("/v1/transactions", query_string={"status": "successful"}).json[
        "data"
    ]["transactions"]
    assert [row["reference"] for row in done] == ["MK-1"]
    none = ama.get(
        "/v1/transactions", query_string={"end_date": "2020-01-01T00:00:00Z"}
    ).json["data"]
    assert none["transactions"] == [] and none["pagination"]["pages"] == 0


@pytest.mark.parametrize(
    "query",
    [{"page": "one"}, {"limit": "x"}, {"start_date": "yesterday"}, {"page": "-1"}],
)
def test_list_breaks_on_words_for_numbers(ama, query):
    reply = ama.get("/v1/transactions", query_string=query)
    assert (reply.status_code, error_code(reply)) == (500, "TRANSACTION_ERROR")


def test_published_list_is_empty_for_everybody(make):
    ama = Reseller(make("published"))
    assert ama.buy().status_code == 201
    assert ama.get("/v1/transactions").json["data"]["transactions"] == []
    assert ama.status() == "pending"


def test_statistics_count_orders_and_requests(ama):
    ama.buy("MK-1")
    ama.buy("MK-1")
    payload = ama.get("/v1/statistics", query_string={"period": "fortnight"}).json[
        "data"
    ]
    assert payload["period"] == "fortnight"
    assert payload["statistics"]["transactions"] == {
        "successful": 0,
        "failed": 0,
        "pending": 1,
        "total_amount": 9,
    }
    usage = payload["statistics"]["api_usage"]
    assert (
        usage["total_requests"],
        usage["successful_requests"],
        usage["failed_requests"],
    ) == (
        2,
        1,
        1,
    )


def test_look_up_leaves_out_what_is_absent(ama):
    ama.buy()
    row = ama.look_up().json["data"]
    assert set(row) == {
        "reference", "transaction_id", "status", "product", "beneficiary", "amount", "currency",
        "created_at",
    }  # fmt: skip
    assert len(row["transaction_id"]) == 24 and row["product"] == {
        "name": "YELLOW",
        "capacity": "2GB",
    }
    ama.press("MK-0000000001", status="failed")
    assert "failure_reason" in ama.look_up().json["data"]


def test_members_can_be_made_to_vanish(make):
    ama = Reseller(make(omit="product.name,completed_at"))
    ama.buy()
    ama.press("MK-0000000001", status="successful")
    row = ama.look_up().json["data"]
    assert row["product"] == {"capacity": "2GB"} and "completed_at" not in row


def test_orders_of_others_cannot_be_seen(supplier, ama):
    other = Reseller(supplier, dict(SECOND))
    assert other.look_up(STRANGER_REFERENCE).status_code == 200
    assert ama.look_up(STRANGER_REFERENCE).status_code == 404
    assert STRANGER_REFERENCE not in ama.get("/v1/transactions").text


def test_lookup_lag_hides_a_new_order_from_look_ups_and_lists_only(make):
    supplier = make(lookup_lag_s=30)
    ama = Reseller(supplier)
    ama.buy()
    assert (
        ama.look_up().status_code == 404
        and ama.get("/v1/transactions").json["data"]["transactions"] == []
    )
    assert error_code(ama.buy()) == "DUPLICATE_REFERENCE"
    supplier.sandbox.clock.advance(31)
    assert ama.status() == "pending"
