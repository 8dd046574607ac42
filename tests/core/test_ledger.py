"""The books are guarded by the database itself: unbalanced, overdrawn, doubled and changed rows are
refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import tables_owner
from flask import Flask
from seed import WALLET_PESEWAS
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from core import audit, ledger, outbox
from core.audit import SYSTEM
from core.base import tenancy
from core.base.db import db, transaction

REFUSED = (DBAPIError, IntegrityError, ProgrammingError)


def account(name: str, store_id: int | None = None) -> int:
    row = db.session.execute(
        text(
            "SELECT id FROM accounts WHERE name = :name AND store_id IS NOT DISTINCT FROM"
            " CAST(:store AS bigint)"
        ),
        {"name": name, "store": store_id},
    ).scalar_one()
    return int(row)


def test_an_unbalanced_posting_over_a_store_and_the_platform_is_refused(
    ama: int,
) -> None:
    with pytest.raises(REFUSED, match="does not sum to zero"), transaction():
        ledger.post(
            "fund_wallet", [("wallet", -500), ("bank", 499)], SYSTEM, store_id=ama
        )
    with transaction():
        ledger.post(
            "fund_wallet", [("wallet", -500), ("bank", 500)], SYSTEM, store_id=ama
        )


LATE_LEGS = """
  INSERT INTO entries (posting_id, account_id, amount_pesewas, balance_pesewas)
  SELECT {posting}, id, CASE name WHEN 'margin' THEN -7 ELSE 7 END, 0 FROM accounts WHERE name IN ('margin', 'gateway')
