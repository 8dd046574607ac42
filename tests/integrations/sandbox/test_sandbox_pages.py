"""The supplier's own page and the admin API: what people and tests may do there, and who may
not."""

from __future__ import annotations

import html
import json
import re

import html5lib
import pytest
from sandbox_kit import Reseller, balance_pesewas, error_code

from integrations.sandbox import faults, profiles

REF = "MK-0000000001"
HTML = {"Accept": "text/html"}


def page(reseller: Reseller, path: str = "/sandbox"):
    reply = reseller.client.get(path, headers=HTML)
    assert reply.status_code == 200
    # Strict: a page that is not well formed is an exception here.
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(
        reply.text
    )
    return reply, tree


def buttons(article) -> dict[str, tuple[str, str]]:
    form = article.find("form")
    return {
        "".join(button.itertext()): (
            button.get("formaction") or form.get("action"),
            button.get("value"),
        )
        for button in form.iter("button")
    }


@pytest.mark.parametrize("path", ["/", "/sandbox"])
def test_the_page_lists_orders_newest_first_with_their_buttons(ama, path):
    ama.buy("MK-0000000001")
    ama.buy("MK-0000000002", beneficiary_number="0551234567")
    reply, tree = page(ama, path)
    articles = list(tree.iter("article"))
    assert [article.get("data-reference") for article in articles] == [
        "MK-0000000002",
        "MK-0000000001",
    ]
    assert "000002" in "".join(articles[0].itertext()) and "0551234567" in "".join(
        articles[0].itertext()
    )
    assert list(buttons(articles[0])) == [
        "Sent", "Successful", "Failed, refund", "Failed, no refund", "Re-queue", "Reversed",
    ]  # fmt: skip
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert list(tree.iter("script")) == []


@pytest.mark.parametrize(
    "label, status, refunded",
    [
        ("Sent", "sent", 0),
        ("Successful", "successful", 0),
        ("Failed, refund", "failed", 900),
        ("Failed, no refund", "failed", 0),
        ("Reversed", "reversed", 900),
    ],
)
def test_each_button_does_what_it_says(ama, label, status, refunded):
    ama.buy()
    _, tree = page(ama)
    action, value = buttons(next(tree.iter("article")))[label]
    reply = ama.client.post(action, data={"status": value}, headers=HTML)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/sandbox")
    assert (
        ama.status() == status and balance_pesewas(ama.supplier) == 499_100 + refunded
    )
    _, tree = page(ama)
    said = next(node for node in tree.iter("p") if node.get("role") == "status")
    assert "000001" in "".join(said.itertext())


def test_names_from_outside_are_text_on_the_page(ama):
    ama.buy('"><script>alert(1)</script>')
    _, tree = page(ama)
    assert list(tree.iter("script")) == []
    article = next(tree.iter("article"))
    assert article.get("data-reference") == '"><script>alert(1)</script>'
    action, _ = buttons(article)["Sent"]
    assert ama.client.post(action, data={"status": "sent"}).status_code == 303


@pytest.mark.parametrize(
    "reference, form, status",
    [
        ("NONE", {"status": "sent"}, 404),
        (REF, {}, 400),
        (REF, {"status": "SENT!"}, 400),
        (REF, {"status": "sent", "refund": "yes"}, 400),
    ],
)
def test_wrong_presses_are_refused_in_words(ama, reference, form, status):
    ama.buy()
    reply = ama.client.post(
        f"/sandbox/orders/{reference}/status", data=form, headers=HTML
    )
    assert reply.status_code == status and 'role="alert"' in reply.text
    assert ama.status() == "pending"


def test_buttons_take_json_too(ama):
    ama.buy()
    reply = ama.client.post(
        f"/sandbox/orders/{REF}/status",
        json={"status": "failed", "refund": True},
        headers={"Accept": "application/json"},
    )
    assert (
        reply.json["refunded_pesewas"] == 900 and reply.json["new_status"] == "failed"
    )


def test_an_order_answers_to_its_transaction_id(ama):
    transaction_id = ama.buy().json["data"]["transaction_id"]
    assert ama.press(transaction_id, status="sent").status_code == 200
    assert ama.status() == "sent"


def test_the_export_marks_the_oldest_forty(make):
    ama = Reseller(make(rate_limit=1000))
    for number in range(42):
        ama.buy(f"MK-{number:02d}", capacity="1GB")
    assert ama.client.post("/sandbox/orders/export").status_code == 303
    state = {
        order["reference"]: order["status"] for order in ama.door("/state")["orders"]
    }
    assert [reference for reference, word in state.items() if word == "pending"] == [
        "MK-41",
        "MK-40",
    ]


