"""The calls that tell of money: balance and its ledger, settlements, banks and names."""

from __future__ import annotations

import re

from werkzeug.wrappers import Response

from integrations.paystack_sandbox import shapes, wire
from integrations.paystack_sandbox.payment_calls import choose
from integrations.paystack_sandbox.state import Gateway
from integrations.paystack_sandbox.transfers import BANK_CODES, BANKS, Refuse
from integrations.paystack_sandbox.wire import Call

_ABOUT = {"paid_out": "Transfer", "payout_fee": "Transfer", "refunded": "Refund"}
_NAMES = ("AMA OWUSU", "KOFI MENSAH", "YAA ASANTEWAA", "KWAME BOATENG", "ESI ARTHUR")


def balance(gateway: Gateway, call: Call) -> Response:
    held = gateway.store.purse(call.world, "balance")
    return wire.ok("Balances retrieved", [{"currency": wire.CURRENCY, "balance": held}])


def ledger(gateway: Gateway, call: Call) -> Response:
    where = "FROM books WHERE world = ? AND purse = 'balance'"
    store = gateway.store
    counted = store.rows(f"SELECT count(*) AS n {where}", call.world)
    skipped, limit, meta = wire.pages(call.request, counted[0]["n"])
    rows = store.rows(
        f"SELECT * {where} ORDER BY id DESC LIMIT ? OFFSET ?",
        call.world, limit, skipped,
    )  # fmt: skip
    shown = [
        {
            "id": row["id"],
            "integration": shapes.INTEGRATION,
            "domain": call.world,
            "balance": row["balance"],
            "currency": wire.CURRENCY,
            "difference": row["amount"],
            "reason": f"{row['kind']} {row['reference']}".strip(),
            "model_responsible": _ABOUT.get(row["kind"], "Transaction"),
            "model_row": row["thing"] or None,
            "createdAt": wire.moment(row["at"]),
        }
        for row in rows
    ]
    return wire.ok("Balance ledger retrieved", shown, meta=meta)


def banks(gateway: Gateway, call: Call) -> Response:
    kind = call.request.args.get("type")
    shown = [
        {
            "id": number,
            "name": name,
            "slug": name.lower().replace(" ", "-"),
            "code": code,
            "type": of,
            "currency": wire.CURRENCY,
            "country": "Ghana",
            "active": True,
        }
        for number, name, code, of in BANKS
        if kind in (None, of)
    ]
    return wire.ok("Banks retrieved", shown)


def resolve(gateway: Gateway, call: Call) -> Response:
    """Whose account it is; one that ends in 99 has no name."""
    number = call.request.args.get("account_number", "")
    code = call.request.args.get("bank_code", "")
    is_number = re.fullmatch(r"[0-9]{8,20}", number, re.ASCII)
    if not is_number or code not in BANK_CODES or number.endswith("99"):
        raise Refuse(
            422, "Could not resolve account name. Check parameters or try again."
        )
    name = _NAMES[int(number[-3:]) % len(_NAMES)]
    shown = {"account_number": number, "account_name": name, "bank_id": 28}
    return wire.ok("Account number resolved", shown)


def settlements(gateway: Gateway, call: Call) -> Response:
    """Settlements, newest first, by pages; `from`, `to` and `status` choose."""
    rows, meta = choose(gateway, call, "settlement")
    shown = [shapes.settlement(row) for row in rows]
    return wire.ok("Settlements retrieved", shown, meta=meta)


def settled(gateway: Gateway, call: Call) -> Response:
    found = gateway.store.numbered("settlement", call.world, call.argument)
    if found is None:
        raise wire.missing("Settlement")
    every = found.doc["payments"]
    skipped, limit, meta = wire.pages(call.request, len(every))
    rows = [gateway.store.thing(one) for one in every[skipped : skipped + limit]]
    shown = [shapes.payment(gateway, row) for row in rows if row]
    return wire.ok("Settlement transactions retrieved", shown, meta=meta)
