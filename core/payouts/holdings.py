"""The gateway's balance beside our books. Outside of what they allow twice, far enough apart, no
payout goes any more until a person says so.

What the gateway holds by our books is more than its balance by what it has not settled yet, and by
what it may have taken for refunds and transfers that are under way. Which payments are settled it
does not say at once, so those of the last days may be in its balance or not, unless their
settlement was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from core import audit, cases, online
from core.audit import SYSTEM, Actor
from core.base import clock, config, money
from core.base.db import db, transaction
from core.base.locks import Lock
from core.base.preconditions import inside_use_case, needs_across_stores
from core.catalog import Setting
from core.ledger import Account, Entry
from core.online import GatewayRefund, OnlinePayment, Payout
from core.online.listed import GatewayLine, GatewaySettlement
from core.online.model import OPEN_PAYOUT, OPEN_REFUND
from core.online.standing import postings
from core.online.stopped import stop_payouts
from core.payouts import stopping

OPENING = 0
"""The number of the top-up by which the books begin."""
CASE = ("gateway_balance", "gateway")
_TAKEN = tuple(one for one in OPEN_PAYOUT if one not in ("requested", "approved"))


@dataclass(frozen=True)
class Range:
    """What the gateway's balance may be, in pesewas."""

    least_pesewas: int
    most_pesewas: int

    def holds(self, pesewas: int) -> bool:
        return self.least_pesewas <= pesewas <= self.most_pesewas


@needs_across_stores
def expected() -> Range:
    """By our books now. Above them it never is; below, by what may be on its way."""
    books = db.session.scalar(
        select(Account.balance_pesewas).where(
            Account.name == "gateway", Account.store_id.is_(None)
        )
    )
    since = clock.now() - clock.delta(config.current().settled_within_s)
    got = OnlinePayment.charged_pesewas - func.coalesce(OnlinePayment.fees_pesewas, 0)
    unsettled = _sum(
        got,
        OnlinePayment.state == "paid",
        OnlinePayment.paid_at > since,
        ~_is_settled(),
    )
    refunds = _sum(
        GatewayRefund.amount_pesewas + GatewayRefund.fee_pesewas,
        GatewayRefund.state.in_(OPEN_REFUND),
    )
    payouts = _sum(Payout.amount_pesewas + Payout.fee_pesewas, Payout.state.in_(_TAKEN))
    most = int(books or 0)
    return Range(most - unsettled - refunds - payouts, most)


def _is_settled() -> ColumnElement[bool]:
    """In a statement: whether it is in a settlement whose money is where it belongs."""
    return (
        select(GatewayLine.id)
        .join(GatewaySettlement, GatewaySettlement.id == GatewayLine.settlement_id)
        .where(
            GatewayLine.reference == OnlinePayment.reference,
            GatewaySettlement.went.in_(("bank", "balance")),
        )
        .exists()
    )


def may_book_settlements() -> bool:
    """Whether what came to our bank is booked by a person: not where the gateway settles there,
    since its settlements are read and booked by themselves."""
    return config.current().paystack_settles_to != "bank"


@needs_across_stores
def book(
    kind: Literal["top_up", "settlement"],
    form_id: int,
    amount_pesewas: int,
    actor: Actor,
) -> bool:
    """A person says that so much was paid into the gateway's balance, or came from it to our bank.
    False when the same form was booked already. Raises `online.Unfit`."""
    if kind == "settlement" and not may_book_settlements():
        raise online.Unfit(
            "Settlements to our bank are read from the gateway and booked by themselves. Book here"
            " only what was paid into it."
        )
    with transaction():
        db.session.execute(select(func.pg_advisory_xact_lock(Lock.GATEWAY, 0)))
        if postings(f"{kind}:{form_id}", kind):
            return False
        move = online.top_up if kind == "top_up" else online.settlement
        move(form_id, amount_pesewas, actor)
        audit.write(
            actor, f"book_{kind}", "platform", {"amount_pesewas": amount_pesewas}
        )
        return True


@needs_across_stores
def judge(balance_pesewas: int) -> bool:
    """Whether the gateway's balance fits. The second time it does not, long enough after the
    first, payouts stop and a person is asked."""
    with transaction():
        _take_opening(balance_pesewas)
        may_be = expected()
        if may_be.holds(balance_pesewas):
            db.session.execute(delete(Setting).where(Setting.key == stopping.OUTSIDE))
            return True
        now = clock.now()
        first = _first_outside(now)
        if now - first >= clock.delta(config.current().gateway_break_gap_s):
            _stop(balance_pesewas, may_be, first)
        return False


@inside_use_case
def _take_opening(balance_pesewas: int) -> None:
    """What is there before anything of ours moved is what it begins with."""
    db.session.execute(select(func.pg_advisory_xact_lock(Lock.GATEWAY, 0)))
    moved = select(Entry.id).join(Account, Account.id == Entry.account_id)
    if balance_pesewas > 0 and not db.session.scalar(
        select(moved.where(Account.name == "gateway").exists())
    ):
        online.top_up(OPENING, balance_pesewas, SYSTEM)


@inside_use_case
def _first_outside(now: datetime) -> datetime:
    """Since when it is outside; now, where it was inside when it was read last. A clock that was
    set back begins anew."""
    found = db.session.scalar(
        select(Setting).where(Setting.key == stopping.OUTSIDE).with_for_update()
    )
    if found is not None:
        first = datetime.fromisoformat(str(found.value["since"]))
        if first <= now:
            return first
        found.value = {"since": now.isoformat()}
        return now
    db.session.execute(
        insert(Setting)
        .values(key=stopping.OUTSIDE, value={"since": now.isoformat()})
        .on_conflict_do_nothing()
    )
    return now


@inside_use_case
def _stop(balance_pesewas: int, may_be: Range, first: datetime) -> None:
    cases.open_case(
        *CASE,
        {
            "gateway_pesewas": balance_pesewas,
            "least_pesewas": may_be.least_pesewas,
            "most_pesewas": may_be.most_pesewas,
            "since": first.isoformat(),
        },
    )
    stop_payouts(
        f"The gateway holds {money.cedis(balance_pesewas)}; by our books it is"
        f" {money.cedis(may_be.least_pesewas)} to {money.cedis(may_be.most_pesewas)}.",
        SYSTEM,
    )


def _sum(what: ColumnElement[Any], *where: ColumnElement[bool]) -> int:
    return int(db.session.scalar(select(func.sum(what)).where(*where)) or 0)
