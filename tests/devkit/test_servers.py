"""The private PostgreSQL and Valkey: who runs them, who may do what, what a kill leaves."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from projects import ROOT, until

from devkit import (
    daemons,
    databases,
    postgres_home,
    process_tree,
    servers,
    valkey_server,
)

pytestmark = [pytest.mark.slow, pytest.mark.servers]


@pytest.fixture(scope="module")
def shared() -> Iterator[servers.Postgres]:
    """One server for the tests that only look."""
    made = Path(tempfile.mkdtemp(prefix="makola-servers-"))
    made.chmod(0o755)
    server = servers.start_postgres(made / "postgres", fsync=False)
    yield server
    server.stop()
    shutil.rmtree(made)


def setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return row[0]


def test_it_is_18_in_utc_on_loopback_by_password_only(shared: servers.Postgres) -> None:
    with psycopg.connect(shared.superuser_url) as connection:
        assert connection.info.server_version >= 180_000
        wanted = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "TimeZone": "UTC",
            "random_page_cost": "1.1",
            "password_encryption": "scram-sha-256",
            "server_encoding": "UTF8",
        }
        assert {name: setting(connection, name) for name in wanted} == wanted
        ways = connection.execute(
            "SELECT DISTINCT auth_method FROM pg_hba_file_rules"
        ).fetchall()
        assert ways == [("scram-sha-256",)]
        assert connection.execute("SELECT lower('ÀÉ')").fetchone() == (
            "àé",
        )  # whatever this machine's locale is
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(shared.superuser_url.replace(shared.password, "guess"))


def test_tests_do_without_fsync_and_up_does_not(
    shared: servers.Postgres, folder: Path
) -> None:
    with psycopg.connect(shared.superuser_url) as connection:
        assert setting(connection, "fsync") == "off"
    server = servers.start_postgres(folder / "postgres")
    with psycopg.connect(server.superuser_url) as connection:
        assert setting(connection, "fsync") == "on"
    server.stop()


def test_the_application_role_owns_nothing_and_rules_nothing(
    shared: servers.Postgres,
) -> None:
    database = databases.prepare_database(
        shared,
        "roles_test",
        owner_password="o:/@ 1",
        store_password="s'\"é",
        platform_password="a'\"é",
    )
    with psycopg.connect(database.store_url) as store:
        assert store.execute("SELECT current_user").fetchone() == ("makola_store",)
    with psycopg.connect(database.platform_url) as app:
        facts = app.execute("SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles "
                            "WHERE rolname = current_user").fetchone()  # fmt: skip
        assert facts == (False,) * 5
        assert app.execute("SELECT count(*) FROM pg_shdepend WHERE deptype = 'o' AND refobjid = "
                           "(SELECT oid FROM pg_roles WHERE rolname = current_user)").fetchone() == (0,)  # fmt: skip
        app.rollback()
        for refused in (
            "CREATE TABLE t (n int)",
            "CREATE TEMP TABLE t (n int)",
            "CREATE SCHEMA s",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(refused)
            app.rollback()
    with psycopg.connect(database.admin_url) as owner:
        assert owner.execute(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone() == (
            False,
            False,
        )
        owner.execute("CREATE TABLE t (n int)")


def test_a_role_of_one_database_cannot_enter_another_that_does_not_let_it(
    shared: servers.Postgres,
) -> None:
    database = databases.prepare_database(
        shared,
        "one_test",
        owner_password="o",
        store_password="s",
        platform_password="a",
    )
    with psycopg.connect(shared.superuser_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE stranger LOGIN PASSWORD 's'")
    with pytest.raises(
        psycopg.OperationalError, match="permission denied for database"
    ):
        psycopg.connect(
            database.platform_url.replace("makola_platform:a@", "stranger:s@")
        )


def test_preparing_again_keeps_the_rows_and_sets_the_passwords(
    shared: servers.Postgres,
) -> None:
    first = databases.prepare_database(
        shared,
        "again_test",
        owner_password="o1",
        store_password="s1",
        platform_password="a1",
    )
    with psycopg.connect(first.admin_url) as owner:
        owner.execute("CREATE TABLE kept AS SELECT 7 AS n")
    second = databases.prepare_database(
        shared,
        "again_test",
        owner_password="o2",
        store_password="s2",
        platform_password="a2",
    )
    with psycopg.connect(second.admin_url) as owner:
        assert owner.execute("SELECT n FROM kept").fetchone() == (7,)
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(first.admin_url)


def test_no_password_shows_in_a_process_list_or_a_log(folder: Path) -> None:
    server = servers.start_postgres(folder / "postgres")
    database = databases.prepare_database(
        server,
        "x_test",
        owner_password="owner-word",
        store_password="x",
        platform_password="app-word",
    )
    valkey = valkey_server.start_valkey(folder / "valkey")
    for pid in (server.pid, valkey.pid):
        line = process_tree.command_line(pid)
        assert server.password not in line
        assert valkey.password not in line
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute("SET log_min_error_statement = debug5")
        logged = (server.folder / "server.log").read_text()
    assert database.admin_url.count("owner-word") == 1
    assert "owner-word" not in logged
    assert "app-word" not in logged
    valkey.stop()
    server.stop()


def test_port_password_and_rows_stay_between_starts(folder: Path) -> None:
    first = servers.start_postgres(folder / "postgres")
    with psycopg.connect(first.superuser_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    first.stop()
    second = servers.start_postgres(folder / "postgres")
    assert second.superuser_url == first.superuser_url
    with psycopg.connect(second.superuser_url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    second.stop()


def test_a_port_that_somebody_took_is_replaced(folder: Path) -> None:
    first = servers.start_postgres(folder / "postgres")
    first.stop()
    with socket.create_server(("127.0.0.1", first.port)):
        second = servers.start_postgres(folder / "postgres")
        assert second.port != first.port
        second.stop()


def test_a_server_that_died_starts_again_where_it_was(folder: Path) -> None:
    server = servers.start_postgres(folder / "postgres")
    with psycopg.connect(server.superuser_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    server.process.kill()
    server.process.wait(10)
    server.start()
    with psycopg.connect(server.superuser_url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    server.stop()


def test_another_process_with_the_old_number_is_no_server(folder: Path) -> None:
    # A container starts again, and the number in postmaster.pid belongs to something else by now.
    server = servers.start_postgres(folder / "postgres")
    server.process.kill()
    server.process.wait(10)
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    lock = server.home.data / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(sleeper.pid), *lines[1:]]) + "\n")
    server.start()
    assert sleeper.poll() is None
    sleeper.kill()
    sleeper.wait()
    server.stop()


def test_a_server_left_running_on_the_data_is_ended_first(folder: Path) -> None:
    first = servers.start_postgres(folder / "postgres")
    second = servers.start_postgres(folder / "postgres")
    assert first.process.wait(10) is not None
    with psycopg.connect(second.superuser_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    second.stop()


def test_creation_cut_short_is_begun_again(folder: Path) -> None:
    (folder / "postgres" / "data.new").mkdir(parents=True)
    (folder / "postgres" / "data.new" / "PG_VERSION").write_text("18\n")
    server = servers.start_postgres(folder / "postgres")
    server.stop()


def test_a_lost_password_is_said_at_once(folder: Path) -> None:
    server = servers.start_postgres(folder / "postgres")
    server.stop()
    (folder / "postgres" / "server.json").unlink()
    with pytest.raises(servers.ServerError, match="start over with --reset"):
        servers.start_postgres(folder / "postgres")


STARTER = """
import sys, time
from pathlib import Path
from devkit import servers, valkey_server
pg = servers.start_postgres(Path(sys.argv[1]) / "postgres")
valkey = valkey_server.start_valkey(Path(sys.argv[1]) / "valkey")
print(pg.pid, valkey.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child that its parent died"
)
def test_the_servers_end_when_whoever_started_them_is_killed(folder: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with starter:
        pids = [int(word) for word in starter.stdout.readline().split()]
        assert len(pids) == 2
        starter.kill()
    until(lambda: not any(process_tree.is_alive(pid) for pid in pids), 10)
    log = (folder / "postgres" / "server.log").read_text()
    assert "received fast shutdown request" in log
    until(
        lambda: (
            "database system is shut down"
            in (folder / "postgres" / "server.log").read_text()
        )
    )


def test_valkey_wants_its_password_keeps_its_keys_and_stays_on_loopback(
    folder: Path,
) -> None:
    first = valkey_server.start_valkey(folder / "valkey")
    with redis.Redis.from_url(first.url) as client:
        client.set("kept", "7")
        config = client.config_get("*")
        assert config["bind"] == "127.0.0.1"
        assert config["appendonly"] == "yes"
        assert config["save"] == ""
    with (
        redis.Redis(port=first.port) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()
    first.stop()
    second = valkey_server.start_valkey(folder / "valkey")
    assert second.url == first.url
    with redis.Redis.from_url(second.url) as client:
        assert client.get("kept") == b"7"
    second.stop()


def test_valkey_can_be_stopped_and_started_again_in_place(folder: Path) -> None:
    valkey = valkey_server.start_valkey(folder / "valkey")
    url = valkey.url
    valkey.stop()
    with redis.Redis.from_url(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    valkey.start()
    with redis.Redis.from_url(url) as client:
        assert client.ping()
    assert valkey.url == url
    valkey.stop()


def test_a_machine_without_the_programs_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(valkey_server.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(servers.ServerError, match="set REDIS_URL"):
        valkey_server.valkey_program()
    with pytest.raises(
        servers.ServerError, match="set DATABASE_URL and DATABASE_ADMIN_URL"
    ):
        postgres_home.wheel_folder()


def test_a_free_port_is_free_and_the_preferred_one_if_possible() -> None:
    port = daemons.free_port()
    assert not daemons.is_taken(port)
    assert daemons.free_port(port) == port
    with socket.create_server(("127.0.0.1", port)):
        assert daemons.is_taken(port)
        assert daemons.free_port(port) != port


def test_ending_a_process_that_will_not_hear_takes_force() -> None:
    deaf = subprocess.Popen(
        [sys.executable, "-c",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    with deaf:
        deaf.stdout.readline()
        daemons.end(deaf, signal.SIGTERM, signal.SIGKILL, wait_s=0.2)
    assert deaf.returncode == -signal.SIGKILL
