"""Refunds: two requests are two refunds, each with a life of its own.

Decides states, books and events of refunds.
"""

from __future__ import annotations

import secrets
from typing import Any

from werkzeug.wrappers import Response

from integrations.paystack_sandbox import settling, shapes, wire
from integrations.paystack_sandbox.state import Gateway
from integrations.paystack_sandbox.store import Thing
from integrations.paystack_sandbox.wire import Call

OPEN = ("pending", "processing", "needs-attention")


def create(gateway: Gateway, call: Call) -> Response:
    paid = _paid(gateway, call)
    left = paid.doc["charged"] - paid.doc["refunded"]
    if left <= 0:
        raise wire.bad("Transaction has been fully reversed", "transaction_reversed")
    amount = call.amount() if call.body.get("amount") is not None else left
    if call.body.get("currency", wire.CURRENCY) != wire.CURRENCY:
        raise wire.bad("Currency must be that of the transaction")
    if amount > left:
        raise wire.bad("Refund amount cannot be more than what is left of the payment")
    if settling.held(gateway, call.world) < amount:
        raise wire.bad("Insufficient balance for this refund", "insufficient_balance")
    made = gateway.store.add(
        "refund",
        call.world,
        f"refund-{secrets.token_hex(8)}",
        gateway.now(),
        paid.id,
        status="pending",
        amount=amount,
        customer_note=call.text("customer_note"),
        merchant_note=call.text("merchant_note"),
    )
    settling.take(gateway, made, "refunded", paid.reference, amount)
    paid.doc["refunded"] += amount
    gateway.store.save(paid)
    _show_open(gateway, paid)
    _tell(gateway, made, paid)
    half_s = gateway.knobs.refund_s / 2
    gateway.later(made, "process", half_s)
    gateway.later(made, gateway.knobs.refund_outcome, gateway.knobs.refund_s)
    said = "Refund has been queued for processing"
    return wire.ok(said, shapes.refund(made, paid))


def fetch(gateway: Gateway, call: Call) -> Response:
    found = _refund(gateway, call)
    return wire.ok("Refund retrieved", shapes.refund(found, _of(gateway, found)))


def listed(gateway: Gateway, call: Call) -> Response:
    """Refunds, newest first. Of a payment that is named by its number alone: a reference finds
    nothing."""
    named = call.request.args.get("transaction")
    store = gateway.store
    if named is not None:
        paid = store.numbered("payment", call.world, named)
        every = list(reversed(store.of("refund", paid.id))) if paid else []
        skipped, limit, meta = wire.pages(call.request, len(every))
        rows = every[skipped : skipped + limit]
    else:
        total = store.count("refund", call.world)
        skipped, limit, meta = wire.pages(call.request, total)
        rows = store.newest("refund", call.world, limit, skip=skipped)
    shown = [shapes.refund(row, _of(gateway, row), in_list=True) for row in rows]
    return wire.ok("Refunds retrieved", shown, meta=meta)


def retry(gateway: Gateway, call: Call) -> Response:
    found = _refund(gateway, call)
    if found.status != "needs-attention":
        raise wire.bad("Refund does not need customer details", status=422)
    details = call.body.get("refund_account_details")
    if not isinstance(details, dict) or not details.get("account_number"):
        raise wire.bad("refund_account_details is required", "missing_params")
    if not details.get("bank_id") or details.get("currency") != wire.CURRENCY:
        raise wire.bad("Invalid refund_account_details")
    _become(gateway, found, "processing")
    gateway.later(found, "processed", gateway.knobs.refund_s / 2)
    said = "Refund retried and has been queued for processing"
    return wire.ok(said, shapes.refund(found, _of(gateway, found)))


def act(gateway: Gateway, refund: Thing, act: str) -> None:
    """What falls due, or somebody at the gateway does: process, processed, failed or
    needs-attention."""
    if refund.status not in OPEN:
        return
    paid = _of(gateway, refund)
    if act == "process":
        if refund.status == "pending":
            _become(gateway, refund, "processing")
        return
    if act == "failed":
        amount = refund.doc["amount"]
        settling.give_back(gateway, refund, "refund_returned", paid.reference, amount)
        paid.doc["refunded"] -= amount
        paid.doc["status"] = "success"
        gateway.store.save(paid)
    elif act == "processed" and paid.doc["refunded"] >= paid.doc["charged"]:
        paid.doc["status"] = "reversed"
        gateway.store.save(paid)
    _become(gateway, refund, act)


def _become(gateway: Gateway, refund: Thing, status: str) -> None:
    refund.doc["status"] = status
    gateway.store.save(refund)
    _tell(gateway, refund, _of(gateway, refund))


def _tell(gateway: Gateway, refund: Thing, paid: Thing) -> None:
    gateway.tell(refund, f"refund.{refund.status}", shapes.refund_event(refund, paid))


def _show_open(gateway: Gateway, paid: Thing) -> None:
    if paid.doc["refunded"] >= paid.doc["charged"]:
        paid.doc["status"] = gateway.knobs.refund_open_shows
        gateway.store.save(paid)


def _paid(gateway: Gateway, call: Call) -> Thing:
    """The payment that the refund names by reference or number. Raises `Refused`."""
    named: Any = call.body.get("transaction", "")
    if not named:
        raise wire.bad("Transaction is required", "missing_params")
    store = gateway.store
    found = store.named("payment", call.world, str(named))
    found = found or store.numbered("payment", call.world, named)
    if found is None:
        raise wire.bad("Transaction not found", "transaction_not_found", 404)
    if found.status == "reversed":
        raise wire.bad("Transaction has been fully reversed", "transaction_reversed")
    if found.doc["paid_at"] is None:
        raise wire.bad("Transaction was not successful")
    return found


def _refund(gateway: Gateway, call: Call) -> Thing:
    found = gateway.store.numbered("refund", call.world, call.argument)
    if found is None:
        raise wire.missing("Refund")
    return found


def _of(gateway: Gateway, refund: Thing) -> Thing:
    found = gateway.store.thing(refund.of)
    assert found is not None, "a refund has its payment"
    return found
