#!/usr/bin/env python3
"""The one command for people who run or change Makola: `python3 dev.py up`, `test`, `check`.

Decides that the tools are there: makes `.venv` with the Python that runs it and fills it from the
hashed lock files. Then it becomes `python -m devkit.<command>` inside `.venv`. Standard library
only, and words that Python 3.8 can still parse, so that an old Python is refused in a sentence.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)
COMMANDS = {
    "up": "sandbox",
    "test": "dev",
    "prove": "dev",
    "check": "dev",
}  # command → the lock file it needs
HELP = """Usage: python3 dev.py COMMAND [options]

  up      run it all: stores, portal, console, workers, a sandbox supplier, PostgreSQL and Valkey
  test    run every test that is no proof; further words go to pytest, e.g.  test tests/core -k ledger
  prove   the proofs that break the whole program: kill, sim, outages and others; --long at full size
  check   ruff, format, types, import contracts, tests; --fast leaves out the slow tests;
          --audit only looks for known faults in what others wrote: packages, vendored files
  lock    write requirements/*.lock anew from pyproject.toml (needs uv)

`python3 dev.py up --help` lists the options of one command."""


class Refusal(Exception):
    """Why this cannot go on: one sentence for the person at the keyboard, with the fix."""


def main(words):
    # type: (list[str]) -> int
    if sys.version_info < OLDEST:
        raise Refusal(
            "Makola needs Python 3.11 or newer, but this is Python %s: install a newer one and run it as "
            "`python3.11 dev.py %s`." % (platform.python_version(), " ".join(words))
        )
    if os.name != "posix":
        raise Refusal(
            "Makola runs on Linux and macOS: on Windows, run this inside WSL."
        )
    command = words[0] if words else "help"
    if command == "lock":
        return lock()
    if command not in COMMANDS:
        print(HELP)
        return 0 if command in ("help", "-h", "--help") else 2
    prepare(COMMANDS[command])
    os.chdir(str(ROOT))
    sys.stdout.flush()
    environment = dict(os.environ, PYTHONUNBUFFERED="1")
    environment.setdefault("PATH", os.defpath)
    os.execve(
        str(PYTHON), [str(PYTHON), "-m", "devkit." + command] + words[1:], environment
    )


def prepare(kind):
    # type: (str) -> None
    """Make `.venv` hold what requirements/<kind>.lock says. Costs nothing when it already does."""
    import fcntl  # here, since Windows has none and is refused in words

    lock_file = ROOT / "requirements" / (kind + ".lock")
    with lock_file.open("rb") as held:
        stamp = hashlib.sha256(held.read()).hexdigest()
        if is_ready(kind, stamp):
            return
        fcntl.flock(
            held, fcntl.LOCK_EX
        )  # two commands at once: the second waits and finds the work done
        if is_ready(kind, stamp):
            return
        began = time.monotonic()
        try:
            make_venv()
            install(lock_file)
            (VENV / ("makola-%s.stamp" % kind)).write_text(stamp)
        except OSError as error:
            raise Refusal(
                "Makola cannot write to %s (%s): make that folder yours, free some space, or copy the project to "
                "a folder you own." % (ROOT, error.strerror or error)
            ) from error
        say("ready after %.0f s" % (time.monotonic() - began))


def is_ready(kind, stamp):
    # type: (str, str) -> bool
    """Whether an earlier run filled `.venv` from this very lock file, and its Python still
    starts."""
    try:
        return (VENV / ("makola-%s.stamp" % kind)).read_text() == stamp and venv_works()
    except OSError:
        return False


def venv_works():
    # type: () -> bool
    code = "import sys; sys.exit(sys.version_info < (3, 11))"
    try:
        return (
            subprocess.call([str(PYTHON), "-c", code], stderr=subprocess.DEVNULL) == 0
        )
    except OSError:
        return False


def make_venv():
    # type: () -> None
    has_pip = [str(PYTHON), "-c", "import pip"]
    if venv_works() and subprocess.call(has_pip, stderr=subprocess.DEVNULL) == 0:
        return
    version = "%d.%d" % sys.version_info[:2]
    try:
        import ensurepip  # noqa: F401 Debian ships Python without it
        import venv  # noqa: F401
    except ImportError as error:
        raise Refusal(
            "This Python has no venv: install it, on Debian or Ubuntu with `apt install python%s-venv`, "
            "and run this again." % version
        ) from error
    say("making .venv with Python %s" % platform.python_version())
    if VENV.exists():
        shutil.rmtree(str(VENV))
    VENV.mkdir()  # fails with a clear reason where the folder is not ours
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(VENV)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if made.returncode != 0:
        sys.stderr.write(made.stdout.decode(errors="replace"))
        shutil.rmtree(str(VENV), ignore_errors=True)
        raise Refusal(
            "Python could not make .venv (its words are above): check the free disk space, and on Debian or Ubuntu "
            "run `apt install python%s-venv`." % version
        )


def install(lock_file):
    # type: (Path) -> None
    """`pip install` the lock, a line of progress for each package, hashes required."""
    total = len(re.findall(r"(?m)^[A-Za-z0-9_.\[\]-]+==", lock_file.read_text()))
    say("installing up to %d packages of %s" % (total, lock_file.name))
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "--no-deps",
        "--only-binary",
        ":all:",
    ]
    command += [
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
        "-r",
        str(lock_file),
    ]
    heard = []  # type: list[str]
    seen = 0
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert pip.stdout is not None
    for raw in pip.stdout:
        line = raw.decode(errors="replace").rstrip()
        heard.append(line)
        found = re.match(
            r"(?:Collecting|Requirement already satisfied:|Processing) (\S+)", line
        )
        if found:
            seen += 1
            show(
                "  %2d/%d  %s" % (seen, total, Path(found.group(1)).name),
                lasting=seen % 10 == 0,
            )
        elif line.startswith("Installing collected packages"):
            show("  unpacking", lasting=True)
        elif "Retrying (" in line or line.startswith("WARNING: Connection"):
            show("  the package index does not answer, trying again", lasting=True)
    if pip.wait() != 0:
        raise Refusal(why_pip_failed(heard))


def why_pip_failed(heard):
    # type: (list[str]) -> str
    text = "\n".join(heard)
    place = "Python %s on %s %s" % (
        platform.python_version(),
        platform.system(),
        platform.machine(),
    )
    missing = re.search(r"No matching distribution found for (\S+)", text)
    if "No space left" in text:
        return "The disk is full: free about 500 MB and run this again."
    if (
        "Retrying (" in text
        or "NameResolutionError" in text
        or "ConnectionError" in text
    ):
        return "pip could not reach its package index: check the network or pip's own settings, and run this again."
    if missing:
        return (
            "There is no wheel of %s for %s: use Python 3.11 to 3.13 on 64-bit Linux (glibc) or macOS."
            % (
                missing.group(1).rstrip("()"),
                place,
            )
        )
    if "DO NOT MATCH THE HASHES" in text:
        return "A package is not the one the lock file names, so it was not installed: check where pip downloads from."
    sys.stderr.write("\n".join(heard[-15:]) + "\n")
    return "pip could not install the packages for %s (its words are above)." % place


def lock():
    # type: () -> int
    """Resolve pyproject.toml for every platform; no addresses go into the files."""
    uv = shutil.which("uv")
    if uv is None:
        raise Refusal(
            "`lock` needs uv: install it with `pip install uv`, and run this again."
        )
    common = [
        uv,
        "pip",
        "compile",
        "--universal",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--quiet",
    ]
    common += ["--python-version", "3.11"]
    run, sandbox, dev, audit = (
        "requirements/%s.lock" % kind for kind in ("run", "sandbox", "dev", "audit")
    )
    for more in (
        ["pyproject.toml", "-o", run],
        ["pyproject.toml", "--group", "sandbox", "-c", run, "-o", sandbox],
        ["pyproject.toml", "--group", "dev", "-c", sandbox, "-o", dev],
        ["--group", "audit", "-o", audit],
    ):
        code = subprocess.call(common + more, cwd=str(ROOT))
        if code != 0:
            return code
    return 0


def say(text):
    # type: (str) -> None
    print("dev.py: " + text, flush=True)


def show(text, lasting=False):
    # type: (str, bool) -> None
    """Progress: one line that is written over on a terminal; elsewhere only the lasting ones."""
    if sys.stdout.isatty():
        print("\r\033[K" + text, end="\n" if lasting else "", flush=True)
    elif lasting:
        print(text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refusal as refusal:
        sys.exit("dev.py: %s" % refusal)
    except KeyboardInterrupt:
        sys.exit(130)
