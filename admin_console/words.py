"""What the program keeps as its own words, as a person reads it: calls, their outcomes, webhooks,
details of the audit.

Decides words only. A word that is not here is one nobody has seen yet, and is shown without its
underscores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from admin_console import bp
from admin_console.case_words import SHORT
from core.base import money
from core.settling import Action

CALLS = {
    "purchase": "Purchase",
    "bulk": "Purchase of several",
    "status": "Look-up of an order",
    "balance": "Balance",
    "products": "Price list",
    "capacities": "Sizes",
    "account": "Our account",
    "transactions": "List of orders",
    "statistics": "Statistics",
    "set_webhook": "Setting our webhook address",
    "test_webhook": "Test webhook",
}
OUTCOMES = {
    "ok": "Answered",
    "refused": "Refused",
    "not_sent": "Not sent",
    "unknown": "No clear answer",
    "no_answer": "Nothing to use",
    "no answer yet": "No answer yet",
}
SIGNATURES = {
    "platform_data_secret": "signed with our API secret",
    "platform_data_key": "signed with the data key",
    "body_secret": "signed as a whole",
    "static_token": "by a fixed token, which proves no words",
    "paystack": "signed by Paystack",
    "paystack_previous": "signed by Paystack with the earlier key",
}
ACTORS = {
    "owner": "in the console",
    "agent": "in the portal",
    "customer": "in a store",
    "worker": "by itself",
    "system": "by itself",
    "supplier": "the supplier",
    "stranger": "not logged in",
}
ACTIONS: dict[Action, str] = {
    "look_again": "asked again",
    "send_again": "sent again",
    "give_back": "gave the money back",
    "money_came_back": "money came back",
    "write_off": "wrote it off",
    "accept_loss": "accepted the loss",
    "accept_gain": "accepted the gain",
    "owe_back": "gave the customer’s payment back",
    "deliver": "delivered it after all",
    "book_taken": "booked it as taken back at the gateway",
    "refund": "asked for a refund",
    "expire": "let the order expire",
    "take_funding": "booked it as taken back",
    "settle_debt": "took it out of the wallet",
    "bear_loss": "bore the loss",
    "adopt_refund": "counted a refund of the gateway’s as given back",
    "settled_less": "accepted that a settlement brought less",
    "settled_more": "accepted that a settlement brought more",
    "take_word": "let the gateway’s word hold",
    "disown": "called it nothing of ours",
    "confirm_funding": "confirmed the funding",
    "close": "closed with words",
}
_WORDS: dict[str, Mapping[Any, str]] = {"kind": SHORT, "action": ACTIONS}
"""Details whose value is a word of the program."""
_ROLES = {"none": "no role"}
_OF_ROLES = frozenset({"from", "to", "role", "platform_role"})
_LABELS = {
    "address": "from",
    "asked": "page",
    "wait_s": "seconds to wait",
    "times": "times in this minute",
    "before_pesewas": "before",
    "slug": "address",
    "email": "e-mail",
    "from": "from role",
    "to": "to role",
    "kind": "about",
    "action": "how",
    "resolution": "in words",
    "left_open": "orders left as they are open",
    "raw_status": "the supplier's word",
    "supplier_ref": "the supplier's reference",
    "failure_reason": "the supplier's reason",
    "is": "now",
    "was": "before",
    "above_bp": "asked above",
    "by_itself": "approves by itself",
}
"""What a detail is called where its own name is not how people say it."""


@bp.app_template_filter("call_word")
def call_word(endpoint: str) -> str:
    return CALLS.get(endpoint, plain(endpoint).capitalize())


@bp.app_template_filter("outcome_word")
def outcome_word(outcome: str) -> str:
    return OUTCOMES.get(outcome, plain(outcome).capitalize())


@bp.app_template_filter("signature_word")
def signature_word(verified_by: str) -> str:
    return SIGNATURES.get(verified_by, plain(verified_by))


@bp.app_template_filter("actor_word")
def actor_word(kind: str) -> str:
    return ACTORS.get(kind, plain(kind))


def detail_lines(told: dict[str, Any]) -> list[str]:
    """Everything an event of an order carries, a line each."""
    return [
        said for name, value in sorted(told.items()) if (said := detail(name, value))
    ]


def plain(word: str) -> str:
    """A word of the program without its underscores."""
    return word.replace("_", " ")


def detail(name: str, value: Any) -> str:
    """One detail of an audit line: `price: GH₵ 5.00`; empty when it says nothing."""
    if value is None or value == "":
        return ""
    if name == "hidden":
        return "hidden from customers" if value else "on sale"
    label = _LABELS.get(name) or plain(name.removesuffix("_pesewas"))
    return f"{label}: {_value(name, value)}"


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _number(name, value)
    if isinstance(value, dict):
        return ", ".join(detail_lines(value))
    if isinstance(value, list):
        return ", ".join(_value("", one) for one in value)
    if name in _WORDS:
        return _WORDS[name].get(value, plain(str(value)))
    if name in _OF_ROLES:
        return _ROLES.get(value, str(value))
    return str(value)


def _number(name: str, number: int) -> str:
    if name.endswith("_pesewas"):
        return money.cedis(number)
    if name.endswith("_bp"):
        return f"{number / 100:g} %"
    return str(number)
