"""What notices there are of a store, what somebody has read of it, and which devices are told."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tables_owner
from flask import Flask
from sqlalchemy import event

from core import day_summary, ledger, notices, orders
from core.accounts import users
from core.audit import SUPPLIER, SYSTEM, Actor
from core.base import clock, config, tenancy
from core.base.db import db, transaction
from core.notices import devices
from core.orders import News, Order
from integrations.webpush import keys
from tests.support.claims import claim_one
from tests.support.push import Phone
from tests.support.settings import Using

InStore = Callable[[str, Callable[[], Any]], Any]

pytestmark = pytest.mark.slow(seconds=0.1)


@pytest.fixture
def on(using: Using) -> None:
    using(push_key=keys.make())


def person(app: Flask, name: str = "ama") -> Actor:
    with app.app_context():
        found = users.by_email(f"{name}@example.test")
        assert found is not None
        return Actor("agent", found.name, found.id)


def kinds(as_store: InStore, slug: str = "ama") -> list[str]:
    found = as_store(slug, notices.reading.listed)
    return [one.kind for one in found]


def count(as_store: InStore, since: Any, slug: str = "ama") -> dict[str, int]:
    later = clock.now()
    return as_store(slug, lambda: notices.reading.counted(since, later, notices.KINDS))  # type: ignore[no-any-return]


def fail(order: Order) -> None:
    orders.release(order.code, Actor("agent", "Ama"))
    claim_one(order.id)
    for state in ("processing", "failed"):
        said = News(raw_status=state)
        orders.advance(order.id, state, text="-", actor=SUPPLIER, news=said)  # type: ignore[arg-type]


def test_what_is_told_of_a_store_and_what_is_not(
    as_store: InStore, in_store: InStore, place: Any, jump: Any
) -> None:
    since = clock.now() - timedelta(seconds=1)
    assert kinds(as_store) == []
    first = in_store("ama", place)
    in_store("kofi", place)
    # what the store's own people brought is nothing new to them
    tables_owner.execute(
        "UPDATE orders SET source = 'walk_in' WHERE id = :id",
        id=in_store("ama", place).id,
    )
    assert kinds(as_store) == ["new"] and count(as_store, since) == {"new": 1}
    tables_owner.execute(
        "UPDATE orders SET told_at = now(), told_first_at = now() WHERE id = :id",
        id=first.id,
    )
    failing = in_store("ama", place)
    in_store("ama", lambda: fail(failing))
    going = in_store("ama", place)
    in_store("ama", lambda: orders.release(going.code, Actor("agent", "Ama")))
    assert sorted(set(kinds(as_store))) == ["failed", "new", "paid"]
    jump(config.current().late_queued_s + 1)
    assert count(as_store, since) == {"new": 3, "paid": 1, "failed": 1, "late": 1}
    assert count(as_store, clock.now() - timedelta(seconds=0.5)) == {}
    assert kinds(as_store, "kofi") == ["new"]
    said = as_store("ama", notices.reading.listed)
    assert all("•••" in one.text and one.code for one in said)
    jump(86_400 * (notices.reading.DAYS + 1))
    assert kinds(as_store) == []


def test_a_low_wallet_and_what_the_float_does_not_cover_are_told_since_when(
    app: Flask, as_store: InStore, using: Using
) -> None:
    before = clock.now()
    store_id = as_store("ama", tenancy.current_store_id)
    using(low_wallet_pesewas=50_001)
    (low,) = as_store("ama", notices.reading.listed)
    assert low.kind == "low"
    with app.app_context(), tenancy.across_stores():
        ledger.fund_wallet(store_id, 1, "enough", SYSTEM)
    assert kinds(as_store) == []
    with app.app_context(), tenancy.across_stores():
        ledger.take_back(store_id, 1, "too much", SYSTEM)
        ledger.take_back(store_id, 1, "too much again", SYSTEM)
    (low,) = as_store("ama", notices.reading.listed)
    first = tables_owner.read("SELECT at FROM postings WHERE note = 'too much'")[0]
    assert low.at == first and count(as_store, before) == {"low": 1}
    using(low_wallet_pesewas=0)
    shelf = tables_owner.read("SELECT id FROM bundles ORDER BY id LIMIT 2")
    since = clock.now().isoformat()
    tables_owner.execute(
        "UPDATE buying SET renewed_at = now(),"
        f" short = jsonb_build_object('{shelf[0]}', '{since}', '{shelf[1]}', '{since}')"
    )
    assert kinds(as_store) == ["short", "short"]
    assert count(as_store, before) == {"short": 2}


def test_what_was_read_is_of_one_person_and_an_old_page_takes_nothing_back(
    app: Flask, as_store: InStore
) -> None:
    me, other = person(app).user_id, person(app, "cashier").user_id
    now = clock.now()
    as_store("ama", lambda: notices.marks.read(me, now))
    as_store("ama", lambda: notices.marks.read(me, now - timedelta(hours=1)))
    assert as_store("ama", lambda: notices.marks.read_until(me)) == now
    as_store("ama", lambda: notices.marks.read(me, now + timedelta(days=999)))
    assert now <= as_store("ama", lambda: notices.marks.read_until(me)) <= clock.now()
    assert as_store("ama", lambda: notices.marks.read_until(other)) < now
    assert as_store("kofi", lambda: notices.marks.read_until(me)) < now


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/fcm/send/x", "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com.evil.example/x", "https://evil.example/fcm.googleapis.com",
        "https://fcm.googleapis.com@127.0.0.1/x", "https://127.0.0.1/x", "https://[::1]/x",
        "https://push.apple.com/x", "https://xpush.apple.com/x", "https://localhost/x", "",
        "https://fcm.googleapis.com/x y", "https://fcm.googleapis.com\\@evil.example/",
        "https://fcm.googleapis.com/" + "x" * 1_000, "https://fcm.googleapis.com/\u202e",
        "javascript:alert(1)", "https://fcm.googleapis.com:99999/x",
        "https://fcm.googleapis.com/\nX: y",
        "https://web..push.apple.com/x", "https://.push.apple.com/x", "https://*.push.apple.com/x",
        f"https://{'x' * 64}.push.apple.com/x", f"https://{'x.' * 120}push.apple.com/x",
        "https://evil.example%2f.push.apple.com/x", "https://-x.push.apple.com/x",
    ],
)  # fmt: skip
def test_a_notice_goes_to_no_address_but_that_of_a_push_service(
    on: None, endpoint: str
) -> None:
    assert not devices.may_be_called(endpoint)
    assert devices.may_be_called("https://fcm.googleapis.com/fcm/send/x:y")
    assert devices.may_be_called("https://web.push.apple.com/x")


def test_devices_are_of_one_person_few_and_each_once(
    app: Flask, as_store: InStore, on: None, using: Using
) -> None:
    me, cashier = person(app), person(app, "cashier")

    def switch(who: Actor, phone: Phone, slug: str = "ama", **wrong: str) -> Any:
        said = phone.form | wrong
        return as_store(
            slug, lambda: devices.switch_on(who, 0, name="Chrome on Android", **said)
        )

    phone = Phone()
    one = switch(me, phone)
    assert switch(me, phone).id == one.id
    assert switch(cashier, phone).user_id == cashier.user_id
    assert switch(me, phone, "kofi").id != one.id
    for wrong in (
        {"endpoint": "https://evil.example/x"}, {"auth": "short"}, {"p256dh": "BBBB"},
        {"p256dh": "é" * 87}, {"auth": ""},
    ):  # fmt: skip
        with pytest.raises(devices.BadDevice):
            switch(me, Phone("/bad"), **wrong)
    for number in range(devices.MOST):
        last = switch(me, Phone(f"/{number}"))
    with pytest.raises(devices.BadDevice, match="told already"):
        switch(me, Phone("/more"))
    # not another person's, nor another store's
    for who, slug in ((cashier, "ama"), (me, "kofi")):
        with pytest.raises(devices.NoSuchDevice):
            as_store(slug, lambda who=who: devices.remove(last.id, who))
        with pytest.raises(devices.NoSuchDevice):
            as_store(slug, lambda who=who: devices.choose(last.id, ["new"], who))
    as_store("ama", lambda: devices.choose(last.id, ["late", "odd", "new"], me))
    assert tables_owner.read(
        f"SELECT kinds FROM push_devices WHERE id = {last.id}"
    ) == [["new", "late"]]
    as_store("ama", lambda: devices.remove(last.id, me))
    acts = tables_owner.read(
        f"SELECT action FROM audit WHERE subject = 'device:{last.id}' ORDER BY id"
    )
    assert acts == ["switch_notices_on", "choose_notices", "switch_notices_off"]
    assert "push.services" not in str(
        tables_owner.read("SELECT detail::text FROM audit")
    )
    using(push_key="")
    with pytest.raises(devices.BadDevice, match="no notices"):
        switch(me, Phone("/off"))


def test_two_devices_at_once_are_not_one_too_many(
    app: Flask, as_store: InStore, on: None
) -> None:
    me = person(app)
    refused: list[str] = []

    def switch(number: int) -> None:
        said = Phone(f"/{number}").form
        try:
            as_store("ama", lambda: devices.switch_on(me, 0, name="x", **said))
        except devices.BadDevice as refusal:
            refused.append(refusal.sentence)

    at_once = [
        threading.Thread(target=switch, args=(number,))
        for number in range(devices.MOST + 3)
    ]
    for one in at_once:
        one.start()
    for one in at_once:
        one.join(10)
    assert len(tables_owner.read("SELECT id FROM push_devices")) == devices.MOST
    assert len(refused) == 3


def plans(deed: Callable[[], Any]) -> str:
    """How the database would carry out what a deed asks of it, for any values."""
    said: list[tuple[str, Any]] = []

    def hear(_c: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        said.append((statement, values))

    engine = db.session.connection().engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        deed()
    finally:
        event.remove(engine, "before_cursor_execute", hear)
    lines = []
    with transaction() as session:
        one = session.connection()
        # a few rows are read as they come, whatever indexes there are
        one.exec_driver_sql("SET LOCAL enable_seqscan = off")
        one.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        for statement, values in said:
            if statement.startswith(("SELECT", "WITH", "UPDATE")):
                found = one.exec_driver_sql(f"EXPLAIN {statement}", values)
                lines += [row[0] for row in found]
    return "\n".join(lines)


@pytest.mark.parametrize("who", ["news", "day"])
def test_what_failed_is_looked_up_by_its_moment_and_not_read_through(
    as_store: InStore, in_store: InStore, place: Any, who: str
) -> None:
    """Under row-level security a COALESCE is a filter over all that ever failed."""
    in_store("ama", place)
    now = clock.now()
    since = now - timedelta(days=1)
    if who == "day":
        plan = as_store("ama", lambda: plans(lambda: day_summary.of(since.date())))
    else:
        read = notices.reading.counted
        plan = as_store("ama", lambda: plans(lambda: read(since, now, ["failed"])))
    assert re.search(
        r"using ix_orders_undelivered on .*\n +Index Cond: .*CASE WHEN .*failed_since",
        plan,
    ), plan
    if who == "day":
        for state in ("refunded", "cancelled", "expired"):
            assert re.search(
                rf"ix_orders_unsold on .*\n +Index Cond: .*state = '{state}'.*final_at",
                plan,
            ), plan
