"""Which host leads to which room, and what no host may do."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable

import pytest
from flask import Flask, url_for

from core.base.config import Config, ConfigError
from edge.hosts import (
    BARE,
    CONSOLE,
    HOOKS,
    NOWHERE,
    PORTAL,
    STORE,
    BadHost,
    Place,
    place_of,
)
from edge.security import UnknownProxy
from tests.support.settings import Using

PLACES = [
    ("ama.localhost", Place(STORE, "ama")),
    ("AMA.LocalHost", Place(STORE, "ama")),
    ("ama.localhost.", Place(STORE, "ama")),
    ("ama.localhost:8000", Place(STORE, "ama")),
    ("ama.localhost.:8000", Place(STORE, "ama")),
    ("kofi-data2.localhost", Place(STORE, "kofi-data2")),
    ("portal.localhost", Place(PORTAL)),
    ("PORTAL.localhost:1", Place(PORTAL)),
    ("admin.localhost", Place(CONSOLE)),
    ("hooks.localhost", Place(HOOKS)),
    ("127.0.0.1", Place(HOOKS)),
    ("127.0.0.1:8000", Place(HOOKS)),
    ("localhost", Place(BARE)),
    ("localhost:8000", Place(BARE)),
    ("a.ama.localhost", Place(NOWHERE)),
    ("x.portal.localhost", Place(NOWHERE)),
    ("ama.localhost.evil.example", Place(NOWHERE)),
    ("evil.example", Place(NOWHERE)),
    ("ama.localhost.localhost", Place(NOWHERE)),
    ("amalocalhost", Place(NOWHERE)),
    ("127.0.0.2", Place(NOWHERE)),
    ("[::1]:8000", Place(NOWHERE)),
    ("[::1]", Place(NOWHERE)),
]
MALFORMED = [
    None, "", " ", "ama_data.localhost", "-ama.localhost", "ama-.localhost", "ama..localhost",
    ".localhost", "ama.localhost:",
    "ama.localhost:port", "ama.localhost:0", "ama.localhost:65536", "ama.localhost:123456",
    "ama.localhost, evil.example",
    "user@ama.localhost", "ama.localhost/x", "http://ama.localhost", "ama.localhost\r\nX: y",
    "ama\x00.localhost", "ámá.localhost",
    "ama.localhost?x", "ama.localhost#", "[::1", "[zz]", "a" * 64 + ".localhost",
    ".".join(["a" * 60] * 5) + ".localhost", "%61ma.localhost",
    "ama.localhost..", "ama localhost",
]  # fmt: skip


@pytest.mark.parametrize(("host", "place"), PLACES)
def test_a_host_leads_to_its_room(host: str, place: Place) -> None:
    assert place_of(host, "localhost") == place


@pytest.mark.parametrize("host", MALFORMED)
def test_a_malformed_host_is_refused(host: str | None) -> None:
    with pytest.raises(BadHost):
        place_of(host, "localhost")


def test_loopback_is_no_back_door_in_production() -> None:
    assert place_of("127.0.0.1", "makola.example") == Place(NOWHERE)
    assert place_of("ama.makola.example", "makola.example") == Place(STORE, "ama")
    assert place_of("localhost", "makola.example") == Place(NOWHERE)


FRONTS = [
    ("ama.localhost", 200),
    ("AMA.localhost.:81", 200),
    ("nobody.localhost", 404),
    ("www.localhost", 404),
    ("evil.example", 404),
    ("127.0.0.1", 404),  # hooks has no front page
    ("localhost", 200),
    ("portal.localhost", 303),
    ("admin.localhost", 303),
    ("ama_data.localhost", 400),
    ("ama.localhost:99999", 400),
]


def test_the_front_of_each_host(app: Flask) -> None:
    for host, status in FRONTS:
        answer = app.test_client().get("/", headers={"Host": host})
        assert answer.status_code == status, host
        assert "Set-Cookie" not in answer.headers, host


def test_an_unknown_host_serves_nothing_and_sets_no_cookie(app: Flask) -> None:
    client = app.test_client()
    for host, sentence in (
        ("evil.example", "no shop"),
        ("nobody.localhost", "no shop"),
        ("ama_data.localhost", "malformed"),
    ):
        for path in ("/", "/orders", "/login", "/static/x.css", "/orders/K7QM2XR94T"):
            for method in ("GET", "POST"):
                answer = client.open(
                    path,
                    method=method,
                    headers={"Host": host, "Origin": f"http://{host}"},
                )
                what = f"{method} {host}{path}"
                assert answer.status_code == (400 if "_" in host else 404), what
                assert sentence in answer.text, what
                assert "Set-Cookie" not in answer.headers, what


def test_rooms_do_not_share_pages(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/wallet", base_url="http://ama.localhost").status_code == 404
    assert client.get("/track", base_url="http://portal.localhost").status_code == 404
    assert (
        client.post("/datamart/x", base_url="http://portal.localhost").status_code
        == 404
    )
    assert (
        client.post("/datamart/x", base_url="http://admin.localhost").status_code == 403
    )
    assert (
        client.get("/supplier", base_url="http://portal.localhost").status_code == 404
    )


def test_forwarding_headers_of_strangers_count_for_nothing(app: Flask) -> None:
    client = app.test_client()
    for header in ("Forwarded", "X-Host", "X-Original-Host", "X-Forwarded-Server"):
        value = "host=kofi.localhost" if header == "Forwarded" else "kofi.localhost"
        answer = client.get(
            "/", base_url="http://ama.localhost", headers={header: value}
        )
        assert answer.status_code == 200, header
        assert "kofi" not in answer.text.lower(), header
        unknown = client.get(
            "/", base_url="http://nobody.localhost", headers={header: "ama.localhost"}
        )
        assert unknown.status_code == 404, header


TWO_HOSTS = "names two different addresses"


@pytest.mark.slow(seconds=0.5)
@pytest.mark.parametrize("hops", [0, 1])
@pytest.mark.parametrize(
    "other",
    [
        "kofi.localhost",
        "ama.localhost, kofi.localhost",
        "kofi.localhost, ama.localhost",
        "ama.localhost:81",
    ],
)
def test_a_forwarded_host_beside_another_host_is_refused(
    door: Callable[..., Flask], hops: int, other: str
) -> None:
    client = door(proxy_hops=hops).test_client()
    answer = client.get(
        "/", base_url="http://ama.localhost", headers={"X-Forwarded-Host": other}
    )
    assert answer.status_code == 400
    assert TWO_HOSTS in answer.text


@pytest.mark.slow(seconds=0.5)
@pytest.mark.parametrize(
    "same",
    [
        "ama.localhost",
        "AMA.localhost.",
        "ama.localhost:443",
        "ama.localhost, ama.localhost",
        "",
    ],
)
def test_a_forwarded_host_that_says_the_same_does_no_harm(
    door: Callable[..., Flask], same: str
) -> None:
    client = door(proxy_hops=1).test_client()
    answer = client.get(
        "/", base_url="http://ama.localhost", headers={"X-Forwarded-Host": same}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://ama.localhost/", 200),
        ("https://AMA.localhost:443/?a=b", 200),
        ("http://kofi.localhost/", 400),
        ("http://kofi.localhost@ama.localhost/", 400),
        ("http://ama.localhost@kofi.localhost/", 400),
        ("ftp://ama.localhost/", 400),
        ("ama.localhost:80", 400),
        ("*", 400),
    ],
)
def test_an_absolute_address_beside_another_host_is_refused(
    app: Flask, target: str, status: int
) -> None:
    client = app.test_client()
    answer = client.get(
        "/", base_url="http://ama.localhost", environ_overrides={"RAW_URI": target}
    )
    assert answer.status_code == status
    assert (TWO_HOSTS in answer.text) == (status == 400)


def test_a_forwarded_host_is_read_by_a_setting_of_its_own_which_needs_a_proxy(
    config: Config,
) -> None:
    environ = {
        field.metadata["env"]: str(getattr(config, field.name))
        for field in dataclasses.fields(Config)
        if "env" in field.metadata and field.default is field.default_factory
    }
    assert Config.from_environ(
        environ | {"MAKOLA_PROXY_HOPS": "1", "MAKOLA_PROXY_HOST": "1"}
    ).proxy_host
    assert not Config.from_environ(environ | {"MAKOLA_PROXY_HOPS": "1"}).proxy_host
    with pytest.raises(
        ConfigError, match="MAKOLA_PROXY_HOST is set but MAKOLA_PROXY_HOPS is 0"
    ):
        Config.from_environ(environ | {"MAKOLA_PROXY_HOST": "1"})


@pytest.mark.slow(seconds=0.3)
def test_a_proxy_that_nobody_told_us_of_is_named_loudly_once(
    door_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> int:
        return sum(
            "MAKOLA_PROXY_HOPS is 0" in record.getMessage() for record in caplog.records
        )

    client = door_app().test_client()
    client.get("/", base_url="http://ama.localhost")
    assert told() == 0
    for _ in range(3):
        client.get(
            "/",
            base_url="http://ama.localhost",
            headers={"X-Forwarded-For": "196.201.1.9"},
        )
    assert told() == 1
    assert [
        record.levelname
        for record in caplog.records
        if "PROXY_HOPS" in record.getMessage()
    ] == ["ERROR"]
    client = door_app(proxy_hops=1).test_client()
    client.get(
        "/", base_url="http://ama.localhost", headers={"X-Forwarded-For": "196.201.1.9"}
    )
    assert told() == 1


def test_the_line_about_an_unknown_proxy_is_said_by_one_process_for_all(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = UnknownProxy()
    with app.test_request_context(
        "/", base_url="http://ama.localhost", headers={"X-Forwarded-For": "196.201.1.9"}
    ):
        other = multiprocessing.get_context("fork").Process(target=unknown.tell_once)
        other.start()
        other.join(20)
        assert other.exitcode == 0
        unknown.tell_once()
    assert not [
        record for record in caplog.records if "PROXY_HOPS" in record.getMessage()
    ]


def test_one_proxy_of_ours_is_believed_and_no_second_one(door_app: object) -> None:
    app = door_app(proxy_hops=1, proxy_host=True)  # type: ignore[operator]
    client = app.test_client()
    believed = client.get(
        "/", base_url="http://127.0.0.1", headers={"X-Forwarded-Host": "ama.localhost"}
    )
    assert believed.status_code == 200
    planted = client.get(
        "/",
        base_url="http://127.0.0.1",
        headers={"X-Forwarded-Host": "kofi.localhost, nobody.localhost"},
    )
    assert planted.status_code == 404, "only the value our own proxy added counts"


def test_odd_paths_never_redirect_anywhere(app: Flask) -> None:
    client = app.test_client()
    for path in (
        "//evil.example/orders",
        "/orders//",
        "//",
        "///track",
        "/\\evil.example",
        "/./track",
        "/track/",
    ):
        answer = client.open(
            base_url="http://ama.localhost", environ_overrides={"PATH_INFO": path}
        )
        assert "Location" not in answer.headers, path
        assert answer.status_code in (200, 404, 405), path


def test_links_never_leave_their_host_by_accident(app: Flask) -> None:
    with app.test_request_context("/", base_url="http://evil.example"):
        with pytest.raises(ValueError, match="store_url"):
            url_for("bare_index", _external=True)
        with pytest.raises(ValueError, match="not in this room"):
            url_for("bare_index")


@pytest.mark.parametrize(
    ("label", "changes", "address"),
    [
        (
            "ama",
            {"public_scheme": "https", "base_domain": "makola.example"},
            "https://ama.makola.example",
        ),
        (
            "ama",
            {"public_scheme": "http", "public_port": 8000},
            "http://ama.localhost:8000",
        ),
        (
            "",
            {"public_scheme": "https", "base_domain": "makola.example"},
            "https://makola.example",
        ),
    ],
)
def test_public_addresses_come_from_the_settings(
    config: Config,
    label: str,
    changes: dict[str, object],
    address: str,
    using: Using,
) -> None:
    from edge import hosts

    using(**changes)
    assert hosts.address(label) == address
