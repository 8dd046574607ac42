"""The migration of the pages of payments on tables of before: rows stay, both ways."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

ATTEMPT = (
    "INSERT INTO online_payments (store_id, purpose, order_id, reference, mode, amount_pesewas,"
    " state, charged_pesewas, paid_at, created_at)"
    " VALUES (1, 'order', 1, %s, 'test', 500, %s, %s, %s, now())"
)
INDEXES = (
    "SELECT count(*) FROM pg_indexes WHERE indexname IN ('ix_online_payments_came',"
    " 'ix_online_payments_made', 'ix_online_payments_under_way',"
    " 'ix_gateway_refunds_done', 'ix_cases_subject', 'ix_payouts_paid')"
)


@pytest.mark.slow(seconds=1)
def test_attempts_of_before_stay_and_there_is_a_way_back(
    postgres: dict[str, str],
) -> None:
    with before("0041", postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            for table in ("order_words", "store_days", "customers"):
                # what granting.py makes policies for, and nobody has granted here
                session.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        fill(url)
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(ATTEMPT, ("mk-p-1", "paid", 500, "2026-11-01"))
            session.execute(ATTEMPT, ("mk-p-2", "failed", None, None))
        command.upgrade(alembic, "0041")
        with psycopg.connect(url, autocommit=True) as session:
            found = session.execute(
                "SELECT count(*), count(failed_at) FROM online_payments"
            )
            assert found.fetchall() == [(2, 0)]
            assert session.execute(INDEXES).fetchall() == [(6,)]
            session.execute(
                "UPDATE online_payments SET failed_at = now() WHERE state = 'failed'"
            )
        command.downgrade(alembic, "-1")
        with psycopg.connect(url, autocommit=True) as session:
            found = session.execute(
                "SELECT reference, state FROM online_payments ORDER BY id"
            )
            assert found.fetchall() == [("mk-p-1", "paid"), ("mk-p-2", "failed")]
            assert session.execute(INDEXES).fetchall() == [(0,)]
