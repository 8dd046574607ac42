"""Proofs that need the whole program and somebody who breaks it: the stage, the load, the nemesis,
the checker.

The shipped rooms know nothing of it. People, pages and the supplier's admin API are those of
`tests/support`.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
