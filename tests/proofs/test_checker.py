"""The checker goes red, and names the invariant, for each thing that can be wrong: nothing it says
green of is unproven.

A small honest world is made by our own code and the sandbox, then one thing in it is spoiled: a
line of the supplier's file, a row of ours, a line of the diary, a figure of the run.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from desk import Desk
from flask import Flask
from psycopg.rows import dict_row
from seed import FLOAT_PESEWAS

from integrations.sandbox import app as sandbox_app
from integrations.sandbox.store import Store
from tests.proofs import ROOT, checker
from tests.proofs.diary import Diary

pytestmark = [pytest.mark.slow(seconds=0.5), pytest.mark.alone]


@dataclass
class World:
    """Two completed orders and a refunded one, and everything the checker is given about them."""

    run: dict[str, Any]
    connection: psycopg.Connection[Any]
    completed: str
    refunded: str

    def check(self) -> dict[str, list[str]]:
        broken: dict[str, list[str]] = checker.check(self.run, self.connection)[
            "broken"
        ]
        return broken

    @contextmanager
    def as_it_was(self) -> Iterator[None]:
        """What is spoiled inside is whole again afterwards."""
        run, files = (
            copy.deepcopy(self.run),
            [Path(self.run[name]) for name in ("charge_file", "diary")],
        )
        texts = [path.read_text() for path in files]
        try:
            yield
        finally:
            self.run = run
            for path, text in zip(files, texts, strict=True):
                path.write_text(text)
            self.connection.rollback()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for line in Path(self.run["charge_file"]).read_text().splitlines()
        ]

    def write(self, lines: list[dict[str, Any]]) -> None:
        """Replace the supplier's file; its running balance is made to fit."""
        balance = 0
        for line in lines:
            if line["account"] == "first":
                balance += line["amount_pesewas"]
                line["balance_pesewas"] = balance
        Path(self.run["charge_file"]).write_text(
            "".join(json.dumps(line) + "\n" for line in lines)
        )

    def line(self, reference: str, kind: str = "charge") -> dict[str, Any]:
        return next(
            line
            for line in self.lines
            if line["reference"] == reference and line["kind"] == kind
        )

    def sql(self, statement: str, *values: Any) -> None:
        """Change a row behind everybody's back, past triggers and keys."""
        self.connection.execute("SET LOCAL session_replication_role = replica")
        assert self.connection.execute(statement, values).rowcount != 0

    def open_case(self, kind: str, reference: str) -> None:
        self.sql(
            "INSERT INTO cases (store_id, order_id, kind, subject, title, evidence, opened_at)"
            " SELECT store_id, id, %s, 'order:' || id, %s, '[]', now() FROM orders WHERE order_ref"
            " = %s",
            kind,
            kind,
            reference,
        )


@pytest.fixture
def world(
    app: Flask, postgres: dict[str, str], jump: Callable[[float], None], tmp_path: Path
) -> Iterator[World]:
    sandbox = sandbox_app.create_sandbox(
        Store(tmp_path / "supplier.db", wallet_pesewas=FLOAT_PESEWAS),
        dropped=httpx.ReadError,
        dedupe=False,
    )
    written = Diary(tmp_path / "diary.jsonl")
    with app.app_context():
        desk = Desk(app, sandbox, jump)
        orders = [desk.release(slug) for slug in ("ama", "ama", "kofi")]
        for order in orders:
            written.note("placed", code=order.code)
            desk.work_until(order, "processing")
        for order, word, state in zip(
            orders,
            ("successful", "successful", "reversed"),
            ("completed", "completed", "refunded"),
            strict=True,
        ):
            desk.settle(order, word)
            desk.work_until(order, state)
        references = [desk.read(order).order_ref for order in orders]
    kill = {
        "at": 0,
        "kind": "worker",
        "pid": 1,
        "aimed": True,
        "ports": [1],
        "hit": True,
    }
    run = {
        "seed": 1,
        "bulk": "off",
        "scale": 1.0,
        "charge_file": str(sandbox.sandbox.store.charge_file.path),
        "diary": str(written.path),
        "database_url": postgres["admin"],
        "plan": {
            "kills": 2,
            "acts": {"flush": 2},
            "faults": ["purchase.delay"],
            "least_of_a_kind": 10,
            "few_in_cases": 0,
        },
        "faults": {"purchase.delay": 10},
        "kills": [kill, {**kill, "hit": False}],
        "acts": {"flush": 2},
        "abandoned": {"all": 1},
        "revived": [],
        "times_s": {"in all": 1.0},
    }
    with psycopg.connect(postgres["super"], row_factory=dict_row) as connection:
        yield World(run, connection, references[0], references[2])
        connection.rollback()
    written.close()
    sandbox.close()


def bought_twice(world: World) -> None:
    world.write([*world.lines, world.line(world.completed)])


def file_without_charges(world: World) -> None:
    world.write([line for line in world.lines if line["kind"] == "opening"])


