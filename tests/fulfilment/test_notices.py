"""Telling devices: one notice for many things, to people of that store alone, without a number or an
amount; and what a push service that takes nothing does to it."""

from __future__ import annotations

from typing import Any

import pytest
import tables_owner
from desk import Desk

from core import leases, notices, orders, outbox, stores
from core.accounts import people, users
from core.audit import SYSTEM, Actor
from core.base import config, tenancy
from core.notices import devices
from core.notices.sending import GAP_S, LADDER_S, LOOK_S, WAIT_S
from fulfilment import housekeeping, jobs
from integrations.webpush import keys
from tests.support.push import Phone, Service
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.3)
ROWS = "SELECT id FROM outbox WHERE kind = 'notify_device' AND done_at IS NULL"
DEVICES = "SELECT id FROM push_devices ORDER BY id"


class Told:
    """The desk, a push service, and devices that were switched on."""

    def __init__(self, desk: Desk, pair: str) -> None:
        self.desk = desk
        self.service = Service()
        push = self.service.push(pair, devices.may_be_called)
        desk.app.extensions["push"] = push

    def switch_on(self, name: str = "ama", slug: str = "ama", **chosen: Any) -> Phone:
        with self.desk.app.app_context():
            who = users.by_email(f"{name}@example.test")
        assert who is not None
        phone = Phone(f"/{name}-{slug}")
        actor = Actor("agent", who.name, who.id)
        with self.desk.inside(slug):
            device = devices.switch_on(actor, who.access_no, name="Phone", **phone.form)
            if chosen:
                devices.choose(device.id, chosen["kinds"], actor)
        return phone

    def look(self, *, later_s: float = WAIT_S + 1) -> int:
        """Time passes, the relay looks for news, and what is due is worked on."""
        self.desk.jump(later_s)
        with tenancy.across_stores():
            hastened = notices.sending.hasten()
        self.work()
        return hastened

    def work(self) -> None:
        """The rows of devices that are due, and no others."""
        with tenancy.across_stores():
            kind = outbox.OutboxRow.kind == "notify_device"
            leased = leases.lease_due(100, of=kind)
        for outbox_id, lease_no in leased:
            jobs.run(outbox_id, lease_no)

    def read(self, phone: Phone) -> list[dict[str, Any]]:
        return [
            phone.read(one.content)
            for one in self.service.handed
            if str(one.url) == phone.endpoint
        ]


@pytest.fixture
def told(desk: Desk, using: Using) -> Told:
    pair = keys.make()
    using(push_key=pair)
    return Told(desk, pair)


def test_fifty_orders_are_one_notice_that_says_no_more_than_it_must(
    told: Told, desk: Desk
) -> None:
    phone, other = told.switch_on(), told.switch_on("kofi", "kofi")
    told.look()
    assert told.service.handed == []
    for _ in range(7):
        desk.place()
    assert told.look(later_s=9) == 0  # more may come
    assert told.service.handed == []
    assert told.look(later_s=2) == 1
    (notice,) = told.read(phone)
    assert notice["title"] == "7 new orders" and notice["href"] == "/orders?tab=new"
    assert notice["body"] == "7 wait for you. Ama's Data"
    said = str(notice)
    assert "024" not in said and "GH" not in said and "." not in notice["title"]
    assert told.read(other) == []
    # told once, and the next not within the gap
    told.look(later_s=LOOK_S)
    assert len(told.read(phone)) == 1
    desk.place()
    told.look()
    desk.place()
    told.look()
    assert [one["title"] for one in told.read(phone)] == ["7 new orders", "1 new order"]
    told.look(later_s=GAP_S)
    assert told.read(phone)[2]["title"] == "1 new order"
    assert told.read(phone)[2]["body"].startswith("9 wait")


def test_who_works_in_several_stores_is_led_into_the_one_it_is_about(
    told: Told, desk: Desk
) -> None:
    several, one = told.switch_on("both"), told.switch_on()
    elsewhere = told.switch_on("both", "kofi")
    desk.place()
    told.look()
    assert [each["href"] for each in told.read(several)] == [
        "/stores/ama?next=%2Forders%3Ftab%3Dnew"
    ]
    assert [each["href"] for each in told.read(one)] == ["/orders?tab=new"]
    assert told.read(elsewhere) == []


def test_each_device_is_told_of_what_was_chosen_for_it(told: Told, desk: Desk) -> None:
    late, nothing = told.switch_on(kinds=["late"]), told.switch_on("cashier", kinds=[])
    all_of_it = told.switch_on("viewer")
    desk.release()
    told.look()
    assert [one["title"] for one in told.read(all_of_it)] == ["1 new order"]
    assert told.read(late) == told.read(nothing) == []
    # nothing happens to an order that becomes late: it is looked for now and then
    told.look(later_s=config.current().late_queued_s + LOOK_S)
    assert [one["title"] for one in told.read(late)] == ["1 order is late"]
    assert told.read(nothing) == []


