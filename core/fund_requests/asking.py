"""An agent asks for money into their wallet, or takes that back. Nothing moves."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from core import audit, ledger
from core.audit import Actor
from core.base import clock, money, tenancy, text_input
from core.base.db import db, transaction
from core.base.locks import Lock
from core.base.preconditions import inside_use_case
from core.fund_requests.model import (
    LONGEST_REFERENCE,
    SHORTEST_REFERENCE,
    BadRequest,
    FundRequest,
    NoSuchRequest,
    key_of,
)

MOST_WAITING = 5
"""Requests of one store that may wait for the owner at a time."""


@dataclass
class Ask:
    """What an agent typed, and what is wrong with it by field."""

    amount_text: str = ""
    reference: str = ""
    amount_pesewas: int = 0
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, amount_text: str, reference: str) -> Ask:
        one = cls(
            text_input.one_line(amount_text, 40),
            text_input.one_line(reference, LONGEST_REFERENCE),
        )
        try:
            one.amount_pesewas = money.parse_ghs(one.amount_text)
        except money.BadAmount as bad:
            one.problems["amount"] = bad.sentence
        else:
            one._limit()
        if len(key_of(one.reference)) < SHORTEST_REFERENCE:
            one.problems["reference"] = (
                "Type the transaction ID of your payment. Paid in cash? Then say when, and to"
                " whom."
            )
        return one

    def _limit(self) -> None:
        if self.amount_pesewas <= 0:
            self.problems["amount"] = "Type an amount above zero, like 500.00."
        elif self.amount_pesewas > ledger.MOST_FUNDING_PESEWAS:
            most = money.cedis(ledger.MOST_FUNDING_PESEWAS)
            self.problems["amount"] = f"At most {most} at a time. Check the amount."


def ask(asked: Ask, actor: Actor) -> bool:
    """Keep a request that can be read for the owner to decide. False when the very same waits
    already, also when both are sent at once. Raises `BadRequest`."""
    key = key_of(asked.reference)
    with transaction():
        _turn()
        _refuse_used(key)
        made = db.session.scalar(
            insert(FundRequest)
            .values(
                store_id=tenancy.current_store_id(),
                asked_at=clock.now(),
                asked_by=actor.name,
                amount_pesewas=asked.amount_pesewas,
                reference=asked.reference,
                reference_key=key,
            )
            .on_conflict_do_nothing()
            .returning(FundRequest.id)
        )
        waits = _waiting()
        if made is None:
            _refuse_other_amount(waits, key, asked.amount_pesewas)
            return False
        if len(waits) > MOST_WAITING:
            raise BadRequest(
                f"{MOST_WAITING} requests of yours wait already. Take one back, or wait for the"
                " owner of Makola.",
                "amount",
            )
        _write(actor, "ask_funding", asked.amount_pesewas, asked.reference)
        return True


def withdraw(request_id: int, actor: Actor) -> FundRequest:
    """The agent takes a request back. Said twice it is said once. Raises `NoSuchRequest`,
    `BadRequest` when the owner was first."""
    with transaction():
        found = db.session.scalar(
            select(FundRequest)
            .where(FundRequest.id == request_id)
            .with_for_update(key_share=True)
        )
        if found is None:
            raise NoSuchRequest
        if found.decision == "withdrawn":
            return found
        if found.decision is not None:
            raise BadRequest(
                f"The owner of Makola has decided already: it was {found.decision}."
            )
        found.decision = "withdrawn"
        found.decided_at, found.decided_by = clock.now(), actor.name
        _write(actor, "withdraw_funding", found.amount_pesewas, found.reference)
        return found


@inside_use_case
def _turn() -> None:
    """Two who ask at once are counted one after the other, so that no more wait than may."""
    name = str(tenancy.current_store_id())
    turn = func.pg_advisory_xact_lock(Lock.FUNDING, func.hashtext(name))
    db.session.execute(select(turn))


def _refuse_used(key: str) -> None:
    booked = db.session.scalar(
        select(FundRequest)
        .where(FundRequest.reference_key == key, FundRequest.decision == "approved")
        .limit(1)
    )
    if booked is not None:
        amount = money.cedis(booked.amount_pesewas)
        raise BadRequest(
            f"{amount} with this reference is in your wallet already. For another payment, type"
            " its own transaction ID."
        )


def _waiting() -> list[FundRequest]:
    query = select(FundRequest).where(FundRequest.decision.is_(None))
    return list(db.session.scalars(query.limit(MOST_WAITING + 1)))


def _refuse_other_amount(waits: list[FundRequest], key: str, pesewas: int) -> None:
    for one in waits:
        if one.reference_key == key and one.amount_pesewas != pesewas:
            amount = money.cedis(one.amount_pesewas)
            raise BadRequest(
                f"A request with this reference waits already, for {amount}. Take that back first."
            )


def _write(actor: Actor, action: str, amount_pesewas: int, reference: str) -> None:
    store = f"store:{tenancy.current_store_id()}"
    detail = {"amount_pesewas": amount_pesewas, "reference": reference}
    audit.write(actor, action, store, detail)
