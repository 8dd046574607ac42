"""A storm of forged webhooks against the whole program, while orders are bought.

    python -m tests.proofs.storm --bodies 10000

Orders stand in every state in both stores; the supplier says nothing new. Then bodies of
`tests.proofs.forged` come in, about 170 a second, and a batch of new orders is released. Judged
afterwards: no order, posting or case of the old orders changed; every stored event that counts as
verified holds words the supplier really signed; the supplier's own count of look-ups stays within
ten a window plus those that were due; every new order was bought once; nothing but 204 was
answered; and the log of events stayed within its bound. Last, a body of 2 MB: refused with 413
before one byte of it was sent, or, where its length was not named, a piece after the limit.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import queue
import random
import sys
import threading
import time
from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from core.base.config import Config
from tests.proofs import forged, too_large, witness
from tests.proofs.counter import Counter
from tests.proofs.stage import Stage
from tests.support.people import Agent, Customer, have_money_for, some_number
from tests.support.running import Failed, must, until
from tests.support.supplier import Supplier

RATE_A_SECOND = 170
SENDERS = 6
RING_LOOKUPS = 10
WINDOW_S = 60
LADDER_S = Config.processing_ladder_s
SETTLE_S = 60
MOST_ON_THE_WAY = 64 * 1024
"""Beside what is read: sent while the refusal was on its way."""
_PICTURE = {
    "orders": (
        "SELECT id, state, attempt, wait_reason, charged_pesewas, supplier_status, processing_at,"
        " unknown_since, failed_since, completed_at, final_at, agent_price_pesewas FROM orders"
        " WHERE NOT code = ANY(%s) ORDER BY id"
    ),
    "postings": (
        "SELECT p.id, p.kind, e.account_id, e.amount_pesewas FROM postings p JOIN entries e ON"
        " e.posting_id = p.id WHERE p.order_id NOT IN (SELECT id FROM orders WHERE code = ANY(%s))"
        " ORDER BY 1, 3"
    ),
    "cases": (
        "SELECT id, kind, order_id, closed_at FROM cases WHERE order_id IS NULL OR order_id NOT IN "
        "(SELECT id FROM orders WHERE code = ANY(%s)) ORDER BY id"
    ),
}
"""What must look the same afterwards: all but the orders that are bought meanwhile."""


@dataclass
class Storm:
    """What came of it."""

    sent: Tally[str] = field(default_factory=Tally)
    answers: Tally[int] = field(default_factory=Tally)
    took_s: float = 0.0
    look_ups: int = 0
    look_ups_due: float = 0.0
    look_ups_allowed: float = 0.0
    bought: int = 0
    bought_s: float = 0.0
    calm_s: float = 0.0
    events: int = 0
    event_bytes: int = 0
    announced: too_large.Refused | None = None
    in_pieces: too_large.Refused | None = None

    def lines(self) -> Iterator[str]:
        total = sum(self.sent.values())
        yield (
            f"{total} bodies of {len(self.sent)} kinds in {self.took_s:.1f} s"
            f" ({total / self.took_s:.0f} a second)"
        )
        yield "answers: " + ", ".join(
            f"{n} × {status}" for status, n in sorted(self.answers.items())
        )
        yield "0 states, postings or cases changed"
        yield (
            f"look-ups, counted by the supplier: {self.look_ups}, of which {self.look_ups_due:.0f}"
            f" were due anyway; allowed {self.look_ups_allowed:.0f}"
        )
        yield (
            f"{self.bought} orders bought once each in {self.bought_s:.1f} s of storm, as many in"
            f" {self.calm_s:.1f} s of calm"
        )
        yield f"kept of it: {self.events} events, {self.event_bytes / 1024:.0f} KiB of bodies"
        yield f"2 MB announced: {self.announced}; 2 MB in pieces: {self.in_pieces}"


def run(
    stage: Stage, bodies: int, batch: int, seed: int, rate: float = RATE_A_SECOND
) -> Storm:
    """One storm. Raises `Failed` at the first rule that did not hold."""
    storm, chance = Storm(), random.Random(seed)
    supplier = Supplier(stage.running)
    try:
        with (
            supplier.keeping_pace(stage.running.time_scale),
            Counter(stage, batch, seed) as calm,
            Counter(stage, batch, seed + 1) as busy,
        ):
            old_codes = _orders_in_every_state(stage, supplier)
            storm.calm_s = _buy(stage, supplier, calm)
            _deliver(stage, supplier, calm.codes)
            old_codes += calm.codes
            loot = _loot(stage, supplier, old_codes)
            with supplier.knobs(webhooks=False):
                _wait_until_quiet(stage)
                _blow(stage, supplier, storm, loot, chance, bodies, busy, rate)
                _offer_too_much(stage, storm)
    finally:
        supplier.close()
    return storm


def _blow(
    stage: Stage, supplier: Supplier, storm: Storm, loot: forged.Loot, chance: random.Random,
    bodies: int, busy: Counter,
    rate: float,
) -> None:  # fmt: skip
    before = _picture(stage, busy.codes)
    events_before = _events(stage)
    began, began_at = time.monotonic(), time.time()
    bought: list[float] = []
    buyer = threading.Thread(
        target=lambda: bought.append(_buy(stage, supplier, busy)), daemon=True
    )
    buyer.start()
    _send(stage, storm, loot, chance, bodies, rate)
    storm.took_s = time.monotonic() - began
    buyer.join(SETTLE_S)
    must(
        bought, f"the new orders were not bought: {witness.standing(stage, busy.codes)}"
    )
    ended_at = time.time()
    storm.bought, storm.bought_s = len(busy.codes), bought[0]

    changed = [
        name
        for name, told in _picture(stage, busy.codes).items()
        if told != before[name]
    ]
    must(
        not changed,
        f"the storm changed {', '.join(changed)}:"
        f" {_difference(before, _picture(stage, busy.codes))}",
    )
    strange = set(storm.answers) - {204}
    must(not strange, f"a webhook was answered with {strange}: {dict(storm.answers)}")
    must(
        not witness.not_once(stage, busy.codes),
        f"not bought once: {witness.not_once(stage, busy.codes)}",
    )
    _judge_look_ups(stage, storm, began_at, ended_at)
    _judge_events(stage, storm, loot, events_before)


def _send(
    stage: Stage,
    storm: Storm,
    loot: forged.Loot,
    chance: random.Random,
    bodies: int,
    rate: float,
) -> None:
    """All bodies, `rate` a second, over a few connections that stay open."""
    waiting: queue.Queue[forged.Forged | None] = queue.Queue(maxsize=SENDERS * 2)
    lock, failures = threading.Lock(), []
    address = urlsplit(stage.running.facts["webhook_url"])

    def sender() -> None:
        connection = http.client.HTTPConnection(address.netloc, timeout=30)
        while (one := waiting.get()) is not None:
            try:
                connection.request(
                    "POST",
                    address.path,
                    one.body,
                    {"Content-Type": "application/json", **one.headers},
                )
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                failures.append(f"{one.kind}: {error!r}")
                connection.close()
                continue
            with lock:
                storm.answers[answer.status] += 1
                storm.sent[one.kind] += 1
        connection.close()

    senders = [threading.Thread(target=sender, daemon=True) for _ in range(SENDERS)]
    for thread in senders:
        thread.start()
    began = time.monotonic()
    for number in range(bodies):
        waiting.put(forged.draw(chance, loot))
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
    for _ in senders:
        waiting.put(None)
    for thread in senders:
        thread.join(60)
    must(
        not failures, f"{len(failures)} bodies had no answer, the first: {failures[:1]}"
    )


def _orders_in_every_state(stage: Stage, supplier: Supplier) -> list[str]:
    """Orders of both stores: pending, processing, completed, failed, refunded."""
    codes = []
    for store in ("ama", "kofi"):
        customer, agent = (
            Customer.of(stage.running, store),
            Agent.logged_in(stage.running, store),
        )
        bundle = customer.shelf()[0]
        have_money_for(stage.running, agent, store, 12, bundle)
        mine = [customer.order(bundle, some_number()) for _ in range(8)]
        for code in mine[:6]:
            agent.process(code)
        _until_states(stage, mine, Tally(pending=2, processing=6))
        refs = witness.references(stage, mine)
        for ref, word in zip(
            refs, ("successful", "successful", "failed", "reversed"), strict=False
        ):
            supplier.mark(ref, word)
        _until_states(
            stage,
            mine,
            Tally(pending=2, processing=2, completed=2, failed=1, refunded=1),
        )
        codes += mine
    return codes


def _deliver(stage: Stage, supplier: Supplier, codes: list[str]) -> None:
    """What was bought is delivered, so that few look-ups are due by themselves; each leaves a
    genuine webhook."""
    for ref in witness.references(stage, codes):
        supplier.mark(ref, "successful")
    _until_states(stage, codes, Tally(completed=len(codes)))


def _offer_too_much(stage: Stage, storm: Storm) -> None:
    """A body of 2 MB is refused by its announced length, or as soon as it has grown past what is
    read."""
    url = stage.running.facts["webhook_url"]
    storm.announced, storm.in_pieces = (
        too_large.announced(url),
        too_large.in_pieces(url),
    )
    must(
        storm.announced.status == storm.in_pieces.status == 413,
        f"{storm.announced}, {storm.in_pieces}",
    )
    most = Config.webhook_bytes + MOST_ON_THE_WAY
    must(
        storm.in_pieces.sent_bytes <= most,
        f"{storm.in_pieces.sent_bytes} bytes were taken before the refusal",
    )


def _until_states(stage: Stage, codes: list[str], wanted: Tally[str]) -> None:
    until(
        lambda: witness.states(stage, codes) == wanted,
        SETTLE_S,
        f"of these orders there are {dict(wanted)}",
    )


def _loot(stage: Stage, supplier: Supplier, codes: list[str]) -> forged.Loot:
    """What was sent to us and verified: only those can be replayed with a signature that holds."""
    until(
        lambda: (
            not [
                one
                for one in supplier.state()["webhooks"]
                if one["outcome"] == "queued"
            ]
        ),
        SETTLE_S,
        "all are sent",
    )
    genuine = [bytes(body) for (body,) in witness.rows(
        stage,
        "SELECT body FROM webhook_events WHERE verified_by = 'platform_data_secret' AND order_ref = ANY(%s)",
        witness.references(stage, codes),
    )]  # fmt: skip
    must(len(genuine) >= 10, f"only {len(genuine)} genuine webhooks came")
    return forged.Loot(witness.references(stage, codes), genuine)


def _buy(stage: Stage, supplier: Supplier, counter: Counter) -> float:
    """Release a batch and wait until the supplier has charged all of it. Returns the seconds."""
    began = time.monotonic()
    counter.release()
    refs = set(witness.references(stage, counter.codes))
    until(
        lambda: refs <= set(witness.charges(stage)), SETTLE_S * 2, "the batch is bought"
    )
    return time.monotonic() - began


def _wait_until_quiet(stage: Stage) -> None:
    query = (
        "SELECT count(*) FROM outbox WHERE order_id IS NOT NULL AND done_at IS NULL AND (due_at <"
        " now() OR lease_until > now())"
    )
    try:
        until(lambda: witness.rows(stage, query)[0][0] == 0, SETTLE_S, "nothing is due")
    except Failed as failure:
        raise Failed(f"{failure}; {_what_is_due(stage)}") from failure


def _what_is_due(stage: Stage) -> str:
    """Rows that kept the queue from being quiet, the budget, and the newest calls."""
    rows = witness.rows(
        stage,
        "SELECT o.state, o.wait_reason, b.due_at - now(), b.lease_until - now(), b.lease_no,"
        " b.looked_at - now(), b.news_at - now() FROM outbox b JOIN orders o ON o.id = b.order_id"
        " WHERE b.done_at IS NULL ORDER BY b.due_at LIMIT 8",
    )
    link = witness.rows(stage, "SELECT to_jsonb(s) FROM supplier_state s")
    calls = witness.rows(
        stage,
        "SELECT endpoint, outcome, now() - at FROM supplier_calls ORDER BY id DESC LIMIT 12",
    )
    return f"due: {rows}; link: {link}; calls: {calls}"


def _picture(stage: Stage, besides: list[str]) -> dict[str, list[Any]]:
    return {
        name: witness.rows(stage, query, besides) for name, query in _PICTURE.items()
    }


def _difference(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> list[Any]:
    return [line for name in before for line in set(after[name]) ^ set(before[name])][
        :4
    ]


def _judge_look_ups(
    stage: Stage, storm: Storm, began_at: float, ended_at: float
) -> None:
    """Ten look-ups a window may be caused by rings; the checks of orders with the network were due
    anyway."""
    window_s = WINDOW_S / stage.running.time_scale
    storm.look_ups = sum(
        one.endpoint == "status" for one in witness.requests(stage, began_at)
    )
    since = [at for (at,) in witness.rows(
        stage,
        "SELECT extract(epoch FROM processing_at)::float FROM orders WHERE state = 'processing'"
    )]  # fmt: skip
    due_at = [
        at + check_at / stage.running.time_scale * 1.1
        for at in since
        for check_at in LADDER_S
    ]  # a tenth late at most, by their jitter
    storm.look_ups_due = sum(
        began_at - window_s / 6 < check_at < ended_at + window_s / 6
        for check_at in due_at
    )
    windows = math.floor((ended_at - began_at) / window_s) + 1
    storm.look_ups_allowed = storm.look_ups_due + RING_LOOKUPS * windows
    must(
        storm.look_ups <= storm.look_ups_allowed,
        f"{storm.look_ups} look-ups in {windows} windows, {storm.look_ups_due:.0f} were due anyway",
    )


def _judge_events(stage: Stage, storm: Storm, loot: forged.Loot, before: int) -> None:
    signed = [json.loads(body)["data"] for body in loot.genuine]
    kept = witness.rows(
        stage,
        "SELECT body, verified_by, order_ref, raw_status FROM webhook_events WHERE id > %s AND"
        " octet_length(body) > 0",
        before,
    )
    for body, by, reference, word in kept:
        if by is not None:
            data = json.loads(body)["data"]
            said = (data.get("reference"), data.get("new_status") or data.get("status"))
            must(
                data in signed and said == (reference, word),
                f"a forged body counts as verified: {bytes(body)!r}",
            )
    storm.events, storm.event_bytes = len(kept), sum(len(body) for body, *_ in kept)
    most = Config.strangers_kept_in_hour * 2 + Config.webhooks_kept_of_order * len(
        loot.references
    )
    must(
        storm.events <= most + SENDERS,
        f"{storm.events} events were kept, {most} at most should be",
    )


def _events(stage: Stage) -> int:
    return int(
        witness.rows(stage, "SELECT coalesce(max(id), 0) FROM webhook_events")[0][0]
    )


def main() -> int:
    """Run one storm on a stage of its own; 0 when every rule held."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.storm",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--bodies", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=50, help="orders bought meanwhile")
    parser.add_argument(
        "--rate", type=float, default=RATE_A_SECOND, help="bodies a second"
    )
    parser.add_argument("--scale", type=float, default=10.0)
    parser.add_argument(
        "--seed", type=int, default=None, help="default: drawn, and printed"
    )
    asked = parser.parse_args()
    seed = (
        asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    )
    print(f"seed {seed}", flush=True)
    try:
        with Stage(scale=asked.scale, workers=3) as stage:
            for line in run(stage, asked.bodies, asked.batch, seed, asked.rate).lines():
                print(line, flush=True)
    except Failed as failure:
        print(f"FAILED with seed {seed}: {failure}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