def line_of_nobody(world: World) -> None:
    world.write(
        [*world.lines, {**world.line(world.completed), "reference": "MK-NOBODY"}]
    )


def order_gone(world: World) -> None:
    with Path(world.run["diary"]).open("a") as file:
        file.write('{"what": "placed", "code": "0000000000"}\n')


def refund_that_never_came(world: World) -> None:
    world.write([line for line in world.lines if line["kind"] != "refund"])


def delivery_nobody_paid_for(world: World) -> None:
    world.write([line for line in world.lines if line["reference"] != world.completed])


def charged_and_back_in_line(world: World) -> None:
    world.sql(
        "UPDATE orders SET state = 'queued' WHERE order_ref = %s", world.completed
    )


def never_ended(world: World) -> None:
    world.sql(
        "UPDATE orders SET state = 'processing' WHERE order_ref = %s", world.completed
    )


def leg_changed(world: World) -> None:
    world.sql(
        "UPDATE entries SET amount_pesewas = amount_pesewas + 1 WHERE id = (SELECT max(id) FROM"
        " entries)"
    )


def balance_changed(world: World) -> None:
    world.sql(
        "UPDATE accounts SET balance_pesewas = balance_pesewas - 1 WHERE name = 'margin'"
    )


def hold_kept(world: World) -> None:
    world.sql(
        "DELETE FROM postings WHERE kind = 'release' AND order_id = (SELECT id FROM orders WHERE"
        " order_ref = %s)",
        world.refunded,
    )


def captured_twice(world: World) -> None:
    world.sql(
        "UPDATE postings SET kind = 'capture' WHERE kind = 'release' AND order_id = (SELECT id FROM"
        " orders WHERE order_ref = %s)",
        world.refunded,
    )


def supplier_took_more(world: World) -> None:
    dearer = [
        (
            {**line, "amount_pesewas": line["amount_pesewas"] - 1}
            if line["reference"] == world.completed
            else line
        )
        for line in world.lines
    ]
    world.write(dearer)


def one_in_a_case(world: World) -> None:
    world.open_case("resend_limit", world.completed)


def bug_in_a_case(world: World) -> None:
    world.open_case("broken", world.completed)


def a_kill_short(world: World) -> None:
    world.run["kills"].pop()


def no_hits(world: World) -> None:
    for kill in world.run["kills"]:
        kill["hit"] = False


def a_fault_short(world: World) -> None:
    world.run["faults"]["purchase.delay"] = 9


def late_success_without_a_case(world: World) -> None:
    world.run["revived"] = [world.refunded]


SPOILED: dict[str, Callable[[World], None]] = {
    "charge_file": file_without_charges,
    "double_charge": bought_twice,
    "stranger_charge": line_of_nobody,
    "lost_order": order_gone,
    "refunded_but_delivered": refund_that_never_came,
    "completed_not_charged": delivery_nobody_paid_for,
    "failed_but_charged": charged_and_back_in_line,
    "not_terminal": never_ended,
    "ledger_sum": leg_changed,
    "cached_balance": balance_changed,
    "hold_left": hold_kept,
    "posting_shape": captured_twice,
    "float_differs": supplier_took_more,
    "too_many_cases": one_in_a_case,
    "case_reason": bug_in_a_case,
    "too_few_kills": a_kill_short,
    "too_few_hits": no_hits,
    "too_few_faults": a_fault_short,
    "late_success_unseen": late_success_without_a_case,
}


def test_an_honest_world_is_green_and_every_invariant_has_a_lie(world: World) -> None:
    assert world.check() == {}
    assert set(SPOILED) == set(checker.INVARIANTS)


def test_each_lie_is_named(world: World) -> None:
    named = {}
    for invariant, lie in SPOILED.items():
        with world.as_it_was():
            lie(world)
            named[invariant] = sorted(world.check())
    assert [
        invariant for invariant, said in named.items() if invariant not in said
    ] == [], named
    assert world.check() == {}


def test_what_the_supplier_charges_again_by_itself_is_no_purchase_of_ours(
    world: World,
) -> None:
    again = {**world.line(world.refunded), "cause": "requeue"}
    world.write([*world.lines, again])
    world.open_case("late_success", world.refunded)
    broken = world.check()
    # one of three; its case explains the money
    assert set(broken) == {"too_many_cases"}


def test_the_program_prints_the_report_and_leaves_with_the_verdict(
    world: World, tmp_path: Path
) -> None:
    place = tmp_path / "run.json"

    def judge() -> subprocess.CompletedProcess[str]:
        place.write_text(json.dumps(world.run))
        argv = [sys.executable, "-m", "tests.proofs.checker", str(place)]
        return subprocess.run(
            argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )

    green = judge()
    assert (green.returncode, green.stderr) == (0, "")
    assert (
        "verdict    GREEN" in green.stdout
        and json.loads((tmp_path / "report.json").read_text())["green"]
    )
    bought_twice(world)
    red = judge()
    assert red.returncode == 1
    assert (
        "RED        double_charge: not true that no order was bought twice"
        in red.stdout
    )
