"""Four processes take from one account at once, in each way there is of doing it: what was really
lost.

Reading a balance and writing it back loses money, and this harness can see it; the ledger's way
loses nothing, goes exactly to zero, and nobody is told of another's lock.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

import psycopg
import pytest
from flask import Flask
from seed import WALLET_PESEWAS
from sqlalchemy import text

from core import ledger, stores
from core.audit import SYSTEM
from core.base import tenancy
from core.base.config import Config
from core.base.db import db, retry_on_conflict, transaction
from core.ledger import InsufficientWallet

PROCESSES = 4
DEBITS = 150
"""Of one pesewa, by each process."""
LESS = 400
"""What the account holds when there is not enough for all."""
START_S = 60

_app: Flask
_gate: Barrier


def begin(config: Config, gate: Barrier) -> None:
    """Make this process one that can use the ledger, and wait for the others."""
    global _app, _gate
    from wsgi import create_app

    _app, _gate = create_app(config), gate


def meet() -> None:
    """Wait until every process has begun."""
    _gate.wait(START_S)


def debit(name: str, store_id: int, count: int) -> Counter[str]:
    """`count` debits of a pesewa, one after another. How they ended: `done`, `refused`, or the name
    of an error."""
    deed = WAYS[name]
    ended: Counter[str] = Counter()
    with _app.app_context(), tenancy.across_stores():
        db.session.execute(text("SELECT 1"))
        db.session.remove()
        _gate.wait(START_S)
        for _ in range(count):
            try:
                ended["done" if deed(store_id) else "refused"] += 1
            except Exception as error:  # noqa: BLE001 - an error that reached a person is what is counted
                ended[type(getattr(error, "orig", None) or error).__name__] += 1
            finally:
                db.session.remove()
        for engine in db.engines.values():
            engine.dispose()
    return ended


def read_then_write(_store_id: int) -> bool:
    """What one writes without thinking of others: the balance is read, and the smaller one written
    back."""
    session = db.session()
    balance = session.scalar(text("SELECT balance FROM lost_updates"))
    if balance < 1:
        return False
    _written(
        text("UPDATE lost_updates SET balance = :balance").bindparams(
            balance=balance - 1
        )
    )
    return True


def read_for_update(_store_id: int) -> bool:
    """The row is locked before it is read."""
    with db.engine.begin() as connection:
        balance = connection.execute(
            text("SELECT balance FROM lost_updates FOR UPDATE")
        ).scalar_one()
        connection.execute(
            text("UPDATE lost_updates SET balance = :balance").bindparams(
                balance=balance - 1
            )
        )
    return True


def conditional(_store_id: int) -> bool:
    """One statement that takes only what is there."""
    with db.engine.begin() as connection:
        return (
            connection.execute(
                text("UPDATE lost_updates SET balance = balance - 1 WHERE balance >= 1")
            ).rowcount
            == 1
        )


def serializable(_store_id: int) -> bool:
    """Read and write, and PostgreSQL refuses one of two that met."""
    with (
        db.engine.connect().execution_options(
            isolation_level="SERIALIZABLE"
        ) as connection,
        connection.begin(),
    ):
        balance = connection.execute(
            text("SELECT balance FROM lost_updates")
        ).scalar_one()
        connection.execute(
            text("UPDATE lost_updates SET balance = :balance").bindparams(
                balance=balance - 1
            )
        )
    return True


def hold(store_id: int) -> bool:
    """The ledger's own way: a pesewa from the wallet is set aside."""

    def once() -> bool:
        with transaction():
            ledger.post(
                "hold", [("wallet", 1), ("held", -1)], SYSTEM, store_id=store_id
            )
        return True

    try:
        return retry_on_conflict(once)
    except InsufficientWallet:
        return False


def _written(statement: Any) -> None:
    with db.engine.begin() as connection:
        connection.execute(statement)


WAYS: dict[str, Callable[[int], bool]] = {
    way.__name__: way
    for way in (read_then_write, read_for_update, conditional, serializable, hold)
}


@dataclass(frozen=True)
class Outcome:
    """What four processes did together."""

    done: int
    refused: int
    errors: dict[str, int]


Run = Callable[[str, int], Outcome]


