"""Balance, catalogue, sizes, account, statistics and webhook address: what they read, and when they
say nothing."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from datamart_wire import HTML, mart, ok, product, raw, refusal

from integrations.ports import (
    Account,
    Balance,
    CallRecord,
    CapacityLine,
    LeftOut,
    Listing,
    NoAnswer,
    Offer,
)

READS = (
    "balance",
    "offers",
    "capacities",
    "account",
    "transactions",
    "statistics",
    "test_webhook",
)

NOTHING: dict[str, tuple[Any, NoAnswer]] = {
    "401": (refusal(401), NoAnswer("credentials", "http_401: about None")),
    "429": (
        raw(429, "API rate limit exceeded", retry_after="5"),
        NoAnswer("rate_limited", "http_429", 5.0),
    ),
    "500": (refusal(500, "SOME_ERROR"), NoAnswer("broken", "http_500_SOME_ERROR")),
    "500 short": (refusal(500), NoAnswer("broken", "http_500_about None")),
    "502": (raw(502, HTML), NoAnswer("broken", "http_502_not_json")),
    "503": (raw(503), NoAnswer("broken", "http_503_empty")),
    "HTML": (raw(200, HTML), NoAnswer("unclear", "http_200_not_json")),
    "cut": (
        raw(200, '{"success":true,"data":{'),
        NoAnswer("unclear", "http_200_not_json"),
    ),
    "moved": (raw(301, location="/x"), NoAnswer("unclear", "http_301_empty")),
    "unreachable": (
        httpx.ConnectTimeout("slow"),
        NoAnswer("unreachable", "connect_timeout: slow"),
    ),
    "lost": (httpx.ReadTimeout("slow"), NoAnswer("unreachable", "read_timeout")),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(("answer", "said"), NOTHING.values(), ids=NOTHING)
def test_no_information(read: str, answer: Any, said: NoAnswer) -> None:
    assert getattr(mart(answer), read)() == said


@pytest.mark.parametrize("read", [read for read in READS if read != "capacities"])
def test_gone(read: str) -> None:
    assert getattr(mart(refusal(404, "ENDPOINT_NOT_FOUND")), read)() == NoAnswer(
        "endpoint_gone", "ENDPOINT_NOT_FOUND"
    )


@pytest.mark.parametrize("read", [read for read in READS if read != "test_webhook"])
def test_success_without_data(read: str) -> None:
    said = getattr(mart(raw(200, '{"success":true}')), read)()
    assert said == NoAnswer("unclear", "http_200_success_without_data")


@pytest.mark.parametrize(
    ("cedis", "pesewas"),
    [
        (812.4, 81240),
        (10, 1000),
        (0, 0),
        (4990.000000000001, 499000),
        ("12.50", 1250),
        (0.1 + 0.2, 30),
    ],
)
def test_balance(cedis: Any, pesewas: int) -> None:
    assert mart(ok({"balance": cedis, "currency": "GHS"})).balance() == Balance(pesewas)


@pytest.mark.parametrize("cedis", [None, "", "much", "1,234", True, [], {}, 1e300])
def test_balance_that_is_no_amount_is_never_zero(cedis: Any) -> None:
    said = mart(ok({"balance": cedis})).balance()
    assert isinstance(said, NoAnswer)
    assert said.kind == "broken"
    assert said.reason in (
        "no balance in it",
        f"the balance is no amount: “{str(cedis).replace('e+', 'E+')}”",
    )


def test_a_balance_in_another_currency_is_no_balance() -> None:
    said = mart(ok({"balance": 812.4, "currency": "USD"})).balance()
    assert said == NoAnswer("broken", "the balance is in another currency, “USD”")


@pytest.mark.parametrize(
    ("sent", "pesewas", "said"),
    [
        (b"808.3349999999999", 80833, "808.3349999999999"),
        (b"812.435", 81244, "812.435"),
        (b"-12.5", -1250, "-12.5"),
        (b'"1,234.50"', 123_450, "1234.50"),
    ],
)
def test_a_balance_keeps_every_digit_that_was_sent(
    sent: bytes, pesewas: int, said: str
) -> None:
    answer = mart(
        raw(200, '{"success":true,"data":{"balance":' + sent.decode() + "}}")
    ).balance()
    assert isinstance(answer, Balance)
    assert (answer.balance_pesewas, answer.said) == (pesewas, said)


# -- catalogue


def offers(*listed: Any) -> tuple[Any, str]:
    records: list[CallRecord] = []
    said = mart(ok({"products": list(listed), "total": len(listed)}), records).offers()
    assert isinstance(said, Listing)
    return said.offers, records[0].note


@pytest.mark.parametrize(
    ("name", "more", "network"),
    [
        ("YELLOW", {}, "mtn"),
        ("YELLO", {}, "mtn"),
        ("yellow", {}, "mtn"),
        ("TELECEL", {}, "telecel"),
        ("AT_PREMIUM", {}, "at"),
        ("AT", {}, "at"),
        ("YELLOW", {"network": "YELLO"}, "mtn"),
        ("MTN Special", {"network": "YELLO"}, "mtn"),
    ],
)
def test_offer(name: str, more: dict[str, str], network: Any) -> None:
    said, note = offers(product(name, "2GB", 9.2, **more))
    assert said == (Offer(f"{name}_2GB", name, "2GB", 2048, "30 days", 920, network),)
    assert note == ""


@pytest.mark.parametrize(
    ("capacity", "sent", "mb"),
    [
        ("1GB", "1GB", 1024),
        ("100GB", "100GB", 102400),
        ("500MB", "500MB", 500),
        ("1.5GB", "1.5GB", 1536),
        ("0.5gb", "0.5gb", 512),
        ("15 GB", "15 GB", 15360),  # a purchase says it just as the list does
        (" 2 GB ", " 2 GB ", 2048),
    ],
)
def test_capacity(capacity: str, sent: str, mb: int) -> None:
    said, _ = offers(product(capacity=capacity))
    assert [(offer.capacity, offer.mb) for offer in said] == [(sent, mb)]


BAD: dict[str, tuple[Any, str]] = {
    "not an object": ("YELLOW", "nameless: not an object"),
    "null": (None, "nameless: not an object"),
    "no code": (product(product_code=None), "YELLOW: no code or no name"),
    "no name": (
        product(name=None, product_code="YELLOW_2GB"),
        "YELLOW_2GB: no code or no name",
    ),
    "name is a list": (
        product(name=["YELLOW"], product_code="C"),
        "C: no code or no name",
    ),
    "network unknown": (product("BLUE"), "BLUE_2GB: unknown network 'BLUE'"),
    "network in two minds": (
        product(network="TELECEL"),
        "YELLOW_2GB: network 'TELECEL' of a product named 'YELLOW'",
    ),
    "no capacity": (product(capacity=None, product_code="C"), "C: unreadable capacity"),
    "capacity bare": (
        product(capacity="5", product_code="C"),
        "C: unreadable capacity",
    ),
    "capacity number": (
        product(capacity=5, product_code="C"),
        "C: unreadable capacity",
    ),
    "capacity zero": (product(capacity="0GB"), "YELLOW_0GB: unreadable capacity"),
    "capacity of a part of a MB": (
        product(capacity="0.0001GB"),
        "YELLOW_0.0001GB: unreadable capacity",
    ),
    "capacity unlimited": (
        product(capacity="Unlimited"),
        "YELLOW_Unlimited: unreadable capacity",
    ),
    "capacity absurd": (
        product(capacity="999999GB"),
        "YELLOW_999999GB: unreadable capacity",
    ),
    "no price": (product(price=None), "YELLOW_2GB: no price"),
    "price zero": (product(price=0), "YELLOW_2GB: no price"),
    "price negative": (product(price=-9.2), "YELLOW_2GB: no price"),
    "price text": (product(price="cheap"), "YELLOW_2GB: no price"),
    "price below a pesewa": (product(price=0.001), "YELLOW_2GB: no price"),
    "not active": (product(status="inactive"), "YELLOW_2GB: not active"),
}


@pytest.mark.parametrize(("bad", "why"), BAD.values(), ids=BAD)
def test_bad_product_is_left_out_and_named(bad: Any, why: str) -> None:
    said, note = offers(bad, product(capacity="5GB"))
    assert [offer.product_code for offer in said] == ["YELLOW_5GB"]
    assert note == f"product 0: {why}"


def test_products_a_purchase_could_not_tell_apart_are_not_sold() -> None:
    """AT is also found in AT_PREMIUM, and two of one name and size differ only in words a purchase
    cannot say."""
    said, note = offers(
        product("AT", "1GB"),
        product("AT_PREMIUM", "1GB"),
        product("AT", "2GB"),
        product("YELLOW", "1GB", product_code="DAILY"),
        product("YELLOW", "1024MB", product_code="MONTHLY"),
        product("TELECEL", "1GB", product_code="TWICE"),
        product("TELECEL", "2GB", product_code="TWICE"),
    )
    assert [offer.product_code for offer in said] == ["AT_PREMIUM_1GB", "AT_2GB"]
    assert all(code in note for code in ("AT_1GB", "DAILY", "MONTHLY", "TWICE"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"products": []}, "empty list is no information"),
        ({"products": None}, "no list of products"),
        ({"products": {"YELLOW": []}}, "no list of products"),
        ({}, "no list of products"),
    ],
)
def test_no_catalogue(data: Any, reason: str) -> None:
    assert mart(ok(data)).offers() == NoAnswer("broken", reason)


@pytest.mark.parametrize(
    ("left_out", "why"),
    [
        (
            product("MTN (Non-Expiry)", "3GB", network="YELLO"),
            "a name that no purchase can say 'MTN (Non-Expiry)'",
        ),
        (
            product("MTN 🔥", "3GB", network="YELLO"),
            "a name that no purchase can say 'MTN 🔥'",
        ),
        (
            product("MTN\tBig", "3GB", network="YELLO"),
            "a name that no purchase can say 'MTN\ufffdBig'",
        ),
        (product("M", "3GB", network="YELLO"), "a name that no purchase can say 'M'"),
        (product("YELLOW", "3\tGB"), "unreadable capacity"),
        (product("YELLOW", "3\u200bGB"), "unreadable capacity"),
        (product("YELLOW", "3GB", currency="NGN"), "another currency 'NGN'"),
        (product("YELLOW", "3GB", currency=7), "another currency '7'"),
        (product("MTN", "3GB"), "unknown network 'MTN'"),
        (product("Special", "3GB", network="Vodafone"), "unknown network 'Vodafone'"),
    ],
)
def test_what_no_purchase_could_say_or_pay_is_left_out_and_named(
    left_out: Any, why: str
) -> None:
    said = mart(
        ok({"products": [left_out | {"product_code": "BAD"}, product()]})
    ).offers()
    assert isinstance(said, Listing)
    assert [offer.product_code for offer in said.offers] == ["YELLOW_2GB"]
    assert said.left_out == (LeftOut("BAD", why),)


@pytest.mark.parametrize("currency", ["GHS", "ghs", " GHS ", "GH₵", "", None])
def test_cedis_in_any_spelling_are_cedis(currency: Any) -> None:
    assert len(offers(product(currency=currency))[0]) == 1


def test_a_currency_of_the_whole_list_holds_for_products_that_name_none() -> None:
    said = mart(
        ok(
            {
                "products": [product(currency=None), product(capacity="5GB")],
                "currency": "USD",
            }
        )
    ).offers()
    assert isinstance(said, Listing)
    assert [offer.product_code for offer in said.offers] == ["YELLOW_5GB"]


def test_what_cannot_be_named_still_stands_in_the_way_of_what_a_purchase_would_find_there() -> (
    None
):
    said = mart(
        ok(
            {
                "products": [
                    product("YELLOW", "3GB"),
                    product("YELLOW (Night)", "3GB", network="YELLO"),
                ]
            }
        )
    ).offers()
    assert isinstance(said, Listing)
    assert said.offers == ()
    assert len(said.left_out) == 2


def test_a_list_of_which_nothing_can_be_sold_names_everything() -> None:
    said = mart(ok({"products": [1, product("MTN")]})).offers()
    assert said == Listing(
        (),
        (
            LeftOut("nameless", "not an object"),
            LeftOut("MTN_2GB", "unknown network 'MTN'"),
        ),
    )


def test_an_inactive_product_is_not_sold_and_not_missed() -> None:
    said = mart(
        ok({"products": [product(status="inactive"), product(capacity="5GB")]})
    ).offers()
    assert isinstance(said, Listing)
    assert (len(said.offers), said.left_out) == (1, ())


# -- sizes

LINE = {
    "capacity": "2GB",
    "products": [{"name": "YELLOW", "validity": "30 days", "price": 9.2}],
}


def test_capacities() -> None:
    said = mart(
        ok({"capacities": [LINE], "total": 1, "price_tier": "dealer"})
    ).capacities()
    assert said == (CapacityLine("2GB", (("YELLOW", "30 days", 920),)),)


def test_capacities_leave_out_what_is_malformed() -> None:
    records: list[CallRecord] = []
    bad: list[Any] = [
        7,
        {},
        {"capacity": "5"},
        LINE | {"products": None},
        LINE | {"products": [{"name": "YELLOW"}]},
    ]
    said = mart(ok({"capacities": [*bad, LINE]}), records).capacities()
    assert said == (CapacityLine("2GB", (("YELLOW", "30 days", 920),)),)
    assert records[0].note.count("malformed") == len(bad)


def test_capacities_gone_are_derived_from_products() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/capacities"):
            return refusal(404, "ENDPOINT_NOT_FOUND")
        listed = [
            product(capacity="5GB", price=20),
            product(capacity="500MB", price=3),
            product("TELECEL", "5GB", 21),
        ]
        return ok({"products": listed})

    records: list[CallRecord] = []
    assert mart(answer, records).capacities() == (
        CapacityLine("500MB", (("YELLOW", "30 days", 300),)),
        CapacityLine(
            "5GB", (("YELLOW", "30 days", 2000), ("TELECEL", "30 days", 2100))
        ),
    )
    assert [(kept.endpoint, kept.http_status, kept.outcome) for kept in records] == [
        ("capacities", 404, "no_answer"),
        ("products", 200, "ok"),
    ]


def test_capacities_gone_and_products_broken() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        gone = request.url.path.endswith("/capacities")
        return (
            refusal(404, "ENDPOINT_NOT_FOUND")
            if gone
            else refusal(500, "PRODUCT_ERROR")
        )

    assert mart(answer).capacities() == NoAnswer("broken", "http_500_PRODUCT_ERROR")


@pytest.mark.parametrize(
    "data", [{"capacities": []}, {"capacities": None}, {"capacities": [7]}, {}]
)
def test_no_capacities(data: Any) -> None:
    said = mart(ok(data)).capacities()
    assert isinstance(said, NoAnswer) and said.kind == "broken"


# -- account

ACCOUNT: dict[str, Any] = {
    "account": {
        "name": "Sandbox Shop",
        "email": "shop@example.test",
        "phone": "0240000001",
        "role": "dealer",
        "status": "active",
    },
    "wallet": {"balance": 812.4, "currency": "GHS"},
    "api": {
        "requestCount": 41,
        "rateLimit": 100,
        "webhookUrl": "http://x.test/w",
        "webhookSignatureEnabled": True,
    },
    "supported_networks": ["YELLO"],
}


def test_account() -> None:
    full = Account(
        "Sandbox Shop",
        "dealer",
        "active",
        81240,
        41,
        "http://x.test/w",
        True,
        ("YELLO",),
    )
    assert mart(ok(ACCOUNT)).account() == full


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"account": None, "wallet": [], "api": "x", "supported_networks": {}},
        {
            "account": {"name": None, "role": []},
            "wallet": {"balance": "?"},
            "api": {"requestCount": -1},
        },
        {"api": {"requestCount": 10**30, "webhookSignatureEnabled": "yes"}},
    ],
)
def test_account_without_its_members(data: Any) -> None:
    assert mart(ok(data)).account() == Account("", "", "", None, None, "", None)


def test_statistics() -> None:
    data = {
        "period": "7days",
        "statistics": {"transactions": {"successful": 31, "total_amount": 402}},
    }
    assert mart(ok(data)).statistics() == data


@pytest.mark.parametrize(
    ("period", "query"), [("30days", b"period=30days"), ("a&b=c", b"period=a%26b%3Dc")]
)
def test_statistics_period(period: str, query: bytes) -> None:
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.query)
        return refusal(500, "STATISTICS_ERROR")

    assert mart(answer).statistics(period) == NoAnswer(
        "broken", "http_500_STATISTICS_ERROR"
    )
    assert seen == [query]


# -- webhook address


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            ok(
                {
                    "webhook_url": "u",
                    "test_status": "successful",
                    "signature_enabled": True,
                }
            ),
            True,
        ),
        (
            ok(
                {
                    "webhook_url": "u",
                    "test_status": "failed",
                    "test_error": "x",
                    "note": "y",
                }
            ),
            False,
        ),
        (ok({"webhook_url": "u"}), False),
        (
            refusal(400, "INVALID_URL", provided="u"),
            NoAnswer("broken", "http_400_INVALID_URL"),
        ),
        (
            refusal(400, "MISSING_WEBHOOK_URL"),
            NoAnswer("broken", "http_400_MISSING_WEBHOOK_URL"),
        ),
        (refusal(500, "WEBHOOK_ERROR"), NoAnswer("broken", "http_500_WEBHOOK_ERROR")),
        (raw(429), NoAnswer("rate_limited", "http_429", 60.0)),
        (httpx.ReadError("x"), NoAnswer("unreachable", "read_error")),
    ],
)
def test_set_webhook(answer: Any, said: Any) -> None:
    seen: list[httpx.Request] = []

    def answers(request: httpx.Request) -> Any:
        seen.append(request)
        return answer

    assert mart(answers).set_webhook("http://127.0.0.1:8000/datamart/t") == said
    assert (seen[0].method, seen[0].url.path) == ("PUT", "/api/v1/webhook")
    assert seen[0].content == b'{"webhook_url":"http://127.0.0.1:8000/datamart/t"}'


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ok({"webhook_url": "u", "signature_enabled": True, "note": "n"}), True),
        (refusal(400, "NO_WEBHOOK"), False),
        (refusal(500, "NO_WEBHOOK"), NoAnswer("broken", "http_500_NO_WEBHOOK")),
    ],
)
def test_test_webhook(answer: httpx.Response, said: Any) -> None:
    assert mart(answer).test_webhook() == said
