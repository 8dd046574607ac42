"""What the gateway holds: paid and not settled yet, and the balance that payouts are made of.

Decides when money is settled and where it comes from when some is given back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from integrations.paystack_sandbox.state import Gateway
from integrations.paystack_sandbox.store import Thing

HOUR = 10
"""Of the next working day, when the collections of a day reach the bank."""


def held(gateway: Gateway, world: str) -> int:
    """Pesewas that refunds and disputes can be taken from."""
    store = gateway.store
    return max(store.purse(world, "pending"), 0) + store.purse(world, "balance")


def take(
    gateway: Gateway, thing: Thing, kind: str, reference: str, amount: int
) -> None:
    """Take `amount` first of what is not settled yet, then of the balance."""
    store, at = gateway.store, gateway.now()
    first = min(max(store.purse(thing.world, "pending"), 0), amount)
    for purse, part in (("pending", first), ("balance", amount - first)):
        if part:
            store.book(at, thing.world, kind, reference, thing.id, purse, -part)


def give_back(
    gateway: Gateway, thing: Thing, kind: str, reference: str, amount: int
) -> None:
    gateway.store.book(
        gateway.now(), thing.world, kind, reference, thing.id, "balance", amount
    )


def plan(gateway: Gateway, world: str) -> None:
    """Let what was paid be settled on the next working day; the test world never settles."""
    store = gateway.store
    if not gateway.is_real(world) or store.note(f"settles.{world}"):
        return
    due = next_working_day(gateway.now())
    store.keep_note(f"settles.{world}", str(due))
    store.later(due, 0, f"settle.{world}")


def settle(gateway: Gateway, world: str) -> Thing | None:
    """Pay out to the bank, or into the balance, all that is pending. None when that is nothing."""
    store, at = gateway.store, gateway.now()
    store.keep_note(f"settles.{world}", "")
    effective = store.purse(world, "pending")
    if effective <= 0:
        return None
    since = int(store.note(f"settled_to.{world}", "0"))
    rows = store.rows(
        "SELECT * FROM books WHERE world = ? AND purse = 'pending' AND id > ? ORDER BY id",
        world, since,
    )  # fmt: skip
    total = sum(row["amount"] for row in rows if row["kind"] == "taken")
    fees = -sum(row["amount"] for row in rows if row["kind"] == "fee")
    number = store.count("settlement", world) + 1
    made = store.add(
        "settlement",
        world,
        f"settlement-{number}",
        at,
        status="success",
        total=total,
        fees=fees,
        deductions=total - fees - effective,
        effective=effective,
        payments=[row["thing"] for row in rows if row["kind"] == "taken"],
    )
    store.book(at, world, "settled", made.reference, made.id, "pending", -effective)
    if gateway.knobs.settle_to == "balance":
        store.book(at, world, "settled", made.reference, made.id, "balance", effective)
    last = store.rows("SELECT max(id) AS last FROM books")[0]["last"]
    store.keep_note(f"settled_to.{world}", str(last))
    return made


def next_working_day(at: float) -> float:
    day = datetime.fromtimestamp(at, UTC).replace(
        hour=HOUR, minute=0, second=0, microsecond=0
    ) + timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day.timestamp()
