"""Disputes: opened by a customer's bank, answered within two business days, else lost.

Decides deadline, states, books and events of disputes.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from werkzeug.wrappers import Response

from integrations.paystack_sandbox import settling, shapes, wire
from integrations.paystack_sandbox.payment_calls import choose
from integrations.paystack_sandbox.state import Gateway
from integrations.paystack_sandbox.store import Thing
from integrations.paystack_sandbox.wire import Call

ANSWER_HOURS = 48
REMIND_S = 4 * 3600.0
VERDICT_S = 3 * 86_400.0
FILE_LIMIT_BYTES = 10 * 1024 * 1024
NEEDED = ("customer_email", "customer_name", "customer_phone", "service_details")


def open_one(gateway: Gateway, paid: Thing, category: str, amount: int | None) -> Thing:
    """A customer's bank asks for the money back."""
    now = gateway.now()
    made = gateway.store.add(
        "dispute",
        paid.world,
        f"dispute-{secrets.token_hex(8)}",
        now,
        paid.id,
        status="awaiting-merchant-feedback",
        category=category,
        amount=amount or paid.doc["charged"],
        due_at=business_due(now, ANSWER_HOURS / gateway.knobs.time_scale),
        history=[{"status": "pending", "by": paid.doc["email"]}],
        messages=[{"sender": paid.doc["email"], "body": "I did not get it"}],
    )
    gateway.store.later(made.doc["due_at"], made.id, "expire")
    gateway.later(made, "remind", REMIND_S)
    _tell(gateway, made, "create")
    return made


def business_due(at: float, hours: float) -> float:
    """The moment so many hours of working days later; the clock stands still at weekends."""
    moment, left = datetime.fromtimestamp(at, UTC), timedelta(hours=hours)
    while True:
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow = midnight + timedelta(days=1)
        if moment.weekday() < 5:
            if left <= tomorrow - moment:
                return (moment + left).timestamp()
            left -= tomorrow - moment
        moment = tomorrow


def act(gateway: Gateway, dispute: Thing, act: str) -> None:
    """What falls due: a reminder, the deadline, or the bank's word."""
    waits_for_us = dispute.status == "awaiting-merchant-feedback"
    if act == "remind" and waits_for_us:
        _tell(gateway, dispute, "remind")
        gateway.later(dispute, "remind", REMIND_S)
    elif act == "expire" and waits_for_us:
        _lose(gateway, dispute, "auto-accepted", dispute.doc["amount"])
    elif act == "verdict" and dispute.status == "awaiting-bank-feedback":
        if gateway.knobs.dispute_verdict == "lost":
            _lose(gateway, dispute, "merchant-accepted", dispute.doc["amount"])
        else:
            _resolve(gateway, dispute, "declined")


def listed(gateway: Gateway, call: Call) -> Response:
    rows, meta = choose(gateway, call, "dispute")
    shown = [shapes.dispute(gateway, row, _paid(gateway, row)) for row in rows]
    return wire.ok("Disputes retrieved", shown, meta=meta)


def fetch(gateway: Gateway, call: Call) -> Response:
    found = _dispute(gateway, call)
    return wire.ok("Dispute retrieved", _shown(gateway, found))


def of_payment(gateway: Gateway, call: Call) -> Response:
    paid = gateway.store.numbered("payment", call.world, call.argument)
    found = gateway.store.of("dispute", paid.id) if paid else []
    if not found:
        raise wire.missing("Dispute")
    return wire.ok("Dispute retrieved", _shown(gateway, found[-1]))


def update(gateway: Gateway, call: Call) -> Response:
    found = _dispute(gateway, call)
    amount = call.body.get("refund_amount")
    if not isinstance(amount, int) or not 0 < amount <= found.doc["amount"]:
        raise wire.bad("Invalid refund_amount")
    found.doc["amount"] = amount
    gateway.store.save(found)
    return wire.ok("Dispute updated successfully", [_shown(gateway, found)])


