"""A row in one round trip: as the store's role, and on a connection that the pool may hand on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from jinja2 import Environment
from sqlalchemy import text
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)

from core.base import clock, connections, round_trip, tenancy
from core.base.asks import Ask
from core.base.db import (
    STORE,
    NestedTransaction,
    db,
    retry_on_conflict,
    transaction,
)
from core.catalog import Bundle
from core.orders import OrderDraft, OrderEvent

pytestmark = pytest.mark.slow(seconds=2.5)


@pytest.fixture(autouse=True)
def one_connection(context: Flask) -> None:
    """The pool is empty, so that the next connection is the only one."""
    db.engines[STORE].dispose()


def handed_on() -> connections.TimedConnection:
    """The connection that the pool gives out next."""
    pooled = db.engines[STORE].raw_connection()
    found = pooled.driver_connection
    assert isinstance(found, connections.TimedConnection)
    pooled.close()
    return found


def test_a_row_is_read_with_the_walls_of_its_store(ama: int, kofi_id: int) -> None:
    whose = "SELECT array_agg(DISTINCT store_id) AS stores, count(*) AS n FROM store_bundles"
    for store_id in (ama, kofi_id):
        row = round_trip.read_row(store_id, whose, {})
        assert row.stores == [store_id] and row.n > 0
    assert (
        round_trip.read_row(ama, "SELECT 1 AS one WHERE %(no)s", {"no": False}) is None
    )


def test_nothing_can_be_written(ama: int) -> None:
    with pytest.raises(DBAPIError) as refused:
        round_trip.read_row(ama, "DELETE FROM order_drafts RETURNING 1", {})
    assert refused.value.orig.sqlstate == "25006"
    status = handed_on().info.transaction_status
    assert status == psycopg.pq.TransactionStatus.IDLE


def test_a_refused_read_leaves_a_connection_that_begins_transactions(ama: int) -> None:
    connection = handed_on()
    connection.execute("SET statement_timeout = 200")
    connection.commit()
    with pytest.raises(OperationalError):
        round_trip.read_row(ama, "SELECT pg_sleep(30)", {})
    assert handed_on() is connection
    connection.execute("RESET statement_timeout")
    connection.commit()
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_plan_that_is_gone_is_made_again(ama: int) -> None:
    """After an error the connection has forgotten every plan."""
    whose = "SELECT %(n)s::bigint AS n"
    assert round_trip.read_row(ama, whose, {"n": 1}).n == 1
    with pytest.raises(DBAPIError):
        round_trip.read_row(ama, "SELECT 1/%(n)s::bigint AS n", {"n": 0})
    assert round_trip.read_row(ama, whose, {"n": 2}).n == 2
    assert len(handed_on().plans) == 2, "whose store it is, and the statement"


def test_several_statements_are_answered_in_their_order(ama: int) -> None:
    one, two = Ask("SELECT %(n)s::bigint AS n", {"n": 1}), Ask("SELECT 'x' AS x", {})
    for _ in range(2):
        rows = round_trip.read(ama, [one, two, one.given(n=3, other=4)])
        assert [list(map(tuple, some)) for some in rows] == [[(1,)], [("x",)], [(3,)]]
    assert round_trip.read(ama, [two])[0][0].x == "x"


def test_a_transaction_begins_though_all_plans_are_gone(ama: int) -> None:
    connection = handed_on()
    for _ in range(2):
        connection.begin(tenancy.TELL, tenancy.told(ama))
        whose = connection.execute("SELECT current_setting('makola.store')").fetchone()
        assert whose is not None and whose[0].startswith(f"{ama}.")
        connection.rollback()
        connection.execute("DEALLOCATE ALL")
        connection.commit()


def test_a_transaction_begins_with_the_isolation_that_was_asked_for(ama: int) -> None:
    connection = handed_on()
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.begin(tenancy.TELL, tenancy.told(ama))
    said = connection.execute("SHOW transaction_isolation").fetchone()
    assert said == ("repeatable read",)
    connection.rollback()
    connection.isolation_level = None


def test_names_and_types_of_columns_are_told_to_who_asks(ama: int) -> None:
    connection = handed_on()
    found = connection.execute("SELECT 1::bigint AS one, 'x'::text AS two").description
    assert [name for name, *_ in found] == ["one", "two"]
    assert (found[-1][0], len(found[1:]), len(found)) == ("two", 1, 2)
    assert connection.execute("SET LOCAL work_mem = '8MB'").description is None
    connection.rollback()


def test_failures_leave_no_plan_behind(
    ama: int, superuser: psycopg.Connection[Any]
) -> None:
    for _ in range(5):
        with pytest.raises(DBAPIError):
            round_trip.read_row(ama, "SELECT 1/%(n)s::bigint AS n", {"n": 0})
    count = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'makola%'"
    left = handed_on().execute(count, prepare=False)
    assert left.fetchone() == (0,)


def test_a_plan_that_a_changed_table_made_useless_is_made_again(
    ama: int, superuser: psycopg.Connection[Any]
) -> None:
    which = "SELECT customer_text FROM order_events LIMIT %(n)s::bigint"
    round_trip.read(ama, [Ask(which, {"n": 1})])
    alter = "ALTER TABLE order_events ALTER customer_text TYPE"
    superuser.execute(f"{alter} varchar(5000)")
    try:
        round_trip.read(ama, [Ask(which, {"n": 1})])
    finally:
        superuser.execute(f"{alter} text")


def test_everything_is_read_by_work_that_may_see_it(ama: int, kofi_id: int) -> None:
    whose = Ask("SELECT DISTINCT store_id FROM store_bundles ORDER BY 1", {})
    with pytest.raises(tenancy.NoStore):
        round_trip.read_everything([whose])
    with tenancy.across_stores():
        found = round_trip.read_everything([whose])[0]
    assert [row.store_id for row in found] == sorted([ama, kofi_id])


def test_what_was_not_read_is_not_nothing(ama: int) -> None:
    row = round_trip.read_row(ama, "SELECT id, network, mb FROM bundles LIMIT 1", {})
    bundle = round_trip.made(Bundle, row)
    assert bundle.mb == row.mb
    with pytest.raises(round_trip.NotRead):
        _ = bundle.is_sold
    page = Environment().from_string("{{ bundle.mb }} {{ bundle.cost_pesewas }}")
    with pytest.raises(round_trip.NotRead):
        page.render(bundle=bundle)


SIGNED = re.compile("[0-9a-f]{64}")
"""A signature, as `signed.mac` makes it."""


def test_the_word_that_names_a_store_can_be_read_nowhere(
    as_store: Callable[..., Any], ama: int, superuser: psycopg.Connection[Any]
) -> None:
    """Whoever had it could name that store in a statement of their own, on any connection."""
    assert SIGNED.search(str(tenancy.told(ama)["store"]))
    odd = Ask("SELECT %(n)s::bigint / %(d)s::bigint AS n", {"n": 1, "d": 1})
    round_trip.read(ama, [odd])
    with pytest.raises(DBAPIError):
        round_trip.read(ama, [odd.given(d=0)])
    round_trip.read(ama, [odd])
    for _ in range(connections.PREPARE_AFTER + 1):
        as_store("ama", lambda: db.session.execute(text("SELECT 1")))
    seen = "SELECT query FROM pg_stat_activity WHERE query LIKE '%makola.store%'"
    kept = "SELECT statement FROM pg_prepared_statements"
    words: list[str] = []

    def look() -> None:
        words.extend(db.session.scalars(text(seen)))
        words.extend(db.session.scalars(text(kept)))

    as_store("kofi", look)
    words += [query for (query,) in superuser.execute(seen).fetchall()]
    words += [query for (query,) in handed_on().execute(kept).fetchall()]
    assert any("makola.store" in one for one in words)
    assert [one for one in words if SIGNED.search(one)] == []


def test_a_transaction_begins_as_it_was_asked_to(context: Flask) -> None:
    """What goes out with its BEGIN takes nothing from it."""
    for asked in ("REPEATABLE READ", "READ COMMITTED", "SERIALIZABLE"):
        db.session.connection(execution_options={"isolation_level": asked})
        got = db.session.scalar(text("SHOW transaction_isolation"))
        assert got == asked.lower()
        db.session.rollback()
    assert db.session.scalar(text("SHOW transaction_isolation")) == "read committed"
    db.session.rollback()
    alone = db.session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
    held = alone.connection.driver_connection
    assert held is not None
    assert held.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    db.session.rollback()


def a_draft(store_id: int, draft_id: str) -> Ask:
    row = {"id": draft_id, "store_id": store_id, "bundle_id": 1, "price_pesewas": 1}
    row |= dict.fromkeys(("device_key", "idempotency_key"), "x")
    row |= dict.fromkeys(("recipient_msisdn", "recipient_text"), "+233241234567")
    return round_trip.adding(OrderDraft, row | {"created_at": clock.now()})


def test_a_whole_use_case_is_committed_or_nothing_of_it(
    as_store: Callable[..., Any], ama: int, superuser: psycopg.Connection[Any]
) -> None:
    kept = "SELECT id FROM order_drafts"
    one, other, third = (a_draft(ama, letter * 22) for letter in "abc")
    as_store("ama", lambda: round_trip.write([one]))
    with pytest.raises(IntegrityError):
        as_store("ama", lambda: round_trip.write([other, one, third]))
    assert superuser.execute(kept).fetchall() == [("a" * 22,)]
    status = handed_on().info.transaction_status
    assert status == psycopg.pq.TransactionStatus.IDLE


def test_a_use_case_that_was_committed_is_not_done_again(
    as_store: Callable[..., Any], ama: int
) -> None:
    done: list[int] = []

    def act() -> None:
        done.append(1)
        round_trip.write([a_draft(ama, "a" * 22)])
        lost = psycopg.errors.DeadlockDetected()
        raise OperationalError("later", None, lost)

    with pytest.raises(OperationalError):
        as_store("ama", lambda: retry_on_conflict(act))
    assert done == [1]


def test_a_whole_use_case_is_no_part_of_another(
    as_store: Callable[..., Any], ama: int
) -> None:
    def act() -> None:
        with transaction():
            round_trip.write([a_draft(ama, "a" * 22)])

    with pytest.raises(NestedTransaction):
        as_store("ama", act)


def test_what_is_written_is_written_once_though_its_connection_dies(
    as_store: Callable[..., Any], ama: int, superuser: psycopg.Connection[Any]
) -> None:
    """Nobody knows whether it was committed: it is not sent again."""
    end = Ask("SELECT pg_terminate_backend(pg_backend_pid())", {})
    sent: list[int] = []
    ask_all = connections.TimedConnection.ask_all

    def counted(self: Any, several: Any) -> Any:
        sent.append(len(several))
        return ask_all(self, several)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections.TimedConnection, "ask_all", counted)
        with pytest.raises(OperationalError) as lost:
            as_store("ama", lambda: round_trip.write([a_draft(ama, "a" * 22), end]))
    assert lost.value.connection_invalidated
    assert sent.count(3) == 1
    assert handed_on().info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_what_is_carried_out_within_a_use_case_is_undone_with_it(ama: int) -> None:
    count = text("SELECT count(*) FROM settings WHERE key = 'odd'")
    odd = Ask(
        "INSERT INTO settings (key, value) VALUES (%(key)s, '{}')", {"key": "odd"}
    )
    with tenancy.across_stores():
        with pytest.raises(ZeroDivisionError), transaction():
            assert round_trip.within([odd]) == [[]]
            assert db.session.scalar(count) == 1
            raise ZeroDivisionError
        assert db.session.scalar(count) == 0


def test_outside_a_use_case_nothing_is_carried_out(ama: int) -> None:
    with pytest.raises(RuntimeError):
        round_trip.within([Ask("SELECT 1 AS one", {})])


def test_what_fails_within_a_use_case_is_said_as_elsewhere(ama: int) -> None:
    """By the class that others catch, and the connection goes on."""
    draft = a_draft(ama, "x" * 22)
    with tenancy.inside(ama):
        with transaction():
            ((added,),) = round_trip.within([draft])
        assert (added.id, added.store_id) == ("x" * 22, ama)
        with pytest.raises(IntegrityError), transaction():
            round_trip.within([draft])
        with transaction():
            round_trip.within([Ask("SELECT 1 AS one", {})])


def test_a_row_of_another_store_is_not_added(
    as_store: Callable[..., Any], ama: int, kofi_id: int
) -> None:
    line = {"store_id": kofi_id, "order_id": 1, "at": clock.now(), "who": "customer"}
    line |= {"who_name": "x", "kind": "placed", "text": "x", "detail": None}

    def add() -> None:
        with transaction():
            round_trip.within([round_trip.adding(OrderEvent, line)])

    with pytest.raises(ProgrammingError) as refused:
        as_store("ama", add)
    assert refused.value.orig.sqlstate == "42501", "row-level security"


def test_values_are_bound(ama: int) -> None:
    odd = "'; DELETE FROM orders; -- \\ %(x)s \" é"
    said = round_trip.read_row(ama, "SELECT %(text)s::text AS said", {"text": odd})
    assert said.said == odd


def test_a_database_that_is_away_is_said_as_elsewhere(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_words: Any, **_options: Any) -> None:
        raise psycopg.OperationalError("no route")

    with app.app_context():
        engine = db.engines[STORE]
        monkeypatch.setattr(engine, "raw_connection", away)
        with pytest.raises(OperationalError):
            round_trip.read_row(1, "SELECT 1", {})
