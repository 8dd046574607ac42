"""A day's comparison, step by step: settlements and their payments, the gateway's list, what of
ours that list lacks, then all three beside each other. Each page is a transaction of its own, which
keeps where the next one goes on; whatever crashes, the day goes on there.

Decides what is read next and what its end does. The calls are `fulfilment.gateway_days`'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from core import audit, outbox
from core.audit import Actor
from core.base import clock, config
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.base.refusal import Refusal
from core.gateway_days import asking, lines, ringing, settlements, tallying
from core.gateway_days.causes import CAUSES
from core.gateway_days.lines import Listed, ListedSettlement
from core.online.listed import GatewayDay

StepName = Literal["settlements", "inside", "paid", "reversed", "missing", "compare"]
STEPS: tuple[StepName, ...] = (
    "settlements",
    "inside",
    "paid",
    "reversed",
    "missing",
    "compare",
)
WORK: outbox.Kind = "compare_gateway"
_LATE = timedelta(minutes=15)
"""The gateway's clock may be ahead of ours."""
_DAY = timedelta(days=1)
_LONGEST_BACK = timedelta(days=366)


class NotYet(Refusal):
    """The day cannot be compared. `sentence` says why."""


@dataclass(frozen=True)
class Step:
    """What is asked of the gateway next. `since` and `until` bound its lists, `after` is where the
    list goes on, `reference` is looked up."""

    day: date
    name: StepName
    after: str
    since: datetime
    until: datetime
    settlement_id: int = 0
    settlement: str = ""
    page: int = 1
    reference: str = ""


@needs_across_stores
def plan() -> bool:
    """Have every day compared that is over and was not yet, and those anew once a day in which
    something was to resolve by itself; ask a person about one that cannot be read for hours.
    Returns whether there is anything to do."""
    settings = config.current()
    over = clock.now() - clock.delta(settings.gateway_day_after_s)
    last = over.astimezone(clock.ACCRA).date() - _DAY
    first = last - _DAY * (settings.gateway_days_back - 1)
    with transaction():
        newest = db.session.scalar(
            select(GatewayDay.day).order_by(GatewayDay.day.desc()).limit(1)
        )
        day = last if newest is None else max(first, newest + _DAY)
        while day <= last:
            _begin(day)
            day += _DAY
        again = update(GatewayDay).where(
            GatewayDay.is_open,
            GatewayDay.step.is_(None),
            GatewayDay.day >= first,
            GatewayDay.done_at < tallying.begins(last + _DAY),
        )
        db.session.execute(
            again.values(step="compare", after="", work={}, begun_at=clock.now())
        )
        under_way = _next_day()
        if under_way is None and settlements.has_try_due(tallying.begins(first)):
            _begin(last)
            under_way = _next_day()
        if under_way is not None:
            asking.tell_slow(under_way)
        return under_way is not None


@needs_across_stores
def is_any() -> bool:
    """Whether a day was ever compared."""
    return bool(db.session.scalar(select(select(GatewayDay.day).exists())))


@needs_across_stores
def ask_anew(day: date, actor: Actor) -> None:
    """A person wants a day read and compared again. Raises `NotYet`."""
    today = clock.now().astimezone(clock.ACCRA).date()
    if day >= today:
        raise NotYet("This day is not over yet. It is compared after midnight.")
    if today - day > _LONGEST_BACK:
        raise NotYet("That day is too long ago. Choose one of the last year.")
    with transaction():
        _begin(day)
        audit.write(actor, "compare_day", f"day:{day}")
    outbox.request(WORK, actor)


@needs_across_stores
def next_step() -> Step | None:
    """What is read next; None when no day is under way. The last steps, which ask nobody, are done
    here."""
    with transaction():
        day = _next_day()
        if day is None:
            return None
        if day.step == "inside":
            return _inside(day)
        if day.step == "missing":
            return _missing(day)
        if day.step == "compare":
            return _compare(day)
        return _step(day)


@needs_across_stores
def took_settlements(
    step: Step, found: Sequence[ListedSettlement], after: str | None, left_out: int
) -> None:
    """A page of the list of settlements was read."""
    with transaction():
        day = _locked(step.day)
        if not _is_at(day, step):
            return
        lines.keep_settlements(found)
        settlements.tell_failed()
        _go_on(day, after, left_out)


