"""What a supplier's word means for an order in each state: one complete table, and the checks an
answer must pass.

Decides what should happen; `applying` carries it out. An answer about another number or another
reference moves nothing. A word against a final state moves nothing and becomes a case: a *late
success* when the supplier has, or is about to have, delivered an order whose money went back, a
*contradiction* otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from core import orders
from core.base import clock, config, money, phones, tenancy
from core.base.language import later
from core.orders import News, Order, State
from core.supplier import webhook_events
from fulfilment.buying import sizes
from integrations.ports import Accepted, Found, StatusWord, Unnamed

Effect = State | Literal["same", "case"]

TABLE: dict[tuple[State, StatusWord], Effect] = {
    ("submitting", "pending"): "processing",
    ("submitting", "processing"): "processing",
    ("submitting", "completed"): "completed",
    ("submitting", "failed"): "failed",
    ("submitting", "refunded"): "refunded",
    ("processing", "pending"): "same",
    ("processing", "processing"): "same",
    ("processing", "completed"): "completed",
    ("processing", "failed"): "failed",
    ("processing", "refunded"): "refunded",
    ("failed", "pending"): "processing",
    ("failed", "processing"): "processing",
    ("failed", "completed"): "completed",
    ("failed", "failed"): "same",
    ("failed", "refunded"): "refunded",
    ("completed", "pending"): "case",
    ("completed", "processing"): "case",
    ("completed", "completed"): "same",
    ("completed", "failed"): "case",
    ("completed", "refunded"): "case",
    ("refunded", "pending"): "case",
    ("refunded", "processing"): "case",
    ("refunded", "completed"): "case",
    ("refunded", "failed"): "same",
    ("refunded", "refunded"): "same",
    ("cancelled", "pending"): "case",
    ("cancelled", "processing"): "case",
    ("cancelled", "completed"): "case",
    ("cancelled", "failed"): "same",
    ("cancelled", "refunded"): "same",
}
"""Every state in which the supplier can be asked, against every word. A failed order whose watch is
over is settled by `_watch_is_over`, not here."""

_MONEY_WENT_BACK: frozenset[str] = frozenset({"refunded", "cancelled"})
_CLOCKS_DIFFER = timedelta(minutes=15)
_DELIVERS: frozenset[StatusWord] = frozenset({"pending", "processing", "completed"})

_TEXT: dict[State, tuple[str, str | None]] = {
    "processing": ("The supplier has it{ref}.", later("Sent to the network")),
    "completed": ("The supplier says it is delivered.", later("Delivered")),
    "failed": (
        "The supplier says it failed{reason}. It is watched before any money goes back.",
        later("The network reports a problem; we keep checking"),
    ),
    "refunded": ("The supplier gave the money back{reason}.", later("Not delivered")),
}


@dataclass(frozen=True)
class Verdict:
    """What an answer calls for: a move or none, cases to open, and what to write on the
    timeline."""

    move: State | None
    news: News
    text: str = ""
    customer_text: str | None = None
    wrong_order: bool = False
    cases: tuple[tuple[str, dict[str, Any]], ...] = field(default=())


def of_accepted(order: Order, answer: Accepted) -> Verdict:
    """What the answer to a purchase means. `answer.order_ref` and `recipient` are what the supplier
    echoed."""
    evidence = {
        "said": answer.raw_status,
        "order_ref": answer.order_ref,
        "recipient": _masked(answer.recipient),
    }
    if not _fits(order, answer.order_ref, answer.recipient, None):
        return Verdict(
            None, News(), wrong_order=True, cases=(("wrong_answer", evidence),)
        )
    said = News(
        answer.raw_status,
        answer.supplier_ref,
        answer.amount_pesewas,
        money_back=answer.status == "refunded",
    )
    return _tell(order, answer.status, said, answer.needs_person)


def of_found(order: Order, found: Found) -> Verdict:
    """What the supplier's record of our reference means."""
    if not _fits(order, found.order_ref, found.recipient, found.capacity):
        evidence = {
            "said": found.raw_status,
            "order_ref": found.order_ref,
            "recipient": _masked(found.recipient),
            "capacity": found.capacity,
        }
        return Verdict(
            None, News(), wrong_order=True, cases=(("wrong_answer", evidence),)
        )
    said = News(
        found.raw_status,
        (
            found.supplier_ref if found.unnamed is None else None
        ),  # a number that came without our reference proves nothing
        found.amount_pesewas,
        found.failure_reason,
        money_back=found.status == "refunded",
    )
    return _tell(order, found.status, said, found.needs_person)


