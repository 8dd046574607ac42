"""Whether an action on a case is legal as things stand, and how much money it would move. Changes
nothing.

The same judgement draws the buttons and, under the locks of `acting`, decides about the press.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import func, select

from core import cases, ledger, orders
from core.base import clock, config
from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.ledger import Posting
from core.orders import Order
from core.settling import of_disputes, of_fundings, of_gateway, online_rules, table
from core.settling.facts import ActionRefused, Facts, NotYet, order_of
from core.settling.table import Action, Way
from core.supplier.supply import SupplierState


@needs_across_stores
def judge(way: Way, facts: Facts) -> int | None:
    """Pesewas that this way would move now, None when it moves none. Raises `ActionRefused`."""
    is_test = facts.order is not None and facts.order.is_test
    if is_test and way.action not in ("look_again", "close"):
        raise ActionRefused(
            "This is a test order: no money moves for it. Close the case with words."
        )
    if way.kind == "unexpected_charge" and way.action == "accept_loss":
        return _shortfall(facts)
    return _RULES[way.action](facts)


def _look_again(facts: Facts) -> None:
    if facts.row is None or facts.order is None or facts.order.attempt == 0:
        raise ActionRefused(
            "This order was never sent: there is nothing to ask the supplier."
        )


def _send_again(facts: Facts) -> None:
    _refuse_unless_certainly_over(order_of(facts), "send it again")


def _give_back(facts: Facts) -> int:
    order = order_of(facts)
    if order.state != "failed":
        may_be_sent_again = table.way_of(facts.case.kind, "send_again") is not None
        if not may_be_sent_again and facts.case.kind != "broken":
            raise ActionRefused(
                f"The money goes back only while the order is failed; it is {_state(order)} now."
            )
        _refuse_unless_certainly_over(order, "give the money back")
    return order.agent_price_pesewas


def _in_flight(facts: Facts) -> int:
    amount = ledger.in_flight_of(_given_back(facts).id)
    if amount <= 0:
        raise ActionRefused(
            "Our books hold nothing in flight for this order any more. Close the case with words."
        )
    return amount


def _late_loss(facts: Facts) -> int:
    order = _given_back(facts)
    if ledger.count(order.id, "write_off"):
        raise ActionRefused(
            "What the supplier took for this order was written off already. Close the case with"
            " words."
        )
    if ledger.commit_is_open(order.id):
        return ledger.in_flight_of(order.id)
    accepted_at = db.session.scalar(
        select(func.max(Posting.at)).where(
            Posting.kind == "float_difference", Posting.at >= order.final_at
        )
    )
    if accepted_at is not None:
        raise ActionRefused(
            f"A difference of the float was accepted at {_at(accepted_at)}, after this order's"
            " money went back: it may be this very charge. Close this case with words; a charge"
            " that is still missing shows as a new difference."
        )
    return charge_of(facts)


def _given_back(facts: Facts) -> Order:
    """The order, whose money must have gone back: until then what the supplier took may still be
    delivered."""
    order = order_of(facts)
    if order.state not in ("refunded", "cancelled"):
        raise ActionRefused(
            f"The order is {_state(order)} now: what the supplier took for it is not lost."
        )
    return order


def charge_of(facts: Facts) -> int:
    """What the supplier took for an order that is not in our books: the amount it named last, else
    the order's cost."""
    named = [
        entry["charged_pesewas"]
        for entry in facts.case.seen
        if entry.get("charged_pesewas") is not None
    ]
    if named:
        return int(named[-1])
    return order_of(facts).cost_pesewas


def _shortfall(facts: Facts) -> int:
    """How much less than our books the supplier holds, by the newest read, as far as nothing else
    explains it."""
    difference = _difference(facts.link)
    if difference >= 0:
        raise ActionRefused(
            "The supplier holds no less than our books now. Close the case with words."
        )
    for case in cases.open_of_kind("late_success"):
        if case.order_id is not None and not ledger.commit_is_open(case.order_id):
            raise NotYet(
                f"Case {case.id}, a late delivery, may explain a part of it. Settle that one first."
            )
    return -difference


def _surplus(facts: Facts) -> int:
    difference = _difference(facts.link)
    if difference <= 0:
        raise ActionRefused(
            "The supplier holds no more than our books now. Close the case with words."
        )
    return difference


def _difference(link: SupplierState) -> int:
    """The supplier's balance less what our books explain, as it stood at the newest read. Raises
    `ActionRefused`."""
    seen_since = link.break_since
    read_at = link.last_balance_at
    if link.break_pesewas is None or seen_since is None or read_at is None:
        return 0
    if read_at - seen_since < clock.delta(config.current().balance_break_gap_s):
        raise NotYet(
            "The difference was seen only once so far. Refresh the balance in a minute, then"
            " decide."
        )
    moved_at = cases.last_settled_at(("accept_loss", "money_came_back"))
    if moved_at is not None and moved_at >= read_at:
        raise NotYet(
            f"A case settled at {_at(moved_at)} moved the books after the balance was read. Refresh"
            " the balance, then decide."
        )
    return link.break_pesewas


def _funding(facts: Facts) -> int:
    rise = facts.link.break_pesewas or 0
    if rise <= 0:
        raise ActionRefused(
            "The supplier holds no more than our books now. Close the case with words."
        )
    return rise


def _refuse_unless_certainly_over(order: Order, what: str) -> None:
    """Only for an order whose every purchase call is over by both clocks: a live claim could still
    buy."""
    counts_at = orders.absence_counts_at(order)
    if counts_at is None:
        raise ActionRefused(
            f"To {what}, the order must be without an answer; it is {_state(order)} now."
        )
    if counts_at <= clock.now():
        return
    if clock.boot() not in order.steady_marks:
        grace_minutes = clock.seconds(config.current().grace_s) / 60
        raise NotYet(
            "This machine has not watched the order for long enough. Press “Look again”, then"
            f" decide after {max(1, round(grace_minutes))} min."
        )
    raise NotYet(
        f"A purchase call may still be under way. Decide after {_at(counts_at)}."
    )


def _close(facts: Facts) -> None:
    of_fundings.refuse_open_debt(facts)


_RULES: dict[Action, Callable[[Facts], int | None]] = {
    "look_again": _look_again,
    "send_again": _send_again,
    "give_back": _give_back,
    "money_came_back": _in_flight,
    "write_off": _in_flight,
    "accept_loss": _late_loss,
    "accept_gain": _surplus,
    "confirm_funding": _funding,
    "owe_back": online_rules.owe_back,
    "deliver": online_rules.deliver,
    "refund": online_rules.refund,
    "expire": online_rules.expire,
    "adopt_refund": online_rules.adopt_refund,
    "book_taken": online_rules.book_taken,
    "take_funding": of_fundings.take_funding,
    "settle_debt": of_fundings.settle_debt,
    "bear_loss": of_fundings.bear_loss,
    "settled_less": of_gateway.settled_less,
    "settled_more": of_gateway.settled_more,
    "take_word": of_disputes.take_word,
    "disown": of_disputes.disown,
    "close": _close,
}


def _state(order: Order) -> str:
    return f"“{orders.AGENT_LABELS[order.state]}”"


def _at(moment: datetime) -> str:
    local = moment.astimezone(clock.ACCRA)
    return f"{local.day} {local:%b %H:%M:%S}"
