"""The books: double entry, append only, whole pesewas. `post` is the only writer.

Decides what each kind of posting moves. Entries are signed: debit +, credit −, and
a posting sums to zero; the database refuses one that does not (migrations, trigger on entries),
refuses an overdraft (CHECK on accounts) and a second posting of one kind for an order (unique
index). `Account.balance_pesewas` is a cache moved in the same transaction; `reading.books` proves
it. The rows are written by a function of the database (migration 0007), since no role of the
application may write them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, column, func, select, text

from core.audit import Actor
from core.base import clock, money, signed, tenancy
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.ledger.model import Kind, OrderLike, Posting

Leg = tuple[str, int]
"""(account name, signed pesewas). Store accounts are those of the posting's store."""


class InsufficientWallet(Refusal):
    """The wallet holds less than is needed. Amounts in pesewas; `sentence` is ready to show."""

    def __init__(self, needed_pesewas: int, available_pesewas: int) -> None:
        self.needed_pesewas = needed_pesewas
        self.available_pesewas = available_pesewas
        super().__init__(
            f"{money.cedis(needed_pesewas)} needed, {money.cedis(available_pesewas)} in your"
            " wallet. Fund it, or process fewer."
        )


@inside_use_case
def open_store_accounts(store_id: int) -> None:
    """Make the accounts of a new store, `STORE_ACCOUNTS`."""
    said = signed.say("makola_open_accounts", store_id=store_id)
    db.session.execute(text("SELECT makola_open_accounts(:said, :mac)"), said)


@inside_use_case
def hold_float() -> int:
    """The float by our books, in pesewas, kept from moving until the use case ends."""
    return int(db.session.execute(_HOLD_FLOAT).scalar_one())


_HOLD_FLOAT = select(func.makola_hold_float())


def hold(order: OrderLike, agent_price_pesewas: int, actor: Actor) -> None:
    """Set the agent price aside. Raises `InsufficientWallet`."""
    post(
        "hold",
        [("wallet", agent_price_pesewas), ("held", -agent_price_pesewas)],
        actor,
        order=order,
    )


def commit(
    order: OrderLike,
    charged_pesewas: int,
    n: int,
    actor: Actor,
    note: str = "",
) -> None:
    """The supplier took `charged_pesewas` from our float for this order; `n` counts the times it
    did."""
    legs = [("in_flight", charged_pesewas), ("supplier_float", -charged_pesewas)]
    post(
        "commit",
        legs,
        actor,
        order=order,
        n=n,
        note=note,
    )


def capture(
    order: OrderLike,
    *,
    agent_price_pesewas: int,
    cost_pesewas: int,
    charged_pesewas: int,
    actor: Actor,
) -> None:
    """Delivered: the held money pays the supplier's charge and our margin; a charge off the quote
    is variance."""
    legs = [
        ("held", agent_price_pesewas),
        ("in_flight", -charged_pesewas),
        ("margin", -(agent_price_pesewas - cost_pesewas)),
        ("price_variance", charged_pesewas - cost_pesewas),
    ]
    post("capture", legs, actor, order=order)


def release(
    order: OrderLike,
    agent_price_pesewas: int,
    actor: Actor,
    note: str = "",
) -> None:
    """Give the held money back to the wallet."""
    post(
        "release",
        [("held", agent_price_pesewas), ("wallet", -agent_price_pesewas)],
        actor,
        order=order,
        note=note,
    )


def supplier_refund(
    order: OrderLike,
    charged_pesewas: int,
    n: int,
    actor: Actor,
    note: str = "",
) -> None:
    """The supplier's money for this order was seen to come back."""
    legs = [("supplier_float", charged_pesewas), ("in_flight", -charged_pesewas)]
    post(
        "supplier_refund",
        legs,
        actor,
        order=order,
        n=n,
        note=note,
    )


def write_off(
    order: OrderLike,
    amount_pesewas: int,
    n: int,
    actor: Actor,
    note: str,
) -> None:
    """A person gives up what the supplier took for this order: it is our loss."""
    post(
        "write_off",
        [("write_off", amount_pesewas), ("in_flight", -amount_pesewas)],
        actor,
        order=order,
        n=n,
        note=note,
    )


