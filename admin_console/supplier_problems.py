"""What keeps us from buying, in sentences: the link to the supplier, its balance, the float.

Decides words only. What can be bought now comes from `core.availability`.
"""

from __future__ import annotations

from admin_console.problem import Problem, at
from core import availability, catalog, orders, reconcile
from core.availability import Now
from core.base import clock, config, money, phones
from core.orders.waiting import FloatWait
from core.supplier import supply


def of_link(link: supply.SupplierState) -> list[Problem]:
    """What is wrong with the link to the supplier, and with its balance."""
    found = (
        _credentials_refused(link),
        _unreachable(link),
        _paused(link),
        _balance_unread(link),
        _unexplained(link),
    )
    return [problem for problem in found if problem is not None]


def _credentials_refused(link: supply.SupplierState) -> Problem | None:
    if not link.credentials_refused_since:
        return None
    return Problem(
        "stopped",
        "The supplier refuses our credentials since"
        f" {at(link.credentials_refused_since)}. Nothing can be bought until"
        " DATA_MART_API_KEY and DATA_MART_API_SECRET are right.",
        "/supplier",
        "See the supplier",
        "float",
        "nothing can be bought",
    )


def _unreachable(link: supply.SupplierState) -> Problem | None:
    if not link.unreachable_since:
        return None
    return Problem(
        "stopped",
        f"The supplier cannot be reached since {at(link.unreachable_since)}."
        " Orders wait in line and are sent when it answers again.",
        "/calls",
        "See the calls",
        "float",
        "nothing can be bought",
    )


def _is_cut_off(link: supply.SupplierState) -> bool:
    return bool(link.credentials_refused_since or link.unreachable_since)


def _paused(link: supply.SupplierState) -> Problem | None:
    """The breaker is open, and the reason is not said by another sentence."""
    if link.breaker_open_until is None or link.breaker_open_until <= clock.now():
        return None
    reason = link.breaker_reason
    is_said = reason in ("credentials", "supplier_unreachable") and _is_cut_off(link)
    if is_said:
        return None
    return Problem(
        "waiting",
        f"Buying is paused until {at(link.breaker_open_until)}: "
        f"{orders.WAIT_TEXT.get(reason or 'breaker', reason)}.",
        "/calls",
        "See the calls",
        "float",
        "buying is paused",
    )


def _balance_unread(link: supply.SupplierState) -> Problem | None:
    if not link.balance_failed_at or _is_cut_off(link):
        return None
    if link.last_balance_at:
        last = f"the figures here are those of {at(link.last_balance_at)}"
    else:
        last = "none was ever read"
    return Problem(
        "waiting",
        "The supplier's balance could not be read at"
        f" {at(link.balance_failed_at)}, {last}: {link.balance_failure}.",
        "/supplier",
        "See the supplier",
    )


def _unexplained(link: supply.SupplierState) -> Problem | None:
    """The supplier's balance is not what our books explain."""
    gap = link.break_pesewas or 0
    if reconcile.buying_stopped():
        if gap < 0:
            took = money.cedis(-gap)
        else:
            took = "money"
        return Problem(
            "stopped",
            f"Buying is stopped: the supplier took {took} that no order of ours"
            " explains. Orders wait in line. Look for it in the calls and in the"
            " supplier's list, then settle the case; buying goes on when the"
            " balance fits our books again.",
            "/cases",
            "Settle the case",
            "float",
            "buying is stopped",
        )
    if not _is_break(link):
        return None
    amount = money.cedis(abs(gap))
    more = "more" if gap > 0 else "less"
    return Problem(
        "stopped",
        f"The supplier holds {amount} {more} than our books explain, seen twice"
        f" since {at(link.break_since)}.",
        "/supplier",
        "Compare them",
        "float",
        f"the supplier has {amount} {more}",
    )


def _is_break(link: supply.SupplierState) -> bool:
    """A difference counts once two reads, long enough apart, have seen it; one alone may be a
    purchase under way."""
    if link.break_since is None or link.last_balance_at is None:
        return False
    return link.last_balance_at - link.break_since >= clock.delta(
        config.current().balance_break_gap_s
    )


