"""The migrations of taking money and giving it back on tables of before: rows stay, attempts may
stand beside each other, a number has a form, a prompt a payer; and the way back."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

REVISION = "0034"
ATTEMPT = (
    "INSERT INTO online_payments (store_id, purpose, order_id, reference, mode, amount_pesewas, state,"
    " charged_pesewas, paid_at, created_at) VALUES (1, 'order', 1, %s, 'test', 500, %s, %s, %s, now())"
)
REFUND = (
    "INSERT INTO gateway_refunds (store_id, payment_id, n, amount_pesewas, reason, state, asked_by, asked_at)"
    " SELECT 1, id, 1, 500, 'cancelled', 'needs_details', 'x', now() FROM online_payments"
)


@pytest.mark.slow(seconds=1)
def test_what_is_on_its_way_stays(postgres: dict[str, str]) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            for table in ("order_words", "store_days", "customers"):
                # what granting.py makes policies for, and nobody has granted here
                session.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        fill(url)
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(ATTEMPT, ("mk-p-1", "paid", 500, "2026-11-01"))
            session.execute(REFUND)
            session.execute(ATTEMPT, ("mk-p-2", "open", None, None))
        command.upgrade(alembic, "0036")
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(ATTEMPT, ("mk-p-3", "asked", None, None))
            with pytest.raises(psycopg.errors.UniqueViolation):
                session.execute(ATTEMPT, ("mk-p-4", "asked", None, None))
            with pytest.raises(psycopg.errors.CheckViolation):
                session.execute("UPDATE gateway_refunds SET to_number = 'twelve'")
            session.execute("UPDATE gateway_refunds SET to_number = '0241234567'")
            session.execute("DELETE FROM online_payments WHERE reference = 'mk-p-3'")
        command.upgrade(alembic, "0038")
        with psycopg.connect(url, autocommit=True) as session:
            ways = session.execute("SELECT DISTINCT way FROM online_payments")
            assert ways.fetchall() == [("page",)], "what was asked before is a page"
            for said in (
                "payer_number = '+233241234567'",
                "way = 'prompt'",
                "prompted_at = now()",
                "voucher = '1234'",
                "way = 'prompt', payer_network = 'mtn', payer_key = 'x', payer_number = '024'",
            ):
                with pytest.raises(psycopg.errors.CheckViolation):
                    session.execute(f"UPDATE online_payments SET {said}")
        command.downgrade(alembic, "0033")
        with psycopg.connect(url, autocommit=True) as session:
            found = session.execute("SELECT state, amount_pesewas FROM gateway_refunds")
            assert found.fetchall() == [("needs_details", 500)]