@pytest.mark.parametrize("how", ["left", "logged out everywhere", "removed"])
def test_who_does_not_belong_to_the_store_any_more_is_told_nothing(
    told: Told, desk: Desk, how: str
) -> None:
    name = "both" if how == "left" else "cashier"
    told.switch_on(name)
    stays = told.switch_on()
    desk.place()
    store = stores.by_slug("ama")
    who = users.by_email(f"{name}@example.test")
    assert store is not None and who is not None
    if how == "left":
        people.set_membership(store, who.id, None, SYSTEM)
        # of another store still, and as if their log-ins had not been ended
        tables_owner.execute(
            "UPDATE push_devices d SET access_no = u.access_no FROM users u WHERE u.id = d.user_id"
        )
    elif how == "removed":
        people.remove(who.id, SYSTEM)
    else:
        people.log_out_everywhere(who.id, SYSTEM)
    told.look()
    assert len(told.service.handed) == len(told.read(stays)) == 1
    assert len(tables_owner.read(DEVICES)) == 1
    told.look(later_s=LOOK_S)
    assert len(tables_owner.read(ROWS)) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_is_gone_is_forgotten(
    told: Told, desk: Desk, status: int
) -> None:
    told.switch_on()
    told.service.status = status
    desk.place()
    told.look()
    assert len(told.service.handed) == 1
    assert tables_owner.read(DEVICES) == tables_owner.read(ROWS) == []
    acts = tables_owner.read(
        "SELECT actor_name FROM audit WHERE action = 'switch_notices_off'"
    )
    assert acts == ["Makola"]


@pytest.mark.parametrize("status", [429, 503, 403])
def test_what_is_not_taken_is_tried_again_and_not_for_ever(
    told: Told, desk: Desk, status: int
) -> None:
    told.switch_on()
    told.service.status = status
    desk.place()
    told.look()
    for tries, wait_s in enumerate(LADDER_S, start=1):
        assert len(told.service.handed) == tries
        told.look(later_s=wait_s / 2)  # the relay does not hurry it
        assert len(told.service.handed) == tries
        told.look(later_s=wait_s / 2 + 1)
    assert len(told.service.handed) == len(LADDER_S) + 1
    # refused to the end it is given up, busy to the end only this notice is
    assert len(tables_owner.read(DEVICES)) == (0 if status == 403 else 1)
    told.look(later_s=7_200)
    assert len(told.service.handed) == len(LADDER_S) + 1


def test_a_push_service_says_how_long_to_wait_and_within_reason(
    told: Told, desk: Desk
) -> None:
    phone = told.switch_on()
    told.service.status, told.service.headers = 429, {"Retry-After": "900"}
    desk.place()
    told.look()
    told.look(later_s=800)
    assert len(told.service.handed) == 1
    told.service.status = 201
    told.look(later_s=101)
    assert [one["title"] for one in told.read(phone)] == ["1 new order"] * 2
    assert told.look(later_s=LOOK_S) == 0 and len(told.service.handed) == 2


def test_a_job_that_died_after_it_sent_sends_the_same_once_more(
    told: Told, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = told.switch_on()
    desk.place()

    def dies(*_given: Any, **_more: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(notices.sending, "told", dies)
        with pytest.raises(ZeroDivisionError):
            told.look()
    told.look(later_s=LOOK_S + 1)
    told.look(later_s=LOOK_S + 1)
    first, again = told.read(phone)
    assert first["tag"] == again["tag"] and first["title"] == again["title"]
    assert {one.headers["topic"] for one in told.service.handed} == {first["tag"]}


def test_while_it_is_off_nothing_is_looked_for_and_nothing_sent(
    told: Told, desk: Desk, using: Using
) -> None:
    told.switch_on()
    using(push_key="")
    desk.place()
    assert told.look() == 0 and told.look(later_s=LOOK_S) == 0
    assert told.service.handed == []


def test_purchases_go_before_notices_and_a_store_is_not_hastened_for_another(
    told: Told, desk: Desk
) -> None:
    told.switch_on("kofi", "kofi")
    told.look()
    desk.place()
    assert told.look() == 0
    desk.place("kofi")
    desk.release()
    desk.jump(WAIT_S + 1)
    with tenancy.across_stores():
        assert notices.sending.hasten() == 1
        turns = orders.due_turns()[1]
    assert turns[-1] == "notice" and "purchase" in turns


def test_devices_are_told_few_at_a_time_and_one_while_purchases_wait(
    told: Told, desk: Desk, using: Using
) -> None:
    using(workers=4)
    for name in ("ama", "cashier", "viewer", "both"):
        told.switch_on(name)
    desk.place()
    desk.jump(WAIT_S + 1)
    with tenancy.across_stores():
        room = housekeeping.room_for_notices
        assert (room(0), room(1), room(9)) == (3, 2, 1)
        kind = outbox.OutboxRow.kind == "notify_device"
        leases.lease_due(1, of=kind)
        assert (room(0), room(2), room(9)) == (2, 0, 0)
        leases.lease_due(2, of=kind)
        assert (room(0), room(9)) == (0, 0)


@pytest.mark.parametrize(("workers", "most"), [(1, 1), (2, 1), (3, 2), (9, 3)])
def test_a_slow_push_service_holds_all_workers_but_one(
    desk: Desk, using: Using, workers: int, most: int
) -> None:
    using(workers=workers)
    with tenancy.across_stores():
        assert housekeeping.room_for_notices(0) == most


def test_who_takes_a_browser_over_while_it_is_dropped_keeps_it(
    told: Told, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = told.switch_on("cashier")
    desk.place()
    who = users.by_email("cashier@example.test")
    assert who is not None
    people.remove(who.id, SYSTEM)
    looked = notices.sending._may_be_told
    seen = []

    def taken_over(device: devices.PushDevice) -> bool:
        """Between the look and the lock it is another person's."""
        found = looked(device)
        if not seen:
            tables_owner.execute(
                "UPDATE push_devices d SET user_id = u.id, access_no = u.access_no FROM users u"
                " WHERE u.email = 'ama@example.test'"
            )
        seen.append(found)
        return found

    monkeypatch.setattr(notices.sending, "_may_be_told", taken_over)
    told.look()
    assert seen == [False, True] and len(told.read(phone)) == 1
    assert len(tables_owner.read(DEVICES)) == len(tables_owner.read(ROWS)) == 1
