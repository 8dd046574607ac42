"""Recipients and transfers: the same reference is the same transfer, and OTP may stand before it.

Decides states, books, fees and events of payouts.
"""

from __future__ import annotations

import http.client
import re
import secrets
from urllib.parse import urlsplit

from werkzeug.wrappers import Response

from integrations.paystack_sandbox import shapes, wire
from integrations.paystack_sandbox.state import Gateway
from integrations.paystack_sandbox.store import Thing
from integrations.paystack_sandbox.wire import Call
from integrations.sandbox.webhooks import is_loopback

FEES = {"mobile_money": 100, "ghipss": 800}
OTP = "123456"
OTP_S = 1800.0
APPROVAL_S = 5.0
OVER = ("success", "failed", "reversed", "abandoned", "blocked", "rejected")
_REFERENCE = re.compile(r"[a-z0-9_-]{16,50}", re.ASCII)


def recipient(gateway: Gateway, call: Call) -> Response:
    """Whom transfers may go to; the same account again is the one that there is."""
    kind, number = call.text("type"), call.text("account_number")
    code, name = call.text("bank_code"), call.text("name")
    if not (kind and number and code and name):
        raise wire.bad(
            "name, type, account_number and bank_code are required", "missing_params"
        )
    if kind not in FEES or call.body.get("currency") != wire.CURRENCY:
        raise wire.bad("Invalid type or currency")
    if code not in BANK_CODES:
        raise Refuse(400, "Bank code is invalid")
    if not re.fullmatch(r"[0-9]{8,20}", number, re.ASCII):
        raise Refuse(400, "Account number is invalid")
    if number.endswith("98"):
        raise Refuse(400, "Account closed")
    same = f"{kind}.{code}.{number}"
    found = gateway.store.named("recipient", call.world, same)
    if found is None:
        found = gateway.store.add(
            "recipient",
            call.world,
            same,
            gateway.now(),
            code=f"RCP_{secrets.token_hex(8)}",
            type=kind,
            name=name,
            account_number=number,
            bank_code=code,
        )
        gateway.store.keep_note(f"recipient.{found.doc['code']}", str(found.id))
    return wire.ok("Transfer recipient created successfully", shapes.recipient(found))


def transfer(gateway: Gateway, call: Call) -> Response:
    if gateway.knobs.starter:
        raise Refuse(
            400, "You cannot initiate third party payouts as a starter business"
        )
    whom = _whom(gateway, call)
    amount = call.amount()
    reference = call.text("reference") or f"t-{secrets.token_hex(12)}"
    if not _REFERENCE.fullmatch(reference):
        raise wire.bad("Invalid transfer reference")
    if gateway.store.named("transfer", call.world, reference):
        said = "Please provide a unique reference. Reference already exists"
        raise wire.bad(said, "duplicate_transfer_reference")
    fee = FEES[whom.doc["type"]]
    is_ours = call.body.get("currency", "NGN") == wire.CURRENCY
    # an account in Ghana holds no naira, which a transfer is in when it says nothing
    held = gateway.store.purse(call.world, "balance") if is_ours else 0
    if held < amount + fee:
        raise Refuse(400, "Your balance is not enough to fulfil this request")
    made = gateway.store.add(
        "transfer",
        call.world,
        reference,
        gateway.now(),
        whom.id,
        status="otp" if gateway.knobs.otp else "pending",
        code=f"TRF_{secrets.token_hex(8)}",
        recipient=whom.id,
        amount=amount,
        fee=fee,
        reason=call.text("reason"),
    )
    _book(gateway, made, -1)
    if made.status == "otp":
        gateway.later(made, "abandon", OTP_S)
    else:
        _execute(gateway, made)
    said = (
        "Transfer requires OTP to continue"
        if made.status == "otp"
        else "Transfer has been queued"
    )
    return wire.ok(said, shapes.transfer(made, None))


def finalize(gateway: Gateway, call: Call) -> Response:
    found = _by_code(gateway, call)
    if call.text("otp") == OTP:
        found.doc["status"] = "pending"
        gateway.store.save(found)
        _execute(gateway, found)
        return wire.ok("Transfer has been queued", shapes.transfer(found, None))
    _end(gateway, found, "failed", "Wrong code")
    return wire.ok("Transfer failed", shapes.transfer(found, None))


def resend_otp(gateway: Gateway, call: Call) -> Response:
    _by_code(gateway, call)
    return wire.done("OTP has been resent")


def verify(gateway: Gateway, call: Call) -> Response:
    found = gateway.store.named("transfer", call.world, call.argument)
    hidden_s = gateway.knobs.transfer_404_s / gateway.knobs.time_scale
    if found is None or gateway.now() < found.at + hidden_s:
        raise Refuse(404, "Transfer not found")
    return wire.ok(
        "Transfer retrieved", shapes.transfer(found, _recipient(gateway, found))
    )


