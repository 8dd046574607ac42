"""Disputes: somebody takes an online payment back through the gateway. News of one (`hearing`) has
the gateway asked; what its record means is `judging`'s, what becomes of it `taking_in`'s and,
at its end, `ending`'s. A person's word about one that does not fit is `odd`. Until when it is
to be answered says `deadline`; who is reminded, `reminding`. A person's answer is a row with a
life of its own (`answering`), what is sent to contest is `evidence`, what pages show `listing`.
The wire is `fulfilment.disputing`'s.
"""

from core.disputes import (
    answering,
    deadline,
    evidence,
    listing,
    odd,
    reminding,
    taking_in,
)
from core.disputes.answering import give
from core.disputes.hearing import heard, swept
from core.disputes.model import KIND, BadAnswer, DisputeAnswer, NoSuchDispute

__all__ = [
    "KIND",
    "BadAnswer",
    "DisputeAnswer",
    "NoSuchDispute",
    "answering",
    "deadline",
    "evidence",
    "give",
    "heard",
    "listing",
    "odd",
    "reminding",
    "swept",
    "taking_in",
]
