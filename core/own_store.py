"""What an agent says on their shop, how it looks, whom customers pay, and a pause of it.

Of the current store, by its own agent. Opening it again is `onboarding.open_own`'s: what its agent
paused needs no more than it had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core import audit, stores
from core.audit import Actor
from core.base import clock, colours, phones
from core.base.db import transaction
from core.base.refusal import Refusal
from core.base.tenancy import as_platform
from core.stores import MOMO_NAME, Store

LONGEST_WORDS = 200
"""Characters of each line of words."""


class NotPaused(Refusal):
    """A store that cannot be paused as it stands. `sentence` says why."""


class SaidOtherwise(Refusal):
    """Somebody else has changed the very lines that were typed over. `now`: those by name, as they
    stand."""

    sentence = "Somebody else changed this since the page was drawn."

    def __init__(self, now: Mapping[str, str]) -> None:
        super().__init__(self.sentence)
        self.now = now


class TooLong(Refusal):
    """A line that does not fit."""


def _number(typed: str) -> str:
    return phones.parse(typed) if typed else ""


def _at_most(most: int) -> Callable[[str], str]:
    def check(typed: str) -> str:
        if len(typed) > most:
            many = len(typed)
            raise TooLong(f"has {many} characters; shorten it to {most} or fewer.")
        return typed

    return check


FIELDS: dict[str, Callable[[str], str]] = {
    "name": stores.check_name,
    "welcome": _at_most(LONGEST_WORDS),
    "announcement": _at_most(LONGEST_WORDS),
    "colour": colours.check,
    "whatsapp": _number,
    "momo_number": _number,
    "momo_name": _at_most(MOMO_NAME),
    "pay_words": _at_most(LONGEST_WORDS),
}
"""What customers read and see of the store, each with what reads it as it was typed. Empty: nothing
is said of it."""


def as_it_stands(store: Store) -> dict[str, str]:
    """Each of `FIELDS`, as the store has it."""
    return {name: getattr(store, name) or "" for name in FIELDS}


def read(
    typed: Mapping[str, str], shown: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, Refusal]]:
    """What was typed as it may be kept, and what may not, each by name. What is as it was `shown`
    stays, whatever a rule of today says."""
    fit: dict[str, str] = {}
    wrong: dict[str, Refusal] = {}
    for name, text in typed.items():
        if text == shown.get(name):
            fit[name] = text
            continue
        try:
            fit[name] = FIELDS[name](text)
        except Refusal as refusal:
            wrong[name] = refusal
    return fit, wrong


@as_platform
def say(
    store_id: int,
    typed: Mapping[str, str],
    actor: Actor,
    shown: Mapping[str, str] | None = None,
) -> bool:
    """Have the shop say so: of what `read` gave, that whose text was `shown` and is another now.
    False when it says so already. Raises `SaidOtherwise`."""
    with transaction():
        store = stores.locked(store_id)
        now = as_it_stands(store)
        was = now | dict(shown or {})
        meant = {name: text for name, text in typed.items() if text != was[name]}
        changed = {name: text for name, text in meant.items() if text != now[name]}
        moved = {name: now[name] for name in changed if was[name] != now[name]}
        if moved:
            raise SaidOtherwise(moved)
        if not changed:
            return False
        put(store, changed)
        store.version += 1
        audit.write(actor, "store_words", f"store:{store_id}", changed)
    return True


def put(store: Store, said: Mapping[str, str]) -> None:
    """Give a store these of `FIELDS`; one in no session is only shown so."""
    for name, text in said.items():
        may_be_none = name in ("whatsapp", "momo_number")
        setattr(store, name, text or None if may_be_none else text)


def hours_mark(store: Store) -> str:
    """What a page of its hours was drawn from."""
    return f"{store.hours} {'closed' if store.hours_closed else 'taken'}"


@as_platform
def set_hours(
    store_id: int, hours: str, is_closed: bool, actor: Actor, was: str | None = None
) -> bool:
    """Keep these hours (as `opening_hours.read` gives them), outside of which orders are taken or
    not. `was`: the mark of what the page had shown. False when it is so already. Raises
    `SaidOtherwise`."""
    with transaction():
        store = stores.locked(store_id)
        if (store.hours, store.hours_closed) == (hours, is_closed):
            return False
        if was is not None and was != hours_mark(store):
            raise SaidOtherwise({"hours": store.hours})
        store.hours, store.hours_closed = hours, is_closed
        store.version += 1
        said = {"hours": hours, "outside": "closed" if is_closed else "taken"}
        audit.write(actor, "store_hours", f"store:{store_id}", said)
    return True


@as_platform
def pause(store_id: int, note: str, actor: Actor) -> bool:
    """Close the store for a while; `note` is what its customers read. False when that is so
    already. Raises `NotPaused`."""
    with transaction():
        store = stores.locked(store_id)
        if store.status == "suspended":
            raise NotPaused("Makola suspended your store. Ask its owner what to do.")
        if not store.is_open and store.approval != "approved":
            raise NotPaused("Your store is not open yet, so there is nothing to pause.")
        if (store.status, store.closed_note) == ("closed", note.strip()):
            return False
        paused_at = clock.now() if store.is_open else store.paused_at
        stores.set_status_row(store_id, "closed", note)
        store.paused_at = paused_at
        audit.write(actor, "store_closed", f"store:{store_id}", {"reason": note})
    return True
