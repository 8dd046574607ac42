"""What can be bought now, and if not, why and since when: the one answer that shelf, review,
placing, release and pages ask.

The platform's half (the supplier link, the free float) is one row without sums, which the
stores' role may read; the relay writes it each round (`reconcile.renew`). The owner's pauses are
read beside it, in the same statement. A row that is old says so: nothing is promised then, and when
nobody has looked for `unwatched_s` nothing is sold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import CheckConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core import catalog, delivery_times
from core.base import clock, config
from core.base.db import Model, db
from core.base.language import later, say
from core.base.phones import NETWORKS
from core.catalog import Pause
from core.delivery_times import Estimate

LINK = {
    "balance_break": later(
        "Sending is stopped while something is settled with the supplier"
    ),
    "credentials": later(
        "Sending is stopped while something is settled with the supplier"
    ),
    "supplier_unreachable": later("The networks’ supplier has been out of reach"),
    "supplier_silent": later("The networks’ supplier has not answered"),
    "breaker": later("The networks’ supplier has given no clear answers"),
    "rate": later("The networks’ supplier has asked us to wait"),
    "unwatched": later("We have not known whether data can be sent"),
}
"""What stops buying altogether, as customers read it before "since 14:02"."""

OWN = {
    "sales_paused": later("Sales are paused"),
    "paused": later("%(network)s is paused"),
    "float": later("Sold out"),
}
"""The same of what is stopped by us, or for one network or bundle."""


class Buying(Model):
    """The platform's half of the answer: one row, written by the relay."""

    __tablename__ = "buying"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    renewed_at: Mapped[datetime]
    stopped: Mapped[str | None]
    """A key of `LINK`: nothing can be bought."""
    stopped_since: Mapped[datetime | None]
    short: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    """Bundles that the free float does not cover: id -> since when."""


@dataclass(frozen=True)
class Stop:
    """Why something cannot be bought: a key of `LINK`, `sales_paused`, `paused` (its network), or
    `float`."""

    reason: str
    since: datetime
    network: str | None = None
    note: str = ""
    """What the owner wrote who paused it."""

    @property
    def to_customer(self) -> str:
        """Why and since when, as a sentence for the store's page."""
        said = LINK.get(self.reason) or OWN.get(self.reason) or later("Not on sale")
        network = NETWORKS[self.network].name if self.network else say("This network")
        what = say(said, network=network)
        return say("%(what)s since %(time)s.", what=what, time=clock.shown(self.since))


@dataclass(frozen=True)
class Now:
    """The answer at one moment. `unsure_since`: the platform's half is older than `unsure_s`; the
    moment it was made."""

    link: Stop | None = None
    sales: Pause | None = None
    networks: dict[str, Pause] = field(default_factory=dict)
    short: dict[int, datetime] = field(default_factory=dict)
    unsure_since: datetime | None = None
    estimates: dict[str, Estimate] = field(default_factory=dict)

    @property
    def everything(self) -> Stop | None:
        """Why nothing at all can be bought."""
        if self.sales:
            return Stop("sales_paused", self.sales.since, note=self.sales.reason)
        return self.link

    def why_not(self, network: str, bundle_id: int | None = None) -> Stop | None:
        """Why this bundle, or this network when none is named, cannot be bought; None when it
        can."""
        return self.everything or self._of_these(network, bundle_id)

    def holds_up(self, network: str, bundle_id: int | None = None) -> Stop | None:
        """Why an order that is there already cannot be sent now. Paused sales let it go on."""
        return self.link or self._of_these(network, bundle_id)

    def _of_these(self, network: str, bundle_id: int | None) -> Stop | None:
        """Why this network or bundle cannot be bought, while others can."""
        pause = self.networks.get(network)
        if pause is not None:
            return Stop("paused", pause.since, network, pause.reason)
        since = self.short.get(bundle_id) if bundle_id is not None else None
        return Stop("float", since, network) if since is not None else None

    def may_promise(self, network: str, bundle_id: int | None = None) -> bool:
        """Whether it may be said how long a delivery usually takes."""
        return self.unsure_since is None and self.holds_up(network, bundle_id) is None

    def estimate(self, network: str, bundle_id: int | None = None) -> Estimate | None:
        """How long a delivery usually takes, as a page may say it; None to say nothing."""
        found = self.to_keep(network, bundle_id)
        return found if found is not None and found.is_trusted else None

    def to_keep(self, network: str, bundle_id: int | None = None) -> Estimate | None:
        """The estimate that an order is given which is processed now. Also one that pages do not
        say, since it was wrong too often: by it is seen that it is right again."""
        if not self.may_promise(network, bundle_id):
            return None
        return self.estimates.get(network)


@dataclass(frozen=True)
class SoldOut:
    """Sizes of one network that the free float does not cover, and since when the first of them
    is."""

    network: str
    sizes: str
    since: datetime


def sold_out(now: Now, shelf: Iterable[tuple[int, str, str]]) -> list[SoldOut]:
    """What of a shelf is sold out, a line for each network: `4 GB, 5 GB`, or `4 GB and larger`.

    `shelf` is (bundle id, network, size in words), as shelves are ordered.
    """
    found = []
    for network, group in groupby(shelf, key=lambda line: line[1]):
        lines = list(group)
        out = [line for line in lines if line[0] in now.short]
        if not out:
            continue
        sizes = ", ".join(size for *_, size in out)
        is_tail = len(out) > 2 and out == lines[-len(out) :]
        if is_tail:
            smallest = out[0][2]
            sizes = say("%(size)s and larger", size=smallest)
        since = min(now.short[bundle_id] for bundle_id, *_ in out)
        found.append(SoldOut(network, sizes, since))
    return found


ASK = (
    "SELECT b.renewed_at, b.stopped, b.stopped_since, b.short, (SELECT jsonb_object_agg(key, value)"
    " FROM settings WHERE starts_with(key, 'paused.')) AS pauses, (SELECT jsonb_agg(to_jsonb(e))"
    " FROM delivery_estimates e) AS estimates FROM (VALUES (1)) one (id) LEFT JOIN buying b USING"
    " (id)"
)
"""One row, which `of_row` reads."""
_ASK = text(ASK)


def now() -> Now:
    """What can be bought now. One statement, which a store's page may make."""
    return of_row(db.session.execute(_ASK).one())


def of_row(row: Any) -> Now:
    """What can be bought, by a row of `ASK` that was read just now."""
    settings = config.current()
    at = clock.now()
    pauses = catalog.pauses_of(row.pauses or {})
    sales = pauses.pop(catalog.SALES, None)
    if row.renewed_at is None:  # nobody has ever looked
        return Now(Stop("unwatched", at), sales, pauses, unsure_since=at)
    age = abs(at - row.renewed_at)  # the clock may have been set back
    link = None
    if row.stopped:
        link = Stop(row.stopped, row.stopped_since or row.renewed_at)
    if age > timedelta(seconds=settings.unwatched_s):
        link = link or Stop("unwatched", row.renewed_at)
    short = {
        int(bundle_id): datetime.fromisoformat(since)
        for bundle_id, since in row.short.items()
    }
    unsure = age > timedelta(seconds=settings.unsure_s)
    return Now(
        link,
        sales,
        pauses,
        short,
        row.renewed_at if unsure else None,
        delivery_times.estimates_of(row.estimates),
    )
