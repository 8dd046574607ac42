"""What can be known from outside about a running stage: the database as its owner reads it, the
supplier's own clock.

Decides nothing; each proof judges for itself.
"""

from __future__ import annotations

import json
from collections import Counter as Tally
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg

from tests.proofs.stage import Stage
from tests.support.running import must

CONNECT_S = 5


@dataclass(frozen=True)
class Request:
    """One request that reached the supplier and was counted there. `at` is in epoch seconds."""

    at: float
    endpoint: str
    window: int
    exceeded: bool


def rows(stage: Stage, query: str, *values: Any) -> list[Any]:
    """What a reading transaction over all stores sees. Raises `psycopg.OperationalError` while
    PostgreSQL is away."""
    with psycopg.connect(
        stage.running.facts["database_admin_url"], connect_timeout=CONNECT_S
    ) as connection:
        connection.read_only = True
        return connection.execute(query, values).fetchall()


def requests(stage: Stage, since: float) -> list[Request]:
    """The requests the supplier has counted since a moment of its clock, oldest first."""
    said = httpx.get(
        f"{stage.running.facts['sandbox_url']}/sandbox/requests",
        params={"since": since},
        trust_env=False,
        timeout=30,
    )
    must(said.status_code == 200, f"the sandbox answered {said.status_code}")
    return [Request(**one) for one in said.json()["requests"]]


def charges(stage: Stage) -> Tally[str]:
    """How often each reference was charged, by the supplier's charge file."""
    lines = (
        (stage.instance / "sandbox" / "sandbox.db.charges.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    told = [json.loads(line) for line in lines if line.endswith("}")]
    return Tally(one["reference"] for one in told if one["kind"] == "charge")


def states(stage: Stage, codes: list[str]) -> Tally[str]:
    """How many of these orders are in which state."""
    return Tally(
        state
        for (state,) in rows(
            stage, "SELECT state FROM orders WHERE code = ANY(%s)", codes
        )
    )


def standing(stage: Stage, codes: list[str]) -> str:
    """How these orders stand, for a sentence about what went wrong: states, reasons to wait, what
    is due, the link."""
    why = Tally(
        rows(stage, "SELECT state, wait_reason FROM orders WHERE code = ANY(%s)", codes)
    )
    due = rows(
        stage,
        "SELECT o.state, count(*), min(b.due_at)::text, max(b.lease_until)::text, now()::text FROM"
        " outbox b JOIN orders o ON o.id = b.order_id WHERE o.code = ANY(%s) AND b.done_at IS NULL"
        " GROUP BY 1",
        codes,
    )
    link = rows(
        stage,
        "SELECT closed_until::text, breaker_open_until::text, breaker_reason, unknown_streak,"
        " break_pesewas, cardinality(purchase_calls), cardinality(other_calls) FROM supplier_state",
    )
    return f"{dict(why)}; due {due}; link {link}"


def references(stage: Stage, codes: list[str]) -> list[str]:
    """The references of these orders, oldest first."""
    return [
        ref
        for (ref,) in rows(
            stage,
            "SELECT order_ref FROM orders WHERE code = ANY(%s) ORDER BY id",
            codes,
        )
    ]


def not_once(stage: Stage, codes: list[str]) -> dict[str, int]:
    """Of orders that must have been bought, those that were not bought exactly once, with how often
    they were."""
    charged = charges(stage)
    return {ref: charged[ref] for ref in references(stage, codes) if charged[ref] != 1}
