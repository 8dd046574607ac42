"""Objects as the wire shows them, with the drift of spellings and types that it has.

Decides members and their types; states are decided where they change.
"""

from __future__ import annotations

import json
from typing import Any

from integrations.paystack_sandbox.state import Gateway
from integrations.paystack_sandbox.store import Thing
from integrations.paystack_sandbox.wire import CURRENCY, moment

INTEGRATION = 100_032


def payment(
    gateway: Gateway, thing: Thing, *, in_words: bool = False
) -> dict[str, Any]:
    """A payment as verify and lists show it; `in_words` with what the customer has to do now."""
    doc = thing.doc
    status = doc["status"]
    if not in_words and status in ("pay_offline", "send_otp"):
        status = "ongoing"
    fees = doc["fees"]
    if fees is not None and gateway.now() < doc.get("fees_from", 0):
        fees = None
    return {
        "id": thing.id,
        "domain": doc.get("domain", thing.world),
        "status": status,
        "reference": thing.reference,
        "receipt_number": None,
        "amount": doc["charged"] if doc["charged"] is not None else doc["amount"],
        "requested_amount": doc["amount"],
        "message": doc.get("message"),
        "gateway_response": doc.get("gateway_response"),
        "gateway_response_code": "approved"
        if doc["status"] == "success"
        else "unknown",
        "paid_at": moment(doc["paid_at"]),
        "paidAt": moment(doc["paid_at"]),
        "created_at": moment(thing.at),
        "createdAt": moment(thing.at),
        "channel": doc.get("channel"),
        "currency": doc.get("currency", CURRENCY),
        "ip_address": "127.0.0.1",
        "metadata": metadata(gateway, doc.get("metadata")),
        "log": {"history": doc["log"]} if doc["log"] else None,
        "fees": fees,
        "fees_breakdown": None,
        "fees_split": None,
        "authorization": authorization(thing),
        "customer": customer(thing),
        "plan": None,
        "split": {},
        "subaccount": {},
        "order_id": None,
        "pos_transaction_data": None,
        "source": None,
        "connect": None,
        "transaction_date": moment(thing.at),
    }


def metadata(gateway: Gateway, given: Any) -> Any:
    """What was given, or what the wire makes of it instead."""
    shape = gateway.knobs.metadata_as
    if shape == "as_given":
        return given if given not in (None, {}) else ""
    if shape == "text":
        return json.dumps(given)
    return {"empty": "", "zero": 0, "null": None}[shape]


def authorization(thing: Thing) -> dict[str, Any]:
    if thing.doc["paid_at"] is None:
        return {}
    phone = thing.doc.get("phone") or "0550000149"
    return {
        "authorization_code": f"AUTH_{thing.id % 10**10:010d}",
        "bin": f"{phone[:3]}XXX",
        "last4": f"X{phone[-3:]}",
        "exp_month": "12",
        "exp_year": "9999",
        "channel": thing.doc.get("channel"),
        "card_type": "",
        "bank": thing.doc.get("bank", "MTN Mobile Money"),
        "country_code": "GH",
        "brand": thing.doc.get("bank", "MTN Mobile Money"),
        "reusable": False,
        "signature": None,
        "account_name": None,
    }


def customer(thing: Thing) -> dict[str, Any]:
    return {
        "id": thing.id,
        "first_name": None,
        "last_name": None,
        "email": thing.doc["email"],
        "customer_code": f"CUS_{thing.id % 10**12:012d}",
        "phone": None,
        "metadata": None,
        "risk_action": "default",
    }


def refund(thing: Thing, paid: Thing, *, in_list: bool = False) -> dict[str, Any]:
    """A refund as an answer, or a list, shows it."""
    whole = {"id": paid.id, "reference": paid.reference, "amount": paid.doc["charged"]}
    doc = thing.doc
    return {
        "id": thing.id,
        "integration": INTEGRATION,
        "domain": thing.world,
        "transaction": paid.id if in_list else whole,
        "dispute": None,
        "amount": doc["amount"],
        "deducted_amount": str(doc["amount"]) if in_list else doc["amount"],
        "currency": CURRENCY,
        "channel": None,
        "status": doc["status"],
        "fully_deducted": 1 if in_list else True,
        "refunded_by": "owner@makola.example",
        "refunded_at": moment(thing.at),
        "expected_at": moment(thing.at + 10 * 86_400),
        "customer_note": doc.get("customer_note"),
        "merchant_note": doc.get("merchant_note"),
        "createdAt": moment(thing.at),
        "updatedAt": moment(thing.at),
    }


