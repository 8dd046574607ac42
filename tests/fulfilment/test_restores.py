"""The records go back to an earlier moment, while the supplier remembers everything: nothing is
bought twice.

The rows are put back by hand here, which is a restore as any other; pg_dump and pg_restore do it in
tests/drill. The supplier is at its worst: it does not know a repeated reference.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from desk import AMA, Desk
from flask import Flask
from sqlalchemy import select, text

from core import audit, cases, orders, outbox
from core.audit import CUSTOMER
from core.base import clock, config, database_identity, tenancy
from core.base.database_identity import UnknownDatabase
from core.base.db import db, transaction
from core.orders import Order
from fulfilment import relay
from tests.support.claims import claim_one

pytestmark = pytest.mark.slow(seconds=0.2)


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk(dedupe=False)


class Past:
    """One moment of every table, and the way back to it."""

    def __init__(self, superuser_url: str) -> None:
        self._connection = psycopg.connect(superuser_url, autocommit=True)
        self._run("DROP SCHEMA IF EXISTS past CASCADE", "CREATE SCHEMA past")
        found = self._connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        self._tables = [name for (name,) in found if name != "alembic_version"]

    def keep(self) -> None:
        """Take the backup."""
        self._run(
            *(
                f"CREATE TABLE past.{table} AS TABLE public.{table}"
                for table in self._tables
            )
        )

    def bring_back(self) -> None:
        """Restore it."""
        db.session.remove()
        self._run(
            "SET session_replication_role = replica",
            *(f"DELETE FROM public.{table}" for table in self._tables),
            *(
                f"INSERT INTO public.{table} SELECT * FROM past.{table}"
                for table in self._tables
            ),
        )

    def close(self) -> None:
        self._run("DROP SCHEMA past CASCADE")
        self._connection.close()

    def _run(self, *statements: str) -> None:
        self._connection.execute("; ".join(statements))


@pytest.fixture
def past(desk: Desk, postgres: dict[str, str]) -> Iterator[Past]:
    made = Past(postgres["super"])
    yield made
    made.close()


def found_out(desk: Desk) -> int | None:
    """The relay notices."""
    with tenancy.across_stores():
        return orders.note_restore()


def change(desk: Desk, sql: str) -> None:
    with tenancy.across_stores(), transaction() as session:
        session.execute(text(sql))


def differences() -> tuple[str, ...]:
    with tenancy.across_stores():
        return database_identity.differences(db.session)


def test_an_order_bought_after_the_backup_is_found_and_not_bought_again(
    desk: Desk, past: Past
) -> None:
    order = desk.release()
    past.keep()
    desk.work_until(order, "processing")
    desk.settle(order, "successful")
    desk.work_until(order, "completed")
    past.bring_back()
    assert desk.read(order).state == "queued"
    desk.work()  # no relay yet: the worker itself finds out, before it buys
    assert desk.read(order).state == "submitting"
    desk.work_until(order, "completed")
    assert desk.charges() == [order.order_ref]
    assert desk.books()["supplier_float"] == 200_000 - order.cost_pesewas
    assert any("from a backup" in line for line in desk.told(order))


def test_an_order_pending_in_the_backup_and_bought_since_is_not_bought_again_when_it_is_processed_again(
    desk: Desk, past: Past
) -> None:
    order = desk.place()
    past.keep()
    with desk.inside("ama"):
        orders.release(order.code, AMA)
    desk.work_until(order, "processing")
    past.bring_back()
    assert found_out(desk) == 1
    assert desk.read(order).state == "pending"
    with desk.inside("ama"):
        orders.release(order.code, AMA)
    desk.work_until(order, "processing")
    assert desk.charges() == [order.order_ref]


def test_an_order_sent_again_after_the_backup_is_not_sent_a_third_time(
    desk: Desk, past: Past
) -> None:
    """In the backup its first call is unclear and long past grace; in the time we forgot it was
    sent again just now."""
    desk.plan("reset_before")
    order = desk.release()
    desk.work_until(order, "submitting")
    desk.jump(config.current().grace_s + 1)
    past.keep()
    desk.work_until(order, "processing")  # proven absent, sent again
    assert len(desk.charges()) == 1
    past.bring_back()
    desk.work_until(order, "processing")
    assert len(desk.charges()) == 1


@pytest.mark.parametrize("standing", ["none", "wall", "steady"])
def test_absence_counts_from_the_restore_and_not_from_a_claim_in_the_backup(
    desk: Desk, past: Past, standing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By both clocks: neither the wall's, when it is set forward, nor the steady one alone proves
    anything."""
    desk.plan("reset_before")
    order = desk.release()
    desk.work_until(order, "submitting")
    desk.jump(config.current().grace_s + 1)
    past.keep()
    past.bring_back()
    assert found_out(desk) == 1
    if standing == "wall":
        stands = clock.now()
        desk.jump(config.current().grace_s + 1)
        monkeypatch.setattr(clock, "wall_source", lambda: stands)
    elif standing == "steady":
        stands_s = clock.steady_s()
        desk.jump(config.current().grace_s + 1)
        monkeypatch.setattr(clock, "steady_source", lambda: stands_s)
    for _ in range(
        3
    ):  # "not found" again and again: whoever had claimed it last may still be sending
        with tenancy.across_stores():
            assert orders.note_absent(order.id) == "early"
        if standing == "none":
            desk.jump(config.current().absence_gap_s + 1)