def act(gateway: Gateway, transfer: Thing, act: str) -> None:
    """What falls due, or somebody at the network does."""
    status = transfer.status
    if act == "reversed" and status == "success":
        _end(gateway, transfer, "reversed", "Returned by the network")
    elif act == "abandon" and status == "otp":
        _end(gateway, transfer, "abandoned", "No code was given")
    elif act == "success" and status == "pending":
        transfer.doc |= {"status": "success", "transferred_at": gateway.now()}
        gateway.store.save(transfer)
        _tell(gateway, transfer)
    elif act == "failed" and status == "pending":
        _end(gateway, transfer, "failed", "Account cannot be credited")


def _execute(gateway: Gateway, transfer: Thing) -> None:
    """Ask the approval address, if there is one, and plan what becomes of the transfer."""
    knobs = gateway.knobs
    if knobs.approval_url:
        answered = _approved(gateway, transfer)
        if answered != 200:
            status = "rejected" if answered == 400 else "blocked"
            _end(gateway, transfer, status, f"Transfer {status} by the approval URL")
            return
    if not gateway.is_real(transfer.world):
        act(gateway, transfer, "success")
        return
    outcome = knobs.transfer_outcome
    if outcome == "reversed":
        gateway.later(transfer, "success", knobs.transfer_s)
        gateway.later(transfer, "reversed", knobs.transfer_s + knobs.reversed_after_s)
    elif outcome != "stuck":
        gateway.later(transfer, outcome, knobs.transfer_s)


def _approved(gateway: Gateway, transfer: Thing) -> int:
    """What the approval address says: a status, or 0 for silence. Only this machine is asked."""
    url = gateway.knobs.approval_url
    parts = urlsplit(url)
    if not is_loopback(url):
        return 0
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port or 80, timeout=APPROVAL_S
    )
    body = wire.compact(shapes.transfer(transfer, _recipient(gateway, transfer)))
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", parts.path or "/", body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _end(gateway: Gateway, transfer: Thing, status: str, why: str) -> None:
    """The transfer is over, and the money is back."""
    transfer.doc |= {"status": status, "gateway_response": why}
    gateway.store.save(transfer)
    keeps_fee = status == "reversed"
    _book(gateway, transfer, +1, with_fee=not keeps_fee)
    if status in ("failed", "reversed"):
        _tell(gateway, transfer)


def _book(
    gateway: Gateway, transfer: Thing, sign: int, *, with_fee: bool = True
) -> None:
    parts = [("paid_out", transfer.doc["amount"])]
    if with_fee:
        parts.append(("payout_fee", transfer.doc["fee"]))
    for kind, amount in parts:
        where = (transfer.world, kind, transfer.reference, transfer.id, "balance")
        gateway.store.book(gateway.now(), *where, sign * amount)


def _tell(gateway: Gateway, transfer: Thing) -> None:
    whom = _recipient(gateway, transfer)
    data = shapes.transfer(transfer, whom, is_event=True)
    gateway.tell(transfer, f"transfer.{transfer.status}", data)


def _whom(gateway: Gateway, call: Call) -> Thing:
    number = gateway.store.note(f"recipient.{call.text('recipient')}", "0")
    found = gateway.store.numbered("recipient", call.world, number)
    if found is None:
        raise wire.bad("Recipient specified is invalid", "invalid_transfer_recipient")
    if found.doc["account_number"].endswith("97"):
        said = "Sorry, we can't make the transfer to this recipient at the moment"
        raise Refuse(400, said)
    return found


def _recipient(gateway: Gateway, transfer: Thing) -> Thing | None:
    return gateway.store.thing(transfer.of)


def _by_code(gateway: Gateway, call: Call) -> Thing:
    """The transfer that waits for a code. Raises `Refused`."""
    code = call.text("transfer_code")
    for found in gateway.store.newest("transfer", call.world, 100):
        if found.doc["code"] == code and code:
            if found.status != "otp":
                raise Refuse(400, "Transfer is not currently awaiting OTP")
            return found
    raise Refuse(404, "Transfer not found")


class Refuse(wire.Refused):
    """An older refusal, which has a text and no code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(wire.refusal(status, message))


BANKS = (
    (28, "MTN", "MTN", "mobile_money"),
    (66, "Vodafone", "VOD", "mobile_money"),
    (29, "AirtelTigo", "ATL", "mobile_money"),
    (19, "Absa Bank Ghana Ltd", "030100", "ghipss"),
    (20, "GCB Bank Limited", "040100", "ghipss"),
    (21, "Ecobank Ghana Limited", "130100", "ghipss"),
)
BANK_CODES = {code for _, _, code, _ in BANKS}
