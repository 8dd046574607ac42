"""The migration of people's second steps and invitations, on tables with a log-in in them, and the
way back."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before

REVISION = "0030"


@pytest.mark.slow(seconds=0.6)
def test_log_ins_that_are_there_go_on_and_are_not_fresh(
    postgres: dict[str, str],
) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(
                "INSERT INTO users (id, email, name, password_hash, platform_role, created_at,"
                " access_no, password_long) VALUES (1, 'ama@example.test', 'Ama', 'x', 'none',"
                " now(), 0, false)"
            )
            session.execute(
                "INSERT INTO sessions (token_hash, user_id, door, created_at, seen_at, device,"
                " access_no, own_device) VALUES ('x', 1, 'portal', now(), now(), '', 0, true)"
            )
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            found = session.execute("SELECT confirmed_at, seen_from FROM sessions")
            assert found.fetchall() == [(None, "")]
            guards = session.execute(
                "SELECT tgname FROM pg_trigger WHERE tgname ~ '^(invitations|second_steps|recovery_codes)_permitted$'"
            )
            assert len(guards.fetchall()) == 3
        command.downgrade(alembic, "-1")
        command.upgrade(alembic, REVISION)
