"""Servers, migrations, data, programs, health and `ready.json` of one `up`, in this order.

Leaves to `plan` what was asked for and to `processes` how children live and end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

from devkit import (
    databases,
    process_tree,
    processes,
    ready,
    roles,
    servers,
    valkey_server,
)
from devkit.console import Console
from devkit.heartbeat_socket import Beats
from devkit.plan import Addresses, Plan, Refusal
from devkit.processes import Child, Family

Server = TypeVar("Server", servers.Postgres, valkey_server.Valkey)

COMMAND_WAIT_S = 180
HEALTH_WAIT_S = 60
SUPPLIER_WAIT_S = 15


class Whole:
    """One run: the plan, the screen, the children, and what became known on the way."""

    def __init__(self, what: Plan, console: Console, family: Family) -> None:
        self.plan = what
        self.console = console
        self.family = family
        self.children: dict[str, Child] = {}
        self.env: dict[str, str] = {}
        self.pids_file = what.instance / "supervise.json"
        self.ready = ready.ReadyFile(what.instance / "ready.json", {}, self.pids)

    def start(self, workers: int) -> None:
        """Start everything in order and write `ready.json`. Raises `Refusal`, `ServerError`,
        `Stopping`."""
        began = time.monotonic()
        database = self._servers()
        self._supplier()
        self._gateway()
        self._command(
            "migrate",
            "db",
            "upgrade",
            env=self.env | {"DATABASE_ADMIN_URL": database.admin},
        )
        self._command(
            "seed",
            "seed",
            "--demo" if self.plan.wants_demo else "--owner-only",
            "--passwords-file",
            str(self.plan.instance / "secrets.json"),
            env=self.env,
        )
        self._web()
        self._supervise(workers)
        self._webhook()
        facts = ready.facts(self.plan, self.env, database.admin)
        self.ready = ready.ReadyFile(
            self.plan.instance / "ready.json", facts, self.pids
        )
        self.ready.renew()
        self.console.say(f"ready after {time.monotonic() - began:.1f} s")
        self.console.banner(ready.banner(self.plan, facts))

    def watch(self) -> NoReturn:
        """Keep it running. Ends by raising `Stopping`."""
        while True:
            self._listen(0.5)
            self.ready.renew()

    def _listen(self, seconds: float) -> None:
        due = time.monotonic() + seconds
        self.family.wait_for(lambda: time.monotonic() > due, 1)

    def pids(self) -> dict[str, list[int]]:
        """The processes of each kind that live now, as `ready.json` names them."""
        alone = {
            name: [child.pid]
            if (child := self.children.get(name)) and child.pid
            else []
            for name in ("web", "postgres", "valkey", "sandbox", "gateway")
        }
        alone["web"] += [
            pid for main in alone["web"] for pid in process_tree.children(main)
        ]
        return alone | ready.supervised(self.pids_file)

    def _servers(self) -> Addresses:
        """Start the private servers that are wanted, and know the application's environment.
        Returns the addresses of the database, of which only the migration gets to see the
        owner's."""
        if self.plan.has_own_database:
            self.console.say("starting PostgreSQL")
            server = self._server("postgres", servers.start_postgres, signal.SIGINT)
            if server.home.note:
                self.console.say(server.home.note)
            made = databases.prepare_database(
                server,
                "makola",
                owner_password=self.plan.keys["database_owner_password"],
                store_password=self.plan.keys["database_store_password"],
                platform_password=self.plan.keys["database_platform_password"],
            )
            database = Addresses(made.platform_url, made.store_url, made.admin_url)
        else:
            database = roles.complete(
                self.plan.environ, self.plan.keys["database_store_password"]
            )
        redis_url = self.plan.environ.get("REDIS_URL", "")
        if self.plan.has_own_valkey:
            self.console.say("starting Valkey")
            redis_url = self._server(
                "valkey", valkey_server.start_valkey, signal.SIGTERM
            ).url
        self.env = self.plan.app_environ(database, redis_url)
        return database

    def _server(
        self, name: str, begin: Callable[..., Server], stop_signal: int
    ) -> Server:
        """Start a private server as a child; when it died it starts again on the same port and
        data."""
        held: list[Server] = []

        def launch(out: int) -> subprocess.Popen[bytes]:
            if held:
                held[0].output = out
                held[0].start()
            else:
                held.append(begin(self.plan.instance / name, output=out))
            process = held[0].process
            assert process is not None
            return process

        self.children[name] = self.family.start(
            name, launch, stop_signal=stop_signal, is_server=True
        )
        return held[0]

    def _supplier(self) -> None:
        """Start the sandbox, or look whether somebody else's supplier answers. A silent one is no
        reason to stop."""
        address = urlsplit(self.plan.supplier_url)
        if self.plan.sandbox_port:
            folder = self.plan.instance / "sandbox"
            folder.mkdir(mode=0o700, exist_ok=True)
            argv = processes.python(
                "-m", "integrations.sandbox.serve", "--host", "127.0.0.1"
            )
            argv += [
                "--port",
                str(self.plan.sandbox_port),
                "--db",
                str(folder / "sandbox.db"),
            ]
            argv += ["--profile", self.plan.options.profile]
            if self.plan.options.auto_fulfil is not None:
                argv += ["--auto-fulfil", f"{self.plan.options.auto_fulfil:g}"]
            env = dict(os.environ)
            env["SANDBOX_API_KEY"] = self.plan.keys["sandbox_api_key"]
            env["SANDBOX_API_SECRET"] = self.plan.keys["sandbox_api_secret"]
            self._program("sandbox", argv, env)
            answered = self.family.wait_for(
                lambda: ready.answers(address.netloc, "/health"), SUPPLIER_WAIT_S
            )
        else:
            port = address.port or (443 if address.scheme == "https" else 80)
            answered = ready.accepts(address.hostname or "", port)
        if not answered:
            self.console.say(
                f'the supplier at {self.plan.supplier_url} does not answer: stores say "No bundles'
                ' yet" until it does'
            )

    def _gateway(self) -> None:
        """Start the sandbox gateway. Nothing waits for it: no page needs it to be shown."""
        if not self.plan.gateway_port:
            return
        folder = self.plan.instance / "gateway"
        folder.mkdir(mode=0o700, exist_ok=True)
        argv = processes.python("-m", "integrations.paystack_sandbox.serve")
        argv += ["--port", str(self.plan.gateway_port)]
        argv += ["--db", str(folder / "gateway.db")]
        argv += ["--webhook-url", self.plan.gateway_hook]
        if self.plan.options.time_scale is not None:
            argv += ["--time-scale", f"{self.plan.options.time_scale:f}"]
        env = {
            **os.environ,
            "PAYSTACK_SANDBOX_TEST_KEY": self.plan.keys["paystack_key"],
        }
        self._program("gateway", argv, env)

    def _command(self, name: str, *words: str, env: Mapping[str, str]) -> None:
        status = self.family.run(
            name,
            processes.python("-m", "flask", "--app", "wsgi", *words),
            env,
            COMMAND_WAIT_S,
        )
        if status != 0:
            raise Refusal(
                f"`flask --app wsgi {words[0]}` failed with status {status}: the reason is in its"
                " lines above."
            )

    def _web(self) -> None:
        port = str(self.plan.port)
        argv = processes.python("-m", "flask", "--app", "wsgi", "web", "--port", port)
        argv += ["--workers", str(self.plan.options.web_workers)]
        # sockets without a name are Linux's alone
        beats = Beats() if sys.platform == "linux" else None
        self._program("web", argv, self.env, beats)
        self._await("web", lambda: ready.answers(f"127.0.0.1:{port}", "/healthz"))

    def _supervise(self, workers: int) -> None:
        self.pids_file.unlink(missing_ok=True)
        argv = processes.python(
            "-m",
            "flask",
            "--app",
            "wsgi",
            "supervise",
            "--pids-file",
            str(self.pids_file),
        )
        self._program("supervise", argv, self.env)

        def all_there() -> bool:
            found = ready.supervised(self.pids_file)
            return len(found["worker"]) >= workers and bool(found["relay"])

        self._await("supervise", all_there)

    def _program(
        self,
        name: str,
        argv: list[str],
        env: Mapping[str, str],
        beats: Beats | None = None,
    ) -> None:
        self.console.say(f"starting {name}")
        told = {**env, **(beats.environ if beats else {})}
        self.children[name] = self.family.start(
            name, lambda out: processes.spawn(argv, told, out), beats=beats
        )

    def _await(self, name: str, condition: Callable[[], bool]) -> None:
        child = self.children[name]
        self.family.wait_for(
            lambda: child.backoff.failures > 2 or condition(), HEALTH_WAIT_S
        )
        if child.backoff.failures > 2 or not condition():
            raise Refusal(
                f"{name} does not get ready: the reason is in its lines above."
            )

    def _webhook(self) -> None:
        """Tell the sandbox where to ring. Somebody else's supplier is theirs to set: show how."""
        if self.plan.sandbox_port:
            problem = ready.register_webhook(self.plan)
            if problem:
                self.console.say(
                    f"the sandbox did not take the webhook address ({problem}): orders still move,"
                    " by polling"
                )
        else:
            self.console.banner(ready.webhook_command(self.plan))
