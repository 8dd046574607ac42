"""The supplier's certificate is checked: a purchase goes to nobody who cannot show one that
fits."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations import http

QUICK = http.Timeouts(connect=2, read=2, write=2, pool=2, total=5)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody but its own key vouches for, with that key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    subject = [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
    ]
    made = [
        "-keyout",
        str(folder / "key.pem"),
        "-out",
        str(folder / "made.pem"),
        "-days",
        "2",
        "-nodes",
    ]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", *made, *subject]
    subprocess.run(command, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text(
        (folder / "key.pem").read_text() + (folder / "made.pem").read_text()
    )
    return both


@pytest.fixture
def server(certificate: Path) -> Iterator[tuple[int, list[bytes]]]:
    """The port of a server with that certificate, and every plain byte that a client trusted it
    with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            raw, _ = listening.accept()
            raw.settimeout(5)
            try:
                with context.wrap_socket(raw, server_side=True) as secure:
                    received = b""
                    # head and body may come in two records
                    while not received.endswith(b"{}"):
                        received += secure.recv(65_536)
                    heard.append(received)
                    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            except (ssl.SSLError, OSError):
                raw.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1], heard
        thread.join(15)
    assert not thread.is_alive()


def send(port: int) -> http.Reply:
    headers = {"X-API-Secret": "a secret"}
    return http.send(
        "POST",
        f"https://localhost:{port}/v1/purchase",
        headers=headers,
        body=b"{}",
        timeouts=QUICK,
    )


@pytest.mark.slow(seconds=0.2)
def test_a_certificate_nobody_vouches_for_gets_nothing(
    server: tuple[int, list[bytes]],
) -> None:
    port, heard = server
    reply = send(port)
    assert isinstance(reply, http.NotConnected)
    assert "CERTIFICATE_VERIFY_FAILED" in reply.reason
    assert heard == []


def test_one_that_is_vouched_for_is_called(
    server: tuple[int, list[bytes]], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, heard = server
    trusting = ssl.create_default_context(cafile=str(certificate.with_name("made.pem")))
    monkeypatch.setattr(http, "_tls", lambda: trusting)
    reply = send(port)
    assert isinstance(reply, http.Answer) and reply.body == b"{}"
    assert b"a secret" in heard[0]


def test_old_versions_of_tls_are_not_spoken() -> None:
    context = http._tls()
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
