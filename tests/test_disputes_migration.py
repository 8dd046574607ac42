"""The migration of disputes on tables of before: a dispute keeps what it was, one answer counts, and
there is a way back until there is something that older code does not know."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

REVISION = "0036"
ATTEMPT = (
    "INSERT INTO online_payments (store_id, purpose, order_id, reference, mode, amount_pesewas, state,"
    " charged_pesewas, paid_at, created_at) VALUES (1, 'order', 1, 'mk-p-1', 'test', 500, 'paid', 500,"
    " now(), now())"
)
DISPUTE = (
    "INSERT INTO disputes (store_id, payment_id, gateway_id, amount_pesewas, taken_pesewas, category,"
    " state, made_at) SELECT 1, id, 7, 500, 500, 'fraud', 'lost', now() FROM online_payments"
)
ANSWER = (
    "INSERT INTO dispute_answers (store_id, dispute_id, n, answer, amount_pesewas, words, state,"
    " asked_by, asked_at, sent_at) SELECT 1, id, %s, 'accept', %s, 'x', %s, 'x', now(), now()"
    " FROM disputes"
)


@pytest.mark.slow(seconds=1)
def test_what_was_disputed_stays(postgres: dict[str, str]) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            for table in ("order_words", "store_days", "customers", "disputes"):
                # what granting.py makes policies for, and nobody has granted here
                session.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        fill(url)
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(ATTEMPT)
            session.execute(DISPUTE)
        command.upgrade(alembic, "0039")
        with psycopg.connect(url, autocommit=True) as session:
            found = session.execute(
                "SELECT state, taken_pesewas, timeline, reminded FROM disputes"
            )
            assert found.fetchall() == [("lost", 500, [], 0)]
            session.execute(ANSWER, (1, 500, "refused"))
            session.execute(ANSWER, (2, 500, "submitting"))
            for n, amount, state, error in (
                (3, 500, "asked", psycopg.errors.UniqueViolation),
                (3, 500, "taken", psycopg.errors.UniqueViolation),
                (2, 500, "refused", psycopg.errors.UniqueViolation),
                (3, 0, "refused", psycopg.errors.CheckViolation),
                (3, 500, "maybe", psycopg.errors.CheckViolation),
            ):
                with pytest.raises(error):
                    session.execute(ANSWER, (n, amount, state))
            with pytest.raises(psycopg.errors.CheckViolation):
                session.execute("UPDATE disputes SET state = 'unknown'")
            session.execute("UPDATE disputes SET state = 'auto_accepted'")
            with pytest.raises(RuntimeError, match="end them first"):
                command.downgrade(alembic, REVISION)
            session.execute("UPDATE disputes SET state = 'lost'")
        command.downgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            found = session.execute("SELECT state, taken_pesewas FROM disputes")
            assert found.fetchall() == [("lost", 500)]
