"""The life of a payment: made, paid, failed, paid late; and what its number's ending does to it.

Decides states, fees and the lines of the books. Only success is ever announced.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from integrations.paystack_sandbox import settling, shapes
from integrations.paystack_sandbox.state import Gateway
from integrations.paystack_sandbox.store import Thing

FEE = Decimal("0.0195")
PROMPT_S = 180.0
LATE_S = 45 * 60.0
AGAIN_S = 60.0
OTP = "123456"
AT_ONCE = "0551234987"
BANKS = {
    "mtn": "MTN Mobile Money",
    "vod": "Vodafone Cash",
    "atl": "AirtelTigo Money",
    "tgo": "AirtelTigo Money",
}
NOT_DONE = "The transaction was not completed"


def make(gateway: Gateway, world: str, reference: str, **doc: Any) -> Thing:
    """A new payment, which is abandoned until somebody pays."""
    fresh: dict[str, Any] = {
        "status": "abandoned",
        "gateway_response": NOT_DONE,
        "charged": None,
        "fees": None,
        "paid_at": None,
        "refunded": 0,
        "log": [],
    }
    return gateway.store.add(
        "payment", world, reference, gateway.now(), **(fresh | doc)
    )


def prompt(gateway: Gateway, thing: Thing, phone: str, provider: str) -> bool:
    """Ask for the payment on this phone. Returns whether its webhook goes before the answer."""
    thing.doc |= {
        "channel": "mobile_money",
        "phone": phone,
        "bank": BANKS.get(provider, provider),
    }
    note(gateway, thing, f"Prompted {provider}")
    ending = phone[-2:]
    if len(phone) < 10:
        fail(gateway, thing, "Invalid phone number")
    elif phone == AT_ONCE or ending == "10":
        pay(gateway, thing)
        return ending == "10"
    elif not gateway.is_real(thing.world):
        fail(gateway, thing, "Declined")
    elif ending == "05":
        wait(gateway, thing, "send_otp", "Dial *110# for a voucher code and enter it")
    else:
        wait(gateway, thing, "pay_offline", "Approve the request on your phone")
        for act, seconds in _fate(gateway, ending):
            gateway.later(thing, act, seconds)
    return False


def _fate(gateway: Gateway, ending: str) -> list[tuple[str, float]]:
    """What happens to a prompt, and when."""
    soon_s = gateway.knobs.answer_s
    return {
        "02": [("decline", soon_s)],
        "03": [("insufficient", soon_s)],
        "04": [("time_out", PROMPT_S)],
        "06": [("leave", PROMPT_S), ("approve", LATE_S)],
        "07": [("decline", soon_s), ("approve", soon_s + AGAIN_S)],
        "08": [("approve_raised", soon_s)],
        "09": [("approve_silently", soon_s)],
    }.get(ending, [("approve", soon_s)])


def wait(gateway: Gateway, thing: Thing, status: str, text: str) -> None:
    thing.doc |= {"status": status, "display_text": text, "gateway_response": NOT_DONE}
    gateway.store.save(thing)


def pay(
    gateway: Gateway,
    thing: Thing,
    *,
    raised: bool = False,
    silently: bool = False,
    **changes: Any,
) -> None:
    """Take the money, once. `raised`: the customer bears the fee. `changes`: a charged `amount`, a
    `currency` or a `domain` that is not the one asked for."""
    if thing.doc["paid_at"] is not None:
        return
    asked = thing.doc["amount"]
    charged = int(changes.get("amount") or (asked + fee(asked) if raised else asked))
    thing.doc |= {
        "status": "success",
        "charged": charged,
        "fees": fee(charged),
        "fees_from": gateway.now()
        + gateway.knobs.fees_late_s / gateway.knobs.time_scale,
        "paid_at": gateway.now(),
        "gateway_response": "Approved",
        "message": "madePayment",
        "channel": thing.doc.get("channel") or "mobile_money",
        **{name: changes[name] for name in ("currency", "domain") if changes.get(name)},
    }
    note(gateway, thing, "Paid")
    store, at = gateway.store, gateway.now()
    where = (thing.world, "taken", thing.reference, thing.id, "pending")
    store.book(at, *where, charged)
    store.book(
        at, thing.world, "fee", thing.reference, thing.id, "pending", -fee(charged)
    )
    settling.plan(gateway, thing.world)
    if not silently:
        number = gateway.tell(thing, "charge.success", shapes.payment(gateway, thing))
        thing.doc["hook"] = number
        store.save(thing)


def fail(gateway: Gateway, thing: Thing, response: str) -> None:
    """The payment dies, and nobody is told."""
    if thing.doc["paid_at"] is None:
        thing.doc |= {
            "status": "failed",
            "gateway_response": response,
            "message": response,
            "charged": thing.doc["amount"],
        }
        note(gateway, thing, response)


def leave(gateway: Gateway, thing: Thing) -> None:
    """Whoever was asked went away without a word."""
    if thing.doc["paid_at"] is None:
        thing.doc |= {"status": "abandoned", "gateway_response": NOT_DONE}
        note(gateway, thing, "Left")


def fee(pesewas: int) -> int:
    """1.95 %, rounded half up: how the real one rounds is not known."""
    return int((pesewas * FEE).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def note(gateway: Gateway, thing: Thing, what: str) -> None:
    """One line of what the customer did."""
    seconds = round(gateway.now() - thing.at)
    line = {"type": "action", "message": what, "time": seconds}
    thing.doc["log"] = [*thing.doc["log"], line][-20:]
    gateway.store.save(thing)


ACTS = {
    "approve": pay,
    "approve_raised": lambda gateway, thing: pay(gateway, thing, raised=True),
    "approve_silently": lambda gateway, thing: pay(gateway, thing, silently=True),
    "decline": lambda gateway, thing: fail(gateway, thing, "Declined"),
    "insufficient": lambda gateway, thing: fail(gateway, thing, "Insufficient funds"),
    "time_out": lambda gateway, thing: fail(gateway, thing, "Timed out on the phone"),
    "leave": leave,
}