def test_long_lists_have_pages(make):
    ama = Reseller(make(rate_limit=1000))
    for number in range(31):
        ama.buy(f"MK-{number:02d}", capacity="1GB")
    _, first = page(ama)
    _, second = page(ama, "/sandbox?page=2")
    assert len(list(first.iter("article"))) == 30
    assert [article.get("data-reference") for article in second.iter("article")] == [
        "MK-00"
    ]


@pytest.mark.parametrize(
    "amount, status, balance",
    [
        ("12.50", 303, 501_250),
        ("-5000", 303, 0),
        ("-5000.01", 409, 500_000),
        ("0", 400, 500_000),
        ("", 400, 500_000),
        ("1.005", 400, 500_000),
        ("nan", 400, 500_000),
        ("1e99", 400, 500_000),
    ],
)
def test_topping_up(ama, amount, status, balance):
    assert (
        ama.client.post("/sandbox/wallet/topup", data={"amount": amount}).status_code
        == status
    )
    assert balance_pesewas(ama.supplier) == balance


def test_a_price_changes_for_the_next_purchase(ama):
    assert (
        ama.client.post(
            "/sandbox/products/YELLOW_2GB/price", data={"price": "11.35"}
        ).status_code
        == 303
    )
    assert ama.buy().json["data"]["amount"] == 11.35
    assert (
        ama.client.post(
            "/sandbox/products/YELLOW_2GB/price", data={"price": ""}
        ).status_code
        == 303
    )
    assert error_code(ama.buy("MK-2")) == "PRICING_UNAVAILABLE"
    assert (
        ama.client.post("/sandbox/products/NONE/price", data={"price": "1"}).status_code
        == 404
    )
    assert (
        ama.client.post(
            "/sandbox/products/YELLOW_1GB/price", data={"price": "-1"}
        ).status_code
        == 400
    )


# Who may come in


@pytest.mark.parametrize(
    "headers, allowed",
    [
        ({}, True),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "http://evil.test"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "https://localhost"}, False),
        ({"Origin": "http://localhost:81"}, False),
        ({"Host": "evil.test", "Origin": "http://evil.test"}, False),
        ({"Host": "127.0.0.1:9100", "Origin": "http://127.0.0.1:9100"}, True),
        ({"Host": "supplier.localhost"}, True),
    ],
)
@pytest.mark.parametrize(
    "path", ["/sandbox/orders/MK-0000000001/status", "/sandbox/knobs"]
)
def test_pages_of_other_sites_may_not_post(ama, path, headers, allowed):
    ama.buy()
    options = {"data": {"status": "sent"}} if path.endswith("status") else {"json": {}}
    reply = ama.client.post(path, headers=headers, **options)
    assert (reply.status_code in (200, 303)) is allowed
    assert (reply.status_code == 403) is not allowed
    if not allowed:
        assert ama.status() == "pending"


@pytest.mark.parametrize("path", ["/sandbox", "/sandbox/state", "/"])
def test_other_names_for_this_machine_see_nothing(ama, path):
    assert (
        ama.client.get(path, headers={"Host": "evil.test", **HTML}).status_code == 403
    )


def test_odd_paths_and_methods_are_answered(ama):
    assert ama.client.get("/sandbox/nothing").status_code == 404
    assert ama.client.get("/sandbox/wallet/topup").status_code == 405
    assert (
        ama.client.get("/sandbox/style.css").content_type == "text/css; charset=utf-8"
    )


# Knobs


def test_knobs_turn_while_it_runs(ama):
    assert (
        ama.door("/knobs", {"statistics": "broken", "dedupe": "off", "rate_limit": 5})[
            "knobs"
        ]["dedupe"]
        is False
    )
    reply = ama.get("/v1/statistics")
    assert reply.status_code == 500 and reply.headers["X-RateLimit-Limit"] == "5"
    assert ama.door("/knobs")["knobs"]["statistics"] == "broken"


def test_a_profile_resets_the_other_knobs(ama):
    ama.door("/knobs", {"latency_s": 0.001})
    knobs = ama.door("/knobs", {"profile": "published", "dedupe": False})["knobs"]
    assert knobs == profiles.as_dict(profiles.preset("published", dedupe=False))
    assert knobs["latency_s"] == 0 and knobs["signature_key"] == "bcrypt_hash"


