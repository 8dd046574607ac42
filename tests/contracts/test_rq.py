"""What we lean on in RQ, tried against the pinned version: a new one that changes a fact goes red
here.

Each test opens with what of ours leans on it. Facts about parts we do not use are one test: that we
do not use them.
"""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import json
import os
import re
import signal
import socket
import subprocess
import time
import tomllib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rq
from flask import Flask
from redis import Connection, Redis
from redis.exceptions import ConnectionError as Away
from rq import Callback, Queue, SimpleWorker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.timeouts import BaseTimeoutException, JobTimeoutException
from rq.worker import BaseWorker
from rq_program import nap

from devkit.valkey_server import Valkey
from edge.limits import valkey as impatient
from fulfilment import line, relay
from operations.worker import (
    MAINTENANCE_S,
    MONITORING_S,
    WORKER_TTL_S,
    MarkedWorker,
    RowJob,
)
from tests.support.written import nodes, text

pytestmark = pytest.mark.slow(seconds=0.3)

ROOT = Path(__file__).parents[2]
LIST = f"rq:queue:{relay.QUEUE}"
BETWEEN = f"{LIST}:intermediate"
NAP = f"{nap.__module__}.nap"
Until = Callable[..., None]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A worker takes the signals of its process over; they are put back."""
    before = {
        number: signal.getsignal(number)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def burst(
    queue: Queue, kind: type[SimpleWorker] = SimpleWorker, **settings: Any
) -> None:
    """Work in this process until the list is empty."""
    settings.setdefault("serializer", JSONSerializer)
    kind([queue], connection=queue.connection, **settings).work(
        burst=True, logging_level="CRITICAL"
    )


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def waits(redis: Redis) -> bool:
    """Whether a worker waits for the next job; before that it is still starting."""
    return any(client["cmd"] == "blmove" for client in redis.client_list())


def keys_of(redis: Redis, name: str) -> list[str]:
    return [item.decode() for item in redis.lrange(name, 0, -1)]


# --- the version and the names


def test_the_version_is_the_one_these_facts_were_measured_on() -> None:
    """A major version changed half of them before: it is pinned exactly, and raised together with
    this file."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "dependencies"
    ]
    assert f"rq=={importlib.metadata.version('rq')}" in wanted
    assert rq.VERSION == "3.0.0"


def test_the_arguments_and_hooks_we_use_have_these_names() -> None:
    """worker.run passes them, MarkedWorker and RowJob override them; a hook of another name would
    simply never run."""
    assert {"connection", "job_class", "serializer", "worker_ttl", "maintenance_interval",
    "job_monitoring_interval"} <= set(
        inspect.signature(SimpleWorker.__init__).parameters
    )  # fmt: skip
    assert {"with_scheduler", "max_jobs", "logging_level"} <= set(
        inspect.signature(SimpleWorker.work).parameters
    )
    assert set(inspect.signature(Queue.enqueue_call).parameters) >= USED_ARGUMENTS
    assert list(inspect.signature(SimpleWorker.execute_job).parameters) == [
        "self",
        "job",
        "queue",
    ]
    assert BaseWorker.max_connection_wait_time > MarkedWorker.max_connection_wait_time
    for name in ("func", "success_callback", "failure_callback", "stopped_callback"):
        assert isinstance(inspect.getattr_static(Job, name), property), name


def test_an_idle_worker_waits_fifteen_seconds_less_than_it_lives(queue: Queue) -> None:
    """Maintenance and the heartbeat happen between two waits: 35 s give a wait of 20, the default
    one of 405."""
    settings = {
        "worker_ttl": WORKER_TTL_S,
        "maintenance_interval": MAINTENANCE_S,
        "job_monitoring_interval": MONITORING_S,
    }
    ours = SimpleWorker(
        [queue], connection=queue.connection, serializer=JSONSerializer, **settings
    )
    assert ours.dequeue_timeout == WORKER_TTL_S - 15
    assert SimpleWorker([queue], connection=queue.connection).dequeue_timeout == 405


