"""What becomes of one call: against scripted transports, and against a real socket that resets,
cuts and trickles."""

from __future__ import annotations

import ast
import gzip
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from integrations import http
from tests.support.written import nodes, text

QUICK = http.Timeouts(connect=2, read=2, write=2, pool=2, total=5)
FULL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def send(
    url: str = "http://supplier.test/x", method: str = "POST", **options: Any
) -> http.Reply:
    options = {"headers": {}, "body": b"{}", "timeouts": QUICK} | options
    return http.send(method, url, **options)


def scripted(answer: Any) -> httpx.MockTransport:
    def handler(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, httpx.Response)
        return answer

    return httpx.MockTransport(handler)


# -- every error of httpx, by name, and the words they end as


ERRORS = [
    (httpx.ConnectError("no"), http.NotConnected("connect_error: no")),
    (httpx.ConnectTimeout("no"), http.NotConnected("connect_timeout: no")),
    (httpx.PoolTimeout("no"), http.NotConnected("pool_timeout: no")),
    (httpx.UnsupportedProtocol("no"), http.NotConnected("unsupported_protocol: no")),
    (httpx.ReadError("no"), http.Lost("read_error")),
    (httpx.ReadTimeout("no"), http.Lost("read_timeout")),
    (httpx.WriteError("no"), http.Lost("write_error")),
    (httpx.WriteTimeout("no"), http.Lost("write_timeout")),
    (httpx.CloseError("no"), http.Lost("close_error")),
    (httpx.RemoteProtocolError("no"), http.Lost("remote_protocol_error")),
    (httpx.LocalProtocolError("no"), http.Lost("local_protocol_error")),
    (httpx.ProxyError("no"), http.Lost("proxy_error")),
    (httpx.DecodingError("no"), http.Lost("decoding_error")),
]


@pytest.mark.parametrize(
    ("error", "reply"), ERRORS, ids=[type(e).__name__ for e, _ in ERRORS]
)
def test_error(error: httpx.RequestError, reply: http.Reply) -> None:
    assert send(transport=scripted(error)) == reply


def test_no_transport_error_of_httpx_is_forgotten() -> None:
    """A new version with a new error must show up here, not in a purchase."""
    leaves = {
        kind
        for kind in vars(httpx).values()
        if isinstance(kind, type)
        and issubclass(kind, httpx.TransportError)
        and not kind.__subclasses__()
    }
    assert leaves == {type(error) for error, _ in ERRORS} - {httpx.DecodingError}


class JobTimeout(Exception):
    """Stands for the queue's own: an ordinary exception that a signal raises at any line."""


@pytest.mark.parametrize(
    "foreign",
    [JobTimeout(), KeyboardInterrupt(), MemoryError(), OSError(), ValueError()],
)
def test_what_is_not_the_wire_flies_through(foreign: BaseException) -> None:
    with pytest.raises(type(foreign)):
        send(transport=scripted(foreign))


@pytest.mark.slow(seconds=0.4)
def test_no_broad_except_in_the_room() -> None:
    """A broad except would swallow a job's time limit, and the job would go on without one."""
    broad = []
    for path in sorted(Path(http.__file__).parent.glob("**/*.py")):
        if any("sandbox" in part for part in path.parts):
            continue
        for node in nodes(path):
            if isinstance(node, ast.ExceptHandler):
                names = (
                    {"Exception"}
                    if node.type is None
                    else {n.id for n in ast.walk(node.type) if hasattr(n, "id")}
                )
                if names & {"Exception", "BaseException"}:
                    broad.append(f"{path.name}:{node.lineno}")
    assert broad == []


def test_only_one_module_knows_httpx() -> None:
    knowing = []
    for path in Path(http.__file__).parent.glob("**/*.py"):
        if "httpx" not in text(path):
            continue
        for node in nodes(path):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "httpx" for name in names):
                knowing.append(path.name)
    assert knowing == ["http.py"]


# -- answers


@pytest.mark.parametrize(
    "status", [200, 201, 204, 301, 302, 307, 308, 400, 404, 429, 500, 502]
)
def test_every_status_is_an_answer_and_no_redirect_is_followed(status: int) -> None:
    answer = httpx.Response(
        status,
        headers={"Location": "http://elsewhere.test/", "X-Two": "b"},
        content=b"body",
    )
    reply = send(transport=scripted(answer))
    assert isinstance(reply, http.Answer)
    assert (reply.status, reply.body, reply.headers["x-two"]) == (status, b"body", "b")


