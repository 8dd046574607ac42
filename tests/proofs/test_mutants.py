"""Each safety rule taken out, one at a time: the simulation sees every one of the eight, and no
shipped code has a switch.

A mutant is caught when a seed is green with the rule and breaks a named invariant without it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable

import psycopg
import pytest
from flask import Flask

from tests.proofs import ROOT, mutants
from tests.proofs.kill import INJECT, Wanted
from tests.proofs.sim_database import Database

pytestmark = [pytest.mark.slow(seconds=0.3), pytest.mark.alone]

CAUGHT = {
    # mutant: (a seed that showed it, the invariants that may break). Whatever changes what happens
    # between two seams makes another run of a seed: when this one does not show the mutant any
    # more, others are tried.
    "claim_before_call": (1, {"claimed_before_sent"}),
    "unknown_state": (1, {"one_charge_per_order"}),
    "grace": (1, {"one_charge_per_order"}),
    "one_reference": (1, {"one_reference"}),
    "conditional_move": (
        3,
        {"final_stays_final", "one_hold_one_capture_or_release", "no_overdraft"},
    ),
    "lease_check": (7, {"no_send_after_lease"}),
    "sweep": (1, {"everything_terminal_or_in_case"}),
    "double_entry_check": (1, {"books_sum_to_zero"}),
}
BUYS_TWICE = 51
"""A seed in which the first mutant buys an order twice."""
SHIPPED = (
    "core",
    "fulfilment",
    "integrations",
    "storefront",
    "agent_portal",
    "admin_console",
    "edge",
    "http_server",
    "operations",
    "devkit",
    "supervision",
    "migrations",
    "wsgi.py",
    "dev.py",
)
TEXTS = {
    ".py",
    ".html",
    ".js",
    ".css",
    ".txt",
    ".ini",
    ".mako",
    ".toml",
    ".json",
    ".svg",
}


@pytest.mark.slow(seconds=3.6)
@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_a_rule_that_is_taken_out_is_seen(name: str, database: Database) -> None:
    seed, invariants = CAUGHT[name]
    found = mutants.hunt(
        name, (seed, *range(1, mutants.MOST_SEEDS + 1)), mutants.ORDERS, database
    )
    assert found is not None, (
        f"not seen in {mutants.MOST_SEEDS} seeds: is what it patches still what runs?"
    )
    assert found.invariant in invariants
    assert found.evidence


def test_a_claim_after_the_call_buys_twice_when_nobody_watches_the_claim(
    database: Database,
) -> None:
    broken = []
    for seed in (BUYS_TWICE, *range(1, 31)):
        found = mutants.judge(
            "claim_before_call",
            seed,
            mutants.ORDERS,
            database,
            ignored=["claimed_before_sent"],
        )
        broken += [found.invariant] if found else []
        if "one_charge_per_order" in broken:
            return
    pytest.fail(f"nothing was bought twice in thirty seeds, only {broken}")


def test_a_seed_that_is_red_anyway_catches_nothing(
    monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    from tests.proofs.sim_checks import Checks

    monkeypatch.setattr(
        Checks, "called", lambda self: self.breaks("calls_within_budget", "planted")
    )
    assert (
        mutants.judge("lease_check", CAUGHT["lease_check"][0], mutants.ORDERS, database)
        is None
    )


def test_a_mutant_is_gone_after_its_run() -> None:
    from core.orders import Claim

    too_late = Claim(
        1, 1, "MK-1", "YELLOW", "1GB", "+233240000001", begin_before_s=float("-inf")
    )
    with mutants.applied("lease_check"):
        assert too_late.may_send
    assert not too_late.may_send


def test_no_shipped_file_knows_of_a_mutant() -> None:
    files = [
        path
        for name in SHIPPED
        for path in (
            [ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*")
        )
    ]
    texts = [path for path in files if path.is_file() and path.suffix in TEXTS]
    other = (
        "common_passwords.txt",
        "prove.py",
    )  # words of people, and the command that runs the proofs
    read = [path for path in texts if path.name not in other]
    assert len(read) > 150
    found = [
        path.relative_to(ROOT).as_posix()
        for path in read
        if re.search(
            r"mutant|\bchaos\b|CHAOS_", path.read_text(encoding="utf-8"), re.IGNORECASE
        )
    ]
    assert found == []


LATE = """
import wsgi
from core.orders import Claim
print(Claim(1, 1, "MK-1", "YELLOW", "1GB", "+233240000001", begin_before_s=float("-inf")).may_send)
"""


def ask(mutant: str | None, code: str = LATE) -> subprocess.CompletedProcess[str]:
    """A process as the kill test starts them: the mutant's name in its environment,
    `tests/proofs/inject` on its path."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "CHAOS_MUTANT")
    }
    wanted = Wanted(seed=1, orders=1, kills=1, scale=1.0, bulk="off", mutant=mutant)
    given = {
        name: value for name, value in wanted.env.items() if name.startswith("CHAOS_")
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=clean | given | {"PYTHONPATH": str(INJECT)},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


@pytest.mark.slow(seconds=1.6)
@pytest.mark.parametrize(
    ("mutant", "sends"), [("lease_check", True), ("grace", False), (None, False)]
)
def test_a_real_process_runs_without_the_rule_that_its_environment_names(
    mutant: str | None, sends: bool
) -> None:
    done = ask(mutant)
    assert (done.stdout.strip(), done.returncode) == (str(sends), 0), done.stderr


def test_a_process_given_a_name_that_is_no_mutant_ends() -> None:
    done = ask("lease_chek")
    assert done.returncode != 0
    assert "KeyError: 'lease_chek'" in done.stderr
    assert done.stdout == ""


def test_without_its_trigger_the_database_takes_half_a_posting(
    app: Flask, postgres: dict[str, str], restore: Callable[[], None]
) -> None:
    """What `tests.proofs.kill --mutant double_entry_check` does to its database."""
    with psycopg.connect(postgres["admin"], autocommit=True) as owner:
        assert not mutants.insert_unbalanced(owner)
        mutants.disable_double_entry(owner)
        try:
            assert mutants.insert_unbalanced(owner)
        finally:
            owner.execute("ALTER TABLE entries ENABLE TRIGGER entries_balanced")
            restore()
        assert not mutants.insert_unbalanced(owner)
    with psycopg.connect(postgres["app"], autocommit=True) as shipped:
        assert not mutants.insert_unbalanced(shipped)


def test_a_trigger_that_a_mutant_switched_off_is_back_for_the_next_seed(
    database: Database,
) -> None:
    database.fresh()
    database.change(mutants.disable_double_entry)
    assert database.takes_unbalanced()
    database.fresh()
    assert not database.takes_unbalanced()
