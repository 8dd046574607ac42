"""The owner's word that the float was funded: the one posting for which a rise of the balance needs a person."""

from __future__ import annotations

from sqlalchemy import select

from core import cases, ledger, money, orders, supply
from core.audit import Actor
from core.cases import Case
from core.db import transaction
from core.reconcile.judging import spendable_pesewas


class NotConfirmable(Exception):
    """The case is no open question about funding. `sentence` says so."""

    sentence = "This case is closed already, its amount has changed, or it is not about funding the float."


def confirm_funding(case_id: int, actor: Actor, seen_pesewas: int | None = None) -> int:
    """The owner says that the float was funded: book the difference of the last read. Returns pesewas booked.

    Orders that waited for the money are woken. Raises `NotConfirmable`, also when `seen_pesewas`, the amount the person
    read, is not the amount now. Needs `across_stores`.
    """
    with transaction() as session:
        link = supply.locked_state()  # before the case, as a balance read does
        case = session.scalar(
            select(Case)
            .where(Case.id == case_id, Case.kind == "float_funded", Case.closed_at.is_(None))
            .with_for_update()
        )
        # As it stood at that read: what was bought since has left the books and the supplier's balance alike.
        rise = link.break_pesewas or 0
        if case is None or rise <= 0 or seen_pesewas not in (None, rise):
            raise NotConfirmable
        posting_id = ledger.fund_float(rise, f"funding confirmed by {actor.name}", actor)
        link.break_pesewas = link.break_since = None
        said = f"Funding of {money.cedis(rise)} confirmed."
        cases.close_row(case, said, actor, action="confirm_funding", posting_ids=[posting_id])
    orders.wake("float", spendable_pesewas())
    return rise
