"""The books prove themselves: `rules` says what must hold, `seals` chains what was proven, `proving` does both.

Callers say `proof.prove()` and `proof.standing()`.
"""

from core.proof.proving import NotEverything, Standing, UnderWay, look, newest, prove, standing, standing_for_agents
from core.proof.seals import Proof

__all__ = [
    "NotEverything",
    "Proof",
    "Standing",
    "UnderWay",
    "look",
    "newest",
    "prove",
    "standing",
    "standing_for_agents",
]
