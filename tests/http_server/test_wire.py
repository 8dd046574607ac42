"""What the server makes of bytes: whole requests go to the program, everything else is refused and
nothing is done."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from raw_wire import Served, is_closed, read_answer
from served import served_programs

POST = b"POST /%s HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with served_programs() as start:
        yield start()


def test_the_program_is_given_the_request_as_wsgi_has_it(served: Served) -> None:
    told = served.ask(
        b"POST /a%20b/c?x=%20y HTTP/1.1\r\nHost: ama.localhost\r\nContent-Type:"
        b" text/plain\r\nX-Two: 1\r\nX-Two: 2\r\nCookie: a=1\r\nCookie: b=2\r\nX_Two:"
        b" 3\r\nContent-Length: 3\r\n\r\nabc"
    ).told
    assert told["REQUEST_METHOD"] == "POST"
    assert (told["PATH_INFO"], told["QUERY_STRING"], told["RAW_URI"]) == (
        "/a b/c",
        "x=%20y",
        "/a%20b/c?x=%20y",
    )
    assert (told["HTTP_HOST"], told["CONTENT_TYPE"], told["CONTENT_LENGTH"]) == (
        "ama.localhost",
        "text/plain",
        "3",
    )
    assert (told["HTTP_X_TWO"], told["HTTP_COOKIE"]) == (
        "1,2",
        "a=1; b=2",
    ), "a name with an underscore is left out"
    assert told["received"] == 3
    assert told["REMOTE_ADDR"] == "127.0.0.1"
    assert "http_server.whole" not in told, "not a text"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (POST % b"" + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
        (POST % b"" + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
        (
            POST % b""
            + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            POST % b"hook"
            + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            400,
        ),
        (POST % b"hook" + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        (POST % b"hook" + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (
            POST % b"hook"
            + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            b"POST /hook HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            POST % b"hook"
            + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
            400,
        ),
        (
            POST % b"hook"
            + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n0\r\n\r\n",
            400,
        ),
        (
            POST % b"hook"
            + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
            400,
        ),
        (
            POST % b"hook"
            + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
            400,
        ),
        (POST % b"" + b"Content-Length: +3\r\n\r\nabc", 400),
        (POST % b"" + b"Content-Length: 3, 3\r\n\r\nabc", 400),
        (POST % b"" + b"Content-Length: 99999999999999999999\r\n\r\nabc", 400),
        (POST % b"" + b"Content-Length: 65537\r\n\r\n", 413),
        (POST % b"" + b"Cookie: in\r\nContent-Length: 65537\r\n\r\n", 413),
        (POST % b"" + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/3.7\r\nHost: a\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 400),
        (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n" % (b"x" * 17_000), 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n%s\r\n" % (b"X: y\r\n" * 3_000), 431),
        (b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 17_000), 431),
        (b"GET /refused HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /judge-breaks HTTP/1.1\r\nHost: a\r\n\r\n", 500),
    ],
)
def test_what_is_no_request_of_ours_is_refused_and_the_connection_closed(
    served: Served, raw: bytes, status: int
) -> None:
    line = served.line(raw)
    answer = read_answer(line)
    assert (answer.status, answer.headers["connection"]) == (status, "close")
    assert answer.rest == b""
    assert is_closed(line)


def test_a_head_that_never_ends_is_refused_before_it_fills_the_memory(
    served: Served,
) -> None:
    line = served.line(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    for _ in range(5):
        line.sendall(b"x" * 4_000)
    assert read_answer(line).status == 431


@pytest.mark.parametrize("trailer", [b"X: %s" % (b"y" * 450_000), b"X: y\r\n" * 75_000])
def test_chunks_may_not_hide_more_than_they_say(served: Served, trailer: bytes) -> None:
    line = served.line(
        POST % b"hook" + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
    )
    line.sendall(trailer)
    assert read_answer(line).status == 413


def test_a_webhook_may_come_in_chunks_up_to_its_limit(served: Served) -> None:
    head = POST % b"hook" + b"Transfer-Encoding: chunked\r\n\r\n"
    told = served.ask(
        head + b"8000\r\n%s\r\n8000\r\n%s\r\n0\r\n\r\n" % (b"x" * 32_768, b"y" * 32_768)
    ).told
    assert (
        told["received"],
        told["CONTENT_LENGTH"],
        "HTTP_TRANSFER_ENCODING" in told,
    ) == (
        65_536,
        "65536",
        False,
    )
    one_more = head + b"8000\r\n%s\r\n8001\r\n%s\r\n0\r\n\r\n" % (
        b"x" * 32_768,
        b"y" * 32_769,
    )
    assert served.ask(one_more).status == 413


@pytest.mark.parametrize(
    "cut",
    [
        POST % b"" + b"Content-Length: 10\r\n\r\nabc",
        POST % b"" + b"Content-Length: 10\r\n\r\n",
        POST % b"hook" + b"Transfer-Encoding: chunked\r\n\r\n3\r\nab",
        POST % b"hook" + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        POST % b"hook" + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    ],
)
def test_a_body_that_is_cut_off_is_refused(served: Served, cut: bytes) -> None:
    line = served.line(cut)
    line.shutdown(1)
    answer = read_answer(line)
    assert (answer.status, answer.body) == (
        400,
        b"What you sent did not arrive whole, so nothing was done.",
    )


@pytest.mark.slow(seconds=1.3)
def test_a_sender_who_has_said_all_still_gets_the_answer(served: Served) -> None:
    line = served.line(POST % b"slow/2" + b"Content-Length: 3\r\n\r\nabc")
    line.shutdown(1)
    answer = read_answer(line)
    assert (answer.status, answer.told["received"]) == (200, 3)
    assert is_closed(line)


def test_head_get_and_stored_pages_on_one_connection(served: Served) -> None:
    line = served.line(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    head = line.recv(65_536)
    assert (
        head.startswith(b"HTTP/1.1 200 OK\r\n")
        and head.endswith(b"\r\n\r\n")
        and b"Content-Length: " in head
    )
    line.sendall(b"HEAD /stored HTTP/1.1\r\nHost: a\r\n\r\n")
    stored = line.recv(65_536)
    assert stored.startswith(
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nDate: "
    ) and stored.endswith(b"GMT\r\n\r\n")
    line.sendall(b"GET /stored HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = read_answer(line)
    assert (answer.status, answer.body, answer.headers.get("connection")) == (
        200,
        b"stored",
        None,
    )
    line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert read_answer(line).headers["connection"] == "close"
    assert is_closed(line)


@pytest.mark.parametrize("path", ["lapsed", "lapsed-news", "lapsed-breaks"])
def test_a_stored_page_that_must_be_looked_at_is_shown_or_the_program_asked(
    served: Served, path: str
) -> None:
    line = served.line(f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    answer = read_answer(line)
    if path == "lapsed":
        assert answer.body == b"stored"
    elif path == "lapsed-news":
        assert answer.told["PATH_INFO"] == "/lapsed-news"
    else:
        assert answer.status == 500
    line.sendall(b"HEAD /lapsed HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head = line.recv(65_536)
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n")
    assert head.endswith(b"\r\n\r\n") and is_closed(line)


def test_looking_holds_nobody_else_up(served: Served) -> None:
    slow = served.line(b"GET /lapsed-slow HTTP/1.1\r\nHost: a\r\n\r\n")
    assert served.took_s("/stored") < 0.5
    assert read_answer(slow).body == b"stored"


def test_http_1_0_is_answered_and_closed(served: Served) -> None:
    line = served.line(b"GET /stored HTTP/1.0\r\n\r\n")
    assert read_answer(line).body == b"stored"
    assert is_closed(line)


def test_requests_sent_ahead_are_answered_in_order(served: Served) -> None:
    line = served.line(
        b"".join(
            b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % path
            for path in (b"1", b"stored", b"3")
        )
    )
    first = read_answer(line)
    second = read_answer(line, first.rest)
    third = read_answer(line, second.rest)
    assert (first.told["PATH_INFO"], second.body, third.told["PATH_INFO"]) == (
        "/1",
        b"stored",
        "/3",
    )
    line.sendall(
        POST % b""
        + b"Content-Length: 3\r\n\r\nabc"
        + POST % b""
        + b"Content-Length: 4\r\n\r\nab"
    )
    fourth = read_answer(line, third.rest)
    line.sendall(b"cd")
    assert (
        fourth.told["received"],
        read_answer(line, fourth.rest).told["received"],
    ) == (3, 4)


def test_many_requests_sent_ahead_are_not_kept(served: Served) -> None:
    line = served.line(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 1_000)
    data = b""
    while more := line.recv(65_536):
        data += more
    assert 5 < data.count(b"HTTP/1.1 200 OK") < 20


def test_garbage_after_a_request_is_refused_after_its_answer(served: Served) -> None:
    line = served.line(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGARBAGE GARBAGE\r\n\r\n")
    first = read_answer(line)
    assert first.status == 200
    assert read_answer(line, first.rest).status == 400
    assert is_closed(line)


def test_who_asks_first_whether_the_body_may_come_is_told(served: Served) -> None:
    line = served.line(
        POST % b"" + b"Content-Length: 3\r\nExpect: 100-Continue\r\n\r\n"
    )
    assert line.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.sendall(b"abc")
    assert read_answer(line).told["received"] == 3
    refused = served.ask(
        POST % b"" + b"Content-Length: 70000\r\nExpect: 100-continue\r\n\r\n"
    )
    assert refused.status == 413, "and not invited"


def test_an_offer_to_change_the_protocol_is_not_taken_up(served: Served) -> None:
    line = served.line(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
    )
    assert read_answer(line).status == 200
    assert is_closed(line)


def test_a_program_that_raises_is_a_bare_500(served: Served) -> None:
    assert served.get("/raises").status == 500
    assert served.get("/").status == 200


def test_a_larger_body_needs_a_live_log_in_and_goes_to_a_file(served: Served) -> None:
    head = POST % b"upload" + b"%sContent-Length: %d\r\n\r\n"
    small = served.ask(head % (b"", 1_000) + b"x" * 1_000).told
    assert (small["received"], small["spooled"]) == (1_000, False)
    assert served.ask(head % (b"", 1_001) + b"x" * 1_001).status == 413
    assert served.ask(head % (b"Cookie: out\r\n", 900_000)).status == 413
    large = served.ask(
        head % (b"Cookie: in\r\n", 1024 * 1024) + b"x" * 1024 * 1024
    ).told
    assert (large["received"], large["spooled"]) == (1024 * 1024, True)
    assert served.ask(head % (b"Cookie: in\r\n", 1024 * 1024 + 1)).status == 413
    expects = served.line(head % (b"Cookie: in\r\nExpect: 100-continue\r\n", 2_000))
    assert expects.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_only_so_many_larger_bodies_at_once(served: Served) -> None:
    begun = POST % b"upload" + b"Cookie: in\r\nContent-Length: 5000\r\n\r\n"
    first, second = served.line(begun), served.line(begun)
    time.sleep(0)
    assert served.ask(begun).status == 503
    first.sendall(b"x" * 5_000)
    assert read_answer(first).told["received"] == 5_000
    third = served.line(begun + b"x" * 5_000)
    assert read_answer(third).told["received"] == 5_000
    second.close()
    for _ in range(3):
        assert served.ask(begun + b"x" * 5_000).status == 200, (
            "a sender who went away gives the place back"
        )
