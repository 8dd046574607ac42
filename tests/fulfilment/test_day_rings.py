"""A day with many payments that the gateway is to be asked about: they wait in turn, and customers who
pay now do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from core.base import clock
from core.gateway_days import ringing, tallying
from core.outbox import BY_TURNS
from tests.support.gateway_days import Calendar
from tests.support.till import Till

pytestmark = pytest.mark.slow(seconds=3)

MANY = """
WITH made AS (
  INSERT INTO online_payments (store_id, purpose, reference, mode, amount_pesewas, state, created_at, ended_at)
  SELECT s.id, 'wallet', 'mk-p-many-{day}-' || n, 'test', 500, 'ended', {at}, {at}
  FROM stores s, generate_series(1, {count}) n WHERE s.slug = 'ama' RETURNING id, store_id, reference
), lines AS (
  INSERT INTO gateway_lines (reference, word, raw_word, mode, currency, charged_pesewas, fees_pesewas, paid_at,
    is_listed, read_at)
  SELECT reference, 'paid', 'success', 'test', 'GHS', 500, 10, {at}, true, {at} FROM made
)
INSERT INTO outbox (kind, subject_id, store_id, due_at, lease_no, created_at, done_at)
SELECT 'watch_payment', id, store_id, {at}, 0, {at}, {at} FROM made WHERE id % 10 < {kept}
"""
WAITING = "SELECT due_at FROM outbox WHERE kind = 'watch_payment' AND done_at IS NULL ORDER BY due_at"


@pytest.fixture
def days(till: Till) -> Calendar:
    return Calendar(till)


@pytest.fixture
def many(days: Calendar, superuser: Any) -> Callable[..., None]:
    def make(count: int, *, day: int = 0, kept: int = 10) -> None:
        noon = clock.accra_midnight() + timedelta(hours=12)
        while noon.astimezone(clock.ACCRA).date() < days.day + timedelta(days=day):
            noon += timedelta(days=1)
        at = f"timestamptz '{noon.isoformat()}'"
        superuser.execute(MANY.format(day=day, at=at, count=count, kept=kept))

    return make


def a_minute(superuser: Any) -> list[int]:
    """How many are looked at in each minute from the first, those of today's customers not among
    them."""
    due = [row[0] for row in superuser.execute(WAITING).fetchall()]
    assert due
    minutes = Counter((at - due[0]) // timedelta(minutes=1) for at in due)
    return [minutes[number] for number in range(max(minutes) + 1)]


@pytest.mark.parametrize(("count", "kept"), [(29, 10), (75, 10), (90, 3), (200, 0)])
def test_the_rings_of_a_day_are_spread_and_counted(
    till: Till,
    days: Calendar,
    superuser: Any,
    many: Callable[..., None],
    count: int,
    kept: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tallying, "PAGE", 50)  # some are rung by another page
    many(count, kept=kept)
    days.night()
    days.compare(200)
    assert days.causes() == {"unheard": count}
    found = a_minute(superuser)
    assert max(found) <= ringing.A_MINUTE and sum(found) == count
    assert len(found) == -(-count // ringing.A_MINUTE), "none of them is lost time"


def test_days_that_are_compared_together_share_the_limit(
    till: Till, days: Calendar, superuser: Any, many: Callable[..., None]
) -> None:
    days.night()
    days.compare()
    for day in (1, 2):
        many(45, day=day)
    days.night(3)
    days.compare()
    found = a_minute(superuser)
    assert max(found) <= ringing.A_MINUTE and sum(found) == 90


def test_who_pays_now_does_not_wait_for_the_rings_of_a_day(
    till: Till, days: Calendar, superuser: Any, many: Callable[..., None]
) -> None:
    many(90)
    days.night()
    days.compare()
    before = till.verified()
    order = till.opened()
    till.pay(till.reference(order))
    till.pass_by(61)
    assert till.state(order) == "queued"
    assert till.verified() - before <= 2 * ringing.A_MINUTE + 5
    assert "watch_payment" not in BY_TURNS


def test_what_is_looked_at_anyway_takes_no_place_and_is_not_put_off(
    till: Till, days: Calendar, superuser: Any, many: Callable[..., None]
) -> None:
    many(60)
    days.night()
    superuser.execute(
        "UPDATE outbox SET done_at = NULL, due_at = %s WHERE kind = 'watch_payment'",
        (clock.now() + timedelta(seconds=1),),
    )
    days.compare()
    due = [row[0] for row in superuser.execute(WAITING).fetchall()]
    assert len(due) == 60 and max(due) - min(due) < timedelta(seconds=2)
