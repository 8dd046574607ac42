"""The migrations of differences of settlements on tables of before: what was taken off earlier is
explained, nothing of it is judged, what may be accepted has limits, and there is a way back."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before

MADE = (
    "INSERT INTO gateway_settlements (gateway_id, raw_word, currency, deductions_pesewas, settled_at, read_at, went,"
    " booked_pesewas, closed_at) VALUES ('1', 'success', 'GHS', 70, now(), now(), 'bank', 500, now()),"
    " ('2', 'success', 'GHS', 90, now(), now(), 'balance', 0, now())"
)


@pytest.mark.slow(seconds=1)
def test_what_was_taken_off_before_is_explained_and_there_is_a_way_back(
    postgres: dict[str, str],
) -> None:
    with before("0043", postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(MADE)
        command.upgrade(alembic, "0044")
        with psycopg.connect(url, autocommit=True) as session:
            found = session.execute(
                "SELECT ours_pesewas, explained_pesewas, accepted_pesewas, tries FROM gateway_settlements"
                " ORDER BY gateway_id"
            )
            assert found.fetchall() == [(None, 70, 0, 0), (None, 0, 0, 0)]
            for wrong in (
                "accepted_pesewas = 1",
                "ours_pesewas = 600, explained_pesewas = 101",
                "ours_pesewas = 600, explained_pesewas = 60, accepted_pesewas = 41",
                "ours_pesewas = 400, explained_pesewas = 0, accepted_pesewas = -101",
                "explained_pesewas = -1",
            ):
                with pytest.raises(psycopg.errors.CheckViolation):
                    session.execute(
                        f"UPDATE gateway_settlements SET {wrong} WHERE gateway_id = '1'"
                    )
            session.execute(
                "UPDATE gateway_settlements SET ours_pesewas = 600, explained_pesewas = 60,"
                " accepted_pesewas = 40 WHERE gateway_id = '1'"
            )
        command.downgrade(alembic, "0042")
        with psycopg.connect(url, autocommit=True) as session:
            session.execute("SELECT booked_pesewas FROM gateway_settlements")
            with pytest.raises(psycopg.errors.UndefinedColumn):
                session.execute("SELECT ours_pesewas FROM gateway_settlements")
