"""A batch from its paste to its confirmation: kept, mended, thrown away, confirmed once.

Nothing here places an order. What a confirmation says is compared with what the batch comes to at
that moment, under its lock: nobody confirms another list than the one they have seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select, update

from core import audit
from core.audit import Actor
from core.base import clock, text_input
from core.base.db import db, transaction
from core.base.locks import Lock
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.base.tenancy import current_store_id
from core.batches import checking, splitting
from core.batches.checking import Checklist
from core.batches.reading import LONGEST
from core.orders import batching
from core.orders.batching import OPEN_FOR, BatchLine, OrderBatch

OPEN_MOST = 20
"""Batches of a store that are neither confirmed nor thrown away."""
LISTED = 10
"""Of the newest batches, on a page."""
LONGEST_SOURCE = 60


class BatchRefused(Refusal):
    """Nothing was done with the batch. `sentence` says what to do."""


class NoSuchBatch(Refusal):
    """No batch of this id in the store."""

    sentence = (
        "There is no such list. It may have been deleted: lists are kept for a day."
    )


class Moved(BatchRefused):
    """The batch comes to something else than the page said that was confirmed."""

    sentence = (
        "Something has changed since this page was drawn, so nothing was ordered. Look at the new"
        " figures, then press again."
    )


@dataclass(frozen=True)
class Seen:
    """What the page said that somebody confirms. Amounts in pesewas."""

    count: int
    price_pesewas: int
    cost_pesewas: int
    again: bool = False
    """They were told that the same list was confirmed before."""


@dataclass(frozen=True)
class Listed:
    """A batch among others, with how many of its lines are in which state."""

    batch: OrderBatch
    counts: Mapping[str, int]


def keep(text: str, actor: Actor, source: str = "pasted", note: str = "") -> int:
    """Keep a list of the current store, to be looked at. Returns the batch's id.

    Raises `splitting.BadList`, or `BatchRefused` when too many wait to be confirmed.
    """
    split = splitting.split(text)
    with transaction() as session:
        waiting = session.scalar(select(func.count()).select_from(_open().subquery()))
        if (waiting or 0) >= OPEN_MOST:
            raise BatchRefused(
                f"{OPEN_MOST} lists wait to be confirmed. Throw away those that are not needed,"
                " then bring this one again."
            )
        batch = OrderBatch(
            made_by=actor.name,
            source=text_input.one_line(source, LONGEST_SOURCE) or "file",
            note=" ".join(part for part in (note, split.note) if part),
            digest=checking.digest(split.lines.values()),
        )
        session.add(batch)
        session.flush()
        session.add_all(
            BatchLine(batch_id=batch.id, n=n, text=line[: LONGEST + 1])
            for n, line in split.lines.items()
        )
        return batch.id


def find(batch_id: int) -> OrderBatch:
    """A batch of the current store. Raises `NoSuchBatch`."""
    batch = db.session.scalar(select(OrderBatch).where(OrderBatch.id == batch_id))
    if batch is None:
        raise NoSuchBatch
    return batch


def lines_of(batch: OrderBatch) -> Sequence[BatchLine]:
    return db.session.scalars(
        select(BatchLine).where(BatchLine.batch_id == batch.id).order_by(BatchLine.n)
    ).all()


def newest() -> list[Listed]:
    """The newest batches of the current store that were not thrown away unconfirmed."""
    batches = db.session.scalars(
        select(OrderBatch)
        .where(OrderBatch.thrown_at.is_(None) | OrderBatch.confirmed_at.is_not(None))
        .order_by(OrderBatch.id.desc())
        .limit(LISTED)
    ).all()
    counts: dict[int, dict[str, int]] = {batch.id: {} for batch in batches}
    rows = db.session.execute(
        select(BatchLine.batch_id, BatchLine.state, func.count())
        .where(BatchLine.batch_id.in_(counts))
        .group_by(BatchLine.batch_id, BatchLine.state)
    )
    for batch_id, state, count in rows:
        counts[batch_id][state] = count
    return [Listed(batch, counts[batch.id]) for batch in batches]


def mend(
    batch_id: int,
    texts: Mapping[int, str],
    *,
    left_out: Collection[int] = (),
    accepted: Collection[int] = (),
) -> None:
    """Write lines anew, leave lines out, say of odd ones that they are meant. Of other lines
    nothing changes; an emptied line is left out. Raises `BatchRefused` once it is confirmed."""
    with transaction():
        batch = _locked(batch_id)
        if batch.confirmed_at is not None or batch.is_over:
            raise BatchRefused(_too_late(batch))
        for line in lines_of(batch):
            _mend_one(line, texts.get(line.n), line.n in left_out, line.n in accepted)


def _mend_one(
    line: BatchLine, text: str | None, is_left_out: bool, is_accepted: bool
) -> None:
    if text is not None and text.strip() != line.text:
        line.text = text.strip()[: LONGEST + 1]
        line.accepted = False  # it says something else now
        line.state = "open"
    if is_left_out or not line.text:
        line.state = "left_out"
    elif is_accepted:
        line.accepted = True
        line.state = "open"


def throw_away(batch_id: int, actor: Actor) -> OrderBatch:
    """End a batch: what is not placed yet will not be. Done twice it is done once."""
    with transaction() as session:
        batch = _locked(batch_id)
        if batch.thrown_at is not None:
            return batch
        batch.thrown_at = clock.now()
        batching.note_what_is_ordered(batch)
        its = BatchLine.batch_id == batch.id
        session.execute(
            update(BatchLine)
            .where(its, BatchLine.state.in_(("open", "waiting")))
            .values(state="left_out")
        )
        if batch.confirmed_at is None:
            session.execute(update(BatchLine).where(its).values(text=""))
        audit.write(actor, "throw_away_list", _subject(batch), {"source": batch.source})
        return batch


def confirm(batch_id: int, seen: Seen, process: bool, actor: Actor) -> OrderBatch:
    """Let the lines that go be placed, at the prices of now. Confirmed before, the batch is
    returned as it is. Raises `BatchRefused`, and `Moved` when it comes to something else."""
    with transaction():
        batch = _locked(batch_id)
        if batch.confirmed_at is not None:
            return batch
        if batch.is_over:
            raise BatchRefused(_too_late(batch))
        _wait_for_turn(batch)
        lines = lines_of(batch)
        checklist = checking.check(batch, lines)
        _refuse(checklist, seen)
        _freeze(lines, checklist)
        batch.confirmed_at = clock.now()
        batch.confirmed_by = actor.name
        batch.to_process = process
        audit.write(
            actor,
            "confirm_list",
            _subject(batch),
            {
                "orders": seen.count,
                "price_pesewas": seen.price_pesewas,
                "cost_pesewas": seen.cost_pesewas,
                "process": process,
            },
        )
        return batch


@inside_use_case
def _wait_for_turn(batch: OrderBatch) -> None:
    """Of two copies of one list the second sees that the first is confirmed."""
    name = f"{current_store_id()}/{batch.digest}"
    db.session.execute(
        select(func.pg_advisory_xact_lock(int(Lock.LIST), func.hashtext(name)))
    )


def _refuse(checklist: Checklist, seen: Seen) -> None:
    if checklist.stop:
        raise BatchRefused(checklist.stop)
    good = checklist.good
    if not good:
        raise BatchRefused(
            "No line of this list can be ordered. Mend the lines that are wrong first."
        )
    comes_to = (len(good), checklist.price_pesewas, checklist.cost_pesewas)
    if comes_to != (seen.count, seen.price_pesewas, seen.cost_pesewas):
        raise Moved
    if checklist.same is not None and not seen.again:
        raise BatchRefused(same_words(checklist.same))


def same_words(same: OrderBatch) -> str:
    """What is said of a list that was confirmed before."""
    assert same.confirmed_at is not None
    return (
        f"{same.confirmed_by} has confirmed the same list at {clock.shown(same.confirmed_at)}. Tick"
        " that you want all of it once more, or throw this one away."
    )


def _freeze(lines: Sequence[BatchLine], checklist: Checklist) -> None:
    """Write down which bundle at which price each line is for; the others are left out."""
    going = {line.n: line.bundle for line in checklist.good}
    repeats = {line.n for line in checklist.good if line.repeats}
    said = {line.n: line.problem or "; ".join(line.doubts) for line in checklist.lines}
    for line in lines:
        bundle = going.get(line.n)
        if bundle is None:
            line.state = "left_out"
            line.words = said[line.n]
            continue
        line.state = "waiting"
        line.bundle_id = bundle.bundle_id
        line.accepted = line.n in repeats
        line.price_pesewas = bundle.price_pesewas


@inside_use_case
def _locked(batch_id: int) -> OrderBatch:
    batch = db.session.scalar(
        select(OrderBatch).where(OrderBatch.id == batch_id).with_for_update()
    )
    if batch is None:
        raise NoSuchBatch
    return batch


def _too_late(batch: OrderBatch) -> str:
    if batch.confirmed_at is not None:
        return (
            f"{batch.confirmed_by} has confirmed this list at {clock.shown(batch.confirmed_at)}:"
            " its lines cannot be changed any more."
        )
    if batch.thrown_at is not None:
        return "This list was thrown away. Bring it again if it is needed."
    return "This list is older than a day, and prices may have changed. Bring it again."


def _open() -> Select[int]:
    return select(OrderBatch.id).where(
        OrderBatch.confirmed_at.is_(None),
        OrderBatch.thrown_at.is_(None),
        OrderBatch.made_at > clock.now() - OPEN_FOR,
    )


def _subject(batch: OrderBatch) -> str:
    return f"store:{current_store_id()}/list:{batch.id}"
