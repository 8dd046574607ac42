"""Taking one rule of online money out, to see that somebody notices: six mutants, each with a short
scene in which the invariants of the kill test (`online_checker`) find it.

A mutant is put in as those of `mutants` are, here or in real processes (`tests.proofs.online_kill
--mutant NAME`). The shipped rooms do not know of this file.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.proofs import patching
from tests.proofs.mutants import Mutant
from tests.proofs.patching import Undo

if TYPE_CHECKING:
    import psycopg


def _no_verify() -> list[Undo]:
    """A ring, of a webhook or of who comes back, is taken for a payment."""
    from core import taking
    from fulfilment import paying

    look = paying._look

    def believe(lease: Any, attempt: Any, gateway: Any, **more: Any) -> Any:
        if lease.rung_at is not None and attempt.state == "open":
            taking.take(attempt.id, _as_asked(attempt))
        return look(lease, attempt, gateway, **more)

    return [patching.attribute(paying, "_look", believe)]


def _no_amount_check() -> list[Undo]:
    """Whatever is paid pays the order: neither the rule nor the books look at how much."""
    from core.online import accepting, paying_in

    def only_currency(_asked: Any, found: Any) -> Any:
        return "unfit" if found.currency != accepting.CURRENCY else None

    return [
        patching.attribute(accepting, "_trouble", only_currency),
        patching.attribute(paying_in, "_refuse_order", lambda *_: None),
    ]


def _no_reference_uniqueness() -> list[Undo]:
    """Every attempt for an order goes by its order's number; see `let_references_repeat`."""
    from core.online import attempts

    ask, now = attempts.ask, SimpleNamespace(order_id=0)

    def of_the_order(order: Any) -> Any:
        now.order_id = order.id
        return ask(order)

    number = SimpleNamespace(token_hex=lambda _bytes: f"{now.order_id:016x}")
    return [
        patching.everywhere(ask, of_the_order),
        patching.attribute(attempts, "secrets", number),
    ]


def let_references_repeat(connection: psycopg.Connection[Any]) -> None:
    """What makes payments unique, taken out of a real database, as the owner of its tables."""
    connection.execute(
        "ALTER TABLE online_payments DROP CONSTRAINT uq_online_payments_reference"
    )
    connection.execute("DROP INDEX uq_online_payments_gateway_id")


def let_none_repeat(connection: psycopg.Connection[Any]) -> None:
    """Back in, as migration 0033 has it."""
    connection.execute(
        "ALTER TABLE online_payments ADD CONSTRAINT uq_online_payments_reference UNIQUE"
        " (reference)"
    )
    connection.execute(
        "CREATE UNIQUE INDEX uq_online_payments_gateway_id ON online_payments (gateway_id)"
        " WHERE gateway_id IS NOT NULL"
    )


def _refund_without_look_up() -> list[Undo]:
    """A refund is sent without looking at what the gateway has of it already."""
    from fulfilment import refunding

    def send(step: Any, gateway: Any) -> datetime | None:
        return refunding._send(step, gateway)

    return [patching.attribute(refunding, "_send_or_find", send)]


def _payout_with_a_new_reference() -> list[Undo]:
    """A payout whose answer was lost is asked for again, under another reference."""
    from core.payouts import sending

    next_step = sending.next_step
    sent: set[int] = set()

    def anew(payout_id: int) -> Any:
        step = next_step(payout_id)
        if step.act == "send" and payout_id in sent:
            return replace(step, reference=f"mk-w-{secrets.token_hex(8)}")
        if step.act == "send":
            sent.add(payout_id)
        return step

    return [
        patching.attribute(sending, "next_step", anew),
        patching.attribute(sending, "unclear", sending.not_sent),
    ]


def _webhook_moves_money() -> list[Undo]:
    """What a signed webhook says is applied, without asking the gateway."""
    from core import online
    from core.online import Asked
    from core.taking import deeds, judging
    from fulfilment import gateway_hooks

    take = gateway_hooks._take

    def believe(news: Any, body: bytes) -> None:
        take(news, body)
        payment = online.by_reference(news.reference or "")
        if payment is None or news.event != "charge.success":
            return
        payment, order = judging.lock_both(payment.id)
        asked = Asked(
            payment.reference,
            payment.mode,
            payment.amount_pesewas,
            is_paid=payment.state == "paid",
            awaits=order.state == "awaiting_payment",
            is_paid_by_other=online.paying(order.id) not in (None, payment),
        )
        said = json.loads(body)["data"]
        found = _as_asked(payment, said.get("amount"), said.get("requested_amount"))
        deeds.do(online.judge(asked, found), payment, order, found)

    return [patching.attribute(gateway_hooks, "_take", believe)]


def _as_asked(
    attempt: Any, charged: int | None = None, requested: int | None = None
) -> Any:
    """A record of the gateway's that nobody has asked for."""
    from core.online import Verified

    return Verified(
        reference=attempt.reference,
        word="paid",
        raw_word="success",
        currency="GHS",
        mode="test",
        charged_pesewas=charged or attempt.amount_pesewas,
        requested_pesewas=requested or charged or attempt.amount_pesewas,
        fees_pesewas=None,
    )


MUTANTS = {
    mutant.name: mutant
    for mutant in (
        Mutant("no_verify", "a look-up alone says that it is paid", _no_verify),
        Mutant("no_amount_check", "less pays no order", _no_amount_check),
        Mutant(
            "no_reference_uniqueness",
            "each attempt has a reference of its own",
            _no_reference_uniqueness,
            in_database=let_references_repeat,
        ),
        Mutant(
            "refund_without_look_up",
            "a refund is looked for before it is sent",
            _refund_without_look_up,
        ),
        Mutant(
            "payout_with_a_new_reference",
            "one reference a payout",
            _payout_with_a_new_reference,
        ),
        Mutant("webhook_moves_money", "a webhook only rings", _webhook_moves_money),
    )
}
