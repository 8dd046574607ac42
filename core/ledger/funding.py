"""Money into a store's wallet and out again: between which amounts, with which reason, and each
form once.

Writing the posting is `posting`; who may fund is decided by the rooms.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from core import audit
from core.audit import Actor
from core.base import money
from core.base.db import db, joined_transaction
from core.base.refusal import Refusal
from core.ledger.model import Account, Entry, Kind, Posting
from core.ledger.posting import InsufficientWallet, Leg, post

MOST_FUNDING_PESEWAS = 10_000_000
"""GHS 100,000 in one act; more is a typing mistake."""


class BadFunding(Refusal):
    """An amount or reason for funding that cannot be used. `sentence` says how to fix it."""


class FundedAlready(Exception):
    """The same form was booked before, at `at`; nothing was added."""

    def __init__(self, at: datetime) -> None:
        super().__init__(f"booked already at {at}")
        self.at = at


def fund_wallet(
    store_id: int,
    amount_pesewas: int,
    reason: str,
    actor: Actor,
    seen_entry_id: int | None = None,
) -> int:
    """Add to a store's wallet, with the reason people will read. Returns the posting's id. Raises
    `BadFunding`. Writes an audit line. Inside an open use case it is a part of that.

    `seen_entry_id` is the newest wallet entry the person saw: the same amount and reason booked
    after it is this very form sent twice, and raises `FundedAlready`, also when both are sent at
    once.
    """
    if not 0 < amount_pesewas <= MOST_FUNDING_PESEWAS:
        raise BadFunding(
            f"Fund between GH₵ 0.01 and {money.cedis(MOST_FUNDING_PESEWAS)} at a time."
        )
    legs = [("bank", amount_pesewas), ("wallet", -amount_pesewas)]
    return _book_once(
        "fund_wallet",
        store_id,
        legs,
        reason,
        actor,
        seen_entry_id,
    )


def take_back(
    store_id: int,
    amount_pesewas: int,
    reason: str,
    actor: Actor,
    seen_entry_id: int | None = None,
) -> None:
    """Take a funding back, or a part of it: never more than is free in the wallet. Writes an audit
    line.

    Raises `BadFunding`, and `FundedAlready` as `fund_wallet` does.
    """
    if not 0 < amount_pesewas <= MOST_FUNDING_PESEWAS:
        raise BadFunding(
            f"Take back between GH₵ 0.01 and {money.cedis(MOST_FUNDING_PESEWAS)} at a time."
        )
    legs = [("wallet", amount_pesewas), ("bank", -amount_pesewas)]
    try:
        _book_once(
            "take_back",
            store_id,
            legs,
            reason,
            actor,
            seen_entry_id,
        )
    except InsufficientWallet as short:
        raise BadFunding(too_much(short.available_pesewas)) from short


def too_much(free_pesewas: int) -> str:
    """Why no more can be taken back than is free, as a sentence."""
    if free_pesewas <= 0:
        return (
            "Nothing is free in the wallet now. What is held for orders under way cannot be taken"
            " back."
        )
    free = money.cedis(free_pesewas)
    return (
        f"Only {free} is free in the wallet. What is held for orders under way cannot be taken"
        " back."
    )


def _book_once(
    kind: Kind,
    store_id: int,
    legs: Sequence[Leg],
    reason: str,
    actor: Actor,
    seen_entry_id: int | None,
) -> int:
    if not reason.strip() or len(reason) > 200:
        raise BadFunding(
            "Give a reason of 1 to 200 characters, like: MoMo 12345678 received."
        )
    with joined_transaction():
        posting_id = post(
            kind,
            legs,
            actor,
            store_id=store_id,
            note=reason.strip(),
        )
        if seen_entry_id is not None:
            # After `post`, which holds the wallet's row until the commit: of two twins the second
            # sees the first.
            booked_at = db.session.scalar(
                select(Posting.at)
                .join(Entry, Entry.posting_id == Posting.id)
                .join(Account, Account.id == Entry.account_id)
                .where(
                    Account.store_id == store_id,
                    Account.name == "wallet",
                    Entry.id > seen_entry_id,
                    Entry.amount_pesewas == dict(legs)["wallet"],
                    Posting.kind == kind,
                    Posting.note == reason.strip(),
                    Posting.id != posting_id,
                )
                .limit(1)
            )
            if booked_at is not None:
                raise FundedAlready(booked_at)
        amount = abs(dict(legs)["wallet"])
        audit.write(
            actor,
            kind,
            f"store:{store_id}",
            {"amount_pesewas": amount, "reason": reason},
        )
        return posting_id