@needs_across_stores
def took_payments(
    step: Step, found: Sequence[Listed], after: str | None, left_out: int
) -> None:
    """A page of the list of payments was read, or one was looked up."""
    with transaction():
        day = _locked(step.day)
        if not _is_at(day, step):
            return
        lines.keep(found)
        if step.name == "missing":
            day.after = step.reference
        else:
            _go_on(day, after, left_out)


@needs_across_stores
def took_inside(
    step: Step, found: list[Listed], next_page: int | None, left_out: int
) -> None:
    """A page of a settlement's payments was read; one with rows that nobody here can read is read
    again later."""
    if left_out:
        put_off_inside(step, "Some of its payments cannot be read.")
        return
    settlements.take_page(step.settlement_id, step.page, found, next_page)


@needs_across_stores
def put_off_inside(step: Step, why: str) -> None:
    """A settlement's payments cannot be read now: the others and the day go on without it."""
    with transaction():
        settlements.put_off(step.settlement_id, why)


def _begin(day: date) -> None:
    fresh: dict[str, Any] = {
        "step": STEPS[0],
        "after": "",
        "work": {},
        "begun_at": clock.now(),
    }
    row = insert(GatewayDay).values(day=day, **fresh)
    db.session.execute(row.on_conflict_do_update(index_elements=["day"], set_=fresh))


def _next_day() -> GatewayDay | None:
    """The newest day that is under way, locked: it reads the settlements that older ones wait
    for."""
    return db.session.scalar(
        select(GatewayDay)
        .where(GatewayDay.step.is_not(None))
        .order_by(GatewayDay.day.desc())
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


@inside_use_case
def _locked(day: date) -> GatewayDay:
    return db.session.scalars(
        select(GatewayDay)
        .where(GatewayDay.day == day)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _is_at(day: GatewayDay, step: Step) -> bool:
    """Whether the day still stands where this step was asked for."""
    return day.step == step.name and day.after == step.after


def _go_on(day: GatewayDay, after: str | None, left_out: int) -> None:
    if left_out:
        asking.note_unreadable(day, left_out)
    if after and after != day.after:
        day.after = after
    else:
        names: tuple[str | None, ...] = STEPS
        day.step, day.after = STEPS[names.index(day.step) + 1], ""


def _step(day: GatewayDay, **more: Any) -> Step:
    begins = tallying.begins(day.day)
    settings = config.current()
    since = begins - timedelta(seconds=settings.gateway_list_back_s)
    until = begins + _DAY + _LATE
    if day.step == "settlements":
        since, until = begins - _DAY * settings.gateway_days_back, clock.now() + _DAY
    name: Any = day.step
    return Step(day.day, name, day.after, since, until, **more)


def _inside(day: GatewayDay) -> Step | None:
    found = settlements.next_unread()
    if found is None:
        _go_on(day, None, 0)
        return _step(day)
    return _step(
        day,
        settlement_id=found.id,
        settlement=found.gateway_id,
        page=max(1, found.next_page),
    )


def _missing(day: GatewayDay) -> Step | None:
    since = tallying.begins(day.day)
    left = lines.next_unread(since, since + _DAY, day.begun_at, day.after)
    if left:
        return _step(day, reference=left)
    _go_on(day, None, 0)
    return _compare(day)


def _compare(day: GatewayDay) -> Step:
    """One page beside our books; the last one ends the day."""
    found = tallying.page(tallying.frame_of(day.day), day.after)
    day.work = tallying.add(day.work, found)
    may_explain = [
        line.payment_id
        for line in found
        if line.payment_id and tallying.rings(line.judged.cause)
    ]
    ringing.ring(day, may_explain)
    if len(found) == tallying.PAGE:
        day.after = found[-1].row.reference
    else:
        _end(day)
    return Step(day.day, "compare", "", day.begun_at, day.begun_at)


def _end(day: GatewayDay) -> None:
    work = day.work
    for column in ("ours", "theirs", "settled"):
        setattr(day, f"{column}_count", work[column]["count"])
        setattr(day, f"{column}_pesewas", work[column]["pesewas"])
    day.causes = work["causes"]
    day.is_open = tallying.is_open(day.causes)
    day.step, day.after, day.work, day.done_at = None, "", {}, clock.now()
    for name, share in day.causes.items():
        if CAUSES[name].way == "ask":
            asking.ask(day.day, name, share)
