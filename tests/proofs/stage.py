"""The real thing on a stage of its own: PostgreSQL with fsync, Valkey, the sandbox supplier, web,
relay and workers.

    with Stage(scale=10, workers=3, bulk="auto", env={...}) as stage:
        stage.running            # what the journeys' people and supplier take
        stage.pids("worker")     # as of now
        with stage.without("valkey"):
            ...                  # down, and nobody starts it again meanwhile

Everything is `dev.py up`, except that what dies starts again within a second, that one kind can be
kept down, and that the folder is thrown away at the end. It runs in a process of its own (`python
-m tests.proofs.stage FOLDER`) which ends, and tidies, as soon as the pipe from this one closes:
also when the harness is killed. Should that process be killed, the kernel ends its children and
this one tidies.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psutil

import supervision
from devkit import daemons, datafolder, keys, plan, postgres_home, process_tree, servers
from devkit.console import Console
from devkit.heartbeat_socket import Beats
from devkit.plan import Plan
from devkit.processes import Child, Family, Stopping
from devkit.whole import Whole
from tests.proofs import ROOT
from tests.support.running import Failed, Running, must, until

READY_S = 180
STOPPED_S = 30
LAST_LINES = 30
"""Of what the stage said, when it fails: those of the process that died among them."""
RESTART_S = (0.05, 0.05, 0.25, 0.5, 1.0)
FOREIGN = (
    "MAKOLA_",
    "DATABASE_",
    "REDIS_",
    "DATA_MART_",
    "FLASK_",
    "GRANIAN_",
    "SANDBOX_",
    "PAYSTACK_",
    "CHAOS_",
)
KINDS = (
    "web",
    "supervise",
    "relay",
    "worker",
    "payments",
    "valkey",
    "postgres",
    "sandbox",
    "gateway",
)
UNDER_SUPERVISE = ("relay", "worker", "payments")
_OPTIONS = "stage.json"


class Stage:
    """One running Makola. Use it as a context manager, from the thread that outlives it."""

    def __init__(
        self,
        *,
        scale: float = 1.0,
        workers: int = 3,
        web_workers: int = 2,
        bulk: str = "off",
        knobs: Mapping[str, Any] | None = None,
        supplier_cedis: int = 5_000,
        supplier_seed: int = 0,
        gateway: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        python_path: Sequence[Path] = (),
        keep_in: Path | None = None,
    ) -> None:
        """`knobs` are the sandbox's from its start, `supplier_cedis` is what we have there; `gateway`
        are the words of a gateway that takes payments, None where there is to be none; `env` and
        `python_path` reach every process; `keep_in` gets the log, the supplier's charge file and
        the gateway's memory when the folder goes."""
        self._port = 0
        self._words = ["--time-scale", f"{scale:g}"]
        self._words += ["--workers", str(workers), "--web-workers", str(web_workers)]
        path = os.pathsep.join(
            [*map(str, python_path), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
        self._env = {
            "MAKOLA_BULK": bulk,
            "MAKOLA_UNDO_S": "0",
            "MAKOLA_ORDERS_PER_ADDRESS_MINUTE": "100000",
            **({"PYTHONPATH": path} if path else {}),
            **(env or {}),
        }
        # from its first moment: a window of calls once open stays open
        self._sandbox = ["--wallet", str(supplier_cedis), "--seed", str(supplier_seed)]
        self._sandbox += _as_flags(knobs or {})
        self._gateway = None if gateway is None else _as_flags(gateway)
        self._keep_in = keep_in
        self._server: subprocess.Popen[bytes] | None = None
        self.folder = Path()
        self.running: Running

    @property
    def instance(self) -> Path:
        return self.folder / "instance"

    def start(self) -> Self:
        """Start everything and wait until it answers; once more when somebody else took the web's
        port before it was bound. Raises `Failed` with the last lines when it does not."""
        try:
            return self._begin()
        except Failed:
            if not daemons.is_taken(self._port):
                raise
            return self._begin()

    def _begin(self) -> Self:
        self._port = daemons.free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="makola-chaos-"))
        # root's PostgreSQL runs as nobody, who must walk through
        self.folder.chmod(0o755)
        # a killed supervisor leaves its busy marks behind
        scratch = self.folder / "tmp"
        scratch.mkdir()
        env = {**self._env, "TMPDIR": str(scratch)}
        words = ["--port", str(self._port), *self._words]
        options = {
            "words": words,
            "env": env,
            "sandbox": self._sandbox,
            "gateway": self._gateway,
        }
        (self.folder / _OPTIONS).write_text(json.dumps(options), encoding="utf-8")
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(FOREIGN)
        }
        with self._output.open("wb") as sink:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.proofs.stage", str(self.folder)],
                cwd=ROOT,
                env=clean | {"MAKOLA_INSTANCE": str(self.instance)},
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to hear
            )
        try:
            until(
                lambda: self._file.exists() or self._ended,
                READY_S,
                "everything on the stage is ready",
            )
            must(
                not self._ended,
                f"the stage did not get ready:\n{self._last_lines()}",
            )
            self.running = Running.at(self.instance)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End everything and remove the folder. Safe to repeat."""
        if self._server is None:
            return
        last = self._pids()
        if self._server.stdin is not None:
            self._server.stdin.close()
        try:
            self._server.wait(STOPPED_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        left = [pid for pids in last.values() for pid in pids]
        if not daemons.until(
            lambda: not any(map(process_tree.is_alive, left)),
            STOPPED_S if self._server.returncode else 1,
        ):
            for pid in left:
                if _instance_of(pid) == str(self.instance) or str(
                    self.folder
                ) in process_tree.command_line(pid):
                    supervision.send(pid, signal.SIGKILL)
        throw_away(self.folder, self._keep_in)
        self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def pids(self, kind: str) -> list[int]:
        """The processes of a kind that live now; of `web` the main one first. A dead one is never
        named."""
        must(
            not self._ended,
            f"the stage itself ended:\n{self._last_lines()}",
        )
        return [pid for pid in self._pids().get(kind, []) if process_tree.is_alive(pid)]

    def take_down(self, kind: str, signum: int = signal.SIGKILL) -> None:
        """End all processes of a kind and keep them down. Returns when they are gone."""
        must(kind in KINDS, f"there is no kind of process called {kind!r}")
        if kind in UNDER_SUPERVISE:
            for pid in self.pids("supervise"):  # frozen, it starts no new ones
                supervision.send(pid, signal.SIGSTOP)
            for pid in self.pids(kind):
                supervision.send(pid, signum)
        else:
            self._tell("down", kind, str(int(signum)))
            self._wait_told(f"down {kind}")
        until(lambda: not self.pids(kind), STOPPED_S, f"{kind} is down")

    def bring_back(self, kind: str) -> None:
        """Start what `take_down` ended. Returns at once: waiting until it works again is the
        caller's measurement."""
        if kind in UNDER_SUPERVISE:
            for pid in self.pids("supervise"):
                supervision.send(pid, signal.SIGCONT)
        else:
            self._tell("up", kind)

    @contextmanager
    def without(self, kind: str, signum: int = signal.SIGKILL) -> Iterator[None]:
        """A kind of process is down for the length of the block."""
        self.take_down(kind, signum)
        try:
            yield
        finally:
            self.bring_back(kind)

    def log(self) -> str:
        """Everything that was said on the stage so far."""
        return (self.instance / "up.log").read_text(encoding="utf-8", errors="replace")

    @property
    def _file(self) -> Path:
        return self.instance / "ready.json"

    @property
    def _output(self) -> Path:
        return self.folder / "output.txt"

    @property
    def _ended(self) -> bool:
        return self._server is None or self._server.poll() is not None

    def _last_lines(self) -> str:
        said = self._output.read_text(encoding="utf-8", errors="replace")
        return "\n".join(said.splitlines()[-LAST_LINES:])

    def _pids(self) -> dict[str, list[int]]:
        try:
            found: dict[str, list[int]] = json.loads(
                self._file.read_text(encoding="utf-8")
            )["pids"]
        except (OSError, ValueError):
            return {}
        return found

    def _tell(self, *words: str) -> None:
        assert self._server is not None and self._server.stdin is not None
        self._server.stdin.write((" ".join(words) + "\n").encode())
        self._server.stdin.flush()

    def _wait_told(self, what: str) -> None:
        told = self.instance / "held.json"

        def is_held() -> bool:
            return told.exists() and what.split()[1] in json.loads(
                told.read_text(encoding="utf-8")
            )

        until(is_held, STOPPED_S, what)


