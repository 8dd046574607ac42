"""A stage with online payments: opened at the beginning of a run, looked at while it goes on, proven
at its end."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx
import psycopg

from tests.proofs import ROOT
from tests.proofs.counter import settings_of
from tests.proofs.kill import counted
from tests.proofs.load import STORES
from tests.proofs.online_checker import ENDED, OPEN_PAYOUTS, OPEN_REFUNDS
from tests.proofs.stage import Stage
from tests.support.people import Bundle, Customer
from tests.support.running import Failed, until

DEAREST_PESEWAS = 3_000
OPEN_S = 180
PRICES = (
    "INSERT INTO settings (key, value) VALUES ('pay_online', '{}') ON CONFLICT DO NOTHING",
    "UPDATE stores SET pay_online = true",
    # a price that leaves the agent price after the fee, and something to be paid out
    "UPDATE store_bundles SET price_pesewas = price_pesewas + 200",
    (
        "INSERT INTO second_steps (user_id, secret, made_at, confirmed_at, last_step, tries,"
        " tries_since) SELECT id, 'x', now(), now(), 0, 0, now() FROM users WHERE email LIKE"
        " 'ama@%' OR email LIKE 'kofi@%'"
    ),
)


def open_shops(stage: Stage) -> None:
    """Both stores take money online, at prices that leave a profit; wait until their pages say
    so."""
    with psycopg.connect(
        stage.running.facts["database_admin_url"], autocommit=True
    ) as owner:
        for statement in PRICES:
            owner.execute(statement)
        until(lambda: _payments_live(owner), OPEN_S, "the worker of payments lives")
    for store in STORES:
        customer, bundle = Customer.of(stage.running, store), sold(stage, store)[0]

        def offers(customer: Customer = customer, bundle: Bundle = bundle) -> bool:
            return 'value="online"' in customer.review(bundle, "0241230001").text

        until(offers, OPEN_S, f"{store} takes money online")


def _payments_live(owner: psycopg.Connection[Any]) -> bool:
    found = owner.execute("SELECT EXISTS (SELECT FROM pulses WHERE role = 'payments')")
    row = found.fetchone()
    return row is not None and bool(row[0])


def sold(stage: Stage, store: str) -> list[Bundle]:
    """What a store sells. Nothing is sold before relay and workers have said that they live: it is
    waited for."""

    def shelf() -> list[Bundle]:
        try:
            return Customer.of(stage.running, store).shelf()
        except Failed:
            return []

    return until(shelf, OPEN_S, f"{store} sells something")


def shelf_of(stage: Stage, store: str) -> list[Bundle]:
    """The smaller bundles of a store, so that the supplier's wallet lasts."""
    with psycopg.connect(stage.running.facts["database_admin_url"]) as owner:
        rows = owner.execute(
            "SELECT b.bundle_id FROM store_bundles b JOIN stores s ON s.id = b.store_id WHERE"
            " s.slug = %s AND b.price_pesewas <= %s",
            (store, DEAREST_PESEWAS),
        ).fetchall()
    cheap = {str(row[0]) for row in rows}
    return [bundle for bundle in sold(stage, store) if bundle.bundle_id in cheap]


def standing(stage: Stage) -> dict[str, int]:
    """How many of what are not over, as one look at the database sees it; empty while it is
    away."""
    orders = counted(stage)
    try:
        with psycopg.connect(
            stage.running.facts["database_admin_url"], connect_timeout=5
        ) as reader:
            reader.read_only = True
            asked = {
                "attempts open": ("online_payments", ("asked", "open")),
                "refunds open": ("gateway_refunds", OPEN_REFUNDS),
                "payouts open": ("payouts", OPEN_PAYOUTS),
                "payouts paid": ("payouts", ("paid",)),
                "refunds done": ("gateway_refunds", ("done",)),
                "paid": ("online_payments", ("paid",)),
            }
            found = {}
            for name, (table, states) in asked.items():
                query = f"SELECT count(*) FROM {table} WHERE state = ANY(%s)"
                row = reader.execute(query, (list(states),)).fetchone()
                found[name] = row[0] if row else 0
            late = reader.execute(
                "SELECT count(*) FROM cases WHERE kind = 'paid_late' AND closed_at IS NULL"
            ).fetchone()
    except psycopg.OperationalError:
        return {}
    found["late cases"] = late[0] if late else 0
    found |= {"orders open": orders.pop("open", 0), "orders over": sum(orders.values())}
    return found | orders


def open_money(seen: dict[str, int]) -> int:
    """What of customers' money is not at its end yet."""
    return sum(seen[name] for name in ("attempts open", "refunds open", "late cases"))


def all_taken(stage: Stage, gateway: httpx.Client) -> bool:
    """Whether each payment that the gateway has is over in our books too."""
    rows = gateway.get("/sandbox/state").json()["payments"]
    paid = [row["reference"] for row in rows if row["paid_at"] is not None]
    with psycopg.connect(stage.running.facts["database_admin_url"]) as reader:
        row = reader.execute(
            "SELECT count(*) FROM online_payments WHERE reference = ANY(%s) AND state = ANY(%s)",
            (paid, [state for state in ENDED if state != "failed"]),
        ).fetchone()
    return row is not None and row[0] == len(paid)


def proven(stage: Stage) -> dict[str, Any]:
    """What `flask prove --whole` says."""
    words = [sys.executable, "-m", "flask", "--app", "wsgi", "prove", "--whole"]
    done = subprocess.run(
        words,
        cwd=ROOT,
        env=settings_of(stage),
        capture_output=True,
        text=True,
        check=False,
    )
    return {"status": done.returncode, "said": (done.stdout + done.stderr)[-1_500:]}
