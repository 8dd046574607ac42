"""The one place that says what the simulation puts in place of shipped code. Everything else that
runs is shipped.

The machine alone: clock, chance, queue, wallet lock, the web server's request, and `transaction`
with a seam at either end. The database is PostgreSQL (`sim_database`). Each replaced function must
still exist and take the same parameters, or `patching.Drifted` is raised before the first event.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as ValkeyIsDown

import core.base.config
from core import outbox
from core.base import clock, db
from core.orders import codes
from core.reconcile import comparing
from fulfilment import jobs, line, relay, webhooks
from fulfilment.buying import balance, supplier_link
from tests.proofs import patching, sim_actors
from tests.proofs.patching import Undo

if TYPE_CHECKING:
    from tests.proofs.sim_world import World

EPOCH = datetime(2026, 3, 1, 8, tzinfo=UTC)
_now: World | None = None
_shipped_transaction = db.transaction


def world() -> World:
    """The world that runs now."""
    assert _now is not None
    return _now


@contextlib.contextmanager
def running(this: World) -> Iterator[None]:
    """Make `this` the world that the stand-ins ask. The seams must be installed."""
    global _now
    before, before_config = _now, core.base.config._current
    _now = this
    core.base.config.use(this.settings)
    vars(relay)["_quiet_until"] = 0.0
    try:
        yield
    finally:
        _now, core.base.config._current = before, before_config


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Put the stand-ins in place, and take them out again."""
    undos: list[Undo] = []
    try:
        for original, replacement in FUNCTIONS:
            patching.same_signature(original, replacement)
            undos.append(patching.everywhere(original, replacement))
        for owner, name, replacement in ATTRIBUTES:
            undos.append(patching.attribute(owner, name, replacement))
        yield
    finally:
        patching.undo_all(undos)


class _Transaction:
    """The shipped transaction with a seam at either end."""

    def __init__(self) -> None:
        # said before others have their turn, who would wait for its locks
        if db.in_transaction():
            raise db.NestedTransaction(
                "a verb that opens a use case was called inside another"
            )
        _end_read()
        sim_actors.seam()
        self._shipped = _shipped_transaction()

    def __enter__(self) -> Any:
        return self._shipped.__enter__()

    def __exit__(self, *error: object) -> bool | None:
        swallowed = self._shipped.__exit__(*error)
        if error[0] is None:
            sim_actors.seam()
        return swallowed


def _end_read() -> None:
    """What the shipped transaction does first, before others have their turn on the connection."""
    session = db.db.session()
    if not (
        session.info.get("writing") or session.dirty or session.new or session.deleted
    ):
        session.close()


def _transaction() -> _Transaction:
    return _Transaction()


@contextlib.contextmanager
def _wallet_turn() -> Iterator[bool]:
    with world().wallet.turn() as turn:
        yield turn


def _boot() -> str:
    return world().boot


def _new_order_ref() -> str:
    return world().next_ref()


def _line_up(
    queue: Any, name: str, leased: list[tuple[int, int]], *, first: bool = False
) -> None:
    for lease in reversed(leased) if first else leased:
        sim_actors.seam()
        if world().valkey_is_down:
            raise ValkeyIsDown
        world().queue.insert(0 if first else len(world().queue), lease)


def _queue_of(connection: Any) -> Any:
    return connection


class FakeValkey:
    """As much of a connection as the relay asks."""

    def llen(self, _name: str) -> int:
        if world().valkey_is_down:
            raise ValkeyIsDown
        return len(world().queue)

    def lrange(self, _name: str, _first: int, _last: int) -> list[bytes]:
        if world().valkey_is_down:
            raise ValkeyIsDown
        return [
            f"buy-{outbox_id}-{lease_no}".encode()
            for outbox_id, lease_no in world().queue
        ]

    def zremrangebyscore(self, _name: str, _least: object, _most: object) -> None:
        """Nobody has a page open here."""

    def zrevrange(self, _name: str, _first: int, _last: int) -> list[bytes]:
        return []


_last_wall = (0.0, EPOCH)


def _wall() -> datetime:
    global _last_wall
    wall_s = world().wall()
    if wall_s != _last_wall[0]:
        _last_wall = (wall_s, EPOCH + timedelta(seconds=wall_s))
    return _last_wall[1]


class _Chance:
    """Stands in for `random` inside `core.base.clock`."""

    @staticmethod
    def uniform(low: float, high: float) -> float:
        return world().chance.uniform(low, high)


class _Silent:
    """A log that keeps nothing."""

    def __getattr__(self, _level: str) -> Any:
        return lambda *_words, **_values: None


class Request:
    """The webhook request that is answered now, by the actor that answers it."""

    max_content_length: int | None = None
    content_length: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {}

    def get_data(self) -> bytes:
        return sim_actors.current().body


FUNCTIONS = [
    (db.transaction, _transaction),
    (supplier_link.wallet_turn, _wallet_turn),
    (clock.boot, _boot),
    (codes.new_order_ref, _new_order_ref),
    (line.line_up, _line_up),
    (relay.queue_of, _queue_of),
]
ATTRIBUTES = [
    (clock, "random", _Chance),
    (clock, "offset_source", None),
    (clock, "wall_source", _wall),
    (clock, "steady_source", lambda: world().steady()),
    (outbox, "ring", relay.ring),
    (relay, "time", SimpleNamespace(monotonic=lambda: world().time)),
    *(
        (module, "log", _Silent())
        for module in (balance, comparing, jobs, supplier_link, relay)
    ),
    (webhooks, "request", Request()),
]

__all__ = ["EPOCH", "FakeValkey", "installed", "running", "world"]
