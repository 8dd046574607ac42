"""`flask --app wsgi web`: the web processes."""

from __future__ import annotations

import os
import sys

import click
from flask import Flask
from flask.cli import ScriptInfo

import http_server
from http_server import master


def register(app: Flask) -> None:
    """Add the command to `flask --app wsgi`."""
    app.cli.add_command(web_command)


@click.command("web")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=8000,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Web processes.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Threads of each.",
)
@click.pass_obj
def web_command(
    info: ScriptInfo, host: str, port: int, workers: int, threads: int
) -> None:
    """Serve stores, portal, console and webhooks until stopped. HTTP/1.1; TLS is the proxy's."""
    app = info.load_app()
    rules: http_server.Rules = app.extensions["http_server"]
    try:
        master.serve(
            app,
            rules,
            host=host,
            port=port,
            workers=workers,
            threads=threads,
        )
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}"
        ) from error
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
    # Taking the application apart module by module takes a second, in which its successor cannot
    # start.
