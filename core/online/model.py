"""The rows of online payments. Amounts are in pesewas.

What may be written at all is said by the tables: migration 0033 has the states, one open attempt an
order, one open refund a payment, no more back than was paid, one open payout a store.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model
from core.base.refusal import Refusal
from core.base.tenancy import StoreScoped

MOST_ID = 2**63 - 1
"""The gateway's numbers have 64 bits without a sign; a larger one is not kept."""
OPEN_PAYOUT = ("requested", "approved", "submitting", "needs_owner", "in_transit")
OPEN_REFUND = ("requested", "submitting", "open", "needs_details")
OPEN_DISPUTE = ("heard", "needs_answer", "answering", "sent")
"""While one of these stands nothing of its payment is refunded."""
MOST_ID = 2**63 - 1
"""The gateway's numbers have 64 bits without a sign; a larger one is not kept."""

TAKEN_BACK = ("payment_disputed", "payment_reversed")
"""Cases of a payment that somebody at the gateway takes back, or may."""


class Unfit(Refusal):
    """A posting that does not fit what is there. `sentence` says why, and what would."""


class PricedOrder(Protocol):
    """What is asked here of an order that is paid online."""

    id: int
    store_id: int
    code: str
    state: Any
    paid_online: bool
    price_pesewas: int
    agent_price_pesewas: int