class _Family(Family):
    """The children of the stage: started again at once, or kept down when told so. Hears commands
    on its pipe."""

    def __init__(self, console: Console, front: int, instance: Path) -> None:
        super().__init__(console, front, RESTART_S)
        self._held_file = instance / "held.json"
        self._half_line = b""

    def _hear_front(self, fd: int) -> None:
        data = os.read(fd, 4_096)
        if not data:
            super()._hear_front(fd)
            return
        *lines, self._half_line = (self._half_line + data).split(b"\n")
        for line in lines:
            word, kind, *rest = line.decode().split()
            child = next(child for child in self._children if child.name == kind)
            if word == "down":
                self._take_down(child, int(rest[0]))
            else:
                child.held, child.backoff.failures, child.start_at = (
                    False,
                    0,
                    time.monotonic(),
                )
            keys.save(
                self._held_file, [child.name for child in self._children if child.held]
            )

    def _take_down(self, child: Child, signum: int) -> None:
        child.held = True
        if child.process is not None and child.process.poll() is None:
            if signum == signal.SIGKILL:
                process_tree.send_group(
                    child.process.pid, signum
                )  # else its workers live on and hold its port
            else:
                supervision.send(child.process.pid, signum)


class _Whole(Whole):
    """`dev.py up` that also names the supervisor, and gives both sandboxes more words."""

    more_words: Mapping[str, Sequence[str]] = {}

    def _program(
        self,
        name: str,
        argv: list[str],
        env: Mapping[str, str],
        beats: Beats | None = None,
    ) -> None:
        super()._program(
            name,
            [*argv, *self.more_words.get(name, ())],
            env,
            beats,
        )

    def pids(self) -> dict[str, list[int]]:
        supervise = self.children.get("supervise")
        return super().pids() | {
            "supervise": [supervise.pid] if supervise and supervise.pid else []
        }

    def watch(self) -> None:
        while True:
            due = time.monotonic() + 0.1
            self.family.wait_for(lambda due=due: time.monotonic() > due, 1)
            self.ready.renew()