def test_what_was_to_be_looked_at_in_an_hour_is_looked_at_now(
    desk: Desk, past: Past
) -> None:
    desk.plan("reset_after")
    order = desk.release()
    desk.work_until(order, "submitting")
    change(desk, "UPDATE outbox SET due_at = due_at + interval '1 hour'")
    past.keep()
    past.bring_back()
    found_out(desk)
    desk.work()
    assert desk.read(order).state == "processing"


@pytest.mark.slow(seconds=0.3)
@pytest.mark.parametrize("released", [True, False], ids=["queued", "pending"])
def test_what_nobody_bought_is_bought_once_after_the_proof_of_absence(
    desk: Desk, past: Past, released: bool
) -> None:
    order = desk.release() if released else desk.place()
    past.keep()
    past.bring_back()
    assert found_out(desk) == 1
    if not released:
        with desk.inside("ama"):
            orders.release(order.code, AMA)
    desk.work()
    for _ in range(3):
        desk.jump_to_next()
        desk.work()
    assert (desk.read(order).state, desk.charges()) == ("submitting", [])
    desk.work_until(order, "processing")
    assert desk.charges() == [order.order_ref]
    assert (
        len(
            [line for line in desk.told(order) if "does not know the reference" in line]
        )
        >= 3
    )


def test_an_hour_after_the_restore_a_pending_order_needs_no_grace_of_its_own(
    desk: Desk, past: Past
) -> None:
    order = desk.place()
    past.keep()
    past.bring_back()
    found_out(desk)
    desk.jump(3_600)
    with desk.inside("ama"):
        orders.release(order.code, AMA)
    desk.work(2)
    desk.jump(config.current().absence_gap_s + 1)
    desk.work(3)
    assert desk.read(order).state == "processing"


def test_no_claim_is_given_on_a_copy(desk: Desk, past: Past) -> None:
    order = desk.release()
    past.keep()
    past.bring_back()
    with desk.inside("ama"):
        with pytest.raises(UnknownDatabase, match="written again by a restore"):
            claim_one(order.id)
        assert desk.read(order).state == "queued"


def test_no_claim_is_given_for_an_order_in_doubt(desk: Desk, past: Past) -> None:
    order = desk.place()
    past.keep()
    past.bring_back()
    found_out(desk)
    with desk.inside("ama"):
        orders.release(order.code, AMA)
        assert claim_one(order.id) is None


@pytest.mark.slow(seconds=0.4)
def test_an_order_cancelled_after_the_restore_and_bought_before_it_is_a_case(
    desk: Desk, past: Past
) -> None:
    bought, not_bought = desk.place(), desk.place()
    past.keep()
    with desk.inside("ama"):
        orders.release(bought.code, AMA)
    desk.work_until(bought, "processing")
    past.bring_back()
    found_out(desk)
    for order in (bought, not_bought):
        with desk.inside("ama"):
            orders.cancel(order.code, CUSTOMER)
            told = [event.customer_text for event in orders.timeline(desk.read(order))]
        assert "Cancelled" in told and "Cancelled. Nothing was sent." not in told
    desk.plan("http_500_before", "status")
    for _ in range(4):
        desk.work(2)
        with tenancy.across_stores():
            if outbox.health().open == 0:
                break
        desk.jump_to_next()
    with tenancy.across_stores():
        found = [(case.kind, case.order_id) for case in cases.open_cases(10)]
    assert ("late_success", bought.id) in found
    assert ("late_success", not_bought.id) not in found
    assert len(desk.charges()) == 1


