"""The calls that take money and tell of it: hosted pages, prompts, verify, lists."""

from __future__ import annotations

import itertools
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

from werkzeug.wrappers import Response

from integrations.paystack_sandbox import payments, shapes, wire
from integrations.paystack_sandbox.state import Gateway
from integrations.paystack_sandbox.store import Thing
from integrations.paystack_sandbox.wire import Call

LEAST_PESEWAS = 10
BATCH = 200
CHANNELS = {"card", "bank", "ussd", "qr", "mobile_money", "bank_transfer", "eft"}
_REFERENCE = re.compile(r"[A-Za-z0-9.=-]{1,100}", re.ASCII)
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


def initialize(gateway: Gateway, call: Call) -> Response:
    """A hosted page for a payment."""
    channels = call.body.get("channels") or ["card", "mobile_money"]
    if not isinstance(channels, list) or not set(map(str, channels)) <= CHANNELS:
        raise wire.bad("Invalid channels")
    code = secrets.token_urlsafe(11).replace("_", "a").replace("-", "b")
    made = _made(gateway, call)
    made.doc |= {
        "access_code": code,
        "callback_url": call.text("callback_url"),
        "channels": channels,
        "label": call.text("label"),
    }
    gateway.store.keep_note(f"access.{code}", str(made.id))
    gateway.store.save(made)
    if gateway.knobs.pays_before_answer:
        payments.pay(gateway, made)
        _before(call, made)
    elif gateway.knobs.auto_approve_s:
        gateway.later(made, "approve", gateway.knobs.auto_approve_s)
    return wire.ok(
        "Authorization URL created",
        {
            "authorization_url": f"{gateway.address}/checkout/{code}",
            "access_code": code,
            "reference": made.reference,
        },
    )


def charge(gateway: Gateway, call: Call) -> Response:
    """A prompt on a phone."""
    mobile = call.body.get("mobile_money")
    if not isinstance(mobile, dict) or not mobile.get("phone"):
        raise wire.bad("Provide mobile_money, with a phone and a provider")
    provider = str(mobile.get("provider", "")).lower()
    if provider not in payments.BANKS:
        raise wire.bad("Invalid provider")
    phone = re.sub(r"\D", "", str(mobile["phone"])).removeprefix("233").lstrip("0")
    made = _made(gateway, call)
    if payments.prompt(gateway, made, f"0{phone}", provider):
        _before(call, made)
    return _charged(gateway, made)


def submit_otp(gateway: Gateway, call: Call) -> Response:
    found = gateway.store.named("payment", call.world, call.text("reference"))
    if found is None or found.status != "send_otp":
        raise wire.Refused(wire.refusal(400, "Transaction reference is invalid"))
    if call.text("otp") == payments.OTP:
        payments.pay(gateway, found)
        return _charged(gateway, found)
    payments.fail(gateway, found, "Wrong code")
    return wire.refusal(400, "Charge attempted", data=_charge_data(gateway, found))


def pending(gateway: Gateway, call: Call) -> Response:
    return _charged(gateway, _payment(gateway, call))


def verify(gateway: Gateway, call: Call) -> Response:
    shown = shapes.payment(gateway, _payment(gateway, call))
    return wire.ok("Verification successful", shown)


def fetch(gateway: Gateway, call: Call) -> Response:
    found = gateway.store.numbered("payment", call.world, call.argument)
    if found is None:
        raise wire.bad("Transaction not found", "transaction_not_found", 404)
    return wire.ok("Transaction retrieved", shapes.payment(gateway, found))


def timeline(gateway: Gateway, call: Call) -> Response:
    found = gateway.store.numbered("payment", call.world, call.argument)
    found = found or _payment(gateway, call)
    return wire.ok("Timeline retrieved", {"history": found.doc["log"]})


