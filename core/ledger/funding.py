"""Money into a store's wallet: between which amounts, with which reason, and each form once.

Writing the posting is `posting`; who may fund is decided by the rooms.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from core import audit, money
from core.audit import Actor
from core.db import db, transaction
from core.ledger.posting import Account, Entry, Posting, post

MOST_FUNDING_PESEWAS = 10_000_000
"""GHS 100,000 in one act; more is a typing mistake."""


class BadFunding(ValueError):
    """An amount or reason for funding that cannot be used. `sentence` says how to fix it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class FundedAlready(Exception):
    """The same form was booked before, at `at`; nothing was added."""

    def __init__(self, at: datetime) -> None:
        super().__init__(f"booked already at {at}")
        self.at = at


def fund_wallet(
    store_id: int, amount_pesewas: int, reason: str, actor: Actor, seen_entry_id: int | None = None
) -> None:
    """Add to a store's wallet, with the reason people will read. Raises `BadFunding`. Writes an audit line.

    `seen_entry_id` is the newest wallet entry the person saw: the same amount and reason booked after it is this very
    form sent twice, and raises `FundedAlready`, also when both are sent at once.
    """
    if not 0 < amount_pesewas <= MOST_FUNDING_PESEWAS:
        raise BadFunding(f"Fund between GH₵ 0.01 and {money.cedis(MOST_FUNDING_PESEWAS)} at a time.")
    if not reason.strip() or len(reason) > 200:
        raise BadFunding("Give a reason of 1 to 200 characters, like: MoMo 12345678 received.")
    with transaction():
        posting_id = post(
            "fund_wallet",
            [("bank", amount_pesewas), ("wallet", -amount_pesewas)],
            actor,
            store_id=store_id,
            note=reason.strip(),
        )
        if seen_entry_id is not None:
            # After `post`, which holds the wallet's row until the commit: of two twins the second sees the first.
            booked_at = db.session.scalar(
                select(Posting.at)
                .join(Entry, Entry.posting_id == Posting.id)
                .join(Account, Account.id == Entry.account_id)
                .where(
                    Account.store_id == store_id,
                    Account.name == "wallet",
                    Entry.id > seen_entry_id,
                    Entry.amount_pesewas == -amount_pesewas,
                    Posting.kind == "fund_wallet",
                    Posting.note == reason.strip(),
                    Posting.id != posting_id,
                )
                .limit(1)
            )
            if booked_at is not None:
                raise FundedAlready(booked_at)
        audit.write(actor, "fund_wallet", f"store:{store_id}", {"amount_pesewas": amount_pesewas, "reason": reason})
