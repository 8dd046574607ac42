"""The commands of fulfilment as a person types them: what they print, what they leave behind, what
they refuse."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import Result
from desk import Desk
from flask import Flask
from seed import FLOAT_PESEWAS
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from core import catalog, ledger, reconcile, stores
from core.accounts import logging_in, logins, users
from core.accounts.devices import Place
from core.base import clock, config, database_identity, tenancy
from core.base.db import db
from core.stores import Store
from core.supplier import balances, records, supply
from fulfilment import relay
from fulfilment.buying import supplier_link
from integrations.datamart.client import DataMart
from operations import seeds, supervise, worker

pytestmark = pytest.mark.slow(seconds=0.12)

PEOPLE = {
    name: {"email": f"{name}@shop.example", "password": f"{name} has a password"}
    for name in ("owner", "ama", "kofi")
}

HERE = Place("10.0.0.1", "portal")


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The long-running commands take the signals of their process over; they are put back."""
    before = {
        number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def command(app: Flask) -> Callable[..., Result]:
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=[str(word) for word in words])


def verdicts(output: str) -> dict[str, str]:
    rows = re.findall(
        r"(?m)^(GET \S+) +(works|gone|broken|refused|unreachable|no information) ",
        output,
    )
    return dict(rows)


WORKS = dict.fromkeys(
    (
        "GET /v1/account",
        "GET /v1/balance",
        "GET /v1/products",
        "GET /v1/capacities",
        "GET /v1/transactions/{ref}",
        "GET /v1/statistics",
    ),
    "works",
) | {"GET /v1/transactions": "no information"}
PRODUCTS = {"documented": 37, "published": 14, "forwarding": 14}
QUIRKS = {"GET /v1/capacities": "gone", "GET /v1/statistics": "broken"}


@pytest.mark.parametrize(
    ("profile", "different"),
    [("documented", {}), ("published", QUIRKS), ("forwarding", QUIRKS)],
)
def test_check_says_which_endpoint_works(
    make_desk: Callable[..., Desk],
    command: Callable[..., Result],
    profile: str,
    different: dict[str, str],
) -> None:
    make_desk(profile)
    result = command("supplier", "check")
    assert result.exit_code == 0
    assert verdicts(result.output) == WORKS | different
    for detail in (
        "dealer, active, balance 2000.00",
        f"{PRODUCTS[profile]} products",
        " sizes",
        "an empty list proves nothing",
    ):
        assert detail in result.output
    with tenancy.across_stores():
        assert {line.endpoint for line in records.calls()} >= {
            "account",
            "balance",
            "products",
            "status",
            "statistics",
        }


def test_check_counts_the_list_where_the_supplier_has_one(
    desk: Desk, command: Callable[..., Result]
) -> None:
    desk.release()
    desk.work()
    output = command("supplier", "check").output
    assert verdicts(output)["GET /v1/transactions"] == "works"
    assert "1 rows" in output


def test_check_of_a_supplier_that_is_away_says_so_for_each_endpoint(
    app: Flask, command: Callable[..., Result]
) -> None:
    app.extensions["supplier"] = DataMart(
        "http://127.0.0.1:9/api", "k", "s", on_call=None, clock=clock.now
    )
    result = command("supplier", "check")
    assert result.exit_code == 0
    assert verdicts(result.output) == dict.fromkeys(WORKS, "unreachable")


def test_check_with_wrong_keys_says_refused(
    desk: Desk, command: Callable[..., Result]
) -> None:
    desk.plan("http_401", endpoint="any", times=20)
    assert set(verdicts(command("supplier", "check").output).values()) == {"refused"}


