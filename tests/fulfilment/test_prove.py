"""The proof of the books on its timer, by a button and by hand; loud when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
import structlog
import tables_owner
from click.testing import Result
from desk import Desk
from flask import Flask
from sqlalchemy import select

from core import outbox, proof
from core.audit import SYSTEM
from core.base import config, tenancy
from core.base.db import db
from core.base.locks import Lock
from core.outbox import OutboxRow
from core.proof import proving
from fulfilment import relay


@pytest.fixture
def command(app: Flask) -> Callable[..., Result]:
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


@pytest.fixture
def drift(app: Flask) -> Iterator[Callable[[], None]]:
    """Moves a cached balance away from its entries; put back before the books are judged."""

    def by(pesewas: int) -> None:
        tables_owner.execute(
            "UPDATE accounts SET balance_pesewas = balance_pesewas + :by WHERE name = 'bank'",
            by=pesewas,
        )

    yield lambda: by(-5)
    by(5)


@pytest.fixture
def another(
    postgres: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A proof under way elsewhere."""
    monkeypatch.setattr(proving, "_TURN_WAIT_MS", 50)
    with psycopg.connect(postgres["app"], autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (Lock.PROOF,))
        yield


def rows() -> list[OutboxRow]:
    with tenancy.across_stores():
        query = (
            select(OutboxRow)
            .where(OutboxRow.kind == "prove_books")
            .order_by(OutboxRow.id)
        )
        return list(db.session.scalars(query))


def ask_timed() -> None:
    with tenancy.across_stores():
        relay.ask_timed()


@pytest.mark.slow(seconds=0.2)
def test_the_books_are_proven_every_hour(
    desk: Desk, jump: Callable[[float], None]
) -> None:
    ask_timed()
    ask_timed()
    desk.work()
    (row,) = rows()
    assert (row.result_ok, row.done_at is not None) == (True, True)
    assert "3 of them new under seal" in (row.result_text or "")
    jump(config.current().proof_every_s - 60)
    ask_timed()
    assert len(rows()) == 1
    jump(61)
    ask_timed()
    desk.work()
    assert [row.result_ok for row in rows()] == [True, True]
    first, second = proof.newest(5)[::-1]
    assert second.previous == first.hash


def test_an_order_that_went_the_whole_road_leaves_books_that_hold(desk: Desk) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "completed")
    desk.work_until(order, "completed")
    with tenancy.across_stores():
        made = proof.prove()
    assert made.findings == []
    assert made.sealed == 6, "the seed's three, and hold, commit and capture"


def test_a_failed_proof_is_loud(desk: Desk, drift: Callable[[], None]) -> None:
    drift()
    with tenancy.across_stores():
        outbox.request("prove_books", SYSTEM)
    with structlog.testing.capture_logs() as lines:
        desk.work()
    (line,) = [line for line in lines if line["log_level"] == "critical"]
    assert line["findings"] == ["Balances that are not the sum of their entries: bank."]
    (row,) = rows()
    assert (row.result_ok, "do not hold" in (row.result_text or "")) == (False, True)
    assert desk.cases() == ["books_broken"]


@pytest.mark.slow(seconds=0.2)
def test_while_another_proof_runs_the_request_waits_its_turn(
    desk: Desk, another: None, jump: Callable[[float], None]
) -> None:
    ask_timed()
    desk.work()
    (row,) = rows()
    assert (row.done_at, row.due_at > row.created_at) == (None, True)


def test_by_hand_it_prints_figures_and_the_hash(
    context: Flask, command: Callable[..., Result]
) -> None:
    result = command("prove")
    assert result.exit_code == 0
    assert (
        "The books hold: 6 entries in 3 postings, 3 of them new under seal"
        in result.output
    )
    with tenancy.across_stores():
        assert proof.newest(1)[0].hash in result.output
    assert "1 seals verified" in command("prove", "--whole").output


def test_by_hand_a_failure_is_an_exit_code(
    command: Callable[..., Result], drift: Callable[[], None]
) -> None:
    drift()
    result = command("prove")
    assert result.exit_code == 1
    assert (
        "do not hold. Balances that are not the sum of their entries: bank."
        in result.output
    )


def test_by_hand_while_another_runs(
    command: Callable[..., Result], another: None
) -> None:
    result = command("prove")
    assert result.exit_code == 1
    assert "under way" in result.output
