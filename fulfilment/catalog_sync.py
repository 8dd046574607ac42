"""Asking the supplier what it sells, and handing the list to the catalogue; also what purchases
tell about it."""

from __future__ import annotations

from datetime import timedelta

from core import catalog, orders, outbox
from core.audit import SYSTEM
from core.base import clock, tenancy
from core.base.db import after_commit, end_read
from core.leases import Lease
from core.orders import Order
from core.supplier import supply
from core.supplier.supply import SUPPLIER
from fulfilment.buying import supplier_link
from fulfilment.outcome import Outcome
from integrations.ports import NoAnswer, Supplier


def sync(_lease: Lease, _begun: None, supplier: Supplier) -> Outcome:
    """Handler of `sync_catalogue`: read the supplier's list and apply it. A failed or empty list
    changes nothing."""
    pause = supply.take_call("other")
    if pause:
        return Outcome(clock.now() + timedelta(seconds=pause))
    return sync_now(supplier)


def sync_now(supplier: Supplier) -> Outcome:
    """One list call and what it changed. The caller has taken a call from the budget."""
    end_read()
    answer = supplier.offers()
    if isinstance(answer, NoAnswer):
        supplier_link.note_silence(answer)
        report = catalog.record_failed_sync(
            f"The supplier's list could not be read: {supplier_link.in_words(answer)}. Nothing was"
            " changed."
        )
        return Outcome(None, ok=False, text=report.sentence)
    with tenancy.across_stores():
        report = catalog.apply_sync(
            SUPPLIER, answer.offers, answer.left_out, missing=answer.missing
        )
    return Outcome(
        None,
        ok=report.ok,
        text=report.sentence,
    )


def note_refused(order: Order) -> None:
    """The supplier does not sell what this order asked for: nobody is sold it any more, and the
    list is read soon."""
    if catalog.refuse_offer(orders.wording(order)):
        _ask_soon("sync_catalogue")


def note_charge(order: Order, charged_pesewas: int | None) -> None:
    """What the supplier took for this order, in any answer: above the known cost it is the cost
    from now on.

    Not where it can be no price: it is booked as said, the case asks a person, and the balance is
    read, which shows whether the money is there.
    """
    if (
        charged_pesewas is None
        or charged_pesewas <= order.cost_pesewas
        or order.submitted_at is None
    ):
        return
    if charged_pesewas >= order.cost_pesewas * catalog.MISTAKEN:
        _ask_soon("refresh_balance")
        return
    if catalog.note_charge(orders.wording(order), charged_pesewas, order.submitted_at):
        _ask_soon("sync_catalogue")


def _ask_soon(kind: outbox.Kind) -> None:
    """Ask for a catalogue sync, after the answer's commit and in a transaction of its own: the
    row belongs to no store."""

    def ask() -> None:
        with tenancy.across_stores():
            outbox.request(kind, SYSTEM)

    after_commit(ask)
