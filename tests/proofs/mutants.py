"""Taking one safety rule out, to see that the tests notice: eight mutants, each a patch on shipped
functions.

A mutant is put in when a harness starts, here or in real processes (`tests/proofs/inject`). The
shipped rooms hold no switch and do not know of this file. `python -m tests.proofs.mutants` looks,
for each mutant, for a seed of the simulation that breaks an invariant with it and none without it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg

from tests.proofs import patching
from tests.proofs.patching import Undo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.orders import Claim, Order
    from tests.proofs.sim_database import Database
    from tests.proofs.sim_profile import Profile

ORDERS, MOST_SEEDS = 6, 60
"""Each shows in as few orders; a red seed is soon found, and each is run twice."""


@dataclass(frozen=True)
class Mutant:
    """One rule taken out. `patch` changes the shipped functions of this process and says how to
    undo it."""

    name: str
    without: str
    patch: Callable[[], list[Undo]]
    weather: Callable[[Profile], None] | None = None
    """What the simulation's days are like when it looks for this mutant, where the usual ones
    seldom show it."""
    in_database: Callable[[psycopg.Connection[Any]], None] | None = None
    """What is taken out of the database itself, by a superuser or the owner of its tables."""


def apply(name: str) -> list[Undo]:
    """Take the rule `name` out of this process. Raises `KeyError` for a name that is none."""
    from tests.proofs import online_mutants

    return (online_mutants.MUTANTS | MUTANTS)[name].patch()


@contextmanager
def applied(name: str) -> Iterator[None]:
    """Without the rule `name`, for a while."""
    undos = apply(name)
    try:
        yield
    finally:
        patching.undo_all(undos)


def _claim_before_call() -> list[Undo]:
    """The claim is written after the call, together with its answer, as one would do without
    thinking of kill -9."""
    from core.base import clock, config
    from core.base.db import joined_transaction
    from core.orders import Claim, claiming
    from fulfilment.buying import answers

    claim_together, close_purchase = claiming.claim_together, answers.close_purchase

    def only_look(order_ids: Sequence[int]) -> list[Claim]:
        with joined_transaction():
            found = [
                order
                for order in claiming.locked_all(order_ids)
                if order.state == "queued"
            ]
            until = clock.steady_s() + clock.seconds(config.current().send_lease_s)
            return [
                Claim(
                    order.id,
                    order.attempt + 1,
                    order.order_ref,
                    order.product_name,
                    order.capacity,
                    order.recipient_msisdn,
                    until,
                    order.ever_unknown,
                )
                for order in found
            ]

    def claim_then_close(lease: Any, claim: Claim, *answer: Any) -> Any:
        claim_together([claim.order_id])
        return close_purchase(lease, claim, *answer)

    return [
        patching.everywhere(claim_together, only_look),
        patching.everywhere(close_purchase, claim_then_close),
    ]


def _unknown_state() -> list[Undo]:
    """No clear answer is taken for "not sent"."""
    from fulfilment.buying import answers
    from integrations.ports import NotSent, Unknown

    close_purchase = answers.close_purchase

    def hope(lease: Any, claim: Claim, result: Any, *rest: Any) -> Any:
        told = NotSent(result.reason) if isinstance(result, Unknown) else result
        return close_purchase(lease, claim, told, *rest)

    return [patching.everywhere(close_purchase, hope)]


def _grace() -> list[Undo]:
    """ "Not found" counts from the moment of the claim."""
    from core.base import config
    from core.orders import absence

    class NoGrace:
        def __init__(self) -> None:
            self._known: dict[int, Any] = {}

        def current(self) -> Any:
            settings = config.current()
            if id(settings) not in self._known:
                # past the check of the arithmetic
                hurried = object.__new__(type(settings))
                vars(hurried).update(vars(settings), grace_s=0)
                self._known = {id(settings): hurried}
            return self._known[id(settings)]

    return [patching.attribute(absence, "config", NoGrace())]


def _late_charges(profile: Profile) -> None:
    """The supplier often charges minutes after we hung up, or says nothing at all."""
    profile.character.dedupes = False
    profile.character.purchase_faults = {"late": 0.3, "lost": 0.1}


def _one_reference() -> list[Undo]:
    """Every attempt gets a reference of its own."""
    from core.orders import claiming, codes

    claim = claiming._claim

    def anew(order: Order) -> Claim:
        if order.attempt:
            order.order_ref = codes.new_order_ref()
        return claim(order)

    return [patching.everywhere(claim, anew)]


def _conditional_move() -> list[Undo]:
    """A late answer moves the order whatever its state and attempt are now: it is read as if the
    order still were as it was when the call began."""
    from core.orders import advancing, states
    from fulfilment.buying import interpret

    advance, move_of = advancing.advance, states.move_of
    of_accepted = interpret.of_accepted

    def always(
        order_id: int, to: Any, *, attempt: int | None = None, **rest: Any
    ) -> bool:
        return advance(order_id, to, **rest)

    def any_move(frm: str, to: str) -> Any:
        likely = next((move for move in states.TRANSITIONS if move.to == to), None)
        return move_of(frm, to) or (likely and replace(likely, frm=frm))

    def as_it_was(order: Order, answer: Any) -> Any:
        names = [column.key for column in type(order).__table__.columns]
        before = {name: getattr(order, name) for name in names} | {
            "state": "submitting"
        }
        return of_accepted(SimpleNamespace(**before), answer)  # type: ignore[arg-type]

    return [
        patching.everywhere(advance, always),
        patching.everywhere(move_of, any_move),
        patching.everywhere(of_accepted, as_it_was),
    ]


def _late_answers(profile: Profile) -> None:
    """Workers stop with an answer in their hands, and come back when others have settled the
    order."""
    profile.nemesis, profile.nemesis_share = {"hold_answer": 1.0}, 0.2
    profile.supervised = profile.time_limit = False


def _lease_check() -> list[Undo]:
    """A worker sends however old its claim is."""
    from core.orders import Claim

    return [patching.attribute(Claim, "may_send", property(lambda _claim: True))]


def _sweep() -> list[Undo]:
    """Nothing looks for rows that fell due: only the ring after a commit rings."""
    from fulfilment import relay

    return [patching.everywhere(relay.round_once, lambda _connection: 0)]


def _double_entry_check() -> list[Undo]:
    """Nothing in a process: the check is the database's own. See `disable_double_entry`."""
    return []


