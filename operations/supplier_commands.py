"""The commands `supplier …`: ask the supplier, by the same handlers that the worker uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from core.base import tenancy
from core.supplier import records
from fulfilment import catalog_sync
from fulfilment.buying import balance, supplier_link
from integrations.ports import NoAnswer, Supplier

supplier_group = AppGroup(
    "supplier", help="Ask the supplier, by the same handlers that the worker uses."
)
Check = tuple[str, Callable[[], Any], Callable[[Any], str]]
"""An endpoint, how it is called, and what its answer says in a few words."""
_VERDICTS = {
    "endpoint_gone": "gone",
    "broken": "broken",
    "unreachable": "unreachable",
    "credentials": "refused",
}
_everywhere = tenancy.across_stores()  # as a decorator it is entered anew at each call


@supplier_group.command("check")
@_everywhere
def supplier_check() -> None:
    """Call every read endpoint of the supplier and say which works."""
    supplier: Supplier = current_app.extensions["supplier"]
    click.echo(f"{'endpoint':28} {'verdict':15} detail")
    for name, call, tell in _checks(supplier):
        answer = call()
        if isinstance(answer, NoAnswer):
            verdict = _VERDICTS.get(answer.kind, "no information")
            detail = answer.reason
        elif call == supplier.capacities and _was_gone("capacities"):
            verdict = "gone"
            detail = f"{tell(answer)}, derived from the products"
        else:
            detail = tell(answer)
            verdict = "works" if detail else "no information"
            detail = detail or "an empty list proves nothing"
        click.echo(f"{name:28} {verdict:15} {detail}")


def _checks(supplier: Supplier) -> list[Check]:
    return [
        (
            "GET /v1/account",
            supplier.account,
            lambda a: f"{a.role}, {a.status}, balance {a.balance_pesewas / 100:.2f}",
        ),
        (
            "GET /v1/balance",
            supplier.balance,
            lambda b: f"{b.balance_pesewas / 100:.2f}",
        ),
        (
            "GET /v1/products",
            supplier.offers,
            lambda found: f"{len(found.offers)} products",
        ),
        (
            "GET /v1/capacities",
            supplier.capacities,
            lambda lines: f"{len(lines)} sizes",
        ),
        (
            "GET /v1/transactions",
            supplier.transactions,
            lambda rows: f"{len(rows)} rows" if rows else "",
        ),
        (
            "GET /v1/transactions/{ref}",
            lambda: supplier.status("MK-CHECKCHECKCHECK00"),
            lambda _: "answers for a reference",
        ),
        ("GET /v1/statistics", supplier.statistics, lambda found: f"{len(found)} keys"),
    ]


@supplier_group.command("sync")
@_everywhere
def supplier_sync() -> None:
    """Read the supplier's list now and apply it."""
    click.echo(catalog_sync.sync_now(current_app.extensions["supplier"]).text)


@supplier_group.command("balance")
@_everywhere
def supplier_balance() -> None:
    """Read the balance now and judge it against the books."""
    with supplier_link.wallet_turn() as turn:
        if not turn:
            raise click.ClickException(
                "A purchase is under way. Try again in a moment."
            )
        answer = balance.read(current_app.extensions["supplier"])
    click.echo(answer.reason if isinstance(answer, NoAnswer) else answer)


def _was_gone(endpoint: str) -> bool:
    """Whether the endpoint's last call was answered 404: the client may have found the answer
    elsewhere."""
    return any(
        line.http_status == 404 for line in records.calls(endpoint=endpoint, limit=1)
    )
