"""What `up` decides before it starts anything."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from devkit import daemons, keys, plan, ready
from devkit.plan import Plan, Refusal


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., Plan]:
    """A plan for an environment and options, on port 8000, with a sandbox unless a supplier is
    named."""

    def make(*words: str, **environ: str) -> Plan:
        sandbox_port = 0 if "DATA_MART_API_URL" in environ else 9100
        return Plan(
            plan.parse(words),
            plan.private(environ),
            tmp_path,
            keys.load(tmp_path / "secrets.json"),
            8000,
            sandbox_port,
        )

    return make


REAL = {
    "DATA_MART_API_URL": "https://api.supplier.example/api",
    "DATA_MART_API_KEY": "k",
    "DATA_MART_API_SECRET": "s",
}


@pytest.mark.parametrize(
    ("supplier", "words", "wanted"),
    [
        (None, [], True),
        ("http://127.0.0.1:9000/api", [], True),
        ("http://127.8.8.8/api", [], True),
        ("http://[::1]:9000/api", [], True),
        ("http://localhost:9000/api", [], True),
        ("https://api.supplier.example/api", [], False),
        ("https://api.supplier.example/api", ["--demo"], True),
        ("https://localhost.example/api", [], False),
        ("http://10.0.0.1/api", [], False),
        ("http://0.0.0.0/api", [], False),
    ],
)
def test_demo_data_never_meet_real_money_unasked(
    planned: Callable[..., Plan], supplier: str | None, words: list[str], wanted: bool
) -> None:
    assert (
        planned(
            *words, **({"DATA_MART_API_URL": supplier} if supplier else {})
        ).wants_demo
        is wanted
    )


def test_with_an_empty_environment_everything_is_made(
    planned: Callable[..., Plan],
) -> None:
    what = planned()
    config = what.check()
    assert (what.has_own_database, what.has_own_valkey) == (True, True)
    assert config.base_domain == "localhost"
    assert config.public_scheme == "http"
    assert config.public_port == 8000
    assert config.data_mart_api_url == "http://127.0.0.1:9100/api"
    assert what.public_url("ama") == "http://ama.localhost:8000"
    assert what.webhook_url == f"http://127.0.0.1:8000/datamart/{config.webhook_token}"


def test_the_sandbox_gateway_is_told_to_the_program(tmp_path: Path) -> None:
    told = keys.load(tmp_path / "secrets.json")
    what = Plan(plan.parse([]), {}, tmp_path, told, 8000, 9100, 9200)
    config = what.check()
    assert config.paystack_api_url == "http://127.0.0.1:9200"
    assert what.gateway_hook == "http://127.0.0.1:8000/paystack"
    assert (config.paystack_mode, config.paystack_secret_key) == (
        "test",
        told["paystack_key"],
    )
    without = Plan(plan.parse([]), {}, tmp_path, told, 8000, 9100, 0).check()
    assert (without.paystack_mode, without.paystack_secret_key) == ("", "")


def test_what_the_person_set_is_kept(planned: Callable[..., Plan]) -> None:
    what = planned(
        **REAL, MAKOLA_BASE_DOMAIN="shop.example", MAKOLA_PUBLIC_SCHEME="https",
        MAKOLA_PUBLIC_PORT="0",
        MAKOLA_SECRET_KEY="s" * 40, MAKOLA_WEBHOOK_TOKEN="t" * 30,
    )  # fmt: skip
    config = what.check()
    assert config.secret_key == "s" * 40
    assert config.data_mart_api_url == REAL["DATA_MART_API_URL"]
    assert config.data_mart_api_secret == "s"
    assert what.public_url("ama") == "https://ama.shop.example"
    assert what.webhook_url == f"https://hooks.shop.example/datamart/{'t' * 30}"


def test_one_machine_may_play_all_customers(planned: Callable[..., Plan]) -> None:
    config = planned().check()
    assert (config.orders_open_per_device, config.orders_open_per_address) == (
        10_000,
        10_000,
    )
    config = planned(
        MAKOLA_ORDERS_OPEN_PER_DEVICE="5", MAKOLA_ORDERS_OPEN_PER_ADDRESS="30"
    ).check()
    assert (config.orders_open_per_device, config.orders_open_per_address) == (5, 30)


def test_options_become_settings(planned: Callable[..., Plan]) -> None:
    config = planned("--workers", "3", "--time-scale", "20").check()
    assert (config.workers, config.time_scale) == (3, 20.0)


def test_forced_wheels_hide_servers_of_the_machine(
    planned: Callable[..., Plan],
) -> None:
    servers = {
        "DATABASE_URL": "postgresql://a@h/d",
        "DATABASE_ADMIN_URL": "postgresql://o@h/d",
        "REDIS_URL": "redis://h",
    }
    assert not planned(**servers).has_own_database
    forced = planned(**servers, MAKOLA_FORCE_WHEELS="1")
    assert (forced.has_own_database, forced.has_own_valkey) == (True, True)
    assert not {"DATABASE_URL", "DATABASE_ADMIN_URL", "REDIS_URL"} & set(forced.environ)


def test_an_empty_variable_is_an_absent_one(planned: Callable[..., Plan]) -> None:
    assert planned(DATABASE_URL="", REDIS_URL="  ").has_own_database


def test_every_wrong_setting_is_named_at_once(planned: Callable[..., Plan]) -> None:
    with pytest.raises(Refusal) as refusal:
        planned(DATA_MART_API_URL="ftp://x", MAKOLA_WORKERS="many").check()
    for name in (
        "DATA_MART_API_URL",
        "DATA_MART_API_KEY",
        "DATA_MART_API_SECRET",
        "MAKOLA_WORKERS",
    ):
        assert name in str(refusal.value)


@pytest.mark.parametrize("server", ["granian", "gunicorn"])
def test_a_server_that_lets_half_a_form_hold_a_thread_is_refused_in_a_sentence(
    server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        plan.parse(["--server", server])
    assert refused.value.code == 2
    said = capsys.readouterr().err
    assert f"{server} is no longer used" in said and "flask --app wsgi web" in said


@pytest.mark.parametrize(
    "words",
    [["--web-workers", "0"], ["--workers", "65"], ["--port", "x"], ["--server", "x"]],
)
def test_an_option_that_makes_no_sense_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        plan.parse(words)
    assert stop.value.code == 2


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_there_are_ports_that_do_not_exist(port: int) -> None:
    with pytest.raises(Refusal, match="There is no port"):
        plan.choose_port(port)


def test_a_port_taken_on_the_other_loopback_is_taken() -> None:
    port = daemons.free_port()
    try:
        other = socket.create_server(("::1", port), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with other:
        assert plan.is_taken(port)
    assert not plan.is_taken(port)


def test_keys_are_random_kept_and_closed_to_others(tmp_path: Path) -> None:
    first = keys.load(tmp_path / "secrets.json")
    assert keys.load(tmp_path / "secrets.json") == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    other = keys.load(tmp_path / "other.json")
    assert all(first[name] != other[name] for name in first)
    assert os.listdir(tmp_path) and not [
        name for name in os.listdir(tmp_path) if name.count(".") > 1
    ]
    for person in ("owner", "ama", "kofi"):
        assert len(first[person]["password"]) == 19


def test_a_key_that_a_newer_version_needs_is_added_to_the_old_ones(
    tmp_path: Path,
) -> None:
    keys.save(tmp_path / "secrets.json", {"secret_key": "kept"})
    after = keys.load(tmp_path / "secrets.json")
    assert after["secret_key"] == "kept"
    assert len(after["webhook_token"]) >= 22


def test_the_owners_password_shows_once_where_there_is_no_demo(
    planned: Callable[..., Plan],
) -> None:
    what = planned(**REAL)
    told = ready.facts(
        what, {"DATABASE_URL": "d", "DATABASE_STORE_URL": "s", "REDIS_URL": "r"}, "a"
    )
    password = told["logins"]["owner"]["password"]
    assert set(told["logins"]) == {"owner"}
    assert told["store_urls"] == {}
    assert password in ready.banner(what, told)
    assert password not in ready.banner(what, told)


def test_the_webhook_command_names_no_secret(planned: Callable[..., Plan]) -> None:
    command = ready.webhook_command(
        planned(**{**REAL, "DATA_MART_API_SECRET": "very-secret"})
    )
    assert "-X PUT 'https://api.supplier.example/api/v1/webhook'" in command
    assert "very-secret" not in command


def test_a_supervisor_that_wrote_nothing_or_died_has_no_pids(tmp_path: Path) -> None:
    path = tmp_path / "supervise.json"
    assert ready.supervised(path) == {"worker": [], "relay": [], "payments": []}
    path.write_text("{half")
    assert ready.supervised(path) == {"worker": [], "relay": [], "payments": []}
    path.write_text(f'{{"worker": [{os.getpid()}, 4194305], "relay": []}}')
    assert ready.supervised(path) == {
        "worker": [os.getpid()],
        "relay": [],
        "payments": [],
    }