def disable_double_entry(connection: psycopg.Connection[Any]) -> None:
    """The double-entry check taken out of a real database, as the owner of its tables."""
    connection.execute("ALTER TABLE entries DISABLE TRIGGER entries_balanced")


def insert_unbalanced(connection: psycopg.Connection[Any]) -> bool:
    """Try to write a posting that sums to one pesewa, in a transaction. Whether it was taken."""
    try:
        with connection.transaction():
            connection.execute(
                "WITH posting AS (INSERT INTO postings (kind, n, note, actor_name, at) VALUES"
                " ('fund_float', 1, 'planted', 'chaos', clock_timestamp()) RETURNING id) INSERT"
                " INTO entries (posting_id, account_id, amount_pesewas, balance_pesewas) SELECT"
                " posting.id, accounts.id, 1, accounts.balance_pesewas + 1 FROM posting, accounts"
                " WHERE accounts.name = 'bank'"
            )
    except (psycopg.errors.CheckViolation, psycopg.errors.InsufficientPrivilege):
        return False
    return True


MUTANTS = {
    mutant.name: mutant
    for mutant in (
        Mutant(
            "claim_before_call",
            "the claim committed before the call",
            _claim_before_call,
        ),
        Mutant(
            "unknown_state",
            "no clear answer is unknown, not failed",
            _unknown_state,
            _late_charges,
        ),
        Mutant("grace", "absence counts only after grace", _grace, _late_charges),
        Mutant("one_reference", "one reference for life", _one_reference),
        Mutant(
            "conditional_move",
            "a move only from the state it was meant for",
            _conditional_move,
            _late_answers,
        ),
        Mutant("lease_check", "no call after the claim's lease", _lease_check),
        Mutant("sweep", "rows fall due by themselves", _sweep),
        Mutant(
            "double_entry_check",
            "a posting sums to zero",
            _double_entry_check,
            in_database=disable_double_entry,
        ),
    )
}


@dataclass(frozen=True)
class Caught:
    """A seed that is green with the rule and red without it."""

    seed: int
    invariant: str
    evidence: str
    events: int


def judge(
    name: str,
    seed: int,
    orders: int,
    database: Database,
    *,
    ignored: Sequence[str] = (),
) -> Caught | None:
    """Run one seed without the rule and, when that is red, with it. None unless only the first is
    red.

    Invariants in `ignored` may break: to see what harm is done when nobody watches the rule itself.
    """
    from tests.proofs import sim_seams
    from tests.proofs.sim_world import World

    mutant = MUTANTS[name]
    with sim_seams.installed():
        store = database.fresh()
        if mutant.in_database is not None:
            database.change(mutant.in_database)
        with applied(name):
            mutated = World(seed, orders, store, weather=mutant.weather)
            mutated.checks.ignored = frozenset(ignored)
            broken = mutated.run()
        if broken is None:
            return None
        if (
            World(seed, orders, database.fresh(), weather=mutant.weather).run()
            is not None
        ):
            return None
    return Caught(seed, *broken, mutated.events)


def hunt(
    name: str, seeds: Iterable[int], orders: int, database: Database
) -> Caught | None:
    """The first of these seeds that shows the mutant."""
    return next(
        filter(None, (judge(name, seed, orders, database) for seed in seeds)), None
    )


def main(words: Sequence[str]) -> int:
    """0 when every mutant was caught."""
    from tests.proofs import sim_database

    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.mutants", description=__doc__
    )
    parser.add_argument("names", nargs="*", help="only these mutants", metavar="mutant")
    parser.add_argument("--orders", type=int, default=ORDERS, help="orders in each run")
    options = parser.parse_args(words)
    missed = []
    print(
        "| mutant | what is taken out | seed | invariant broken | events until then | evidence |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    with sim_database.started() as database:
        for name in options.names or MUTANTS:
            found = hunt(name, range(1, MOST_SEEDS + 1), options.orders, database)
            line = f"| {name} | {MUTANTS[name].without} |"
            if found is None:
                missed.append(name)
                print(
                    f"{line} - | NOT CAUGHT in {MOST_SEEDS} seeds | - | - |", flush=True
                )
                continue
            line += f" {found.seed} | {found.invariant} | {found.events} | {found.evidence} |"
            print(line, flush=True)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
