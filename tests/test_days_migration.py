"""The migration of days beside the gateway on tables of before: refunds stay and are none of the
gateway's, settlements that a person has booked are known, and there is a way back."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill
from tests.test_refunds_migration import ATTEMPT, REFUND

REVISION = "0040"
BOOKED = (
    "INSERT INTO postings (kind, n, actor_name, at, subject, note) VALUES ('settlement', 1, 'x', %s, %s, '')"
)  # fmt: skip


@pytest.mark.slow(seconds=1)
def test_what_was_booked_by_hand_is_known_and_there_is_a_way_back(
    postgres: dict[str, str],
) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            for table in ("order_words", "store_days", "customers"):
                # what granting.py makes policies for, and nobody has granted here
                session.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        fill(url)
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(ATTEMPT, ("mk-p-1", "paid", 500, "2026-11-01"))
            session.execute(REFUND)
            session.execute(BOOKED, ("2026-11-05 10:00Z", "settlement:1"))
            session.execute(BOOKED, ("2026-11-07 10:00Z", "settlement:2"))
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            refunds = session.execute("SELECT is_adopted FROM gateway_refunds")
            assert refunds.fetchall() == [(False,)]
            until = session.execute(
                "SELECT (value ->> 'until')::timestamptz = '2026-11-07 10:00Z' FROM settings"
                " WHERE key = 'settled_by_hand'"
            )
            assert until.fetchall() == [(True,)]
            for wrong in (
                "went = 'bank'",
                "closed_at = now()",
                "booked_pesewas = 5",
                "went = 'moon', closed_at = now()",
            ):
                with pytest.raises(psycopg.errors.CheckViolation):
                    session.execute(
                        "INSERT INTO gateway_settlements (gateway_id, raw_word, currency,"
                        " settled_at, read_at) VALUES ('7', 'success', 'GHS', now(), now())"
                        " ON CONFLICT DO NOTHING"
                    )
                    session.execute(f"UPDATE gateway_settlements SET {wrong}")
        command.downgrade(alembic, "0036")
        with psycopg.connect(url, autocommit=True) as session:
            left = session.execute(
                "SELECT count(*) FROM settings WHERE key = 'settled_by_hand'"
            )
            assert left.fetchall() == [(0,)]
            assert session.execute("SELECT n FROM gateway_refunds").fetchall() == [(1,)]