def listed(gateway: Gateway, call: Call) -> Response:
    """Payments, newest first, by pages or by a cursor; `from`, `to` and `status` choose."""
    rows, meta = choose(gateway, call, "payment")
    shown = [shapes.payment(gateway, row) for row in rows]
    return wire.ok("Transactions retrieved", shown, meta=meta)


def choose(
    gateway: Gateway, call: Call, kind: str
) -> tuple[list[Thing], dict[str, Any]]:
    """The rows of a list that a call asks for, newest first, and what the list says of itself."""
    args = call.request.args
    cursor = args.get("next", "")
    below = int(cursor) if re.fullmatch(r"[0-9]{1,18}", cursor, re.ASCII) else 0
    fitting = _fitting(gateway, call, kind, below)
    if args.get("use_cursor") != "true":
        every = list(fitting)
        skipped, limit, meta = wire.pages(call.request, len(every))
        return every[skipped : skipped + limit], meta
    _, limit, _ = wire.pages(call.request, 0)
    rows = list(itertools.islice(fitting, limit))
    has_more = len(rows) == limit and next(fitting, None) is not None
    last = str(rows[-1].id) if has_more else None
    return rows, {"next": last, "previous": cursor or "null", "perPage": limit}


def _fitting(gateway: Gateway, call: Call, kind: str, below: int) -> Iterator[Thing]:
    """The things of this kind, newest first, that `from`, `to` and `status` choose."""
    args = call.request.args
    since, until = args.get("from", ""), args.get("to", "") or "9"
    status = args.get("status", "")
    while batch := gateway.store.newest(kind, call.world, BATCH, below=below):
        below = batch[-1].id
        for row in batch:
            made = wire.moment(row.at) or ""
            if since <= made <= until and status in ("", row.status):
                yield row


def session_timeout(gateway: Gateway, call: Call) -> Response:
    shown = {"payment_session_timeout": int(gateway.knobs.session_timeout_s)}
    return wire.ok("Payment session timeout retrieved", shown)


def _made(gateway: Gateway, call: Call) -> Thing:
    """The new payment of a page or a prompt. Raises `Refused`."""
    email = call.text("email")
    if not email:
        raise wire.bad("Email is required", "missing_params")
    if not _EMAIL.fullmatch(email):
        raise wire.bad("Invalid Email Address Passed", "invalid_email_address")
    amount = call.amount(LEAST_PESEWAS)
    if call.body.get("currency", wire.CURRENCY) != wire.CURRENCY:
        raise wire.bad("Currency not supported by merchant")
    reference = call.text("reference") or secrets.token_hex(5)
    if not _REFERENCE.fullmatch(reference):
        raise wire.bad("Invalid transaction reference")
    if gateway.store.named("payment", call.world, reference):
        raise wire.bad("Duplicate Transaction Reference", "duplicate_reference")
    given = call.body.get("metadata")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            raise wire.bad("Invalid metadata") from None
    return payments.make(
        gateway, call.world, reference, email=email, amount=amount, metadata=given
    )


def _payment(gateway: Gateway, call: Call) -> Thing:
    found = gateway.store.named("payment", call.world, call.argument)
    if found is None:
        said = "Transaction reference not found."
        raise wire.bad(said, "transaction_not_found", 404)
    return found


def _before(call: Call, paid: Thing) -> None:
    """Let the webhook of this payment go before the answer."""
    if paid.doc.get("hook"):
        call.deliver.append(paid.doc["hook"])


def _charged(gateway: Gateway, thing: Thing) -> Response:
    return wire.ok("Charge attempted", _charge_data(gateway, thing))


def _charge_data(gateway: Gateway, thing: Thing) -> dict[str, Any]:
    """As verify once it is over, a few words while it is not."""
    if thing.status in ("pay_offline", "send_otp"):
        return {
            "reference": thing.reference,
            "status": thing.status,
            "display_text": thing.doc["display_text"],
        }
    return shapes.payment(gateway, thing, in_words=True)
