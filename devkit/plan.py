"""What one `up` will run: the person's options and environment turned into addresses and settings.

Decides which servers are private, which ports are used, whether demo data are wanted, and what the
application is told through its environment. Leaves the meaning of each setting to
`core.base.config`, which also judges them.
"""

from __future__ import annotations

import argparse
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.base import setting_rules
from core.base.config import Config, ConfigError
from devkit import daemons

DEFAULT_PORT = 8000
UNLIMITED = "10000"
PAYSTACK = ("PAYSTACK_API_URL", "PAYSTACK_SECRET_KEY")
"""Who sets one of these has a gateway of their own."""


class Refusal(Exception):
    """Why `up` cannot go on: one sentence with the fix."""


@dataclass(frozen=True)
class Addresses:
    """Where each role of the application finds the database; `admin` is the owner's, which only the
    migration sees."""

    platform: str
    store: str
    admin: str = ""


NOWHERE = Addresses("-", "-")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options of `up`."""
    parser = argparse.ArgumentParser(
        prog="python3 dev.py up", description="Run all of Makola on this machine."
    )
    parser.add_argument(
        "--port",
        type=int,
        help=f"web port; default {DEFAULT_PORT}, or a free one if that is taken",
    )
    parser.add_argument(
        "--web-workers",
        type=_count,
        default=2,
        metavar="N",
        help="web processes (default 2)",
    )
    parser.add_argument(
        "--workers", type=_count, metavar="N", help="fulfilment workers (default 2)"
    )
    parser.add_argument(
        "--server",
        type=_server,
        help=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="load demo data although the supplier is not on loopback",
    )
    parser.add_argument(
        "--reset",
        action="store_true",
        help="delete this data folder's database, keys and orders first",
    )
    parser.add_argument(
        "--time-scale", type=float, metavar="K", help="divide every duration by K"
    )
    parser.add_argument(
        "--profile",
        choices=("documented", "published", "forwarding"),
        default="documented",
        help="how the sandbox supplier behaves",
    )
    parser.add_argument(
        "--auto-fulfil",
        type=float,
        metavar="S",
        help="the sandbox completes orders after S seconds",
    )
    return parser.parse_args(words)


@dataclass(frozen=True)
class Plan:
    """Everything decided before anything is started."""

    options: argparse.Namespace
    environ: Mapping[str, str]  # the person's, empty values taken out
    instance: Path
    keys: Mapping[str, Any]
    port: int
    sandbox_port: int  # 0 when the supplier is somebody else's
    gateway_port: int = 0  # 0 when there is none of ours to take payments

    @property
    def has_own_database(self) -> bool:
        return "DATABASE_URL" not in self.environ

    @property
    def has_own_valkey(self) -> bool:
        return "REDIS_URL" not in self.environ

    @property
    def supplier_url(self) -> str:
        return (
            self.environ.get("DATA_MART_API_URL")
            or f"http://127.0.0.1:{self.sandbox_port}/api"
        )

    @property
    def wants_demo(self) -> bool:
        return self.options.demo or is_loopback(
            urlsplit(self.supplier_url).hostname or ""
        )

    @property
    def webhook_url(self) -> str:
        token = self.app_environ(NOWHERE, "-")["MAKOLA_WEBHOOK_TOKEN"]
        # hooks.localhost does not resolve outside browsers
        if self._domain == "localhost":
            return f"http://127.0.0.1:{self.port}/datamart/{token}"
        return f"{self.public_url('hooks')}/datamart/{token}"

    @property
    def gateway_hook(self) -> str:
        """Where the gateway's webhooks come in."""
        if self._domain == "localhost":
            return f"http://127.0.0.1:{self.port}/paystack"
        return f"{self.public_url('hooks')}/paystack"

    @property
    def _domain(self) -> str:
        return self.environ.get("MAKOLA_BASE_DOMAIN", "localhost")

    def public_url(self, name: str) -> str:
        """The address of `<name>.<domain>` as people open it."""
        told = self.app_environ(NOWHERE, "-")
        port = int(told["MAKOLA_PUBLIC_PORT"])
        return f"{told['MAKOLA_PUBLIC_SCHEME']}://{name}.{self._domain}" + (
            f":{port}" if port else ""
        )

    def app_environ(self, database: Addresses, redis_url: str) -> dict[str, str]:
        """The environment of web, worker, relay and seed: never the owner's address. What the
        person set is kept."""
        own = {
            "MAKOLA_SECRET_KEY": self.keys["secret_key"],
            "MAKOLA_WEBHOOK_TOKEN": self.keys["webhook_token"],
            "MAKOLA_BASE_DOMAIN": self._domain,
            "MAKOLA_PUBLIC_SCHEME": "http",
            "MAKOLA_PUBLIC_PORT": str(self.port),
            "MAKOLA_INSTANCE": str(self.instance),
            # one machine plays all customers
            "MAKOLA_ORDERS_OPEN_PER_DEVICE": UNLIMITED,
            "MAKOLA_ORDERS_OPEN_PER_ADDRESS": UNLIMITED,
        }
        told = {
            "DATABASE_URL": database.platform,
            "DATABASE_STORE_URL": database.store,
            "REDIS_URL": redis_url,
        }
        if self.sandbox_port:
            told["DATA_MART_API_URL"] = self.supplier_url
            told["DATA_MART_API_KEY"] = self.keys["sandbox_api_key"]
            told["DATA_MART_API_SECRET"] = self.keys["sandbox_api_secret"]
        if setting_rules.is_this_machine(self._domain):
            # who signs up reads the code in a file of the instance folder
            own["MAKOLA_MESSAGES"] = "console"
        if self.gateway_port:
            told["PAYSTACK_API_URL"] = f"http://127.0.0.1:{self.gateway_port}"
            told["PAYSTACK_SECRET_KEY"] = self.keys["paystack_key"]
            told["PAYSTACK_MODE"] = "test"
        if self.options.time_scale is not None:
            told["MAKOLA_TIME_SCALE"] = f"{self.options.time_scale:f}"
        if self.options.workers is not None:
            told["MAKOLA_WORKERS"] = str(self.options.workers)
        every = own | dict(self.environ) | told
        every.pop("DATABASE_ADMIN_URL", None)
        return every

    def check(self) -> Config:
        """Judge all settings before anything starts. Raises `Refusal` naming every wrong one."""
        if not self.has_own_database and "DATABASE_ADMIN_URL" not in self.environ:
            raise Refusal(
                "DATABASE_URL is set but DATABASE_ADMIN_URL is not: set it to the owner's address,"
                " which migrates, or unset both for a private PostgreSQL."
            )
        given = {
            name: self.environ[name]
            for name in ("DATABASE_ADMIN_URL",)
            if name in self.environ
        }
        try:
            some = Addresses(
                self.environ.get("DATABASE_URL", "postgresql://private"),
                self.environ.get("DATABASE_STORE_URL", "postgresql://private"),
            )
            return Config.from_environ(
                self.app_environ(some, self.environ.get("REDIS_URL", "redis://private"))
                | given
            )
        except ConfigError as error:
            raise Refusal(str(error)) from error


