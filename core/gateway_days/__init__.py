"""Each day of Accra three ways: our online payments, the gateway's own list, what it settled.

`running` goes through a day step by step, `lines` keeps what is read, `settlements` books what went
to the bank, `differing` what that lacks of ours, `comparing` judges one payment (pure), `causes` is
the table of why one does not fit, `tallying` counts, `ringing` has payments looked at, `asking`
opens cases, `listing` is what pages show, `exporting` what files do.
"""

from core.gateway_days.asking import tell_too_long
from core.gateway_days.causes import CAUSES, Cause
from core.gateway_days.lines import ABSENT, Listed, ListedSettlement
from core.gateway_days.running import (
    WORK,
    NotYet,
    Step,
    ask_anew,
    is_any,
    next_step,
    plan,
    put_off_inside,
    took_inside,
    took_payments,
    took_settlements,
)

__all__ = [
    "ABSENT",
    "CAUSES",
    "WORK",
    "Cause",
    "Listed",
    "ListedSettlement",
    "NotYet",
    "Step",
    "ask_anew",
    "is_any",
    "next_step",
    "plan",
    "put_off_inside",
    "tell_too_long",
    "took_inside",
    "took_payments",
    "took_settlements",
]
