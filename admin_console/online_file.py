"""Online payments for a spreadsheet, and those into one store's wallet for its page."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response

from admin_console import bp
from admin_console.online import STATES, asked_purpose
from core import online, taking
from core.base import clock
from core.base.sheets import Rows, amount

LINES_IN_FILE = 5_000
PAID_ONLINE = 5
"""Attempts that a store's page shows."""
_HEAD: tuple[str, ...] = (
    "When",
    "Store",
    "For",
    "Reference",
    "State",
    "Asked GHS",
    "Charged GHS",
)
_HEAD += ("Fee GHS", "Owed back GHS", "Taken back GHS")


@bp.get("/payments.csv")
def payments_file() -> Response:
    """The newest of the same, for a spreadsheet."""
    sheet = Rows(*_HEAD)
    lines = taking.newest(None, LINES_IN_FILE, asked_purpose())
    taken = online.taken_of([line.payment.id for line in lines])
    for line in lines:
        paid = line.payment
        sheet.row(
            paid.created_at.isoformat(),
            line.store_name,
            line.order_code or "wallet",
            paid.reference,
            STATES[paid.state][1],
            amount(paid.amount_pesewas),
            amount(paid.charged_pesewas or 0),
            "" if paid.fees_pesewas is None else amount(paid.fees_pesewas),
            amount(paid.owed_pesewas),
            amount(taken.get(paid.id, 0)),
        )
    today = clock.now().astimezone(clock.ACCRA).date()
    return Response(
        sheet.text(),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="makola-payments-{today}.csv"'
        },
    )


@dataclass(frozen=True)
class PaidOnline:
    """What was paid into a wallet online: the newest attempts, which of them the gateway took back
    (id → pesewas), and what the store owes of such by now."""

    newest: list[taking.Line]
    taken: dict[int, int]
    owed_pesewas: int
    states: dict[str, tuple[str, str]]


def paid_online(store_id: int) -> PaidOnline:
    """How a store's online fundings stand."""
    newest = taking.newest(None, PAID_ONLINE, "wallet", store_id)
    return PaidOnline(
        newest,
        online.taken_of([line.payment.id for line in newest]),
        online.wallet_debts.owed(store_id),
        STATES,
    )
