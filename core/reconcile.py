"""The supplier's word about our money beside our own books: what fits, what is a named break, what a person confirms.

Compared only while no purchase is in flight (the caller holds the wallet lock). Expected is a range: the float account
minus what unresolved *submitting* orders may have cost, plus what the supplier may have given back for orders it failed.
Nothing here moves money by itself except the opening of an empty ledger.
"""

from __future__ import annotations

from sqlalchemy import func, select, text

from core import cases, clock, config, ledger, money, supply
from core.audit import SYSTEM, Actor
from core.cases import Case
from core.db import db, transaction
from core.ledger import Account, Entry
from core.orders import Order
from core.supply import SUPPLIER, BalanceRead

_SUBJECT = "float"


class NotConfirmable(Exception):
    """The case is no open question about funding. `sentence` says so."""

    sentence = "This case is closed already, its amount has changed, or it is not about funding the float."


def float_pesewas() -> int:
    """Our float at the supplier by our own books. Needs `across_stores`."""
    found = db.session.scalar(select(Account.balance_pesewas).where(Account.name == "supplier_float"))
    return int(found or 0)


def note_balance(balance_pesewas: int) -> str:
    """Keep one balance read and judge it against the books. Returns the verdict in words. Needs `across_stores`.

    The first read of an empty ledger opens it. A difference seen twice, `balance_break_gap_s` apart, becomes a case.
    """
    with transaction() as session:
        link = supply.locked_state()
        account = session.scalars(
            select(Account).where(Account.name == "supplier_float").with_for_update(key_share=True)
        ).one()
        opened = not session.scalar(select(func.count()).select_from(Entry).where(Entry.account_id == account.id))
        float_now = account.balance_pesewas
        if opened and balance_pesewas > 0:
            ledger.fund_float(balance_pesewas, "opening balance, as the supplier reports it", SYSTEM)
            float_now = balance_pesewas
        unresolved = int(
            session.scalar(
                select(func.coalesce(func.sum(Order.cost_pesewas), 0)).where(
                    Order.state == "submitting", Order.attempt > 0
                )
            )
            or 0
        )
        verdict = (
            "opening balance booked"
            if opened and balance_pesewas > 0
            else _judge(link, balance_pesewas, float_now, unresolved, _may_be_back())
        )
        link.last_balance_pesewas, link.last_balance_at = balance_pesewas, clock.now()
        link.unreachable_since = link.credentials_refused_since = None
        session.add(
            BalanceRead(
                at=clock.now(),
                supplier=SUPPLIER,
                balance_pesewas=balance_pesewas,
                float_pesewas=float_now,
                unresolved_pesewas=unresolved,
                verdict=verdict,
            )
        )
        return verdict


def confirm_funding(case_id: int, actor: Actor, seen_pesewas: int | None = None) -> int:
    """The owner says that the float was funded: book the difference of the last read. Returns pesewas booked.

    Raises `NotConfirmable`, also when `seen_pesewas`, the amount the person read, is not the amount now. Needs
    `across_stores`.
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
        return rise


def _may_be_back() -> int:
    """Pesewas the supplier may have returned without saying so: charged for orders that failed, not booked as refunded.

    A failed order stays in flight in our books while it is watched, and after that while its case is open; the
    supplier may have refunded it at once, or never. Neither is a break.
    """
    found = db.session.scalar(
        text(
            "SELECT sum(o.charged_pesewas) FROM orders o WHERE (o.state = 'failed' OR o.id IN "
            "(SELECT order_id FROM cases WHERE kind = 'supplier_money' AND closed_at IS NULL)) AND "
            "(SELECT count(*) FILTER (WHERE kind = 'commit') - count(*) FILTER (WHERE kind IN ('supplier_refund', "
            "'write_off')) FROM postings p WHERE p.order_id = o.id) > 0"
        )
    )
    return int(found or 0)


def _judge(link: supply.SupplierState, balance: int, float_now: int, unresolved: int, may_be_back: int) -> str:
    low, high = float_now - unresolved, float_now + may_be_back
    if low <= balance <= high:
        link.break_pesewas = link.break_since = None
        return "fits"
    difference = balance - high if balance > high else balance - low
    said = f"{'more' if difference > 0 else 'less'} than expected by {money.cedis(abs(difference))}"
    if link.break_since is None:
        link.break_since, link.break_pesewas = clock.now(), difference
        return f"{said}, seen once"
    link.break_pesewas = difference
    if clock.now() - link.break_since < clock.delta(config.current().balance_break_gap_s):
        return f"{said}, seen again too soon"
    cases.open_case(
        "float_funded" if difference > 0 else "unexpected_charge",
        _SUBJECT,
        {
            "supplier_pesewas": balance,
            "float_pesewas": float_now,
            "unresolved_pesewas": unresolved,
            "difference_pesewas": difference,
        },
    )
    return f"{said}: a break"