@pytest.mark.parametrize(
    "location",
    ["", "http://[", "//", "http://\x00", "javascript:1", "http://" + "a" * 70_000],
)
def test_senseless_location(location: str) -> None:
    reply = send(
        transport=scripted(
            httpx.Response(302, headers={"Location": location.replace("\x00", "%00")})
        )
    )
    assert isinstance(reply, http.Answer) and reply.status == 302


def test_size_limit() -> None:
    at_limit = send(
        transport=scripted(httpx.Response(200, content=b"x" * http.MAX_BYTES))
    )
    assert isinstance(at_limit, http.Answer) and len(at_limit.body) == http.MAX_BYTES
    over = send(
        transport=scripted(httpx.Response(200, content=b"x" * (http.MAX_BYTES + 1)))
    )
    assert over == http.Lost("too_large")


def test_size_limit_counts_what_is_unpacked() -> None:
    packed = gzip.compress(b"x" * (http.MAX_BYTES + 1))
    assert len(packed) < 4096
    answer = httpx.Response(
        200, stream=Chunks([packed]), headers={"Content-Encoding": "gzip"}
    )
    assert send(transport=scripted(answer)) == http.Lost("too_large")


def test_packed_answer_is_read() -> None:
    answer = httpx.Response(
        200, stream=Chunks([gzip.compress(b"{}")]), headers={"Content-Encoding": "gzip"}
    )
    reply = send(transport=scripted(answer))
    assert isinstance(reply, http.Answer) and reply.body == b"{}"


def test_badly_packed_answer_is_lost() -> None:
    answer = httpx.Response(
        200, stream=Chunks([b"not gzip"]), headers={"Content-Encoding": "gzip"}
    )
    assert send(transport=scripted(answer)) == http.Lost("decoding_error")


class Chunks(httpx.SyncByteStream):
    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self.chunks

    def close(self) -> None:
        self.closed = True


def test_response_is_closed_when_it_is_too_large() -> None:
    stream = Chunks([b"x" * 10, b"x" * 10, b"x" * 10])
    assert send(
        transport=scripted(httpx.Response(200, stream=stream)), max_bytes=15
    ) == http.Lost("too_large")
    assert stream.closed


@pytest.mark.parametrize(
    "url",
    [
        "",
        "supplier.test",
        "ftp://supplier.test",
        "http://",
        "http:///x",
        "http://[",
        "http://x:99999",
        f"http://{'a' * 70}.test",
    ],
)
def test_address_that_cannot_be_called_is_refused_at_start(url: str) -> None:
    with pytest.raises(ValueError):
        http.check_url(url)


def test_address() -> None:
    http.check_url("https://supplier.test/api")
    http.check_url("http://127.0.0.1:8000/api")


# -- a real socket