def test_sync_reads_the_list_and_applies_it(
    desk: Desk, command: Callable[..., Result]
) -> None:
    result = command("supplier", "sync")
    assert (
        result.exit_code,
        f"{PRODUCTS['documented']} products read" in result.output,
    ) == (
        0,
        True,
    )
    with tenancy.across_stores():
        report = catalog.last_sync()
    assert report is not None
    assert report.ok


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("http_401", "credentials"),
        ("text_429", "429"),
        ("empty_503", "could not be read"),
        ("html_502", "could not be"),
    ],
)
def test_a_list_that_cannot_be_had_changes_nothing_and_says_why(
    desk: Desk, command: Callable[..., Result], fault: str, says: str
) -> None:
    desk.plan(fault, endpoint="products", times=9)
    with tenancy.across_stores():
        before = [(b.id, b.active, b.cost_pesewas) for b in catalog.all_bundles()]
    result = command("supplier", "sync")
    assert "Nothing was changed." in result.output
    with tenancy.across_stores():
        report = catalog.last_sync()
        assert before == [
            (b.id, b.active, b.cost_pesewas) for b in catalog.all_bundles()
        ]
        link = supply.state()
    assert report is not None
    assert not report.ok
    assert (link.credentials_refused_since is not None) == (fault == "http_401")
    assert (link.closed_until is not None) == (fault == "text_429")


def test_balance_is_read_and_judged(
    make_desk: Callable[..., Desk], command: Callable[..., Result]
) -> None:
    make_desk()
    assert command("supplier", "balance").output.endswith("fits\n")
    make_desk(wallet_pesewas=FLOAT_PESEWAS - 700)
    assert (
        "less than expected by GH₵\N{NO-BREAK SPACE}7.00, seen once"
        in command("supplier", "balance").output
    )


def test_the_balance_is_not_judged_beside_a_purchase_under_way(
    desk: Desk, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supplier_link, "_TURN_WAIT_MS", 50)
    with supplier_link.wallet_turn() as turn:
        assert turn
        result = command("supplier", "balance")
    assert (result.exit_code, "A purchase is under way" in result.output) == (1, True)
    assert records.calls(endpoint="balance") == []


def test_a_balance_that_cannot_be_read_says_why_and_judges_nothing(
    desk: Desk, command: Callable[..., Result]
) -> None:
    desk.plan("http_401", endpoint="balance", times=1)
    result = command("supplier", "balance")
    assert result.exit_code == 0
    with tenancy.across_stores():
        assert balances.newest(5) == []


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.json"
    path.write_text(json.dumps(PEOPLE))
    return path


@pytest.fixture
def nothing_yet(app: Flask, postgres: dict[str, str]) -> None:
    """A database as the migrations leave it: the platform's accounts and nothing else."""
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        found = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        tables = ", ".join(
            name for (name,) in found if name not in ("alembic_version", "signing_keys")
        )
        connection.execute(f"SET session_replication_role = replica; TRUNCATE {tables}")
        connection.execute(
            "INSERT INTO accounts SELECT id, name, 0, store_id FROM seed.accounts WHERE store_id IS"
            " NULL"
        )
        connection.execute(database_identity.REMEMBER)


@pytest.mark.slow(seconds=0.2)
def test_the_demo_makes_two_shops_that_can_sell_and_the_second_time_changes_nothing(
    nothing_yet: None, desk: Desk, command: Callable[..., Result], people: Path
) -> None:
    first = command("seed", "--demo", "--passwords-file", people)
    assert (
        first.exit_code,
        f"{PRODUCTS['documented']} products read" in first.output,
    ) == (0, True)

    def rows() -> tuple[Any, ...]:
        with tenancy.across_stores():
            return (
                [
                    store.slug
                    for store in db.session.scalars(select(Store).order_by(Store.slug))
                ],
                ledger.books().postings,
                ledger.platform_balances()["supplier_float"],
                db.session.scalar(select(func.count()).select_from(users.User)),
            )

    # Two fundings of wallets and the float's opening balance.
    assert rows() == (["ama", "kofi"], 3, FLOAT_PESEWAS, 3)
    for slug in ("ama", "kofi"):
        with desk.inside(slug):
            assert ledger.wallet().available_pesewas == seeds.DEMO_WALLET_PESEWAS
            assert {line.network for line in catalog.shelf()} == {
                "mtn",
                "telecel",
                "at",
            }
        assert (
            logging_in.authenticate(
                PEOPLE[slug]["email"], PEOPLE[slug]["password"], HERE
            )
            is not None
        )
    before = rows()
    assert command("seed", "--demo", "--passwords-file", people).exit_code == 0
    assert rows() == before
    with tenancy.across_stores():
        # As a relay does that lives: before the first look nobody knows what can be bought.
        reconcile.renew()
    order = desk.release()
    desk.work()
    assert desk.read(order).state == "processing"


