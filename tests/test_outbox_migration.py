"""The migration that has a row of the outbox name its subject, on tables with rows in them, beside
yesterday's code, and the way back."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

REVISION = "0017"
ROWS = (
    "INSERT INTO outbox (store_id, kind, order_id, due_at, lease_no, created_at, done_at) VALUES"
    " (1, 'deliver_order', 1, now(), 3, now(), NULL),"
    " (1, 'deliver_order', 3, now(), 9, now(), now()),"
    " (NULL, 'refresh_balance', NULL, now(), 0, now(), now()),"
    " (NULL, 'refresh_balance', NULL, now(), 0, now(), NULL)"
)
SAID = "SELECT kind, subject_id, order_id, lease_no FROM outbox ORDER BY id"
YESTERDAY = (
    "INSERT INTO outbox (store_id, kind, order_id, due_at, lease_no, created_at)"
    " VALUES (%s, %s, %s, now(), 0, now())"
)
TODAY = (
    "INSERT INTO outbox (store_id, kind, subject_id, order_id, due_at, lease_no, created_at)"
    " VALUES (%s, %s, %s, %s, now(), 0, now())"
)


@pytest.mark.slow(seconds=0.6)
def test_rows_get_their_subject_and_are_unique_by_it_while_open(
    postgres: dict[str, str],
) -> None:
    with before(REVISION, postgres) as (alembic, url):
        fill(url)
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(ROWS)
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            assert session.execute(SAID).fetchall() == [
                ("deliver_order", 1, 1, 3),
                ("deliver_order", 3, 3, 9),
                ("refresh_balance", 0, None, 0),
                ("refresh_balance", 0, None, 0),
            ]
            session.execute(YESTERDAY, (1, "deliver_order", 2))
            session.execute(YESTERDAY, (None, "sync_catalogue", None))
            added = session.execute(f"{SAID} DESC LIMIT 2").fetchall()
            assert {row[:3] for row in added} == {
                ("deliver_order", 2, 2),
                ("sync_catalogue", 0, None),
            }
            for statement, values in (
                (YESTERDAY, (1, "deliver_order", 1)),
                (YESTERDAY, (None, "refresh_balance", None)),
                (TODAY, (None, "send_message", 7, None)),
            ):
                if values[1] == "send_message":
                    session.execute(statement, values)
                with pytest.raises(psycopg.errors.UniqueViolation):
                    session.execute(statement, values)
            with pytest.raises(psycopg.errors.CheckViolation):
                session.execute(TODAY, (1, "deliver_order", 2, 1))
            session.execute("UPDATE outbox SET done_at = now() WHERE done_at IS NULL")
            session.execute(TODAY, (None, "send_message", 7, None))
            session.execute("DELETE FROM outbox WHERE kind = 'send_message'")
        command.downgrade(alembic, "-1")
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            assert session.execute(SAID).fetchall()[:2] == [
                ("deliver_order", 1, 1, 3),
                ("deliver_order", 3, 3, 9),
            ]
