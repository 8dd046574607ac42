"""What is deleted when its keeping time is over, and by whom: a function of the database, since no
role of ours may."""

from __future__ import annotations

import tables_owner
from flask import Flask
from sqlalchemy import text

from core import outbox
from core.audit import SYSTEM
from core.base import clock
from core.base.db import db, transaction
from core.supplier import records, webhook_events
from fulfilment import housekeeping


def count(table: str) -> int:
    return int(db.session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def test_what_is_past_its_keeping_time_goes_and_the_rest_stays(across: Flask) -> None:
    for endpoint in ("balance", "status"):
        values = {
            "at": clock.now(),
            "supplier": "d",
            "method": "GET",
            "path": "/",
            "http_status": 200,
            "outcome": "ok",
        }
        records.record_call(endpoint=endpoint, order_refs=(), values=values)
    with transaction():
        for key in ("old", "new"):
            webhook_events.keep(
                {"event_key": key, "body": b"", "headers": {}, "event": key}
            )
    for kind in ("refresh_balance", "sync_catalogue"):
        outbox.request(kind, SYSTEM)  # type: ignore[arg-type]
    before = count("outbox")
    housekeeping.tidy()
    db.session.remove()
    assert (count("supplier_calls"), count("webhook_events"), count("outbox")) == (
        2,
        2,
        before,
    )
    tables_owner.execute(
        "ALTER TABLE supplier_calls DISABLE TRIGGER supplier_calls_answered_once"
    )
    tables_owner.execute(
        "UPDATE supplier_calls SET at = now() - interval '91 days' WHERE endpoint = 'balance'"
    )
    tables_owner.execute(
        "ALTER TABLE supplier_calls ENABLE TRIGGER supplier_calls_answered_once"
    )
    tables_owner.execute(
        "UPDATE webhook_events SET received_at = now() - interval '31 days' WHERE event = 'old'"
    )
    tables_owner.execute(
        "UPDATE outbox SET done_at = now() - interval '91 days' WHERE kind = 'refresh_balance'"
    )
    housekeeping.tidy()
    db.session.remove()
    assert (count("supplier_calls"), count("webhook_events"), count("outbox")) == (
        1,
        1,
        before - 1,
    )
