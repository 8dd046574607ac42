"""The owner's word that the float was funded, and all that a person has booked for what a balance
showed."""

from __future__ import annotations

from sqlalchemy import func, select

from core import cases, ledger, orders
from core.audit import Actor
from core.base import money
from core.base.db import db, transaction
from core.base.preconditions import needs_across_stores
from core.base.refusal import Refusal
from core.cases import Case
from core.ledger import Account, Entry, Posting
from core.reconcile.float_books import spendable_pesewas
from core.supplier import balances, supply
from core.supplier.balances import BalanceRead


@needs_across_stores
def booked_for(read: BalanceRead) -> int:
    """Pesewas the float has gained in our books since this read because of what it showed: funding,
    an accepted difference.

    What was bought or given back meanwhile is not among them.
    """
    booked = (
        select(func.coalesce(func.sum(Entry.amount_pesewas), 0))
        .join(Posting, Posting.id == Entry.posting_id)
        .join(Account, Account.id == Entry.account_id)
        .where(
            Account.name == "supplier_float",
            Posting.kind.in_(("fund_float", "float_difference")),
            Posting.at > read.at,
        )
    )
    return int(db.session.scalar(booked) or 0)


class NotConfirmable(Refusal):
    """The case is no open question about funding. `sentence` says so."""

    sentence = (
        "This case is closed already, its amount has changed, or it is not about"
        " funding the float."
    )


@needs_across_stores
def funding_amounts() -> list[int]:
    """What may be booked as funding by the last read, in pesewas; empty when nothing may.

    First what the supplier holds beyond all that may have come back for failed orders. Where some
    may have, also the whole rise: whoever paid it in knows that none of it came back.
    """
    rise = supply.state().break_pesewas or 0
    if rise <= 0:
        return []
    for read in balances.newest(1):
        whole = read.balance_pesewas - read.float_pesewas
        if (
            whole == rise + read.may_be_back_pesewas and whole > rise
        ):  # else the rise is of an earlier read
            return [rise, whole]
    return [rise]


@needs_across_stores
def confirm_funding(
    case_id: int,
    actor: Actor,
    seen_pesewas: int | None = None,
) -> int:
    """The owner says that the float was funded: book the difference of the last read. Returns
    pesewas booked.

    Orders that waited for the money are woken. `seen_pesewas` is the one of `funding_amounts` that
    the person read, by default the first. Raises `NotConfirmable`, also when it is none of them
    now.
    """
    with transaction() as session:
        link = supply.locked_state()  # before the case, as a balance read does
        case = session.scalar(
            select(Case)
            .where(
                Case.id == case_id,
                Case.kind == "float_funded",
                Case.closed_at.is_(None),
            )
            .with_for_update()
        )
        # As it stood at that read: what was bought since has left the books and the supplier's
        # balance alike.
        amounts = funding_amounts()
        if case is None or not amounts or seen_pesewas not in (None, *amounts):
            raise NotConfirmable
        paid_in = amounts[0] if seen_pesewas is None else seen_pesewas
        posting_id = ledger.fund_float(
            paid_in, f"funding confirmed by {actor.name}", actor
        )
        link.break_pesewas = link.break_since = None
        said = f"Funding of {money.cedis(paid_in)} confirmed."
        cases.close_row(
            case,
            said,
            actor,
            action="confirm_funding",
            posting_ids=[posting_id],
        )
    orders.wake("float", spendable_pesewas())
    return paid_in
