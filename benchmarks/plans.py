"""What a plan of PostgreSQL goes by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LARGE = ("orders", "order_events", "stores")


def walked(plan: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """The indexes that a plan goes by, and the large tables that it reads whole."""
    by = {plan["Index Name"]} if "Index Name" in plan else set()
    is_scan = plan["Node Type"] == "Seq Scan" and plan["Relation Name"] in LARGE
    scanned = {plan["Relation Name"]} if is_scan else set()
    for part in plan.get("Plans", ()):
        more, also = walked(part)
        by |= more
        scanned |= also
    return by, scanned
