"""The number that a store's earnings go to: an agent names it, its network says whose it is, and a
person of the platform decides where that is not plainly who named it.

A number that follows another waits before it gets anything, and the store's people are told of it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, exists, select

from core import audit, outbox
from core.audit import SYSTEM, Actor
from core.base import clock, config, phones, text_input
from core.base.db import db, transaction
from core.base.in_store import as_platform_in_store
from core.base.preconditions import inside_use_case, needs_across_stores
from core.online import PayoutAccount
from core.online.paid_to import account
from core.payouts.names import alike
from core.payouts.refusing import (
    BadPayout,
    NoSuchPayout,
    needs_second_step,
)
from core.stores import Store

KIND: outbox.Kind = "check_payout_account"
SHORTEST_WORDS = 3
LONGEST_WORDS = 200


@as_platform_in_store
def name_number(store_id: int, typed: str, network: str, actor: Actor) -> bool:
    """Have earnings paid to another number from now on, once it is checked. False when it is this
    one already. Raises `BadPayout`, `phones.BadNumber`."""
    needs_second_step(actor)
    number = phones.parse(typed)
    network = network or phones.network_of(number) or ""
    if network not in phones.NETWORKS:
        raise BadPayout("Choose the network that keeps this wallet.", "network")
    with transaction() as session:
        _turn(store_id)
        before = account(store_id)
        if before and before.state != "refused" and _is(before, number, network):
            return False
        pause_s = config.current().payout_pause_s if _had_another(store_id) else 0
        made = PayoutAccount(
            store_id=store_id,
            network=network,
            number=number,
            person=actor.name,
            made_by=actor.name,
            usable_from=clock.after(pause_s),
        )
        session.add(made)
        session.flush()
        outbox.add(KIND, made.id, store_id=store_id)
        detail = {"number": phones.mask(number), "network": network}
        audit.write(actor, "payout_number", f"store:{store_id}", detail)
        return True


def to_check(account_id: int) -> PayoutAccount | None:
    """A number that is to be checked; None when that is done, or another came after it."""
    found = db.session.get(PayoutAccount, account_id)
    if found is None or found.state != "checking":
        return None
    newest = account(found.store_id)
    return found if newest is not None and newest.id == account_id else None


def heard(account_id: int, account_name: str) -> None:
    """Its network says whose it is."""
    with transaction():
        found = _locked(account_id)
        found.account_name, found.tries = account_name, 0


def unheard(account_id: int) -> datetime | None:
    """Nobody answered for it: when to ask again, None when that was done often enough."""
    ladder = config.current().name_check_ladder_s
    with transaction():
        found = _locked(account_id)
        found.tries += 1
        again = found.tries <= len(ladder)
        return clock.after(ladder[found.tries - 1]) if again else None


def checked(account_id: int, recipient_code: str) -> None:
    """The gateway pays to it. It is good when the name is plainly that of who named it; else a
    person of the platform decides."""
    with transaction():
        found = _locked(account_id)
        if found.state != "checking":
            return
        found.recipient_code = recipient_code
        is_theirs = alike(found.person, found.account_name)
        found.state = "usable" if is_theirs else "asked"


def unpayable(account_id: int, words: str) -> None:
    """The gateway does not pay to it."""
    with transaction():
        found = _locked(account_id)
        if found.state == "checking":
            found.state = "refused"
            found.words = text_input.one_line(words, LONGEST_WORDS)
            subject = f"store:{found.store_id}"
            audit.write(SYSTEM, "payout_number_refused", subject, {"why": found.words})


@needs_across_stores
def accept(account_id: int, actor: Actor) -> bool:
    """A person of the platform says that this number is the agent's. False when it is good
    already. Raises `NoSuchPayout`, `BadPayout`."""
    with transaction():
        found = _newest_locked(account_id)
        if found.state == "usable":
            return False
        if found.state != "asked":
            raise BadPayout(f"This number is {found.state} now. Nothing was changed.")
        found.state, found.words = "usable", ""
        _decide(found, "payout_number_accepted", actor)
        return True


@needs_across_stores
def turn_down(account_id: int, words: str, actor: Actor) -> bool:
    """A person of the platform says no to a number, also to one that was good. The agent reads
    why. False when that was said. Raises `NoSuchPayout`, `BadPayout`."""
    words = text_input.one_line(words, LONGEST_WORDS)
    if len(words) < SHORTEST_WORDS:
        raise BadPayout("Say why: the agent reads it.", "words")
    with transaction():
        found = _newest_locked(account_id)
        if found.state == "refused":
            return False
        found.state, found.words = "refused", words
        _decide(found, "payout_number_refused", actor)
        return True


@needs_across_stores
def asked(limit: int) -> list[tuple[PayoutAccount, Store]]:
    """Numbers that wait for a person's word, the oldest first; not those that were followed by
    another."""
    rows = db.session.execute(
        select(PayoutAccount, Store)
        .join(Store, Store.id == PayoutAccount.store_id)
        .where(PayoutAccount.state == "asked", ~is_followed())
        .order_by(PayoutAccount.id)
        .limit(limit)
    )
    return [(found, store) for found, store in rows]


def is_followed() -> ColumnElement[bool]:
    """In a statement: whether the store has named another number since."""
    later = PayoutAccount.__table__.alias()
    return exists().where(
        later.c.store_id == PayoutAccount.store_id, later.c.id > PayoutAccount.id
    )


def _is(before: PayoutAccount, number: str, network: str) -> bool:
    return (before.number, before.network) == (number, network)


def _had_another(store_id: int) -> bool:
    """Whether the store had a number before that was not refused."""
    return bool(
        db.session.scalar(
            select(
                exists().where(
                    PayoutAccount.store_id == store_id, PayoutAccount.state != "refused"
                )
            )
        )
    )


@inside_use_case
def _turn(store_id: int) -> None:
    """Two who name a number at once do it one after the other; a payout that is asked for waits
    too (`online.request_payout` takes the same lock)."""
    db.session.execute(
        select(Store.id).where(Store.id == store_id).with_for_update(key_share=True)
    )


@inside_use_case
def _locked(account_id: int) -> PayoutAccount:
    found = db.session.scalar(
        select(PayoutAccount)
        .where(PayoutAccount.id == account_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NoSuchPayout("There is no such number.")
    return found


@inside_use_case
def _newest_locked(account_id: int) -> PayoutAccount:
    found = _locked(account_id)
    newest = account(found.store_id)
    if newest is None or newest.id != account_id:
        raise BadPayout("The store has named another number since. Look at that one.")
    return found


def _decide(found: PayoutAccount, action: str, actor: Actor) -> None:
    found.decided_at, found.decided_by = clock.now(), actor.name
    detail = {"number": phones.mask(found.number), "name": found.account_name}
    if found.words:
        detail["reason"] = found.words
    audit.write(actor, action, f"store:{found.store_id}", detail)
