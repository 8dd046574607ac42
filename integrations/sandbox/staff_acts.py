"""What a click of the supplier's staff does: to orders, the wallet, prices, faults and knobs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from werkzeug.wrappers import Request

from integrations.sandbox import catalogue, faults, orders, processing, profiles
from integrations.sandbox.orders import Move, Order
from integrations.sandbox.state import Sandbox
from integrations.sandbox.store import FIRST_ID

_STATUS = re.compile(r"[a-z][a-z_]{1,19}", re.ASCII)


@dataclass(frozen=True)
class Done:
    """What an act did, in a sentence, and whether it worked."""

    said: str
    status: int = 200
    facts: dict[str, Any] | None = None


def set_status(
    sandbox: Sandbox,
    request: Request,
    name: str,
) -> Done:
    """Move one order; `refund` 1 or 0 overrides what the supplier would do with the money, `quiet`
    1 tells nobody."""
    status = field(request, "status")
    refund = field(request, "refund")
    quiet = field(request, "quiet")
    if not _STATUS.fullmatch(status):
        return Done(
            "status is one of sent, successful, failed, pending, reversed.", 400
        )
    if refund not in ("", "0", "1"):
        return Done("refund is 1 or 0.", 400)
    try:
        order = processing.find(sandbox, FIRST_ID, name)
        chosen = refund == "1" if refund else None
        move = processing.change_status(
            sandbox, order, status, refund=chosen, quiet=quiet == "1"
        )
    except orders.UnknownOrder:
        return Done("There is no order with that reference.", 404)
    except ValueError:
        return Done(
            "The wallet holds too little to charge this order again. Top it up first.",
            409,
        )
    return Done(_moved(order, move), 200, _facts(order, move))


def _moved(order: Order, move: Move) -> str:
    said = f"…{order.reference[-6:]}: {move.old_status} → {move.order.status}"
    if move.refunded_pesewas:
        said += f", GHS {move.refunded_pesewas / 100:.2f} refunded"
    if move.charged_pesewas:
        said += f", GHS {move.charged_pesewas / 100:.2f} charged again"
    return f"{said}."


def _facts(order: Order, move: Move) -> dict[str, Any]:
    return {
        "reference": order.reference,
        "old_status": move.old_status,
        "new_status": move.order.status,
        "refunded_pesewas": move.refunded_pesewas,
        "charged_pesewas": move.charged_pesewas,
    }


def export(sandbox: Sandbox, request: Request, name: str) -> Done:
    count = processing.export_batch(sandbox)
    return Done(
        f"Exported {count} order{'' if count == 1 else 's'}: now sent.",
        200,
        {"exported": count},
    )


def top_up(sandbox: Sandbox, request: Request, name: str) -> Done:
    pesewas = _pesewas(field(request, "amount"))
    if pesewas is None or pesewas == 0:
        return Done("Give an amount in GHS, like 100 or 12.50.", 400)
    try:
        account = sandbox.store.top_up(pesewas)
    except ValueError:
        return Done("The wallet holds less than that.", 409)
    facts = {"balance_pesewas": account.balance_pesewas}
    return Done(
        f"Wallet changed by GHS {pesewas / 100:,.2f}, now GHS"
        f" {account.balance_pesewas / 100:,.2f}.",
        200,
        facts,
    )


def set_price(sandbox: Sandbox, request: Request, name: str) -> Done:
    """Set what the reseller's role pays; an empty price takes the product off the list."""
    text = field(request, "price").strip()
    pesewas = _pesewas(text)
    offset = catalogue.ROLE_OFFSET_PESEWAS[sandbox.store.account().role]
    if text and (pesewas is None or pesewas < offset):
        return Done(
            f"Give a price in GHS of at least {offset / 100:.2f}, or none.", 400
        )
    if not sandbox.store.set_base_price(
        name, None if pesewas is None else pesewas - offset
    ):
        return Done("There is no such product.", 404)
    return Done(
        f"{name} now costs"
        f" {'nothing: it has no price' if pesewas is None else f'GHS {pesewas / 100:.2f}'}."
    )


def set_account(
    sandbox: Sandbox,
    request: Request,
    name: str,
) -> Done:
    status = field(request, "status")
    if status not in ("active", "suspended", "pending"):
        return Done("status is active, suspended or pending.", 400)
    sandbox.store.set_account(FIRST_ID, status=status)
    return Done(f"The account is {status}.", 200, {"account_status": status})


def set_plan(sandbox: Sandbox, request: Request, name: str) -> Done:
    """Replace the plan of faults by the one typed; an empty one ends all of them."""
    typed = field(request, "plan").strip()
    try:
        plan = faults.read_plan(json.loads(typed or "[]"))
    except (ValueError, RecursionError) as problem:
        return Done(f"That plan cannot be played: {problem}.", 400)
    sandbox.faults.install(plan)
    return Done(
        f"{len(plan)} fault{'' if len(plan) == 1 else 's'} planned.",
        200,
        {"faults": len(plan)},
    )


def set_knobs(sandbox: Sandbox, request: Request, name: str) -> Done:
    """Turn the knobs that were typed; the others stay."""
    try:
        wanted = json.loads(field(request, "knobs").strip() or "{}")
        if not isinstance(wanted, dict):
            raise profiles.BadKnob("knobs are one object")
        profiles.turn(sandbox.knobs, wanted)
    except (ValueError, RecursionError, profiles.BadKnob) as problem:
        return Done(f"These knobs cannot be turned: {problem}.", 400)
    return Done(
        "The knobs are as typed.", 200, {"knobs": profiles.as_dict(sandbox.knobs)}
    )


def let_go(sandbox: Sandbox, request: Request, name: str) -> Done:
    count = sandbox.holds.release(None)
    return Done(
        f"Let {count} held request{'' if count == 1 else 's'} go on.",
        200,
        {"released": count},
    )


def field(request: Request, name: str) -> str:
    """A field of the form, the query or a JSON object; empty when it is missing."""
    if request.mimetype == "application/json":
        body = request.get_json(silent=True)
        value = body.get(name) if isinstance(body, dict) else None
        if value is None:
            return ""
        return str(int(value) if isinstance(value, bool) else value)
    return str(request.values.get(name, ""))


def _pesewas(text: str) -> int | None:
    try:
        pesewas = Decimal(text.strip()) * 100
    except InvalidOperation:
        return None
    if (
        not pesewas.is_finite()
        or abs(pesewas) >= 10**12
        or pesewas != pesewas.to_integral_value()
    ):
        return None
    return int(pesewas)


ACTS: dict[str, Callable[[Sandbox, Request, str], Done]] = {
    "set_status": set_status,
    "export": export,
    "top_up": top_up,
    "set_price": set_price,
    "set_account": set_account,
    "set_plan": set_plan,
    "set_knobs": set_knobs,
    "let_go": let_go,
}
