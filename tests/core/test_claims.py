"""The claim and what follows it: one worker at a time, no late writer, no new reference without
need."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import cases, leases, ledger, orders, outbox
from core.audit import SYSTEM, Actor
from core.base import clock, config, tenancy
from core.base.db import NestedTransaction, UnsavedChange, after_commit, db, transaction
from core.orders import Order
from core.supplier import records
from tests.support.claims import claim_one

AMA = Actor("agent", "Ama")
Place = Callable[..., Order]


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """What each of `count` threads got, all let go at the same moment; exceptions are results
    too."""
    gate, results = threading.Barrier(count), []

    def run(number: int) -> None:
        gate.wait()
        try:
            results.append(act(number))
        except Exception as error:  # noqa: BLE001 - judged by the test
            results.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def read(order: Order) -> Order:
    return db.session.scalars(
        select(Order)
        .where(Order.id == order.id)
        .execution_options(populate_existing=True)
    ).one()


def submitting(place: Place) -> tuple[Order, orders.Claim]:
    order = orders.release(place().code, AMA)
    claim = claim_one(order.id)
    assert claim is not None
    return order, claim


def test_a_claimed_order_cannot_be_claimed_again(ama: int, place: Place) -> None:
    order, claim = submitting(place)
    assert claim.attempt == 1
    assert claim_one(order.id) is None
    assert read(order).attempt == 1


def test_of_eight_workers_at_once_one_gets_the_claim(
    app: Flask, as_store: Callable[..., Any], in_store: Callable[..., Any], place: Place
) -> None:
    order = as_store("ama", lambda: orders.release(place().code, AMA))
    claims = at_once(8, lambda _n: in_store("ama", lambda: claim_one(order.id)))
    assert len([claim for claim in claims if isinstance(claim, orders.Claim)]) == 1
    assert claims.count(None) == 7
    with app.app_context(), tenancy.across_stores():
        assert len(records.calls(endpoint="purchase")) == 1


def test_of_eight_presses_of_process_at_once_one_holds_the_money(
    app: Flask, in_store: Callable[..., Any], place: Place
) -> None:
    order = in_store("ama", place)
    results = at_once(
        8, lambda _n: in_store("ama", lambda: orders.release(order.code, AMA).state)
    )
    assert results == ["queued"] * 8
    assert (
        in_store("ama", lambda: ledger.wallet().held_pesewas)
        == order.agent_price_pesewas
    )


@pytest.mark.parametrize("_again", range(4))
def test_a_claim_and_a_cancel_at_once_leave_one_of_the_two(
    app: Flask,
    as_store: Callable[..., Any],
    in_store: Callable[..., Any],
    place: Place,
    _again: int,
) -> None:
    order = as_store("ama", lambda: orders.release(place().code, AMA))
    acts = (
        lambda: in_store("ama", lambda: claim_one(order.id)),
        lambda: as_store("ama", lambda: orders.cancel(order.code, AMA)),
    )
    results = at_once(2, lambda n: acts[n]())
    state = as_store("ama", lambda: read(order).state)
    refused = [type(result) for result in results if isinstance(result, Exception)]
    assert (state, refused) in [("cancelled", []), ("submitting", [orders.WrongState])]
    assert (None in results) == (state == "cancelled")


def test_the_answer_to_an_earlier_attempt_moves_nothing(ama: int, place: Place) -> None:
    order, claim = submitting(place)
    assert orders.advance(
        order.id, "queued", attempt=1, text="not sent", wait_reason="rate"
    )
    assert claim_one(order.id) is not None
    for to in ("queued", "processing", "refunded"):
        assert orders.advance(order.id, to, attempt=claim.attempt, text="late") is False  # type: ignore[arg-type]
    orders.mark_unknown(order.id, claim.attempt, "late")
    assert orders.renew_reference(order.id, claim.attempt, "MK-LATE") is False
    now = read(order)
    assert (now.state, now.attempt, now.unknown_since, now.order_ref) == (
        "submitting",
        2,
        None,
        claim.order_ref,
    )


def test_unclear_is_marked_once_and_only_while_submitting(
    ama: int, place: Place
) -> None:
    order, claim = submitting(place)
    orders.mark_unknown(order.id, 1, "read timeout")
    since = read(order).unknown_since
    orders.mark_unknown(order.id, 1, "again")
    assert read(order).unknown_since == since
    assert orders.advance(order.id, "processing", text="found")
    orders.mark_unknown(order.id, claim.attempt, "late")
    after = read(order)
    assert (after.state, after.unknown_since, after.ever_unknown) == (
        "processing",
        None,
        True,
    )


def test_an_order_that_was_ever_unclear_keeps_its_reference(
    ama: int, place: Place
) -> None:
    order, claim = submitting(place)
    orders.mark_unknown(order.id, 1, "read timeout")
    assert orders.renew_reference(order.id, 1, "MK-OTHER") is False
    assert read(order).order_ref == claim.order_ref
    second, claim = submitting(place)
    assert orders.renew_reference(second.id, 1, "MK-OTHER") is True
    assert (read(second).order_ref, read(second).state) == ("MK-OTHER", "queued")
    assert orders.renew_reference(second.id, 1, "MK-THIRD") is False


def test_nothing_is_sent_again_without_a_proof_on_the_row(
    ama: int, place: Place
) -> None:
    order, _claim = submitting(place)
    assert orders.requeue_absent(order.id) is True
    assert read(order).state == "submitting"
    assert orders.note_absent(order.id) == "early"
    orders.advance(order.id, "processing", text="found")
    assert orders.note_absent(order.id) == "early"
    assert read(order).absent_since is None


def test_a_reason_to_wait_is_told_once_and_only_to_a_queued_order(
    ama: int, place: Place
) -> None:
    order = place()
    orders.wait(order.id, "float")
    assert read(order).wait_reason is None
    orders.release(order.code, AMA)
    for reason in ("float", "float", "rate"):
        orders.wait(order.id, reason)
    told = [event.text for event in orders.timeline(order) if event.kind == "wait"]
    assert told == [
        "Waiting: supplier float too low.",
        "Waiting: the supplier's rate limit.",
    ]


def test_the_next_look_is_shown_and_counts_as_news_only_while_open(
    ama: int, place: Place
) -> None:
    order = place()
    moment = clock.after(60)
    orders.note_next(order.id, moment)
    orders.note_next(order.id, moment)
    assert (read(order).next_look_at, read(order).version) == (
        moment,
        order.version + 1,
    )
    version = orders.cancel(order.code, AMA).version
    orders.note_next(order.id, clock.after(86_400))
    assert read(order).version == version


def test_a_case_is_told_once_on_the_timeline(ama: int, place: Place) -> None:
    order = place()
    for said in ("a", "b"):
        orders.raise_case(order.id, "wrong_answer", {"said": said})
    assert [len(case.evidence) for case in cases.of_order(order.id)] == [2]
    assert [event.kind for event in orders.timeline(order)].count("case") == 1


def test_a_move_that_is_not_in_the_table_is_an_error_for_who_asks_it_directly(
    ama: int, place: Place
) -> None:
    from core.orders.advancing import move

    order = place()
    with (
        pytest.raises(ValueError, match="no move from pending to completed"),
        transaction() as session,
    ):
        move(session.get_one(Order, order.id), "completed", SYSTEM, "x")


def test_a_cancelled_order_cancels_again_to_itself_and_cannot_be_processed(
    ama: int, place: Place
) -> None:
    order = orders.cancel(place().code, AMA)
    assert orders.cancel(order.code, AMA).version == order.version
    with pytest.raises(orders.WrongState, match="cancelled"):
        orders.release(order.code, AMA)


def test_a_selection_without_money_says_so_for_each_row(ama: int, place: Place) -> None:
    placed = [place(), place()]
    with transaction():
        left = ledger.wallet().available_pesewas - placed[0].agent_price_pesewas
        ledger.post("hold", [("wallet", left), ("held", -left)], SYSTEM, store_id=ama)
    results = orders.release_many([order.code for order in placed], AMA)
    assert [row.became for row in results] == ["moved", "short"]


def test_a_job_that_lost_its_lease_cannot_close_the_row(ama: int, place: Place) -> None:
    order = orders.release(place().code, AMA)
    with tenancy.across_stores():
        lease = leases.take(*leases.lease_due(1)[0])
        assert lease is not None
        with transaction():
            row = outbox.of_order(order.id, lock=True)
            assert row is not None
            row.lease_no += 1
        assert leases.finish(lease, None) is False
        row = outbox.of_order(order.id)
        assert row is not None
        assert row.done_at is None
        assert leases.take(row.id, row.lease_no + 1) is None


def test_a_row_somebody_is_at_holds_up_no_other(
    ama: int, place: Place, postgres: dict[str, str]
) -> None:
    busy, free = (orders.release(place().code, AMA) for _ in range(2))
    with psycopg.connect(postgres["super"]) as connection, tenancy.across_stores():
        connection.execute(
            "SELECT 1 FROM outbox WHERE order_id = %s FOR UPDATE", (busy.id,)
        )
        row = outbox.of_order(free.id)
        assert row is not None
        assert leases.lease_due(10) == [(row.id, row.lease_no + 1)]


def test_an_oldest_row_has_an_age(
    ama: int, place: Place, jump: Callable[[float], None]
) -> None:
    with tenancy.across_stores():
        assert outbox.health() == outbox.Health(0, 0.0, 0, 0)
    orders.release(place().code, AMA)
    jump(40)
    with tenancy.across_stores():
        found = outbox.health()
        assert (found.due, found.leased, found.open) == (1, 0, 1)
        assert 40 <= found.oldest_due_s < 50


def test_a_request_asked_twice_is_one_row_and_its_result_is_nobody_else_s(
    ama: int, place: Place
) -> None:
    order = orders.release(place().code, AMA)
    with tenancy.across_stores():
        first, second = (
            outbox.request("sync_catalogue", AMA),
            outbox.request("sync_catalogue", AMA),
        )
        assert first.id == second.id
        assert outbox.requested(first.id) is not None
        row = outbox.of_order(order.id)
        assert row is not None
        assert outbox.requested(row.id) is None


def test_a_use_case_is_one_transaction(ama: int, place: Place) -> None:
    order = place()
    with pytest.raises(NestedTransaction), transaction():
        orders.cancel(order.code, AMA)
    with pytest.raises(RuntimeError, match="after_commit needs"):
        after_commit(lambda: None)
    rung: list[str] = []
    with pytest.raises(ZeroDivisionError), transaction():
        after_commit(lambda: rung.append("rung"))
        1 / 0  # noqa: B018
    assert rung == []
    assert read(order).state == "pending"


def test_a_change_outside_a_use_case_is_refused_and_not_saved(
    ama: int, place: Place
) -> None:
    order = read(place())
    order.state = "completed"
    with pytest.raises(UnsavedChange), transaction():
        pass
    session: Session = db.session()
    session.rollback()
    assert (
        db.session.execute(
            text("SELECT state FROM orders WHERE id = :id"), {"id": order.id}
        ).scalar_one()
        == "pending"
    )


def test_a_lease_ends_at_a_third_of_the_grace(ama: int, place: Place) -> None:
    order, claim = submitting(place)
    now = read(order)
    assert now.claimed_at is not None
    assert claim.may_send
    assert (
        now.lease_until - now.claimed_at
    ).total_seconds() == config.current().send_lease_s


@pytest.mark.parametrize("how", ["never held", "given back", "spent"])
def test_nothing_is_bought_whose_money_the_books_do_not_hold(
    ama: int, place: Place, superuser: psycopg.Connection[Any], how: str
) -> None:
    """A state alone buys nothing: rows can be written without the books."""
    order, other = place(), orders.release(place().code, AMA)
    if how != "never held":
        orders.release(order.code, AMA)
    if how == "given back":
        orders.cancel(order.code, AMA)
    if how == "spent":
        claim = claim_one(order.id)
        assert claim is not None
        assert orders.advance(order.id, "completed", text="Delivered.")
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        superuser.execute(
            "UPDATE orders SET state = 'queued', queued_at = now(), final_at = NULL,"
            " completed_at = NULL WHERE id = %s",
            (order.id,),
        )
    with tenancy.across_stores():
        claims = orders.claim_together([order.id, other.id])
        assert [claim.order_id for claim in claims] == [other.id]
        assert cases.is_open("broken", f"order:{order.id}")
    assert read(order).state == "queued"
