"""What a person may do about a dispute that does not fit: let the gateway's word hold, or say that
it is nothing of ours. The judgement changes nothing; the deed is under the locks of `acting`."""

from __future__ import annotations

from core.base.preconditions import inside_use_case
from core.disputes import BadAnswer, odd
from core.settling.facts import ActionRefused, Facts
from core.settling.press import Press


def take_word(facts: Facts) -> None:
    try:
        odd.refuse_over(facts.case.subject)
    except BadAnswer as refusal:
        raise ActionRefused(refusal.sentence) from refusal


def disown(facts: Facts) -> None:
    try:
        odd.refuse_answered(facts.case.subject)
    except BadAnswer as refusal:
        raise ActionRefused(refusal.sentence) from refusal


@inside_use_case
def hold_word(press: Press) -> str:
    """The gateway is asked anew, and what it says counts."""
    found = odd.lock(press.facts.case.subject)
    assert found is not None
    odd.hold_word(found, press.actor)
    return "The gateway’s word holds: it is asked anew."


@inside_use_case
def let_go(press: Press) -> str:
    """It is nothing of ours, and refunds of its payment are free again."""
    found = odd.lock(press.facts.case.subject)
    assert found is not None
    odd.disown(found, press.facts.case, press.actor)
    return "It is nothing of ours: its payment may be refunded again."
