"""Short scenes of online money, one for each rule of `online_mutants`: something is lost, or somebody
lies, and the invariants of the kill test are asked of what the gateway has and what we have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.rows import dict_row
from visitors import Visitor

from core import orders, taking
from core.audit import Actor
from core.base.fixed import FixedLimits
from core.orders import Order
from tests.proofs import online_checker
from tests.proofs.online_checker import Ours, Theirs
from tests.support.payouts_desk import Payday
from tests.support.till import Till, webhook

AMA = Actor("agent", "Ama")
Visit = Callable[[str], Visitor]


@dataclass
class Stage:
    """What a scene is played on, whichever of these it needs."""

    till: Callable[[], Till]
    payday: Callable[..., Payday]
    visitor: Visit
    folder: Path
    database_url: str

    def broken(self, gateway_db: Path) -> set[str]:
        """The invariants that do not hold now."""
        return set(self.found(gateway_db))

    def found(self, gateway_db: Path) -> dict[str, list[str]]:
        """The same, with what shows it. What takes a whole run is not asked."""
        empty = self.folder / "nothing.jsonl"
        empty.touch()
        run = {
            "scale": 1.0,
            "expires_s": 1_800,
            "ladder_s": FixedLimits.payment_ladder_s,
            "watch_ladder_s": FixedLimits.payment_watch_ladder_s,
            "diary": str(empty),
            "proof": {"status": 0, "said": ""},
            "plan": {},
            "kills": [],
            "acts": {},
            "fired": {},
        }
        with psycopg.connect(self.database_url, row_factory=dict_row) as reader:
            ours = Ours(reader)
        return online_checker.check(run, Theirs(gateway_db, empty), ours).broken


def paid(till: Till) -> Order:
    """An order that is paid online and in line."""
    order = till.opened()
    till.pay(till.reference(order))
    till.pass_by(61)
    return order


def comes_back_unpaid(stage: Stage) -> set[str]:
    """A customer looks at the gateway's page, goes away, and comes back."""
    till = stage.till()
    order = till.opened()
    with till.inside():
        taking.returned(order, till.reference(order))
    till.pass_by(10)
    return stage.broken(stage.folder / "gateway.db")


def pays_less(stage: Stage) -> set[str]:
    """One pesewa less was charged than asked."""
    till = stage.till()
    order = till.opened()
    till.pay(till.reference(order), amount=till.read(order).price_pesewas - 1)
    till.pass_by(70)
    return stage.broken(stage.folder / "gateway.db")


def page_is_lost(stage: Stage) -> set[str]:
    """The answer to a page is lost, another attempt is opened, and one of them is paid."""
    till = stage.till()
    till.plan("http_500_after", "initialize")
    order = till.order()
    till.pass_by(30)
    till.pay(till.reference(order))
    till.pass_by(300)
    return stage.broken(stage.folder / "gateway.db")


def refund_is_lost(stage: Stage) -> set[str]:
    """The answer to a refund is lost, and it was done."""
    till = stage.till()
    order = paid(till)
    till.plan("http_500_after", "refund")
    with till.inside():
        orders.cancel(order.code, AMA)
    till.pass_by(3 * 3_600)
    return stage.broken(stage.folder / "gateway.db")


def payout_is_lost(stage: Stage) -> set[str]:
    """The answer to a transfer is lost, and it was done."""
    payday = stage.payday()
    payday.earned(6_000)
    payday.with_number()
    made = payday.ask()
    payday.wire.plan = ["lost"]
    payday.settle(made)
    return stage.broken(Path(_file_of(payday)))


def is_rung_unpaid(stage: Stage) -> set[str]:
    """Somebody who has the key says that a payment came which nobody has made."""
    till = stage.till()
    order = till.opened()
    body, headers = webhook(
        till.reference(order), amount=till.read(order).price_pesewas
    )
    hooks = stage.visitor("hooks").client
    url = "http://hooks.localhost"
    answer = hooks.post("/paystack", base_url=url, data=body, headers=headers)
    assert answer.status_code == 200
    till.pass_by(10)
    return stage.broken(stage.folder / "gateway.db")


def _file_of(payday: Payday) -> str:
    rows = payday.sandbox.gateway.store.rows("PRAGMA database_list")
    return str(rows[0]["file"])


SCENES: dict[str, tuple[Callable[[Stage], set[str]], frozenset[str]]] = {
    "no_verify": (comes_back_unpaid, frozenset({"paid_is_taken", "gateway_account"})),
    "no_amount_check": (pays_less, frozenset({"paid_before_delivered"})),
    "no_reference_uniqueness": (page_is_lost, frozenset({"gateway_account"})),
    "refund_without_look_up": (
        refund_is_lost,
        frozenset({"one_refund", "refund_is_ours"}),
    ),
    "payout_with_a_new_reference": (
        payout_is_lost,
        frozenset({"payout_is_ours", "one_payout"}),
    ),
    "webhook_moves_money": (
        is_rung_unpaid,
        frozenset({"paid_is_taken", "gateway_account"}),
    ),
}
"""By mutant: the scene that shows it, and the invariants of which it breaks some."""
