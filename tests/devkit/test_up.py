"""`dev.py up` around a stand-in application: what it writes, what survives, and that nothing is
left behind."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from projects import Project, Run, until

from devkit import process_tree
from devkit.ready import answers

pytestmark = [pytest.mark.slow(seconds=8), pytest.mark.alone]


def said(url: str) -> list[str]:
    """What the stand-in's seed wrote, one line a run."""
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT said FROM runs")]


def every_pid(ready: dict[str, Any]) -> list[int]:
    return [pid for pids in ready["pids"].values() for pid in pids]


def gone(pids: list[int]) -> bool:
    return not any(process_tree.is_alive(pid) for pid in pids)


def test_up_gets_ready_and_says_where_everything_is(project: Project) -> None:
    run = project.up()
    ready = run.ready()
    port = ready["web_address"].rpartition(":")[2]
    assert set(ready) == {
        "store_urls", "portal_url", "console_url", "webhook_url", "sandbox_url", "gateway_url",
        "web_address",
        "database_url", "database_store_url", "database_platform_url", "database_admin_url",
        "redis_url", "logins", "pids",
    }  # fmt: skip
    assert (
        ready["database_platform_url"]
        == ready["database_url"]
        != ready["database_store_url"]
    )
    assert ready["store_urls"] == {
        slug: f"http://{slug}.localhost:{port}" for slug in ("ama", "kofi")
    }
    assert ready["portal_url"] == f"http://portal.localhost:{port}"
    assert ready["console_url"] == f"http://admin.localhost:{port}"
    assert ready["webhook_url"].startswith(f"http://127.0.0.1:{port}/datamart/")
    assert set(ready["logins"]) == {"ama", "kofi", "owner"}
    assert all(
        set(login) == {"email", "password"} for login in ready["logins"].values()
    )
    assert set(ready["pids"]) == {
        "web",
        "worker",
        "relay",
        "payments",
        "postgres",
        "valkey",
        "sandbox",
        "gateway",
    }
    assert len(ready["pids"]["web"]) == 3  # the server and its two workers
    assert len(ready["pids"]["worker"]) == 2
    assert not gone(every_pid(ready))
    assert all(pid in run.family for pid in every_pid(ready))
    for name in ("ready.json", "secrets.json", "up.log"):
        assert (project.instance / name).stat().st_mode & 0o777 == 0o600
    connection = http.client.HTTPConnection(ready["web_address"], timeout=5)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    with (
        psycopg.connect(ready["database_url"]) as app,
        psycopg.connect(ready["database_admin_url"]) as owner,
    ):
        assert app.execute("SELECT current_user").fetchone() == ("makola_platform",)
        assert owner.execute("SELECT current_user").fetchone() == ("makola_owner",)
    heard = json.loads((project.instance / "sandbox" / "sandbox.db").read_text())
    assert heard == {
        "path": "/api/v1/webhook",
        "webhook_url": ready["webhook_url"],
        "profile": "documented",
    }
    assert ready["logins"]["owner"]["password"] in run.text
    assert (
        ready["logins"]["owner"]["password"]
        not in (project.instance / "up.log").read_text()
    )


def test_data_last_from_run_to_run_until_reset_and_each_signal_stops_everything(
    project: Project,
) -> None:
    first = project.up()
    before = first.ready()
    stopped(first, signal.SIGTERM)
    second = project.up()
    after = second.ready()
    same = (
        *("database_url", "redis_url", "sandbox_url", "gateway_url"),
        *("logins", "webhook_url"),
    )
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert said(after["database_url"]) == ["demo owner@makola.example"] * 2
    stopped(second, signal.SIGINT)
    third = project.up("--reset")
    anew = third.ready()
    assert said(anew["database_url"]) == ["demo owner@makola.example"]
    assert anew["logins"]["ama"]["password"] != before["logins"]["ama"]["password"]
    stopped(third, signal.SIGHUP)


def stopped(run: Run, signum: int) -> None:
    """Stop an `up` and assert that it left nothing but its data."""
    below = run.family
    assert run.end(signum) == 0
    assert gone(below)
    assert not run.project.ready_file.exists()


def runner_of(run: Run) -> int:
    return process_tree.children(run.process.pid)[0]


def test_after_sigkill_the_children_end_and_the_next_run_has_the_data(
    project: Project,
) -> None:
    addresses = set()
    for victims in ("front", "runner", "both"):
        # right after the last kill: it waits for what is still ending
        run = project.up()
        addresses.add(run.ready()["database_url"])
        below, runner = run.family, runner_of(run)
        killed_at = time.monotonic()
        dying = {
            "front": [run.process.pid],
            "runner": [runner],
            "both": [run.process.pid, runner],
        }[victims]
        for signum in (
            signal.SIGSTOP,
            signal.SIGKILL,
        ):  # neither of two sees the other die and tidies up
            for pid in dying:
                os.kill(pid, signum)
        run.process.wait(10)
        if (
            victims != "front"
        ):  # then the runner lives a moment longer, and the next run is the one to wait
            until(lambda below=below: gone(below), 10)
            assert time.monotonic() - killed_at < 10, victims
        if victims == "both":  # nobody was left to remove it
            project.ready_file.unlink()
        else:
            until(lambda: not project.ready_file.exists(), 10)
    last = project.up()
    addresses.add(last.ready()["database_url"])
    assert said(last.ready()["database_url"]) == ["demo owner@makola.example"] * 4
    assert len(addresses) == 1
    assert "not properly shut down" not in (project.instance / "up.log").read_text()


def test_sigkill_alone_ends_every_child_within_ten_seconds(project: Project) -> None:
    run = project.up()
    run.ready()
    below = run.family
    assert len(below) > 8
    run.process.kill()
    run.process.wait(10)
    until(lambda: gone(below), 10)


