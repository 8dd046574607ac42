"""A body comes whole or nothing is done, and no more of it than its address may have: in the
application, under our front, and under a server of somebody else."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from raw_wire import Served, read_answer
from seed import WEBHOOK_TOKEN
from visitors import Visitor
from werkzeug.middleware.proxy_fix import ProxyFix

from core import catalog
from core.base import tenancy
from core.base.config import Config
from core.supplier import webhook_events
from devkit import daemons
from edge import bodies, hosts
from edge.security import Unquoted
from http_server import Head, Refusal
from tests.support.settings import Using

ROOT = Path(__file__).resolve().parents[2]
HOOK = f"/datamart/{WEBHOOK_TOKEN}"
CUT_OFF = "did not arrive whole"
FORM = "application/x-www-form-urlencoded"


def cut(body: bytes, missing: int) -> dict[str, Any]:
    """A body of which the end did not come, from a server that says only so much was there."""
    return {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body[: len(body) - missing]),
            "wsgi.input_terminated": True}  # fmt: skip


def test_an_order_form_that_is_cut_off_orders_nothing(
    app: Flask, in_store: Callable[..., Any], customer: Visitor
) -> None:
    bundle_id = in_store("ama", lambda: catalog.shelf()[0].bundle_id)
    review = customer.post(
        "/orders", {"bundle": bundle_id, "recipient": "0241234567"}, csrf=False
    )
    assert review.status_code == 303
    form = f"bundle={bundle_id}&recipient=0241234567&note=twelve".encode()
    answer = customer.client.post(
        "/orders", base_url=customer.base_url, content_type=FORM,
        headers={"Origin": customer.base_url},
        environ_overrides=cut(form, 3),
    )  # fmt: skip
    assert (answer.status_code, CUT_OFF in answer.text) == (400, True)


def test_a_price_that_is_cut_off_is_not_saved(
    app: Flask, ama_agent: Visitor, in_store: Callable[..., Any]
) -> None:
    line = in_store("ama", lambda: catalog.shelf()[0])
    form = f"csrf_token={ama_agent.csrf_token}&price-{line.bundle_id}=133.7".encode()
    for missing in (1, 2, len(form)):
        answer = ama_agent.client.post(
            "/prices", base_url=ama_agent.base_url, content_type=FORM,
            headers={"Origin": ama_agent.base_url},
            environ_overrides=cut(form, missing),
        )  # fmt: skip
        assert (answer.status_code, CUT_OFF in answer.text) == (400, True), missing
    assert in_store("ama", lambda: catalog.shelf()[0]) == line


def test_a_webhook_that_is_cut_off_is_not_kept(app: Flask) -> None:
    answer = app.test_client().post(
        HOOK, base_url="http://127.0.0.1", environ_overrides=cut(b'{"event":"x"}', 1)
    )
    assert (answer.status_code, CUT_OFF in answer.text) == (400, True)
    with app.app_context(), tenancy.across_stores():
        assert webhook_events.newest() == []


def test_a_log_in_that_is_cut_off_is_not_tried(app: Flask) -> None:
    client = app.test_client()
    for host in ("portal", "admin"):
        base = f"http://{host}.localhost"
        answer = client.post(
            "/login", base_url=base, content_type=FORM, headers={"Origin": base},
            environ_overrides=cut(b"email=a@b.example&password=abcdef", 2),
        )  # fmt: skip
        assert (answer.status_code, CUT_OFF in answer.text) == (400, True), host


@pytest.mark.parametrize(
    ("host", "path"), [("ama", "/orders"), ("portal", "/login"), ("admin", "/login")]
)
def test_a_form_says_how_long_it_is(app: Flask, host: str, path: str) -> None:
    base = f"http://{host}.localhost"
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = app.test_client().post(
        path, base_url=base, content_type=FORM, headers={"Origin": base},
        input_stream=io.BytesIO(b"a=b"),
        environ_overrides=environ,
    )  # fmt: skip
    assert (answer.status_code, "Content-Length" in answer.text) == (411, True)


LIMITS = [
    (hosts.STORE, "/orders", 65_536, False, 0),
    (hosts.PORTAL, "/prices", 65_536, False, 0),
    (hosts.CONSOLE, "/login", 65_536, False, 0),
    (hosts.HOOKS, HOOK, 65_536, True, 0),
    (hosts.STORE, HOOK, 65_536, False, 0),
    (hosts.HOOKS, HOOK + "/more", 65_536, False, 0),
    (hosts.HOOKS, "/paystack", 262_144, True, 0),
    (hosts.STORE, "/paystack", 65_536, False, 0),
    (hosts.PORTAL, "/store/logo", 65_536, False, 1_048_576),
    (hosts.STORE, "/store/logo", 65_536, False, 0),
    (hosts.PORTAL, "/store/logos", 65_536, False, 0),
    (hosts.PORTAL, "/payments", 65_536, False, 262_144),
    (hosts.PORTAL, "/payments/process", 65_536, False, 0),
]


@pytest.mark.parametrize(("room", "path", "most", "chunked", "logged_in"), LIMITS)
def test_the_table_of_limits(
    app: Flask, room: str, path: str, most: int, chunked: bool, logged_in: int
) -> None:
    found = bodies.allowed(room, path)
    assert (found.bytes_most, found.may_be_chunked, found.bytes_logged_in) == (
        most,
        chunked,
        logged_in,
    )


def test_the_front_asks_the_same_table_by_host_and_path(
    app: Flask, using: Using
) -> None:
    def head(host: str, path: str, *more: tuple[bytes, bytes]) -> Head:
        return Head(
            "POST",
            path,
            path,
            "",
            "1.1",
            [(b"host", host.encode()), *more],
            host,
            length=10,
        )

    assert bodies.judge(head("hooks.localhost", "/paystack")).bytes_most == 262_144
    assert bodies.judge(head("127.0.0.1:8000", HOOK)).may_be_chunked
    assert bodies.judge(head("ama.localhost", "/paystack")).bytes_most == 65_536
    assert bodies.judge(head("a b", "/paystack")).bytes_most == 65_536
    other = (b"x-forwarded-host", b"hooks.localhost")
    with pytest.raises(Refusal):
        bodies.judge(head("ama.localhost", "/paystack", other))
    using(proxy_hops=1, proxy_host=True)
    assert bodies.judge(head("127.0.0.1", "/paystack", other)).bytes_most == 262_144


def test_a_file_needs_a_live_log_in(app: Flask, ama_agent: Visitor) -> None:
    kind = "application/octet-stream"
    answer = ama_agent.post("/store/logo", b"x" * 500_000, content_type=kind)
    assert answer.status_code == 400, "it came in, and is no form"
    assert (
        Visitor(app, "portal")
        .post("/store/logo", b"x" * 500_000, content_type=kind)
        .status_code
        == 413
    )
    assert (
        ama_agent.post("/store/logo", b"x" * 1_100_000, content_type=kind).status_code
        == 413
    )


@pytest.fixture(params=["http_server", "gunicorn"])
def served(
    request: pytest.FixtureRequest, app: Flask, config: Config, tmp_path: Path
) -> Iterator[Served]:
    """The whole application behind a real server."""
    port = daemons.free_port()
    words = {
        "http_server": [
            "flask",
            "--app",
            "wsgi",
            "web",
            "--workers",
            "1",
            "--port",
            str(port),
        ],
        "gunicorn": [
            "gunicorn",
            "wsgi:create_app()",
            "-k",
            "gthread",
            "-b",
            f"127.0.0.1:{port}",
            "--no-control-socket",
        ],
    }[request.param]
    told = {
        field.metadata["env"]: str(getattr(config, field.name))
        for field in dataclasses.fields(Config)
        if "env" in field.metadata
        and field.name != "database_admin_url"
        and getattr(config, field.name) != field.default
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={**os.environ, **told},
            stdout=log,
            stderr=log,
        )
    try:
        up = daemons.until(
            lambda: daemons.is_taken(port) or process.poll() is not None, 30
        )
        assert up and process.poll() is None, (tmp_path / "log").read_text()
        yield Served(port, process.pid)
    finally:
        for line in Served.opened:
            line.close()
        Served.opened.clear()
        process.terminate()
        process.wait(40)


def head(host: str, path: str, *lines: str) -> bytes:
    origin = [] if path == HOOK else [f"Origin: http://{host}"]
    return "\r\n".join(
        [f"POST {path} HTTP/1.1", f"Host: {host}", *origin, *lines, "", ""]
    ).encode()


@pytest.mark.slow(seconds=6)
@pytest.mark.servers
def test_cut_off_and_malformed_bodies_on_the_wire(served: Served, app: Flask) -> None:
    half = [
        head("127.0.0.1", HOOK, "Content-Length: 13") + b'{"event":"x"',
        head("ama.localhost", "/orders", f"Content-Type: {FORM}", "Content-Length: 30")
        + b"bundle=1&recipient=024",
        head(
            "portal.localhost", "/login", f"Content-Type: {FORM}", "Content-Length: 30"
        )
        + b"email=a",
        head("127.0.0.1", HOOK, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n",
    ]
    for raw in half:
        line = served.line(raw)
        line.shutdown(1)
        answer = read_answer(line)
        assert answer.status == 400, raw
    for chunks in (
        b"zz\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcde\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"\r\n\r\n",
    ):
        answer = served.ask(
            head("127.0.0.1", HOOK, "Transfer-Encoding: chunked") + chunks
        )
        assert answer.status == 400, chunks
    with app.app_context(), tenancy.across_stores():
        assert webhook_events.newest() == []
    whole = served.ask(
        head("127.0.0.1", HOOK, "Transfer-Encoding: chunked")
        + b'd\r\n{"event":"x"}\r\n0\r\n\r\n'
    )
    assert whole.status == 204


@pytest.mark.slow(seconds=6)
@pytest.mark.parametrize("served", ["http_server"], indirect=True)
@pytest.mark.servers
def test_the_front_lets_in_a_file_of_a_live_log_in_and_refuses_in_our_words(
    served: Served, ama_agent: Visitor
) -> None:
    cookie = ama_agent.client.get_cookie("__Host-makola", domain="portal.localhost")
    assert cookie is not None
    upload = ("Content-Type: application/octet-stream", "Content-Length: 300000")
    host = f"portal.localhost:{served.port}"
    logged_in = served.ask(
        head(host, "/store/logo", *upload, f"Cookie: __Host-makola={cookie.value}")
        + b"x" * 300_000
    )
    assert logged_in.status == 400, "it came in, and is no form"
    for stranger in ((), ("Cookie: __Host-makola=made-up",)):
        refused = served.ask(head(host, "/store/logo", *upload, *stranger))
        assert refused.status == 413
    assert b"larger than any form of ours" in refused.body
    assert refused.headers["content-security-policy"].startswith("default-src 'none'")
    assert "set-cookie" not in refused.headers
    two = served.ask(
        f"GET http://kofi.localhost/ HTTP/1.1\r\nHost: ama.localhost:{served.port}\r\n\r\n".encode()
    )
    assert (two.status, b"names two different addresses" in two.body) == (400, True)
    same = f"ama.localhost:{served.port}"
    assert (
        served.ask(
            f"GET http://{same}/ HTTP/1.1\r\nHost: {same}\r\n\r\n".encode()
        ).status
        == 200
    )
    forwarded = "X-Forwarded-Host: kofi.localhost"
    assert (
        served.ask(
            f"GET / HTTP/1.1\r\nHost: {same}\r\n{forwarded}\r\n\r\n".encode()
        ).status
        == 400
    )


@pytest.mark.parametrize(
    ("host", "target", "dear"),
    [
        ("portal.localhost", "/login", True),
        ("ADMIN.localhost:8000", "/login", True),
        ("portal.localhost", "/%6cogin", True),
        ("portal.localhost", "http://portal.localhost/login", True),
        ("portal.localhost", "/account/password", True),
        ("admin.localhost", "/reset/abc", True),
        ("portal.localhost", "/orders/process", False),
        ("ama.localhost", "/login", False),
        ("a b", "/login", False),
    ],
)
def test_pages_do_not_wait_behind_passwords(
    app: Flask, host: str, target: str, dear: bool
) -> None:
    def head(method: str) -> Head:
        named = [(b"host", host.encode())]
        return Head(method, target, target, "", "1.1", named, host, length=10)

    rules = app.extensions["http_server"]
    assert rules.is_dear(head("POST")) is dear
    assert not rules.is_dear(head("GET")), "showing the form costs nothing"


def test_every_page_that_takes_a_password_is_named(app: Flask) -> None:
    taking = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ())
        and any(
            word in rule.rule
            for word in ("login", "passw", "reset", "join", "account/confirm")
        )
    }
    assert taking and all(
        bodies.DEAR.fullmatch(path)
        for path in taking
        if not path.startswith("/people/")
    )


@pytest.mark.parametrize(
    ("hops", "told", "key"),
    [
        (0, [b"198.51.100.1"], "203.0.113.7"),
        (1, [b"198.51.100.1"], "198.51.100.1"),
        (1, [b"198.51.100.1, 198.51.100.2"], "198.51.100.2"),
        (1, [b"198.51.100.1", b"2001:db8::9"], "2001:db8::"),
        (2, [b"198.51.100.1"], "203.0.113.7"),
        (1, [], "203.0.113.7"),
        (1, [b'"198.51.100.9, 203.0.113.1", 198.51.100.2'], "198.51.100.2"),
        (1, [b'"198.51.100.9', b"198.51.100.2"], "198.51.100.2"),
    ],
)
def test_what_the_front_refuses_is_logged_with_the_address_that_counts(
    app: Flask, using: Using, hops: int, told: list[bytes], key: str
) -> None:
    using(proxy_hops=hops)
    headers = [(b"x-forwarded-for", value) for value in told]
    assert app.extensions["http_server"].address(headers, "203.0.113.7") == key


@given(
    told=st.lists(st.text('",;= 1.:a\\\\', max_size=30), min_size=1, max_size=3),
    hops=st.integers(1, 2),
)
def test_server_and_application_know_a_caller_by_one_address(
    told: list[str], hops: int
) -> None:
    """Whatever a stranger writes before what our proxy appends."""
    seen: list[str] = []
    layers = Unquoted(
        ProxyFix(lambda environ, _: seen.append(environ["REMOTE_ADDR"]), x_for=hops)
    )
    layers(
        {"REMOTE_ADDR": "203.0.113.7", "HTTP_X_FORWARDED_FOR": ",".join(told)},
        lambda *_: None,
    )
    assert seen == [hosts.told_by_proxies(told, hops) or "203.0.113.7"]


@given(told=st.text(st.characters(max_codepoint=255), max_size=40))
def test_nothing_a_stranger_says_hides_what_our_proxy_appends(told: str) -> None:
    assert hosts.told_by_proxies([told, "198.51.100.2"], 1) == "198.51.100.2"
