"""Moments that hardly ever come: each must leave the order moving, the books right and the calls
for everybody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from desk import AMA, Desk
from seed import FLOAT_PESEWAS, WALLET_PESEWAS
from sqlalchemy import Connection, text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core import leases, orders, outbox, reconcile
from core.accounts import logins, users
from core.base import clock, config, tenancy
from core.base.db import db, transaction
from core.base.locks import Lock
from core.orders import Order
from core.supplier import supply
from devkit.daemons import until
from fulfilment import jobs, relay
from fulfilment.buying import interpret, steps, supplier_link
from integrations.ports import (
    Accepted,
    Found,
    NoAnswer,
    NotSent,
    PurchaseRequest,
    Rejected,
)
from tests.support.claims import claim_one

pytestmark = pytest.mark.slow(seconds=0.2)

AGENT = 470


def row_of(order: Order) -> outbox.OutboxRow:
    with tenancy.across_stores():
        row = outbox.of_order(order.id)
        assert row is not None
        return row


def found(order: Order, word: str, raw: str, amount_pesewas: int) -> Found:
    return Found(order.order_ref, word, raw, "f" * 24, amount_pesewas, None, None, None)  # type: ignore[arg-type]


def test_a_supplier_that_charges_nothing_holds_up_no_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    taken = Accepted("pending", "pending", "f" * 24, 0, None, None, order.order_ref)
    monkeypatch.setattr(desk.client, "submit", lambda _request: taken)
    monkeypatch.setattr(
        desk.client, "status", lambda _ref: found(order, "completed", "successful", 0)
    )
    desk.work()
    assert desk.read(order).state == "processing"
    desk.work_until(order, "completed")
    books = desk.books()
    assert (books["in_flight"], books["margin"], books["price_variance"]) == (
        0,
        AGENT - 460,
        -460,
    )
    assert desk.wallet() == (WALLET_PESEWAS - AGENT, 0)
    assert desk.cases() == ["amount_differs"]


def test_a_refusal_that_comes_after_a_look_up_found_the_order_gives_no_money_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    monkeypatch.setattr(
        desk.client, "status", lambda _ref: found(order, "processing", "sent", 460)
    )

    def another_job() -> None:
        with desk.app.app_context():
            desk.work()

    def refused_late(_request: object) -> Rejected:
        desk.jump(config.current().relay_lease_s + 1)
        meanwhile = threading.Thread(target=another_job)
        meanwhile.start()
        meanwhile.join()
        return Rejected("catalogue", "PRODUCT_NOT_FOUND", "No such product.")

    monkeypatch.setattr(desk.client, "submit", refused_late)
    desk.work()
    assert desk.read(order).state == "processing"
    assert desk.wallet() == (WALLET_PESEWAS - AGENT, AGENT)
    assert row_of(order).done_at is None


def test_a_resend_that_must_wait_for_a_call_does_not_use_up_those_of_purchases(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(dedupe=False)
    desk.plan("drop_before", times=1)
    order = desk.release()
    desk.work_until(order, "queued")
    with tenancy.across_stores(), transaction():
        link = supply.locked_state()
        link.purchase_calls, link.other_calls = (
            [clock.now()] * (config.current().rate_calls - 1),
            [],
        )
    for _ in range(20):
        desk.work()
        desk.jump(2)
    waiting = desk.read(order)
    assert (waiting.state, waiting.wait_reason, waiting.attempt) == (
        "queued",
        "rate",
        1,
    )
    with tenancy.across_stores():
        assert supply.take_call("purchase") == 0.0
    assert desk.work_until(order, "processing").attempt == 2


def test_a_case_that_stays_open_is_told_once(desk: Desk) -> None:
    order = desk.release()
    for _ in range(3):
        with desk.inside("ama"):
            orders.raise_case(order.id, "unknown_too_long", {"since": "yesterday"})
    assert len([line for line in desk.told(order) if "A person will look" in line]) == 1


def test_a_bug_of_ours_puts_one_order_off_and_asks_a_person(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = desk.release(), desk.release()
    desk.work()
    of_found = interpret.of_found
    monkeypatch.setattr(
        interpret,
        "of_found",
        lambda order, answer: 1 // (order.id != broken.id) and of_found(order, answer),
    )
    desk.jump(70)
    with pytest.raises(ZeroDivisionError):
        desk.work()
    wait_s = (row_of(broken).due_at - clock.now()).total_seconds()
    assert 200 < wait_s < 400
    assert desk.cases() == ["broken"]
    monkeypatch.undo()
    desk.settle(broken, "successful")
    desk.settle(sound, "successful")
    desk.work_until(sound, "completed")
    desk.work_until(broken, "completed")


def test_a_bug_of_ours_before_the_work_puts_one_order_off_and_asks_a_person(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease and what a job reads first are one transaction, which the bug undoes."""
    broken, sound = desk.release(), desk.release()
    find = steps.orders.find
    monkeypatch.setattr(
        steps.orders, "find", lambda id_: 1 // (id_ != broken.id) and find(id_)
    )
    with pytest.raises(ZeroDivisionError):
        desk.work()
    wait_s = (row_of(broken).due_at - clock.now()).total_seconds()
    assert 200 < wait_s < 400
    assert desk.cases() == ["broken"]
    monkeypatch.undo()
    desk.work_until(sound, "processing")
    desk.settle(sound, "successful")
    desk.work_until(broken, "processing")
    desk.settle(broken, "successful")
    desk.work_until(broken, "completed")


