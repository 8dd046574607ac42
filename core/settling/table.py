"""What a person may do about each kind of case, as one printable table: kind, action, what it
posts, when it is legal.

`python -m core.settling` prints it. `legality` says whether an action is legal now and how much it
moves, `acting` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from core import cases

Action = Literal[
    "look_again",
    "send_again",
    "give_back",
    "money_came_back",
    "write_off",
    "accept_loss",
    "accept_gain",
    "confirm_funding",
    "owe_back",
    "deliver",
    "book_taken",
    "refund",
    "expire",
    "take_funding",
    "settle_debt",
    "bear_loss",
    "adopt_refund",
    "settled_less",
    "settled_more",
    "take_word",
    "disown",
    "close",
]
ACTIONS: tuple[Action, ...] = get_args(Action)

ASKS_TWICE: frozenset[Action] = frozenset(
    {
        "send_again",
        "give_back",
        "write_off",
        "accept_loss",
        "accept_gain",
        "confirm_funding",
        "owe_back",
        "deliver",
        "book_taken",
        "refund",
        "expire",
        "take_funding",
        "settle_debt",
        "bear_loss",
        "adopt_refund",
        "settled_less",
        "settled_more",
        "take_word",
        "disown",
    }
)
"""Actions that a person must confirm: what may lose us money for good, and what says where money
came from."""
NEEDS_WORDS: frozenset[Action] = frozenset(ACTIONS) - {"look_again", "confirm_funding"}
"""Actions for which the person must say why; the agent of the order reads it."""


@dataclass(frozen=True)
class Way:
    """One way to treat a kind of case: the postings it makes, in order, and when it is legal."""

    kind: str
    action: Action
    posts: tuple[str, ...]
    when: str


_SENT = "the order was ever sent"
_NEVER_BOUGHT = "submitting, and by both clocks no call of ours can still buy"
_FAILED = "the order is failed"
_BACK = ("supplier_refund if seen", "release")
_HELD = "the money went back and the supplier still holds its own by our books"
_FLOAT = (
    "two reads of the balance, far enough apart, have seen the difference and nothing else"
    " explains it"
)


def _look(kind: str) -> Way:
    return Way(kind, "look_again", (), _SENT)


def _close(kind: str) -> Way:
    return Way(
        kind,
        "close",
        (),
        "always; it moves nothing, so a cause that still stands asks again",
    )


def _refund(kind: str) -> Way:
    return Way(kind, "refund", (), "so much is owed back, and no refund is under way")


TABLE: tuple[Way, ...] = (
    _look("contradiction"),
    _close("contradiction"),
    _look("late_success"),
    Way(
        "late_success",
        "accept_loss",
        ("commit if none is open", "write_off"),
        "the money went back, nothing was written off for it, and no difference accepted since may"
        " be this very charge",
    ),
    _close("late_success"),
    _look("unknown_too_long"),
    Way("unknown_too_long", "send_again", (), _NEVER_BOUGHT),
    Way("unknown_too_long", "give_back", _BACK, f"{_NEVER_BOUGHT}; or {_FAILED}"),
    _close("unknown_too_long"),
    _look("never_fulfilled"),
    Way("never_fulfilled", "give_back", _BACK, _FAILED),
    _close("never_fulfilled"),
    _look("resend_limit"),
    Way("resend_limit", "send_again", (), _NEVER_BOUGHT),
    Way("resend_limit", "give_back", _BACK, f"{_NEVER_BOUGHT}; or {_FAILED}"),
    _close("resend_limit"),
    _look("wrong_answer"),
    Way("wrong_answer", "give_back", _BACK, _FAILED),
    _close("wrong_answer"),
    _look("unknown_word"),
    Way("unknown_word", "give_back", _BACK, _FAILED),
    _close("unknown_word"),
    _look("supplier_money"),
    Way("supplier_money", "money_came_back", ("supplier_refund",), _HELD),
    Way("supplier_money", "write_off", ("write_off",), _HELD),
    _close("supplier_money"),
    Way("unexpected_charge", "accept_loss", ("float_difference",), _FLOAT),
    _close("unexpected_charge"),
    Way(
        "float_funded",
        "confirm_funding",
        ("fund_float",),
        "the newest balance is higher than our books",
    ),
    Way("float_funded", "accept_gain", ("float_difference",), _FLOAT),
    _close("float_funded"),
    _look("broken"),
    Way("broken", "give_back", _BACK, f"{_NEVER_BOUGHT}; or {_FAILED}"),
    _close("broken"),
    _look("amount_differs"),
    Way("amount_differs", "give_back", _BACK, _FAILED),
    _close("amount_differs"),
    _close("unknown_reference"),
    _close("restored"),
    _close("books_broken"),
    _close("rounding"),
    _look("told_unanswered"),
    _close("told_unanswered"),
    _look("not_received"),
    _close("not_received"),
    Way(
        "paid_late",
        "owe_back",
        ("owe",),
        "the payment is in the books, and neither pays an order nor is owed back yet",
    ),
    Way(
        "paid_late",
        "deliver",
        ("hold",),
        "the payment is free as above, its bundle can be bought now, and what came in covers what"
        " it costs now",
    ),
    _close("paid_late"),
    _refund("paid_twice"),
    _close("paid_twice"),
    _refund("paid_short"),
    _close("paid_short"),
    _close("paid_unfit"),
    Way(
        "payment_reversed",
        "book_taken",
        ("reversed",),
        "it is paid, and nothing of ours explains that the payer has it back",
    ),
    _close("payment_reversed"),
    Way(
        "payment_disputed",
        "take_funding",
        ("fund_reversed",),
        "the payment went into a wallet, and the gateway has taken it back",
    ),
    _close("payment_disputed"),
    Way(
        "payment_unwatched",
        "expire",
        (),
        "the order waits for its payment, and there is no gateway to ask",
    ),
    _close("payment_unwatched"),
    Way(
        "funding_reversed",
        "settle_debt",
        ("fund_reversed",),
        "the wallet has free what the store still owes",
    ),
    Way("funding_reversed", "bear_loss", (), "the store still owes something of it"),
    Way("funding_reversed", "close", (), "the store owes nothing of it any more"),
    _close("payment_broken"),
    _close("dispute_unknown"),
    Way(
        "dispute_odd",
        "take_word",
        (),
        "the dispute is not over; the gateway is asked anew, and what it says then counts",
    ),
    Way(
        "dispute_odd",
        "disown",
        (),
        "the dispute is not over, and no answer of ours was given to it",
    ),
    _close("dispute_odd"),
    _close("payment_odd"),
    _refund("refund_failed"),
    _close("refund_failed"),
    _close("refund_details"),
    _close("refund_poor"),
    Way(
        "refund_strange",
        "adopt_refund",
        ("refund_done once the gateway says so",),
        "the gateway's refund is of no more than is owed back, and none of ours may be on its way",
    ),
    _close("refund_strange"),
    _close("refund_late"),
    _close("payout_differs"),
    _close("payout_contradicts"),
    _close("payout_needs_owner"),
    _close("payout_slow"),
    _close("payout_broken"),
    _close("payouts_refused"),
    _close("gateway_balance"),
    _close("payments_lost"),
    _close("payments_unlisted"),
    _close("payments_differ"),
    Way(
        "settlement_differs",
        "settled_less",
        ("gateway_difference",),
        "it brought less than is ours, and no refund or dispute of ours explains that",
    ),
    Way(
        "settlement_differs",
        "settled_more",
        ("gateway_difference",),
        "it brought more than is ours",
    ),
    _close("settlement_differs"),
)
_BY_PAIR: dict[tuple[str, str], Way] = {(way.kind, way.action): way for way in TABLE}
assert {way.kind for way in TABLE} == set(cases.KINDS), (
    "every kind of case has its ways out"
)
assert len(_BY_PAIR) == len(TABLE), "one way for a kind and an action"


def way_of(kind: str, action: str) -> Way | None:
    """The row of a kind and an action, or None; none for a word that is no action."""
    return _BY_PAIR.get((kind, action))


def ways_of(kind: str) -> list[Way]:
    """Everything that may ever be done about a kind of case."""
    return [way for way in TABLE if way.kind == kind]


def printed() -> str:
    """The table as text, a heading for each kind."""
    lines = []
    for kind, title in cases.KINDS.items():
        lines.append(f"{kind}: {title}")
        lines += [
            f"    {way.action:16} {', '.join(way.posts) or '-':38} {way.when}"
            for way in ways_of(kind)
        ]
    return "\n".join(lines)
