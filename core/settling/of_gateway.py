"""What a person may do about a settlement that brought less than is ours, or more: accept it. The
judgement changes nothing; the deed is under the locks of `acting`."""

from __future__ import annotations

from core import online
from core.base.preconditions import inside_use_case
from core.gateway_days import differing
from core.settling.facts import ActionRefused, Facts
from core.settling.press import Press


@inside_use_case
def lock(subject: str) -> None:
    """What a settlement lacks, locked before its case as the worker has it."""
    if differing.of_case(subject) is not None:
        differing.explain()


def settled_less(facts: Facts) -> int:
    open_pesewas = _open(facts)
    if open_pesewas <= 0:
        raise ActionRefused(
            "Nothing of ours is missing in it now. Close the case with words."
        )
    return open_pesewas


def settled_more(facts: Facts) -> int:
    open_pesewas = _open(facts)
    if open_pesewas >= 0:
        raise ActionRefused(
            "It brought no more than is ours. Close the case with words."
        )
    return -open_pesewas


@inside_use_case
def accept_less(press: Press) -> str:
    """Our books have less at the gateway: a loss. Raises `ActionRefused`."""
    _accept(press, press.amount_pesewas)
    return f"{press.amount} less from the gateway is accepted as a loss."


@inside_use_case
def accept_more(press: Press) -> str:
    """Our books have more at the gateway: a gain. Raises `ActionRefused`."""
    _accept(press, -press.amount_pesewas)
    return f"{press.amount} more from the gateway is accepted as a gain."


def _accept(press: Press, loss_pesewas: int) -> None:
    settlement = differing.of_case(press.facts.case.subject)
    assert settlement is not None
    try:
        differing.accept(settlement, loss_pesewas, press.actor, press.note)
    except online.Unfit as refusal:
        raise ActionRefused(refusal.sentence) from refusal


def _open(facts: Facts) -> int:
    settlement = differing.of_case(facts.case.subject)
    return differing.open_of(settlement) if settlement is not None else 0
