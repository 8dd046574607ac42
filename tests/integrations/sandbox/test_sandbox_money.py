"""Status moves and their money, the charge file, and the timer."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sandbox_kit import SECOND, Reseller, balance_pesewas, lines

from integrations.sandbox import app, charges
from integrations.sandbox.store import SECOND_ID, Store

REF = "MK-0000000001"

# Moves in order, each with its refund field; then the wallet's changes after the charge, and the
# final word.
MOVES = [
    ([("sent", ""), ("successful", "")], [], "successful"),
    ([("failed", "")], [], "failed"),
    ([("failed", "1")], [900], "failed"),
    ([("failed", "0")], [], "failed"),
    ([("successful", ""), ("failed", "")], [900], "failed"),
    ([("successful", ""), ("failed", "0")], [], "failed"),
    ([("failed", "1"), ("pending", "")], [900, -900], "pending"),
    ([("failed", "1"), ("sent", ""), ("successful", "")], [900, -900], "successful"),
    ([("failed", "0"), ("pending", "")], [], "pending"),
    ([("failed", "1"), ("failed", "1")], [900], "failed"),
    ([("reversed", "")], [900], "reversed"),
    ([("failed", "1"), ("reversed", "1")], [900], "reversed"),
    ([("failed", "0"), ("reversed", "")], [900], "reversed"),
    ([("sent", ""), ("sent", "")], [], "sent"),
]


@pytest.mark.parametrize("moves, expected, word", MOVES)
def test_each_move_has_its_money(ama, moves, expected, word):
    ama.buy()
    for status, refund in moves:
        assert ama.press(REF, status=status, refund=refund).status_code == 200
    assert ama.status() == word
    assert [line["amount_pesewas"] for line in lines(ama.supplier)[2:]] == expected
    assert balance_pesewas(ama.supplier) == 500_000 - 900 + sum(expected)


def test_the_published_supplier_charges_again_blindly(make):
    supplier = make("published")
    ama = Reseller(supplier)
    ama.buy()
    ama.press(REF, status="failed", refund="0")
    assert ama.press(REF, status="pending").json["charged_pesewas"] == 900
    assert balance_pesewas(supplier) == 500_000 - 1_800
    assert [line["cause"] for line in lines(supplier, "charge")] == [
        "purchase",
        "requeue",
    ]


def test_a_revived_order_needs_money(make):
    ama = Reseller(make(wallet_pesewas=900))
    ama.buy("MK-1")
    ama.press("MK-1", status="failed", refund="1")
    ama.buy("MK-2")
    assert ama.press("MK-1", status="pending").status_code == 409
    assert ama.status("MK-1") == "failed" and balance_pesewas(ama.supplier) == 0


def test_times_and_reasons_follow_the_status(make):
    ama = Reseller(make(failure_reason_lingers=False))
    lingering = Reseller(make(failure_reason_lingers=True))
    for shop in (ama, lingering):
        shop.buy()
        shop.press(REF, status="failed", refund="1")
        shop.press(REF, status="sent")
    assert "failure_reason" not in ama.look_up().json["data"]
    assert "failure_reason" in lingering.look_up().json["data"]
    ama.press(REF, status="successful")
    assert "completed_at" in ama.look_up().json["data"]


@pytest.mark.slow(seconds=0.4)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.sampled_from(["buy", "sent", "successful", "failed", "pending",
"reversed", "topup", "bulk"]),
                          st.integers(0, 4), st.sampled_from(["", "0", "1"])),
                          max_size=25))  # fmt: skip
def test_wallet_is_the_sum_of_its_lines(tmp_path_factory, acts):
    path = tmp_path_factory.mktemp("books") / "s.db"
    supplier = app.create_sandbox(
        Store(path, wallet_pesewas=3_000),
        rate_limit=1_000_000,
        requeue_charges="always",
    )
    ama = Reseller(supplier)
    for act, number, refund in acts:
        if act == "buy":
            ama.buy(f"MK-{number}")
        elif act == "bulk":
            orders = [
                {
                    "capacity": "1GB",
                    "product_name": "YELLOW",
                    "beneficiary_number": "0241234567",
                }
            ] * (number + 1)
            ama.send("POST", "/v1/purchase/bulk", {"orders": orders})
        elif act == "topup":
            ama.client.post("/sandbox/wallet/topup", data={"amount": str(number - 1)})
        else:
            ama.press(f"MK-{number}", status=act, refund=refund)
    written = lines(supplier)
    assert [line["kind"] for line in written[:1]] == ["opening"]
    assert (
        sum(line["amount_pesewas"] for line in written)
        == balance_pesewas(supplier)
        >= 0
    )
    running = 0
    for line in written:
        running += line["amount_pesewas"]
        assert line["balance_pesewas"] == running
    supplier.close()


def test_every_line_names_what_a_script_needs(ama):
    ama.buy()
    line = lines(ama.supplier)[-1]
    assert set(line) == {
        "seq",
        "at",
        "kind",
        "cause",
        "reference",
        "amount_pesewas",
        "balance_pesewas",
        "account",
    }
    assert (line["kind"], line["cause"], line["reference"], line["account"]) == (
        "charge",
        "purchase",
        REF,
        "first",
    )


def test_the_second_wallet_is_apart(supplier):
    Reseller(supplier, dict(SECOND)).buy()
    assert balance_pesewas(supplier) == 500_000
    assert supplier.sandbox.store.account(SECOND_ID).balance_pesewas == 500_000 - 920
    assert len(lines(supplier, "charge")) == 0


def test_a_restart_keeps_everything_and_opens_nothing_twice(tmp_path):
    path = tmp_path / "s.db"
    first = app.create_sandbox(path)
    Reseller(first).buy()
    first.close()
    again = app.create_sandbox(Store(path, wallet_pesewas=1))
    assert Reseller(again).status() == "pending" and balance_pesewas(again) == 499_100
    assert [line["kind"] for line in lines(again)] == ["opening", "charge"]
    again.close()


def test_a_charge_the_crash_kept_out_of_the_file_is_written_on_the_next_start(tmp_path):
    # Killed between the commit and the file: half of the last line, and one line missing.
    path = tmp_path / "s.db"
    first = app.create_sandbox(path)
    Reseller(first).buy("MK-1")
    Reseller(first).buy("MK-2")
    file = first.sandbox.store.charge_file.path
    first.close()
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.rindex(b'{"seq":3') + 9])
    assert len(charges.read(file)) == 2
    app.create_sandbox(path).close()
    assert file.read_bytes() == whole


def test_new_keys_take_the_place_of_old_ones(tmp_path):
    path = tmp_path / "s.db"
    app.create_sandbox(Store(path, api_key="pk_old", api_secret="sk_old")).close()
    supplier = app.create_sandbox(Store(path, api_key="pk_new", api_secret="sk_new"))
    assert (
        Reseller(supplier, {"X-API-Key": "pk_old", "X-API-Secret": "sk_old"})
        .get("/v1/balance")
        .status_code
        == 401
    )
    assert (
        Reseller(supplier, {"X-API-Key": "pk_new", "X-API-Secret": "sk_new"})
        .get("/v1/balance")
        .status_code
        == 200
    )
    supplier.close()


# The timer


def test_the_timer_sends_after_half_and_finishes_after_the_whole_time(make):
    supplier = make(auto_fulfil=100, time_scale=2)
    ama = Reseller(supplier)
    ama.buy()
    seen = [ama.status()]
    for seconds in (24, 2, 24, 2):
        ama.door("/clock", {"seconds": seconds})
        seen.append(ama.status())
    assert seen == ["pending", "pending", "sent", "sent", "successful"]


def test_the_timer_may_fail_orders_and_then_refunds(make):
    supplier = make(auto_fulfil=10, auto_success_rate=0)
    ama = Reseller(supplier)
    ama.buy()
    ama.door("/clock", {"seconds": 6})
    ama.door("/clock", {"seconds": 6})
    assert ama.status() == "failed" and balance_pesewas(supplier) == 500_000
    assert lines(supplier)[-1]["cause"] == "timer"


def test_without_the_timer_orders_wait_for_a_person(ama):
    ama.buy()
    assert ama.door("/clock", {"seconds": 100_000})["orders_moved"] == 0
    assert ama.status() == "pending"


def test_state_is_json_all_the_way(ama):
    ama.buy()
    state = ama.door("/state")
    assert json.loads(json.dumps(state)) == state
    assert (
        state["orders"][0]["reference"] == REF
        and state["charges"] == {REF: 1}
        and state["orders_total"] == 1
    )