def test_workers_without_a_name_get_names_of_their_own(queue: Queue) -> None:
    """A worker killed with -9 is started again at once; a fixed name would be taken for minutes."""
    assert (
        len({SimpleWorker([queue], connection=queue.connection).name for _ in range(3)})
        == 3
    )


USED = {
    "fulfilment/line.py": {"rq": {"Queue"}},
    "fulfilment/payment_line.py": {
        "rq": {"Queue"},
        "rq.serializers": {"JSONSerializer"},
    },
    "fulfilment/relay.py": {"rq": {"Queue"}, "rq.serializers": {"JSONSerializer"}},
    "operations/worker.py": {
        "rq": {"SimpleWorker"},
        "rq.executions": {"Execution"},
        "rq.job": {"Job"},
        "rq.queue": {"Queue"},
        "rq.serializers": {"JSONSerializer"},
        "rq.utils": {"now"},
        "rq.worker": {"WorkerStatus"},
    },
    "fulfilment/jobs.py": {"rq.timeouts": {"BaseTimeoutException"}},
}
USED_ARGUMENTS = {
    "args",
    "timeout",
    "result_ttl",
    "failure_ttl",
    "job_id",
    "description",
    "at_front",
}
"""All that a ring says to RQ besides the function."""
UNUSED_ARGUMENTS = {
    "retry",
    "unique",
    "repeat",
    "on_success",
    "on_failure",
    "on_stopped",
    "depends_on",
    "rate_limit",
}
IN_FRONT = {
    ("core/outbox.py", "ring", "first"),
    ("fulfilment/relay.py", "line_up", "first"),
    ("fulfilment/relay.py", "line_up", "turn == 'news'"),
}
"""Who puts a job before all others: the ring for a row with news, a round in the turn of news."""
UNUSED_CALLS = {"enqueue", "enqueue_at", "enqueue_in", "enqueue_many", "requeue"}


MAY_BE_ABOUT_IT = re.compile(r"\brq\b|enqueue_call|line_up|\bring\b|with_scheduler")


def test_what_cannot_be_trusted_is_not_used() -> None:
    """No Retry or Repeat (a kill uses them up), unique ids (block themselves), callbacks (not
    called after a kill), scheduler and cron (ghosts, doubles), forking workers (orphans, shared
    sockets), dependencies, rate limits.

    One place enqueues, with exactly the arguments named above; the front is for signed news alone.
    """
    found: dict[str, dict[str, set[str]]] = {}
    rings: list[dict[str | None, str]] = []
    in_front: set[tuple[str, str, str]] = set()
    for room in (
        "core",
        "fulfilment",
        "operations",
        "edge",
        "storefront",
        "agent_portal",
        "admin_console",
        "integrations",
    ):
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name not in USED and not MAY_BE_ABOUT_IT.search(text(path)):
                continue
            for node in nodes(path):
                if (
                    isinstance(node, ast.ImportFrom)
                    and (node.module or "").split(".")[0] == "rq"
                ):
                    names = {alias.name for alias in node.names}
                    found.setdefault(name, {}).setdefault(
                        str(node.module), set()
                    ).update(names)
                if isinstance(node, ast.Import):
                    assert not any(
                        alias.name.split(".")[0] == "rq" for alias in node.names
                    ), name
                if isinstance(node, ast.Call):
                    said = {
                        keyword.arg: ast.unparse(keyword.value)
                        for keyword in node.keywords
                    }
                    if ast.unparse(node.func).endswith("enqueue_call"):
                        assert name == "fulfilment/line.py", name
                        rings.append(said)
                    rings_it = ast.unparse(node.func).rpartition(".")[2] in (
                        "line_up",
                        "ring",
                    )
                    if rings_it and "first" in said:
                        in_front.add((name, ast.unparse(node.func), said["first"]))
                if isinstance(node, ast.Call) and name in USED:
                    called = ast.unparse(node.func).rpartition(".")[2]
                    assert called not in UNUSED_CALLS, f"{name} calls {called}"
                    assert (
                        not {keyword.arg for keyword in node.keywords}
                        & UNUSED_ARGUMENTS
                    ), ast.unparse(node)
                if isinstance(node, ast.keyword) and node.arg == "with_scheduler":
                    assert ast.unparse(node.value) == "False"
    assert found == USED
    assert [set(said) for said in rings] == [USED_ARGUMENTS]
    assert rings[0]["at_front"] == "first"
    assert in_front == IN_FRONT