@pytest.mark.slow(seconds=0.2)
def test_a_new_password_in_the_file_replaces_the_old_and_ends_log_ins_by_it(
    nothing_yet: None, desk: Desk, command: Callable[..., Result], people: Path
) -> None:
    command("seed", "--demo", "--passwords-file", people)
    ama = users.by_email(PEOPLE["ama"]["email"])
    assert ama is not None
    token = logins.start_login(ama, "portal")
    command("seed", "--demo", "--passwords-file", people)
    assert logins.login_of(token, "portal") is not None
    people.write_text(
        json.dumps(PEOPLE | {"ama": PEOPLE["ama"] | {"password": "another password"}})
    )
    command("seed", "--demo", "--passwords-file", people)
    assert (
        logging_in.authenticate(PEOPLE["ama"]["email"], "another password", HERE)
        is not None
    )
    assert (
        logging_in.authenticate(PEOPLE["ama"]["email"], PEOPLE["ama"]["password"], HERE)
        is None
    )
    assert logins.login_of(token, "portal") is None


def test_the_demo_with_the_supplier_away_still_makes_the_shops(
    nothing_yet: None, app: Flask, command: Callable[..., Result], people: Path
) -> None:
    app.extensions["supplier"] = DataMart(
        "http://127.0.0.1:9/api", "k", "s", on_call=None, clock=clock.now
    )
    result = command("seed", "--demo", "--passwords-file", people)
    assert (result.exit_code, "Nothing was changed." in result.output) == (0, True)
    with app.app_context():
        store = stores.by_slug("ama")
    assert store is not None


def test_the_demo_with_no_call_left_makes_the_shops_without_a_list(
    nothing_yet: None, desk: Desk, command: Callable[..., Result], people: Path
) -> None:
    supply.close_until(clock.after(60))
    assert (
        command("seed", "--demo", "--passwords-file", people).output
        == "Demo rows are in place.\n"
    )
    with tenancy.across_stores():
        assert records.calls() == []


def test_the_owner_alone_gets_a_password_that_is_shown_once(
    nothing_yet: None, app: Flask, command: Callable[..., Result]
) -> None:
    first = command("seed", "--owner-only")
    shown = re.search(r"owner: (\S+)  password: (\S+)", first.output)
    assert shown is not None
    with app.app_context():
        user = logging_in.authenticate(shown[1], shown[2], HERE)
        assert user is not None
        assert user.platform_role == "owner"
    second = command("seed", "--owner-only")
    assert second.output == "The owner exists already.\n"
    assert shown[2] not in second.output


def test_the_owner_s_password_may_come_from_a_file_and_is_not_printed_then(
    nothing_yet: None, app: Flask, command: Callable[..., Result], people: Path
) -> None:
    result = command("seed", "--owner-only", "--passwords-file", people)
    assert PEOPLE["owner"]["email"] in result.output
    assert PEOPLE["owner"]["password"] not in result.output
    with app.app_context():
        assert (
            logging_in.authenticate(
                PEOPLE["owner"]["email"], PEOPLE["owner"]["password"], HERE
            )
            is not None
        )


def test_a_file_with_another_password_changes_nothing_and_says_which_command_does(
    nothing_yet: None,
    app: Flask,
    command: Callable[..., Result],
    people: Path,
    tmp_path: Path,
) -> None:
    email, old = PEOPLE["owner"]["email"], PEOPLE["owner"]["password"]
    command("seed", "--owner-only", "--passwords-file", people)
    assert (
        command("seed", "--owner-only", "--passwords-file", people).output
        == "The owner exists already.\n"
    )
    for other in (
        {"email": email, "password": "a kettle on the roof"},
        {"email": "x@shop.example", "password": old},
    ):
        file = tmp_path / "other.json"
        file.write_text(json.dumps({"owner": other}))
        said = command("seed", "--owner-only", "--passwords-file", file)
        assert said.exit_code == 0 and "was NOT set" in said.output
        assert (
            f"flask --app wsgi user password {email}" in said.output
            and other["password"] not in said.output
        )
    with app.app_context():
        assert logging_in.authenticate(email, old, HERE) is not None
        assert users.by_email("x@shop.example") is None