@pytest.mark.parametrize(
    "changes",
    [
        {"nothing": 1},
        {"profile": "live"},
        {"statistics": "maybe"},
        {"dedupe": "perhaps"},
        {"rate_limit": "many"},
        {"rate_limit": 0},
        {"rate_limit": -1},
        {"latency_s": float("inf")},
        {"latency_s": True},
        {"omit": [1]},
        {"rate_limit": 5, "dedupe": "perhaps"},
        [],
    ],
)
def test_a_wrong_knob_turns_none(ama, changes):
    before = ama.door("/knobs")
    reply = ama.client.post("/sandbox/knobs", json=changes)
    assert reply.status_code == 400 and reply.json["error"]
    assert ama.door("/knobs") == before


@pytest.mark.parametrize(
    "path, body",
    [("/clock", {"seconds": -1}), ("/clock", {}), ("/clock", {"seconds": True})],
)
def test_the_clock_only_goes_forward(ama, path, body):
    assert ama.client.post(f"/sandbox{path}", json=body).status_code == 400


def test_what_is_no_json_is_refused(ama):
    assert ama.client.post("/sandbox/faults", data=b"{").status_code == 400


def test_a_plan_of_faults_is_played_by_hand_from_the_page(ama):
    plan = (
        '[{"fault": "edited_list", "endpoint": "products", "times": null, "rows": [{"product_code":'
        ' "YELLOW_1GB", "capacity": "1 GB"}, {"product_code": "YELLOW_2GB", "drop": true}]},'
        ' {"fault": "other_amount", "endpoint": "buying", "cedis": 5.05}]'
    )
    assert (
        ama.client.post("/sandbox/plan", data={"plan": plan}, headers=HTML).status_code
        == 303
    )
    listed = {
        row["product_code"]: row
        for row in ama.get("/v1/products").json["data"]["products"]
    }
    assert (listed["YELLOW_1GB"]["capacity"], "YELLOW_2GB" in listed) == ("1 GB", False)
    bought = ama.buy(capacity="1 GB")
    assert (bought.status_code, bought.json["data"]["amount"]) == (201, 5.05)
    assert error_code(ama.buy("MK-0000000002")) == "PRODUCT_NOT_FOUND"
    assert "other_amount" in page(ama)[0].text
    assert (
        ama.client.post("/sandbox/plan", data={"plan": ""}, headers=HTML).status_code
        == 303
    )
    assert ama.buy("MK-0000000003").status_code == 201


@pytest.mark.parametrize(
    "plan",
    [
        '{"fault"',
        '[{"fault": "edited_list"}]',
        '[{"fault": "other_amount"}]',
        '[{"fault": "edited_list", "rows": [1]}]',
    ],
)
def test_a_plan_that_cannot_be_played_is_said_and_kept(ama, plan):
    reply = ama.client.post("/sandbox/plan", data={"plan": plan}, headers=HTML)
    assert reply.status_code == 400
    assert "cannot be played" in reply.text and plan.split('"')[1] in reply.text


def test_a_shown_plan_pressed_again_means_the_same(ama):
    plan = (
        '[{"fault": "edited_answer", "endpoint": "balance", "times": null, "members": {"balance":'
        " -12.5}}]"
    )
    for _ in range(2):
        assert (
            ama.client.post(
                "/sandbox/plan", data={"plan": plan}, headers=HTML
            ).status_code
            == 303
        )
        assert [ama.get("/v1/balance").json["data"]["balance"] for _ in range(2)] == [
            -12.5,
            -12.5,
        ]
        plan = html.unescape(
            re.search(r'<textarea id="plan"[^>]*>([^<]*)<', page(ama)[0].text)[1]
        )


def test_every_fault_and_knob_is_named_on_the_page_and_knobs_are_turned_there(ama):
    shown = page(ama)[0].text
    assert all(
        name in shown
        for name in (*faults.FAULTS, *profiles.as_dict(ama.supplier.sandbox.knobs))
    )
    knobs = html.unescape(
        re.search(r'<textarea id="knobs"[^>]*>([^<]*)<', shown)[1]
    ).replace('"on"', '"gone"', 1)
    assert '"gone"' in knobs
    assert (
        ama.client.post(
            "/sandbox/turn", data={"knobs": knobs}, headers=HTML
        ).status_code
        == 303
    )
    assert '"gone"' in json.dumps(profiles.as_dict(ama.supplier.sandbox.knobs))
    for wrong in ("[", "[]", '{"flood": 1}'):
        reply = ama.client.post("/sandbox/turn", data={"knobs": wrong}, headers=HTML)
        assert reply.status_code == 400 and "cannot be turned" in reply.text


def test_what_is_held_is_let_go_from_the_page(ama):
    assert ama.client.post("/sandbox/held/let-go", headers=HTML).status_code == 303
    assert "Let 0 held requests go on." in page(ama)[0].text