@inside_use_case
def float_difference(loss_pesewas: int, note: str, actor: Actor) -> int:
    """A person accepts that the float is smaller than our books by this (larger, when negative).
    Returns the posting's id. No order explains the difference; one that does is settled by
    `write_off`."""
    return post(
        "float_difference",
        [("supplier_float", -loss_pesewas), ("write_off", loss_pesewas)],
        actor,
        note=note,
    )


@inside_use_case
def rounding(gained_pesewas: int, note: str, actor: Actor) -> int:
    """The float is so much larger than our whole pesewas add up to (smaller, when negative).

    Returns the posting's id.
    """
    legs = [("supplier_float", gained_pesewas), ("price_variance", -gained_pesewas)]
    return post("rounding", legs, actor, note=note)


@inside_use_case
def fund_float(amount_pesewas: int, note: str, actor: Actor) -> int:
    """Our prepaid money at the supplier grew from the bank (or shrank, when negative).

    Returns the posting's id.
    """
    return post(
        "fund_float",
        [("supplier_float", amount_pesewas), ("bank", -amount_pesewas)],
        actor,
        note=note,
    )


@inside_use_case
def post(
    kind: Kind,
    legs: Sequence[Leg],
    actor: Actor,
    *,
    order: OrderLike | None = None,
    store_id: int | None = None,
    n: int = 1,
    note: str = "",
    subject: str | None = None,
) -> int:
    """Write one posting and move the balances with it. Returns its id. It hangs on an order, or on
    a `subject` (`model.SUBJECT`), or on nothing.

    Accounts are locked in id order, so two postings never wait for each other in a circle. Raises
    `InsufficientWallet` when the wallet would go below zero; any other broken rule is an error of
    the database, because then the bug is ours and must not be booked.
    """
    store_id = order.store_id if order is not None else store_id
    moves = {name: amount for name, amount in legs if amount}
    booked = _book(
        signed.say(
            "makola_post",
            kind=kind,
            legs=list(moves.items()),
            store_id=store_id,
            order_id=order.id if order is not None else None,
            n=n,
            note=note,
            actor=actor.name,
            at=clock.now().isoformat(),
            **({"subject": subject} if subject is not None else {}),
        )
    )
    if booked.missing:
        raise LookupError(f"no account {booked.missing} for store {store_id}")
    if booked.available_pesewas is not None:
        raise InsufficientWallet(moves["wallet"], booked.available_pesewas)
    return int(booked.posting_id)


def _book(said: dict[str, str]) -> Row[Any]:
    """Have the database write a posting: no role of the application may write the books itself. The
    store's role calls a function that moves money of its own store only."""
    statement = _POST if tenancy.is_platform() else _POST_OWN
    # it needs nothing of what is still to be written here
    with db.session.no_autoflush:
        return db.session.execute(statement, said).one()


_BOOKED = ("posting_id", "available_pesewas", "missing")
_POST, _POST_OWN = (
    text(f"SELECT {', '.join(_BOOKED)} FROM {function}(:said, :mac)").columns(  # noqa: S608
        *map(column, _BOOKED)
    )
    for function in ("makola_post", "makola_post_own")
)


def count(order_id: int, kind: Kind) -> int:
    """How many postings of a kind an order has."""
    found = db.session.scalar(
        select(func.count())
        .select_from(Posting)
        .where(Posting.order_id == order_id, Posting.kind == kind)
    )
    return int(found or 0)


def commit_is_open(order_id: int) -> bool:
    """Whether the supplier holds money for an order that was neither delivered, nor came back, nor
    was given up."""
    return next_commit(order_id) is None


def next_commit(order_id: int) -> int | None:
    """The number of an order's next commit, from 1; None while one is open (`commit_is_open`)."""
    # postings are never pending: the database writes them
    with db.session.no_autoflush:
        made, over = db.session.execute(_COMMITS, {"the_order": order_id}).one()
    return None if made > over else int(made) + 1


_COMMITS = select(
    func.count().filter(Posting.kind == "commit"),
    func.count().filter(Posting.kind.in_(("capture", "supplier_refund", "write_off"))),
).where(Posting.order_id == bindparam("the_order"))
"""How many commits an order has, and how many postings that ended one."""