def test_a_child_that_dies_is_replaced_and_ready_json_says_so(project: Project) -> None:
    run = project.up()
    first = run.ready()
    for kind in ("postgres", "valkey", "sandbox", "gateway", "web", "worker", "relay"):
        before = run.ready()["pids"]
        os.kill(before[kind][0], signal.SIGKILL)
        until(
            lambda kind=kind, before=before: (
                before[kind][0] not in (now := run.ready()["pids"][kind])
                and len(now) == len(before[kind])
            )
        )
    last = run.ready()
    assert {**last, "pids": 0} == {**first, "pids": 0}
    assert not gone(every_pid(last))
    assert said(last["database_url"]) == ["demo owner@makola.example"]


def test_the_workers_of_a_killed_supervisor_are_ended(project: Project) -> None:
    run = project.up("--workers", "3")
    before = run.ready()
    supervisor = next(
        pid
        for pid in process_tree.children(runner_of(run))
        if before["pids"]["relay"][0] in process_tree.children(pid)
    )
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: gone(before["pids"]["worker"] + before["pids"]["relay"]))
    assert (
        len(until(lambda: len(pids := run.ready()["pids"]["worker"]) == 3 and pids))
        == 3
    )


def test_an_ordinary_user_can_run_it(
    make_project: Callable[..., Project], ordinary_user: tuple[Any, str]
) -> None:
    account, python = ordinary_user
    project = make_project(account, python)
    run = project.up()
    ready = run.ready()
    assert os.stat(f"/proc/{ready['pids']['postgres'][0]}").st_uid == account.pw_uid
    assert project.instance.stat().st_mode & 0o777 == 0o700
    below = run.family
    assert run.end() == 0
    assert gone(below)


def test_a_port_asked_for_and_taken_is_refused(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = project.refused("--port", str(port))
    assert (
        sentence
        == f"dev.py: Port {port} is taken by another program: stop that one, or give another with"
        " --port."
    )


def test_the_usual_port_taken_means_another_one_and_a_word_about_it(
    project: Project,
) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8000))
            taken.listen()
        except OSError:
            pass  # another program has it: taken all the same
        run = project.up()
        ready = run.ready()
    assert ready["web_address"] != "127.0.0.1:8000"
    assert (
        f"port 8000 is taken, so the web is on port {ready['web_address'].rpartition(':')[2]}"
        in run.text
    )


def test_a_second_up_in_the_same_folder_is_refused(project: Project) -> None:
    first = project.up()
    ready = first.ready()
    sentence = project.refused()
    assert f"already running in this folder (process {first.process.pid})" in sentence
    assert json.loads(project.ready_file.read_text()) == ready
    assert not gone(every_pid(ready))


def test_a_silent_supplier_is_no_reason_to_stop(project: Project) -> None:
    with (
        socket.socket() as reserved
    ):  # bound and never listening: nobody else gets it, nobody answers
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/api"
        run = project.up(
            DATA_MART_API_URL=url,
            DATA_MART_API_KEY="key-1",
            DATA_MART_API_SECRET="secret-1",
        )
        ready = run.ready()
    assert ready["sandbox_url"] is None
    assert ready["pids"]["sandbox"] == []
    # a loopback supplier is nobody's real money
    assert set(ready["store_urls"]) == {"ama", "kofi"}
    until(lambda: "Makola is running" in run.text)
    assert (
        f'the supplier at {url} does not answer: stores say "No bundles yet" until it does'
        in run.text
    )
    assert f"curl -X PUT '{url}/v1/webhook'" in run.text
    assert "secret-1" not in run.text


def test_a_seed_that_fails_stops_everything_with_the_reason(project: Project) -> None:
    sentence = project.refused(STANDIN_SEED_FAILS="1")
    assert "`flask --app wsgi seed` failed with status 1" in sentence
    assert "the seed was told to fail" in project.runs[0].text
    assert not project.ready_file.exists()


def test_settings_that_are_wrong_are_all_named_before_anything_starts(
    project: Project,
) -> None:
    run = project.up(DATA_MART_API_URL="ftp://x", MAKOLA_TIME_SCALE="fast")
    assert run.process.wait(30) == 1
    for name in (
        "DATA_MART_API_URL",
        "DATA_MART_API_KEY",
        "DATA_MART_API_SECRET",
        "MAKOLA_TIME_SCALE",
    ):
        assert name in run.text
    assert not (project.instance / "postgres").exists()


def test_a_database_of_ones_own_needs_its_owner_too(project: Project) -> None:
    sentence = project.refused(DATABASE_URL="postgresql://app@127.0.0.1:1/makola")
    assert "DATABASE_URL is set but DATABASE_ADMIN_URL is not" in sentence


def test_a_folder_that_cannot_be_written_is_refused(
    make_project: Callable[..., Project], ordinary_user: tuple[Any, str]
) -> None:
    account, python = ordinary_user
    project = make_project(account, python)
    os.chown(project.folder, 0, 0)
    sentence = project.refused()
    assert "cannot write to" in sentence
    assert "make that folder yours" in sentence


def test_web_processes_that_are_all_frozen_are_replaced(project: Project) -> None:
    run = project.up()
    ready = run.ready()
    frozen = ready["pids"]["web"]
    for pid in frozen:  # the main one too, which would have killed the others
        os.kill(pid, signal.SIGSTOP)
    assert until(lambda: not any(map(process_tree.is_alive, frozen)), 20)
    assert until(lambda: answers(ready["web_address"], "/healthz"), 20)
    assert "web was silent for 10 s; killing it" in run.text
    stopped(run, signal.SIGTERM)