@pytest.mark.parametrize("words", [("seed", "--owner-only"), ("seed", "--demo")])
def test_a_file_with_a_password_that_cannot_be_used_is_refused_with_a_sentence(
    nothing_yet: None,
    desk: Desk,
    command: Callable[..., Result],
    tmp_path: Path,
    words: tuple[str, ...],
) -> None:
    file = tmp_path / "weak.json"
    file.write_text(
        json.dumps(
            {**PEOPLE, "owner": {"email": "owner@shop.example", "password": "password"}}
        )
    )
    said = command(*words, "--passwords-file", file)
    assert (
        said.exit_code == 1
        and "A log-in of the file cannot be used. Use at least 12" in said.output
    )
    assert users.by_email("owner@shop.example") is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["seed"], "Give either --demo or --owner-only."),
        (["seed", "--demo", "--owner-only"], "Give either --demo or --owner-only."),
        (["seed", "--demo"], "--demo needs --passwords-file."),
        (["seed", "--demo", "--passwords-file", "/nowhere.json"], "does not exist"),
        (["supervise", "--workers", "0"], "0 is not in the range"),
        (["supplier", "burn"], "No such command"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused_with_a_sentence(
    command: Callable[..., Result], words: list[str], says: str
) -> None:
    result = command(*words)
    assert (result.exit_code, says in result.output) == (2, True)


def test_the_relay_runs_until_it_is_told_to_stop(
    desk: Desk, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[int] = []

    def round_once(_connection: object) -> int:
        rounds.append(1)
        if len(rounds) == 2:
            signal.raise_signal(signal.SIGTERM)
        # a full batch: the next round comes at once
        return config.current().relay_batch

    monkeypatch.setattr(relay, "round_once", round_once)
    assert command("relay").exit_code == 0
    assert len(rounds) == 2


def test_a_relay_whose_database_is_down_goes_on_when_it_is_back(
    app: Flask, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[int] = []

    def round_once(_connection: object) -> int:
        rounds.append(1)
        if len(rounds) == 1:
            raise OperationalError("SELECT", {}, Exception("gone"))
        signal.raise_signal(signal.SIGINT)
        return 0

    monkeypatch.setattr(relay, "round_once", round_once)
    monkeypatch.setattr(relay, "_DOWN_S", 0.01)
    assert command("relay").exit_code == 0
    assert len(rounds) == 2


def test_the_worker_command_works_on_the_valkey_of_the_settings(
    app: Flask,
    command: Callable[..., Result],
    valkey: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[tuple[Flask, str, bool]] = []

    def run(app_: Flask, url: str, *, of_payments: bool) -> None:
        given.append((app_, url, of_payments))

    monkeypatch.setattr(worker, "run", run)
    assert command("worker").exit_code == 0
    assert command("worker", "--payments").exit_code == 0
    assert given == [(app, valkey, False), (app, valkey, True)]


@pytest.mark.parametrize(("words", "workers"), [([], 2), (["--workers", "3"], 3)])
def test_supervise_starts_as_many_workers_as_it_is_told(
    app: Flask,
    command: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    workers: int,
) -> None:
    path, seen = tmp_path / "pids.json", []
    write = supervise._write_pids

    def written(to: Path, children: list[supervise.Child]) -> None:
        write(to, children)
        seen.append(json.loads(path.read_text()))
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(supervise, "_write_pids", written)
    monkeypatch.setattr(supervise, "_flask", lambda _command: ["sleep", "60"])
    assert command("supervise", "--pids-file", path, *words).exit_code == 0
    assert [len(seen[0]["relay"]), len(seen[0]["worker"])] == [1, workers]
    assert not path.exists()
