"""Several purchases in one call: when, for whom, and that each line stays an order of its own
whatever the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
import tables_owner
from desk import Desk
from seed import FLOAT_PESEWAS, WALLET_PESEWAS
from sqlalchemy import select

from core import catalog, leases, orders, outbox
from core.audit import SYSTEM
from core.base import clock, config, tenancy
from core.base.db import db, transaction
from core.orders import Order
from core.supplier import records, supply
from integrations.ports import BulkResult, PurchaseRequest
from integrations.sandbox import charges
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.3)

AGENT = 470
COST = 460


@pytest.fixture(autouse=True)
def auto(app: object, using: Using) -> None:
    using(bulk="auto")


@pytest.fixture
def envelopes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The references of every envelope that went out."""
    return watched(desk, monkeypatch)


def watched(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    sent: list[list[str]] = []
    real = desk.client.submit_bulk

    def submit_bulk(requests: Sequence[PurchaseRequest], bulk_ref: str) -> BulkResult:
        sent.append([request.order_ref for request in requests])
        return real(requests, bulk_ref)

    monkeypatch.setattr(desk.client, "submit_bulk", submit_bulk)
    return sent


def scarce(calls: int) -> None:
    """Leave so many calls in this window."""
    with tenancy.across_stores(), transaction():
        used = config.current().rate_calls - calls
        supply.locked_state().purchase_calls = [clock.now()] * used


def released(desk: Desk, count: int) -> list[Order]:
    """Orders of both stores by turns, the oldest first."""
    return [desk.release(("ama", "kofi")[number % 2]) for number in range(count)]


def states(desk: Desk, made: Sequence[Order]) -> list[str]:
    return [desk.read(order).state for order in made]


def work_one(desk: Desk, order: Order) -> None:
    """Let one worker take this order's row, and nobody another."""
    from fulfilment import jobs

    with tenancy.across_stores():
        row = outbox.of_order(order.id)
        assert row is not None
        leased = leases.lease_due(1, only=[row.id])
    for lease in leased:
        jobs.run(*lease)


def test_ten_orders_of_two_stores_go_in_one_call_when_calls_are_scarce(
    desk: Desk, envelopes: list[list[str]]
) -> None:
    made = released(desk, 12)
    scarce(5)
    work_one(desk, made[0])
    assert envelopes == [[order.order_ref for order in made[:10]]]
    assert states(desk, made) == ["processing"] * 10 + ["queued"] * 2
    assert sorted(desk.charges()) == sorted(order.order_ref for order in made[:10])
    assert desk.books()["in_flight"] == 10 * COST
    assert desk.wallet("kofi") == (WALLET_PESEWAS - 6 * AGENT, 6 * AGENT)


def test_every_line_has_its_own_attempt_lease_and_moment_of_the_next_check(
    desk: Desk, envelopes: list[list[str]]
) -> None:
    made = released(desk, 10)
    scarce(5)
    work_one(desk, made[0])
    for order in map(desk.read, made):
        assert (order.attempt, order.state) == (1, "processing")
        assert order.lease_until is not None and order.claimed_at is not None
    assert desk.work() == 0, (
        "a row of the envelope is due at once, which would waste the call it saved"
    )
    desk.jump(config.current().processing_ladder_s[0] * 1.2)
    scarce(50)
    assert desk.work() == 10


def test_the_call_is_logged_once_before_it_goes_out_and_names_every_line(
    desk: Desk, envelopes: list[list[str]]
) -> None:
    made = released(desk, 10)
    scarce(5)
    work_one(desk, made[0])
    lines = records.calls(endpoint="bulk")
    assert len(lines) == 1 and lines[0].answered_at is not None
    assert lines[0].order_refs == [order.order_ref for order in made]
    assert records.calls(search=made[7].order_ref)[0].id == lines[0].id


@pytest.mark.parametrize(
    ("count", "calls", "why"),
    [
        (9, 5, "nine are too few"),
        (12, 20, "there are calls enough"),
        (12, 13, "there is just a call for each, and one for the balance"),
    ],
)
def test_orders_go_one_by_one(
    desk: Desk, envelopes: list[list[str]], count: int, calls: int, why: str
) -> None:
    made = released(desk, count)
    scarce(calls)
    work_one(desk, made[0])
    assert envelopes == [], why
    assert states(desk, made) == ["processing"] + ["queued"] * (count - 1)


def test_it_is_off_unless_it_is_switched_on(
    desk: Desk, envelopes: list[list[str]], using: Using
) -> None:
    using(bulk="off")
    made = released(desk, 12)
    scarce(5)
    work_one(desk, made[0])
    assert envelopes == []


def test_an_order_that_was_ever_unclear_goes_alone(
    desk: Desk, envelopes: list[list[str]]
) -> None:
    made = released(desk, 13)
    ids = [made[3].id, made[4].id]
    tables_owner.execute(
        "UPDATE orders SET ever_unknown = true, attempt = 1 WHERE id = ANY(:ids)",
        ids=ids,
    )
    scarce(5)
    work_one(desk, made[3])
    assert envelopes == []
    assert states(desk, made)[3] == "processing"
    work_one(desk, made[0])
    assert made[4].order_ref not in envelopes[0] and len(envelopes[0]) == 10
    assert states(desk, made)[4] == "queued"


def test_orders_of_a_paused_network_are_left_out(
    desk: Desk, envelopes: list[list[str]]
) -> None:
    at = [desk.release(network="at") for _ in range(2)]
    made = released(desk, 10)
    catalog.pause_network("at", "backlog", SYSTEM)
    scarce(5)
    work_one(desk, made[0])
    assert not {order.order_ref for order in at} & set(envelopes[0])
    assert states(desk, at) == ["queued"] * 2


def test_no_more_lines_than_the_float_can_pay(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(wallet_pesewas=7 * COST + 10)
    sent = watched(desk, monkeypatch)
    with tenancy.across_stores():
        from fulfilment.buying import balance

        supply.take_call("other")
        balance.read(desk.client)
    made = released(desk, 12)
    scarce(5)
    work_one(desk, made[0])
    assert [len(envelope) for envelope in sent] == [7]
    assert states(desk, made) == ["processing"] * 7 + ["queued"] * 5


@pytest.mark.slow(seconds=0.7)
@pytest.mark.parametrize(
    "fault", ["reset_after", "http_500_after", "truncated_json", "html_502_after"]
)
def test_an_unclear_envelope_is_looked_up_line_by_line_and_never_sent_again(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    desk = make_desk(dedupe=False)
    sent = watched(desk, monkeypatch)
    made = released(desk, 10)
    desk.plan(fault, endpoint="bulk")
    scarce(5)
    work_one(desk, made[0])
    assert states(desk, made) == ["submitting"] * 10
    assert all(desk.read(order).unknown_since for order in made)
    with tenancy.across_stores():
        assert supply.state().unknown_streak == 1, (
            "one unclear call counts once, whatever its lines"
        )
    scarce(50)
    for order in made:
        desk.work_until(order, "processing")
    assert len(sent) == 1
    assert sorted(desk.charges()) == sorted(order.order_ref for order in made)


@pytest.mark.slow(seconds=2.6)
@pytest.mark.parametrize("fault", ["drop_before", "http_500_before"])
def test_an_envelope_that_bought_nothing_is_proven_absent_line_by_line_and_then_bought_one_by_one(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    desk = make_desk(dedupe=False)
    # Its window is real time, and hours of ours pass in seconds here: our own budget is what
    # limits.
    desk.sandbox.sandbox.knobs.rate_limit = 10_000
    sent = watched(desk, monkeypatch)
    made = released(desk, 10)
    desk.plan(fault, endpoint="bulk")
    scarce(5)
    work_one(desk, made[0])
    for order in made:
        order = desk.work_until(order, "processing", limit=200)
        assert order.resends == 1
    assert len(sent) == 1
    assert sorted(desk.charges()) == sorted(order.order_ref for order in made)


def test_one_bad_line_is_refused_alone_and_the_others_go_on(
    desk: Desk, envelopes: list[list[str]]
) -> None:
    made = released(desk, 11)
    tables_owner.execute(
        "UPDATE orders SET recipient_msisdn = '+233441234567' WHERE id = :id",
        id=made[4].id,
    )
    scarce(9)
    work_one(desk, made[0])
    assert states(desk, made) == ["queued"] * 4 + ["refunded"] + ["queued"] * 6
    assert desk.charges() == []
    work_one(desk, made[0])
    assert sorted(desk.charges()) == sorted(
        order.order_ref for order in made if order is not made[4]
    )


def test_a_line_whose_reference_is_taken_breaks_the_rest_and_each_is_settled_by_itself(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(
        "published",
        bulk="on",
        bulk_alias="on",
        products=("YELLOW", "TELECEL", "AT_PREMIUM"),
    )
    sent = watched(desk, monkeypatch)
    made = released(desk, 10)
    desk.client.submit(
        PurchaseRequest(
            made[3].order_ref,
            made[3].product_name,
            made[3].capacity,
            made[3].recipient_msisdn,
        )
    )
    scarce(5)
    work_one(desk, made[0])
    scarce(50)
    for order in made:
        desk.work_until(order, "processing", limit=200)
    assert len(sent) == 1
    assert sorted(desk.charges()) == sorted(order.order_ref for order in made)


def test_a_supplier_without_bulk_is_asked_once_at_each_path_and_then_served_one_by_one(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk("documented", bulk="gone", bulk_alias="gone")
    sent = watched(desk, monkeypatch)
    made = released(desk, 12)
    for calls in (6, 5):
        scarce(calls)
        work_one(desk, made[0])
    assert len(sent) == 2 and states(desk, made) == ["queued"] * 12
    with tenancy.across_stores():
        assert supply.state().unreachable_since is None
    scarce(4)
    work_one(desk, made[0])
    assert states(desk, made)[0] == "processing" and len(sent) == 2
    desk.jump(config.current().bulk_off_s + 1)
    scarce(4)
    work_one(desk, made[1])
    assert len(sent) == 3


def test_two_batches_of_a_window_cost_two_calls(
    desk: Desk, envelopes: list[list[str]]
) -> None:
    made = released(desk, 20)
    scarce(3)  # one of them reads the balance
    work_one(desk, made[0])
    work_one(desk, made[10])
    assert [len(envelope) for envelope in envelopes] == [10, 10]
    assert states(desk, made) == ["processing"] * 20


def test_a_line_cancelled_in_the_meantime_is_not_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from desk import AMA

    sent = watched(desk, monkeypatch)
    made = released(desk, 12)
    real = leases.take_rows

    def cancelled_now(order_ids: Sequence[int]) -> list[leases.Lease]:
        leased = real(order_ids)
        with tenancy.inside(made[2].store_id):
            orders.cancel(made[2].code, AMA)
        return leased

    monkeypatch.setattr(leases, "take_rows", cancelled_now)
    scarce(5)
    work_one(desk, made[0])
    assert made[2].order_ref not in sent[0] and len(sent[0]) == 9
    assert desk.read(made[2]).state == "cancelled"


def test_a_worker_stopped_in_the_call_leaves_every_line_unknown(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = released(desk, 10)

    def interrupted(_requests: object, _bulk_ref: str) -> BulkResult:
        raise KeyboardInterrupt

    monkeypatch.setattr(desk.client, "submit_bulk", interrupted)
    scarce(5)
    with pytest.raises(KeyboardInterrupt):
        work_one(desk, made[0])
    assert all(desk.read(order).unknown_since for order in made)


def test_an_envelope_held_up_over_its_lease_is_not_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = watched(desk, monkeypatch)
    made = released(desk, 10)
    real = orders.claim_together

    def frozen_after(order_ids: Sequence[int]) -> list[orders.Claim]:
        claims = real(order_ids)
        desk.jump(config.current().send_lease_s + 1)
        return claims

    monkeypatch.setattr(orders, "claim_together", frozen_after)
    scarce(5)
    work_one(desk, made[0])
    assert sent == [] and desk.charges() == []
    assert all(desk.read(order).unknown_since for order in made)


def test_no_reference_of_an_envelope_is_ever_used_again(desk: Desk) -> None:
    seen: list[str] = []
    for _ in range(2):
        made = released(desk, 10)
        scarce(5)
        work_one(desk, made[0])
    with tenancy.across_stores():
        rows = db.session.scalars(
            select(records.SupplierCall).where(records.SupplierCall.endpoint == "bulk")
        ).all()
    seen = [json.loads(row.request_body)["reference"] for row in rows]
    assert len(seen) == len(set(seen)) == 2


def test_the_money_of_an_envelope_is_what_the_supplier_took(
    desk: Desk, envelopes: list[list[str]]
) -> None:
    made = released(desk, 10)
    scarce(5)
    work_one(desk, made[0])
    paid = -sum(
        line["amount_pesewas"]
        for line in charges.read(desk.sandbox.sandbox.store.charge_file.path)
        if line["kind"] == "charge"
    )
    assert desk.books()["supplier_float"] == FLOAT_PESEWAS - paid
    for order in made:
        desk.settle(order, "successful")
    scarce(50)
    for order in made:
        desk.work_until(order, "completed")
    assert desk.books()["in_flight"] == 0
