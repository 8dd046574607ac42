"""The handler that looks after one attempt to pay: has its page made at the gateway, or its phone
asked (`prompting`), then looks it up until it is over.

Decides which call is due and what an answer to it is, in the words of `core.online`. What an answer
does is `core.taking`'s. The reference is ours and was written down before any call, so whatever
crashes, the next look asks about the same payment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import structlog
from flask.globals import app_ctx

from core import cases, online, orders, stores, taking
from core.base import clock, config
from core.base.db import transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.leases import Lease
from core.online import Attempt, Verdict, Verified
from fulfilment import prompting, refunding, taken_back
from fulfilment.outcome import Outcome
from integrations.payment_shapes import (
    NotFound,
    Payment,
    PaymentRequest,
    Refused,
    Started,
    Unclear,
)
from integrations.payments_port import Payments
from integrations.ports import NoAnswer, NotSent, Supplier

log = structlog.get_logger("paying")


class Keeper(Protocol):
    """What keeps what the gateway said of an attempt: for orders `taking`, for wallets
    `taking.into_wallets`."""

    def opened(self, payment_id: int, access_code: str, url: str) -> None: ...

    def not_opened(self, payment_id: int, _why: str) -> None: ...

    def ask_anew(self, payment_id: int) -> None: ...

    def take(self, payment_id: int, found: Verified) -> Verdict: ...

    def end_of_time(self, payment_id: int) -> None: ...

    def close(self, payment_id: int) -> None: ...


UNCONFIGURED_S = 300
AGE = 10
"""Without an answer it is asked again after a tenth of its age."""
MOBILE_MONEY = ("mobile_money",)
WITH_CARDS = (*MOBILE_MONEY, online.CARD)


@needs_across_stores
@inside_use_case
def begin(lease: Lease) -> Attempt:
    """The attempt of this row."""
    return online.attempt(lease.subject_id)


def watch(lease: Lease, attempt: Attempt, _supplier: Supplier) -> Outcome:
    """Handler of `watch_payment`: one call, with no transaction open."""
    gateway: Payments | None = app_ctx.app.extensions["payments"]
    if gateway is None:
        return Outcome(clock.after(UNCONFIGURED_S))
    is_over = clock.now() >= online.expires_at(attempt.created_at)
    if attempt.state == "paid":
        return Outcome(_paid(lease, attempt, gateway))
    if attempt.is_prompt and not is_over and prompting.is_due(attempt):
        again = prompting.work(attempt, gateway, _request(attempt))
        return Outcome(again or _look(lease, online.attempt(attempt.id), gateway))
    if attempt.state == "asked" and not attempt.is_prompt and not is_over:
        return Outcome(_start(lease, attempt, gateway))
    return Outcome(_look(lease, attempt, gateway))


def _paid(lease: Lease, attempt: Attempt, gateway: Payments) -> datetime | None:
    """Its money came: it goes back, or is looked up once more. The order of one that pays nothing
    waits until its own time, however long the money takes to go back."""
    end = online.expires_at(attempt.created_at)
    is_over = clock.now() >= end
    if not attempt.pays and is_over:
        _keeper(attempt).end_of_time(attempt.id)
    due = refunding.work(attempt.id, gateway)
    if due is None:
        return _look(lease, attempt, gateway)
    return due if attempt.pays or is_over else min(due, end)


def _start(lease: Lease, attempt: Attempt, gateway: Payments) -> datetime | None:
    """Have the page made. The same reference again is harmless: the gateway makes no second one."""
    request = _request(attempt)
    if request is None:
        return _look(lease, attempt, gateway)
    said = gateway.initialise(request)
    if isinstance(said, Started):
        _keeper(attempt).opened(attempt.id, said.access_code, said.url)
        return online.next_look(attempt, lease.rung_at, "open")
    if isinstance(said, Refused) and said.kind == "duplicate_reference":
        # an answer was lost, and with it the page's address
        return _look(lease, attempt, gateway, is_lost=True)
    if isinstance(said, NotSent):
        return clock.after(said.retry_after_s or config.current().payment_away_s)
    if isinstance(said, Unclear):
        log.warning("not known whether a payment was opened", why=said.reason)
        return online.next_look(attempt, None, "asked")
    log.error("a payment was not opened", why=said.code, said=said.message)
    if said.kind == "credentials":
        return clock.after(config.current().payment_refused_s)
    _keeper(attempt).not_opened(attempt.id, said.code)
    return online.next_look(attempt, None, "failed")


def _look(
    lease: Lease, attempt: Attempt, gateway: Payments, *, is_lost: bool = False
) -> datetime | None:
    """Look it up, which alone decides."""
    asked_at = clock.now()
    said = gateway.verify(attempt.reference)
    if isinstance(said, NoAnswer):
        return clock.after(_pause_s(said, attempt))
    keeper = _keeper(attempt)
    verdict = (
        keeper.take(attempt.id, verified(said)) if isinstance(said, Payment) else "wait"
    )
    silence = _take_back(attempt, said, gateway) if verdict == "reversed" else None
    if silence is not None:
        return clock.after(_pause_s(silence, attempt))
    if is_lost and verdict in ("wait", "failed"):
        keeper.ask_anew(attempt.id)
    if verdict == "wait" and prompting.is_under_way(attempt):
        prompting.ask_step(attempt, gateway)
    is_over = asked_at >= online.expires_at(attempt.created_at)
    if is_over and verdict != "accept":
        keeper.end_of_time(attempt.id)
    again = online.next_look(*_as_it_is(attempt, lease))
    if again is None:
        keeper.close(attempt.id)
    return again


def _take_back(
    attempt: Attempt, said: Payment | NotFound, gateway: Payments
) -> NoAnswer | None:
    """What the gateway took back leaves the wallet that it went into. Returns why nobody knows how
    much it is."""
    if attempt.order_id is not None or isinstance(said, NotFound):
        return None
    taken = taken_back.pesewas(gateway, said)
    if isinstance(taken, NoAnswer):
        return taken
    taking.into_wallets.take_back(attempt.id, taken)
    return None


def verified(said: Payment) -> Verified:
    """The gateway's record in the words of the rule."""
    world = {True: "live", False: "test"}
    return Verified(
        reference=said.reference,
        word=said.status,
        raw_word=said.raw_status,
        currency=said.currency,
        mode=world[said.is_live] if said.is_live is not None else None,
        charged_pesewas=said.amount_pesewas,
        requested_pesewas=said.requested_pesewas,
        fees_pesewas=said.fees_pesewas,
        gateway_id=int(said.gateway_id) if said.gateway_id else None,
        channel=said.channel,
        reason=said.gateway_response if said.status == "failed" else "",
        is_odd=said.needs_person,
    )