def of_buying(now: Now) -> list[Problem]:
    """What closes shelves and is not said elsewhere: silence, a long wait, sizes the float cannot
    pay, nobody looking."""
    found = (_silent(now), _nobody_looks(now), _sizes_off(now))
    return [problem for problem in found if problem is not None]


def _silent(now: Now) -> Problem | None:
    if now.link is None or now.link.reason not in ("supplier_silent", "rate"):
        return None
    return Problem(
        "stopped",
        f"Buying stands still since {at(now.link.since)}:"
        f" {orders.WAIT_TEXT[now.link.reason]}. Stores sell nothing meanwhile, and"
        " orders wait in line. It goes on by itself with the supplier's next"
        " answer.",
        "/calls",
        "See the calls",
    )


def _nobody_looks(now: Now) -> Problem | None:
    if now.unsure_since is None:
        return None
    so = ", so stores sell nothing" if now.link else ""
    return Problem(
        "stopped" if now.link else "waiting",
        f"Nobody has looked since {at(now.unsure_since)} what can be bought"
        f"{so}. Is the relay running?",
    )


def _sizes_off(now: Now) -> Problem | None:
    """Sizes the float cannot pay for, while others can be bought."""
    if not now.short or now.link is not None:
        return None
    bundles = [bundle for bundle in catalog.all_bundles() if bundle.active]
    many = len(now.short)
    since = at(min(now.short.values()))
    return Problem(
        "stopped" if many == len(bundles) else "waiting",
        f"{many} of {len(bundles)} sizes are off all shelves, the first since"
        f" {since}: {_names(now, bundles)}. The float, less its reserve and the"
        " orders in line, cannot pay for them. Fund it; they come back by"
        " themselves.",
        "/supplier",
        "See the float",
    )


def _names(now: Now, bundles: list[catalog.Bundle]) -> str:
    sized = ((one.id, one.network, catalog.size_text(one.mb)) for one in bundles)
    names = []
    for out in availability.sold_out(now, sized):
        network = phones.NETWORKS[out.network].name
        names.append(f"{network} {out.sizes}")
    return "; ".join(names)


def of_float(
    now: Now, link: supply.SupplierState, counted_pesewas: int
) -> list[Problem]:
    """Orders that wait for float: whether money is there for them now, or must be paid in."""
    waiting = orders.waiting_for_float()
    if waiting is None:
        return []
    spendable = reconcile.spendable_pesewas(link, counted_pesewas)
    if waiting.least_cost_pesewas > spendable:
        return [_float_too_low(waiting, spendable)]
    if now.link is None:
        return [_float_is_there(waiting)]
    return [_float_stands_still(waiting)]


def _since(waiting: FloatWait) -> str:
    if waiting.orders == 1:
        many = "One order waits"
    else:
        many = f"{waiting.orders} orders wait"
    return f"{many} for float, the oldest in line since {at(waiting.since)}"


def _float_stands_still(waiting: FloatWait) -> Problem:
    return Problem(
        "waiting",
        f"{_since(waiting)}. Money is there, but buying stands still: they go when it"
        " goes on, the oldest first.",
        "/supplier",
        "See the float",
        "float",
        "buying stands still",
    )


def _float_is_there(waiting: FloatWait) -> Problem:
    return Problem(
        "moving",
        f"{_since(waiting)}. Money is there now: it buys them one after the other, the"
        " oldest first.",
        "/supplier",
        "See the float",
    )


def _float_too_low(waiting: FloatWait, spendable_pesewas: int) -> Problem:
    reserve = config.current().float_reserve_pesewas
    if reserve:
        kept = f" and keep the reserve of {money.cedis(reserve)}"
    else:
        kept = ""
    them = "it" if waiting.orders == 1 else "any of them"
    return Problem(
        "stopped",
        f"{_since(waiting)}: {money.cedis(spendable_pesewas + reserve)} cannot pay for"
        f" {them}{kept}. Fund the float; the oldest goes first.",
        "/supplier",
        "See the float",
        "float",
        "too low for orders in line",
    )