class Server:
    """Hands each connection to `script` in a thread of its own; counts connections."""

    def __init__(self, script: Callable[[socket.socket], None]) -> None:
        self.script = script
        self.connections = 0
        self.stop = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/x"
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.threads.append(threading.Thread(target=self.serve, args=(connection,)))
            self.threads[-1].start()

    def serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.script(connection)
            except OSError:
                pass  # the client went away, which several of these tests want

    def close(self) -> None:
        self.stop.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[socket.socket], None]], Server]]:
    servers: list[Server] = []

    def start(script: Callable[[socket.socket], None]) -> Server:
        servers.append(Server(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_request(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n{}" not in head:
        part = connection.recv(65536)
        if not part:
            break
        head += part
    return head


def closes_after_reading(connection: socket.socket) -> None:
    read_request(connection)


def resets_after_reading(connection: socket.socket) -> None:
    read_request(connection)
    reset(connection)


def half_body(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(
        b'HTTP/1.1 201 Created\r\nContent-Length: 200\r\n\r\n{"success":true'
    )


def half_body_then_reset(connection: socket.socket) -> None:
    half_body(connection)
    reset(connection)


def half_chunk(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{")


def half_head(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-")


def no_http(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"SSH-2.0-OpenSSH_9\r\n\r\n")


def endless_head(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000)


@pytest.mark.parametrize(
    ("script", "reasons"),
    [
        (closes_after_reading, {"remote_protocol_error"}),
        (resets_after_reading, {"read_error"}),
        (half_body, {"remote_protocol_error"}),
        (half_body_then_reset, {"read_error", "remote_protocol_error"}),
        (half_chunk, {"remote_protocol_error"}),
        (half_head, {"remote_protocol_error"}),
        (no_http, {"remote_protocol_error"}),
        (endless_head, {"remote_protocol_error", "read_error"}),
    ],
)
def test_broken_on_the_wire_is_lost(
    serve: Any, script: Callable[[socket.socket], None], reasons: set[str]
) -> None:
    server = serve(script)
    reply = send(server.url)
    assert isinstance(reply, http.Lost) and reply.reason in reasons, reply
    assert server.connections == 1


def test_reset_on_arrival_is_lost_or_came_before_the_request(serve: Any) -> None:
    """The reset may win against the connect itself; then nothing went out, and "not connected" is
    the truth."""
    server = serve(reset)
    reply = send(server.url)
    if isinstance(reply, http.NotConnected):
        assert reply.reason.startswith("connect_error")
    else:
        assert isinstance(reply, http.Lost) and reply.reason in (
            "read_error",
            "remote_protocol_error",
        ), reply


def test_hang_ends_at_the_read_timeout(serve: Any) -> None:
    server = serve(lambda connection: server_waits(server_holder[0], connection))
    server_holder = [server]
    began = time.monotonic()
    timeouts = http.Timeouts(connect=2, read=0.2, write=2, pool=2, total=5)
    assert send(server.url, timeouts=timeouts) == http.Lost("read_timeout")
    assert time.monotonic() - began < 2


def server_waits(server: Server, connection: socket.socket) -> None:
    read_request(connection)
    server.stop.wait(10)


@pytest.mark.slow(seconds=0.3)
@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
    ],
)
def test_trickle_ends_at_the_deadline(serve: Any, begun: bytes) -> None:
    """Each byte is in time for the read timeout; head and body alike would go on for hours."""
    holder: list[Server] = []

    def trickle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(begun)
        while not holder[0].stop.wait(0.05):
            connection.sendall(b"x" if begun else b"H")

    holder.append(serve(trickle))
    began = time.monotonic()
    timeouts = http.Timeouts(connect=2, read=2, write=2, pool=2, total=0.5)
    reply = send(holder[0].url, timeouts=timeouts)
    took = time.monotonic() - began
    if begun:
        assert reply == http.Lost("deadline") and 0.4 < took < 2
    else:  # nonsense from the first byte is found out before that
        assert isinstance(reply, http.Lost) and took < 2


@pytest.mark.slow(seconds=0.3)
def test_endless_informational_answers_end_at_the_deadline(serve: Any) -> None:
    holder: list[Server] = []

    def inform(connection: socket.socket) -> None:
        read_request(connection)
        while not holder[0].stop.wait(0.05):
            connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")

    holder.append(serve(inform))
    timeouts = http.Timeouts(connect=2, read=2, write=2, pool=2, total=0.5)
    assert send(holder[0].url, timeouts=timeouts) == http.Lost("deadline")


def test_closed_port_is_not_connected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    reply = send(url)
    assert isinstance(reply, http.NotConnected) and reply.reason.startswith(
        "connect_error"
    )


def test_name_that_does_not_resolve_is_not_connected() -> None:
    reply = send("http://supplier.invalid/")
    assert isinstance(reply, http.NotConnected) and reply.reason.startswith(
        "connect_error"
    )


def test_no_handshake_is_not_connected(serve: Any) -> None:
    """TLS fails before a byte of the request is out."""
    server = serve(
        lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    )
    reply = send(server.url.replace("http://", "https://"))
    assert isinstance(reply, http.NotConnected) and reply.reason.startswith(
        "connect_error"
    )


def test_silent_handshake_is_not_connected(serve: Any) -> None:
    holder: list[Server] = []
    holder.append(serve(lambda connection: holder[0].stop.wait(10)))
    timeouts = http.Timeouts(connect=0.2, read=2, write=2, pool=2, total=5)
    reply = send(holder[0].url.replace("http://", "https://"), timeouts=timeouts)
    assert isinstance(reply, http.NotConnected) and reply.reason.startswith(
        "connect_timeout"
    )


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_every_call_has_a_connection_of_its_own(serve: Any, method: str) -> None:
    heads: list[bytes] = []

    def answers(connection: socket.socket) -> None:
        while True:  # would gladly serve a second call on the same connection
            head = connection.recv(65536)
            if not head:
                return
            heads.append(head)
            connection.sendall(FULL)

    server = serve(answers)
    for _ in range(3):
        reply = send(server.url, method, body=None)
        assert isinstance(reply, http.Answer) and reply.body == b"{}"
    assert server.connections == len(heads) == 3
    assert all(b"connection: close" in head.lower() for head in heads)


def test_redirect_is_not_followed_on_a_real_socket(serve: Any) -> None:
    def answers(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(
            b"HTTP/1.1 307 X\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"
        )

    server = serve(answers)
    reply = send(server.url)
    assert isinstance(reply, http.Answer) and reply.status == 307
    assert server.connections == 1


def test_proxies_of_the_environment_are_ignored(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(FULL)

    server = serve(answers)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert isinstance(send(server.url), http.Answer)


def test_secret_that_breaks_a_header_is_not_repeated_in_the_reason(serve: Any) -> None:
    """h11 quotes the header it refuses."""
    server = serve(lambda connection: connection.recv(65536))
    reply = send(server.url, headers={"X-API-Secret": "sk_geheim\n"})
    assert reply == http.Lost("local_protocol_error")


def test_calls_do_not_disturb_each_other(serve: Any) -> None:
    def answers(connection: socket.socket) -> None:
        body = read_request(connection).split(b"X-Number: ")[1].split(b"\r\n")[0]
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )

    server = serve(answers)
    replies: dict[int, http.Reply] = {}

    def call(number: int) -> None:
        replies[number] = send(server.url, headers={"X-Number": str(number)})

    threads = [threading.Thread(target=call, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert {n: r.body for n, r in replies.items() if isinstance(r, http.Answer)} == {
        n: b"%d" % n for n in range(20)
    }


class Steps(httpx.BaseTransport):
    """A transport that tells the watch of its steps, as the real one does."""

    def __init__(
        self, steps: Callable[[Callable[[str, Any], None]], httpx.Response]
    ) -> None:
        self.steps = steps

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.steps(request.extensions["trace"])


def test_an_error_of_connecting_after_the_first_byte_is_no_proof() -> None:
    """httpx does not do this today; "not sent" must not rest on that."""

    def steps(trace: Callable[[str, Any], None]) -> httpx.Response:
        trace("http11.send_request_headers.started", {})
        raise httpx.ConnectError("again")

    assert send(transport=Steps(steps)) == http.Lost("connect_error")


def test_connection_that_is_ready_only_after_the_deadline_is_shut_at_once() -> None:
    ours, theirs = socket.socketpair()

    class Stream:
        def get_extra_info(self, name: str) -> socket.socket:
            assert name == "socket"
            return ours

    def steps(trace: Callable[[str, Any], None]) -> httpx.Response:
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer) and thread not in before:
                thread.join(5)
        trace("connection.connect_tcp.complete", {"return_value": Stream()})
        if not ours.recv(1):
            raise httpx.RemoteProtocolError("shut")
        return httpx.Response(200)

    before = set(threading.enumerate())
    with ours, theirs:
        reply = send(transport=Steps(steps), timeouts=http.Timeouts(1, 1, 1, 1, 0.05))
    assert reply == http.Lost("deadline")


def test_deadline_holds_for_a_transport_without_a_socket() -> None:
    class Slow(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            end = time.monotonic() + 5
            while time.monotonic() < end:
                time.sleep(0.01)
                yield b"x"

    began = time.monotonic()
    reply = send(
        transport=scripted(httpx.Response(200, stream=Slow())),
        timeouts=http.Timeouts(1, 1, 1, 1, 0.1),
    )
    assert reply == http.Lost("deadline") and time.monotonic() - began < 3


def test_watch_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    for _ in range(20):
        send(
            transport=scripted(httpx.Response(200)),
            timeouts=http.Timeouts(1, 1, 1, 1, 600),
        )
    waiting = [thread for thread in threading.enumerate() if thread not in before]
    for thread in waiting:
        thread.join(2)
    assert not any(thread.is_alive() for thread in waiting)