def say_broken(lease: Lease, error: str) -> None:
    """An error of ours keeps a payment from being looked up: a person is asked."""
    attempt = online.attempt(lease.subject_id)
    if attempt.order_id is not None:
        orders.raise_case(attempt.order_id, "broken", {"error": error, "payment": True})
        return
    with transaction():
        evidence = {"error": error, "payment": attempt.reference}
        cases.open_case(
            "payment_broken",
            f"payment:{attempt.id}",
            evidence,
            store_id=attempt.store_id,
        )


def _keeper(attempt: Attempt) -> Keeper:
    return taking.into_wallets if attempt.order_id is None else taking


def _as_it_is(attempt: Attempt, lease: Lease) -> tuple[Attempt, datetime | None, str]:
    """What `next_look` is asked after a look."""
    now = online.attempt(attempt.id)
    return now, lease.rung_at, now.state


def _request(attempt: Attempt) -> PaymentRequest | None:
    """What is asked of the gateway; None where nobody is to be asked for money any more."""
    if attempt.order_id is None:
        return _request_for_wallet(attempt)
    order = orders.by_id(attempt.order_id)
    store = stores.by_id(attempt.store_id)
    if order.state != "awaiting_payment" or store is None:
        return None
    settings = config.current()
    by_card_too = online.offer(attempt.id)
    back = f"{settings.address(store.slug)}/orders/{order.code}/back"
    return PaymentRequest(
        reference=attempt.reference,
        # nobody reads it; the gateway asks for one, and it must be ours
        email=f"c{order.code.lower()}@pay.{settings.base_domain}",
        amount_pesewas=attempt.amount_pesewas,
        callback_url=back,
        channels=WITH_CARDS if by_card_too else MOBILE_MONEY,
        label=store.name,
        metadata={"cancel_action": back, "order": order.code},
    )


def _request_for_wallet(attempt: Attempt) -> PaymentRequest | None:
    store = stores.by_id(attempt.store_id)
    if store is None or taking.funding.why_not(store):
        return None
    settings = config.current()
    back = f"{settings.address('portal')}/wallet/online/{attempt.id}/back"
    return PaymentRequest(
        reference=attempt.reference,
        email=f"w{attempt.id}@pay.{settings.base_domain}",
        amount_pesewas=attempt.amount_pesewas,
        callback_url=back,
        channels=MOBILE_MONEY,
        label=store.name,
        metadata={"cancel_action": back, "wallet": store.slug},
    )


def _pause_s(said: NoAnswer, attempt: Attempt) -> float:
    """How long to wait after a look-up without an answer: the older the attempt, the longer."""
    settings = config.current()
    if said.kind == "credentials":
        log.error("the gateway refuses our key", why=said.reason)
        return settings.payment_refused_s
    if said.retry_after_s:
        return said.retry_after_s
    age_s = (clock.now() - attempt.created_at) / clock.delta(1)
    return min(max(settings.payment_away_s, age_s / AGE), settings.payment_refused_s)
