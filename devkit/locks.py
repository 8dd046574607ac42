"""The lock files, and the files of others that are kept here: each one version with its hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

VENDORED = (Path("static/VENDORED.md"), Path("tests/vendor/README.md"))

_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[a-z0-9,._-]+\])?"
    r"==(?P<version>[^\s;,*]+)( ; (?P<marker>.+))?"
)
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
_ROW = re.compile(r"(?m)^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$")


@dataclass
class Look:
    """What one look saw: `found` needs an act, `unseen` was not looked at, `told` is news."""

    found: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pin:
    """One line of a lock file. `is_wanted_here`: its marker fits this Python and this system."""

    name: str
    version: str
    is_wanted_here: bool


def pins(text: str) -> list[Pin]:
    """The packages of a lock file whose lines can be read; `lock_file` names the others."""
    found = []
    for line in _lines(text):
        if match := _PIN.fullmatch(line.partition(" --hash")[0].strip()):
            fits = match["marker"] is None or Marker(match["marker"]).evaluate()
            found.append(Pin(canonicalize_name(match["name"]), match["version"], fits))
    return found


def lock_file(name: str, text: str) -> Look:
    """Every line is one version of one package with its hashes, and no address to fetch it from."""
    look = Look()
    lines = list(_lines(text))
    for line in lines:
        wanted, *hashes = line.split(" --hash")
        if "://" in line or " @ " in line or line.startswith("-"):
            why = "names an address or an option"
        elif not _PIN.fullmatch(wanted.strip()):
            why = "is not pinned to one version"
        elif not hashes or not all(
            _HASH.fullmatch("--hash" + each.strip()) for each in hashes
        ):
            why = "has no SHA-256, or a broken one"
        else:
            continue
        look.found.append(
            f"{name}: `{wanted[:60].strip()}` {why}: write the lock anew."
        )
    if not lines:
        look.found.append(f"{name} pins nothing: write the lock anew.")
    if not look.found:
        look.told.append(f"{len(lines)} packages")
    return look


def vendored(root: Path) -> Look:
    """Every file of others kept here is the one its list names, byte for byte, and on the list."""
    look = Look()
    for listing in VENDORED:
        folder = (root / listing).parent
        listed = dict(_ROW.findall((root / listing).read_text()))
        for file, digest in listed.items():
            shown = f"{folder.relative_to(root)}/{file}"
            path = folder / file
            if not path.is_file():
                look.found.append(f"{listing} names {file}, which is not there.")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                look.found.append(
                    f"{shown} is not the file {listing} names: take that one again."
                )
            else:
                look.told.append(shown)
        for file in sorted(
            {path.name for path in folder.glob("*.min.*")} - set(listed)
        ):
            look.found.append(
                f"{file} is nowhere in {listing}: write there where it is from."
            )
    return look


def _lines(text: str) -> Iterator[str]:
    """The lines of a requirements file, continued ones joined, without comments and empty ones."""
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()