# --- the list and the job


def test_a_job_waits_in_the_list_whose_length_the_relay_reads(
    queue: Queue, redis: Redis, file: Path
) -> None:
    """relay.round_once rings no more than the list lacks, by LLEN of this key."""
    queue.enqueue_call(NAP, args=(str(file), 0), job_id="buy-1-1")
    assert (queue.key, redis.llen(LIST), keys_of(redis, LIST)) == (LIST, 1, ["buy-1-1"])


def test_a_job_at_the_front_is_taken_before_all_that_wait_and_the_last_put_there_first(
    queue: Queue, redis: Redis, file: Path
) -> None:
    """Signed news goes first; line.line_up puts leases there in reverse, to keep their order."""
    for number in (1, 2):
        queue.enqueue_call(NAP, args=(f"{file}-{number}", 0), job_id=f"buy-{number}-1")
    for number in (4, 3):
        name = f"buy-{number}-1"
        queue.enqueue_call(
            NAP, args=(f"{file}-{number}", 0), job_id=name, at_front=True
        )
    assert keys_of(redis, LIST) == ["buy-3-1", "buy-4-1", "buy-1-1", "buy-2-1"]
    ours = SimpleWorker([queue], connection=redis, serializer=JSONSerializer)
    ours.work(burst=True, max_jobs=2, logging_level="CRITICAL")
    assert [number for number in (1, 2, 3, 4) if lines(Path(f"{file}-{number}"))] == [
        3,
        4,
    ]


def test_a_job_id_takes_no_colon(queue: Queue) -> None:
    """`buy-<row>-<lease>` has none; one with a colon would be refused at each ring."""
    with pytest.raises(ValueError, match="only contain letters"):
        queue.enqueue_call(NAP, args=("x", 0), job_id="buy:1:1")


def test_a_job_is_compressed_json_and_both_sides_must_say_so(
    queue: Queue, redis: Redis, file: Path
) -> None:
    """Pickle would run what it reads. A worker without the serializer fails the job, so a slip
    shows at once."""
    job = queue.enqueue_call(NAP, args=(str(file), 0), job_id="buy-1-1")
    raw = redis.hget(f"rq:job:{job.id}", "data")
    assert isinstance(raw, bytes)
    assert json.loads(zlib.decompress(raw)) == [NAP, None, [str(file), 0], {}]
    burst(Queue(relay.QUEUE, connection=redis), serializer=None)
    assert (lines(file), job.get_status()) == ([], JobStatus.FAILED)


def test_the_same_id_twice_in_the_list_runs_twice(queue: Queue, file: Path) -> None:
    """So nothing may depend on a ring being heard once: the row's lease lets one job through."""
    for _ in range(2):
        queue.enqueue_call(NAP, args=(str(file), 0), job_id="buy-1-1")
    burst(queue)
    assert len([line for line in lines(file) if line.startswith("began")]) == 2


def test_a_finished_job_leaves_nothing_and_a_failed_one_goes_after_an_hour(
    queue: Queue, redis: Redis, file: Path
) -> None:
    """`result_ttl=0` and `failure_ttl=3600`: otherwise years of failed purchases would fill
    Valkey."""
    settings = {"result_ttl": 0, "failure_ttl": line.FAILURE_TTL_S}
    queue.enqueue_call(NAP, args=(str(file), 0), job_id="buy-1-1", **settings)
    queue.enqueue_call("rq_program.missing", job_id="buy-2-1", **settings)
    burst(queue)
    assert redis.exists("rq:job:buy-1-1") == 0
    assert 3_500 < redis.ttl("rq:job:buy-2-1") <= line.FAILURE_TTL_S


