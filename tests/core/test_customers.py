"""Customers as orders make them: what is summed, noted, blocked and forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import tables_owner
from flask import Flask
from sqlalchemy import func, select

from core import audit, catalog, orders
from core.audit import SUPPLIER, Actor
from core.base import clock, config, tenancy
from core.base.db import db, transaction
from core.orders import News, Order, customers, minding
from core.orders.customers import Known, NoSuchCustomer
from tests.support.claims import claim_one

AMA = Actor("agent", "Ama")
NUMBER = "+233241234567"
InStore = Callable[[str, Callable[[], Any]], Any]
WAITING = "SELECT pid FROM pg_locks WHERE NOT granted"

pytestmark = pytest.mark.slow(seconds=0.1)


@pytest.fixture
def buy(in_store: InStore, place: Any) -> Callable[..., Order]:
    """An order that is delivered."""

    def deed(
        number: str = NUMBER, slug: str = "ama", name: str = "", at: int = 0
    ) -> Order:
        def act() -> Order:
            line = catalog.shelf()[at]
            order: Order = place(
                number,
                bundle_id=line.bundle_id,
                customer_name=name,
                repeat_confirmed=True,
            )
            orders.release(order.code, AMA)
            claim_one(order.id)
            for state in ("processing", "completed"):
                news = News(raw_status=state)
                orders.advance(order.id, state, text="-", actor=SUPPLIER, news=news)  # type: ignore[arg-type]
            return order

        return in_store(slug, act)  # type: ignore[no-any-return]

    return deed


@pytest.fixture
def ours(as_store: InStore) -> Callable[..., Any]:
    """Do something as a page of ama's does, or of another store's."""
    return lambda deed, slug="ama": as_store(slug, deed)


def all_of(ours: Any, slug: str = "ama", by: str = "last") -> list[Known]:
    return ours(lambda: customers.page(by, None, 50), slug)  # type: ignore[no-any-return]


def only(ours: Any) -> Known:
    (one,) = all_of(ours)
    return one


def test_forgetting_in_one_store_leaves_the_words_of_others(
    app: Flask, buy: Any, ours: Any
) -> None:
    buy()
    buy(slug="kofi")
    theirs = all_of(ours, "kofi")[0].row.id
    ours(lambda: minding.describe(theirs, "Aunt Efua", "owes 5", AMA), "kofi")
    ama_id = ours(tenancy.current_store_id)
    with app.app_context(), tenancy.across_stores():
        orders.forget_number(NUMBER, AMA, ama_id)
        db.session.remove()
    row = all_of(ours, "kofi")[0].row
    assert (row.name, row.note) == ("Aunt Efua", "owes 5")


def until(so: Callable[[], bool]) -> None:
    for _ in range(500):
        if so():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def forget_old(app: Flask) -> int:
    with app.app_context(), tenancy.across_stores():
        return orders.forget_old()


def test_deliveries_make_a_customer_and_add_up(buy: Any, ours: Any, place: Any) -> None:
    first, second = buy(name="Efua"), buy(at=1)
    ours(lambda: place("+233241234568"))
    one = only(ours)
    assert (one.row.buys, one.row.name, one.msisdn) == (2, "Efua", NUMBER)
    assert one.row.spent_pesewas == first.price_pesewas + second.price_pesewas
    assert one.row.newest_order_id == second.id
    assert one.masked == "024 ••• 4567".replace(" ", "\N{NO-BREAK SPACE}")
    assert {each.bundle_id for each in ours(lambda: customers.bought(one))} == {
        first.bundle_id,
        second.bundle_id,
    }


def test_numbers_with_one_ending_are_two_customers(buy: Any, ours: Any) -> None:
    buy(), buy("+233551234567"), buy()
    assert sorted(one.row.buys for one in all_of(ours)) == [1, 2]


def test_each_store_has_its_own(buy: Any, ours: Any) -> None:
    buy(), buy(slug="kofi"), buy("+233201234567", "kofi")
    assert len(all_of(ours)) == 1 and len(all_of(ours, "kofi")) == 2
    theirs = all_of(ours, "kofi")[0].row.id
    for deed in (
        lambda: customers.by_id(theirs),
        lambda: minding.open_number(theirs, AMA),
        lambda: minding.describe(theirs, "x", "x", AMA),
        lambda: minding.block(theirs, "no reason", AMA),
        lambda: minding.unblock(theirs, AMA),
    ):
        with pytest.raises(NoSuchCustomer):
            ours(deed)


def test_pages_follow_each_other_whatever_they_are_sorted_by(
    buy: Any, ours: Any
) -> None:
    for number in range(5):
        for _ in range(1 + number % 2):
            buy(f"+23324000000{number}")
    for by in ("last", "spent"):
        whole = [one.row.id for one in all_of(ours, by=by)]
        seen: list[int] = []
        for _ in range(3):
            before = seen[-1] if seen else None
            seen += [
                one.row.id
                for one in ours(
                    lambda by=by, before=before: customers.page(by, before, 2)
                )
            ]
        assert seen == whole and len(whole) == 5


@pytest.mark.parametrize(
    ("typed", "many"),
    [("024 123 4567", 1), ("4567", 2), ("1234567", 0), ("456", 0), ("fUa", 1),
     ("mensah Ef", 1), ("Efua Kofi", 0), ("%", 0), ("0209999999", 0)],
)  # fmt: skip
def test_a_customer_is_found_by_number_or_name(
    buy: Any, ours: Any, typed: str, many: int
) -> None:
    buy(name="Efua Mensah"), buy("+233551234567")
    found = ours(lambda: customers.found(typed, 9))
    assert len(found) == many


def test_a_blocked_number_is_refused_to_customers_and_agents(
    buy: Any, ours: Any, place: Any
) -> None:
    buy()
    one = only(ours)
    with pytest.raises(minding.BadBlock, match="Say why"):
        ours(lambda: minding.block(one.row.id, " ", AMA))
    ours(lambda: minding.block(one.row.id, "Never pays", AMA))
    bundle_id = ours(lambda: catalog.shelf()[0].bundle_id)
    with pytest.raises(orders.Blocked) as refusal:
        ours(lambda: place(NUMBER, repeat_confirmed=True))
    assert refusal.value.why == "Never pays"
    assert "Never pays" not in refusal.value.sentence
    with pytest.raises(orders.Blocked):
        ours(lambda: orders.check(bundle_id, NUMBER))
    ours(lambda: place("+233551234567"))
    ours(lambda: place(NUMBER), "kofi")
    for _ in range(2):
        ours(lambda: minding.unblock(one.row.id, AMA))
    assert ours(lambda: place(NUMBER, repeat_confirmed=True)).id


def test_a_number_that_never_bought_is_blocked_by_its_order(
    ours: Any, place: Any
) -> None:
    order = ours(lambda: place(NUMBER))
    for why in ("Only jokes", "Only jokes, twice"):
        ours(lambda why=why: minding.block_of_order(order.code, why, AMA))
    one = only(ours)
    assert (one.row.buys, one.row.blocked_why) == (0, "Only jokes, twice")
    with pytest.raises(orders.Blocked):
        ours(lambda: place(NUMBER, repeat_confirmed=True))


def test_every_act_is_one_line_of_the_audit_and_names_nobody(
    app: Flask, buy: Any, ours: Any
) -> None:
    buy()
    one = only(ours).row.id
    ours(lambda: minding.open_number(one, AMA))
    ours(lambda: minding.describe(one, "Efua", "pays late", AMA))
    ours(lambda: minding.block(one, "Never pays", AMA))
    ours(lambda: minding.unblock(one, AMA))
    ours(lambda: orders.forget_own(NUMBER, AMA))
    with app.app_context(), tenancy.across_stores():
        lines = [line for line in audit.recent(20) if "customer" in line.action]
    assert sorted(line.action for line in lines) == [
        "block_customer",
        "describe_customer",
        "forget_customer",
        "open_customer",
        "unblock_customer",
    ]
    said = " ".join(f"{line.subject} {line.detail}" for line in lines)
    assert "4567" not in said and "Efua" not in said and "pays" not in said


def test_forgetting_takes_number_name_and_note_and_leaves_the_books(
    buy: Any, ours: Any
) -> None:
    order, other = buy(name="Efua"), buy("+233551234567")
    theirs = buy(slug="kofi")
    one = all_of_one(ours)
    ours(lambda: minding.describe(one, "Efua", "note", AMA))
    days = tables_owner.read("SELECT sum(sales_pesewas) FROM store_days")
    entries = tables_owner.read("SELECT sum(abs(amount_pesewas)) FROM entries")
    found = ours(lambda: orders.forget_own(NUMBER, AMA))
    assert (found.masked, found.open_codes) == (1, ())
    assert [one.msisdn for one in all_of(ours)] == ["+233551234567"]
    kept = ours(lambda: orders.by_code(order.code))
    assert kept.is_masked and kept.customer_name == ""
    assert not ours(lambda: orders.by_code(theirs.code), "kofi").is_masked
    assert not ours(lambda: orders.by_code(other.code)).is_masked
    assert len(all_of(ours, "kofi")) == 1
    assert tables_owner.read("SELECT sum(sales_pesewas) FROM store_days") == days
    assert tables_owner.read("SELECT sum(abs(amount_pesewas)) FROM entries") == entries


def all_of_one(ours: Any) -> int:
    (found,) = ours(lambda: customers.found(NUMBER, 2))
    return int(found.row.id)


def test_an_order_that_still_needs_the_number_keeps_it_without_name_and_note(
    ours: Any, place: Any
) -> None:
    order = ours(lambda: place(NUMBER, customer_name="Efua"))
    row = ours(lambda: minding.block_of_order(order.code, "Only jokes", AMA))
    ours(lambda: minding.describe(row.id, "Efua", "note", AMA))
    found = ours(lambda: orders.forget_own(NUMBER, AMA))
    assert found.open_codes == (order.shown_code,)
    assert (only(ours).row.name, only(ours).row.note) == ("", "")


def test_age_forgets_customers_too(app: Flask, buy: Any, ours: Any, jump: Any) -> None:
    buy()
    jump(86_400 * (config.current().retention_days + 1))
    assert forget_old(app) == 1
    assert all_of(ours) == []


def test_no_number_stands_whole_beside_orders(buy: Any, ours: Any) -> None:
    buy()
    rows = ours(lambda: db.session.execute(select(customers.Customer.__table__)).all())
    assert len(rows) == 1 and "1234567" not in str(rows)
    assert rows[0].last_at <= clock.now()


def test_a_delivery_beside_a_mask_is_counted(app: Flask, buy: Any, ours: Any) -> None:
    order = buy()
    masked, waits = threading.Event(), threading.Event()

    def mask() -> None:
        with app.app_context(), tenancy.across_stores(), transaction():
            db.session.execute(select(func.makola_mask_orders([order.id])))
            masked.set()
            waits.wait(5)

    masking = threading.Thread(target=mask)
    masking.start()
    assert masked.wait(5)
    # the next delivery finds the row that is going, and waits for its end
    delivering = threading.Thread(target=buy)
    delivering.start()
    until(lambda: tables_owner.read(WAITING) != [])
    waits.set()
    masking.join(5), delivering.join(5)
    one = only(ours)
    assert (one.msisdn, one.row.buys) == (NUMBER, 1)


def test_a_block_lasts_as_long_as_an_order_keeps_the_number(
    app: Flask, ours: Any, place: Any, jump: Any
) -> None:
    def cancelled() -> Order:
        order: Order = ours(lambda: place(NUMBER, repeat_confirmed=True))
        ours(lambda: orders.cancel(order.code, AMA))
        return order

    old = cancelled()
    jump(86_400 * 10)
    new = cancelled()
    ours(lambda: place(NUMBER, repeat_confirmed=True), "kofi")
    ours(lambda: minding.block_of_order(old.code, "Never pays", AMA))
    jump(86_400 * (config.current().retention_days - 5))
    assert forget_old(app) == 1
    assert only(ours).row.newest_order_id == new.id
    with pytest.raises(orders.Blocked):
        ours(lambda: place(NUMBER, repeat_confirmed=True))
    jump(86_400 * 10)
    assert forget_old(app) == 1
    assert all_of(ours) == []


def test_two_who_block_a_number_at_once_block_one_customer(
    ours: Any, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [ours(lambda: place(NUMBER, repeat_confirmed=True)).code for _ in range(2)]
    made = minding._made

    def slowly(order: Order) -> Any:
        row = made(order)
        # the other one has looked for the customer too, or waits for its turn
        looked.append(order.id)
        until(lambda: len(looked) == 2 or tables_owner.read(WAITING) != [])
        return row

    looked: list[int] = []
    monkeypatch.setattr(minding, "_made", slowly)
    both = [
        threading.Thread(
            target=ours,
            args=(lambda code=code: minding.block_of_order(code, "Never pays", AMA),),
        )
        for code in codes
    ]
    for one in both:
        one.start()
    for one in both:
        one.join(5)
    row = only(ours).row
    ours(lambda: minding.unblock(row.id, AMA))
    assert ours(lambda: place(NUMBER, repeat_confirmed=True)).id


def test_a_delivery_and_a_block_at_once_make_one_customer(
    ours: Any, in_store: InStore, place: Any
) -> None:
    blocked = ours(lambda: place(NUMBER, repeat_confirmed=True))
    going = ours(lambda: place(NUMBER, repeat_confirmed=True))
    blocking = threading.Thread(
        target=ours,
        args=(lambda: minding.block_of_order(blocked.code, "Never pays", AMA),),
    )
    address = config.current().database_admin_url
    with psycopg.connect(address) as delivering:
        delivering.execute(
            "UPDATE orders SET state = 'completed', completed_at = now(), final_at = now()"
            " WHERE id = %s",
            [going.id],
        )
        # at the end of its transaction: a customer is made
        delivering.execute("SET CONSTRAINTS ALL IMMEDIATE")
        blocking.start()
        until(lambda: tables_owner.read(WAITING) != [] or not blocking.is_alive())
    blocking.join(5)
    row = only(ours).row
    assert row.blocked_at is not None and row.buys == 1
