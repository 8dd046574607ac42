"""`python3 dev.py test`: every test, with whatever this machine can try.

Decides whether there is a browser, which settings the tests see, and that a database given to them
may be spoilt. Leaves the servers to `tests/conftest.py`, which starts private ones. DATABASE_URL
and REDIS_URL are never looked at: tests delete things.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import psycopg

import supervision

# A database for the tests comes as four addresses of it: the application's two roles, the owner, a
# superuser.
DATABASE = {
    "TEST_DATABASE_URL": False,
    "TEST_DATABASE_STORE_URL": False,
    "TEST_DATABASE_ADMIN_URL": False,
    "TEST_DATABASE_SUPERUSER_URL": True,
}
CHROMIUM = "MAKOLA_CHROMIUM"
# Settings of this machine that no test may depend on.
UNSEEN = (
    "DATABASE_",
    "REDIS_",
    "DATA_MART_",
    "MAKOLA_",
    "FLASK_",
    "GRANIAN_",
    "GUNICORN_",
    "SANDBOX_",
    # Each process would parse all the files anew, the tests' above all: ten seconds of a core.
    "PYTHONDONTWRITEBYTECODE",
)
_NAMES = (
    "chromium-headless-shell",  # it draws no window, and costs a third less
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


STAGES = (("not (alone or all_cores or browser or servers or matrix)", 3),)
"""Which tests, in how many processes: all but the proofs, which `devkit.prove` runs. Many wait for
a statement or a thread, so there are more processes than cores."""
_NO_TESTS = 5  # pytest's exit status when it ran none


class Refusal(Exception):
    """Why the tests cannot run: one sentence with the fix."""


def main(words: Sequence[str], parts: int | None = None) -> int:
    """Run pytest with `words`, in `parts` processes at once. Returns its exit status, the worst of
    several.

    Without `parts`, and with words that choose no tests, every test runs that is no proof.
    """
    if parts is None and not chooses(words):
        return in_stages(STAGES, words)
    return _told(lambda: run([(words, parts or 1)]))


def in_stages(stages: Sequence[tuple[str, int]], words: Sequence[str]) -> int:
    """Run pytest with `words` for each stage: which tests, by their markers, and in how many
    processes."""
    return _told(
        lambda: run([([*words, "-m", which], count) for which, count in stages])
    )


def _told(act: Callable[[], int]) -> int:
    """`act`, with a refusal said in its sentence."""
    try:
        return act()
    except Refusal as refusal:
        print(f"dev.py: {refusal}", file=sys.stderr)
        return 1


def run(runs: Sequence[tuple[Sequence[str], int]]) -> int:
    """Run pytest with each of these words, in so many processes, and say loudly what could not be
    tried. Raises `Refusal`."""
    browser = chromium(os.environ)
    if browser is None:
        _shout(
            "No Chromium here: the BROWSER TESTS ARE SKIPPED. Install one, e.g. `apt install"
            " chromium`."
        )
    env = environment(os.environ) | ({CHROMIUM: browser} if browser else {})
    status = _worst(
        [
            _pytest(_selection(words, browser is not None), env, parts)
            for words, parts in runs
        ]
    )
    if browser is None:
        _shout("The BROWSER TESTS WERE SKIPPED: there is no Chromium here.")
    return status


def chooses(words: Sequence[str]) -> bool:
    """Whether pytest's words pick tests, by path, name or marker."""
    return any(not word.startswith("-") or word[:2] in ("-m", "-k") for word in words)


def chromium(environ: Mapping[str, str]) -> str | None:
    """The path of a Chromium, or None."""
    named = environ.get(CHROMIUM)
    if named:
        if not os.access(named, os.X_OK):
            raise Refusal(
                f"{CHROMIUM} is {named}, which cannot be run: set it to the path of a Chromium, or"
                " unset it."
            )
        return named
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    return found or (_MAC if os.access(_MAC, os.X_OK) else None)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the tests see: nothing that would make them depend on this machine's settings. Raises
    `Refusal`."""
    seen = {
        name: value
        for name, value in environ.items()
        if value and not name.startswith(UNSEEN)
    }
    if environ.get("MAKOLA_FORCE_WHEELS") == "1":
        return {
            name: value
            for name, value in seen.items()
            if name not in (*DATABASE, "TEST_REDIS_URL")
        }
    missing = [name for name in DATABASE if name not in seen]
    if 0 < len(missing) < len(DATABASE):
        raise Refusal(
            f"A database for the tests needs all of {', '.join(DATABASE)}: set"
            f" {' and '.join(missing)}, or none."
        )
    for name, is_superuser in DATABASE.items():
        if name in seen:
            _check_database(name, seen[name], is_superuser)
    return seen


def _check_database(name: str, url: str, is_superuser: bool) -> None:
    """Refuse a database that may hold something of worth, does not answer, or is too old."""
    database = urlsplit(url).path.lstrip("/")
    if not database.endswith("_test"):
        raise Refusal(
            f"{name} names the database {database!r}: give one whose name ends in _test, since the"
            " tests delete things."
        )
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version
            row = connection.execute(
                "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise Refusal(
            f"{name} does not answer ({reason}): start that server, or unset it."
        ) from error
    if version < 180_000:
        raise Refusal(
            f"{name} is PostgreSQL {version // 10_000}: the tests need 18, or unset it for a"
            " private one."
        )
    if bool(row and row[0]) != is_superuser:
        raise Refusal(
            f"{name} must {'' if is_superuser else 'not '}be the address of a superuser: set"
            " another role."
        )


def _selection(words: Sequence[str], with_browser: bool) -> list[str]:
    """`words`, with the browser tests taken out where there is no browser."""
    words = list(words)
    if with_browser:
        return words
    if "-m" in words[:-1]:
        place = words.index("-m") + 1
        words[place] = f"({words[place]}) and not browser"
        return words
    return [*words, "-m", "not browser"]


def _pytest(
    words: Sequence[str],
    env: Mapping[str, str],
    parts: int,
) -> int:
    """Run pytest to its end, in so many processes; a TERM for us is a TERM for it, and Ctrl-C
    reaches it by itself."""
    if "TEST_DATABASE_URL" in env:
        parts = 1  # there is one database, and every process would empty it
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *_shares(parts), *words],
        env=dict(env),
        preexec_fn=supervision.die_with_parent(signal.SIGTERM),  # noqa: PLW1509 this process has one thread
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(
        signal.SIGTERM, lambda *_: supervision.send(process.pid, signal.SIGTERM)
    )
    return abs(process.wait())


def _shares(parts: int) -> list[str]:
    """pytest-xdist's words for so many processes. A file is never parted: its fixtures are made
    once. Which file comes first is decided in `tests/support/longest_first.py`."""
    # while one waits for a process or a page, another works
    parts = min(parts, 2 + (os.cpu_count() or 1))
    if parts == 1:
        return []
    return ["-n", str(parts), "--dist", "loadfile", "--no-loadscope-reorder"]


def _worst(statuses: Sequence[int]) -> int:
    """The worst exit status. A stage without tests is no failure, unless all are."""
    ran = [status for status in statuses if status != _NO_TESTS]
    return max(ran, default=_NO_TESTS)


def _shout(text: str) -> None:
    line = "!" * (len(text) + 8)
    print(f"\n{line}\n!!! {text} !!!\n{line}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
