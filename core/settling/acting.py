"""Settling a case: one action of a person, judged under locks and done in one transaction.

With it go the postings, the timeline line with the person's name, the closing of the case and the
audit line. A press that comes twice, or from two people at once, finds the case closed and is
refused. Locks are taken in one order everywhere: order, its outbox row, `supplier_state`, case,
accounts (docs/architecture.md, Locks); the payment of a case about no order before all of these.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy import select

from core import audit, cases, ledger, online, orders, outbox, reconcile
from core.audit import Actor
from core.base import clock, money
from core.base.db import db, transaction
from core.base.preconditions import needs_across_stores
from core.cases import Case
from core.disputes import odd
from core.ledger import Posting
from core.orders import by_hand
from core.settling import (
    fundings,
    legality,
    of_disputes,
    of_gateway,
    paying_back,
    table,
)
from core.settling.facts import ActionRefused, Facts, other_amount, payment_of
from core.settling.press import Press, tell
from core.supplier import supply


class NoSuchCase(Exception):
    """There is no case of that number."""


@needs_across_stores
def settle(
    case_id: int,
    action: str,
    actor: Actor,
    *,
    words: str = "",
    seen_pesewas: int | None = None,
) -> str:
    """Do `action` about a case. Returns what was done, in a sentence.

    `seen_pesewas` is the amount the person read on the button; it must be the amount now. Raises
    `ActionRefused` with a sentence, and then nothing was changed, and `NoSuchCase`.
    """
    if action == "confirm_funding":
        return _confirm_funding(case_id, actor, seen_pesewas)
    with transaction() as session:
        facts = _locked(case_id)
        way = _way(facts.case, action, words)
        amount = legality.judge(way, facts)
        if amount is not None and amount != seen_pesewas:
            raise other_amount(amount)
        press = Press(facts, amount or 0, actor, words.strip())
        if way.action == "look_again":
            return _look_again(press)
        newest_id = session.scalar(
            select(Posting.id).order_by(Posting.id.desc()).limit(1)
        )
        said = _DEEDS[way.action](press)
        cases.close_row(
            facts.case,
            f"{said} “{press.words}”" if press.words else said,
            actor,
            action=None if action == "close" else action,
            posting_ids=_made_since(newest_id or 0, press),
        )
    if facts.order is None:
        # the stop of buying was this case, or the money orders wait for is there now
        orders.wake("balance_break")
        orders.wake("float", reconcile.spendable_pesewas())
    return said


def _way(case: Case, action: str, words: str) -> table.Way:
    """What the table says of `action` about a locked case. Raises `ActionRefused` when the case is
    closed, the action is none of its kind, or words are missing."""
    if case.closed_at is not None:
        when = f"{case.closed_at.astimezone(clock.ACCRA):%H:%M}"
        raise ActionRefused(
            f"This case was closed already, by {case.closed_by} at {when}: {case.resolution}"
        )
    way = table.way_of(case.kind, action)
    if way is None:
        raise ActionRefused("This cannot be done about a case of this kind.")
    if way.action in table.NEEDS_WORDS and not words.strip():
        raise ActionRefused(
            "Say in a few words what was done, or why; it is kept with the case."
        )
    return way


def _confirm_funding(
    case_id: int,
    actor: Actor,
    seen_pesewas: int | None,
) -> str:
    """Book the funding of the float by `reconcile.confirm_funding`. Raises `ActionRefused` where
    that raises `NotConfirmable`."""
    try:
        booked = reconcile.confirm_funding(case_id, actor, seen_pesewas or 0)
    except reconcile.NotConfirmable as refusal:
        raise ActionRefused(refusal.sentence) from refusal
    return f"{money.cedis(booked)} is booked as funding of the float."


def _locked(case_id: int) -> Facts:
    """A case and all that its settling rests on, locked in the one order."""
    session = db.session
    found = session.execute(
        select(Case.id, Case.order_id, Case.subject).where(Case.id == case_id)
    ).one_or_none()
    if found is None:
        raise NoSuchCase
    order, row = None, None
    if found.order_id is None and found.subject.startswith("payment:"):
        # as the worker has it, which opens cases under this lock
        online.locked_payment(int(found.subject.partition(":")[2]))
    odd.lock(found.subject)
    if found.order_id is not None:
        order = orders.locked(found.order_id)
        row = outbox.of_order(order.id, lock=True)
    of_gateway.lock(found.subject)
    link = supply.locked_state()
    case = session.scalars(
        select(Case).where(Case.id == case_id).with_for_update()
    ).one()
    return Facts(case, order, row, link)


def _look_again(press: Press) -> str:
    assert press.facts.row is not None
    if not by_hand.look_again(press.order, press.facts.row, press.actor):
        return (
            "The supplier is asked already. The answer shows on the order's timeline."
        )
    audit.write(press.actor, "look_again", f"case:{press.facts.case.id}")
    return "The supplier is asked. The answer shows on the order's timeline; the case stays open."


def _send_again(press: Press) -> str:
    assert press.facts.row is not None
    by_hand.send_again(press.order, press.facts.row, press.actor, press.words)
    return "Never bought: sent again under the same reference."


def _give_back(press: Press) -> str:
    by_hand.give_back(press.order, press.actor, press.words)
    return f"{press.amount} given back to the agent."


def _money_came_back(press: Press) -> str:
    number = ledger.count(press.order.id, "supplier_refund") + 1
    ledger.supplier_refund(
        press.order,
        press.amount_pesewas,
        number,
        press.actor,
        press.note,
    )
    tell(press, "the supplier's money for this order was seen to come back.")
    return f"{press.amount} of the supplier's money came back."


def _write_off(press: Press) -> str:
    _book_write_off(press)
    tell(
        press,
        "the supplier's money for this order is given up. It costs the agent nothing.",
    )
    return f"{press.amount} written off."


def _accept_loss(press: Press) -> str:
    if press.facts.order is None:
        return _accept_float_loss(press)
    return _accept_late_loss(press)


def _accept_late_loss(press: Press) -> str:
    order = press.order
    if not ledger.commit_is_open(order.id):
        order.charged_pesewas = press.amount_pesewas
        ledger.commit(
            order,
            press.amount_pesewas,
            ledger.count(order.id, "commit") + 1,
            press.actor,
            press.note,
        )
    _book_write_off(press)
    tell(
        press,
        "delivered after the money went back. The loss is Makola's; the agent keeps what was given"
        " back.",
    )
    return (
        f"The loss of {press.amount} is accepted: the agent keeps what was given back."
    )


def _accept_float_loss(press: Press) -> str:
    ledger.float_difference(press.amount_pesewas, press.note, press.actor)
    _clear_break(press)
    return f"{press.amount} less in the float is accepted as a loss."


def _accept_gain(press: Press) -> str:
    ledger.float_difference(-press.amount_pesewas, press.note, press.actor)
    _clear_break(press)
    return f"{press.amount} more in the float is accepted as a gain."


def _of_funding(deed: fundings.Deed, press: Press) -> str:
    return deed(press.facts.case, press.amount_pesewas, press.actor)


def _close(press: Press) -> str:
    if press.facts.order is not None:
        tell(press, f"looked at it and closed the case “{press.facts.case.title}”.")
    return "Closed with words."


_DEEDS: dict[table.Action, Callable[[Press], str]] = {
    "send_again": _send_again,
    "give_back": _give_back,
    "money_came_back": _money_came_back,
    "write_off": _write_off,
    "accept_loss": _accept_loss,
    "accept_gain": _accept_gain,
    "owe_back": paying_back.owe_back,
    "deliver": paying_back.deliver,
    "refund": paying_back.refund,
    "expire": paying_back.expire,
    "adopt_refund": paying_back.adopt_refund,
    "book_taken": paying_back.book_taken,
    "take_funding": partial(_of_funding, fundings.take_back),
    "settle_debt": partial(_of_funding, fundings.settle),
    "bear_loss": partial(_of_funding, fundings.bear),
    "settled_less": of_gateway.accept_less,
    "settled_more": of_gateway.accept_more,
    "take_word": of_disputes.hold_word,
    "disown": of_disputes.let_go,
    "close": _close,
}


def _book_write_off(press: Press) -> None:
    number = ledger.count(press.order.id, "write_off") + 1
    ledger.write_off(
        press.order,
        press.amount_pesewas,
        number,
        press.actor,
        press.note,
    )


def _clear_break(press: Press) -> None:
    press.facts.link.break_pesewas = press.facts.link.break_since = None


def _made_since(newest_id: int, press: Press) -> list[int]:
    """The postings of this press: of its order, whose row is locked, of its payment and the order
    which that pays, or the one that moved the float alone."""
    order = press.facts.order
    query = select(Posting.id).where(Posting.id > newest_id)
    if payment := payment_of(press.facts.case):
        of_paid = Posting.order_id == payment.pays_order_id
        of_it = Posting.subject.in_(fundings.subjects(press.facts.case))
        query = query.where(of_it | of_paid)
    elif order is not None:
        query = query.where(Posting.order_id == order.id)
    else:
        of_none = ("float_difference", "gateway_difference")
        query = query.where(Posting.kind.in_(of_none))
    return list(db.session.scalars(query.order_by(Posting.id)))
