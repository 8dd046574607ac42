"""`flask --app wsgi web`: what it says when it cannot begin."""

from __future__ import annotations

import socket

from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo
from served import RULES

from http_server import cli


def run(*words: str) -> tuple[int, str]:
    app = Flask("served")
    app.extensions["http_server"] = RULES
    done = CliRunner().invoke(
        cli.web_command, words, obj=ScriptInfo(create_app=lambda: app)
    )
    return done.exit_code, done.output


def test_a_port_that_is_taken_is_said_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = run("--port", str(port))
    assert (status, said) == (
        1,
        f"Error: cannot listen on 127.0.0.1 port {port}: Address already in use\n",
    )


def test_numbers_that_make_no_sense_are_refused() -> None:
    for words in (
        ("--port", "0"),
        ("--port", "70000"),
        ("--workers", "0"),
        ("--threads", "x"),
    ):
        status, said = run(*words)
        assert status == 2 and "Invalid value" in said, words
