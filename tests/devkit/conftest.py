"""Projects to run `up` in, ended and deleted after each test, and an account without rights."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from projects import ROOT, Project

from devkit import postgres_home


@pytest.fixture
def make_project() -> Iterator[Callable[..., Project]]:
    """Makes projects, and ends them and whatever they run after the test."""
    made: list[Project] = []

    def make(
        account: pwd.struct_passwd | None = None, python: str = sys.executable
    ) -> Project:
        folder = Path(tempfile.mkdtemp(prefix="makola-devkit-"))
        folder.chmod(0o755)
        for name in ("devkit", "http_server", "supervision"):
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        shutil.copytree(Path(__file__).parent / "standin", folder, dirs_exist_ok=True)
        (folder / "core" / "base").mkdir(parents=True)
        shutil.copy(ROOT / "core" / "__init__.py", folder / "core" / "__init__.py")
        for name in (
            "__init__",
            "config",
            "environment",
            "fixed",
            "reached",
            "rights",
            "setting_rules",
            "signed",
            "clear_text",
            "payment_rules",
        ):
            shutil.copy(
                ROOT / "core" / "base" / f"{name}.py",
                folder / "core" / "base" / f"{name}.py",
            )
        if account:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid)
        made.append(Project(folder, account, python))
        return made[-1]

    yield make
    for project in made:
        project.end()


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


@pytest.fixture
def ordinary_user() -> tuple[pwd.struct_passwd, str]:
    """An account without any rights and a Python it can run. Needs root, who alone can become
    somebody else."""
    if os.geteuid() != 0:
        pytest.skip(
            "only root can become another user; the other tests run as an ordinary one here"
        )
    account = pwd.getpwnam("nobody")
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            done = subprocess.run(
                [python, "-c", "import sys, psycopg; print(sys.version_info[:2])"],
                env={"PYTHONPATH": sysconfig.get_path("purelib")},
                cwd="/",
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=[],
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            continue
        if done.stdout.strip() == str(sys.version_info[:2]):
            return account, python
    pytest.skip("no Python that another user can run on this machine")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter, and no home of a server left outside of it."""
    made = Path(tempfile.mkdtemp(prefix="makola-servers-"))
    made.chmod(0o755)
    yield made
    postgres_home.forget(made / "postgres")
    shutil.rmtree(made)
