"""A disputed payment into a wallet: two looks know that it is gone, the one at the dispute and the
one at the payment, and it leaves the wallet once."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core import disputes, outbox
from core.base import clock
from core.base.db import db, transaction
from core.online import Dispute
from core.outbox import OutboxRow
from tests.support.till import Till

pytestmark = pytest.mark.slow(seconds=0.5)

HOUR = 3_600


def hear(till: Till, gateway_id: int, reference: str, event: str) -> None:
    with till.across(), transaction():
        assert disputes.heard(str(gateway_id), reference, event)


def hold_up(till: Till, kind: outbox.Kind, seconds: float) -> None:
    """Rows of this kind are looked at later than others."""
    with till.across(), transaction() as session:
        rows = session.scalars(select(OutboxRow).where(OutboxRow.kind == kind))
        for row in rows:
            row.due_at = clock.after(seconds)


def every(till: Till) -> list[Dispute]:
    with till.across():
        db.session.rollback()
        return list(db.session.scalars(select(Dispute).order_by(Dispute.id)))


@pytest.mark.parametrize("late", ["watch_payment", "watch_dispute", None])
@pytest.mark.parametrize(("free", "owed"), [(9_000, 0), (2_000, 3_000), (0, 5_000)])
def test_it_leaves_the_wallet_once_whoever_looks_first(
    till: Till, late: outbox.Kind | None, free: int, owed: int
) -> None:
    payment = till.funded(5_000)
    till.empty_wallet(but=free)
    gateway_id = till.dispute(payment.reference)
    hear(till, gateway_id, payment.reference, "charge.dispute.create")
    till.work()
    assert till.wallet() == free, "asked about, nothing is gone yet"
    till.bank(gateway_id, "expire")
    hear(till, gateway_id, payment.reference, "charge.dispute.resolve")
    if late is not None:
        hold_up(till, late, 2 * HOUR)
    till.pass_by(HOUR)
    assert till.wallet() == max(0, free - 5_000)
    assert till.balances().get("dispute_loss", 0) == owed
    till.pass_by(30 * HOUR)
    assert (till.wallet(), till.balances().get("dispute_loss", 0)) == (
        max(0, free - 5_000),
        owed,
    )
    rows = every(till)
    assert sum(one.taken_pesewas for one in rows) == 5_000
    assert sum(one.owed_pesewas for one in rows) == owed
    told = [one for one in rows if one.gateway_id is not None]
    assert [one.state for one in told] == ["auto_accepted"]
    assert till.cases() == (["funding_reversed"] if owed else [])
    till.proven()
