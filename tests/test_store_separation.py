"""Two layers between stores, each shown alone: row-level security without the ORM scope, and the
other way round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Session

from core import catalog, ledger, orders
from core.audit import Actor
from core.base import tenancy
from core.base.db import PLATFORM, STORE, db, transaction
from core.catalog import StoreBundle
from core.orders import Order, OrderEvent
from tests.support.kept import Keep
from tests.support.queues import queue

AMA = Actor("agent", "Ama")
STORE_TABLES = (
    "accounts",
    "batch_lines",
    "cases",
    "customers",
    "dispute_answers",
    "disputes",
    "entries",
    "fund_requests",
    "gateway_refunds",
    "notice_marks",
    "not_received",
    "online_payments",
    "order_batches",
    "order_drafts",
    "order_events",
    "order_words",
    "orders",
    "outbox",
    "payment_messages",
    "payout_accounts",
    "payout_schedules",
    "payouts",
    "postings",
    "price_moves",
    "push_devices",
    "store_bundles",
    "store_days",
    "store_logos",
    "store_records",
)


@pytest.fixture(params=["both layers", "only row-level security", "only the ORM scope"])
def layers(
    request: pytest.FixtureRequest, app: Flask, postgres: dict[str, str]
) -> Iterator[str]:
    """Take one of the two layers away for a test."""
    if request.param == "only row-level security":
        event.remove(Session, "do_orm_execute", tenancy.scope_statement)
        event.remove(Session, "before_flush", tenancy.refuse_foreign_flush)
        yield request.param
        event.listen(Session, "do_orm_execute", tenancy.scope_statement)
        event.listen(Session, "before_flush", tenancy.refuse_foreign_flush)
        return
    if request.param == "only the ORM scope":
        _each(postgres, "ALTER TABLE {0} DISABLE ROW LEVEL SECURITY")
        yield request.param
        _each(postgres, "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY")
        return
    yield request.param


@pytest.fixture(params=["as_store", "in_store"])
def inside(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Work in one store: as its own role, and as the platform's in a job. Both layers stand in
    either."""
    found: Callable[..., Any] = request.getfixturevalue(request.param)
    return found


def _each(postgres: dict[str, str], statement: str) -> None:
    statements = ";".join(statement.format(table) for table in STORE_TABLES)
    with psycopg.connect(postgres["admin"], autocommit=True) as connection:
        connection.execute(statements)  # type: ignore[call-overload]


@pytest.fixture
def twins(
    app: Flask, as_store: Callable[..., Any], kept: Keep[dict[str, str]]
) -> dict[str, Order]:
    """The same order, by the same number, in both stores; ama's is released."""
    made = kept("twins", lambda: build_twins(as_store))
    return {slug: as_store(slug, partial(_read, code)) for slug, code in made.items()}


def build_twins(as_store: Callable[..., Any]) -> dict[str, str]:

    def order() -> Order:
        return orders.place(
            bundle_id=catalog.shelf()[0].bundle_id,
            recipient_msisdn="+233241234567",
            idempotency_key="twin" * 6,
        ).order

    placed = {slug: as_store(slug, order) for slug in ("ama", "kofi")}
    as_store("ama", lambda: orders.release(placed["ama"].code, AMA))
    return {slug: one.code for slug, one in placed.items()}


def _read(code: str) -> Order:
    found = orders.by_code(code)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("engine", "role"), [(STORE, "makola_store"), (PLATFORM, "makola_platform")]
)
def test_no_role_of_the_application_has_power_of_its_own(
    app: Flask, engine: str | None, role: str
) -> None:
    with app.app_context(), db.engines[engine].connect() as connection:
        row = connection.execute(
            text(
                "SELECT NOT rolsuper AND NOT rolbypassrls, current_user FROM pg_roles WHERE rolname"
                " = current_user"
            )
        ).one()
        assert row == (True, role)
        owned = text(
            "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname"
            " = current_user"
        )
        assert connection.execute(owned).scalar_one() == 0


def test_which_role_asks_hangs_on_who_works(app: Flask, kofi_id: int) -> None:
    """Pages of a store and whatever has no store yet: the stores' role. Jobs, commands and the
    console: the platform's."""

    def role() -> str:
        return str(db.session.execute(text("SELECT current_user")).scalar_one())

    seen = [role()]
    tenancy.use(kofi_id)
    seen.append(role())
    with tenancy.inside(kofi_id):
        seen.append(role())
    with tenancy.across_stores():
        seen.append(role())
    seen.append(role())
    assert seen == [
        "makola_store",
        "makola_store",
        "makola_platform",
        "makola_platform",
        "makola_store",
    ]


def test_every_table_with_a_store_has_both_walls(app: Flask) -> None:
    with app.app_context():
        rows = db.session.execute(
            text(
                "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,"
                " array_agg(p.polname::text || ' to ' || p.polroles::regrole[]::text ORDER BY 1)"
                " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname ="
                " 'store_id' AND NOT a.attisdropped LEFT JOIN pg_policy p ON p.polrelid = c.oid"
                " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1,"
                " 2, 3"
            )
        ).all()
    four = {
        f"{kind}_wall to {{makola_{kind}}}"
        for kind in ("definer", "owner", "platform", "store")
    }
    guarded = {
        name
        for name, enabled, forced, policies in rows
        if enabled and forced and set(policies) == four
    }
    assert guarded == set(STORE_TABLES)
    assert {name for name, *_ in rows} - guarded == {
        "former_addresses",
        "invitations",
        "memberships",
        "sessions",
    }  # global by decision
    scoped = {cls.__table__.name for cls in tenancy._store_tables()}  # type: ignore[attr-defined]
    assert scoped == set(STORE_TABLES)


