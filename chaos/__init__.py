"""Proofs that need the whole program and somebody who breaks it: the stage, the load, the nemesis, the checker.

Outside the shipped rooms, which know nothing of it. People, pages and the supplier's admin API are those of
`tests/journeys`, found on the path as its scripts find them.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JOURNEYS = ROOT / "tests" / "journeys"

if str(JOURNEYS) not in sys.path:
    sys.path.append(str(JOURNEYS))
