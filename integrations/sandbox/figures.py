"""A supplier that counts in fractions of a pesewa, or writes its wallet in an odd way: the fault
`odd_figures`.

Decides which figure of an answer reads how. Its own wallet stays in whole pesewas: what the
fractions of all charges add up to is worked out anew for each answer, so that any number of answers
fit together.
"""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Any

from werkzeug.wrappers import Response

from integrations.sandbox import wire
from integrations.sandbox.faults import Fault
from integrations.sandbox.store import Store

_PRICES = frozenset({"price", "amount", "required_amount", "amount_refunded"})
_WALLET = frozenset({"balance", "balance_after", "current_balance"})
_CENT = Decimal("0.01")


def spoil(store: Store, response: Response, fault: Fault) -> None:
    """Put odd figures into an answer in place of the plain ones."""
    if not response.is_json:
        return
    if fault.says is not None:
        wallet = fault.says
    else:
        wallet = float(_wallet(store, fault))
    extra = Decimal(fault.price_thousandths or 0) / 1000
    response.set_data(
        wire.compact(_spoiled(json.loads(response.get_data()), wallet, extra)).encode()
    )


def _spoiled(value: Any, wallet: Any, extra: Decimal) -> Any:
    if isinstance(value, list):
        return [_spoiled(member, wallet, extra) for member in value]
    if not isinstance(value, dict):
        return value
    spoiled = {}
    for name, member in value.items():
        if name in _WALLET:
            spoiled[name] = wallet
        elif name in _PRICES and isinstance(member, (int, float)):
            spoiled[name] = float(Decimal(str(member)) + extra)
        else:
            spoiled[name] = _spoiled(member, wallet, extra)
    return spoiled


def _wallet(store: Store, fault: Fault) -> Decimal | float:
    extra = Decimal(fault.price_thousandths or 0) / 1000
    extra_wallet = Decimal(fault.wallet_thousandths or 0) / 1000
    exact = extra_wallet
    noisy = float(extra_wallet)
    for row in store.rows(
        "SELECT reference, amount_pesewas FROM charges WHERE account = 'first' ORDER BY seq"
    ):
        move = Decimal(row["amount_pesewas"]) / 100
        # else it is no purchase: the opening balance, a top-up
        if row["reference"] is not None:
            move = _charge(move, extra, fault.kept)
        exact = exact + move
        noisy = noisy + float(move)
    if fault.kept == "in_floats":
        return noisy
    if fault.kept == "rounded_balance":
        return exact.quantize(_CENT, ROUND_HALF_UP)
    return exact


def _charge(
    amount: Decimal,
    extra: Decimal,
    kept: str | None,
) -> Decimal:
    exact = amount + (extra if amount > 0 else -extra)
    if kept == "rounded_purchase":
        return exact.quantize(_CENT, ROUND_HALF_UP)
    if kept == "rounded_up":
        return exact.quantize(_CENT, ROUND_UP)
    return exact