def _serve(folder: Path) -> int:
    """Run everything until the pipe from the harness closes; should the harness be dead by then,
    remove the folder."""
    harness = os.getppid()
    told = json.loads((folder / _OPTIONS).read_text(encoding="utf-8"))
    os.environ.update(told["env"])
    try:
        more = {name: told[name] for name in ("sandbox", "gateway") if told[name]}
        _run(
            told["words"],
            more,
            Path(os.environ["MAKOLA_INSTANCE"]),
            has_gateway=told["gateway"] is not None,
        )
    except (plan.Refusal, servers.ServerError) as refusal:
        print(refusal, flush=True)
        return 1
    finally:
        if os.getppid() != harness:
            throw_away(folder)
    return 0


def _run(
    words: list[str],
    more: Mapping[str, Sequence[str]],
    instance: Path,
    *,
    has_gateway: bool,
) -> None:
    datafolder.make(instance)
    options = plan.parse(words)
    ports = instance / "ports.json"
    sandbox_port = datafolder.steady_port(ports, "sandbox")
    gateway_port = datafolder.steady_port(ports, "gateway") if has_gateway else 0
    what = Plan(
        options,
        plan.private(os.environ),
        instance,
        keys.load(instance / "secrets.json"),
        options.port,
        sandbox_port,
        gateway_port,
    )
    workers = what.check().workers
    console = Console(instance / "up.log", os.environ, sys.stdout.fileno())
    family = _Family(console, sys.stdin.fileno(), instance)
    whole = _Whole(what, console, family)
    whole.more_words = more
    try:
        whole.start(workers)
        whole.watch()
    except Stopping:
        pass
    finally:
        family.stop()
        console.flush(wait_s=0.5)
        console.close()


def throw_away(folder: Path, keep_in: Path | None = None) -> None:
    """Remove a stage's folder, and PostgreSQL's files wherever they are; `keep_in` gets what tells
    the story."""
    instance = folder / "instance"
    if keep_in is not None and instance.exists():
        keep_in.mkdir(parents=True, exist_ok=True)
        for kept in (
            instance / "up.log",
            instance / "sandbox" / "sandbox.db.charges.jsonl",
            instance / "gateway" / "gateway.db",
        ):
            if kept.exists():
                shutil.copy(kept, keep_in / kept.name)
    postgres_home.forget(instance / "postgres")
    shutil.rmtree(folder, ignore_errors=True)


def _as_flags(knobs: Mapping[str, Any]) -> list[str]:
    words = []
    for name, value in knobs.items():
        words += [f"--{name.replace('_', '-')}", _as_flag(value)]
    return words


def _as_flag(value: Any) -> str:
    """A knob's value as the sandbox's command line takes it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(value) if isinstance(value, (list, tuple)) else str(value)


def _instance_of(pid: int) -> str:
    try:
        return str(psutil.Process(pid).environ().get("MAKOLA_INSTANCE", ""))
    except psutil.Error:
        return ""


if __name__ == "__main__":
    sys.exit(_serve(Path(sys.argv[1])))
