"""A batch looked at line by line, before any money moves: what is wrong, what must be asked, and
what the rest comes to.

Decides which lines go. Nothing is written here, and each look is anew: prices, pauses and orders
of the last hour are those of now.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import select

from core import availability, orders
from core.availability import Now
from core.base import clock, config, phones
from core.base.db import db
from core.base.phones import NETWORKS, Msisdn
from core.batches import offered, reading
from core.batches.offered import NotSold, Offered, Shelf
from core.batches.reading import BadLine, Wish
from core.orders import Order
from core.orders.batching import BatchLine, OrderBatch
from core.orders.real import REAL

LOOKED_BACK = timedelta(hours=1)
"""An equal order so long ago is asked about, by the clock on the wall."""
_GONE = ("cancelled", "expired", "refunded")
"""States of an order that nobody minds ordering again."""
_ANY = 0
"""No bundle's id: whichever size."""


@dataclass(frozen=True)
class Checked:
    """A line and what there is to say of it: `problem` when it cannot go, `doubts` when somebody
    must say that it is meant."""

    n: int
    text: str
    left_out: bool
    accepted: bool
    wish: Wish | None = None
    bundle: Offered | None = None
    problem: str = ""
    doubts: tuple[str, ...] = ()
    repeats: bool = False
    """Whether it is odd for being equal to another order."""

    @property
    def is_wrong(self) -> bool:
        return not self.left_out and bool(self.problem)

    @property
    def is_asked(self) -> bool:
        """Whether it waits for somebody's word."""
        return not (self.left_out or self.problem or self.accepted) and bool(
            self.doubts
        )

    @property
    def goes(self) -> bool:
        return not (self.left_out or self.problem or self.is_asked)


@dataclass(frozen=True)
class Checklist:
    """All lines of a batch as they stand now. Amounts in pesewas."""

    lines: tuple[Checked, ...]
    free_pesewas: int
    stop: str
    """Why nothing at all can be ordered now; empty when it can."""
    same: OrderBatch | None
    """Another batch with the same lines that was confirmed already."""

    @property
    def good(self) -> list[Checked]:
        return [line for line in self.lines if line.goes]

    @property
    def wrong(self) -> list[Checked]:
        return [line for line in self.lines if line.is_wrong]

    @property
    def asked(self) -> list[Checked]:
        return [line for line in self.lines if line.is_asked]

    @property
    def price_pesewas(self) -> int:
        """What the customers pay for all that goes."""
        return sum(line.bundle.price_pesewas for line in self.good if line.bundle)

    @property
    def cost_pesewas(self) -> int:
        """What all that goes costs the agent."""
        return sum(self._costs)

    @property
    def covered(self) -> int:
        """How many of the lines that go the wallet reaches for, the first ones first."""
        left = self.free_pesewas
        for count, cost in enumerate(self._costs):
            left -= cost
            if left < 0:
                return count
        return len(self._costs)

    @property
    def _costs(self) -> list[int]:
        return [line.bundle.agent_price_pesewas for line in self.good if line.bundle]


def check(batch: OrderBatch, lines: Sequence[BatchLine]) -> Checklist:
    """Look at all lines of a batch that is not confirmed."""
    now = availability.now()
    shelf = offered.shelf()
    read = [_read(line, shelf, now) for line in lines]
    recent = _recent({line.wish.recipient_msisdn for line in read if line.wish})
    return Checklist(
        tuple(_with_doubts(read, recent)),
        orders.free_pesewas(),
        offered.why_nothing(now),
        _same(batch),
    )


def digest(texts: Iterable[str]) -> str:
    """A keyed hash of what lines mean, however they are spelt: a number cannot be guessed by it."""
    key = config.current().secret_key.encode()
    said = hmac.new(key, b"makola.batch", hashlib.sha256)
    for text in texts:
        said.update(f"{_meant(text)}\n".encode())
    return said.hexdigest()[:32]


def _meant(text: str) -> str:
    try:
        wish = reading.read(text)
    except BadLine:
        return " ".join(text.split())
    return f"{wish.recipient_msisdn}/{wish.network or ''}/{wish.mb}"


def _read(line: BatchLine, shelf: Shelf, now: Now) -> Checked:
    left_out = line.state == "left_out"
    try:
        wish = reading.read(line.text)
        network = wish.network or phones.network_of(wish.recipient_msisdn) or ""
        found = offered.one_of(network, wish.mb, shelf, now)
    except (BadLine, NotSold) as bad:
        return Checked(line.n, line.text, left_out, line.accepted, problem=bad.sentence)
    return Checked(line.n, line.text, left_out, line.accepted, wish, found)


def _recent(numbers: set[Msisdn]) -> dict[tuple[Msisdn, str, int], Order]:
    """The newest order of the last hour for each number, network and size."""
    if not numbers:
        return {}
    found = db.session.scalars(
        select(Order)
        .where(
            Order.recipient_msisdn.in_(sorted(numbers)),
            Order.created_at > clock.now() - LOOKED_BACK,
            Order.state.not_in(_GONE),
            REAL,
        )
        .order_by(Order.id)
    )
    return {(order.recipient_msisdn, order.network, order.mb): order for order in found}


def _with_doubts(
    lines: list[Checked], recent: dict[tuple[Msisdn, str, int], Order]
) -> Iterable[Checked]:
    first_of: dict[tuple[Msisdn, int], int] = {}
    for line in lines:
        if line.wish is None or line.bundle is None:
            yield line
            continue
        repeats = list(_repeats(line.wish, line.bundle, first_of, recent))
        doubts = (*_network_doubt(line.wish, line.bundle), *repeats)
        yield replace(line, doubts=doubts, repeats=bool(repeats))
        if not line.left_out:
            for bundle_id in (line.bundle.bundle_id, _ANY):
                key = (line.wish.recipient_msisdn, bundle_id)
                first_of.setdefault(key, line.n)


def _network_doubt(wish: Wish, bundle: Offered) -> Iterable[str]:
    hint = phones.network_of(wish.recipient_msisdn)
    if hint and hint != bundle.network:
        named = NETWORKS[bundle.network].name
        yield f"The number looks like {NETWORKS[hint].name}, the line says {named}."


def _repeats(
    wish: Wish,
    bundle: Offered,
    first_of: dict[tuple[Msisdn, int], int],
    recent: dict[tuple[Msisdn, str, int], Order],
) -> Iterable[str]:
    number = wish.recipient_msisdn
    if equal := first_of.get((number, bundle.bundle_id)):
        yield f"Same number and size as line {equal}."
    elif other := first_of.get((number, _ANY)):
        yield f"Same number as line {other}, another size."
    earlier = recent.get((number, bundle.network, bundle.mb))
    if earlier is not None:
        at = clock.shown(earlier.created_at)
        yield f"{bundle.text} was ordered for this number at {at}: {earlier.shown_code}."


def _same(batch: OrderBatch) -> OrderBatch | None:
    return db.session.scalars(
        select(OrderBatch)
        .where(
            OrderBatch.digest == batch.digest,
            OrderBatch.id != batch.id,
            OrderBatch.confirmed_at.is_not(None),
        )
        .order_by(OrderBatch.id.desc())
        .limit(1)
    ).first()
