"""`python3 dev.py check --audit`: is anything known to be wrong with the code of others in Makola?

Decides which looks there are and what each counts as: a finding, something that could not be
looked at, or nothing. Advisories are pip-audit's to know, and what the package index says today is
pip's. Both live in a venv of their own, so that the auditors share no package with what they audit.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name, canonicalize_version

from devkit import locks
from devkit.locks import Look

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-audit"
LOCKS = ("run.lock", "sandbox.lock", "dev.lock", "audit.lock")
ASKED_ABOUT = ("dev.lock", "audit.lock")
"""Asked of others; `dev.lock` holds all of the two before it, which tests/test_locks.py proves."""
INSTALL_S = 600
INDEX_S = 900
ADVISORIES_S = 900
"""The longest each of the auditors may take."""

NO_AUDITORS = (
    "pip-audit could not be installed: check the network or pip's own settings."
)
VERDICT = {
    0: "Nothing known is wrong.",
    1: "Something was found: see above.",
    2: "Not everything was looked at, so nothing is known about it: see above, and run this again.",
}


def main() -> int:
    """Print every look. Returns 1 when something was found, 2 when not all was seen, else 0."""
    looks = []
    for title, look in _looks():
        looks.append(look)
        print(f"--- {title}", flush=True)
        for mark, lines in (
            ("FOUND", look.found),
            ("NOT AUDITED", look.unseen),
            ("ok", look.told),
        ):
            for line in lines:
                print(f"{mark:<11}  {line}", flush=True)
    status = status_of(looks)
    print("\n" + VERDICT[status], flush=True)
    return status


def status_of(looks: Sequence[Look]) -> int:
    if any(look.found for look in looks):
        return 1
    if any(look.unseen for look in looks):
        return 2
    return 0


def _looks() -> Iterator[tuple[str, Look]]:
    texts = {name: (ROOT / "requirements" / name).read_text() for name in LOCKS}
    for name, text in texts.items():
        yield f"{name}: pinned, hashed, no address", locks.lock_file(name, text)
    yield "files of others that we serve or test with", locks.vendored(ROOT)
    auditors = auditors_python()
    ships = {pin.name for pin in locks.pins(texts["run.lock"])}
    for name in ASKED_ABOUT:
        path = ROOT / "requirements" / name
        if auditors is None:
            yield f"{name}: package index and advisories", Look(unseen=[NO_AUDITORS])
            continue
        yield f"{name}: the package index today", index_today(name, path, auditors)
        command = [*_advisory_command(auditors), "-r", str(path)]
        yield f"{name}: advisories", advisories(name, texts[name], command, ships)
    yield "licences of what ships, as its authors name them", licences(ships)


def auditors_python() -> Path | None:
    """The Python of `.venv-audit`, made anew when its lock has changed; None when that fails."""
    lock = ROOT / "requirements" / "audit.lock"
    stamp = hashlib.sha256(lock.read_bytes()).hexdigest()
    mark = VENV / "makola.stamp"
    python = VENV / "bin" / "python"
    if mark.is_file() and mark.read_text() == stamp:
        return python
    print("making .venv-audit", flush=True)
    make = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    for command in (make, [*_pip_install(python), "-r", str(lock)]):
        done = _run(command, INSTALL_S)
        if done.returncode != 0:
            print(_last_words(done.stderr), flush=True)
            return None
    mark.write_text(stamp)
    return python


def index_today(name: str, lock: Path, python: Path) -> Look:
    """Does the index give the very files the lock names, and was none withdrawn ("yanked")?"""
    command = [
        *_pip_install(python),
        "--dry-run",
        "--ignore-installed",
        "--report",
        "-",
    ]
    done = _run([*command, "-r", str(lock)], INDEX_S)
    if "DO NOT MATCH THE HASHES" in done.stderr:
        other = ", ".join(re.findall(r"(?m)^ +(\S+==\S+) from ", done.stderr))
        return Look(found=[f"The index gives another file than {name} names: {other}"])
    try:
        given = json.loads(done.stdout)["install"]
    except (ValueError, KeyError, TypeError):
        return Look(
            unseen=[
                f"pip could not read the index for {name}: {_last_words(done.stderr)}"
            ]
        )
    look = Look()
    for each in given:
        if each.get("is_yanked"):
            what = f"{each['metadata']['name']} {each['metadata']['version']}"
            look.found.append(
                f"{what} was withdrawn by its authors: take another version."
            )
    if not look.found:
        look.told.append(
            f"{len(given)} packages are the same files as in {name}, none withdrawn"
        )
    return look


def _pip_install(python: Path) -> list[str]:
    strict = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-input"]
    quiet = ["--quiet", "--disable-pip-version-check"]
    return [str(python), "-m", "pip", "install", *strict, *quiet]


def _advisory_command(python: Path) -> list[str]:
    quiet = ["--progress-spinner", "off", "--desc", "off", "--format", "json"]
    return [str(python), "-m", "pip_audit", "--require-hashes", "--disable-pip", *quiet]


def advisories(
    name: str,
    text: str,
    command: Sequence[str],
    ships: set[str],
) -> Look:
    """What pip-audit, started as `command`, knows about a lock. What it did not judge is `unseen`.

    Its exit status is not asked: it is 0 when every package was skipped.
    """
    done = _run(command, ADVISORIES_S)
    wanted = {pin.name: pin.version for pin in locks.pins(text) if pin.is_wanted_here}
    try:
        judged = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        said = _last_words(done.stderr)
        return Look(unseen=[f"The advisories cannot be reached for {name}: {said}"])
    look = Look()
    known: dict[str, dict[str, Any]] = {
        canonicalize_name(each["name"]): each
        for each in judged
        if "skip_reason" not in each
    }
    for package in known.values():
        for flaw in package["vulns"]:
            look.found.append(_sentence(package, flaw, ships))
    missed = _missed(wanted, known)
    if missed:
        reasons = [each["skip_reason"] for each in judged if "skip_reason" in each]
        why = reasons[0] if reasons else "pip-audit left them out"
        count = f"{len(missed)} of {len(wanted)} packages"
        look.unseen.append(
            f"The advisories told nothing about {count} ({_first_of(missed)}): {why}"
        )
    elif not look.found:
        look.told.append(f"{len(wanted)} packages, no known vulnerability")
    return look


def _missed(
    wanted: Mapping[str, str], known: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """The packages that were not judged in the version of the lock."""
    missed = []
    for name, version in sorted(wanted.items()):
        judged = known.get(name)
        told = None if judged is None else canonicalize_version(judged["version"])
        if told != canonicalize_version(version):
            missed.append(name)
    return missed


def _first_of(names: Sequence[str]) -> str:
    more = ", …" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _sentence(
    package: Mapping[str, str], flaw: Mapping[str, Any], ships: set[str]
) -> str:
    if canonicalize_name(package["name"]) in ships:
        where = "ships"
    else:
        where = "a tool, does not ship"
    mended = flaw["fix_versions"]
    fixed = f"fixed in {', '.join(mended)}" if mended else "no version mends it yet"
    names = ", ".join([flaw["id"], *flaw["aliases"]])
    return f"{package['name']} {package['version']} ({where}): {names}; {fixed}."


def licences(names: set[str]) -> Look:
    """The licence of each installed package among `names`, one line for each licence."""
    by_licence = defaultdict(list)
    for name in sorted(names):
        try:
            by_licence[licence_of(metadata.metadata(name))].append(name)
        except metadata.PackageNotFoundError:
            by_licence["(for other systems, not installed here)"].append(name)
    return Look(
        told=[f"{each}: {', '.join(by_licence[each])}" for each in sorted(by_licence)]
    )


def licence_of(words: metadata.PackageMetadata) -> str:
    """What a package says its licence is, in the newest of the three ways to say it."""
    expressions = words.get_all("License-Expression") or []
    classes = [
        each
        for each in words.get_all("Classifier") or []
        if each.startswith("License ::")
    ]
    texts = [
        each.splitlines()[0][:60]
        for each in words.get_all("License") or []
        if each.strip()
    ]
    for said in (expressions, [each.rpartition(" :: ")[2] for each in classes], texts):
        if said:
            return " / ".join(str(each) for each in said)
    return "says none"


def _run(command: Sequence[str], seconds: int) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(
            command, 124, "", f"no answer within {seconds} s"
        )


def _last_words(text: str) -> str:
    """The last line that says something, cut: a traceback's error, the verdict of pip's log."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    if said:
        return said[-1][:300]
    return "it said nothing"
