"""The states of an order as one printable table: which moves exist, what each posts, who reads
which words.

product.md §3 rules; `python -m core.orders.states` prints this table. `advancing` carries it out
and is the only code that moves an order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from core.base.language import later

State = Literal[
    "awaiting_payment",
    "pending",
    "queued",
    "submitting",
    "processing",
    "completed",
    "failed",
    "refunded",
    "cancelled",
    "expired",
]
STATES: tuple[State, ...] = get_args(State)
FINAL: frozenset[State] = frozenset({"completed", "refunded", "cancelled", "expired"})
WORK: frozenset[State] = frozenset({"queued", "submitting", "processing", "failed"})
"""States in which fulfilment still has something to do."""

Posting = Literal[
    "hold",
    "commit_if_none_open",
    "capture",
    "release",
    "owe_if_paid",
    "supplier_refund_if_seen",
]


@dataclass(frozen=True)
class Move:
    """One legal move, the postings that go with it in order, and why it happens."""

    frm: State
    to: State
    postings: tuple[Posting, ...]
    why: str


TRANSITIONS: tuple[Move, ...] = (
    Move("awaiting_payment", "pending", (), "the payment was verified"),
    Move("awaiting_payment", "cancelled", (), "the customer cancelled"),
    Move("awaiting_payment", "expired", (), "no payment came"),
    Move("pending", "queued", ("hold",), "the agent processed it"),
    Move(
        "pending", "cancelled", ("owe_if_paid",), "the customer or the agent cancelled"
    ),
    Move("pending", "expired", (), "nobody processed it for a day"),
    Move("queued", "submitting", (), "a worker claimed it"),
    Move("queued", "cancelled", ("release",), "the agent cancelled"),
    Move(
        "submitting",
        "queued",
        (),
        "certainly not bought: not sent, rate limit, credentials, float, or absence proven",
    ),
    Move("submitting", "processing", ("commit_if_none_open",), "the supplier has it"),
    Move(
        "submitting",
        "completed",
        ("commit_if_none_open", "capture"),
        "the supplier has delivered it",
    ),
    Move(
        "submitting",
        "failed",
        ("commit_if_none_open",),
        "the supplier has it as failed",
    ),
    Move(
        "submitting",
        "refunded",
        ("supplier_refund_if_seen", "release"),
        "refused as invalid, or reversed",
    ),
    Move(
        "processing",
        "completed",
        ("commit_if_none_open", "capture"),
        "the supplier delivered it",
    ),
    Move("processing", "failed", (), "the supplier reports a failure"),
    Move(
        "processing",
        "refunded",
        ("supplier_refund_if_seen", "release"),
        "the supplier reversed it",
    ),
    Move(
        "failed",
        "processing",
        ("commit_if_none_open",),
        "the supplier took it up again",
    ),
    Move(
        "failed",
        "completed",
        ("commit_if_none_open", "capture"),
        "the supplier delivered it after all",
    ),
    Move(
        "failed",
        "refunded",
        ("supplier_refund_if_seen", "release"),
        "the watch is over, or reversed",
    ),
)
_BY_PAIR = {(move.frm, move.to): move for move in TRANSITIONS}


def move_of(frm: State, to: State) -> Move | None:
    """The legal move between two states, or None."""
    return _BY_PAIR.get((frm, to))


STAMPS: dict[State, str] = {
    "pending": "pending_since",
    "queued": "queued_at",
    "submitting": "submitted_at",
    "processing": "processing_at",
    "completed": "completed_at",
    "failed": "failed_since",
}
"""The column that remembers when a state was entered. `queued_at` keeps the first time, the others
the last."""

WAIT_TEXT: dict[str, str] = {
    "float": "supplier float too low",
    "supplier_unreachable": "the supplier cannot be reached",
    "supplier_silent": "the supplier does not answer",
    "unwatched": "nobody seems to look after the sending",
    "rate": "the supplier's rate limit",
    "credentials": "the supplier refuses our credentials",
    "breaker": "the supplier's answers are unclear; sending is paused",
    "paused": "this network is paused",
    "unlisted": "the network’s supplier does not offer this bundle now; you may cancel the order",
    "cost": "the network’s price has risen above what you pay; you may cancel the order",
    "news": "the supplier sent news of many orders at once; each is asked about in its turn",
    "balance_break": "buying is stopped until a charge of the supplier is explained",
}


Icon = Literal["waiting", "moving", "done", "stopped", "returned"]


@dataclass(frozen=True)
class Look:
    """How a state looks to people: its label and the shape of its icon."""

    label: str
    icon: Icon


LOOKS: dict[State, Look] = {
    "awaiting_payment": Look(later("Waiting for payment"), "waiting"),
    "pending": Look(later("Pending"), "waiting"),
    "queued": Look(later("Processing"), "moving"),
    "submitting": Look(later("Processing"), "moving"),
    "processing": Look(later("Processing"), "moving"),
    "completed": Look(later("Completed"), "done"),
    "failed": Look(later("Checking with the network"), "moving"),
    "refunded": Look(later("Not delivered"), "returned"),
    "cancelled": Look(later("Cancelled"), "stopped"),
    "expired": Look(later("Expired"), "stopped"),
}
AGENT_LABELS: dict[State, str] = {
    "awaiting_payment": "Waiting for payment",
    "pending": "New",
    "queued": "In line",
    "submitting": "Sending",
    "processing": "With the network",
    "completed": "Delivered",
    "failed": "Failed, watched",
    "refunded": "Refunded",
    "cancelled": "Cancelled",
    "expired": "Expired",
}

AGENT_ICONS: dict[State, Icon] = {
    **{state: look.icon for state, look in LOOKS.items()},
    "failed": "stopped",
}
"""For agents, who see that an order has failed; its customer reads that it is being looked
after."""
AGENT_LOOKS = {state: Look(AGENT_LABELS[state], AGENT_ICONS[state]) for state in STATES}

if __name__ == "__main__":
    for move in TRANSITIONS:
        postings = ", ".join(move.postings) or "-"
        print(f"{move.frm:17} -> {move.to:12} {postings:46} {move.why}")  # noqa: T201
