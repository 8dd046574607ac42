"""Online payments in the books: the rows that the accounts are the sums of, and one function for
each kind of posting that hangs on a payment, a refund, a payout or a dispute.

`attempts` asks for a payment, `accepting` judges what the gateway says of it. `model` and
`paid_to` are the tables, `standing` says what is owed of a payment, `paying_in` takes money,
`of_orders` moves it with an order, `paying_back`, `paying_out` and `taken_back` give it away,
`switch` says whether any of it is on. Who calls them, and when, is decided above. A payment's row
is locked by its caller (`locked_payment`), after its order's.
"""

from core.online.accepting import Asked, Verdict, Verified, judge
from core.online.attempts import (
    OPEN,
    Attempt,
    ask,
    attempt,
    by_reference,
    expires_at,
    floor_of,
    is_configured,
    next_look,
    of_order,
    ring,
)
from core.online.model import Dispute, GatewayRefund, OnlinePayment, Payout, Unfit
from core.online.of_orders import (
    capture,
    fee_to_agent,
    give_back,
    hold,
    owe_of_order,
    release,
)
from core.online.paid_to import PayoutAccount, PayoutSchedule
from core.online.paying_back import (
    ask_refund,
    is_disputed,
    refund_by_transfer,
    refund_done,
    refund_returned,
)
from core.online.paying_in import (
    fee_found,
    fulfil_late,
    fund,
    owe,
    pay_in,
    settlement,
    top_up,
)
from core.online.paying_out import (
    payable,
    payout_paid,
    payout_returned,
    payout_reversed,
    request_payout,
)
from core.online.refund_lists import is_refunded_by_us
from core.online.standing import due, locked, locked_payment, paying
from core.online.stopped import stop_payouts
from core.online.switch import (
    is_on,
    platform_is_on,
    switch_platform,
    switch_store,
)
from core.online.taken_back import fund_reversed, loss_of, loss_to_agent, reverse

__all__ = [
    "OPEN",
    "Asked",
    "Attempt",
    "Dispute",
    "GatewayRefund",
    "OnlinePayment",
    "Payout",
    "PayoutAccount",
    "PayoutSchedule",
    "Unfit",
    "Verdict",
    "Verified",
    "ask",
    "ask_refund",
    "attempt",
    "by_reference",
    "capture",
    "due",
    "expires_at",
    "fee_found",
    "fee_to_agent",
    "floor_of",
    "fulfil_late",
    "fund",
    "fund_reversed",
    "give_back",
    "hold",
    "is_configured",
    "is_disputed",
    "is_on",
    "is_refunded_by_us",
    "judge",
    "locked",
    "locked_payment",
    "loss_of",
    "loss_to_agent",
    "next_look",
    "of_order",
    "owe",
    "owe_of_order",
    "pay_in",
    "payable",
    "paying",
    "payout_paid",
    "payout_returned",
    "payout_reversed",
    "platform_is_on",
    "refund_by_transfer",
    "refund_done",
    "refund_returned",
    "release",
    "request_payout",
    "reverse",
    "ring",
    "settlement",
    "stop_payouts",
    "switch_platform",
    "switch_store",
    "top_up",
]
