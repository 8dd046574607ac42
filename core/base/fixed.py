"""Every limit, timeout and batch size that nobody sets by hand, written down once.

Each is named by the rule it serves; sources stand in docs/decisions.md. Leaves to others what the
numbers mean. Durations are in seconds and, where nothing else is said, scaled by who waits.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FixedLimits:
    """The numbers that the rules are built with; only tests say others."""

    open_wait_s: int = (
        # between further orders of a caller who has too many unprocessed ones; unscaled
        20
    )
    # same number and size within this asks again (product §4)
    repeat_window_s: int = 300
    job_timeout_s: int = 120  # an RQ job; longer than connect 10 + read 90
    # a worker busy longer than job_timeout + this is killed
    supervise_grace_s: int = 30
    # a claim's call may begin this long after the claim, never later
    send_lease_s: int = 100
    # the longest a purchase call may take, from connect to the last byte
    purchase_call_s: int = 110
    # the supplier may still charge this long after we hung up (contract §5)
    supplier_longest_s: int = 80
    # absence counts only this long after the claim: see `__post_init__`
    grace_s: int = 300
    absence_gap_s: int = 60  # between the two "not found" that prove absence
    max_unproven_resends: int = 1  # while supplier_dedupes is not proven
    # once it is: then a person, because the supplier contradicts itself
    max_proven_resends: int = 5
    # a balance read older than this is read again before a purchase
    balance_fresh_s: int = 60
    # an order over 10 % of the float reads the balance first
    large_order_bp: int = 1_000
    balance_break_gap_s: int = 60  # two reads this far apart make a difference a break
    rate_window_s: int = 60  # the supplier's window
    rate_calls: int = 50  # all our calls in a window (the supplier allows 60)
    rate_reserved_for_purchases: int = 20
    # the last calls of a window, which routine leaves to signed news
    rate_reserved_for_news: int = 10
    # look-ups that unverified rings may cause in a rate window
    ring_lookups_per_window: int = 10
    # an unverified ring never looks sooner than this after the last look-up
    ring_gap_s: int = 30
    breaker_unknowns: int = 5  # unknown answers in a row that open the breaker
    breaker_open_s: int = 60
    credentials_wait_s: int = 300  # after 401/403, before one purchase tries again
    low_float_wait_s: int = 60  # queued for float: looked at again after this
    watched_s: int = 100  # an open page that asks each minute counts so long as waiting
    watched_again_s: int = 30  # said again after this: not at each poll
    relay_round_s: float = 1.0
    relay_lease_s: int = 15  # a rung row is not rung again within this
    relay_batch: int = 50
    # What can be bought was looked at longer ago: nothing is promised; unscaled, as heartbeats are.
    unsure_s: int = 15
    # A shop's front page may be shown again for so long; unscaled. A price, a pause or a shop that
    # closes is seen by then everywhere.
    stored_page_s: float = 1.0
    # "Nothing new" may be said again to an order's page for so long; unscaled.
    stored_poll_s: float = 2.0
    unwatched_s: int = (
        # longer ago: nothing is sold, since whoever should send it seems to be away; unscaled
        60
    )
    slow_s: int = (
        # a call under way for this long has no answer so far, and another address is asked
        4
    )
    silent_s: int = (
        # no answer of the supplier for this long, at two of its addresses: buying stands still
        12
    )
    # the same at one purchase alone: workers may all hang at calls by then
    silent_purchase_s: int = 45
    # Told by the supplier to wait longer than this: buying stands still; unscaled, as its wait.
    long_rate_wait_s: int = 60
    probe_s: int = (
        # asked this often while it is away, or has said nothing while people look at a shop
        6
    )
    # a shop or review page that was shown counts for this long as looked at
    looked_s: int = 60
    looked_again_s: int = 5  # said again after this: not at each page
    queue_full: int = 200  # above this many jobs in RQ nothing is rung
    balance_every_s: int = 300  # the timed balance read
    catalogue_every_s: int = 3_600  # the timed catalogue sync
    estimates_every_s: int = 300  # how long deliveries take is counted anew
    no_estimate_s: int = 10_800  # an order without an estimate is overdue then
    # the timed proof of the books; twice this old, it is said to be overdue
    proof_every_s: int = 3_600
    # webhooks of one order that its timeline shows; the log keeps all
    webhook_lines: int = 20
    webhook_bytes: int = 64 * 1024
    # events of one order that are kept; genuine ones are three to five
    webhooks_kept_of_order: int = 100
    # events that name no order of ours, kept in an hour; the rest are counted
    strangers_kept_in_hour: int = 500
    stranger_bytes_in_hour: int = 2 * 1024 * 1024  # their bodies together
    webhook_keep_days: int = 30
    call_keep_days: int = 90
    form_bytes: int = 64 * 1024
    earnings_wait_s: int = 24 * 3_600  # from delivery until earnings may be paid out
    payout_fee_pesewas: int = 100  # the gateway's, for a payout to mobile money
    # a number that follows another gets nothing for so long: its people see the change first
    payout_pause_s: int = 72 * 3_600
    # a network that does not say whose number it is: asked again, then a person decides
    name_check_ladder_s: tuple[int, ...] = (30, 120, 600)
    # a payout is asked about so long after it was sent, then each time the last of them later
    payout_ladder_s: tuple[int, ...] = (15, 30, 60, 120, 300, 600, 1_800, 3_600)
    payout_absence_gap_s: int = 300  # between the two "not found" that prove absence
    payout_parked_s: int = 3_600  # the gateway takes no payout now: tried again
    payout_slow_s: int = 2 * 86_400  # on its way for so long: a person is asked
    # one that was paid is looked at once more so long after: networks give money back
    payout_watch_s: tuple[int, ...] = (86_400, 259_200, 604_800)
    gateway_every_s: int = 600  # the timed read of the gateway's balance
    gateway_break_gap_s: int = 600  # two reads outside, this far apart, stop payouts
    # until then a payment may not be in the gateway's balance: weekend and holiday
    settled_within_s: int = 5 * 86_400
    # an hour after midnight a day of Accra is compared with the gateway's lists
    gateway_day_after_s: int = 3_600
    gateway_days_back: int = 10  # days that are still compared anew, or caught up with
    gateway_days_every_s: int = 600  # an unfinished comparison goes on by itself
    gateway_day_slow_s: int = 21_600  # unread for so long: a person is asked
    # what was asked for so long before a day may have been paid on it; unscaled, as days are
    gateway_list_back_s: int = 3 * 86_400
    gateway_bytes: int = 256 * 1024  # a payment gateway's webhook
    # where its webhooks come from; what comes from elsewhere is as good when it is signed
    gateway_addresses: tuple[str, ...] = (
        "52.31.139.75",
        "52.49.173.169",
        "52.214.14.220",
    )
    # webhooks from there without a good signature are a trouble for so long
    gateway_unsigned_s: int = 600
    # A payment is looked up no sooner after its last look-up, however often it is rung.
    payment_ring_gap_s: int = 3
    payment_late_gap_s: int = 300  # the same of an attempt whose time is over
    # its page at the gateway is asked for again so long after the order
    payment_start_ladder_s: tuple[int, ...] = (2, 5, 10, 20, 40, 60, 120, 300, 600)
    # looked up so long after its beginning, until the order expires
    payment_ladder_s: tuple[int, ...] = (60, 180, 300, 600, 1_200)
    # the same after a phone was asked: its owner has three minutes
    payment_prompt_ladder_s: tuple[int, ...] = (
        10,
        20,
        30,
        45,
        60,
        90,
        120,
        150,
        185,
        240,
        300,
        600,
        1_200,
    )
    prompts_per_number_hour: int = 6  # that one phone gets through one store
    voucher_tries: int = 3  # codes for one prompt
    voucher_kept_s: int = 300  # a code that nobody could take to the gateway is gone
    # after its customer came back, or a webhook that the record did not bear out
    payment_rung_ladder_s: tuple[int, ...] = (
        3,
        6,
        10,
        15,
        20,
        30,
        60,
        90,
        120,
        150,
        180,
    )
    # after the order's end
    payment_watch_ladder_s: tuple[int, ...] = (3_600, 10_800, 43_200, 86_400, 259_200)
    payment_away_s: int = 15  # the gateway did not answer: asked again after this
    payment_refused_s: int = 60  # it refuses our key: asked again after this
    # a dispute is looked at this often at least; one that somebody has to look into, so often
    dispute_look_s: int = 21_600
    dispute_slow_s: int = 21_600
    dispute_after_due_s: int = 900  # and so long after its deadline
    dispute_absence_s: int = 300  # two "not found", so far apart, prove absence
    # one that is over and whose money is not seen to move: a person is asked after this
    dispute_odd_s: int = 3 * 86_400
    dispute_every_s: int = 86_400  # the gateway's list is read this often, so far back
    dispute_sweep_days: int = 30
    refund_absence_s: int = (
        60  # two looks at the gateway's list, so far apart, prove absence
    )
    refund_poor_s: int = 3_600  # no money there to refund from: tried again after this
    refund_slow_s: int = 21_600  # a refund under way is looked at this often at least
    # ten working days, which the gateway may take, and a holiday: then a person asks it
    refund_late_s: int = 1_382_400
    refund_done_ladder_s: tuple[int, ...] = (
        86_400,
        432_000,
        1_209_600,
    )  # it may come back
    payment_tries: int = 5  # attempts to pay for one order
    # A prompt may be on the phone for 180 s: no other one is begun until this is over.
    payment_again_s: int = 240
    upload_bytes: int = 1024 * 1024  # a file that an agent with a live log-in sends
    pasted_bytes: int = 256 * 1024  # two hundred messages that they paste
    uploads_at_once: int = 8  # in all web processes together
    # Of a page or one order of a selection that lost against another transaction; unscaled, as
    # locks are.
    db_tries: int = 5
    db_patience_s: float = 6.0  # no try begins later than this after the first
    # before the second try, about twice this; doubled each time
    db_pause_s: float = 0.01
    lock_read_s: float = (
        # the longest a page waits for a lock in PostgreSQL; these are unscaled, as locks are
        1.0
    )
    # a press of a person: what a store, the portal or the console was sent
    lock_press_s: float = 2.0
    lock_hook_s: float = 1.0  # a webhook, whose sender hangs up after 5 s
    lock_work_s: float = 5.0  # relay, workers and commands
    lock_crowd: int = (
        # requests of one process that may wait that long at once: half of its threads
        2
    )
    lock_crowded_read_s: float = (
        # a page beyond them, so that threads are left for others: it waits for tables alone
        0.2
    )
    # a press beyond them: two clicks on one order are no crowd
    lock_crowded_press_s: float = 0.4
    lock_last_s: float = (
        # what takes the last thread of a process: others queue behind it for that thread
        0.3
    )
    # the further orders of a selection, once one was waited for in vain
    lock_spent_s: float = 0.02
    page_size: int = 50
    process_many: int = 200  # orders in one bulk Process
    # at the console, and at the portal on a device that others use
    session_idle_s: int = 1_800
    fresh_s: int = (
        600  # after a person confirmed who they are: what is dear is not asked anew
    )
    invitation_s: int = 259_200  # a link into a store works for so long, once
    code_s: int = 600  # a code that was sent is good for so long; unscaled
    code_tries: int = 5  # wrong ones, then it is none
    code_gap_s: int = 60  # between two codes for one address
    codes_a_day: int = 5  # for one person and kind of address
    session_absolute_s: int = 43_200
    # a portal log-in on a person's own device lives no longer
    own_absolute_s: int = 604_800
    gone_gap_s: int = 600  # missing from two syncs this far apart hides a product
    lookup_ladder_s: tuple[int, ...] = (5, 15, 60, 300)  # unresolved submitting
    processing_ladder_s: tuple[int, ...] = (60, 120, 300, 600, 1_200, 1_800, 3_600)
    failed_ladder_s: tuple[int, ...] = (3_600,)
    completed_watch_s: int = 86_400  # looked at once more this long after completion
    refunded_ladder_s: tuple[int, ...] = (
        3_600,
        21_600,
        86_400,
    )  # the money went back: the supplier may yet deliver
    unknown_case_s: int = 86_400  # without a clear answer this long, a person is asked
    # accepted this long ago and not delivered: a person is asked
    never_fulfilled_case_s: int = 86_400
    # purchases in one call; fewer orders due are bought one by one
    bulk_lines: int = 10
    bulk_off_s: int = 3_600  # the supplier has no bulk endpoint: tried again after this
