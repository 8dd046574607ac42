"""The proxy files we ship, each before a real front: what the program hears of a client, and what
it never hears."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from raw_wire import Answer, Served, is_closed, read_answer

from devkit import daemons

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
HOST = "ama.makola.example"
NGINX = """
daemon off; pid {folder}/pid; error_log stderr; {user}
events {{}}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/makola.conf;
}}
"""
pytestmark = [pytest.mark.slow(seconds=4), pytest.mark.servers]


@dataclass
class Proxy:
    """A proxy that runs before a front."""

    name: str
    https: int
    http: int
    front: Served

    def line(self, name: str = HOST) -> ssl.SSLSocket:
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.https), timeout=20)
        self.front.opened.append(plain)
        made = trusting.wrap_socket(plain, server_hostname=name)
        self.front.opened.append(made)
        return made

    def ask(self, raw: bytes) -> Answer:
        line = self.line()
        line.sendall(raw)
        return read_answer(line)


def adapted(name: str, folder: Path, proxy: Proxy, **words: str) -> str:
    """The shipped file with this machine's ports and paths, and nothing else changed."""
    words = {
        "127.0.0.1:8000": f"127.0.0.1:{proxy.front.port}",
        "/etc/makola/tls/": f"{folder}/",
        **words,
    }
    text = (DEPLOY / name).read_text()
    for old, new in words.items():
        assert old in text, f"{name} has no {old!r} any more"
        text = text.replace(old, new)
    return text


def nginx(folder: Path, proxy: Proxy) -> list[str]:
    short = {"listen 443": f"listen {proxy.https}", "listen 80": f"listen {proxy.http}"}
    short["/var/log/nginx/"] = f"{folder}/"
    short["client_body_timeout 10s"] = "client_body_timeout 1s"
    short["client_header_timeout 10s"] = "client_header_timeout 1s"
    (folder / "makola.conf").write_text(adapted("nginx.conf", folder, proxy, **short))
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "main.conf").write_text(NGINX.format(folder=folder, user=user))
    return ["nginx", "-p", str(folder), "-c", str(folder / "main.conf")]


def caddy(folder: Path, proxy: Proxy) -> list[str]:
    ports = f"admin off\n\thttp_port {proxy.http}\n\thttps_port {proxy.https}\n\tgrace_period 1s\n"
    short = {
        "grace_period 25s\n": ports,
        "read_header 10s": "read_header 1s",
        "read_body 10s": "read_body 1s",
    }
    (folder / "Caddyfile").write_text(adapted("Caddyfile", folder, proxy, **short))
    return [
        "caddy",
        "run",
        "--config",
        str(folder / "Caddyfile"),
        "--adapter",
        "caddyfile",
    ]


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(
    request: pytest.FixtureRequest, tmp_path: Path, start_server: Callable[..., Served]
) -> Iterator[Proxy]:
    program = request.param.__name__
    for needed in (program, "openssl"):
        if shutil.which(needed) is None:
            pytest.skip(
                f"NO {needed.upper()} HERE: deploy/ IS NOT TRIED WITH {program.upper()}; apt"
                f" install {needed}"
            )
    made = Proxy(program, daemons.free_port(), daemons.free_port(), start_server())
    certificate = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    certificate += [
        "-subj",
        "/CN=makola.example",
        "-addext",
        "subjectAltName=DNS:makola.example,DNS:*.makola.example",
    ]
    certificate += [
        "-keyout",
        str(tmp_path / "privkey.pem"),
        "-out",
        str(tmp_path / "fullchain.pem"),
    ]
    subprocess.run(certificate, check=True, capture_output=True)
    log = (tmp_path / "log").open("wb")
    home = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "XDG_DATA_HOME": str(tmp_path),
    }
    process = subprocess.Popen(
        request.param(tmp_path, made), env=home, stdout=log, stderr=log
    )
    try:
        listening = daemons.until(
            lambda: daemons.is_taken(made.https) or process.poll() is not None, 20
        )
        assert listening and process.poll() is None, (tmp_path / "log").read_text()
        yield made
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_the_program_hears_of_the_client_from_the_proxy_alone(proxy: Proxy) -> None:
    told = proxy.ask(
        f"GET /x?y=1 HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto:"
        " http\r\nX-Forwarded-Host: kofi.makola.example\r\nX-Forwarded-Port: 1\r\nForwarded:"
        " for=6.6.6.6\r\n\r\n".encode()
    ).told
    assert (told["HTTP_HOST"], told["RAW_URI"], told["SERVER_PROTOCOL"]) == (
        HOST,
        "/x?y=1",
        "HTTP/1.1",
    )
    assert (told["HTTP_X_FORWARDED_FOR"], told["HTTP_X_FORWARDED_PROTO"]) == (
        "127.0.0.1",
        "https",
    )
    kept = {"HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED", "HTTP_X_FORWARDED_PORT"} & {
        k for k, v in told.items() if v
    }
    assert kept == set(), "a client's own words reached the program"