def test_the_owner_is_told_once_and_from_then_on_all_is_as_before(
    desk: Desk, past: Past
) -> None:
    kept = desk.release()
    past.keep()
    past.bring_back()
    assert found_out(desk) == 1
    assert found_out(desk) is None
    later = desk.release()
    desk.work()
    assert desk.read(later).state == "processing"
    assert desk.read(kept).state == "submitting"
    with tenancy.across_stores():
        (case,) = [case for case in cases.open_cases(10) if case.kind == "restored"]
        assert case.evidence[0]["asked_first"] == 1
        assert audit.recent(1)[0].action == "note_restore"


def test_an_empty_database_is_taken_without_a_word(desk: Desk) -> None:
    change(desk, "DELETE FROM settings WHERE key = 'database.lineage'")
    assert differences() == ("it never said which database it is",)
    assert found_out(desk) == 0
    assert (differences(), desk.cases()) == ((), [])


def test_a_database_older_than_this_rule_is_taken_for_a_copy(desk: Desk) -> None:
    order = desk.release()
    change(desk, "DELETE FROM settings WHERE key = 'database.lineage'")
    assert found_out(desk) == 1
    assert desk.read(order).state == "submitting"


@pytest.mark.parametrize(
    ("mark", "word"),
    [
        ("cluster", "another server"),
        ("database", "another database"),
        ("timeline", "another timeline of the server"),
        ("written_by", "written again by a restore"),
    ],
)
def test_each_mark_alone_gives_a_copy_away(desk: Desk, mark: str, word: str) -> None:
    assert differences() == ()
    rewritten = "jsonb_build_object('written_by', pg_current_xact_id()::xid::text)"
    other = "" if mark == "written_by" else f" || jsonb_build_object('{mark}', 'X')"
    value = (
        f"value || jsonb_build_object('{mark}', '0')"
        if mark == "written_by"
        else f"value || {rewritten}{other}"
    )
    change(desk, f"UPDATE settings SET value = {value} WHERE key = 'database.lineage'")
    assert differences() == (word,)


def test_housekeeping_of_the_database_is_no_restore(
    desk: Desk, postgres: dict[str, str]
) -> None:
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        for statement in (
            "VACUUM FREEZE settings",
            "VACUUM FULL settings",
            "ANALYZE settings",
            "CHECKPOINT",
        ):
            connection.execute(statement)
            assert differences() == ()


def test_a_person_can_say_that_it_is_a_copy(desk: Desk, app: Flask) -> None:
    """Files put back under the same server look like the present."""
    order = desk.release()
    said = app.test_cli_runner().invoke(args=["restored"])
    assert (said.exit_code, said.output) == (
        0,
        "Noted. 1 orders are asked about before they are bought.\n",
    )
    assert desk.read(order).state == "submitting"
    desk.work_until(order, "processing")
    assert desk.charges() == [order.order_ref]


def test_the_relay_notices_before_it_rings(
    desk: Desk, past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    past.keep()
    past.bring_back()
    stop, seen = threading.Event(), []

    def rings(_connection: Any) -> int:
        seen.append(desk.read(order).state)
        stop.set()
        return 0

    monkeypatch.setattr(relay, "round_once", rings)
    relay.run(desk.app, stop)
    assert seen == ["submitting"]


def test_orders_of_every_store_are_marked_and_finished_ones_left_alone(
    desk: Desk, past: Past
) -> None:
    ours, theirs, done = desk.release("ama"), desk.release("kofi"), desk.release("ama")
    with desk.inside("ama"):
        orders.cancel(done.code, AMA)
    past.keep()
    past.bring_back()
    assert found_out(desk) == 2
    with tenancy.across_stores():
        states = dict(db.session.execute(select(Order.id, Order.state)).all())
    assert states == {
        ours.id: "submitting",
        theirs.id: "submitting",
        done.id: "cancelled",
    }