def test_a_row_of_a_newer_version_waits_for_its_worker(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tenancy.across_stores():
        asked = outbox.request("refresh_balance", AMA).id
    monkeypatch.delitem(jobs.HANDLERS, "refresh_balance")
    with pytest.raises(jobs.UnknownKind):
        desk.work()
    monkeypatch.undo()
    desk.jump(config.current().relay_lease_s + 1)
    desk.work()
    with tenancy.across_stores():
        row = outbox.requested(asked)
    assert row is not None and row.result_ok is True


def test_a_bug_of_ours_answers_a_person_who_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tenancy.across_stores():
        asked = outbox.request("refresh_balance", AMA).id
    monkeypatch.setattr(desk.client, "balance", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        desk.work()
    with tenancy.across_stores():
        row = outbox.requested(asked)
    assert row is not None and row.done_at is not None
    assert row.result_ok is False and "error of ours" in (row.result_text or "")


def test_pressing_check_again_and_again_asks_once_in_a_while(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    desk.work()
    asked: list[str] = []
    ask = desk.client.status
    monkeypatch.setattr(
        desk.client, "status", lambda ref: asked.append(ref) or ask(ref)
    )
    for _ in range(20):
        with desk.inside("ama"):
            orders.request_look(order.code, AMA)
        desk.work()
        desk.jump(2)
    assert len(asked) == 2
    assert len([line for line in desk.told(order) if "asked for a check" in line]) == 3


def test_a_turn_that_was_not_had_leaves_no_mark_on_the_pool(desk: Desk) -> None:
    with supplier_link.wallet_turn() as first:
        assert first
        with supplier_link.wallet_turn() as second:
            assert not second
    with db.engine.connect() as one, db.engine.connect() as two:
        assert [line.scalar(text("SHOW lock_timeout")) for line in (one, two)] == [
            "5s",
            "5s",
        ]


def test_a_time_limit_while_taking_the_turn_does_not_keep_it(
    desk: Desk, postgres: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarm may strike between PostgreSQL's yes and our knowing it."""
    take = supplier_link._take_turn

    def struck(connection: Connection) -> bool:
        take(connection)
        raise TimeoutError

    monkeypatch.setattr(supplier_link, "_take_turn", struck)
    with pytest.raises(TimeoutError), supplier_link.wallet_turn():
        pass
    with psycopg.connect(
        postgres["app"], autocommit=True, options="-c lock_timeout=2s"
    ) as worker:
        worker.execute("SELECT pg_advisory_lock(%s)", (Lock.WALLET,))


def test_a_turn_that_ended_gives_its_connection_back_and_keeps_no_lock(
    desk: Desk, superuser: psycopg.Connection[Any]
) -> None:
    held = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
    pids = set()
    for _ in range(3):
        with supplier_link.wallet_turn():
            (one,) = superuser.execute(held, (Lock.WALLET,)).fetchall()
            pids.add(one[0])
        assert superuser.execute(held, (Lock.WALLET,)).fetchall() == []
    assert len(pids) == 1, "the same connection each time"


@pytest.mark.parametrize("struck", [ValueError, KeyboardInterrupt])
def test_whatever_ends_a_turn_early_ends_its_connection(
    desk: Desk, superuser: psycopg.Connection[Any], struck: type[BaseException]
) -> None:
    held = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
    pid = 0
    with pytest.raises(struck), supplier_link.wallet_turn():
        ((pid,),) = superuser.execute(held, (Lock.WALLET,)).fetchall()
        raise struck
    gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
    assert until(lambda: superuser.execute(gone, (pid,)).fetchone() == (0,), 5)
    assert superuser.execute(held, (Lock.WALLET,)).fetchall() == []


def test_a_turn_whose_connection_was_lost_ends_without_an_error(
    desk: Desk, superuser: psycopg.Connection[Any]
) -> None:
    """What was bought in it stands."""
    held = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
    with supplier_link.wallet_turn():
        superuser.execute(held, (Lock.WALLET,))
    with supplier_link.wallet_turn() as again:
        assert again


def test_a_pool_with_no_connection_left_loses_a_ring_and_nothing_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_wish: object, **_more: object) -> None:
        raise PoolTimeout

    with monkeypatch.context() as full:
        full.setattr(outbox, "ring", relay.ring)
        full.setattr(leases, "lease_due", none_left)
        order = desk.release()
    desk.work()
    assert desk.read(order).state == "processing"


@pytest.mark.parametrize("killed", [True, False])
def test_no_news_for_a_day_becomes_a_case_also_when_the_worker_died_in_the_call(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    order = desk.release()
    if killed:
        with desk.inside("ama"):
            assert claim_one(order.id) is not None
    else:
        desk.plan("drop_before", times=1)
        desk.work()
    monkeypatch.setattr(
        desk.client, "status", lambda _ref: NoAnswer("endpoint_gone", "gone")
    )
    desk.jump(86_400 + 3_700)
    desk.work()
    assert desk.read(order).state == "submitting"
    assert desk.cases() == ["unknown_too_long"]


def test_a_failed_order_nobody_can_be_asked_about_becomes_a_case_when_its_watch_is_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "failed")
    desk.work_until(order, "failed")
    monkeypatch.setattr(
        desk.client, "status", lambda _ref: NoAnswer("endpoint_gone", "gone")
    )
    desk.jump(3_700)
    desk.work()
    assert desk.cases() == []
    desk.jump(86_400)
    desk.work()
    assert desk.read(order).state == "failed"
    assert desk.cases() == ["unknown_too_long"]


def test_one_bad_answer_at_the_end_of_the_watch_is_asked_again_and_no_case(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "failed", refund=True)
    desk.work_until(order, "failed")
    with monkeypatch.context() as broken:
        broken.setattr(desk.client, "status", lambda _ref: NoAnswer("broken", "500"))
        desk.jump(86_401)
        desk.work()
    assert (desk.read(order).state, desk.cases()) == ("failed", [])
    desk.jump(16)
    desk.work()
    assert desk.read(order).state == "refunded"
    assert "unknown_too_long" not in desk.cases()


def test_an_answer_about_something_else_ends_a_proof_of_absence(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands under our reference may be ours after all: two "not found" prove nothing around
    it."""
    desk = make_desk(dedupe=False)
    desk.plan("drop_before", times=1)
    order = desk.release()
    desk.work()
    desk.jump(config.current().grace_s + 10)
    desk.work()
    assert desk.read(order).absent_since is not None
    odd = Found(
        order.order_ref, "pending", "pending", None, None, "0209999999", None, None
    )
    with monkeypatch.context() as once:
        once.setattr(desk.client, "status", lambda _ref: odd)
        desk.jump(config.current().absence_gap_s + 5)
        desk.work()
    desk.jump_to_next()
    desk.work()
    assert desk.read(order).state == "submitting"


def test_money_the_supplier_gave_back_for_a_failed_order_is_no_funding(
    desk: Desk,
) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "failed", refund=True)
    desk.work_until(order, "failed")
    for _ in range(2):
        with tenancy.across_stores():
            assert reconcile.note_balance(FLOAT_PESEWAS).startswith("fits")
            assert reconcile.note_balance(FLOAT_PESEWAS - order.cost_pesewas) == "fits"
        desk.jump(61)
    assert desk.cases() == []
    with tenancy.across_stores():
        assert "more" in reconcile.note_balance(FLOAT_PESEWAS + 1)


def test_an_unreachable_supplier_is_tried_by_one_order_at_a_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def refused(request: PurchaseRequest) -> NotSent:
        tries.append(request.order_ref)
        return NotSent("connection refused")

    monkeypatch.setattr(desk.client, "submit", refused)
    placed = [desk.release() for _ in range(5)]
    desk.work()
    assert len(tries) == 1
    assert {desk.read(order).wait_reason for order in placed} == {
        "supplier_unreachable"
    }
    assert (
        sum(
            len([line for line in desk.told(order) if "Sending" in line])
            for order in placed
        )
        == 1
    )
    monkeypatch.undo()
    for order in placed:
        desk.work_until(order, "processing")
    assert len(desk.charges()) == 5


def test_sessions_that_ended_are_deleted(desk: Desk) -> None:
    user = users.by_email("ama@example.test")
    assert user is not None
    token = logins.start_login(user, "portal")
    assert logins.prune() == 0
    desk.jump(config.current().session_absolute_s + 1)
    assert logins.prune() >= 1
    assert logins.login_of(token, "portal") is None
