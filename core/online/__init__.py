"""Online payments in the books: the rows that the accounts are the sums of, and one function for
each kind of posting that hangs on a payment, a refund, a payout or a dispute.

`attempts` asks for a payment, `prompts` on a phone, `accepting` judges what the gateway says of it.
`model` and `paid_to` are the tables, `standing` says what is owed of a payment, `paying_in` takes
money, `of_orders` moves it with an order, `paying_back`, `paying_out` and `taken_back` give it
away, `wallet_debts` is what a store owes of a funding that was taken back, `switch` says whether
any of it is on, `cards` whether a card may pay. Who calls them, and when, is decided above. A
payment's row is locked by its caller (`locked_payment`), after its order's.
"""

from core.online import prompts
from core.online.accepting import Asked, Verdict, Verified, judge
from core.online.attempts import (
    OPEN,
    Attempt,
    Payer,
    ask,
    ask_for_wallet,
    attempt,
    by_reference,
    expires_at,
    fee_of,
    floor_of,
    is_configured,
    next_look,
    of_order,
    of_wallet,
    ring,
    ring_at,
)
from core.online.cards import (
    CARD,
    BadLimit,
    daily_limit_pesewas,
    offer,
    set_daily_limit,
)
from core.online.model import (
    TAKEN_BACK,
    Dispute,
    GatewayRefund,
    OnlinePayment,
    Payout,
    Unfit,
)
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
    gateway_difference,
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
from core.online.standing import due, left, locked, locked_payment, paying
from core.online.stopped import stop_payouts
from core.online.switch import (
    is_on,
    platform_is_on,
    switch_platform,
    switch_store,
)
from core.online.taken_back import (
    bear_at_delivery,
    fund_reversed,
    left_of_funding,
    loss_of,
    loss_to_agent,
    reverse,
    take_disputed_funding,
    take_funding_back,
    take_payment_back,
    taken_of,
    unbooked_of_funding,
)
from core.online.wallet_debts import fund_wallet

__all__ = [
    "CARD",
    "OPEN",
    "TAKEN_BACK",
    "Asked",
    "Attempt",
    "BadLimit",
    "Dispute",
    "GatewayRefund",
    "OnlinePayment",
    "Payer",
    "Payout",
    "PayoutAccount",
    "PayoutSchedule",
    "Unfit",
    "Verdict",
    "Verified",
    "ask",
    "ask_for_wallet",
    "ask_refund",
    "attempt",
    "bear_at_delivery",
    "by_reference",
    "capture",
    "daily_limit_pesewas",
    "due",
    "expires_at",
    "fee_found",
    "fee_of",
    "fee_to_agent",
    "floor_of",
    "fulfil_late",
    "fund",
    "fund_reversed",
    "fund_wallet",
    "gateway_difference",
    "give_back",
    "hold",
    "is_configured",
    "is_disputed",
    "is_on",
    "is_refunded_by_us",
    "judge",
    "left",
    "left_of_funding",
    "locked",
    "locked_payment",
    "loss_of",
    "loss_to_agent",
    "next_look",
    "of_order",
    "of_wallet",
    "offer",
    "owe",
    "owe_of_order",
    "pay_in",
    "payable",
    "paying",
    "payout_paid",
    "payout_returned",
    "payout_reversed",
    "platform_is_on",
    "prompts",
    "refund_by_transfer",
    "refund_done",
    "refund_returned",
    "release",
    "request_payout",
    "reverse",
    "ring",
    "ring_at",
    "set_daily_limit",
    "settlement",
    "stop_payouts",
    "switch_platform",
    "switch_store",
    "take_disputed_funding",
    "take_funding_back",
    "take_payment_back",
    "taken_of",
    "top_up",
    "unbooked_of_funding",
]