def test_the_function_and_the_callbacks_are_asked_of_the_job_class(
    queue: Queue, file: Path
) -> None:
    """RowJob refuses every function but ours and every callback, whatever somebody wrote into
    Valkey."""
    queue.enqueue_call(NAP, args=(str(file), 0))
    burst(queue, job_class=RowJob)
    assert lines(file) == []
    ours = queue.enqueue_call(
        line.JOB,
        args=(0, 0),
        on_failure=Callback(f"{nap.__module__}.nap"),
        on_success=Callback(f"{nap.__module__}.nap"),
    )
    seen: list[str] = []

    class Heard(RowJob):
        def perform(self) -> None:
            seen.append(self.func_name)
            assert (
                self.success_callback,
                self.failure_callback,
                self.stopped_callback,
            ) == (
                None,
                None,
                None,
            )

    burst(queue, job_class=Heard)
    assert (seen, ours.func_name) == ([line.JOB], line.JOB)


def quick(*_args: Any) -> None:
    """A job that does nothing."""


class Ours(MarkedWorker):
    """Our worker, with jobs of these tests."""

    job_class = Job


def ours(queue: Queue) -> Ours:
    return Ours([queue], connection=queue.connection, serializer=JSONSerializer)


EXCHANGES = 5
"""Take the job and read it, tell before and after it; and something to spare."""


