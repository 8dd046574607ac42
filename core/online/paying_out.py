"""Payouts: earnings leave for the agent's number or account, and sometimes come back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import exists, func, select

from core.audit import Actor
from core.base import clock, config, money
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.ledger import Account, Entry, Kind, Leg, Posting, post
from core.online.model import OPEN_PAYOUT, Payout, Unfit
from core.stores import Store


def payable(store_id: int, since: datetime | None = None) -> int:
    """What may be paid out now: earnings, less those of deliveries after `since` (default: of the
    last day); below nothing when a late reversal took more. In pesewas."""
    earnings = select(Account.id).where(
        Account.store_id == store_id, Account.name == "earnings"
    )
    balance = db.session.scalar(
        select(Account.balance_pesewas).where(Account.id == earnings.scalar_subquery())
    )
    since = since or earned_until()
    fresh = db.session.scalar(
        select(func.sum(Entry.amount_pesewas))
        .join(Posting, Posting.id == Entry.posting_id)
        .where(
            Posting.store_id == store_id,
            Posting.kind == "capture",
            Posting.at > since,
            Entry.account_id == earnings.scalar_subquery(),
        )
    )
    return int(fresh or 0) - int(balance or 0)


def earned_until() -> datetime:
    """Deliveries up to this moment may be paid out."""
    return clock.now() - clock.delta(config.current().earnings_wait_s)


@inside_use_case
def request_payout(
    store_id: int,
    amount_pesewas: int,
    fee_pesewas: int,
    *,
    way: Literal["momo", "bank"],
    reference: str,
    account: str,
    account_name: str,
    actor: Actor,
    **more: Any,
) -> Payout:
    """Set earnings aside for a payout with its fee. `more` is of the row. Raises `Unfit`."""
    status = db.session.scalar(
        select(Store.status).where(Store.id == store_id).with_for_update(key_share=True)
    )
    if status == "suspended":
        raise Unfit("This store is suspended: its earnings stay until it is not.")
    if amount_pesewas <= 0 or fee_pesewas < 0:
        raise Unfit("Name an amount above nothing.")
    is_open = Payout.state.in_(OPEN_PAYOUT)
    if db.session.scalar(select(exists().where(Payout.store_id == store_id, is_open))):
        raise Unfit("A payout of this store is under way. Wait until it is over.")
    until = earned_until()
    free = payable(store_id, until)
    if amount_pesewas + fee_pesewas > free:
        raise Unfit(
            f"{money.cedis(max(0, free))} may be paid out now, and"
            f" {money.cedis(amount_pesewas + fee_pesewas)} is needed with the fee."
        )
    payout = Payout(
        store_id=store_id,
        amount_pesewas=amount_pesewas,
        fee_pesewas=fee_pesewas,
        way=way,
        reference=reference,
        account=account,
        account_name=account_name,
        requested_by=actor.name,
        earned_until=until,
        **more,
    )
    db.session.add(payout)
    db.session.flush()
    whole = payout.whole_pesewas
    _post(
        "payout_requested",
        payout,
        [("earnings", whole), ("payouts_open", -whole)],
        actor,
    )
    # the account is locked by now: what left it meanwhile is seen
    left = payable(store_id, until)
    if left < 0:
        raise Unfit("The earnings have just become less. Look at them again.")
    payout.payable_pesewas = left + whole
    return payout


@inside_use_case
def payout_paid(payout: Payout, actor: Actor) -> None:
    """The gateway has sent it. Raises `Unfit`."""
    if payout.state not in ("submitting", "needs_owner", "in_transit"):
        raise Unfit("Only a payout that was sent to the gateway can be paid.")
    whole = payout.whole_pesewas
    _post("payout_paid", payout, [("payouts_open", whole), ("gateway", -whole)], actor)
    payout.state, payout.paid_at = "paid", clock.now()


@inside_use_case
def payout_returned(
    payout: Payout, to: Literal["failed", "rejected", "cancelled"], actor: Actor
) -> None:
    """It was not sent, and goes back into the earnings with its fee. Raises `Unfit`."""
    waiting = ("requested", "approved")
    is_waiting = payout.state in waiting
    if payout.state not in OPEN_PAYOUT or is_waiting != (to == "cancelled"):
        raise Unfit(
            "A payout is cancelled before it goes to the gateway, and fails only there."
        )
    whole = payout.whole_pesewas
    _post(
        "payout_returned",
        payout,
        [("payouts_open", whole), ("earnings", -whole)],
        actor,
    )
    payout.state, payout.ended_at = to, clock.now()


@inside_use_case
def payout_reversed(payout: Payout, actor: Actor) -> None:
    """What was paid out came back. Its fee stays lost: the agent's cost, or ours
    (`fee_is_ours`). Raises `Unfit`."""
    if payout.state != "paid":
        raise Unfit("Only a payout that was paid can come back.")
    ours = payout.fee_pesewas if payout.fee_is_ours else 0
    legs = [
        ("gateway", payout.amount_pesewas),
        ("gateway_fees", ours),
        ("earnings", -(payout.amount_pesewas + ours)),
    ]
    _post("payout_reversed", payout, legs, actor)
    payout.state, payout.ended_at = "reversed", clock.now()


def _post(kind: Kind, payout: Payout, legs: list[Leg], actor: Actor) -> None:
    post(kind, legs, actor, store_id=payout.store_id, subject=payout.subject)
