from core import orders, ledger, catalog
from core.audit import Actor


def test_place_release(ama):
    line = catalog.shelf()[0]
    placed = orders.place(bundle_id=line.bundle_id, recipient_msisdn="+233241234567", idempotency_key="k" * 22)
    assert placed.created
    order = orders.release(placed.order.shown_code, Actor("agent", "Ama"))
    assert order.state == "queued"
    assert ledger.wallet().held_pesewas == order.agent_price_pesewas
