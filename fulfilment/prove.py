"""Having the books proven: by the timer, by a person's button, by `flask prove`; and saying it
loudly when they fail."""

from __future__ import annotations

import structlog

from core import proof
from core.base import clock, tenancy
from core.leases import Lease
from core.proof import Proof
from fulfilment.outcome import Outcome
from integrations.ports import Supplier

log = structlog.get_logger("proof")

_AGAIN_S = 10


def prove(
    _lease: Lease,
    _begun: None,
    supplier: Supplier,
) -> Outcome:
    """Handler of `prove_books`: one proof. While another runs, this one waits for its turn."""
    try:
        found = prove_now()
    except proof.UnderWay:
        return Outcome(clock.after(_AGAIN_S))
    return Outcome(
        None,
        ok=found.ok,
        text=told(found),
    )


def prove_now(whole: bool = False) -> Proof:
    """Prove the books across all stores. The seal's hash goes to the log too, out of reach of who
    can change a table.

    Raises `proof.UnderWay` while another proof runs.
    """
    with tenancy.across_stores():
        found = proof.prove(whole)
        audit_seal = proof.newest_audit_seal()
    say = log.info if found.ok else log.critical
    say(
        "the books are proven" if found.ok else "THE BOOKS DO NOT HOLD",
        seal=found.id,
        hash=found.hash,
        sealed=found.sealed,
        audit_hash=audit_seal.hash if audit_seal else None,
        findings=[item["sentence"] for item in found.findings],
        **found.counts,
    )
    return found


def told(found: Proof) -> str:
    """What came of a proof, in a sentence or more."""
    if found.ok:
        return (
            f"The books hold: {found.counts['entries']:,} entries in {found.counts['postings']:,}"
            f" postings, {found.sealed:,} of them new under seal {found.id}."
        )
    return "The books do not hold. " + " ".join(
        item["sentence"] for item in found.findings
    )
