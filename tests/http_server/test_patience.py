"""How long a front waits for the other end, how many it holds, and that the page answers
meanwhile."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from raw_wire import Served, is_closed, read_answer

from devkit import process_tree
from devkit.daemons import until
from devkit.heartbeat_socket import Beats
from http_server import CONNECTIONS, HELD_BYTES

POST = b"POST /%s HTTP/1.1\r\nHost: a\r\n"
HALF_HEAD = b"GET / HTTP/1.1\r\nHos"
HALF_BODY = POST % b"" + b"Content-Length: 60000\r\n\r\n" + b"x" * 30_000
QUICK_S = 1.0

pytestmark = [pytest.mark.slow(seconds=3), pytest.mark.servers]


def test_a_head_has_its_time_also_when_it_trickles(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(HEAD_S=1)
    line = front.line(HALF_HEAD)
    line.settimeout(0.2)
    began, data = time.monotonic(), b""
    while not data:
        try:
            data = line.recv(100)
        except TimeoutError:
            line.sendall(b"x")
    assert data.startswith(b"HTTP/1.1 408")
    assert 0.9 < time.monotonic() - began < 3


def test_a_body_has_its_time_also_when_it_trickles(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(BODY_S=1)
    for path in (b"", b"stored", b"hook"):
        line = front.line(POST % path + b"Content-Length: 60000\r\n\r\n")
        line.settimeout(0.2)
        began, data = time.monotonic(), b""
        while not data:
            try:
                data = line.recv(100)
            except TimeoutError:
                line.sendall(b"x")
        assert data.startswith(b"HTTP/1.1 408")
        assert 0.9 < time.monotonic() - began < 3


def test_a_connection_that_says_nothing_is_closed_sooner_than_one_between_requests(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(HEAD_S=0.5, IDLE_S=3)
    silent, idle = front.line(), front.line(b"GET /stored HTTP/1.1\r\nHost: a\r\n\r\n")
    assert read_answer(idle).status == 200
    assert is_closed(silent)
    idle.sendall(b"GET /stored HTTP/1.1\r\nHost: a\r\n\r\n")
    assert read_answer(idle).status == 200
    assert is_closed(idle)


def test_a_slow_reader_holds_no_thread_and_is_cut(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(threads=1, SEND_S=1)
    for _ in range(5):
        line = socket.socket()
        front.opened.append(line)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.connect(("127.0.0.1", front.port))
        line.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        line.recv(1)
    assert front.took_s() < QUICK_S
    received = 0
    line.settimeout(10)
    time.sleep(2)  # the reader's own slowness is what is tried
    try:
        while data := line.recv(65_536):
            received += len(data)
    except ConnectionResetError:
        pass
    assert received < 4_000_000


def test_held_bodies_and_half_heads_stop_nobody(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(workers=2, threads=2)
    held = [front.line(HALF_BODY) for _ in range(200)] + [
        front.line(HALF_HEAD) for _ in range(200)
    ]
    times = [front.took_s() for _ in range(20)]
    assert max(times) < QUICK_S
    assert all(line.send(b"x") for line in held), "they are held, not closed"


def test_beyond_the_limit_of_connections_the_longest_waiting_goes(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(CONNECTIONS=50)
    first = front.line(HALF_HEAD)
    kept = front.line(b"GET /stored HTTP/1.1\r\nHost: a\r\n\r\n")
    assert read_answer(kept).status == 200
    others = [front.line(HALF_HEAD) for _ in range(48)]
    assert front.took_s() < QUICK_S
    assert read_answer(first).status == 503
    for _ in range(100):
        others.append(front.line(HALF_HEAD))
        assert front.took_s() < QUICK_S
    assert CONNECTIONS > 1_000, "the real limit"


def test_where_few_files_may_be_open_fewer_connections_are_held(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(open_files=330)
    for _ in range(400):
        front.line(HALF_HEAD)
    assert max(front.took_s() for _ in range(20)) < QUICK_S


def test_beyond_the_limit_of_memory_the_longest_waiting_body_goes(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(HELD_BYTES=300_000)
    held = [front.line(HALF_BODY) for _ in range(12)]
    gone = [read_answer(line).status for line in held[:2]]
    assert gone == [503, 503]
    whole = POST % b"" + b"Content-Length: 60000\r\n\r\n" + b"x" * 60_000
    assert front.ask(whole).told["received"] == 60_000
    held[-1].sendall(b"x" * 30_000)
    assert read_answer(held[-1]).told["received"] == 60_000, (
        "who came last is still heard"
    )
    assert HELD_BYTES <= 64 * 1024 * 1024, "the real limit"


def test_a_full_queue_is_said_at_once_and_health_has_a_thread_of_its_own(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(threads=1, QUEUE=1)
    held: list[socket.socket] = []

    def one_is_worked_at_and_one_waits() -> bool:
        line = front.line(b"GET /slow/5 HTTP/1.1\r\nHost: a\r\n\r\n")
        front.took_s("/stored")  # by then a refusal of it has been written
        if not select.select([line], [], [], 0)[0]:
            held.append(line)
        return len(held) == 2

    began = time.monotonic()
    until(one_is_worked_at_and_one_waits, 4)
    until(lambda: front.get("/").status == 503, 4)
    assert front.get("/").status == 503
    assert front.took_s("/healthz") < QUICK_S
    assert front.took_s("/stored") < QUICK_S
    assert time.monotonic() - began < 5, "all that while the one thread was taken"
    assert [read_answer(line).status for line in held] == [200, 200]


@pytest.mark.parametrize("threads", [2, 4])
def test_pages_do_not_wait_behind_dear_requests(
    start_server: Callable[..., Served], threads: int
) -> None:
    front = start_server(threads=threads)
    length = b"Content-Length: 1\r\n\r\nx"
    dear = [front.line(POST % b"slow/2" + length) for _ in range(2 * threads)]
    front.took_s("/stored")  # by then all of them are whole and given
    assert max(front.took_s() for _ in range(10)) < QUICK_S
    began = time.monotonic()
    assert {read_answer(line).status for line in dear} == {200}
    assert time.monotonic() - began > 4, (
        "one thread is left to pages, and none is forgotten"
    )


def test_a_crowd_of_dear_requests_fills_no_place_of_a_page(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(threads=2, QUEUE=3)
    length = b"Content-Length: 1\r\n\r\nx"
    dear = [front.line(POST % b"slow/2" + length)]
    # a page that came after it was answered: a thread has taken it, and it waits no more
    assert front.get("/").status == 200
    dear += [front.line(POST % b"slow/2" + length) for _ in range(7)]
    front.took_s("/stored")
    assert [front.get("/").status for _ in range(5)] == [200] * 5
    assert [read_answer(line).status for line in dear].count(503) == 4, (
        "one under way, three wait"
    )


def test_on_sigterm_what_is_under_way_is_finished_and_nothing_new_is_taken(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(workers=2)
    slow = [front.line(b"GET /slow/2 HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(4)]
    half = front.line(HALF_BODY)
    idle = front.line(b"GET /stored HTTP/1.1\r\nHost: a\r\n\r\n")
    assert read_answer(idle).status == 200
    workers = front.workers
    os.kill(front.pid, signal.SIGTERM)
    assert is_closed(idle)
    half.sendall(b"x" * 30_000)
    answers = [read_answer(line) for line in [*slow, half]]
    assert [answer.status for answer in answers] == [200] * 5
    assert {answer.headers["connection"] for answer in answers} == {"close"}
    assert not front.answers()
    assert until(lambda: not any(map(process_tree.is_alive, workers)), 5)


def test_a_worker_that_dies_is_replaced_and_all_die_with_the_main_process(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(workers=2)
    assert until(lambda: len(front.workers) == 2, 5)
    before = front.workers
    os.kill(before[0], signal.SIGKILL)
    assert until(lambda: len(now := front.workers) == 2 and before[0] not in now, 5)
    assert front.took_s() < QUICK_S
    last = front.workers
    os.kill(last[0], signal.SIGSTOP)  # also one that cannot hear
    os.kill(front.pid, signal.SIGKILL)
    assert until(lambda: not any(map(process_tree.is_alive, last)), 5)


def test_a_frozen_worker_holds_up_nobody_and_is_replaced(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(workers=2, SILENT_S=3)
    assert until(lambda: len(front.workers) == 2, 5)
    frozen, other = front.workers
    os.kill(frozen, signal.SIGSTOP)
    stopped = time.monotonic()
    slowest = 0.0
    while process_tree.is_alive(frozen):
        slowest = max(slowest, front.took_s())
        assert time.monotonic() - stopped < 6
    assert slowest < QUICK_S
    assert time.monotonic() - stopped > 2
    assert until(
        lambda: len(now := front.workers) == 2 and frozen not in now and other in now, 5
    )


def test_a_worker_whose_threads_are_all_stuck_is_replaced(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(threads=2, STUCK_S=4)
    (before,) = front.workers
    one = front.line(b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")
    assert front.took_s("/slow/2") < 5, (
        "one stuck thread is no reason: others make progress"
    )
    assert front.workers == [before]
    two = front.line(b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")
    began = time.monotonic()
    assert is_closed(one) and is_closed(two)
    assert 3.5 < time.monotonic() - began < 8
    assert until(front.answers, 5)
    assert before not in front.workers


def test_dear_requests_that_are_all_stuck_are_a_reason_too(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(threads=3, STUCK_S=2)
    stuck = [
        front.line(POST % b"stuck" + b"Content-Length: 1\r\n\r\nx") for _ in range(2)
    ]
    assert front.took_s() < QUICK_S, "pages have a thread"
    assert all(map(is_closed, stuck))
    assert until(front.answers, 5)


def test_after_the_main_process_was_frozen_nobody_is_killed_for_it(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(workers=2, SILENT_S=1.5)
    assert until(lambda: len(front.workers) == 2, 5)
    before = front.workers
    for pid in (front.pid, *before):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(3)  # a machine that slept
    for pid in (front.pid, *before):
        os.kill(pid, signal.SIGCONT)
    assert front.took_s() < QUICK_S
    assert not until(lambda: front.workers != before, 2)


def test_the_main_process_tells_that_it_lives(
    start_server: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Beats()) as beats:
        monkeypatch.setenv("NOTIFY_SOCKET", beats.environ["NOTIFY_SOCKET"])
        front = start_server()
        assert until(lambda: beats.silent_s() > 0, 5), "heard once"
        assert not until(lambda: beats.silent_s() > 2.5, 4)
        os.kill(front.pid, signal.SIGSTOP)
        try:
            assert until(lambda: beats.silent_s() > 2.5, 5)
            assert front.took_s() < QUICK_S, "the others serve without it"
        finally:
            os.kill(front.pid, signal.SIGCONT)
        assert until(lambda: beats.silent_s() < 1.5, 5)
