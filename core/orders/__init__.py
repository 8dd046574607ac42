"""Orders: the row (`model`) and its code (`codes`), the state table (`states`), what is about to
become one (`drafting`), taking them (`placing`) and how many of one caller (`crowding`), what an
order is bought from (`sourcing`), the agent's acts on one order (`releasing`, `repricing`, with a
moment to undo `pressing`) or a selection (`selecting`), what nobody processed (`expiring`),
forgetting customers' numbers (`forgetting`), the claim before a purchase (`claiming`), the proof
that it was never made (`absence`) and what follows (`resending`), every later move (`advancing`,
`booking`), the supplier's money seen to come back (`returning`), who goes first when money is short
(`waiting`), what a person settles (`by_hand`), what a restored backup makes doubtful (`restoring`),
the timeline, the customer's own money (`giving_back`) and what customers tell: that they have paid
(`telling`, found by `pay_codes`), that nothing came (`not_received`), and that nobody answers
(`unanswered`), when an order should be there (`estimates`), what a store's people mark (`marking`,
on hold `asides`), what a store owes (`debts`), orders that are played without money (`testing`,
left out by `real`), the queue's tabs (`tabs`) and filters (`filtering`), what pages read
(`reading`, `held_up`, `listing`, `receipts`, `polling`) and find (`searching`). Callers say
`orders.place`.
"""

from core.orders import (
    debts,
    estimates,
    giving_back,
    held_up,
    not_received,
    pay_codes,
    paying,
    receipts,
    telling,
    testing,
)
from core.orders.absence import (
    absence_counts_at,
    forget_absence,
    has_twin,
    note_absent,
)
from core.orders.advancing import (
    advance,
    by_id,
    locked,
    mark_unknown,
    note_look,
    note_next,
    raise_case,
    ring,
    wait,
)
from core.orders.booking import News
from core.orders.claiming import Claim, claim_test, claim_together, ready_to_buy
from core.orders.codes import (
    LONGEST_PASTED,
    codes_in,
    new_code,
    new_order_ref,
    new_test_ref,
    read_code,
    read_order_ref,
)
from core.orders.crowding import Caller
from core.orders.drafting import OrderDraft, draft, draft_of, drafted_at, prune_unplaced
from core.orders.events import OrderEvent
from core.orders.expiring import end_unbuyable, expire_pending
from core.orders.forgetting import (
    Forgotten,
    forget_number,
    forget_old,
    forget_own,
)
from core.orders.model import Order
from core.orders.placing import Placed, Review, check, place, working
from core.orders.polling import next_poll_s
from core.orders.pressing import (
    free_pesewas,
    goes_in_s,
    going_pesewas,
    let_go,
    press_mark,
    process,
    undo,
)
from core.orders.reading import Words, agent_look, agent_words, customer_words
from core.orders.refusals import (
    Blocked,
    BundleUnavailable,
    CostAbovePrice,
    InsufficientWallet,
    LossNotAccepted,
    NetworkPaused,
    NoSuchOrder,
    NotBuyable,
    NotListed,
    NotPaidOnline,
    OrderRefused,
    Over,
    PriceChanged,
    RepeatAsked,
    SalesPaused,
    StalePrice,
    StoreClosed,
    TooManyOpen,
    TooManyOrders,
    WrongState,
)
from core.orders.releasing import cancel, release, request_look
from core.orders.repricing import price_now, process_at
from core.orders.resending import buy_other, renew_reference, requeue_absent
from core.orders.restoring import ask_first, note_restore
from core.orders.returning import book_money_back, lock_for_money_back, lock_questions
from core.orders.search_ways import LOOKED_THROUGH
from core.orders.searching import by_code, by_codes, by_ids, find_any, with_proof
from core.orders.selecting import (
    RowResult,
    cancel_many,
    process_many,
    release_many,
    undo_many,
)
from core.orders.sourcing import find, wording
from core.orders.states import (
    AGENT_ICONS,
    AGENT_LABELS,
    FINAL,
    LOOKS,
    STATES,
    TRANSITIONS,
    WAIT_TEXT,
    WORK,
    Look,
    State,
)
from core.orders.tabs import (
    TABS,
    Page,
    newer_than,
    search,
    tab_counts,
    tab_of,
)
from core.orders.timeline import Moment, timeline
from core.orders.unanswered import ask_owner, person_words
from core.orders.waiting import (
    SOME_WAIT_FOR_FLOAT,
    due_turns,
    let_older_go_first,
    wait_for_turn,
    waiting_for_float,
    wake,
    whose_turn,
)
from core.orders.wanting import wanted_at
from core.orders.watching import look, watch

__all__ = [
    "AGENT_ICONS",
    "AGENT_LABELS",
    "FINAL",
    "LONGEST_PASTED",
    "LOOKED_THROUGH",
    "LOOKS",
    "SOME_WAIT_FOR_FLOAT",
    "STATES",
    "TABS",
    "TRANSITIONS",
    "WAIT_TEXT",
    "WORK",
    "Blocked",
    "BundleUnavailable",
    "Caller",
    "Claim",
    "CostAbovePrice",
    "Forgotten",
    "InsufficientWallet",
    "Look",
    "LossNotAccepted",
    "Moment",
    "NetworkPaused",
    "News",
    "NoSuchOrder",
    "NotBuyable",
    "NotListed",
    "NotPaidOnline",
    "Order",
    "OrderDraft",
    "OrderEvent",
    "OrderRefused",
    "Over",
    "Page",
    "Placed",
    "PriceChanged",
    "RepeatAsked",
    "Review",
    "RowResult",
    "SalesPaused",
    "StalePrice",
    "State",
    "StoreClosed",
    "TooManyOpen",
    "TooManyOrders",
    "Words",
    "WrongState",
    "absence_counts_at",
    "advance",
    "agent_look",
    "agent_words",
    "ask_first",
    "ask_owner",
    "book_money_back",
    "buy_other",
    "by_code",
    "by_codes",
    "by_id",
    "by_ids",
    "cancel",
    "cancel_many",
    "check",
    "claim_test",
    "claim_together",
    "codes_in",
    "customer_words",
    "debts",
    "draft",
    "draft_of",
    "drafted_at",
    "due_turns",
    "end_unbuyable",
    "estimates",
    "expire_pending",
    "find",
    "find_any",
    "forget_absence",
    "forget_number",
    "forget_old",
    "forget_own",
    "free_pesewas",
    "giving_back",
    "goes_in_s",
    "going_pesewas",
    "has_twin",
    "held_up",
    "let_go",
    "let_older_go_first",
    "lock_for_money_back",
    "lock_questions",
    "locked",
    "look",
    "mark_unknown",
    "new_code",
    "new_order_ref",
    "new_test_ref",
    "newer_than",
    "next_poll_s",
    "not_received",
    "note_absent",
    "note_look",
    "note_next",
    "note_restore",
    "pay_codes",
    "paying",
    "person_words",
    "place",
    "press_mark",
    "price_now",
    "process",
    "process_at",
    "process_many",
    "prune_unplaced",
    "raise_case",
    "read_code",
    "read_order_ref",
    "ready_to_buy",
    "receipts",
    "release",
    "release_many",
    "renew_reference",
    "request_look",
    "requeue_absent",
    "ring",
    "search",
    "tab_counts",
    "tab_of",
    "telling",
    "testing",
    "timeline",
    "undo",
    "undo_many",
    "wait",
    "wait_for_turn",
    "waiting_for_float",
    "wake",
    "wanted_at",
    "watch",
    "whose_turn",
    "with_proof",
    "wording",
    "working",
]
