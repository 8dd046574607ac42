"""Customers' numbers are not kept for ever, stand whole in `orders` alone, and go when somebody
asks (fault S21)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import structlog
import tables_owner
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import audit, cases, orders, proof
from core.audit import SYSTEM, Actor
from core.base import config, phones, tenancy
from core.base.db import db, transaction
from core.orders import News, Order
from core.supplier import records, webhook_events
from tests.support.claims import claim_one

AMA = Actor("agent", "Ama")
NUMBER, MASKED = "+233241234567", "+23324xxx4567"
DAY_S = 86_400


@pytest.fixture
def ended(ama: int, place: Callable[..., Order]) -> Callable[..., Order]:
    """An order in a state, of the number unless another is given."""

    def make(state: str = "completed", number: str = NUMBER) -> Order:
        order = place(number, repeat_confirmed=True, customer_name="Efua")
        if state == "cancelled":
            orders.cancel(order.code, AMA)
        elif state != "pending":
            orders.release(order.code, AMA)
            claim_one(order.id)
            for step in {
                "completed": ["processing", "completed"],
                "refunded": ["refunded"],
                "processing": ["processing"],
            }[state]:
                orders.advance(
                    order.id, step, text="-", news=News(money_back=step == "refunded")
                )
        return order

    return make


def row(order: Order) -> Order:
    with tenancy.across_stores():
        return db.session.get_one(Order, order.id, populate_existing=True)


def forget_old() -> int:
    with tenancy.across_stores():
        return orders.forget_old()


@pytest.mark.parametrize("state", ["completed", "cancelled", "refunded"])
def test_an_old_order_loses_its_number_and_keeps_the_rest(
    ended: Callable[..., Order], jump: Callable[[float], None], state: str
) -> None:
    order = ended(state)
    jump((config.current().retention_days - 1) * DAY_S)
    assert forget_old() == 0
    jump(2 * DAY_S)
    assert forget_old() == 1
    assert forget_old() == 0
    after = row(order)
    assert (after.recipient_msisdn, after.customer_name, after.state) == (
        MASKED,
        "",
        state,
    )
    assert (after.code, after.order_ref, after.price_pesewas) == (
        order.code,
        order.order_ref,
        order.price_pesewas,
    )
    assert after.version > order.version


@pytest.mark.parametrize("state", ["pending", "processing"])
def test_one_that_is_not_over_keeps_it(
    ended: Callable[..., Order], jump: Callable[[float], None], state: str
) -> None:
    order = ended(state)
    jump(3 * 365 * DAY_S)
    assert forget_old() == 0
    assert row(order).recipient_msisdn == NUMBER


def test_one_about_which_a_person_is_asked_keeps_it(
    ended: Callable[..., Order], jump: Callable[[float], None]
) -> None:
    order = ended()
    orders.raise_case(order.id, "contradiction", {"said": "failed"})
    jump(3 * 365 * DAY_S)
    assert forget_old() == 0
    with transaction():
        cases.close_row(cases.of_order(order.id)[0], "asked", SYSTEM)
    assert forget_old() == 1


def test_the_books_and_their_seals_do_not_know_numbers(
    ended: Callable[..., Order], jump: Callable[[float], None]
) -> None:
    ended()
    with tenancy.across_stores():
        before = proof.prove()
    jump(3 * 365 * DAY_S)
    assert forget_old() == 1
    with tenancy.across_stores():
        after = proof.prove()
    assert before.ok
    assert after.ok
    assert after.previous == before.hash


def test_the_database_masks_finished_orders_alone(
    ended: Callable[..., Order], postgres: dict[str, str]
) -> None:
    order = ended("processing")
    with tenancy.across_stores(), transaction() as session:
        assert (
            session.scalar(
                text("SELECT makola_mask_orders(ARRAY[:id]::bigint[])"),
                {"id": order.id},
            )
            == 0
        )
    change = "UPDATE orders SET recipient_msisdn = %s WHERE id = %s"
    with psycopg.connect(postgres["super"], autocommit=True) as session:
        with pytest.raises(
            psycopg.errors.CheckViolation, match="ck_orders_masked_when_over"
        ):
            session.execute(change, (MASKED, order.id))
        for wrong in (
            "+23324xxx456x",
            "+233xxxxxxxxx",
            "+23324XXX4567",
            "",
            "024xxx4567",
        ):
            with pytest.raises(psycopg.errors.CheckViolation, match="ck_orders"):
                session.execute(change, (wrong, order.id))


def test_no_store_may_call_the_function(
    ended: Callable[..., Order], kofi_id: int
) -> None:
    order = ended()
    tenancy.use(kofi_id)
    with (
        pytest.raises(DBAPIError, match="permission denied for function"),
        transaction() as session,
    ):
        session.scalar(
            text("SELECT makola_mask_orders(ARRAY[:id]::bigint[])"), {"id": order.id}
        )
    assert row(order).recipient_msisdn == NUMBER


def test_the_function_is_the_definer_s_and_not_everybody_s(
    app: Flask, postgres: dict[str, str]
) -> None:
    with psycopg.connect(postgres["super"]) as session:
        found = session.execute(
            "SELECT prosecdef, proconfig, proowner = 'makola_definer'::regrole, "
            "proacl::text FROM pg_proc WHERE proname = 'makola_mask_orders'"
        ).fetchone()
    assert found is not None
    assert found[:3] == (True, ["search_path=pg_catalog, public"], True)
    assert "{=X" not in found[3]
    assert ",=X" not in found[3]


@pytest.mark.slow(seconds=0.4)
def test_a_number_is_forgotten_on_request_in_calls_and_webhooks_too(
    ended: Callable[..., Order], ama: int, kofi_id: int, place: Callable[..., Order]
) -> None:
    order, still_open = ended(), ended("processing")
    tenancy.use(kofi_id)
    theirs = place(NUMBER)
    orders.cancel(theirs.code, AMA)
    other = place("+233201112222")
    orders.cancel(other.code, AMA)
    with tenancy.across_stores():
        body = {"beneficiary_number": "0241234567", "reference": order.order_ref}
        values = {
            "at": audit.clock.now(),
            "supplier": "datamart",
            "method": "POST",
            "path": "/v1/purchase",
        }
        values |= {
            "request_body": json.dumps(body),
            "response_body": '{"to":"233241234567"}',
            "outcome": "",
            "note": "",
        }
        records.record_call(
            endpoint="purchase", order_refs=(order.order_ref,), values=values
        )
        with transaction():
            webhook_events.keep(
                {
                    "event_key": "e1",
                    "body": b'{"to": "0241234567"}',
                    "event": "x",
                    "order_ref": order.order_ref,
                    "headers": {},
                }
            )
        found = orders.forget_number(NUMBER, SYSTEM)
    assert found == orders.Forgotten(2, (still_open.shown_code,))
    assert [row(one).recipient_msisdn for one in (order, theirs, still_open, other)] == [
        MASKED, MASKED, NUMBER, "+233201112222",
    ]  # fmt: skip
    assert "241234567" not in everything_but_orders()
    with tenancy.across_stores():
        line = audit.recent(1)[0]
    assert (line.action, line.detail) == (
        "forget_customer",
        {"orders": 2, "left_open": 1, "store": None},
    )


def test_of_one_store_alone(
    ended: Callable[..., Order], kofi_id: int, place: Callable[..., Order]
) -> None:
    order = ended()
    tenancy.use(kofi_id)
    theirs = place(NUMBER)
    orders.cancel(theirs.code, AMA)
    with tenancy.across_stores():
        assert orders.forget_number(NUMBER, SYSTEM, kofi_id).masked == 1
    assert [row(one).is_masked for one in (order, theirs)] == [False, True]


def test_the_command(app: Flask, ended: Callable[..., Order]) -> None:
    order, still_open = ended(), ended("processing")
    db.session.remove()
    tenancy.clear()
    run = app.test_cli_runner().invoke
    said = run(args=["customer", "forget", "024 123 4567", "--store", "ama"])
    assert (
        said.exit_code,
        "1 orders masked" in said.output,
        still_open.shown_code in said.output,
    ) == (1, True, True)
    assert "4567" not in said.output
    assert row(order).is_masked
    assert audit.recent(1)[0].actor_name == "Command line"
    assert (
        "There is no store called nope"
        in run(args=["customer", "forget", "0241234567", "--store", "nope"]).output
    )
    assert "Use digits only" in run(args=["customer", "forget", "abc"]).output
    assert "0 orders masked" in run(args=["customer", "forget", "0201112222"]).output


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("Invalid beneficiary 0241234567", "Invalid beneficiary 024•••4567"),
        ("to +233 24 123 4567.", "to +233 24•••4567."),
        ("233241234567", "23324•••4567"),
        ("00233-24-123-4567, again", "00233-24•••4567, again"),
        ("(024) no, 024 123\u00a04567", "(024) no, 024•••4567"),
        ("MK-0241234567ABCDEFG", "MK-0241234567ABCDEFG"),
        ("ref 10241234567", "ref 10241234567"),
        ("GH₵ 0.24, 12345678901234", "GH₵ 0.24, 12345678901234"),
        ("2026-11-28T10:24:12.345678", "2026-11-28T10:24:12.345678"),
    ],
)
def test_a_number_inside_a_text_is_masked_and_nothing_else(
    told: str, kept: str
) -> None:
    assert phones.hide(told) == kept
    assert phones.hide({"a": [told, 3, None]}) == {"a": [kept, 3, None]}


@pytest.mark.slow(seconds=0.3)
def test_what_the_supplier_says_brings_no_number_into_timeline_cases_or_audit(
    ama: int, place: Callable[..., Order]
) -> None:
    order = place(NUMBER)
    orders.release(order.code, AMA)
    claim_one(order.id)
    reason = "0241234567 cannot receive this"
    news = News(failure_reason=reason)
    orders.advance(
        order.id,
        "refunded",
        text=f"Refused (“{reason}”).",
        customer_text=reason,
        news=news,
    )
    orders.raise_case(order.id, "wrong_answer", {"said": reason})
    orders.raise_case(order.id, "wrong_answer", {"said": reason})
    audit.write(SYSTEM, "told", "customers", {"reason": reason})
    assert "241234567" not in everything_but_orders()
    with tenancy.across_stores():
        assert row(order).failure_reason == "024•••4567 cannot receive this"
        assert len(cases.of_order(order.id)[0].seen) == 1, (
            "the same news was taken for another"
        )


def test_a_statement_that_fails_brings_no_number_into_the_log(
    ended: Callable[..., Order], caplog: pytest.LogCaptureFixture
) -> None:
    """SQLAlchemy would name the values that were sent; whatever else is logged is masked too."""
    ended()
    try:
        with transaction() as session:
            session.execute(text("UPDATE orders SET state = :state, recipient_msisdn = :number"), {
                "state": "nonsense", "number": NUMBER,
            })  # fmt: skip
    except DBAPIError as error:
        assert "hidden" in str(error)
        structlog.get_logger("test").exception("it failed")
        structlog.get_logger("test").error(
            "it failed", detail=f"refused {NUMBER}", number="0241234567"
        )
    assert caplog.text.count("it failed") == 2
    assert "241234567" not in caplog.text


def everything_but_orders() -> str:
    """All rows of all tables as text, `orders` without the column that may hold a number."""
    tables = tables_owner.read(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    found: list[Any] = []
    for table in tables:
        dropped = "- 'recipient_msisdn'" if table == "orders" else ""
        found += tables_owner.read(
            f"SELECT (to_jsonb(t) {dropped})::text FROM {table} t"
        )
        if table == "webhook_events":
            found += tables_owner.read(
                "SELECT encode(body, 'escape') FROM webhook_events"
            )
    return "\n".join(found)
