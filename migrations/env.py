"""Runs migrations as the owner of the tables, then grants the application role what it may do, and no more."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from alembic import context
from sqlalchemy import create_engine, pool, text

from core import (  # noqa: F401 - tables
    audit,
    cases,
    catalog,
    devices,
    guessing,
    ledger,
    lineage,
    onboarding,
    orders,
    outbox,
    proof,
    pulse,
    resets,
    supply,
    users,
)
from core.db import Model

APPEND_ONLY = ("postings", "entries", "audit", "order_events", "proofs", "audit_seals")
KEPT = ("accounts", "orders", "stores", "users", "bundles", "supplier_offers", "balance_reads", "sync_reports")
"""Rows of these may change but are never deleted."""


def _driver(url: str) -> str:
    return re.sub(r"^postgresql(\+psycopg)?://", "postgresql+psycopg://", url)


def _grant(connection, application_url: str) -> None:
    role = urlsplit(application_url).username
    owner = connection.execute(text("SELECT current_user")).scalar_one()
    if not role or role == owner:
        return
    quoted = '"' + role.replace('"', '""') + '"'
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {quoted}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {quoted}",
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {quoted}",
        *(f"REVOKE UPDATE, DELETE ON {table} FROM {quoted}" for table in APPEND_ONLY),
        *(f"REVOKE DELETE ON {table} FROM {quoted}" for table in KEPT),
    ):
        connection.execute(text(statement))
    if connection.execute(text("SELECT to_regprocedure('makola_mask_orders(bigint[])') IS NOT NULL")).scalar_one():
        connection.execute(text("REVOKE ALL ON FUNCTION makola_mask_orders(bigint[]) FROM PUBLIC"))
        connection.execute(text(f"GRANT EXECUTE ON FUNCTION makola_mask_orders(bigint[]) TO {quoted}"))


def run() -> None:
    url = (
        context.config.attributes.get("admin_url") or os.environ.get("DATABASE_ADMIN_URL") or os.environ["DATABASE_URL"]
    )
    application_url = context.config.attributes.get("application_url") or os.environ.get("DATABASE_URL", url)
    engine = create_engine(_driver(url), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '10s'"))
        connection.commit()
        context.configure(connection=connection, target_metadata=Model.metadata, compare_type=True)
        with context.begin_transaction():
            made_now = not connection.execute(text("SELECT to_regclass('public.alembic_version')")).scalar_one()
            context.run_migrations()
            if connection.execute(text("SELECT to_regclass('public.entries') IS NOT NULL")).scalar_one():
                _grant(connection, application_url)
                if made_now:  # never for tables that were there already: they may be a restored backup
                    lineage.remember(connection)
    engine.dispose()


run()
