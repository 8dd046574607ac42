"""Measurements: scripts that print ratios, taken side by side in one run. No test, since a wall
clock is no judge.

People, stages and forged webhooks are those of `tests.proofs` and `tests.support`.
"""
