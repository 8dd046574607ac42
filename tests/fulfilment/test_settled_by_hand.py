"""From the case to the supplier and back: what a person's press makes a worker do, and what is
found after a refund."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from desk import Desk
from seed import WALLET_PESEWAS
from sqlalchemy import select

from core import audit, cases, outbox, settling
from core.base import clock, tenancy
from core.base.db import db
from core.orders import Order
from fulfilment.buying import schedule
from integrations.ports import NoAnswer
from tests.support.settings import Using

ESI = audit.Actor("owner", "Esi")
COST, AGENT = 460, 470


def press(action: str, seen: int | None = None) -> str:
    """Press on the newest open case."""
    with tenancy.across_stores():
        return settling.settle(
            cases.open_cases(9)[-1].id,
            action,
            ESI,
            words="their word",
            seen_pesewas=seen,
        )


def until_a_case(desk: Desk, kind: str, limit: int = 40) -> None:
    for _ in range(limit):
        desk.work()
        if kind in desk.cases():
            return
        desk.jump_to_next()
    raise AssertionError(f"{desk.cases()} after {limit} looks, wanted {kind}")


def row(order: Order) -> outbox.OutboxRow:
    with tenancy.across_stores():
        return db.session.scalars(
            select(outbox.OutboxRow).where(outbox.OutboxRow.order_id == order.id)
        ).one()


@pytest.mark.slow(seconds=0.6)
def test_sent_again_by_hand_is_bought_once(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(dedupe=False)
    desk.plan("http_500_before", times=2)
    order = desk.release()
    until_a_case(desk, "resend_limit")
    press("send_again")
    order = desk.work_until(order, "processing")
    assert len(desk.charges(order)) == 1
    assert (order.attempt, order.resends) == (3, 2)


@pytest.mark.slow(seconds=0.2)
def test_a_person_told_wrongly_buys_nothing_twice(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker died in its call, look-ups were broken for a day, the supplier's person said no:
    it had it."""
    desk = make_desk(dedupe=False)
    order = desk.release()

    def killed(_request: object) -> None:
        submit(_request)
        raise SystemExit  # no answer is recorded, and no mark is left

    submit = desk.client.submit
    with monkeypatch.context() as dying:
        dying.setattr(desk.client, "submit", killed)
        dying.setattr("core.orders.mark_unknown", lambda *_about: None)
        with pytest.raises(SystemExit):
            desk.work()
    with monkeypatch.context() as broken:
        broken.setattr(desk.client, "status", lambda _ref: NoAnswer("broken", "500"))
        desk.jump(90_000)
        desk.work()
    assert (desk.cases(), desk.read(order).ever_unknown) == (
        ["unknown_too_long"],
        False,
    )
    press("send_again")
    order = desk.work_until(order, "processing")
    assert len(desk.charges(order)) == 1


@pytest.mark.slow(seconds=0.5)
def test_given_back_by_hand_and_delivered_after_all_is_found(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(dedupe=False)
    desk.plan("http_500_before", times=2)
    order = desk.release()
    until_a_case(desk, "resend_limit")
    press("give_back", AGENT)
    assert desk.wallet() == (WALLET_PESEWAS, 0)
    from integrations.ports import PurchaseRequest

    desk.client.submit(
        PurchaseRequest(
            order.order_ref, order.product_name, order.capacity, order.recipient_msisdn
        )
    )
    desk.settle(order, "successful")
    until_a_case(desk, "late_success")
    press("accept_loss", COST)
    books = desk.books()
    assert (books["write_off"], books["in_flight"], desk.read(order).state) == (
        COST,
        0,
        "refunded",
    )
    assert desk.wallet() == (WALLET_PESEWAS, 0)


@pytest.mark.slow(seconds=0.3)
def test_a_delivery_after_the_refund_is_found_with_every_webhook_lost(
    desk: Desk,
) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "reversed", refund=True)
    order = desk.work_until(order, "refunded")
    since = clock.now()
    desk.work()
    desk.settle(order, "successful")
    until_a_case(desk, "late_success", limit=3)
    assert 3_500 < (clock.now() - since).total_seconds() < 4_000
    order = desk.read(order)
    before = (order.version, desk.books(), desk.wallet())
    for _ in range(2):
        desk.jump_to_next()
        desk.work()
    with tenancy.across_stores():
        [case] = cases.open_cases(9)
    assert case.seen[0]["delivered"] and len(case.seen) == 1, (
        "the same word again adds nothing"
    )
    assert (desk.read(order).version, desk.books(), desk.wallet()) == before
    assert row(order).done_at is not None, "and after a day nobody asks any more"
    assert desk.read(order).state == "refunded"


@pytest.mark.slow(seconds=0.2)
def test_a_refund_that_stands_is_looked_at_three_times_and_asks_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "reversed", refund=True)
    order = desk.work_until(order, "refunded")
    assert order.final_at is not None
    asked, told = [], (order.version, desk.wallet())
    status = desk.client.status

    def noted(ref: str) -> object:
        asked.append(
            round(
                (clock.now() - (order.final_at or clock.now())).total_seconds() / 3_600
            )
        )
        return status(ref)

    monkeypatch.setattr(desk.client, "status", noted)
    for _ in range(3):
        desk.jump_to_next()
        desk.work()
    assert row(order).done_at is not None
    assert asked == [1, 6, 24]
    assert desk.cases() == []
    assert (desk.read(order).version, desk.wallet()) == told


def test_a_supplier_that_forgot_a_refunded_order_is_no_case(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integrations.ports import Absent

    order = desk.release()
    desk.work()
    desk.settle(order, "reversed", refund=True)
    order = desk.work_until(order, "refunded")
    monkeypatch.setattr(desk.client, "status", Absent)
    for _ in range(3):
        desk.jump_to_next()
        desk.work()
    assert row(order).done_at is not None
    assert desk.cases() == []


@pytest.mark.parametrize(
    ("state", "marks", "watched"),
    [
        ("refunded", {}, False),  # refused as invalid: the supplier never had it
        ("refunded", {"processing_at": True}, True),
        ("refunded", {"failed_since": True}, True),
        ("refunded", {"ever_unknown": True}, True),
        ("cancelled", {}, False),
        ("cancelled", {"ever_unknown": True}, True),
    ],
)
def test_what_the_supplier_may_have_is_watched_after_its_money_went_back(
    desk: Desk, state: str, marks: dict[str, bool], watched: bool
) -> None:
    order = desk.release()
    order.state, order.final_at = state, clock.now()
    for name in marks:
        setattr(order, name, True if name == "ever_unknown" else clock.now())
    assert (schedule.next_check(order) is not None) == watched
    db.session.expunge_all()


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        ("never_fulfilled", "never_fulfilled_case_s"),
        ("unknown_too_long", "unknown_case_s"),
    ],
)
def test_when_a_person_is_asked_is_a_setting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, using: Using, kind: str, setting: str
) -> None:
    using(**{setting: 7_200})
    order = desk.release()
    if kind == "unknown_too_long":
        monkeypatch.setattr(desk.client, "submit", lambda _r: unclear())
        monkeypatch.setattr(
            desk.client, "status", lambda _ref: NoAnswer("broken", "500")
        )
    desk.work()
    desk.jump(7_000)
    desk.work()
    assert desk.cases() == []
    desk.jump(4_000)
    desk.work()
    assert desk.cases() == [kind], desk.read(order).state


def unclear() -> object:
    from integrations.ports import Unknown

    return Unknown("read timeout")
