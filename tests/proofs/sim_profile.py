"""What a seed decides before anything happens: how many workers, which faults there are and how
often.

Each kind of fault is in some seeds and not in others, so that rare combinations get room: a seed
where everything goes wrong at once hides what goes wrong alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, Literal

from core.base.config import Config
from tests.proofs.sim_supplier import (
    BULK_FAULTS,
    LAG_S,
    LOOK_FAULTS,
    PURCHASE_FAULTS,
    Character,
)

BulkMode = Literal["off", "auto"]
NEMESIS = (
    "kill_worker",
    "kill_relay",
    "kill_web",
    "freeze",
    "aim",
    "hold_answer",
    "flush",
    "valkey_down",
    "clock_jump",
    "restart_machine",
    "fund_float",
    "refresh_balance",
)
COSTS = {1: (400, 475), 2: (835, 950), 5: (1_950, 2_200), 10: (3_850, 4_300)}
"""GB: (what the supplier takes, what the agent pays), in pesewas."""
PRODUCT = "YELLOW"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
NOT_ASKED_FOR = ("sync_catalogue", "prove_books")
"""What the relay asks for by the timer and no run is about: done, not due again (`settings`)."""
_ENOUGH = 10_000_000
_NEVER_S = 1_000_000_000


@dataclass
class Profile:
    """The weather of one run."""

    settings: Config
    character: Character
    workers: int
    supervised: bool
    """The supervisor ends a worker that is busy too long; without it a frozen one comes back
    whenever it likes."""
    time_limit: bool
    """RQ's own time limit strikes; without it only the lease stands between a frozen worker and its
    call."""
    nemesis_share: float
    nemesis: dict[str, float] = field(default_factory=dict)
    fuel: tuple[int, ...] = (1,)
    """How many seams a process passes before another has its turn: one of these, each time."""
    stalls: float = 0.0
    """How often a process stands still for a while at a seam, as on a machine with too much to
    do."""
    float_pesewas: int = _ENOUGH
    wallet_pesewas: int = _ENOUGH
    pace: float = 0.3
    """How often people act, against everything else that could happen."""


def drawn(seed: int, bulk: BulkMode) -> Profile:
    """The profile of a seed."""
    rng = Random(f"profile {seed}")
    dedupes = rng.random() < 0.25
    character = Character(
        dedupes=dedupes,
        names_amount=rng.choice((1.0, 1.0, 0.5)),
        purchase_faults=_some(rng, PURCHASE_FAULTS, 0.55, 0.16),
        bulk_faults=_some(rng, BULK_FAULTS, 0.4, 0.3),
        look_faults=_some(rng, LOOK_FAULTS, 0.4, 0.12),
        slow=rng.choice((0.0, 0.05, 0.3)),
        lag_s=rng.choice((0.0, 1.0, LAG_S)),
        fails=rng.choice((0.02, 0.1, 0.4)),
        refunds=rng.choice((0.0, 0.5, 1.0)),
        revives=rng.choice((0.0, 0.3, 0.7)),
        reverses=rng.choice((0.0, 0.1)),
        foreign=rng.choice((0.0, 0.0, 0.05)),
        webhooks_lost=rng.choice((0.0, 0.2, 1.0)),
        webhooks_doubled=rng.choice((0.0, 0.2)),
        webhooks_signed=rng.choice((0.0, 0.5, 1.0)),
        fulfil_s=rng.choice((20.0, 120.0, 900.0)),
    )
    stalls = rng.choice((0.0, 0.0, 0.03, 0.15))
    return Profile(
        settings=settings(
            bulk,
            supplier_dedupes=dedupes and rng.random() < 0.5,
            rate_calls=rng.choice((12, 16, 24) if bulk == "auto" else (24, 50, 50)),
            bulk_lines=rng.choice((3, 5, 10)),
        ),
        character=character,
        workers=rng.choice((2, 2, 3)),
        supervised=rng.random() < 0.5,
        time_limit=rng.random() < 0.5,
        nemesis_share=rng.choice((0.0, 0.02, 0.05, 0.1)),
        nemesis=_some(rng, NEMESIS, 0.6, 1.0),
        fuel=(1, 1, 1, 2) if stalls else rng.choice(((1, 2, 3, 5, 8), (5, 8, 20, 50))),
        stalls=stalls,
        float_pesewas=rng.choice((_ENOUGH, _ENOUGH, 8_000)),
        wallet_pesewas=rng.choice((_ENOUGH, _ENOUGH, 15_000)),
        pace=rng.choice((0.1, 0.3, 0.8)),
    )


def app_settings(database_url: str, database_store_url: str) -> Config:
    """What the application is made with. What a seed runs with are `settings`."""
    return Config(
        database_url=database_url, database_store_url=database_store_url, **_NOWHERE
    )


def settings(
    bulk: BulkMode, *, supplier_dedupes: bool, rate_calls: int, bulk_lines: int
) -> Config:
    """Makola's own settings, with a watch short enough that a run sees its end, longer waits for
    money, and fewer calls to have, so that thirty orders can use them up.
    """
    return Config(
        database_url="postgresql://nowhere/makola",
        database_store_url="postgresql://nowhere/makola",
        **_NOWHERE,
        bulk=bulk,
        bulk_lines=bulk_lines,
        supplier_dedupes=supplier_dedupes,
        rate_calls=rate_calls,
        rate_reserved_for_purchases=min(20, rate_calls // 2),
        rate_reserved_for_news=min(10, rate_calls // 4),
        low_float_wait_s=600,
        balance_fresh_s=300,
        relay_round_s=3.0,
        balance_every_s=900,
        catalogue_every_s=_NEVER_S,
        proof_every_s=_NEVER_S,
        failed_watch_s=7_200,
        completed_watch_s=7_200,
    )


TOKEN = "sim-token-0123456789abcdef"
_NOWHERE: dict[str, Any] = {
    "redis_url": "redis://nowhere",
    "secret_key": "x" * 32,
    "data_mart_api_url": "http://nowhere/api",
    "data_mart_api_key": "key",
    "data_mart_api_secret": "secret",
    "webhook_token": TOKEN,
}
"""Settings that the application wants, of services that the simulation never reaches."""


_STOPS_ALL = {"credentials": 0.1, "rate_limited": 0.4}
"""Faults that stop every order for minutes, and so must be rarer to leave something to see."""


def _some(
    rng: Random, kinds: tuple[str, ...], share_of_kinds: float, most: float
) -> dict[str, float]:
    return {
        kind: rng.uniform(0.1, 1.0) * most * _STOPS_ALL.get(kind, 1.0)
        for kind in kinds
        if rng.random() < share_of_kinds
    }
