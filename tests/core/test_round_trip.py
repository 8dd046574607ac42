"""A row in one round trip: as the store's role, and on a connection that the pool may hand on."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from core.base import round_trip
from core.base.db import STORE, db


def handed_on() -> psycopg.Connection[Any]:
    """The connection that the pool gives out next."""
    pooled = db.engines[STORE].raw_connection()
    found: Any = pooled.driver_connection
    pooled.close()
    return found


def test_a_row_is_read_with_the_walls_of_its_store(ama: int, kofi_id: int) -> None:
    whose = "SELECT array_agg(DISTINCT store_id) AS stores, count(*) AS n FROM store_bundles"
    for store_id in (ama, kofi_id):
        row = round_trip.read_row(store_id, whose, {})
        assert row.stores == [store_id] and row.n > 0
    assert (
        round_trip.read_row(ama, "SELECT 1 AS one WHERE %(no)s", {"no": False}) is None
    )


def test_nothing_can_be_written(ama: int) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        round_trip.read_row(ama, "DELETE FROM order_drafts RETURNING 1", {})
    assert not handed_on().autocommit


def test_a_refused_read_leaves_a_connection_that_begins_transactions(ama: int) -> None:
    with pytest.raises(OperationalError):
        round_trip.read_row(ama, "SELECT pg_sleep(30)", {"limit": 1})
    connection = handed_on()
    assert not connection.autocommit
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_connection_that_still_commits_by_itself_reaches_nobody(
    ama: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stopped it from being put in order again."""
    left: list[psycopg.Connection[Any]] = []

    def stop(connection: psycopg.Connection[Any], *_rest: Any) -> None:
        connection.autocommit = True
        left.append(connection)
        raise KeyboardInterrupt

    monkeypatch.setattr(round_trip, "_send", stop)
    with pytest.raises(KeyboardInterrupt):
        round_trip.read_row(ama, "SELECT 1", {})
    assert left[0].closed
    assert handed_on() is not left[0]


def test_a_database_that_is_away_is_said_as_elsewhere(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_words: Any, **_options: Any) -> None:
        raise psycopg.OperationalError("no route")

    with app.app_context():
        engine = db.engines[STORE]
        monkeypatch.setattr(engine, "raw_connection", away)
        with pytest.raises(OperationalError):
            round_trip.read_row(1, "SELECT 1", {})