def refund_event(thing: Thing, paid: Thing) -> dict[str, Any]:
    """The same in a webhook: an amount that is text in some states, an id in one alone."""
    status = thing.doc["status"]
    is_text = status in ("pending", "processing", "processed")
    data: dict[str, Any] = {
        "status": status,
        "transaction_reference": paid.reference,
        "refund_reference": None if status == "pending" else f"TRF_r{thing.id}",
        "amount": str(thing.doc["amount"]) if is_text else thing.doc["amount"],
        "currency": CURRENCY,
        "processor": "mpgs_zen",
        "customer": {"first_name": None, "last_name": None, "email": paid.doc["email"]},
        "integration": INTEGRATION,
        "domain": thing.world,
    }
    if status == "needs-attention":
        data |= {"id": str(thing.id), "merchant_note": thing.doc.get("merchant_note")}
    return data


def recipient(thing: Thing) -> dict[str, Any]:
    doc = thing.doc
    return {
        "id": thing.id,
        "active": True,
        "domain": thing.world,
        "type": doc["type"],
        "name": doc["name"],
        "currency": CURRENCY,
        "recipient_code": doc["code"],
        "integration": INTEGRATION,
        "createdAt": moment(thing.at),
        "details": {
            "account_number": doc["account_number"],
            "account_name": doc.get("account_name"),
            "bank_code": doc["bank_code"],
            "bank_name": doc["bank_code"],
        },
    }


def transfer(
    thing: Thing, whom: Thing | None, *, is_event: bool = False
) -> dict[str, Any]:
    """A transfer: as its own answer (`whom` None), as verify, or in a webhook."""
    doc = thing.doc
    data: dict[str, Any] = {
        "id": thing.id,
        "transfer_code": doc["code"],
        "reference": thing.reference,
        "status": doc["status"],
        "amount": doc["amount"],
        "currency": CURRENCY,
        "domain": thing.world,
        "reason": doc.get("reason"),
        "source": "balance",
        "source_details": None,
        "failures": doc.get("failures"),
        "titan_code": None,
        "transferred_at": moment(doc.get("transferred_at")),
        "created_at" if is_event else "createdAt": moment(thing.at),
        "recipient": doc["recipient"] if whom is None else recipient(whom),
        "integration": {"id": INTEGRATION, "is_live": thing.world == "live"}
        if is_event
        else INTEGRATION,
    }
    if whom is not None:
        data |= {
            "session": {"provider": None, "id": None},
            "fee_charged": doc["fee"] if doc["status"] == "success" else 0,
            "gateway_response": doc.get("gateway_response"),
        }
    return data


def settlement(thing: Thing) -> dict[str, Any]:
    return {
        "id": thing.id,
        "domain": thing.world,
        "status": thing.status,
        "currency": CURRENCY,
        "integration": INTEGRATION,
        "total_amount": thing.doc["total"],
        "effective_amount": thing.doc["effective"],
        "total_fees": thing.doc["fees"],
        "total_processed": thing.doc["total"],
        "deductions": thing.doc["deductions"],
        "settlement_date": moment(thing.at),
        "settled_by": None,
        "createdAt": moment(thing.at),
    }


def dispute(gateway: Gateway, thing: Thing, paid: Thing) -> dict[str, Any]:
    doc = thing.doc
    return {
        "id": thing.id,
        "domain": thing.world,
        "refund_amount": doc["amount"],
        "currency": CURRENCY,
        "status": doc["status"],
        "resolution": doc.get("resolution"),
        "category": doc["category"],
        "transaction": payment(gateway, paid),
        "transaction_reference": None,
        "customer": customer(paid),
        "bin": None,
        "last4": None,
        "dueAt": moment(doc["due_at"]),
        "resolvedAt": moment(doc.get("resolved_at")),
        "evidence": doc.get("evidence"),
        "attachments": json.dumps(doc.get("attachments", [])),
        "note": None,
        "history": doc["history"],
        "messages": doc["messages"],
        "createdAt": moment(thing.at),
    }
