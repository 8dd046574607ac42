"""The handlers that ask the gateway about payouts: whose a number is, one payout, its balance.

Decides what goes over the wire and which function of `core.payouts` an answer is for. A payout is
claimed before the call and closed after it, each in a transaction of its own; a worker that dies in
between leaves a row that is looked up.
"""

from __future__ import annotations

import time
from datetime import datetime

import structlog
from flask.globals import app_ctx

from core import payouts
from core.base import clock, config, phones, tenancy
from core.leases import Lease
from core.online import PayoutAccount
from core.payouts import accounts, sending
from core.payouts.sending import Step
from fulfilment.outcome import Outcome
from integrations.payment_shapes import (
    Holder,
    Holdings,
    NotFound,
    Recipient,
    RecipientRequest,
    Refused,
    Transfer,
    TransferRequest,
)
from integrations.payments_port import Payments
from integrations.ports import NoAnswer, NotSent, Supplier

log = structlog.get_logger("payouts")

BANKS = {"mtn": "MTN", "telecel": "VOD", "at": "ATL"}
"""How the gateway calls a network's wallets (its list of banks)."""
REASON = "Makola earnings"


def gateway() -> Payments | None:
    """The account that pays out; None where there is none."""
    found: Payments | None = app_ctx.app.extensions.get("payments")
    return found


def check_account(lease: Lease, _begun: None, _supplier: Supplier) -> Outcome:
    """Handler of `check_payout_account`: whose number it is, then its name at the gateway. A
    network that says nothing is no dead end: a person decides then."""
    found = accounts.to_check(lease.subject_id)
    wire = gateway()
    if found is None:
        return Outcome(None)
    if wire is None:
        return Outcome(clock.after(config.current().payout_parked_s))
    if not found.account_name:
        again = _name(found, wire)
        if again is not None:
            return Outcome(again)
    return Outcome(_recipient(found, wire))


def send(lease: Lease, _begun: None, _supplier: Supplier) -> Outcome:
    """Handler of `send_payout`: one call, or one look."""
    wire = gateway()
    if wire is None:
        return Outcome(clock.after(config.current().payout_parked_s))
    claimed = time.monotonic()
    step = sending.next_step(lease.subject_id)
    if step.act == "wait":
        return Outcome(step.due_at)
    if step.act == "look":
        return Outcome(_look(lease.subject_id, step, wire))
    return Outcome(_pay(lease.subject_id, step, wire, claimed))


def read_balance(_lease: Lease, _begun: None, _supplier: Supplier) -> Outcome:
    """Handler of `read_gateway`: its balance, beside what our books allow."""
    wire = gateway()
    if wire is None:
        return Outcome(None)
    said = wire.holdings()
    if not isinstance(said, Holdings):
        return Outcome(None, ok=False, text="The gateway did not say what it holds.")
    with tenancy.across_stores():
        fits = payouts.holdings.judge(said.balance_pesewas)
    if not fits:
        log.error("the gateway's balance is not that of our books")
    return Outcome(None, ok=fits)


def _pay(payout_id: int, step: Step, wire: Payments, claimed: float) -> datetime | None:
    lease_s = clock.seconds(config.current().send_lease_s)
    if time.monotonic() - claimed > lease_s:
        # frozen since the claim: by now another may have looked and proven it absent
        return sending.unclear(payout_id)
    said = wire.transfer(
        TransferRequest(
            step.reference, step.amount_pesewas, step.recipient_code, REASON
        )
    )
    if isinstance(said, Transfer):
        return sending.took(payout_id, said)
    if isinstance(said, Refused):
        due_at = sending.refused(payout_id, said.kind, said.message)
        if said.kind in sending.OUR_SIDE:
            with tenancy.across_stores():
                sending.tell_none_goes(said.code, said.message)
        return due_at
    if isinstance(said, NotSent):
        return sending.not_sent(payout_id)
    return sending.unclear(payout_id)


def _look(payout_id: int, step: Step, wire: Payments) -> datetime | None:
    said = wire.verify_transfer(step.reference)
    if isinstance(said, Transfer):
        return sending.looked(payout_id, said)
    if isinstance(said, NotFound):
        return sending.missing(payout_id)
    return sending.unclear(payout_id)


def _name(found: PayoutAccount, wire: Payments) -> datetime | None:
    """Ask whose number it is. Returns when to ask again; None when that is known, or was asked
    often enough."""
    said = wire.holder(phones.local(found.number), BANKS[found.network])
    if isinstance(said, Holder):
        accounts.heard(found.id, said.account_name)
        return None
    if isinstance(said, NoAnswer):
        return accounts.unheard(found.id)
    return None


def _recipient(found: PayoutAccount, wire: Payments) -> datetime | None:
    """The same number again is the same recipient, so an unclear answer is asked for anew."""
    said = wire.recipient(
        RecipientRequest(
            "mobile_money",
            found.account_name or found.person,
            phones.local(found.number),
            BANKS[found.network],
        )
    )
    if isinstance(said, Recipient):
        accounts.checked(found.id, said.code)
        return None
    if isinstance(said, Refused) and said.kind not in sending.OUR_SIDE:
        accounts.unpayable(found.id, f"The gateway does not pay there: {said.message}")
        return None
    return clock.after(config.current().name_check_ladder_s[-1])
