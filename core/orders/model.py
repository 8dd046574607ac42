"""An order: the row, its names, and what it alone can say about itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.audit import Kind
from core.base import clock, phones
from core.base.db import Model
from core.base.tenancy import StoreScoped
from core.catalog import size_text
from core.orders.states import FINAL, STATES, WORK, State, move_of


def _partial(name: str, where: str, *columns: str) -> Index:
    """An index of the rows of which `where` is true."""
    return Index(name, *columns, postgresql_where=text(where))


class Order(Model, StoreScoped):
    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("store_id", "id"),
        UniqueConstraint("store_id", "idempotency_key"),
        CheckConstraint(
            f"state IN ({', '.join(repr(state) for state in STATES)})", name="state"
        ),
        CheckConstraint(
            "cost_pesewas > 0 AND agent_price_pesewas > cost_pesewas "
            "AND (price_pesewas >= agent_price_pesewas OR repriced_at IS NOT NULL)",
            name="never_below_cost",
        ),
        CheckConstraint(
            "recipient_msisdn ~ '^\\+233([0-9]{9}|[0-9]{2}xxx[0-9]{4})$'",
            name="recipient",
        ),
        CheckConstraint(
            "strpos(recipient_msisdn, 'x') = 0 OR state IN"
            f" ({', '.join(repr(state) for state in sorted(FINAL))})",
            name="masked_when_over",
        ),
        Index("ix_orders_store_created", "store_id", "created_at"),
        _partial("ix_orders_ended", "final_at IS NOT NULL", "final_at"),
        Index("ix_orders_store_state", "store_id", "state", "id"),
        Index(
            "ix_orders_recipient",
            text("store_id, recipient_msisdn text_pattern_ops, created_at"),
        ),
        Index(
            "ix_orders_recipient_all",
            text("recipient_msisdn text_pattern_ops, created_at"),
        ),
        _partial(
            "ix_orders_open",
            "state IN ('pending', 'queued', 'submitting', 'processing', 'failed')",
            "state",
            "id",
        ),
        _partial("ix_orders_supplier_ref", "supplier_ref IS NOT NULL", "supplier_ref"),
        Index("ix_orders_created", "created_at"),
        _partial(
            "ix_orders_placed_device",
            "state IN ('pending', 'awaiting_payment') AND placed_device IS NOT NULL",
            "store_id",
            "placed_device",
            "id",
        ),
        _partial(
            "ix_orders_placed_address",
            "state IN ('pending', 'awaiting_payment') AND placed_address IS NOT NULL",
            "store_id",
            "placed_address",
            "id",
        ),
        Index(
            "ix_orders_pending_since",
            text("coalesce(pending_since, created_at)"),
            postgresql_where=text("state = 'pending' AND NOT ever_unknown"),
        ),
        _partial(
            "ix_orders_paid_in_line",
            "paid_online AND state = 'queued' AND wait_reason IS NOT NULL",
            "queued_at",
        ),
        _partial("ix_orders_awaiting", "state = 'awaiting_payment'", "created_at"),
        _partial("ix_orders_release", "release_at IS NOT NULL", "store_id"),
        _partial(
            "ix_orders_done", "final_at IS NOT NULL", "store_id", "final_at", "id"
        ),
        _partial(
            "ix_orders_give_back",
            "given_back_at IS NULL AND NOT paid_online AND (state = 'refunded' OR (state IN"
            " ('cancelled', 'expired') AND (queued_at IS NOT NULL OR confirmed_at IS NOT NULL"
            " OR told_at IS NOT NULL)))",
            "store_id",
            "id",
        ),
        _partial(
            "ix_orders_whole_number",
            "final_at IS NOT NULL AND strpos(recipient_msisdn, 'x') = 0",
            "final_at",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    order_ref: Mapped[str] = mapped_column(unique=True)
    pay_code: Mapped[str | None]
    """What the customer types as the reference of the payment: see `pay_codes`."""
    idempotency_key: Mapped[str]
    source: Mapped[str] = mapped_column(default="store")
    is_test: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    test_ending: Mapped[str | None]
    """It moves no money and reaches no supplier, and how it ends: see `real` and `testing`."""
    customer_name: Mapped[str] = mapped_column(default="")

    recipient_msisdn: Mapped[str]
    """Whole, or masked for ever like `+23324xxx4567` once the order is over: see `forgetting`."""
    network: Mapped[str]
    mb: Mapped[int]
    validity: Mapped[str]
    bundle_id: Mapped[int] = mapped_column(ForeignKey("bundles.id"))
    product_name: Mapped[str]
    capacity: Mapped[str]

    paid_online: Mapped[bool] = mapped_column(
        default=False, server_default=text("false")
    )
    """Whether its customer pays online, and not the agent: set at its placing, kept for ever."""
    price_pesewas: Mapped[int]
    agent_price_pesewas: Mapped[int]
    cost_pesewas: Mapped[int]
    repriced_at: Mapped[datetime | None]
    """The agent processed it at a later agent price than that of its placing."""
    charged_pesewas: Mapped[int | None]
    """What the supplier said it took; None while it has not named an amount."""

    state: Mapped[State] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    wait_reason: Mapped[str | None]
    next_look_at: Mapped[datetime | None]
    attempt: Mapped[int] = mapped_column(default=0)
    claimed_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    """The claim's worker may begin its call only before this; what it goes by is its own steady
    clock."""
    unknown_since: Mapped[datetime | None]
    ever_unknown: Mapped[bool] = mapped_column(default=False)
    absent_since: Mapped[datetime | None]
    """The first well-formed "not found" after grace; a second one `absence_gap_s` later proves
    absence."""
    steady_marks: Mapped[dict[str, dict[str, float]]] = mapped_column(
        JSONB, default=dict, server_default="{}"
    )
    """For each boot of a machine that saw them, by its steady clock: when it was `claimed` and
    first seen `absent`."""
    resends: Mapped[int] = mapped_column(default=0)
    lookups_gone: Mapped[int] = mapped_column(default=0)
    looked_at: Mapped[datetime | None]

    supplier_ref: Mapped[str | None]
    supplier_status: Mapped[str | None]
    failure_reason: Mapped[str | None]

    placed_device: Mapped[str | None]
    placed_address: Mapped[str | None]
    """Keyed hashes of who placed it (`crowding`), while it is *pending*."""

    release_at: Mapped[datetime | None]
    """Pressed, and goes at this moment unless it is undone: see `pressing`. Only while
    *pending*."""
    release_by: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    release_refused: Mapped[str | None]
    """Why the last press could not be carried out, until the next one."""
    confirmed_at: Mapped[datetime | None]
    """When somebody of the store said, by pressing Process or by a payment message that was matched
    with it, that the payment is there."""
    told_at: Mapped[datetime | None]
    """When the customer last said "I have paid": when, from whom, and the transaction, as they
    say. See `telling`."""
    told_paid_at: Mapped[datetime | None]
    told_payer: Mapped[str | None]
    told_transaction: Mapped[str | None]
    told_first_at: Mapped[datetime | None]
    not_found_at: Mapped[datetime | None]
    """When the agent last said that the payment is not there."""
    missing_since: Mapped[datetime | None]
    """When the customer said that the data has not come; None once that is answered. See
    `not_received`."""
    owner_asked_at: Mapped[datetime | None]
    """When the platform's owner was asked, because the store did not answer the customer."""
    estimate_minutes: Mapped[int | None]
    """The estimate of its network when it was first *queued*, if there was one: see `estimates`."""
    given_back_at: Mapped[datetime | None]
    """When the agent said that the customer has the price back, or that nothing is owed; by whom,
    and how."""
    given_back_by: Mapped[str | None]
    given_back_how: Mapped[str | None]

    aside: Mapped[str | None]
    """Why nobody may process it now, a key of `marking.REASONS`; what the store's people note for
    one another; who says that they are on it, and since when. See `marking`."""
    note: Mapped[str | None]
    taken_by: Mapped[str | None]
    taken_at: Mapped[datetime | None]

    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    pending_since: Mapped[datetime | None]
    """From when its day counts; moved when the wall clock is set. None: `created_at`."""
    queued_at: Mapped[datetime | None]
    submitted_at: Mapped[datetime | None]
    processing_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    failed_since: Mapped[datetime | None]
    final_at: Mapped[datetime | None]

    def watch_claim_here(self) -> None:
        """A claim of another machine, or from before a restart: by this steady clock its time
        counts from now on."""
        if self.state == "submitting" and clock.boot() not in self.steady_marks:
            self.steady_marks = {
                **self.steady_marks,
                clock.boot(): {"claimed": clock.steady_s()},
            }

    @property
    def is_waiting(self) -> bool:
        """Whether it may still have to wait for what it is bought from."""
        return self.state in ("pending", "queued")

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def was_processed(self) -> bool:
        """Whether it went in line and was not cancelled there: a second Process finds it done."""
        return self.state in WORK or self.state in ("completed", "refunded")

    @property
    def may_be_rechecked(self) -> bool:
        """Whether the supplier may be asked about it because somebody wants to know."""
        return self.was_processed and not self.is_test

    @property
    def is_at_supplier(self) -> bool:
        """Whether news of it is awaited: sent, perhaps sent, or watched after a failure."""
        return self.state in WORK and self.state != "queued"

    def may_be_cancelled_by(self, kind: Kind) -> bool:
        """Whether somebody of this kind may cancel it: a customer not what is in line."""
        in_time = move_of(self.state, "cancelled") is not None
        return in_time and (kind != "customer" or self.state != "queued")

    @property
    def is_masked(self) -> bool:
        """Whether its number is not known any more."""
        return phones.is_masked(self.recipient_msisdn)

    @property
    def in_doubt(self) -> bool:
        """Restored from a backup as *pending*: it may have been bought since, so it is asked about
        before anything."""
        return self.ever_unknown and self.attempt == 0

    @property
    def owes_back(self) -> bool:
        """Whether it was paid for in somebody's eyes and not delivered: see `giving_back`."""
        is_left = self.state in ("cancelled", "expired") and bool(
            self.queued_at or self.confirmed_at or self.told_at
        )
        if (
            self.is_test or self.paid_online
        ):  # what was paid online goes back by the books
            return False
        return self.state == "refunded" or is_left

    @property
    def profit_pesewas(self) -> int:
        """Price less agent price, in pesewas; what was paid to the agent is outside the books."""
        return self.price_pesewas - self.agent_price_pesewas

    @property
    def shown_code(self) -> str:
        """`K7QM2XR94T` -> `K7QM-2XR9-4T`."""
        return f"{self.code[:4]}-{self.code[4:8]}-{self.code[8:]}"

    @property
    def size_text(self) -> str:
        return size_text(self.mb)

    @property
    def bundle_text(self) -> str:
        """`MTN 5 GB`."""
        return f"{phones.NETWORKS[self.network].name} {size_text(self.mb)}"

    @property
    def network_mismatch(self) -> bool:
        """Whether the number's prefix hints at another network than the bundle's."""
        hint = phones.network_of(self.recipient_msisdn)
        return hint is not None and hint != self.network