def test_our_worker_tells_valkey_of_a_job_once_before_and_once_after(
    queue: Queue, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RQ's own needs more than twenty exchanges a job, which cost more than most jobs."""
    sent: list[int] = []
    send = Connection.send_packed_command

    def counted(self: Connection, *words: Any, **more: Any) -> None:
        sent.append(1)
        send(self, *words, **more)

    def spent(jobs: int) -> int:
        for number in range(jobs):
            queue.enqueue_call(f"{__name__}.quick", job_id=f"buy-{number}-1")
        one = ours(queue)
        before = len(sent)
        with app.app_context():
            one.work(burst=True, logging_level="CRITICAL")
        return len(sent) - before

    monkeypatch.setattr(Connection, "send_packed_command", counted)
    few, many = spent(2), spent(12)
    assert (many - few) / 10 <= EXCHANGES


STOPPED: list[str] = []
"""Jobs that were told to stop in their middle, and went on to their end."""


def stopped_in_its_middle(name: str) -> None:
    """A job during which its worker is told to stop."""
    os.kill(os.getpid(), signal.SIGTERM)
    STOPPED.append(name)


def test_a_stop_waits_for_the_end_of_the_job_and_begins_no_other(
    queue: Queue, redis: Redis, app: Flask
) -> None:
    """A purchase that is cut short is unclear until a person or a look-up clears it."""
    del STOPPED[:]
    for number in (1, 2):
        name = f"buy-{number}-1"
        queue.enqueue_call(
            f"{__name__}.stopped_in_its_middle", (name,), job_id=name, result_ttl=0
        )
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    try:
        with app.app_context():
            ours(queue).work(burst=True, logging_level="CRITICAL")
    finally:
        for one, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            signal.signal(one, handler)
    assert STOPPED == ["buy-1-1"]
    assert queue.failed_job_registry.count == 0
    assert queue.get_job_ids() == ["buy-2-1"]


def test_our_worker_leaves_nothing_of_a_job_that_ended_well(
    queue: Queue, redis: Redis, app: Flask
) -> None:
    queue.enqueue_call(f"{__name__}.quick", job_id="buy-1-1", result_ttl=0)
    before = {key for key in redis.scan_iter() if b"buy-1-1" in key}
    assert before
    with app.app_context():
        ours(queue).work(burst=True, logging_level="CRITICAL")
    assert [key for key in redis.scan_iter() if b"buy-1-1" in key] == []
    assert queue.started_job_registry.count == 0
    assert (keys_of(redis, LIST), keys_of(redis, BETWEEN)) == ([], [])


def test_our_worker_says_whose_job_it_is_while_it_lasts(
    queue: Queue, redis: Redis, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What RQ needs to fail it should this worker die: it stands among the begun ones."""
    seen: list[Any] = []

    def look(job: Job) -> None:
        seen.extend(
            [
                job.get_status(),
                [
                    ids[0]
                    for ids in queue.started_job_registry.get_job_and_execution_ids()
                ],
                keys_of(redis, BETWEEN),
                redis.ttl(f"rq:job:{job.id}"),
            ]
        )

    monkeypatch.setattr(Job, "perform", look)
    queue.enqueue_call(f"{__name__}.quick", job_id="buy-1-1", timeout=120)
    with app.app_context():
        ours(queue).work(burst=True, logging_level="CRITICAL")
    assert seen == [JobStatus.STARTED, ["buy-1-1"], [], -1]


def test_our_worker_keeps_a_failed_job_for_its_hour(
    queue: Queue, redis: Redis, app: Flask
) -> None:
    queue.enqueue_call(
        "rq_program.missing", job_id="buy-1-1", failure_ttl=line.FAILURE_TTL_S
    )
    with app.app_context():
        ours(queue).work(burst=True, logging_level="CRITICAL")
    assert queue.failed_job_registry.get_job_ids() == ["buy-1-1"]
    assert 3_500 < redis.ttl("rq:job:buy-1-1") <= line.FAILURE_TTL_S
    assert queue.started_job_registry.count == 0


# --- time limits


class Held:
    """A socket that is read and never answered."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def close(self) -> None:
        self._listener.close()


def read_for_ever(port: int, file: str, broad: bool) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        try:
            connection.recv(1)
        except BaseTimeoutException as limit:
            Path(file).write_text(type(limit).__name__)
            if not broad:
                raise


def test_the_time_limit_strikes_inside_a_read_and_is_an_ordinary_exception(
    queue: Queue, file: Path
) -> None:
    """jobs.run lists BaseTimeoutException before `except Exception`, and the purchase marks
    *unknown* on any."""
    assert issubclass(JobTimeoutException, BaseTimeoutException)
    assert issubclass(BaseTimeoutException, Exception)
    held = Held()
    started = time.monotonic()
    job = queue.enqueue_call(
        f"{__name__}.read_for_ever", args=(held.port, str(file), False), timeout=1
    )
    swallowed = queue.enqueue_call(
        f"{__name__}.read_for_ever", args=(held.port, str(file), True), timeout=1
    )
    burst(queue)
    held.close()
    assert file.read_text() == "JobTimeoutException"
    assert 1.9 < time.monotonic() - started < 10
    assert (job.get_status(), swallowed.get_status()) == (
        JobStatus.FAILED,
        JobStatus.FINISHED,
    )


# --- Valkey away


def test_a_ring_of_a_dead_valkey_fails_at_once() -> None:
    """A page that rings a dead Valkey must not wait: no retries, 0.3 s a step. RQ adds no tries of
    its own."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    dead = impatient(f"redis://127.0.0.1:{port}/0")
    started = time.monotonic()
    with pytest.raises(Away):
        relay.queue_of(dead).enqueue_call(line.JOB, args=(1, 1), job_id="buy-1-1")
    assert time.monotonic() - started < 1


@pytest.mark.slow(seconds=2.3)
@pytest.mark.servers
def test_an_idle_worker_outlives_a_valkey_that_comes_back(
    own_valkey: Valkey, worker: Start, file: Path, until: Until
) -> None:
    """`max_connection_wait_time`: with RQ's own minute, released orders would lie long after Valkey
    is back."""
    process = worker(own_valkey.url)
    with Redis.from_url(own_valkey.url) as connection:
        until(lambda: waits(connection))
    own_valkey.stop()
    time.sleep(
        3.6
        # it tried after 1 s and 3 s; the next try is two seconds later, without our limit four
    )
    own_valkey.start()
    back = time.monotonic()
    with Redis.from_url(own_valkey.url) as connection:
        relay.queue_of(connection).enqueue_call(NAP, args=(str(file), 0))
        until(lambda: len(lines(file)) == 2, 10)
    assert time.monotonic() - back < 2.5
    assert process.poll() is None


# --- processes


@pytest.mark.servers
def test_a_job_runs_in_the_worker_itself_and_sigterm_lets_it_finish(
    queue: Queue, worker: Start, file: Path, until: Until
) -> None:
    """No fork, so no shared socket and no orphan; the supervisor's SIGTERM at a deploy ends no
    purchase half-way."""
    process = worker()
    queue.enqueue_call(NAP, args=(str(file), 1.0))
    waiting = queue.enqueue_call(NAP, args=(str(file), 0))
    until(lambda: lines(file))
    process.terminate()
    assert process.wait(10) == 0
    assert lines(file) == [f"began {process.pid}", f"ended {process.pid}"]
    assert waiting.get_status() == JobStatus.QUEUED


@pytest.mark.servers
def test_sigterm_ends_an_idle_worker_at_once(
    redis: Redis, worker: Start, until: Until
) -> None:
    """It waits in BLMOVE for up to twenty seconds; a deploy must not."""
    process = worker()
    until(lambda: waits(redis))
    asked = time.monotonic()
    process.terminate()
    assert process.wait(10) == 0
    assert time.monotonic() - asked < 5


@pytest.mark.servers
def test_max_jobs_ends_the_worker_and_leaves_the_rest(
    queue: Queue, worker: Start, file: Path
) -> None:
    """Every 500 jobs a fresh process: whatever leaks is gone."""
    for _ in range(3):
        queue.enqueue_call(NAP, args=(str(file), 0))
    assert worker(max_jobs=2).wait(20) == 0
    assert len(lines(file)) == 4
    assert queue.count == 1


@pytest.mark.servers
def test_a_job_killed_in_the_middle_is_run_by_nobody_and_stands_in_nobodys_way(
    queue: Queue, redis: Redis, worker: Start, file: Path, until: Until
) -> None:
    """The order's row falls due again by itself and rings under the next number; RQ is not waited
    for."""
    process = worker()
    job = queue.enqueue_call(NAP, args=(str(file), 60), job_id="buy-1-1", timeout=120)
    until(lambda: lines(file))
    process.kill()
    process.wait()
    worker()  # at once, under a new name
    queue.enqueue_call(NAP, args=(str(file), 0), job_id="buy-1-2")
    until(lambda: len(lines(file)) == 3)
    assert job.get_status() == JobStatus.STARTED
    assert [line for line in lines(file) if line.endswith(f" {process.pid}")] == [
        f"began {process.pid}"
    ]
    assert keys_of(redis, LIST) == []


@pytest.mark.servers
def test_a_job_taken_and_not_begun_stays_between_two_lists(
    queue: Queue, redis: Redis, worker: Start, file: Path
) -> None:
    """With one queue it is moved, not popped: it can be seen that it was taken. Until RQ notices, a
    minute later, and fails it, the relay has long rung again."""
    process = worker(kind="dies")
    job = queue.enqueue_call(NAP, args=(str(file), 0), job_id="buy-1-1")
    assert process.wait(20) == -signal.SIGKILL
    assert (keys_of(redis, LIST), keys_of(redis, BETWEEN)) == ([], ["buy-1-1"])
    assert job.get_status() == JobStatus.QUEUED
    burst(queue)
    assert lines(file) == []


@pytest.mark.servers
def test_two_workers_share_the_list(
    queue: Queue, worker: Start, file: Path, until: Until
) -> None:
    """Jobs of different orders run side by side, each by one of them."""
    first, second = worker(), worker()
    for number in range(4):
        queue.enqueue_call(NAP, args=(f"{file}-{number}", 0.5))
    until(lambda: sum(len(lines(Path(f"{file}-{number}"))) for number in range(4)) == 8)
    began = [lines(Path(f"{file}-{number}"))[0] for number in range(4)]
    assert sorted({*began}) == sorted(
        f"began {process.pid}" for process in (first, second)
    )
