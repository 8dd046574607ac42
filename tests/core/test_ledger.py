"""The books are guarded by the database itself: unbalanced, overdrawn, doubled and changed rows are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from seed import WALLET_PESEWAS
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from core import audit, ledger, outbox, tenancy
from core.audit import SYSTEM
from core.db import db, transaction

REFUSED = (DBAPIError, IntegrityError, ProgrammingError)


def account(name: str, store_id: int | None = None) -> int:
    row = db.session.execute(
        text("SELECT id FROM accounts WHERE name = :name AND store_id IS NOT DISTINCT FROM CAST(:store AS bigint)"),
        {"name": name, "store": store_id},
    ).scalar_one()
    return int(row)


def posting(store_id: int | None = None) -> int:
    return int(
        db.session.execute(
            text(
                "INSERT INTO postings (store_id, kind, n, note, actor_name, at) "
                "VALUES (:store, 'fund_wallet', 1, '', 'test', now()) RETURNING id"
            ),
            {"store": store_id},
        ).scalar_one()
    )


def insert_legs(posting_id: int, legs: list[tuple[int, int | None, int]]) -> None:
    values = ", ".join(f"({posting_id}, {acc}, {store or 'NULL'}, {amount}, 0)" for acc, store, amount in legs)
    db.session.execute(
        text(f"INSERT INTO entries (posting_id, account_id, store_id, amount_pesewas, balance_pesewas) VALUES {values}")
    )


def test_an_unbalanced_posting_over_a_store_and_the_platform_is_refused_for_the_application_role(ama: int) -> None:
    with pytest.raises(REFUSED, match="does not sum to zero"), transaction(), tenancy.widened():
        insert_legs(posting(ama), [(account("wallet", ama), ama, -500), (account("bank"), None, 499)])
    with transaction(), tenancy.widened():
        insert_legs(posting(ama), [(account("wallet", ama), ama, -500), (account("bank"), None, 500)])
        # The cached balances were not moved: put right here, because the books are proven after every test.
        db.session.execute(
            text(
                "UPDATE accounts SET balance_pesewas = balance_pesewas - 500 WHERE name = 'wallet' "
                "AND store_id = :store"
            ),
            {"store": ama},
        )
        db.session.execute(text("UPDATE accounts SET balance_pesewas = balance_pesewas + 500 WHERE name = 'bank'"))


@pytest.mark.parametrize("table", ["entries", "postings", "audit", "order_events"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_written_rows_are_never_changed_by_the_application(ama: int, table: str, statement: str) -> None:
    audit.write(SYSTEM, "test", "test")
    with pytest.raises(REFUSED, match="permission denied"), transaction(), tenancy.widened():
        db.session.execute(text(statement.format(table)))


def test_not_even_the_owner_changes_an_entry(app: Flask, postgres: dict[str, str]) -> None:
    with psycopg.connect(postgres["admin"]) as connection:
        connection.execute("SELECT set_config('makola.scope', 'all', true)")
        with pytest.raises(psycopg.Error, match="append only"):
            connection.execute("UPDATE entries SET amount_pesewas = amount_pesewas + 1")


def test_an_overdraft_is_refused_by_the_rule_and_by_the_database(ama: int) -> None:
    with pytest.raises(ledger.InsufficientWallet) as short, transaction():
        ledger.post("hold", [("wallet", WALLET_PESEWAS + 1), ("held", -WALLET_PESEWAS - 1)], SYSTEM, store_id=ama)
    assert (short.value.needed_pesewas, short.value.available_pesewas) == (WALLET_PESEWAS + 1, WALLET_PESEWAS)
    with pytest.raises(REFUSED, match="no_overdraft"), transaction(), tenancy.widened():
        db.session.execute(text("UPDATE accounts SET balance_pesewas = 1 WHERE name = 'wallet'"))
    with pytest.raises(REFUSED, match="in_flight"), transaction(), tenancy.widened():
        db.session.execute(text("UPDATE accounts SET balance_pesewas = -1 WHERE name = 'in_flight'"))


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


def test_the_statement_runs_to_the_balance(ama: int, place: Callable[..., Any]) -> None:
    from core import orders

    ledger.fund_wallet(ama, 1_000, "MoMo 1", SYSTEM)
    order = orders.release(place().code, SYSTEM)
    orders.cancel(order.code, SYSTEM)
    lines = ledger.statement()
    assert [line.kind for line in lines] == ["release", "hold", "fund_wallet", "fund_wallet"]
    assert [line.order_code for line in lines[:2]] == [order.code, order.code]
    assert lines[0].balance_pesewas == ledger.wallet().available_pesewas
    assert sum(line.amount_pesewas for line in lines) == lines[0].balance_pesewas
    first_page = ledger.statement(limit=2)
    assert ledger.statement(before_id=first_page[-1].id, limit=2) == lines[2:]


def test_a_drifted_balance_is_seen(context: Flask, ama: int) -> None:
    with transaction(), tenancy.widened():
        db.session.execute(text("UPDATE accounts SET balance_pesewas = balance_pesewas - 5 WHERE name = 'bank'"))
    with tenancy.across_stores():
        assert ledger.books().drifted == ("bank",)
    with tenancy.across_stores(), transaction():
        db.session.execute(text("UPDATE accounts SET balance_pesewas = balance_pesewas + 5 WHERE name = 'bank'"))


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
