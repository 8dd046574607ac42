"""Troubles of our own, in sentences: the books, what stores can sell, work that nobody takes.

Decides words only.
"""

from __future__ import annotations

from datetime import timedelta

from admin_console import store_figures
from admin_console.problem import Problem, at
from core import (
    catalog,
    disputes,
    fund_requests,
    online,
    outbox,
    payouts,
    proof,
)
from core.availability import Now
from core.base import clock, config, heartbeats, money, phones
from core.catalog import Pause, SyncReport

QUEUE_BEHIND_S = 60
"""Work due longer than this means that nobody takes it."""


def of_books() -> list[Problem]:
    standing = proof.standing()
    found = []
    if standing.newest is not None and not standing.newest.ok:
        found.append(_broken(standing.newest))
    if standing.overdue:
        found.append(_unproven(standing.newest))
    return found


def _broken(last: proof.Proof) -> Problem:
    more = len(last.findings) - 1
    rest = f" And {more} more." if more else ""
    return Problem(
        "stopped",
        f"The books do not hold. Found at {at(last.at)}:"
        f" {last.findings[0]['sentence']}{rest}",
        "/books",
        "See all that was found",
        "risk",
        "the books do not hold",
    )


def _unproven(last: proof.Proof | None) -> Problem:
    if last:
        since = f"were last proven at {at(last.at)}"
    else:
        since = "have never been proven"
    sentence = f"The books {since}, and should be every hour. Is the worker running?"
    return Problem("waiting", sentence, "/books", "Open the books")


def of_sales(now: Now) -> list[Problem]:
    """What leaves shelves empty, or waits for the owner before it can be sold."""
    sync = catalog.last_sync()
    found = (_of_sync(sync), _approvals(), _no_bundles(sync), _all_paused(now.sales))
    said = [problem for problem in found if problem is not None]
    return [*said, *_networks_paused(now.networks)]


def of_stores() -> list[Problem]:
    """Stores that signed up and wait for the owner's word."""
    many = store_figures.many_waiting()
    if not many:
        return []
    said = "1 store waits" if many == 1 else f"{many} stores wait"
    sentence = f"{said} for your approval: until then nobody can order there."
    return [Problem("waiting", sentence, "/stores", "See who waits")]


def of_requests() -> list[Problem]:
    """Agents who wait for money they have paid."""
    asked = fund_requests.waiting_in_all()
    if not asked.count:
        return []
    said = "1 request" if asked.count == 1 else f"{asked.count} requests"
    verb = "waits" if asked.count == 1 else "wait"
    sentence = f"{said} for {money.cedis(asked.amount_pesewas)} of wallet money {verb}."
    return [Problem("waiting", sentence, "/funding", "Look at them")]


def _of_sync(sync: SyncReport | None) -> Problem | None:
    if sync is None:
        return None
    if not sync.ok:
        return Problem(
            "stopped",
            f"The last catalogue sync, at {at(sync.at)}, failed: {sync.sentence}",
            "/catalogue",
            "Sync again",
        )
    if not sync.left_out:
        return None
    many = len(sync.left_out)
    if many == 1:
        said = "1 product of the supplier's list is left out"
    else:
        said = f"{many} products of the supplier's list are left out"
    return Problem(
        "waiting",
        f"{said}, so no store sells them.",
        "/catalogue",
        "See which, and why",
    )


def _approvals() -> Problem | None:
    asked = catalog.count_asked()
    if not asked:
        return None
    if asked == 1:
        lines = "One line of the supplier's list waits"
    else:
        lines = f"{asked} lines of the supplier's list wait"
    return Problem(
        "waiting", f"{lines} for your approval.", "/catalogue", "Look at them"
    )


def _no_bundles(sync: SyncReport | None) -> Problem | None:
    if any(bundle.active for bundle in catalog.all_bundles()):
        return None
    if sync is None:
        why = "the catalogue was never synced"
    else:
        why = "the last sync left nothing to sell"
    return Problem(
        "waiting",
        f"No bundles yet: {why}, so stores have empty shelves.",
        "/catalogue",
        "Open the catalogue",
    )


def _all_paused(pause: Pause | None) -> Problem | None:
    if not pause:
        return None
    return Problem(
        "waiting",
        f"All sales are paused since {at(pause.since)}: {pause.reason}.",
        "/catalogue",
        "Resume",
        "orders",
        "all sales are paused",
    )


def _networks_paused(paused: dict[str, Pause]) -> list[Problem]:
    return [
        Problem(
            "waiting",
            f"{phones.NETWORKS[network].name} is paused since {at(pause.since)}:"
            f" {pause.reason}.",
            "/catalogue",
            "Resume",
        )
        for network, pause in paused.items()
    ]


def of_queue() -> list[Problem]:
    health = outbox.health()
    if health.oldest_due_s <= clock.seconds(QUEUE_BEHIND_S):
        return []
    if health.due == 1:
        waits = "1 piece of work waits"
    else:
        waits = f"{health.due} pieces of work wait"
    since = at(clock.now() - timedelta(seconds=health.oldest_due_s))
    return [
        Problem(
            "waiting",
            f"{waits} to be taken, the oldest since {since}. Is the worker running?",
        )
    ]


def of_disputes() -> list[Problem]:
    """Disputes that are lost by silence."""
    open_ones = disputes.listing.waiting()
    if not open_ones.many:
        return []
    many = open_ones.many
    said = "1 dispute needs" if many == 1 else f"{many} disputes need"
    due = f", the first by {at(open_ones.due_at)}" if open_ones.due_at else ""
    sentence = f"{said} your answer{due}. What nobody answers is lost."
    return [Problem("stopped", sentence, "/disputes?show=answer", "Answer")]


def of_gateway() -> list[Problem]:
    """Webhooks from the gateway's own addresses that have no good signature: its key was changed
    there, and not here."""
    if not online.is_configured():
        return []
    last = heartbeats.last_counted(heartbeats.UNSIGNED_FROM_GATEWAY)
    within = clock.delta(config.current().gateway_unsigned_s)
    if last is None or clock.now() - last > within:
        return []
    return [
        Problem(
            "stopped",
            "Paystack's webhooks have no good signature, the last at"
            f" {at(last)}: was its key changed? Set PAYSTACK_SECRET_KEY, and the earlier one as"
            " PAYSTACK_PREVIOUS_SECRET_KEY, and start Makola again. Payments are looked up"
            " meanwhile.",
            "/payments",
            "Open payments",
        )
    ]


def of_payouts() -> list[Problem]:
    """Payouts that are stopped, and what of them waits for a person's word."""
    found = []
    waits = payouts.listing.for_people()
    if waits.stopped_since is not None:
        said = f"Nothing is paid out since {clock.shown(waits.stopped_since)}."
        found.append(Problem("stopped", said, "/payouts", "Look at it"))
    if waits.payouts or waits.numbers:
        parts = [
            f"{many} {word}{'s' if many != 1 else ''}"
            for many, word in (
                (waits.payouts, "payout"),
                (waits.numbers, "payout number"),
            )
            if many
        ]
        wait = "waits" if waits.payouts + waits.numbers == 1 else "wait"
        said = f"{' and '.join(parts)} {wait} for your word."
        found.append(Problem("waiting", said, "/payouts", "Look at them"))
    return found
