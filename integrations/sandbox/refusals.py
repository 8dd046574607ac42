"""What the supplier refuses a purchase for, and how it says so."""

from __future__ import annotations

import re
from typing import Any

from werkzeug.wrappers import Response

from integrations.sandbox import catalogue, orders, wire
from integrations.sandbox.state import Call, Sandbox

_ANY_NUMBER = re.compile(r"(?:0|\+233)[235]\d{8}", re.ASCII)
_MTN_NUMBER = re.compile(
    rf"(?:0|\+233)(?:{'|'.join(prefix[1:] for prefix in catalogue.MTN_PREFIXES)})\d{{7}}",
    re.ASCII,
)
PHONE_FORMAT = "0XXXXXXXXX or +233XXXXXXXXX"


def missing(sandbox: Sandbox, body: dict[str, Any]) -> Response | None:
    if not body.get("capacity"):
        return wire.failure(
            sandbox.clock,
            400,
            "Capacity is required",
            "MISSING_CAPACITY",
            example="1GB",
        )
    if not body.get("product_name"):
        names = list(sandbox.knobs.products)
        return wire.failure(
            sandbox.clock,
            400,
            "Product name is required",
            "MISSING_PRODUCT_NAME",
            available=names,
        )
    if not body.get("beneficiary_number"):
        return wire.failure(
            sandbox.clock, 400, "Beneficiary number is required", "MISSING_BENEFICIARY"
        )
    return None


def bad_phone(sandbox: Sandbox, number: Any) -> Response | None:
    if not isinstance(number, str):
        return processing_error(sandbox, "beneficiary_number.match is not a function")
    if is_phone(sandbox, number):
        return None
    message = "Invalid phone number format"
    return wire.failure(
        sandbox.clock,
        400,
        message,
        "INVALID_PHONE_NUMBER",
        format=PHONE_FORMAT,
        provided=number,
    )


def is_phone(sandbox: Sandbox, number: Any) -> bool:
    """A2 takes any number that starts 2, 3 or 5; A3 only the prefixes of MTN."""
    if sandbox.knobs.generation == "A3":
        pattern = _MTN_NUMBER
    else:
        pattern = _ANY_NUMBER
    return isinstance(number, str) and bool(pattern.fullmatch(number))


def processing_error(sandbox: Sandbox, details: str) -> Response:
    return wire.failure(
        sandbox.clock,
        500,
        "Error processing purchase",
        "PROCESSING_ERROR",
        details=details,
    )


def insufficient_balance(
    sandbox: Sandbox, call: Call, short: orders.InsufficientBalance
) -> Response:
    account = sandbox.store.account(call.account.id)
    required = wire.cedis(short.required_pesewas)
    current = wire.balance(account, sandbox.knobs)
    amounts = {
        "required_amount": required,
        "current_balance": current,
        "shortage": wire.number(required - current),
    }
    return wire.failure(
        sandbox.clock,
        400,
        "Insufficient wallet balance",
        "INSUFFICIENT_BALANCE",
        **amounts,
    )
