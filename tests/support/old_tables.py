"""A database of a day before: its tables, with a few rows in them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from psycopg import sql

MIGRATIONS = Path(__file__).parents[2] / "migrations"
NUMBER, INSIDE = "+233241234567", "Refused: 0241234567 is barred"


@contextmanager
def before(
    revision: str, postgres: dict[str, str]
) -> Iterator[tuple[AlembicConfig, str]]:
    """A database right before `revision`, for Alembic as its owner, and its address as a
    superuser."""
    name = f"before_{revision}_{secrets.token_hex(4)}_test"
    admin, superuser = urlsplit(postgres["admin"]), urlsplit(postgres["super"])
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        owner = sql.Identifier(admin.username or "")
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), owner)
        )
        try:
            alembic = AlembicConfig(str(MIGRATIONS / "alembic.ini"))
            url = admin._replace(path=name).geturl()
            alembic.attributes.update(database_admin_url=url)
            found = ScriptDirectory(str(MIGRATIONS)).get_revision(revision)
            command.upgrade(alembic, str(found.down_revision))
            yield alembic, superuser._replace(path=name).geturl()
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


def fill(url: str) -> None:
    """One store, one bundle, three orders, and numbers where the supplier's words brought them."""
    with psycopg.connect(url, autocommit=True) as session:
        for statement in (
            (
                "INSERT INTO stores (id, slug, name, colour, welcome, status, closed_note,"
                " auto_process, markup_bp, version, created_at) VALUES (1, 'ama', 'Ama', '#000000',"
                " '', 'open', '', false, 0, 1, now())"
            ),
            (
                "INSERT INTO supplier_offers (id, supplier, product_code, product_name, capacity,"
                " network, mb, validity, cost_pesewas, active, seen_at) VALUES (1, 'x', 'x', 'x',"
                " '1GB', 'mtn', 1024, '30 days', 400, true, now())"
            ),
            (
                "INSERT INTO bundles (id, network, mb, validity, cost_pesewas, agent_price_pesewas,"
                " active, offer_id, changed_at) VALUES (1, 'mtn', 1024, '30 days', 400, 410, true,"
                " 1, now())"
            ),
        ):
            session.execute(statement)
        for number, state in enumerate(("pending", "processing", "refunded"), 1):
            session.execute(
                "INSERT INTO orders (id, store_id, code, order_ref, idempotency_key, source, customer_name, "
                "recipient_msisdn, network, mb, validity, bundle_id, product_name, capacity, price_pesewas, "
                "agent_price_pesewas, cost_pesewas, state, version, attempt, ever_unknown, resends, lookups_gone, "
                "created_at, final_at, failure_reason) VALUES (%s, 1, %s, %s, %s, 'store', 'Efua', %s, 'mtn', 1024, "
                "'30 days', 1, 'x', '1GB', 500, 410, 400, %s, 1, 0, false, 0, 0, now() - interval '2 days', %s, %s)",
                (
                    number, f"CODE{number}", f"MK-{number}", f"key{number}", NUMBER, state,
                    "2026-01-01" if state == "refunded" else None, INSIDE,
                ),
            )  # fmt: skip
        session.execute(
            "INSERT INTO order_events (id, order_id, store_id, at, who, who_name, kind, text,"
            " detail) VALUES (1, 3, 1, now(), 'supplier', 'Supplier', 'refunded', %s,"
            " jsonb_build_object('failure_reason', %s::text))",
            (INSIDE, INSIDE),
        )
        session.execute(
            "INSERT INTO cases (id, order_id, store_id, kind, subject, title, evidence, opened_at)"
            " VALUES (1, 3, 1, 'contradiction', 'order:3', '-',"
            " jsonb_build_array(jsonb_build_object('said', %s::text)), now())",
            (INSIDE,),
        )
