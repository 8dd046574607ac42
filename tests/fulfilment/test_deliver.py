"""One purchase per order: every answer of the supplier against what we then do, judged by its own
charge file."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from desk import Desk
from seed import WALLET_PESEWAS

from core import leases, orders
from core.base import config, tenancy
from core.supplier import supply
from fulfilment.buying import purchase
from integrations.sandbox.store import STRANGER_REFERENCE
from tests.support.claims import claim_one
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.2)

COST, AGENT = 460, 470


def test_the_road_from_process_to_completed(desk: Desk) -> None:
    order = desk.release()
    assert desk.wallet() == (WALLET_PESEWAS - AGENT, AGENT)
    desk.work()
    order = desk.read(order)
    assert (order.state, order.supplier_status, order.charged_pesewas) == (
        "processing",
        "pending",
        COST,
    )
    assert desk.books()["in_flight"] == COST
    desk.settle(order, "successful")
    order = desk.work_until(order, "completed")
    assert desk.wallet() == (WALLET_PESEWAS - AGENT, 0)
    books = desk.books()
    assert (books["in_flight"], books["margin"], books["price_variance"]) == (
        0,
        AGENT - COST,
        0,
    )
    assert desk.charges() == [order.order_ref]
    assert desk.cases() == []


def test_a_job_delivered_five_times_buys_once(desk: Desk) -> None:
    order = desk.release()
    from fulfilment import jobs

    with tenancy.across_stores():
        leased = leases.lease_due(10)
    for _ in range(5):
        jobs.run(*leased[0])
    assert len(desk.charges(order)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        "drop_after",
        "reset_after",
        "http_500_after",
        "html_200_after",
        "html_502_after",
        "empty_503_after",
        "truncated_json",
    ],
)
def test_an_answer_lost_after_the_charge_is_found_by_look_up(
    make_desk: Callable[..., Desk], fault: str
) -> None:
    desk = make_desk(dedupe=False)
    desk.plan(fault, times=1)
    order = desk.release()
    desk.work()
    order = desk.read(order)
    assert order.state == "submitting"
    assert order.unknown_since is not None
    order = desk.work_until(order, "processing")
    assert len(desk.charges(order)) == 1
    assert order.attempt == 1


@pytest.mark.slow(seconds=0.5)
@pytest.mark.parametrize(
    "fault", ["drop_before", "reset_before", "html_502", "empty_503", "http_500_before"]
)
def test_a_request_lost_before_the_charge_is_sent_again_only_after_proof(
    make_desk: Callable[..., Desk], fault: str
) -> None:
    desk = make_desk(dedupe=False)
    desk.plan(fault, times=1)
    order = desk.release()
    desk.work()
    claimed = desk.read(order).claimed_at
    assert claimed is not None
    order = desk.work_until(order, "processing")
    assert len(desk.charges(order)) == 1
    assert (order.attempt, order.resends) == (2, 1)
    resent = order.claimed_at
    settings = config.current()
    assert resent is not None
    assert (
        resent - claimed
    ).total_seconds() >= settings.grace_s + settings.absence_gap_s


def test_a_worker_killed_between_claim_and_call_leaves_an_order_that_is_looked_up(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(dedupe=False)
    order = desk.release()
    with desk.inside("ama"):
        assert claim_one(order.id) is not None  # and then the process dies
    order = desk.work_until(order, "processing")
    assert len(desk.charges(order)) == 1
    assert order.resends == 1


def test_a_worker_held_up_over_its_lease_does_not_send(
    desk: Desk, jump: Callable[[float], None]
) -> None:
    order = desk.release()
    with desk.inside("ama"):
        claim = claim_one(order.id)
        assert claim is not None
        assert claim.may_send
        jump(config.current().send_lease_s + 1)
        assert not claim.may_send
        assert purchase.call([claim], desk.client) is None
    assert desk.charges() == []
    assert desk.read(order).unknown_since is not None


def test_a_refusal_gives_the_money_back_at_once_and_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    from integrations.ports import Rejected

    monkeypatch.setattr(
        desk.client,
        "submit",
        lambda _r: Rejected("invalid", "INVALID_PHONE_NUMBER", "Not a number"),
    )
    desk.work(3)
    order = desk.read(order)
    assert (order.state, order.failure_reason) == ("refunded", "Not a number")
    assert desk.wallet() == (WALLET_PESEWAS, 0)
    assert desk.charges() == []


@pytest.mark.parametrize(
    "kind", ["invalid", "insufficient_balance", "duplicate_reference"]
)
def test_a_refusal_after_an_unclear_attempt_proves_nothing(
    make_desk: Callable[..., Desk], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first attempt was charged and its answer lost; look-ups lag, so absence seems proven; the
    # second is refused.
    desk = make_desk(dedupe=False)
    desk.plan("http_500_before", times=1)
    order = desk.release()
    desk.work()
    from integrations.ports import Rejected

    monkeypatch.setattr(
        desk.client, "submit", lambda _r: Rejected(kind, kind.upper(), "no")
    )  # type: ignore[arg-type]
    for _ in range(12):
        desk.jump_to_next()
        desk.work()
        if desk.read(order).attempt == 2:
            break
    order = desk.read(order)
    assert (order.attempt, order.state) == (2, "submitting")
    assert order.unknown_since is not None
    assert desk.wallet()[1] == AGENT


def test_a_duplicate_of_ours_is_adopted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    from integrations.ports import PurchaseRequest

    desk.client.submit(
        PurchaseRequest(
            order.order_ref, order.product_name, order.capacity, order.recipient_msisdn
        )
    )
    desk.work()
    assert desk.read(order).state == "processing"
    assert len(desk.charges(order)) == 1


def test_a_duplicate_of_a_stranger_gets_a_new_reference(desk: Desk) -> None:
    from sqlalchemy import update

    from core.base.db import transaction
    from core.orders import Order

    order = desk.release()
    with tenancy.across_stores(), transaction() as session:
        session.execute(
            update(Order)
            .where(Order.id == order.id)
            .values(order_ref=STRANGER_REFERENCE)
        )
    order = desk.work_until(order, "processing")
    assert order.order_ref != STRANGER_REFERENCE
    assert desk.charges() == [order.order_ref]


def test_no_float_parks_the_order_with_a_reason_and_gives_nothing_back(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(wallet_pesewas=100)
    order = desk.release()
    desk.work()
    order = desk.read(order)
    assert (order.state, order.wait_reason) == ("queued", "float")
    assert desk.wallet() == (WALLET_PESEWAS - AGENT, AGENT)
    assert "supplier float too low" in orders.agent_words(order).sentence


def test_rate_limit_closes_the_line_for_all_and_counts_as_not_sent(desk: Desk) -> None:
    desk.plan("text_429", times=1)
    first, second = desk.release(), desk.release()
    desk.work()
    assert (desk.read(first).state, desk.read(first).wait_reason) == ("queued", "rate")
    assert desk.read(second).state == "queued"
    assert not desk.read(first).ever_unknown
    assert desk.work_until(first, "processing").attempt == 2
    assert len(desk.charges()) <= 2


def test_refused_credentials_stop_purchases_and_refund_nobody(desk: Desk) -> None:
    desk.plan("http_401", times=1)
    order = desk.release()
    desk.work()
    order = desk.read(order)
    assert (order.state, order.wait_reason) == ("queued", "credentials")
    with tenancy.across_stores():
        assert supply.state().credentials_refused_since is not None
    second = desk.release()
    desk.work()
    assert (desk.read(second).state, desk.read(second).wait_reason) == (
        "queued",
        "credentials",
    )
    assert desk.work_until(order, "processing").attempt == 2


def test_five_unclear_answers_open_the_breaker(desk: Desk) -> None:
    desk.plan("http_500_before", times=5)
    placed = [desk.release() for _ in range(6)]
    desk.work()
    last = desk.read(placed[-1])
    assert (last.state, last.wait_reason) == ("queued", "breaker")
    assert desk.charges() == []


def test_nobody_listening_is_not_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integrations.ports import NotSent

    order = desk.release()
    monkeypatch.setattr(desk.client, "submit", lambda _r: NotSent("connection refused"))
    desk.work()
    order = desk.read(order)
    assert (order.state, order.wait_reason, order.ever_unknown) == (
        "queued",
        "supplier_unreachable",
        False,
    )


def test_a_job_cut_off_inside_the_call_is_unknown(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rq.timeouts import JobTimeoutException

    def cut_off(_request: object) -> None:
        raise JobTimeoutException("too long")

    order = desk.release()
    monkeypatch.setattr(desk.client, "submit", cut_off)
    with pytest.raises(JobTimeoutException):
        desk.work()
    assert desk.read(order).unknown_since is not None


def test_failed_is_watched_and_may_still_be_delivered(desk: Desk) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "failed", refund=True)
    order = desk.work_until(order, "failed")
    assert desk.wallet()[1] == AGENT
    desk.settle(order, "successful")
    order = desk.work_until(order, "completed")
    assert desk.wallet() == (WALLET_PESEWAS - AGENT, 0)


def test_failed_for_a_day_gives_the_money_back(desk: Desk) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "failed", refund=False)
    order = desk.work_until(order, "failed")
    failed_at = order.failed_since
    order = desk.work_until(order, "refunded")
    assert failed_at is not None
    assert order.final_at is not None
    assert (
        order.final_at - failed_at
    ).total_seconds() >= config.current().failed_watch_s
    assert desk.wallet() == (WALLET_PESEWAS, 0)
    assert desk.cases() == [
        "supplier_money"
    ]  # the supplier kept our money: a person must ask for it


def test_an_order_failed_before_its_acceptance_was_seen_is_money_the_supplier_took(
    desk: Desk,
) -> None:
    # Its charge was in no book: after the watch the money was gone and nobody was asked.
    desk.plan("drop_after", times=1)
    order = desk.release()
    desk.work()
    desk.settle(order, "failed", refund=False)
    order = desk.work_until(order, "failed")
    assert desk.books()["in_flight"] == order.cost_pesewas
    desk.work_until(order, "refunded")
    assert desk.wallet() == (WALLET_PESEWAS, 0)
    assert desk.cases() == ["supplier_money"]


def test_reversed_gives_back_both_sides(desk: Desk) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "reversed", refund=True)
    order = desk.work_until(order, "refunded")
    assert desk.wallet() == (WALLET_PESEWAS, 0)
    assert desk.books()["in_flight"] == 0
    assert desk.cases() == []


def test_delivered_after_the_refund_is_a_case_and_moves_no_money(desk: Desk) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "reversed", refund=True)
    order = desk.work_until(order, "refunded")
    desk.settle(order, "successful")
    with desk.inside("ama"):
        orders.request_look(order.code, _ama())
    desk.work()
    assert desk.read(order).state == "refunded"
    assert desk.wallet() == (WALLET_PESEWAS, 0)
    assert desk.cases() == ["late_success"]


def test_completed_is_looked_at_once_more_after_a_day(desk: Desk) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "successful")
    order = desk.work_until(order, "completed")
    desk.settle(order, "failed", refund=True)
    desk.jump_to_next()
    desk.work()
    assert desk.read(order).state == "completed"
    assert desk.cases() == ["contradiction"]


def test_an_answer_about_another_number_moves_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integrations.ports import Accepted

    order = desk.release()
    monkeypatch.setattr(
        desk.client,
        "submit",
        lambda r: Accepted(
            "pending", "pending", recipient="0209999999", order_ref=r.order_ref
        ),
    )
    desk.work()
    order = desk.read(order)
    assert order.state == "submitting"
    assert order.unknown_since is not None
    assert desk.cases() == ["wrong_answer"]


def test_a_charge_off_the_quote_is_booked_as_variance_and_shown_to_a_person(
    desk: Desk,
) -> None:
    from integrations.ports import Accepted

    order = desk.release()
    real = desk.client.submit

    def dearer(request: object) -> object:
        answer = real(request)  # type: ignore[arg-type]
        assert isinstance(answer, Accepted)
        return Accepted(
            "pending",
            "pending",
            answer.supplier_ref,
            500,
            answer.balance_after_pesewas,
            answer.recipient,
        )

    desk.client.submit = dearer  # type: ignore[method-assign,assignment]
    desk.work()
    assert desk.read(order).charged_pesewas == 500
    assert desk.cases() == ["amount_differs"]
    assert desk.books()["in_flight"] == 500
    desk.settle(order, "successful")
    desk.work_until(order, "completed")
    books = desk.books()
    assert (books["in_flight"], books["margin"], books["price_variance"]) == (
        0,
        AGENT - COST,
        500 - COST,
    )


def test_an_unseen_word_changes_nothing_and_asks_a_person(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integrations.ports import Found

    order = desk.release()
    desk.work()
    monkeypatch.setattr(
        desk.client,
        "status",
        lambda ref: Found(ref, "processing", "teleported", needs_person=True),
    )
    desk.jump_to_next()
    desk.work()
    assert desk.read(order).state == "processing"
    assert desk.cases() == ["unknown_word"]


def test_one_not_found_or_two_too_close_prove_nothing(
    make_desk: Callable[..., Desk], jump: Callable[[float], None]
) -> None:
    desk = make_desk(dedupe=False)
    desk.plan("http_500_before", times=1)
    order = desk.release()
    desk.work()
    settings = config.current()
    with desk.inside("ama"):
        assert orders.note_absent(order.id) == "early"
        jump(settings.grace_s + 1)
        assert orders.note_absent(order.id) == "first"
        jump(settings.absence_gap_s - 1)
        assert orders.note_absent(order.id) == "first"
        orders.forget_absence(order.id)  # a look-up that failed in between
        jump(2)
        assert orders.note_absent(order.id) == "first"
        jump(settings.absence_gap_s)
        assert orders.note_absent(order.id) == "proven"


def test_a_second_resend_needs_a_person(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(dedupe=False)
    desk.plan("http_500_before", times=2)
    order = desk.release()
    for _ in range(40):
        desk.work()
        if desk.cases():
            break
        desk.jump_to_next()
    assert desk.cases() == ["resend_limit"]
    assert desk.read(order).state == "submitting"
    assert desk.charges() == []


def test_a_supplier_that_tells_repeats_is_not_asked_for_ever(
    make_desk: Callable[..., Desk], using: Using
) -> None:
    # A reference it does not know and yet refuses as taken was sent again every six minutes,
    # without an end.
    settings = using(supplier_dedupes=True)
    desk = make_desk(dedupe=True)
    desk.plan("http_500_before", times=20)
    order = desk.release()
    for _ in range(120):
        desk.work()
        if desk.cases():
            break
        desk.jump_to_next()
    assert desk.cases() == ["resend_limit"]
    assert desk.read(order).resends == settings.max_proven_resends


def test_a_purchase_that_lands_late_is_seen_before_it_is_sent_again(
    make_desk: Callable[..., Desk],
) -> None:
    # Absence was proven, but the supplier got the first request after all: the check before the
    # resend finds it.
    from integrations.ports import PurchaseRequest

    desk = make_desk(dedupe=False)
    desk.plan("http_500_before", times=1)
    order = desk.release()
    desk.work()
    for _ in range(20):
        with desk.inside("ama"):
            pass
        desk.jump_to_next()
        desk.work()
        if desk.read(order).state == "queued":
            break
    order = desk.read(order)
    if order.state == "queued":
        desk.client.submit(
            PurchaseRequest(
                order.order_ref,
                order.product_name,
                order.capacity,
                order.recipient_msisdn,
            )
        )
        desk.work_until(order, "processing")
    assert len(desk.charges(order)) == 1


def test_the_look_up_ladder_is_the_one_written_down(desk: Desk) -> None:
    order = desk.release()
    desk.work()
    start = desk.read(order).processing_at
    assert start is not None
    seen = []
    for _ in range(8):
        desk.jump_to_next()
        desk.work()
        looked = desk.read(order).looked_at
        assert looked is not None
        seen.append((looked - start).total_seconds())
    for age, rung in zip(
        seen, (60, 120, 300, 600, 1200, 1800, 3600, 7200), strict=True
    ):
        assert (
            rung * (0.95 if rung > 3_600 else 1) <= age <= rung * 1.2 + 10
        )  # the hourly step has ±10 % jitter


def _ama() -> object:
    from desk import AMA

    return AMA