def private(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without empty values and, with MAKOLA_FORCE_WHEELS=1, without servers of the
    person's own."""
    kept = {name: value for name, value in environ.items() if value.strip()}
    if kept.get("MAKOLA_FORCE_WHEELS") == "1":
        for name in (
            "DATABASE_URL",
            "DATABASE_STORE_URL",
            "DATABASE_ADMIN_URL",
            "REDIS_URL",
        ):
            kept.pop(name, None)
    return kept


def choose_port(asked: int | None) -> tuple[int, str]:
    """The web port and, if it is not the expected one, why. Raises `Refusal` when the port asked
    for is taken."""
    if asked is not None:
        if not 1 <= asked <= 65_535:
            raise Refusal(
                f"There is no port {asked}: give --port a number from 1024 to 65535."
            )
        if is_taken(asked):
            raise Refusal(
                f"Port {asked} is taken by another program: stop that one, or give another with"
                " --port."
            )
        return asked, ""
    for port in range(DEFAULT_PORT, DEFAULT_PORT + 10):
        if not is_taken(port):
            break
    else:
        port = daemons.free_port()
    return (
        port,
        (
            ""
            if port == DEFAULT_PORT
            else f"port {DEFAULT_PORT} is taken, so the web is on port {port}"
        ),
    )


def is_taken(port: int) -> bool:
    """Whether somebody listens on the port, on either loopback: browsers try ::1 first for
    *.localhost."""
    if daemons.is_taken(port):
        return True
    try:
        socket.create_connection(("::1", port), timeout=0.5).close()
    except OSError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _server(name: str) -> str:
    """There were servers to choose from. Each of them let a half-sent form hold a thread."""
    raise argparse.ArgumentTypeError(
        f"{name} is no longer used: it lets a half-sent request hold a thread. Leave --server out;"
        " `up` runs `flask --app wsgi web`, which reads each request whole first."
    )


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("must be 1 to 64")
    return number
