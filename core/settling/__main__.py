"""Prints what may be done about each kind of case."""

from core.settling.table import printed

print(printed())  # noqa: T201