def upload_url(gateway: Gateway, call: Call) -> Response:
    found = _dispute(gateway, call)
    if not call.request.args.get("upload_filename"):
        raise wire.bad("upload_filename is required", "missing_params")
    name = f"{secrets.token_hex(10)}.pdf"
    gateway.store.keep_note(f"upload.{name}", str(found.id))
    url = f"{gateway.address}/upload/{name}"
    return wire.ok("Upload url generated", {"signedUrl": url, "fileName": name})


def evidence(gateway: Gateway, call: Call) -> Response:
    found = _dispute(gateway, call)
    lacks = [name for name in NEEDED if not call.text(name)]
    if lacks:
        raise wire.bad(f"{lacks[0]} is required", "missing_params")
    said = {name: call.text(name) for name in (*NEEDED, "delivery_date")}
    number = gateway.store.add(
        "evidence", call.world, secrets.token_hex(8), gateway.now()
    ).id
    found.doc["evidence"] = {"id": number, **said}
    gateway.store.save(found)
    return wire.ok("Evidence created", {"id": number, "dispute": found.id, **said})


def resolve(gateway: Gateway, call: Call) -> Response:
    found = _dispute(gateway, call)
    answer, amount = call.text("resolution"), call.body.get("refund_amount")
    if found.status != "awaiting-merchant-feedback":
        raise wire.bad("Dispute cannot be resolved any more")
    if answer not in ("merchant-accepted", "declined") or not call.text("message"):
        raise wire.bad("Invalid resolution")
    if isinstance(amount, bool) or not isinstance(amount, int) or amount < 0:
        raise wire.bad("Invalid refund_amount")
    if "uploaded_filename" not in call.body or amount > found.doc["amount"]:
        raise wire.bad("uploaded_filename is required", "missing_params")
    message = {"sender": "merchant", "body": call.text("message")}
    found.doc["messages"] = [*found.doc["messages"], message]
    if answer == "declined":
        found.doc["status"] = "awaiting-bank-feedback"
        gateway.store.save(found)
        gateway.later(found, "verdict", VERDICT_S)
    else:
        _lose(gateway, found, answer, amount)
    return wire.ok("Dispute successfully resolved", _shown(gateway, found))


def take_file(gateway: Gateway, name: str, body: bytes) -> bool:
    """Keep that a file was put where it may be. False when it may not."""
    number = gateway.store.note(f"upload.{name}")
    found = gateway.store.thing(int(number)) if number else None
    if found is None or len(body) > FILE_LIMIT_BYTES:
        return False
    file = {"name": name, "bytes": len(body)}
    found.doc["attachments"] = [*found.doc.get("attachments", []), file]
    gateway.store.save(found)
    return True


def _lose(gateway: Gateway, dispute: Thing, resolution: str, amount: int) -> None:
    """The money goes back to the customer, out of what is not settled yet."""
    paid = _paid(gateway, dispute)
    settling.take(gateway, dispute, "disputed", paid.reference, amount)
    paid.doc |= {"status": "reversed", "refunded": paid.doc["refunded"] + amount}
    gateway.store.save(paid)
    _resolve(gateway, dispute, resolution)


def _resolve(gateway: Gateway, dispute: Thing, resolution: str) -> None:
    dispute.doc |= {
        "status": "resolved",
        "resolution": resolution,
        "resolved_at": gateway.now(),
    }
    gateway.store.save(dispute)
    _tell(gateway, dispute, "resolve")


def _tell(gateway: Gateway, dispute: Thing, what: str) -> None:
    gateway.tell(dispute, f"charge.dispute.{what}", _shown(gateway, dispute))


def _shown(gateway: Gateway, dispute: Thing) -> dict[str, object]:
    return shapes.dispute(gateway, dispute, _paid(gateway, dispute))


def _paid(gateway: Gateway, dispute: Thing) -> Thing:
    found = gateway.store.thing(dispute.of)
    assert found is not None, "a dispute has its payment"
    return found


def _dispute(gateway: Gateway, call: Call) -> Thing:
    found = gateway.store.numbered("dispute", call.world, call.argument)
    if found is None:
        raise wire.missing("Dispute")
    return found