@pytest.fixture(scope="module")
def together(config: Config, postgres: dict[str, str]) -> Iterator[Run]:
    """Start four processes once; each call lets them debit in one way at the same moment."""
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(PROCESSES)
    with ProcessPoolExecutor(
        PROCESSES, mp_context=context, initializer=begin, initargs=(config, gate)
    ) as pool:
        # Before the table below is there: a start refuses rights that are not in the list.
        for ready in [pool.submit(meet) for _ in range(PROCESSES)]:
            ready.result(START_S)

        def run(name: str, store_id: int) -> Outcome:
            # Each process waits at the gate, so none can take two of these.
            futures = [
                pool.submit(debit, name, store_id, DEBITS) for _ in range(PROCESSES)
            ]
            ended = sum(
                (future.result(START_S * 2) for future in futures), Counter[str]()
            )
            done, refused = ended.pop("done", 0), ended.pop("refused", 0)
            return Outcome(done, refused, dict(ended))

        yield run


@pytest.fixture
def balance(app: Flask, postgres: dict[str, str]) -> Iterator[Callable[..., int]]:
    """A table of one number that every process may change; the call says what it is, or sets it."""
    with psycopg.connect(postgres["admin"], autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS lost_updates")
        connection.execute("CREATE TABLE lost_updates (balance bigint NOT NULL)")
        connection.execute("INSERT INTO lost_updates VALUES (10000)")
        connection.execute("GRANT SELECT, UPDATE ON lost_updates TO PUBLIC")

        def now(value: int | None = None) -> int:
            if value is not None:
                connection.execute("UPDATE lost_updates SET balance = %s", [value])
            row = connection.execute("SELECT balance FROM lost_updates").fetchone()
            assert row is not None
            return int(row[0])

        yield now
        connection.execute("DROP TABLE lost_updates")


pytestmark = [
    pytest.mark.slow(seconds=4),
    pytest.mark.servers,
    pytest.mark.skipif(os.cpu_count() == 1, reason="one core: nobody meets"),
]


def test_reading_and_writing_back_loses_money_and_this_harness_sees_it(
    together: Run, balance: Callable[..., int]
) -> None:
    outcome = together("read_then_write", 0)
    lost = outcome.done - (10_000 - balance())
    assert outcome.errors == {} and lost > 0


@pytest.mark.parametrize("way", ["read_for_update", "conditional"])
def test_a_lock_or_a_condition_loses_nothing(
    together: Run, balance: Callable[..., int], way: str
) -> None:
    outcome = together(way, 0)
    assert outcome == Outcome(PROCESSES * DEBITS, 0, {})
    assert balance() == 10_000 - PROCESSES * DEBITS


def test_serializable_loses_nothing_but_leaves_the_new_beginning_to_us(
    together: Run, balance: Callable[..., int]
) -> None:
    outcome = together("serializable", 0)
    assert outcome.done == 10_000 - balance()
    assert set(outcome.errors) <= {"SerializationFailure"}
    assert outcome.done + sum(outcome.errors.values()) == PROCESSES * DEBITS


def test_a_condition_takes_exactly_what_is_there(
    together: Run, balance: Callable[..., int]
) -> None:
    balance(LESS)
    assert together("conditional", 0) == Outcome(LESS, PROCESSES * DEBITS - LESS, {})
    assert balance() == 0


def test_the_ledger_takes_exactly_what_is_in_the_wallet_and_nobody_sees_an_error(
    app: Flask, together: Run
) -> None:
    with app.app_context(), tenancy.across_stores():
        store = stores.by_slug("ama")
        assert store is not None
        with transaction():
            ledger.post(
                "hold",
                [("wallet", WALLET_PESEWAS - LESS), ("held", LESS - WALLET_PESEWAS)],
                SYSTEM,
                store_id=store.id,
            )
        db.session.remove()
    assert together("hold", store.id) == Outcome(LESS, PROCESSES * DEBITS - LESS, {})
    with app.app_context(), tenancy.across_stores():
        books = ledger.books()  # every cached balance is the sum of its entries
        assert books.hold
        wallet = ledger.wallet_of(store.id)
        assert (wallet.available_pesewas, wallet.held_pesewas) == (0, WALLET_PESEWAS)
