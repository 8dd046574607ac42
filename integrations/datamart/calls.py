"""How long a call to Data Mart may take, and the word for what came of it.

How a call is made and recorded is decided in `integrations.calls`.
"""

from __future__ import annotations

from integrations import http
from integrations.ports import BulkResult, NoAnswer, NotSent, Rejected, Unknown

# Seconds, before `scale`. The supplier sleeps when idle and needs about 50 s to wake; a forwarding
# one waits 30 s more for the network. A purchase must end before the job that makes it (120 s).
CONNECT_S = 10.0
READ_PURCHASE_S = 90.0
READ_S = 60.0
WRITE_S = 10.0
POOL_S = 10.0
TOTAL_PURCHASE_S = 110.0
TOTAL_S = 80.0

SUPPLIER = "datamart"

READ = http.Timeouts(CONNECT_S, READ_S, WRITE_S, POOL_S, TOTAL_S)
PURCHASE = http.Timeouts(CONNECT_S, READ_PURCHASE_S, WRITE_S, POOL_S, TOTAL_PURCHASE_S)


def outcome_of(said: object) -> str:
    """One word for the reader of the call log; of a bulk purchase the most worrying of its
    lines."""
    if isinstance(said, BulkResult):
        words = {outcome_of(line.result) for line in said.lines}
        return next(
            word for word in ("unknown", "not_sent", "refused", "ok") if word in words
        )
    if isinstance(said, Rejected):
        return "refused"
    if isinstance(said, NotSent):
        return "not_sent"
    if isinstance(said, Unknown):
        return "unknown"
    if isinstance(said, NoAnswer):
        return "no_answer"
    return "ok"
