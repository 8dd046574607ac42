"""The one role that the application had before it had two: its rights and its wall, as they were
granted then."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import psycopg

NAME, PASSWORD = "makola_app", "yesterday"
APPEND_ONLY = ("postings", "entries", "audit", "order_events", "proofs")
KEPT = (
    "accounts",
    "orders",
    "stores",
    "users",
    "bundles",
    "supplier_offers",
    "balance_reads",
    "sync_reports",
)
_SEES = (
    "store_id = NULLIF(current_setting('makola.store', true), '')::bigint "
    "OR current_setting('makola.scope', true) = 'all'"
)
WALL = f"CREATE POLICY yesterday_wall ON {{table}} TO {NAME} USING ({_SEES}) WITH CHECK ({_SEES})"


def make(connection: psycopg.Connection[Any]) -> None:
    """The role, with the rights of yesterday on what is there now. As a superuser."""
    connection.execute(f"CREATE ROLE {NAME} LOGIN PASSWORD '{PASSWORD}'")
    database = connection.info.dbname
    for statement in (
        f'GRANT CONNECT ON DATABASE "{database}" TO {NAME}',
        f"GRANT USAGE ON SCHEMA public TO {NAME}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {NAME}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {NAME}",
        *(f"REVOKE UPDATE, DELETE ON {table} FROM {NAME}" for table in APPEND_ONLY),
        *(f"REVOKE DELETE ON {table} FROM {NAME}" for table in KEPT),
    ):
        connection.execute(statement)


def drop(connection: psycopg.Connection[Any]) -> None:
    """As docs/operate.md says."""
    connection.execute(f"DROP OWNED BY {NAME}; DROP ROLE {NAME}")


def address(owner_url: str) -> str:
    """Where it logs in: the owner's database, under its own name."""
    place = urlsplit(owner_url)
    return place._replace(
        netloc=f"{NAME}:{PASSWORD}@{place.netloc.rpartition('@')[2]}"
    ).geturl()
