"""A few seeds on PostgreSQL as well: the simulation's own database answers as the real one does.

The same choices, the same processes, the shipped SQL with its real rows and triggers: a seed ends with every order, case,
posting and balance as it ended in memory.
"""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

import wsgi  # noqa: F401 - loads every shipped module, so that the seams find all who know what they replace
from chaos import sim_seams
from chaos.sim_postgres import PostgresStore
from chaos.sim_profile import BulkMode, Profile
from chaos.sim_world import World
from core import stores

ORDERS = 8
SEEDS: list[tuple[int, BulkMode]] = [(19, "auto"), (28, "off"), (31, "auto"), (34, "off")]
"""With kills in purchases, restarts, a clock that is set fourteen times, fundings, money that comes back, bulk calls."""


def without_aim(profile: Profile) -> None:
    """No kill right after the commit of a claim: PostgreSQL tells nobody what a commit wrote."""
    profile.nemesis.pop("aim", None)


def ending(world: World, ids: list[int]) -> dict[str, Any]:
    """How a run ended, in words that do not depend on ids."""
    store = world.store
    return {
        "broken": world.checks.broken,
        "orders": [
            {
                name: store.order(one)[name]
                for name in ("state", "attempt", "resends", "ever_unknown", "charged_pesewas")
            }
            for one in ids
        ],
        "cases": [store.cases_of(one) for one in ids],
        "postings": [store.postings_of(one) for one in ids],
        "balances": {name: store.balances()[name] for name in ("supplier_float", "in_flight", "wallet", "held")},
        "supplier": world.supplier.balance_pesewas,
        "counts": world.counts,
    }


@pytest.mark.slow(seconds=4)
@pytest.mark.parametrize(("seed", "bulk"), SEEDS)
def test_a_seed_ends_on_postgresql_as_in_memory(
    app: Flask, postgres: dict[str, str], seed: int, bulk: BulkMode
) -> None:
    with sim_seams.installed(memory=True):
        in_memory = World(seed, ORDERS, bulk=bulk, weather=without_aim)
        in_memory.run()
        expected = ending(in_memory, list(range(1, ORDERS + 1)))
    assert expected["broken"] is None
    with app.app_context():
        ama = stores.by_slug("ama")
        assert ama is not None
        store_id = ama.id
    with sim_seams.installed(memory=False):
        store = PostgresStore(app, postgres["super"], store_id)
        try:
            real = World(seed, ORDERS, bulk=bulk, store=store, weather=without_aim)
            real.run()
            assert ending(real, store.ids) == expected
        finally:
            store.close()
