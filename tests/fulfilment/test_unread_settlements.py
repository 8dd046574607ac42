"""A settlement that cannot be read asks a person and is tried again; the others, and later days, go
on without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core import cases
from core.base import clock
from core.cases import Case
from core.online.listed import GatewaySettlement
from integrations.payments_port import Rows
from integrations.paystack import money
from integrations.ports import NoAnswer
from tests.fulfilment.test_gateway_days import net
from tests.support.gateway_days import Calendar
from tests.support.till import Till

pytestmark = pytest.mark.slow(seconds=0.5)

Spoil = Callable[[Any, pytest.MonkeyPatch], None]


@pytest.fixture
def days(till: Till) -> Calendar:
    return Calendar(till)


def listed_as(**odd: Any) -> Spoil:
    """The list has the oldest settlement so."""

    def spoil(wire: Any, patch: pytest.MonkeyPatch) -> None:
        true = wire.settlements

        def settlements(*asked: Any) -> Any:
            found = true(*asked)
            rows = sorted(found.rows, key=lambda row: int(row.gateway_id))
            return replace(found, rows=(replace(rows[0], **odd), *rows[1:]))

        patch.setattr(wire, "settlements", settlements)

    return spoil


def inside_as(answer: Callable[[Any], Any]) -> Spoil:
    """The list of the first settlement's payments is answered so."""

    def spoil(wire: Any, patch: pytest.MonkeyPatch) -> None:
        true, first = wire.settled_payments, []

        def settled_payments(id_: str, page: int = 1) -> Any:
            first.append(id_)
            found = true(id_, page)
            return answer(found) if id_ == first[0] else found

        patch.setattr(wire, "settled_payments", settled_payments)

    return spoil


def by_age(days: Calendar) -> list[GatewaySettlement]:
    return sorted(days.settlements(), key=lambda one: one.settled_at)


def asked(till: Till) -> list[Case]:
    """Cases of a settlement; a day may ask, besides, where its money is."""
    with till.across():
        found = cases.open_of_kind("settlement_differs")
        return [one for one in found if one.subject.startswith("settlement:")]


UNREADABLE = [
    pytest.param(listed_as(effective_pesewas=None), "brought cannot", id="null"),
    pytest.param(listed_as(currency="USD"), "in USD", id="currency"),
    pytest.param(listed_as(currency=""), "no currency", id="no-currency"),
    pytest.param(
        inside_as(lambda _: NoAnswer("broken", "too_many_pages")),
        "too_many_pages",
        id="pages",
    ),
    pytest.param(
        inside_as(lambda _: NoAnswer("unclear", "http_200_no_envelope")),
        "no_envelope",
        id="html",
    ),
    pytest.param(
        inside_as(lambda found: Rows((), None, len(found.rows))), "Some of", id="rows"
    ),
]


@pytest.mark.parametrize(("spoil", "said"), UNREADABLE)
def test_one_that_cannot_be_read_blocks_nothing_and_is_booked_once_it_can(
    till: Till,
    days: Calendar,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Spoil,
    said: str,
) -> None:
    one = days.paid()
    days.night()
    days.compare()
    days.night(2)
    two = days.paid()
    days.night(7)
    spoil(till.client, monkeypatch)
    days.compare()
    assert days.counts(days.day + timedelta(days=2)) == (1, 1, 1)
    first, second = by_age(days)
    assert (first.went, first.tries, second.went) == (None, 1, "bank")
    assert second.booked_pesewas == net(two)
    assert till.balances()["gateway"] == net(one)
    (case,) = asked(till)
    assert said in case.seen[0]["what"] and len(case.seen) == 1
    pauses = []
    for tries in range(1, 7):
        waits = by_age(days)[0]
        assert waits.tries == tries and waits.try_at is not None
        pauses.append(round((waits.try_at - clock.now()).total_seconds() / 3_600, 1))
        for moment, is_tried in ((-1, False), (1, True)):
            days.to(waits.try_at + timedelta(minutes=moment))
            days.compare()
            assert by_age(days)[0].tries == tries + is_tried
    assert pauses == [1, 2, 4, 8, 16, 24]
    assert len(asked(till)) == 1
    monkeypatch.undo()
    days.to(clock.now() + timedelta(days=1, minutes=1))
    days.compare()
    assert by_age(days)[0].booked_pesewas == net(one)
    assert (asked(till), till.balances().get("gateway")) == ([], None)
    till.proven()


def test_the_oldest_try_is_made_first(
    till: Till, days: Calendar, superuser: Any
) -> None:
    superuser.execute(
        "INSERT INTO gateway_settlements (gateway_id, raw_word, currency, effective_pesewas,"
        " settled_at, read_at, tries, try_at) SELECT n, 'success', 'GHS', 5, now(), now(), 1,"
        " now() - n * interval '1 minute' FROM generate_series(900001, 900003) n"
    )
    tried: list[str] = []
    true = till.client.settled_payments

    def settled_payments(id_: str, page: int = 1) -> Any:
        tried.append(id_)
        return true(id_, page)

    till.client.settled_payments = settled_payments  # type: ignore[method-assign]
    days.night()
    days.compare()
    assert tried == ["900003", "900002", "900001"]


def test_while_the_gateway_is_away_no_settlement_is_blamed(
    till: Till, days: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    days.paid()
    days.night()
    days.compare()
    days.night(2)
    away = inside_as(lambda _: NoAnswer("unreachable", "connect"))
    away(till.client, monkeypatch)
    days.compare()
    assert (
        days.read(days.day + timedelta(days=1)).step,
        by_age(days)[0].tries,
    ) == ("inside", 0)
    assert till.cases() == []


def test_a_list_of_settlements_without_an_end_is_said_and_never_cut(
    till: Till, days: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    days.paid()
    days.night()
    monkeypatch.setattr(money, "MOST_PAGES", 0)
    monkeypatch.setattr(money, "PAGE", 1)
    days.night(2)
    days.compare()
    (day,) = [days.read(days.day + timedelta(days=1))]
    assert (day.step, days.settlements()) == ("settlements", [])
    assert till.cases() == ["payments_unlisted"]
    assert "no end" in till.case("payments_unlisted").seen[0]["what"]
    monkeypatch.undo()
    till.pass_by(61)
    days.work()
    assert len(days.settlements()) == 1