def test_no_log_of_the_proxy_has_an_address_that_is_a_key(
    proxy: Proxy, tmp_path: Path
) -> None:
    """A reset link, the webhook's address, and both as the page that something was asked for by."""
    key = "k3d0pagXiok5Eq91"
    asked = [
        f"/reset/{key}",
        f"/reset/{key}?x=1",
        f"/join/{key}",
        f"/login?next=/join/{key}",
        f"/datamart/{key}",
        f"//reset/{key}",
    ]
    for path in asked:
        proxy.ask(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    proxy.ask(
        f"GET /static/app.css HTTP/1.1\r\nHost: {HOST}\r\nReferer:"
        f" https://{HOST}/reset/{key}\r\n\r\n".encode()
    )
    with socket.create_connection(("127.0.0.1", proxy.http), timeout=20) as plain:
        plain.sendall(
            f"GET /reset/{key} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
        )
        assert read_answer(plain).status == 308
    proxy.ask(f"GET /written HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    logs = {
        file.name: file.read_bytes()
        for file in (*tmp_path.glob("*.log"), tmp_path / "log")
    }
    assert not [name for name, said in logs.items() if key.encode() in said]
    if proxy.name == "nginx":
        assert daemons.until(
            lambda: b"/written" in (tmp_path / "makola.log").read_bytes(), 5
        )


def test_forms_pass_and_too_much_does_not(proxy: Proxy) -> None:
    head = f"POST /form HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: %d\r\n\r\n"
    told = proxy.ask((head % 60_000).encode() + b"x" * 60_000).told
    assert (told["received"], told["CONTENT_LENGTH"]) == (60_000, "60000")
    for size in (70_000, 2_000_000):
        line = proxy.line()
        line.sendall((head % size).encode() + b"x" * 70_000)
        assert read_answer(line).status == 413, size


def test_half_a_body_reaches_nobody_and_has_its_time(proxy: Proxy) -> None:
    half = f"POST /form HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1000\r\n\r\nxxx".encode()
    lines = [proxy.line() for _ in range(20)]
    for line in lines:
        line.sendall(half)
    assert proxy.ask(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()).status == 200
    if (
        proxy.name == "nginx"
    ):  # Caddy tells the program after its time, and leaves its own client waiting
        said = lines[0].recv(100)
        assert said == b"" or said.split()[1] == b"408", "cut off, not held"


def test_without_tls_and_under_another_name_there_is_no_page(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.http), timeout=20) as plain:
        plain.sendall(f"GET /x HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        answer = read_answer(plain)
        assert answer.status == 308 and answer.headers["location"].startswith(
            f"https://{HOST}"
        )
    try:
        line = proxy.line("evil.example")
        line.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert is_closed(line), "another name got an answer"
    except ssl.SSLError:
        pass  # not even a handshake