def test_references_between_tables_of_a_store_carry_the_store(app: Flask) -> None:
    with app.app_context():
        rows = db.session.execute(
            text(
                "SELECT conrelid::regclass::text, confrelid::regclass::text, array_length(conkey,"
                " 1) FROM pg_constraint WHERE contype = 'f' AND connamespace ="
                " 'public'::regnamespace"
            )
        ).all()
    inside = {
        (frm, to): 0
        for frm, to, _n in rows
        if frm in STORE_TABLES and to in STORE_TABLES
    }
    for frm, to, columns in rows:
        if (frm, to) in inside:
            inside[frm, to] = max(inside[frm, to], columns)
    assert set(inside.values()) == {2}


@pytest.mark.parametrize("table", STORE_TABLES)
def test_with_no_store_raw_sql_sees_nothing(
    app: Flask, twins: dict[str, Order], table: str
) -> None:
    with app.app_context():
        assert (
            db.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
        )


def test_with_no_store_the_orm_refuses_to_ask(context: Flask) -> None:
    with pytest.raises(StatementError, match="no store is set"):
        db.session.scalars(select(Order)).all()


def test_a_setting_does_not_leak_through_the_pool(
    app: Flask, as_store: Callable[..., Any], twins: dict[str, Order]
) -> None:
    for _ in range(5):
        as_store("ama", orders.tab_counts)
        with app.app_context():
            assert (
                db.session.execute(text("SELECT count(*) FROM orders")).scalar_one()
                == 0
            )


def test_each_store_sees_its_own_rows_only(
    layers: str, inside: Callable[..., Any], twins: dict[str, Order]
) -> None:
    def view() -> dict[str, Any]:
        return {
            "codes": [order.code for order in queue("all").orders],
            "found": [order.code for order in orders.find_any("0241234567", 10)],
            "counts": orders.tab_counts(),
            "wallet": ledger.wallet(),
            "statement": [line.kind for line in ledger.statement()],
            "prices": len(catalog.price_table()),
            "shelf": len(catalog.shelf()),
            "events": len(db.session.scalars(select(OrderEvent)).all()),
        }

    ama, kofi = inside("ama", view), inside("kofi", view)
    assert ama["codes"] == ama["found"] == [twins["ama"].code]
    assert kofi["codes"] == kofi["found"] == [twins["kofi"].code]
    assert (ama["counts"]["new"], kofi["counts"]["new"]) == (0, 1)
    assert (ama["statement"], kofi["statement"]) == (
        ["hold", "fund_wallet"],
        ["fund_wallet"],
    )
    assert kofi["wallet"].held_pesewas == 0
    assert ama["prices"] == kofi["prices"] == ama["shelf"] == kofi["shelf"]
    assert (ama["events"], kofi["events"]) == (2, 1)


def test_acts_on_another_store_s_order_find_nothing(
    layers: str, inside: Callable[..., Any], twins: dict[str, Order]
) -> None:
    theirs = twins["kofi"].code
    assert inside("ama", lambda: orders.by_code(theirs)) is None
    for act in (orders.release, orders.cancel, orders.request_look):
        with pytest.raises(orders.NoSuchOrder):
            inside("ama", lambda act=act: act(theirs, AMA))
    assert [
        row.ok for row in inside("ama", lambda: orders.release_many([theirs], AMA))
    ] == [False]
    mine = inside("kofi", lambda: orders.by_code(theirs))
    assert mine is not None
    assert mine.state == "pending"


def test_a_bulk_update_stays_in_its_store(
    layers: str, inside: Callable[..., Any], twins: dict[str, Order]
) -> None:
    def mark() -> None:
        with transaction() as session:
            session.execute(update(Order).values(wait_reason="mine"))

    inside("ama", mark)
    assert (
        inside("kofi", lambda: orders.by_code(twins["kofi"].code)).wait_reason is None
    )
    assert (
        inside("ama", lambda: orders.by_code(twins["ama"].code)).wait_reason == "mine"
    )


def test_a_row_for_another_store_is_refused(
    layers: str, inside: Callable[..., Any], twins: dict[str, Order]
) -> None:
    kofi_id = twins["kofi"].store_id

    def plant() -> None:
        with transaction() as session:
            session.add(
                OrderEvent(
                    store_id=kofi_id,
                    order_id=twins["kofi"].id,
                    who="agent",
                    who_name="x",
                    kind="x",
                    text="x",
                )
            )
            session.flush()

    with pytest.raises((tenancy.ForeignRow, DBAPIError)):
        inside("ama", plant)


def test_a_raw_insert_for_another_store_is_refused_by_the_database(
    inside: Callable[..., Any], twins: dict[str, Order]
) -> None:
    def plant() -> None:
        with transaction() as session:
            session.execute(
                insert(StoreBundle.__table__).values(  # type: ignore[arg-type]
                    store_id=twins["kofi"].store_id,
                    bundle_id=1,
                    price_pesewas=1,
                    hidden=False,
                    changed_at=text("now()"),
                )
            )

    with pytest.raises(DBAPIError, match="row-level security"):
        inside("ama", plant)


def test_the_store_cannot_change_inside_a_use_case(ama: int, kofi_id: int) -> None:
    with pytest.raises(tenancy.ScopeDuringWrite), transaction():
        tenancy.use(kofi_id)