"""


@pytest.mark.parametrize(
    "legs", [[("supplier_float", 1), ("bank", -1)], []], ids=["with legs", "without"]
)
def test_nothing_is_added_to_an_old_posting_not_even_a_balanced_pair(
    across: Flask, postgres: dict[str, str], legs: list[tuple[str, int]]
) -> None:
    """Also not by whoever owns the tables: a posting and its legs are one statement."""
    with transaction():
        old = ledger.post("fund_float", legs, SYSTEM)
    with (
        psycopg.connect(postgres["admin"]) as connection,
        pytest.raises(psycopg.errors.CheckViolation, match="at once"),
    ):
        connection.execute(LATE_LEGS.format(posting=old))
    with psycopg.connect(postgres["admin"]) as connection:
        fresh = connection.execute(
            "INSERT INTO postings (kind, n, note, actor_name, at) VALUES ('fund_float', 1, '', 'x',"
            " now()) RETURNING id"
        ).fetchone()
        assert fresh is not None
        connection.execute(LATE_LEGS.format(posting=fresh[0]))
        with pytest.raises(psycopg.errors.CheckViolation, match="at once"):
            connection.execute(LATE_LEGS.format(posting=fresh[0]).replace("'margin', 'gateway'",
            "'bank', 'write_off'")
                               .replace("WHEN 'margin'", "WHEN 'bank'"))  # fmt: skip
        connection.rollback()


@pytest.mark.parametrize("table", ["entries", "postings", "audit", "order_events"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_written_rows_are_never_changed_by_the_application(
    ama: int, table: str, statement: str
) -> None:
    audit.write(SYSTEM, "test", "test")
    with pytest.raises(REFUSED, match="permission denied"), transaction():
        db.session.execute(text(statement.format(table)))


def test_not_even_the_owner_changes_an_entry(
    app: Flask, postgres: dict[str, str]
) -> None:
    with (
        psycopg.connect(postgres["admin"]) as connection,
        pytest.raises(psycopg.Error, match="append only"),
    ):
        connection.execute("UPDATE entries SET amount_pesewas = amount_pesewas + 1")


def test_an_overdraft_is_refused_by_the_rule_and_by_the_database(ama: int) -> None:
    with pytest.raises(ledger.InsufficientWallet) as short, transaction():
        ledger.post(
            "hold",
            [("wallet", WALLET_PESEWAS + 1), ("held", -WALLET_PESEWAS - 1)],
            SYSTEM,
            store_id=ama,
        )
    assert (short.value.needed_pesewas, short.value.available_pesewas) == (
        WALLET_PESEWAS + 1,
        WALLET_PESEWAS,
    )
    with pytest.raises(REFUSED, match="no_overdraft"):
        tables_owner.execute(
            "UPDATE accounts SET balance_pesewas = 1 WHERE name = 'wallet'"
        )
    with pytest.raises(REFUSED, match="in_flight"):
        tables_owner.execute(
            "UPDATE accounts SET balance_pesewas = -1 WHERE name = 'in_flight'"
        )


def test_each_money_event_of_an_order_exists_once_and_capture_excludes_release(
    ama: int, place: Callable[..., Any]
) -> None:
    from core import orders

    order = orders.release(place().code, SYSTEM)
    with pytest.raises(REFUSED, match="uq_postings_order_kind_n"), transaction():
        ledger.hold(order, order.agent_price_pesewas, SYSTEM)
    with transaction():
        ledger.commit(order, order.cost_pesewas, 1, SYSTEM)
        ledger.capture(
            order,
            agent_price_pesewas=order.agent_price_pesewas,
            cost_pesewas=order.cost_pesewas,
            charged_pesewas=order.cost_pesewas,
            actor=SYSTEM,
        )
    with pytest.raises(REFUSED, match="uq_postings_resolved"), transaction():
        ledger.release(order, order.agent_price_pesewas, SYSTEM)


@pytest.mark.parametrize("amount", [0, -1, 10_000_001])
def test_funding_refuses_amounts_that_make_no_sense(ama: int, amount: int) -> None:
    with pytest.raises(ledger.BadFunding):
        ledger.fund_wallet(ama, amount, "reason", SYSTEM)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201])
def test_funding_needs_a_reason(ama: int, reason: str) -> None:
    with pytest.raises(ledger.BadFunding, match="reason"):
        ledger.fund_wallet(ama, 100, reason, SYSTEM)


def test_a_funding_is_taken_back_but_never_more_than_is_free(
    ama: int, place: Callable[..., Any]
) -> None:
    from core import orders

    ledger.fund_wallet(ama, 200_000, "2,000 instead of 200", SYSTEM)
    before = ledger.wallet()
    ledger.take_back(ama, 180_000, "  too much ", SYSTEM)
    line = ledger.statement(limit=1)[0]
    assert (line.kind, line.kind_text, line.amount_pesewas, line.note) == (
        "take_back",
        "Taken back",
        -180_000,
        "too much",
    )
    assert ledger.wallet().available_pesewas == before.available_pesewas - 180_000

    order = orders.release(place().code, SYSTEM)
    free = ledger.wallet().available_pesewas
    with pytest.raises(ledger.BadFunding, match="is free in the wallet"):
        ledger.take_back(ama, free + 1, "with what is held", SYSTEM)
    ledger.take_back(ama, free, "to the last pesewa", SYSTEM)
    assert (ledger.wallet().available_pesewas, ledger.wallet().held_pesewas) == (
        0,
        order.agent_price_pesewas,
    )
    with pytest.raises(ledger.BadFunding, match="Nothing is free"):
        ledger.take_back(ama, 1, "once more", SYSTEM)
    orders.cancel(order.code, SYSTEM)
    assert ledger.wallet().available_pesewas == order.agent_price_pesewas, (
        "what was held comes back to the wallet"
    )


@pytest.mark.parametrize("amount", [0, -1, 10_000_001])
def test_taking_back_refuses_amounts_that_make_no_sense(ama: int, amount: int) -> None:
    with pytest.raises(ledger.BadFunding):
        ledger.take_back(ama, amount, "reason", SYSTEM)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201])
def test_taking_back_needs_a_reason(ama: int, reason: str) -> None:
    with pytest.raises(ledger.BadFunding, match="reason"):
        ledger.take_back(ama, 100, reason, SYSTEM)


def test_the_statement_runs_to_the_balance(ama: int, place: Callable[..., Any]) -> None:
    from core import orders

    ledger.fund_wallet(ama, 1_000, "MoMo 1", SYSTEM)
    order = orders.release(place().code, SYSTEM)
    orders.cancel(order.code, SYSTEM)
    lines = ledger.statement()
    assert [line.kind for line in lines] == [
        "release",
        "hold",
        "fund_wallet",
        "fund_wallet",
    ]
    assert [line.order_code for line in lines[:2]] == [order.code, order.code]
    assert lines[0].balance_pesewas == ledger.wallet().available_pesewas
    assert sum(line.amount_pesewas for line in lines) == lines[0].balance_pesewas
    first_page = ledger.statement(limit=2)
    assert ledger.statement(before_id=first_page[-1].id, limit=2) == lines[2:]


def test_a_drifted_balance_is_seen(context: Flask, ama: int) -> None:
    tables_owner.execute(
        "UPDATE accounts SET balance_pesewas = balance_pesewas - 5 WHERE name = 'bank'"
    )
    with tenancy.across_stores():
        assert ledger.books().drifted == ("bank",)
    tables_owner.execute(
        "UPDATE accounts SET balance_pesewas = balance_pesewas + 5 WHERE name = 'bank'"
    )


def test_hold_and_outbox_row_are_one_transaction(
    ama: int, place: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core import orders

    order = place()

    def crash(*_args: object, **_more: object) -> Iterator[None]:
        raise RuntimeError("the process dies here")

    monkeypatch.setattr(outbox, "add", crash)
    with pytest.raises(RuntimeError):
        orders.release(order.code, SYSTEM)
    assert ledger.wallet().held_pesewas == 0
    found = orders.by_code(order.code)
    assert found is not None
    assert found.state == "pending"
