"""The books prove themselves: `rules` says what must hold, `seals` chains what was proven,
`audit_seals` what the audit says, `proving` does both.

Callers say `proof.prove()` and `proof.standing()`.
"""

from core.proof.audit_seals import AuditSeal
from core.proof.audit_seals import newest as newest_audit_seal
from core.proof.proving import (
    Standing,
    UnderWay,
    look,
    newest,
    prove,
    standing,
    standing_for_agents,
)
from core.proof.seals import Proof

__all__ = [
    "AuditSeal",
    "Proof",
    "Standing",
    "UnderWay",
    "look",
    "newest",
    "newest_audit_seal",
    "prove",
    "standing",
    "standing_for_agents",
]