def is_about(order: Order, found: Found) -> bool:
    """Whether the supplier's record is this order's. One that names our reference is; `of_found`
    still looks for mistakes.

    One that names none is, when it carries the number the supplier gave our purchase. Otherwise it
    must name our whole number and our size, nothing else of it may contradict, and the supplier may
    hold no other order of ours it could be. Even then it is not believed that the order failed or
    was paid back: that would give money away for the fate of a stranger's order.
    """
    if found.unnamed is None:
        return True
    if not _fits(order, None, found.recipient, found.capacity) or _contradicts(
        order, found
    ):
        return False
    if order.supplier_ref and found.supplier_ref:
        return True
    digits = re.sub(r"\D", "", found.recipient or "")
    if len(digits) < 9 or not sizes.agrees(found.capacity, order.capacity):
        return False
    if found.status in ("failed", "refunded") or found.needs_person:
        return False
    with tenancy.across_stores():
        return not orders.has_twin(
            order, _earliest(order) if found.unnamed.placed_at else None
        )


def _contradicts(order: Order, found: Found) -> bool:
    """Whether anything a record without a reference says besides number and size is not of this
    order."""
    said = found.unnamed or Unnamed()
    if (
        order.supplier_ref
        and found.supplier_ref
        and order.supplier_ref != found.supplier_ref
    ):
        return True
    if (
        said.product_name
        and said.product_name.casefold() != order.product_name.casefold()
    ):
        return True
    earliest = _earliest(order)
    if said.placed_at and earliest and said.placed_at < earliest:
        return True
    return found.amount_pesewas is not None and _differs(order, found.amount_pesewas)


def _earliest(order: Order) -> datetime | None:
    """The supplier cannot have had the order before this moment, even if its clock is wrong."""
    if order.queued_at is None:
        return None
    return order.queued_at - _CLOCKS_DIFFER


def _differs(order: Order, amount_pesewas: int) -> bool:
    if order.charged_pesewas is not None:
        expected = order.charged_pesewas
    else:
        expected = order.cost_pesewas
    return abs(amount_pesewas - expected) > money.ROUNDING_PESEWAS


def believe_signed_webhook(order: Order, gone: int) -> bool:
    """The one exception to "a webhook rings": the look-up endpoint is gone at three checks and a
    signed webhook says completed. Then *processing* becomes *completed*, said so on the timeline.
    """
    event = webhook_events.verified_completion(order.order_ref)
    if gone < 3 or event is None or order.state != "processing":
        return False
    return orders.advance(
        order.id,
        "completed",
        news=News(raw_status=event.raw_status),
        customer_text=later("Delivered"),
        text=(
            "The supplier's look-up is gone; its signed webhook says delivered, and that is"
            " believed."
        ),
    )


def _tell(order: Order, word: StatusWord, said: News, needs_person: bool) -> Verdict:
    found: list[tuple[str, dict[str, Any]]] = []
    if needs_person:
        found.append(("unknown_word", {"said": said.raw_status}))
    if said.amount_pesewas is not None and _differs(order, said.amount_pesewas):
        found.append(
            (
                "amount_differs",
                {
                    "expected_pesewas": order.cost_pesewas,
                    "charged_pesewas": said.amount_pesewas,
                },
            )
        )
    effect = TABLE.get((order.state, word), "case")  # a state nobody asks in is a case
    if _watch_is_over(order, word):
        text = (
            f"Watched for {config.current().failed_watch_s // 3_600} hours and still failed. The"
            " money is back."
        )
        told = _TEXT["refunded"][1]
        return Verdict("refunded", said, text, told, cases=tuple(found))
    if effect == "case":
        found.append(_against_final(order, word, said))
    if effect == "same" or effect == "case":
        return Verdict(None, said, cases=tuple(found))
    text, customer_text = _TEXT[effect]
    return Verdict(
        effect,
        said,
        text.format(
            ref=f", its reference …{said.supplier_ref[-4:]}"
            if said.supplier_ref
            else "",
            reason=f" (“{said.failure_reason}”)" if said.failure_reason else "",
        ),
        customer_text,
        cases=tuple(found),
    )


def _against_final(
    order: Order, word: StatusWord, said: News
) -> tuple[str, dict[str, Any]]:
    """The case that news against a final state becomes, with its evidence."""
    evidence: dict[str, Any] = {
        "order_is": order.state,
        "supplier_says": said.raw_status,
    }
    if order.state not in _MONEY_WENT_BACK or word not in _DELIVERS:
        return "contradiction", evidence
    evidence["delivered"] = word == "completed"
    if said.amount_pesewas is not None:
        evidence["charged_pesewas"] = said.amount_pesewas
    return "late_success", evidence


def _watch_is_over(order: Order, word: StatusWord) -> bool:
    return (
        order.state == "failed"
        and word == "failed"
        and order.failed_since is not None
        and clock.now()
        >= order.failed_since + clock.delta(config.current().failed_watch_s)
    )


def _fits(
    order: Order, order_ref: str | None, recipient: str | None, capacity: str | None
) -> bool:
    if order_ref is not None and order_ref != order.order_ref:
        return False
    if recipient is not None and not phones.may_be_meant(
        order.recipient_msisdn, recipient
    ):
        return False
    return not sizes.contradicts(capacity, order.capacity)


def _masked(number: str | None) -> str | None:
    if number is None:
        return None
    return "•••" + number[-3:]
