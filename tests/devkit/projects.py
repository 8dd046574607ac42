"""A small project around the real `devkit`, with a stand-in for the application, in a folder of its
own."""

from __future__ import annotations

import json
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devkit import postgres_home, process_tree

ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for a true value and return it; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still waiting after {seconds} s"
        time.sleep(0.05)
    return value


@dataclass
class Run:
    """One `up` that was started."""

    project: Project
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def family(self) -> list[int]:
        return process_tree.descendants(self.process.pid)

    def ready(self) -> dict[str, Any]:
        """Wait for `ready.json` of this run."""
        until(
            lambda: self.project.ready_file.exists() or self.process.poll() is not None
        )
        assert self.process.poll() is None, self.text
        return json.loads(self.project.ready_file.read_text())

    def end(self, signum: int = signal.SIGTERM) -> int:
        """Stop it, wait for it, return its status."""
        self.process.send_signal(signum)
        return self.process.wait(20)


@dataclass
class Project:
    """A folder in which `devkit.up` can run. `account` is whom it runs as, None for us."""

    folder: Path
    account: pwd.struct_passwd | None = None
    python: str = sys.executable
    runs: list[Run] = field(default_factory=list)

    @property
    def instance(self) -> Path:
        return self.folder / "instance"

    @property
    def ready_file(self) -> Path:
        return self.instance / "ready.json"

    def up(self, *words: str, **environ: str) -> Run:
        """Start `up` with an environment of just `environ`."""
        env = {
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        who = (
            {
                "user": self.account.pw_uid,
                "group": self.account.pw_gid,
                "extra_groups": [],
            }
            if self.account
            else {}
        )
        output = self.folder / f"output-{len(self.runs)}.txt"
        with output.open("wb") as sink:
            process = subprocess.Popen(
                [self.python, "-m", "devkit.up", *words],
                cwd=self.folder,
                env=env | environ,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                **who,
            )
        self.runs.append(Run(self, process, output))
        return self.runs[-1]

    def refused(self, *words: str, **environ: str) -> str:
        """Run `up`, expect it to refuse, and return its one sentence."""
        run = self.up(*words, **environ)
        assert run.process.wait(30) == 1
        sentences = [
            line for line in run.text.splitlines() if line.startswith("dev.py: ")
        ]
        assert len(sentences) == 1, run.text
        assert "Traceback" not in run.text
        return sentences[0]

    def end(self) -> None:
        for run in self.runs:
            if run.process.poll() is None:
                below = run.family
                run.process.kill()
                run.process.wait(10)
                until(
                    lambda below=below: (
                        not any(process_tree.is_alive(pid) for pid in below)
                    ),
                    15,
                )
        postgres_home.forget(self.instance / "postgres")
        shutil.rmtree(self.folder)