class OnlinePayment(Model, StoreScoped):
    """One attempt to pay, for an order or into a wallet, with a reference of its own."""

    __tablename__ = "online_payments"
    __table_args__ = (
        UniqueConstraint("store_id", "id"),
        ForeignKeyConstraint(
            ["store_id", "order_id"], ["orders.store_id", "orders.id"]
        ),
        ForeignKeyConstraint(
            ["store_id", "pays_order_id"], ["orders.store_id", "orders.id"]
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    """`order` or `wallet`."""
    order_id: Mapped[int | None]
    """The order it was asked for."""
    pays_order_id: Mapped[int | None]
    """The order it pays: that one, when it came in time and whole, or the new one of a late
    payment. Each order is paid by one."""
    reference: Mapped[str] = mapped_column(unique=True)
    mode: Mapped[str]
    """`live` or `test`, of the gateway's keys."""
    amount_pesewas: Mapped[int]
    """What was asked."""
    # by the database alone: the stores' role may not write it
    state: Mapped[str] = mapped_column(server_default="asked")
    """*asked* → *open* (it has an address to pay at, or its phone was asked) → *paid*, *failed*,
    *refused* (other currency or mode), or *watched* after its order's end and then *ended*. A late
    success still makes it *paid*."""
    charged_pesewas: Mapped[int | None]
    fees_pesewas: Mapped[int | None]
    """What the gateway kept; None until it says so."""
    owed_pesewas: Mapped[int] = mapped_column(server_default=text("0"))
    """What was owed back of it by a posting of its own; that of its order's end is not in it."""
    agent_fee_pesewas: Mapped[int | None]
    """What of its fee the agent has borne: at delivery, or by cancelling."""
    funded_at: Mapped[datetime | None]
    """When it went into the wallet."""
    gateway_id: Mapped[int | None]
    channel: Mapped[str | None]
    # by the platform alone, once it is opened
    by_card_too: Mapped[bool] = mapped_column(server_default=text("false"))
    access_code: Mapped[str | None]
    authorization_url: Mapped[str | None]
    way: Mapped[str] = mapped_column(server_default="page")
    """`page`: the hosted one; `prompt`: one on a phone, asked for by ourselves."""
    payer_number: Mapped[str | None]
    """The phone that is asked: whole until it was, then masked for ever."""
    payer_network: Mapped[str | None]
    payer_key: Mapped[str | None]
    """A keyed hash of the number, by which prompts to one phone are counted."""
    prompted_at: Mapped[datetime | None]
    """When the call was claimed that asks the phone. Set: it may have been made, and is never made
    again under this reference."""
    prompt_step: Mapped[str | None]
    """What the phone's owner is to do: a `prompts.Step`."""
    prompt_words: Mapped[str | None]
    """What the network wants to be said to them."""
    voucher: Mapped[str | None]
    """A code for the network, from its typing until it is taken to be sent."""
    voucher_at: Mapped[datetime | None]
    voucher_tries: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    opened_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    """When the gateway said that it failed, or opened none; it may have been paid since."""

    @property
    def subject(self) -> str:
        return f"payment:{self.id}"

    @property
    def is_used(self) -> bool:
        """Whether it pays an order or went into the wallet."""
        return self.pays_order_id is not None or self.funded_at is not None

    @property
    def worth_pesewas(self) -> int:
        """X: what the customer or agent has of it, the price asked when it was taken, else all."""
        in_time = self.pays_order_id is not None and self.pays_order_id == self.order_id
        if in_time or self.funded_at is not None:
            return self.amount_pesewas
        return self.charged_pesewas or 0

    @property
    def fee_pesewas(self) -> int:
        """F: what of that does not reach us, as far as it is known."""
        got = (self.charged_pesewas or 0) - (self.fees_pesewas or 0)
        return self.worth_pesewas - got


class GatewayRefund(Model, StoreScoped):
    """Money on its way back to who paid, with a life of its own."""

    __tablename__ = "gateway_refunds"
    __table_args__ = (
        UniqueConstraint("payment_id", "n"),
        ForeignKeyConstraint(
            ["store_id", "payment_id"],
            ["online_payments.store_id", "online_payments.id"],
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    payment_id: Mapped[int]
    n: Mapped[int]
    amount_pesewas: Mapped[int]
    fee_pesewas: Mapped[int] = mapped_column(default=0)
    """Of a transfer; borne by us."""
    way: Mapped[str] = mapped_column(default="gateway")
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(default="requested")
    gateway_refund_id: Mapped[int | None]
    absent_at: Mapped[datetime | None]
    """When the gateway's list first did not have it, after it may have been sent."""
    to_number: Mapped[str | None]
    to_network: Mapped[str | None]
    """Where the payer wants it, of one that could not reach the account they paid from."""
    is_adopted: Mapped[bool] = mapped_column(server_default=text("false"))
    """Somebody ordered it at the gateway itself, and a person of ours has counted it as ours."""
    asked_by: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @property
    def subject(self) -> str:
        return f"refund:{self.id}"


class Payout(Model, StoreScoped):
    """Earnings on their way to the agent."""

    __tablename__ = "payouts"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    amount_pesewas: Mapped[int]
    fee_pesewas: Mapped[int]
    way: Mapped[str]
    fee_is_ours: Mapped[bool] = mapped_column(default=False)
    """The fee of one that came back is the platform's loss, not the agent's."""
    state: Mapped[str] = mapped_column(default="requested")
    account: Mapped[str]
    account_name: Mapped[str]
    recipient_code: Mapped[str | None]
    transfer_code: Mapped[str | None]
    requested_by: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(default=clock.now)
    asked_as: Mapped[str] = mapped_column(default="now")
    """`now` by a person, or `weekly` by itself."""
    account_id: Mapped[int | None]
    payable_pesewas: Mapped[int] = mapped_column(default=0)
    """What could be paid out when it was asked for."""
    earned_until: Mapped[datetime | None]
    """Deliveries up to then are in it."""
    needs_two: Mapped[bool] = mapped_column(default=False)
    """Two people of the platform approve it; the database holds them to be two."""
    first_by: Mapped[str | None]
    first_id: Mapped[int | None]
    first_at: Mapped[datetime | None]
    approved_by: Mapped[str | None]
    approved_id: Mapped[int | None]
    approved_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    """When the last call that asks for it was claimed."""
    missing_since: Mapped[datetime | None]
    """Since when the gateway says that it does not know the reference."""
    paid_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    words: Mapped[str] = mapped_column(default="")

    @property
    def subject(self) -> str:
        return f"payout:{self.id}"

    @property
    def whole_pesewas(self) -> int:
        """With its fee."""
        return self.amount_pesewas + self.fee_pesewas


class Dispute(Model, StoreScoped):
    """A payer, or somebody at the gateway, takes a payment back."""

    __tablename__ = "disputes"
    __table_args__ = (
        UniqueConstraint("store_id", "id"),
        ForeignKeyConstraint(
            ["store_id", "payment_id"],
            ["online_payments.store_id", "online_payments.id"],
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    payment_id: Mapped[int]
    gateway_id: Mapped[int | None]
    """None: no dispute of the gateway's, but a refund that we did not order."""
    amount_pesewas: Mapped[int]
    taken_pesewas: Mapped[int] = mapped_column(default=0)
    """What the gateway took, once it did."""
    owed_pesewas: Mapped[int] = mapped_column(server_default=text("0"))
    """Of a funding: what the store has still to give for it (`wallet_debts`)."""
    borne_pesewas: Mapped[int] = mapped_column(server_default=text("0"))
    """Of a funding: what we bear of it, by a person's word."""
    category: Mapped[str]
    state: Mapped[str] = mapped_column(default="needs_answer")
    """*heard* (signed news, the gateway not asked yet) → *needs_answer* → *answering* (a person
    has said what) → *sent* (contested, the bank decides) → *won* or *lost*; or *accepted* by us,
    or *auto_accepted* by the gateway because nobody answered. *unknown*: it knows no such one."""
    due_at: Mapped[datetime | None]
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, deferred=True)
    """What was sent to contest it, as it was then."""
    made_at: Mapped[datetime] = mapped_column(default=clock.now)
    ended_at: Mapped[datetime | None]
    raw_status: Mapped[str] = mapped_column(default="")
    resolution: Mapped[str] = mapped_column(default="")
    """The gateway's own words."""
    opened_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    heard_at: Mapped[datetime | None]
    """When the gateway last said how it stands."""
    missing_since: Mapped[datetime | None]
    word_holds: Mapped[bool] = mapped_column(server_default=text("false"))
    """A person says that the gateway's word holds, though its figures do not fit ours."""
    disowned: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What the gateway said of it when a person called it nothing of ours."""
    reminded: Mapped[int] = mapped_column(default=0)
    """How many reminders were given."""
    timeline: Mapped[list[dict[str, str]]] = mapped_column(
        JSONB, default=list, deferred=True
    )

    @property
    def subject(self) -> str:
        return f"dispute:{self.id}"
