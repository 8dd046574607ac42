"""How orders stand, in words: what each reader reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core import cases
from core.availability import Now
from core.base import clock, config, money
from core.base.language import later, say
from core.catalog import Bundle
from core.orders import (
    estimates,
    giving_back,
    held_up,
    not_received,
    paying,
    telling,
    testing,
)
from core.orders.held_up import Held
from core.orders.model import Order
from core.orders.states import AGENT_LOOKS, LOOKS, WAIT_TEXT, Look, State
from core.stores import Store

_UNKNOWN_AFTER_S = 120
"""A submitting order without an answer for this long reads "Checking with the network"."""
_CUSTOMERS: dict[State, str] = {
    "awaiting_payment": later("Pay to start the order."),
    "pending": later(
        "%(store)s has your order and sends it once your payment has arrived."
    ),
    "queued": later("Accepted. It goes to the network in its turn."),
    "submitting": later("We are sending it to the network."),
    "processing": later("With the network since %(sent_at)s."),
    "completed": later("Delivered, the network says, at %(delivered_at)s."),
    "failed": later(
        "The network reports a problem. We keep checking and tell you by %(watched_until)s."
    ),
    "refunded": later("Not delivered."),
    "cancelled": later("Cancelled. Nothing was sent."),
    "expired": later(
        "Nothing was sent. If you have paid, send %(store)s a message with this code."
    ),
}
_GOES = Look("Goes in a moment", "moving")
_CONFIRM = "Waiting for you: confirm the payment, then process."
_FOUND = "Its payment was found: process it."


@dataclass(frozen=True)
class Words:
    """How an order stands, for one reader."""

    label: str
    sentence: str
    icon: str


def customer_words(
    order: Order, store: Store, now: Now | None = None, bundle: Bundle | None = None
) -> Words:
    """What the customer reads. Never "failed" while we are not sure, never our own jargon.

    With `now`, also what keeps the order from being sent: while it is *pending* nobody is asked for
    money then.
    """
    look = _look(order)
    if order.is_test:
        label = testing.label(say(look.label))
        return Words(label, testing.customer_sentence(), look.icon)
    late = _came_late(order)
    if late == "delivered":
        return Words(
            say("Delivered late"),
            say(
                "We had called it not delivered; now the network says it was. Check the number,"
                " then settle the payment with %(store)s: send them a message with this code.",
                store=store.name,
            ),
            "done",
        )
    if late == "coming":
        return Words(
            say(LOOKS["failed"].label),
            say(
                "We had called it not delivered; now the network has it after all, and it may"
                " still come. %(store)s settles the payment with you.",
                store=store.name,
            ),
            LOOKS["failed"].icon,
        )
    label = say(look.label)
    why_still = held_up.for_customer(order, store, now, bundle) if now else ""
    if why_still:
        return Words(label, why_still, look.icon)
    if telling.is_told(order):
        told = telling.customer_words(order, store.name)
        return Words(label, told, look.icon)
    if _is_unclear(order):
        return Words(
            label,
            say(
                "Checking with the network. Nothing is lost%(next)s.",
                next=_next_check(order),
            ),
            look.icon,
        )
    if order.owes_back:
        label, sentence = giving_back.customer_words(order, store.name)
        return Words(label, sentence, "done" if order.given_back_at else look.icon)
    sentence = paying.sentence_of(order) or say(
        _CUSTOMERS[order.state],
        store=store.name,
        sent_at=_at(order.processing_at),
        delivered_at=_at(order.completed_at),
        watched_until=_at(_watch_end(order), day=True),
    )
    sentence += _news_waits(order)
    if missing := not_received.customer_words(order, store.name):
        return Words(label, f"{sentence} {missing}", look.icon)
    return Words(label, sentence + _when(order, store, now), look.icon)


def agent_words(order: Order, held: Held | None = None) -> Words:
    """What the agent reads: what we know, since when, what happens next and when.

    With `held`, also what keeps a new order from being processed.
    """
    if order.is_test:
        look = agent_look(order)
        return Words(look.label, testing.agent_sentence(order), look.icon)
    back = money.cedis(order.agent_price_pesewas)
    waiting = (
        f"Waiting: {WAIT_TEXT[order.wait_reason]}. In line since {_at(order.queued_at)}."
        if order.wait_reason
        else ""
    )
    sentences = {
        "awaiting_payment": "The customer has not paid yet.",
        "pending": _pending(order, held or Held()),
        "queued": waiting or "In line. It is sent within a minute.",
        "submitting": "Sending to the supplier.",
        "processing": f"Supplier accepted at {_at(order.processing_at)}{_next_check(order)}.",
        "completed": (
            f"Delivered {_at(order.completed_at)}. Profit {money.cedis(order.profit_pesewas)}."
        ),
        "failed": (
            f"Supplier says failed{_reason(order)}. Watched until"
            f" {_at(_watch_end(order), day=True)}, then your {back} comes back."
        ),
        "refunded": f"Not delivered{_reason(order)}. {back} is back in your wallet.",
        "cancelled": f"Cancelled at {_at(order.final_at)}. Nothing was sent.",
        "expired": (
            f"Expired at {_at(order.final_at)}: nobody processed it in time. Nothing was sent."
        ),
    }
    sentence = paying.agent_sentence(order, _reason(order)) or sentences[order.state]
    if order.owes_back:
        sentence += " " + giving_back.agent_words(order)
    if late := _came_late(order):
        what = (
            "delivered it after all"
            if late == "delivered"
            else "has it after all, and may still deliver it"
        )
        sentence = (
            f"The supplier says it {what}. {back} went back to your wallet and stays there. Ask the"
            f" customer whether the data came before you give {money.cedis(order.price_pesewas)}"
            " back."
        )
    if _is_unclear(order):
        sentence = (
            f"No clear answer since {_at(order.submitted_at)}{_next_check(order)}. It will not be"
            " bought twice."
        )
    look = agent_look(order)
    return Words(look.label, sentence + _news_waits(order), look.icon)


def agent_look(order: Order) -> Look:
    """Label and icon of `agent_words`, for lists."""
    look = AGENT_LOOKS[order.state] if order.release_at is None else _GOES
    if order.is_test:
        return Look(testing.label(look.label), look.icon)
    if order.owes_back:
        look = Look(giving_back.label(order), look.icon)
    if _is_unclear(order):
        look = Look(look.label, "waiting")
    return look


def _pending(order: Order, held: Held) -> str:
    confirm = telling.agent_words(order) if telling.is_told(order) else _CONFIRM
    if order.confirmed_at is not None:
        confirm = _FOUND
    if order.release_at is not None and order.release_by is not None:
        return f"{order.release_by['name']} pressed Process. Until it goes it can be undone."
    if held.sentence and not held.not_sent:
        return held.sentence
    again = f"Not sent: {held.not_sent}"
    if held.sentence:
        return again
    return f"{again} {confirm}" if held.not_sent else confirm


def _came_late(order: Order) -> Literal["delivered", "coming"] | None:
    """Whether the supplier said that it delivered, or still means to deliver, an order whose money
    went back.

    One query, for orders that were sent and are over only.
    """
    if order.state not in ("refunded", "cancelled") or order.attempt == 0:
        return None
    found = cases.of_kind(order.id, "late_success")
    if any(entry.get("delivered") for case in found for entry in case.seen):
        return "delivered"
    return "coming" if any(case.closed_at is None for case in found) else None


def _is_unclear(order: Order) -> bool:
    if order.state != "submitting":
        return False
    waited = order.submitted_at and clock.now() - order.submitted_at > clock.delta(
        _UNKNOWN_AFTER_S
    )
    return order.unknown_since is not None or bool(waited)


def _look(order: Order) -> Look:
    return LOOKS["failed"] if _is_unclear(order) else LOOKS[order.state]


def _watch_end(order: Order) -> datetime | None:
    return order.failed_since and order.failed_since + clock.delta(
        config.current().failed_watch_s
    )


def _news_waits(order: Order) -> str:
    """Said while signed news came of more orders than there are calls to ask about."""
    waits = order.wait_reason == "news" and order.state != "queued"
    if not waits:
        return ""
    return " " + say(
        "News of many orders came at once: this one is asked about in its turn."
    )


def _when(order: Order, store: Store, now: Now | None) -> str:
    """By when an order that goes its way is usually done; once that has passed, what next."""
    if order.state not in ("queued", "submitting", "processing"):
        return ""
    if estimates.is_overdue(order):
        again = order.next_look_at
        is_known = again is not None and again > clock.now() and order.state != "queued"
        said = [say("It takes longer than usual.")]
        if is_known:
            said.append(say("We ask the network again at %(at)s.", at=_at(again)))
        said.append(
            say(
                "If you cannot wait, send %(store)s a message with this code.",
                store=store.name,
            )
        )
        return " " + " ".join(said)
    is_said = now is not None and now.estimate(order.network, order.bundle_id)
    if order.estimate_minutes is None or not is_said:
        return ""
    return " " + say("Usually done by %(at)s.", at=_at(estimates.due_at(order)))


def _next_check(order: Order) -> str:
    if order.next_look_at is None:
        return ""
    return say("; next check at %(time)s", time=_at(order.next_look_at))


def _reason(order: Order) -> str:
    return f" (“{order.failure_reason}”)" if order.failure_reason else ""


def _at(moment: datetime | None, *, day: bool = False) -> str:
    if moment is None:
        return "–"
    local = moment.astimezone(clock.ACCRA)
    if day or local.date() != clock.now().astimezone(clock.ACCRA).date():
        return f"{local.day} {local:%b %H:%M}"
    return f"{local:%H:%M}"
