"""Yesterday's code on today's tables: during a deploy the old processes still write while the new
tables are there.

What it writes is every column of the first migration and no later one, as the one role that the
application had then, with the rights and the wall of then. `db upgrade` leaves both alone:
`tests/test_two_roles.py`.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import tables_owner
import yesterdays_role
from alembic import command
from alembic.config import Config as AlembicConfig
from flask import Flask
from psycopg import sql

from core import orders
from core.base import rights, tenancy
from core.base.db import transaction
from core.supplier import balances, supply, webhook_events
from fulfilment import jobs, line
from tests.support.claims import claim_one

pytestmark = pytest.mark.slow(seconds=0.3)

ROOT = Path(__file__).parents[1]
COLUMNS = (
    "SELECT table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, ordinal_position"
)
Columns = dict[str, dict[str, str]]


def columns_of(url: str) -> Columns:
    found: Columns = {}
    with psycopg.connect(url) as connection:
        for table, column, kind in connection.execute(COLUMNS):
            found.setdefault(table, {})[column] = kind
    return found


@pytest.fixture(scope="module")
def yesterday(postgres: dict[str, str]) -> Iterator[Columns]:
    """The tables of the first migration, made by it."""
    name = f"yesterday_{secrets.token_hex(4)}_test"
    admin = urlsplit(postgres["admin"])
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(admin.username or "")
            )
        )
        try:
            alembic = AlembicConfig(str(ROOT / "migrations" / "alembic.ini"))
            url = admin._replace(path=name).geturl()
            alembic.attributes.update(database_admin_url=url)
            command.upgrade(alembic, "0001")
            yield columns_of(url)
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@pytest.fixture
def app_url(app: Flask, postgres: dict[str, str]) -> Iterator[str]:
    """The address of yesterday's role, beside today's two."""
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        yesterdays_role.make(connection)
        for table in rights.STORE_TABLES:
            connection.execute(yesterdays_role.WALL.format(table=table))
        try:
            yield yesterdays_role.address(postgres["admin"])
        finally:
            yesterdays_role.drop(connection)


@pytest.fixture
def every_table_has_a_row(ama: int) -> None:
    from core import catalog
    from core.accounts import logging_in, logins, users
    from core.accounts.devices import Place
    from core.audit import Actor

    line = catalog.shelf()[0]
    order = orders.place(
        bundle_id=line.bundle_id,
        recipient_msisdn="+233241234567",
        idempotency_key="yesterday-0000000000",
    ).order
    orders.release(order.code, Actor("agent", "Ama"))
    assert claim_one(order.id) is not None
    orders.raise_case(order.id, "broken", {})
    tenancy.clear()
    user = users.by_email("ama@example.test")
    assert user is not None
    logins.start_login(user, "portal", ama)
    logging_in.authenticate("nobody@example.test", "wrong", Place("10.0.0.9", "portal"))
    with tenancy.across_stores(), transaction() as session:
        webhook_events.keep(
            {"event_key": "k", "body": b"", "headers": {}, "event": "e"}
        )
        session.add(
            balances.BalanceRead(
                at=order.created_at,
                supplier="x",
                balance_pesewas=1,
                float_pesewas=1,
                unresolved_pesewas=0,
                verdict="x",
            )
        )
        supply.locked_state()
    tables_owner.execute(
        "INSERT INTO login_attempts (key, at) VALUES ('account:ama', now())"
    )


def test_every_column_of_yesterday_is_still_there_and_of_the_same_kind(
    yesterday: Columns, postgres: dict[str, str]
) -> None:
    today = columns_of(postgres["admin"])
    assert len(yesterday) >= 20
    for table, columns in yesterday.items():
        assert columns.items() <= today[table].items(), table


def test_yesterdays_rows_can_still_be_written(
    yesterday: Columns, every_table_has_a_row: None, app_url: str
) -> None:
    """Each table gets a copy of one of its rows in yesterday's columns. A copy that only meets its
    own unique key was accepted as far as columns go: PostgreSQL looks at NOT NULL and CHECK
    first."""
    accepted = []
    with psycopg.connect(app_url, options="-c makola.scope=all") as connection:
        for table, columns in yesterday.items():
            names = sql.SQL(", ").join(
                sql.Identifier(name) for name in columns if name != "id"
            )
            copy = sql.SQL(
                "INSERT INTO {t} ({names}) SELECT {names} FROM {t} LIMIT 1"
            ).format(t=sql.Identifier(table), names=names)
            try:
                assert connection.execute(copy).rowcount == 1, (
                    f"there is no row of {table} to copy"
                )
            except psycopg.errors.UniqueViolation:
                pass
            accepted.append(table)
            connection.rollback()
    assert accepted == list(yesterday)


def test_yesterdays_rows_can_still_be_changed(
    yesterday: Columns, every_table_has_a_row: None, app_url: str
) -> None:
    changed = set()
    with psycopg.connect(app_url, options="-c makola.scope=all") as connection:
        for table, columns in yesterday.items():
            if not connection.execute(
                "SELECT has_table_privilege(%s, 'UPDATE')", (table,)
            ).fetchone()[0]:  # type: ignore[index]
                continue
            same = sql.SQL(", ").join(
                sql.SQL("{0} = {0}").format(sql.Identifier(name)) for name in columns
            )
            assert (
                connection.execute(
                    sql.SQL("UPDATE {} SET {}").format(sql.Identifier(table), same)
                ).rowcount
                > 0
            )
            connection.rollback()
            changed.add(table)
    assert {
        "orders",
        "outbox",
        "accounts",
        "cases",
        "supplier_state",
        "settings",
    } <= changed
    assert not {"postings", "entries", "audit", "order_events"} & changed


def test_what_yesterday_put_into_valkey_is_still_understood(context: Flask) -> None:
    """A job carries two numbers and the name of one function, whatever version rang it or hears
    it."""

    assert line.JOB == "fulfilment.jobs.run"
    assert list(inspect.signature(jobs.run).parameters) == ["outbox_id", "lease_no"]
    jobs.run(0, 0)  # a row that is gone, or was leased again since: nothing happens
