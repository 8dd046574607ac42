"""The migration that lets orders end, on tables with rows in it, and the way back (faults S13,
S21)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from psycopg import sql

ROOT = Path(__file__).parents[1]
REVISION = "0006"
NUMBER, INSIDE = "+233241234567", "Refused: 0241234567 is barred"


@pytest.fixture
def old(postgres: dict[str, str]) -> Iterator[tuple[AlembicConfig, str]]:
    """A database of the day before, as its owner and as a superuser reach it."""
    name = f"orders_{secrets.token_hex(4)}_test"
    admin, superuser = urlsplit(postgres["admin"]), urlsplit(postgres["super"])
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        owner = sql.Identifier(admin.username or "")
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), owner)
        )
        try:
            alembic = AlembicConfig(str(ROOT / "migrations" / "alembic.ini"))
            url = admin._replace(path=name).geturl()
            alembic.attributes.update(database_admin_url=url)
            before = (
                ScriptDirectory(str(ROOT / "migrations"))
                .get_revision(REVISION)
                .down_revision
            )
            command.upgrade(alembic, str(before))
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


def test_it_masks_what_is_there_keeps_the_walls_and_can_be_taken_back(
    old: tuple[AlembicConfig, str],
) -> None:
    alembic, url = old
    fill(url)
    command.upgrade(alembic, REVISION)
    with psycopg.connect(url, autocommit=True) as session:
        texts = session.execute(
            "SELECT e.text, e.detail::text, c.evidence::text, o.failure_reason, o.recipient_msisdn"
            " FROM order_events e JOIN cases c ON c.order_id = e.order_id JOIN orders o ON o.id ="
            " e.order_id"
        ).fetchone()
        assert texts is not None
        assert all("024•••4567" in text for text in texts[:4])
        assert not any("241234567" in text for text in texts[:4])
        assert texts[4] == NUMBER
        since = session.execute(
            "SELECT id, pending_since = created_at FROM orders ORDER BY id"
        ).fetchall()
        assert since == [(1, True), (2, None), (3, None)]
        forced = session.execute(
            "SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE relname IN ('orders',"
            " 'cases', 'order_events')"
        ).fetchone()
        assert forced == (True,)
        with pytest.raises(psycopg.errors.RestrictViolation):
            session.execute("UPDATE order_events SET text = ''")
        assert session.execute(
            "SELECT makola_mask_orders(ARRAY[1, 2, 3])"
        ).fetchone() == (0,), "under row-level security"
        session.execute("SELECT set_config('makola.scope', 'all', false)")
        assert session.execute(
            "SELECT makola_mask_orders(ARRAY[1, 2, 3])"
        ).fetchone() == (1,)
        masked = session.execute(
            "SELECT recipient_msisdn FROM orders ORDER BY id"
        ).fetchall()
        assert masked == [(NUMBER,), (NUMBER,), ("+23324xxx4567",)]
    command.downgrade(alembic, "-1")
    command.upgrade(alembic, REVISION)
