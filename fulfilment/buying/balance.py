"""The supplier's word about our balance: asked for before a purchase that needs it, by the timer,
by a person's button, and told along with purchases. Also whether the float can pay for an order,
and who goes first when it pays for some.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from core import orders, reconcile
from core.base import clock, config, tenancy
from core.base.db import end_read
from core.leases import Lease
from core.orders import Order
from core.reconcile import Standing
from core.supplier import balances, budget, supply
from fulfilment.buying import supplier_link
from fulfilment.outcome import Outcome
from integrations.ports import Balance, NoAnswer, Rejected, SubmitResult, Supplier

log = structlog.get_logger("balance")


def refresh(
    _lease: Lease,
    _begun: None,
    supplier: Supplier,
) -> Outcome:
    """Handler of `refresh_balance`: read the balance while no purchase is in flight and judge
    it."""
    with supplier_link.wallet_turn() as turn:
        if not turn:
            return Outcome(clock.after(2))
        pause = supply.take_call("other")
        if pause:
            return Outcome(clock.now() + timedelta(seconds=pause))
        answer = read(supplier)
    if isinstance(answer, NoAnswer):
        return Outcome(
            None,
            ok=False,
            text=f"The balance could not be read: {supplier_link.in_words(answer)}.",
        )
    return Outcome(
        None,
        ok=True,
        text=f"Balance read: {answer}.",
    )


def read(supplier: Supplier) -> str | NoAnswer:
    """One balance call and its judgement in words. The caller holds the wallet's turn and has taken
    a call."""
    with tenancy.across_stores():
        mark = reconcile.books_mark()
        end_read()
        answer = supplier.balance()
        if isinstance(answer, Balance):
            return reconcile.note_balance(
                answer.balance_pesewas, mark=mark, said=answer.said
            )
    balances.note_failed(supplier_link.in_words(answer))
    supplier_link.note_silence(answer)
    return answer


def listen(supplier: Supplier, begin: Callable[[], None]) -> None:
    """One balance call, to hear whether the supplier answers. The caller holds the wallet's turn
    and has taken a call.

    Judged and kept only when it is news: many of these say the same.
    """
    with tenancy.across_stores():
        mark = reconcile.books_mark()
        end_read()
        begin()
        answer = supplier.balance()
        if isinstance(answer, Balance) and _is_news(answer):
            reconcile.note_balance(
                answer.balance_pesewas,
                mark=mark,
                said=answer.said,
            )
    if isinstance(answer, NoAnswer):
        balances.note_failed(supplier_link.in_words(answer))
        note_unheard(answer)


def note_unheard(answer: NoAnswer) -> None:
    """What a call that only listens says about the line. One that reached nobody stops nothing: if
    that lasts, it is silence."""
    if answer.kind != "unreachable":
        supplier_link.note_silence(answer)


def _is_news(answer: Balance) -> bool:
    known = supply.state()
    if (
        known.last_balance_pesewas != answer.balance_pesewas
        or known.last_balance_at is None
    ):
        return True
    is_old = abs(clock.now() - known.last_balance_at) > clock.delta(
        config.current().balance_fresh_s
    )
    return is_old or known.balance_failed_at is not None


def note_answered(
    results: Sequence[SubmitResult],
    balance_after_pesewas: int | None,
    supplier: Supplier,
) -> None:
    """What one purchase call told of our balance; call it once, in the wallet's turn, after all its
    lines are booked.

    It counts as a read. After a refusal for lack of float that names no balance it is asked for, or
    every order in line would be refused in turn.
    """
    short = [
        one
        for one in results
        if isinstance(one, Rejected) and one.kind == "insufficient_balance"
    ]
    told = balance_after_pesewas
    if told is None:
        told = next(
            (one.balance_pesewas for one in short if one.balance_pesewas is not None),
            None,
        )
    if told is not None:
        with tenancy.across_stores():
            reconcile.note_balance(told, by_purchase=True)
    elif short and supply.take_call("other") == 0.0:
        read(supplier)


def too_low_for(
    cost_pesewas: int, supplier: Supplier, found: Standing | None = None
) -> bool:
    """Whether the float less its reserve cannot pay `cost_pesewas`, by our books or by the
    supplier's last word. `found`: what was read of them just now.

    Before a purchase our own books decide; a read keeps them honest. It is made
    first when the last one is stale, when the order is large and would be bought, and when only the
    supplier's word is in the way though money came in since. No information leaves the decision to
    the books.
    """
    with tenancy.across_stores():
        now = found or reconcile.standing()
        spendable = now.spendable_pesewas
        if cost_pesewas <= spendable:
            worth_asking = not pays(cost_pesewas, now)
        else:
            reserve = config.current().float_reserve_pesewas
            payable = cost_pesewas <= now.countable_pesewas - reserve
            read_at = now.link.last_balance_at
            worth_asking = _is_stale(now) or (
                payable and read_at is not None and reconcile.money_came_since(read_at)
            )
    if worth_asking and supply.take_call("other") == 0.0:
        read(supplier)
        with tenancy.across_stores():
            spendable = reconcile.spendable_pesewas()
    return cost_pesewas > spendable


def pays(cost_pesewas: int, found: Standing) -> bool:
    """Whether the float pays so much for sure, so that the supplier need not be asked first."""
    large = cost_pesewas * 10_000 > (
        found.countable_pesewas * config.current().large_order_bp
    )
    return (
        cost_pesewas <= found.spendable_pesewas and not large and not _is_stale(found)
    )


def _is_stale(found: Standing) -> bool:
    read_at = found.link.last_balance_at
    fresh = clock.delta(config.current().balance_fresh_s)
    return read_at is None or clock.now() - read_at > fresh


def told_since(found: Standing) -> Standing:
    """`found`; when the supplier has told a balance since it was read, what stands now."""
    with tenancy.across_stores():
        if supply.state().last_balance_at == found.link.last_balance_at:
            return found
        return reconcile.standing()


def older_goes_first(order: Order, found: Standing | None = None) -> bool:
    """Whether an older order waits for float that is there now: it is made due, and `order` should
    look again soon. `found`: what was read of the float just now."""
    with tenancy.across_stores():
        now = found or reconcile.standing()
        if not now.some_wait or budget.room(now.link)["purchase"] == 0:
            # Nobody can buy now: the budget says until when, better than a second at a time.
            return False
        return orders.let_older_go_first(order, now.spendable_pesewas)


def note_short(order: Order) -> None:
    """Say in the log that orders begin to wait for float: once, not for each order and look."""
    with tenancy.across_stores():
        if orders.waiting_for_float() is None:
            log.warning(
                "float too low: orders wait",
                cost=order.cost_pesewas,
                spendable=reconcile.spendable_pesewas(),
                reserve=config.current().float_reserve_pesewas,
            )


def note_money_back() -> None:
    """A refund was booked: wake the orders that waited for the money."""
    with tenancy.across_stores():
        reserve = config.current().float_reserve_pesewas
        orders.wake("float", reconcile.countable_pesewas(supply.state()) - reserve)
