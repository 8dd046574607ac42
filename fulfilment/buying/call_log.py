"""Keeps every call to a supplier or a gateway in the log that people read. Wired by wsgi.py."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import DBAPIError

from core.supplier import records, supply
from fulfilment.buying import supplier_link
from integrations.ports import CallRecord

log = structlog.get_logger("calls")


def record(call: CallRecord) -> None:
    """Store one finished call. Never raises for a database that is down: the call itself has
    already happened."""
    log.info(
        "supplier",
        endpoint=call.endpoint,
        status=call.http_status,
        outcome=call.outcome,
        ms=call.duration_ms,
    )
    values = {
        "at": call.started_at,
        "supplier": call.supplier,
        "method": call.method,
        "path": call.path,
        "request_body": call.request_body,
        "http_status": call.http_status,
        "response_body": call.response_body,
        "outcome": call.outcome,
        "note": call.note,
        "duration_ms": call.duration_ms,
    }
    # a gateway's good answer says nothing of the supplier, whose stop it must not end
    is_good_news = call.outcome == "ok" and call.supplier == supply.SUPPLIER
    since = call.started_at if is_good_news else None
    try:
        if records.record_call(
            endpoint=call.endpoint,
            order_refs=call.order_refs,
            values=values,
            since=since,
        ):
            supplier_link.let_in()
    except DBAPIError:
        log.warning("call not kept: database unavailable", endpoint=call.endpoint)
