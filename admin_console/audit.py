"""The audit log, newest first: who did what to what, and why. Lines are written by the verbs of core, never here.

Decides how a line reads: subjects such as `store:3` become names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import render_template

from admin_console import bp, figures
from core import audit, catalog, config, phones
from core.audit import AuditLine
from core.stores import Store

DEEDS = {
    "fund_wallet": "funded the wallet",
    "open_store": "opened the store",
    "store_open": "let the store sell",
    "store_closed": "closed the store",
    "store_suspended": "suspended the store",
    "save_price": "changed a price",
    "close_case": "settled a case",
    "look_again": "asked the supplier again for",
    "pause": "paused",
    "resume": "resumed",
    "ask_refresh_balance": "asked for the balance",
    "ask_sync_catalogue": "asked for a sync",
    "ask_prove_books": "asked for a proof",
    "acting_in": "worked in the store",
    "forget_customer": "masked a customer's number in finished orders of",
}


@dataclass(frozen=True)
class Line:
    line: AuditLine
    deed: str
    subject: str
    store: Store | None


@bp.get("/audit")
def list_audit() -> str:
    stores, bundles = figures.store_names(), {bundle.id: bundle for bundle in catalog.all_bundles()}
    lines = [_line(line, stores, bundles) for line in audit.recent(config.current().page_size * 2)]
    return render_template("console/audit.html", lines=lines)


def _line(line: AuditLine, stores: dict[int, Store], bundles: dict[int, catalog.Bundle]) -> Line:
    deed = DEEDS.get(line.action, line.action.replace("_", " "))
    found = re.fullmatch(r"store:(\d+)(?:/bundle:(\d+))?", line.subject)
    if found is None:
        return Line(line, deed, _plain(line.subject), None)
    store, bundle = stores.get(int(found[1])), bundles.get(int(found[2] or 0))
    if bundle is not None:
        return Line(line, deed, f"{phones.NETWORKS[bundle.network].name} {catalog.size_text(bundle.mb)}", store)
    return Line(line, deed, "" if store else line.subject, store)


def _plain(subject: str) -> str:
    """`paused.mtn` -> `MTN`, `case:3` -> `case 3`, `outbox:9` -> `errand 9`."""
    if subject.startswith("paused."):
        what = subject.removeprefix("paused.")
        return phones.NETWORKS[what].name if what in phones.NETWORKS else "all sales"
    return subject.replace("outbox:", "errand ").replace(":", " ")
