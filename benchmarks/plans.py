"""What a plan of PostgreSQL goes by."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import psycopg

LARGE = (
    "orders",
    "order_events",
    "order_words",
    "stores",
    "accounts",
    "entries",
    "postings",
)


def for_any_values(
    connection: psycopg.Connection[Any], statement: str
) -> Mapping[str, Any]:
    """The plan of psycopg's `statement` for any values, as a prepared one gets it. Raises
    `RuntimeError` where PostgreSQL cannot tell of which type a value is."""
    names: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return names.setdefault(found[1], f"${len(names) + 1}")

    with_numbers = re.sub(r"%\((\w+)\)s", numbered, statement).replace("%%", "%")
    # not by psycopg, which would give a value to each number
    answer = connection.pgconn.exec_(
        f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {with_numbers}".encode()
    )
    said = answer.get_value(0, 0) if answer.ntuples else None
    if said is None:
        raise RuntimeError(answer.get_error_message())
    found: Mapping[str, Any] = json.loads(said)[0]["Plan"]
    return found


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
